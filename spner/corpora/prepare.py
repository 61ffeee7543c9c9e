"""Stage 1: a corpus -> cleaned Kaldi data folders and the audio store.

Cleaning is the paper's (arXiv 2307.01310, section 4.1): duplicate sentences, silent clips, punctuation, foreign
scripts. A sentence of the test set is a duplicate in dev and train, one of dev in train, so sets share none. The
authors' own file is already clean: its sets stay as they are, except for clips that cannot be used.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.datatypes import GOLD, LABELS, SILVER, Utterance
from spner.core.errors import SpnerError
from spner.core.files import atomic_text, fingerprint, locked, read_json, remove
from spner.core.parallel import Processes, Workers
from spner.core.resume import once
from spner.corpora.corpus import Corpus, CorpusSet, Wanted
from spner.corpora.readers import choose_reader
from spner.data.audio import StoredClip, clip_duration_s, store_clips
from spner.data.datadir import (
    read_table,
    write_entities,
    write_sentences,
    write_table,
    write_word_times,
)
from spner.data.kinds import tell_kinds
from spner.data.parquet import find_row
from spner.text.foreign import count_letters, refuse_most, warn_of_foreign
from spner.text.label_sets import are_combined
from spner.text.languages import require_language
from spner.text.textnorm import normalise

log = logging.getLogger(__name__)

BROKEN = MISSING_CLIP, BROKEN_CLIP = ("missing_clip", "broken_clip")
RULES = ("ragged_row", "empty_sentence", "duplicate_sentence", *BROKEN, "silent_clip", "short_clip")
LEAST_SHARE = 0.8
"""A clip that holds less of the seconds that its corpus states is truncated, and so broken. Programs that measure an
MP3 file differ by some 0.05 s."""
SHORTEST_CLIP_S = 0.2
"""Shorter clips hold no word. A Conformer of 25 frames a second needs 0.085 s for its first frame and 0.125 s for the
two that batch normalisation needs; without them its loss is not a number, and a training is lost."""


@dataclass
class _Removed:
    """Utterances and seconds that each rule removed from a set."""

    num_utts: Counter[str] = field(default_factory=Counter)
    duration_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, rule: str, duration_s: float) -> None:
        self.num_utts[rule] += 1
        self.duration_s[rule] += duration_s

    def as_json(self) -> dict[str, dict[str, float]]:
        return {r: {"utterances": self.num_utts[r], "hours": self.duration_s[r] / 3600} for r in RULES}


@dataclass
class _Set:
    """A set being cleaned: what the corpus has, and the utterances left of it, each with its transcript."""

    name: str
    corpus: CorpusSet
    text: dict[str, str] = field(default_factory=dict)
    utterances: list[Utterance] = field(default_factory=list)
    duplicates: list[Utterance] = field(default_factory=list)
    empty: list[Utterance] = field(default_factory=list)

    @property
    def unusable(self) -> dict[str, Sized]:
        """What was removed before any clip was looked at, by rule."""
        return {
            "ragged_row": self.corpus.ragged_lines,
            "empty_sentence": self.empty,
            "duplicate_sentence": self.duplicates,
        }

    @property
    def num_rows(self) -> int:
        return len(self.utterances) + sum(map(len, self.unusable.values()))


def prepare_data(
    corpus: Path,
    out: Path,
    *,
    lang: str,
    max_broken: float,
    num_workers: int,
    cluster: Workers | None = None,
    clips: Path | None = None,
    split_validated: int | None = None,
    labels: Sequence[str] = LABELS,
) -> dict[str, Any]:
    """Prepare every set of a corpus and return the report, which is also in ``<out>/report.json``.

    Writes ``<out>/<set>/{wav.scp,text,utt2spk,spk2utt,utt2dur,sentences.jsonl}``, ``gold_entities.jsonl``,
    ``word_times.jsonl`` or ``corpus_entities.jsonl`` if the corpus has them, ``<out>/audio/<set>/`` and
    ``<out>/broken_clips.tsv``. Finished work is not done again.

    Args:
        corpus: what one of :data:`spner.corpora.readers.READERS` takes.
        out: the data folder.
        lang: language code; selects the normalisation.
        max_broken: largest share of a set's clips, 0 to 1, that may be missing or broken.
        num_workers: processes that decode clips.
        cluster: what decodes them instead.
        clips: the folder of the clips; without it the corpus's own.
        split_validated: seed with which train, dev and test are made of the release's validated clips.
        labels: those that are wanted; they choose between the annotations of a corpus that has two. Entities of all
            labels are kept.

    Raises:
        SpnerError: unusable corpus, unknown language, sentences in another script, other sets in ``out``, too many
            broken clips, or nothing kept of a set.
    """
    require_language(lang)
    reader = choose_reader(corpus)
    wanted = Wanted(lang, split_validated, are_combined(labels), clips)
    inputs = reader.list_inputs(corpus, wanted)
    clips_from = _require_folder(clips) if clips else reader.find_clips(corpus)
    settings = {
        "corpus": str(corpus),
        "clips": str(clips_from),
        "lang": lang,
        "max_broken": max_broken,
        "split_validated": split_validated,
        **({"combined": wanted.combined} if reader.TWO_ANNOTATIONS else {}),
        "limits": {"least_share": LEAST_SHARE, "shortest_clip_s": SHORTEST_CLIP_S},
        "inputs": {path.name: fingerprint([path]) for path in inputs},
    }
    with locked(out):
        _refuse_other_sets(out, settings)
        return once(
            out / paths.REPORT,
            {"settings": settings},
            lambda: _write_data(reader.read(corpus, wanted), out, settings, cluster or Processes(num_workers)),
            outputs=[out / paths.BROKEN_CLIPS],
            parts=_list_files(out),
        )


def _require_folder(clips: Path) -> Path:
    if not clips.is_dir():
        raise SpnerError(f"{clips}: no such folder of clips; paths are relative to the recipe's folder")
    return clips


def _refuse_other_sets(out: Path, settings: Mapping[str, Any]) -> None:
    """Refuse to replace the sets of another corpus, or sets to train on that were drawn with another seed."""
    if not (out / paths.REPORT).exists():
        return
    report = read_json(out / paths.REPORT)
    keys = {"corpus": "corpus", **({"split_validated": "--split_validated"} if paths.TRAIN in report["sets"] else {})}
    for key, what in keys.items():
        found = report["settings"].get(key)
        if found != settings[key]:
            raise SpnerError(
                f"{out}: holds {what} {found} (this one is {settings[key]}); give another --out, or remove the folder"
            )


def _list_files(out: Path) -> Iterator[Path]:
    """Yield the files of every set in the report, and the archives that their audio lies in."""
    for name, counts in read_json(out / paths.REPORT)["sets"].items():
        # Reports of earlier versions list no files.
        yield from (out / name / file for file in counts.get("files", [paths.WAV_SCP]))
        locations = read_table(out / name / paths.WAV_SCP).values()
        yield from {Path(location.rpartition(":")[0]) for location in locations}


def _write_data(corpus: Corpus, out: Path, settings: Mapping[str, Any], workers: Workers) -> dict[str, Any]:
    """Write every set of a corpus and the list of broken clips; return the report, without its settings."""
    transliterated = _count_transliterated(corpus, settings["lang"], where=settings["corpus"])
    broken: list[str] = []
    report: dict[str, dict[str, Any]] = {}
    sets = _clean(corpus, settings["lang"])
    for one in sets:  # all of them, before clips are read, which may take hours
        if not one.utterances:
            _refuse_nothing(settings["corpus"], one.name, {rule: len(rows) for rule, rows in one.unusable.items()})
    for one in sets:
        store = out / paths.AUDIO_STORE / one.name
        kept, removed = _store_clips(one, Path(settings["clips"]), store, broken, workers)
        report[one.name] = {
            "rows": one.num_rows,
            "entities": _kind(one.corpus),
            "kept": {"utterances": len(kept), "hours": sum(clip.duration_s for _, clip in kept) / 3600},
            "removed": removed.as_json(),
            "ragged_lines": list(one.corpus.ragged_lines),
            "notes": dict(one.corpus.notes),
            "transliterated_letters": transliterated[one.name],
            "files": _write_folder(one, corpus, kept, out),
        }
    with atomic_text(out / paths.BROKEN_CLIPS) as file:
        file.writelines(broken)
    _refuse_broken(report, settings["max_broken"], out / paths.BROKEN_CLIPS)
    for name, counts in report.items():
        if not counts["kept"]["utterances"]:
            num_removed = {rule: num["utterances"] for rule, num in counts["removed"].items()}
            _refuse_nothing(settings["corpus"], name, num_removed)
    if not report.keys() & set(paths.SETS):
        log.info("%s: nothing to train on or to test; --split_validated 1 makes sets of %s", out, ", ".join(report))
    return {"synthetic": corpus.synthetic, "sets": report}


def _kind(corpus: CorpusSet) -> str | None:
    """Return whether the entities that came with a set are gold or silver, None where there are none."""
    return None if corpus.transcripts is None else GOLD if corpus.gold else SILVER


def _count_transliterated(corpus: Corpus, lang: str, *, where: str) -> dict[str, int]:
    """Return each set's number of letters of other scripts, with a warning that names the corpus.

    Raises:
        SpnerError: they are most of the train set's letters, or of all where there is no train set.
    """
    counts = {
        name: count_letters((utterance.sentence for utterance in one.utterances), lang)
        for name, one in corpus.sets.items()
    }
    num_letters = sum(num for num, _ in counts.values())
    foreign = sum((others for _, others in counts.values()), Counter[str]())
    refuse_most(*counts.get(paths.TRAIN, (num_letters, foreign)), lang, where=where)
    warn_of_foreign(num_letters, foreign, lang, where=where)
    return {name: others.total() for name, (_, others) in counts.items()}


def _clean(corpus: Corpus, lang: str) -> list[_Set]:
    """Normalise, and keep the first of equal transcripts; test comes before dev, dev before train.

    Sets that come with transcripts are taken as they are.
    """
    sets = [_Set(name, one, empty=list(one.empty)) for name, one in corpus.sets.items()]
    seen: set[str] = set()
    for one in reversed(sets):
        transcripts = one.corpus.transcripts
        for utterance in one.corpus.utterances:
            if transcripts is not None:
                text = " ".join(transcripts[utterance.utt_id].words)
            else:
                text = normalise(utterance.sentence, lang)
            if not text:
                one.empty.append(utterance)
            elif text in seen and transcripts is None:
                one.duplicates.append(utterance)
            else:
                seen.add(text)
                one.text[utterance.utt_id] = text
                one.utterances.append(utterance)
    return sets


Kept = list[tuple[Utterance, StoredClip]]


def _store_clips(one: _Set, clips: Path, store: Path, broken: list[str], workers: Workers) -> tuple[Kept, _Removed]:
    """Store a set's clips and append to ``broken``; return the utterances with audio, and what each rule removed."""
    removed = _Removed()
    for _ in one.corpus.ragged_lines:
        removed.add("ragged_row", 0.0)
    for rule, utterances in (("empty_sentence", one.empty), ("duplicate_sentence", one.duplicates)):
        files = [clips / utterance.clip for utterance in utterances]
        for duration_s in Processes().map(clip_duration_s, files, what=f"{one.name}: {rule}", unit="clip"):
            removed.add(rule, duration_s)
    # Rows of a table are read in its order; all other clips in that of the ids.
    utterances = sorted(one.utterances, key=lambda utterance: (*find_row(utterance.clip), utterance.utt_id))
    stored = store_clips(
        store, [(u.utt_id, clips / u.clip) for u in utterances], workers=workers, what=f"{one.name}: clips"
    )
    kept: Kept = []
    for utterance, clip in zip(utterances, stored, strict=True):
        error = clip.error or _judge_length(clip.duration_s, one.corpus.stated_s.get(utterance.utt_id, 0.0))
        if not error:
            kept.append((utterance, replace(clip, location=str(store / clip.location))))
            continue
        rule = f"{error.split(':')[0]}_clip"
        removed.add(rule, clip.duration_s)
        if rule in BROKEN:
            broken.append(f"{one.name}\t{utterance.utt_id}\t{clips / utterance.clip}\t{error}\n")
    return sorted(kept, key=lambda one: one[0].utt_id), removed


def _judge_length(duration_s: float, stated_s: float) -> str:
    """Return why a clip is too short, else an empty text; ``stated_s`` is 0 where its corpus does not say."""
    if duration_s < LEAST_SHARE * stated_s:
        return f"broken: {duration_s:.2f} s of the {stated_s:.2f} s that its corpus states"
    return "short" if duration_s < SHORTEST_CLIP_S else ""


def _write_folder(one: _Set, corpus: Corpus, kept: Kept, out: Path) -> list[str]:
    """Write a set's folder, with what the corpus knows about the kept utterances; return the names of the files.

    A stored clip begins with the first sample of the corpus's, so that word times stay as they are.
    """
    utts_of: dict[str, list[str]] = {}
    for utterance, _ in kept:
        utts_of.setdefault(utterance.spk_id, []).append(utterance.utt_id)
    kept_ids = {utterance.utt_id for utterance, _ in kept}

    def keep(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
        return None if found is None else {utt_id: found[utt_id] for utt_id in found if utt_id in kept_ids}

    files: list[tuple[str, Callable[[Path, Any], None], Any]] = [
        (paths.UTT2SPK, write_table, {u.utt_id: u.spk_id for u, _ in kept}),
        (paths.SPK2UTT, write_table, {spk_id: " ".join(utt_ids) for spk_id, utt_ids in utts_of.items()}),
        (paths.UTT2DUR, write_table, {u.utt_id: f"{clip.duration_s:.7f}" for u, clip in kept}),
        (paths.SENTENCES, write_sentences, {u.utt_id: u.sentence for u, _ in kept}),
        (paths.WAV_SCP, write_table, {u.utt_id: clip.location for u, clip in kept}),
        (paths.TEXT, write_table, keep(one.text)),
        (paths.GOLD_ENTITIES, write_entities, keep(one.corpus.transcripts if one.corpus.gold else corpus.gold)),
        (paths.WORD_TIMES, write_word_times, keep(corpus.word_times)),
        (paths.CORPUS_ENTITIES, write_entities, keep(one.corpus.transcripts)),
    ]
    for name, write, content in files:
        remove(out / one.name / name)
        if content is not None:
            write(out / one.name / name, content)
    return [name for name, _, content in files if content is not None]


def _refuse_broken(sets: dict[str, Any], max_broken: float, listed_in: Path) -> None:
    for name, counts in sets.items():
        num_broken = sum(counts["removed"][rule]["utterances"] for rule in BROKEN)
        num_clips = counts["kept"]["utterances"] + counts["removed"]["silent_clip"]["utterances"] + num_broken
        if num_broken > max_broken * num_clips:
            raise SpnerError(
                f"{listed_in}: {num_broken} of {num_clips} clips of {name} are missing or broken (at most "
                f"{max_broken:.1%} may be); mend the corpus or raise --max_broken"
            )


def _refuse_nothing(corpus: str, set_name: str, num_removed: Mapping[str, int]) -> None:
    removed = ", ".join(f"{num} {rule}" for rule, num in num_removed.items() if num) or "a table without rows"
    raise SpnerError(
        f"{corpus}: nothing is left of {set_name} (found {removed}; expected one utterance at least); mend the set, "
        "leave it out, or make sets of validated.tsv (--split_validated)"
    )


def format_report(report: dict[str, Any]) -> str:
    """Return the report as a table: utterances and hours that each rule removed, per set."""
    rows: list[tuple[str, Iterable[dict[str, float]]]] = [
        (rule, [counts["removed"][rule] for counts in report["sets"].values()]) for rule in RULES
    ]
    rows.append(("kept", [counts["kept"] for counts in report["sets"].values()]))
    lines = ["".join([f"{'':20}", *(f"{name:>23}" for name in report["sets"])])]
    for title, cells in rows:
        lines.append(f"{title:20}" + "".join(f"{c['utterances']:>10} ({c['hours']:8.4f} h)" for c in cells))
    for note in dict.fromkeys(note for one in report["sets"].values() for note in one["notes"]):
        counts = {name: one["notes"][note] for name, one in report["sets"].items() if one["notes"].get(note)}
        if counts:
            lines.append(f"{note}: " + ", ".join(f"{num} in {name}" for name, num in counts.items()))
    lines += [f"entities: {kinds}" for kinds in [tell_kinds(report)] if kinds]
    return "\n".join(lines)
