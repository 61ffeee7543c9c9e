"""Stage 1: a corpus -> cleaned Kaldi data folders and the audio store.

Cleaning is the paper's (arXiv 2307.01310, section 4.1): duplicate sentences, silent clips, punctuation, foreign
scripts. A sentence of the test set is a duplicate in dev and train, one of dev in train, so sets share none. The
authors' own file is already clean: its sets stay as they are, except for clips that cannot be used.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.datatypes import Transcript, Utterance
from spner.core.errors import SpnerError
from spner.core.files import atomic_text, fingerprint, locked, read_json, write_json
from spner.core.parallel import map_processes
from spner.corpora.common_voice import list_sets, read_tsv
from spner.corpora.paper_json import NOTES, LabelledCorpus, is_paper_json, read_paper_json
from spner.data.audio import StoredClip, clip_duration_s, store_clips
from spner.data.datadir import (
    read_entities,
    read_word_times,
    write_entities,
    write_sentences,
    write_table,
    write_word_times,
)
from spner.text.textnorm import normalise

SUMMARY = "summary.json"  # the mini corpus's: it says that the speech is synthetic
RULES = ("ragged_row", "empty_sentence", "duplicate_sentence", "missing_clip", "broken_clip", "silent_clip")


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
    """A set being cleaned: the utterances left, each with its transcript and, if it came with them, its labels.

    ``ragged_lines`` are of a table, ``notes`` of the authors' file; see their readers.
    """

    name: str
    text: dict[str, str] = field(default_factory=dict)
    utterances: list[Utterance] = field(default_factory=list)
    duplicates: list[Utterance] = field(default_factory=list)
    empty: list[Utterance] = field(default_factory=list)
    ragged_lines: tuple[int, ...] = ()
    transcripts: dict[str, Transcript] | None = None
    notes: dict[str, int] = field(default_factory=dict)

    @property
    def num_rows(self) -> int:
        return sum(map(len, (self.utterances, self.duplicates, self.empty, self.ragged_lines)))


def prepare_data(
    corpus: Path, out: Path, *, lang: str, max_broken: float, num_workers: int, clips: Path | None = None
) -> dict[str, Any]:
    """Prepare every set of a corpus and return the report, which is also in ``<out>/report.json``.

    Writes ``<out>/<set>/{wav.scp,text,utt2spk,spk2utt,utt2dur,sentences.jsonl}``, ``gold_entities.jsonl``,
    ``word_times.jsonl`` or ``corpus_entities.jsonl`` if the corpus has them, ``<out>/audio/<set>/`` and
    ``<out>/broken_clips.tsv``. Finished work is not done again.

    Args:
        corpus: an unpacked Common Voice release of one language, or a file of the paper's authors.
        out: the data folder.
        lang: language code; selects the normalisation.
        max_broken: largest share of a set's clips, 0 to 1, that may be missing or broken.
        num_workers: processes that decode clips.
        clips: the folder of the clips; without it a release's own.

    Raises:
        SpnerError: unusable corpus, another corpus in ``out``, or too many broken clips.
    """
    inputs = _find_inputs(corpus)
    clips = _find_clips(corpus, clips)
    settings = {
        "corpus": str(corpus),
        "clips": str(clips),
        "lang": lang,
        "max_broken": max_broken,
        "inputs": {path.name: fingerprint([path]) for path in inputs},
    }
    with locked(out):
        report_file = out / paths.REPORT
        if report_file.exists():
            report = read_json(report_file)
            if report["settings"]["corpus"] != settings["corpus"]:
                raise SpnerError(
                    f"{out}: holds corpus {report['settings']['corpus']} (this one is {corpus}); "
                    "give another --out, or remove the folder"
                )
            if report["settings"] == settings:
                return report
            report_file.unlink()
        sets, synthetic = _read_sets(corpus, lang)
        broken: list[str] = []
        report = {"settings": settings, "synthetic": synthetic, "sets": {}}
        for one in sets:
            report["sets"][one.name] = _write_set(one, corpus, clips, out, broken, num_workers)
        with atomic_text(out / paths.BROKEN_CLIPS) as file:
            file.writelines(broken)
        _refuse_broken(report["sets"], max_broken, out / paths.BROKEN_CLIPS)
        write_json(report_file, report)
    return report


def _find_inputs(corpus: Path) -> list[Path]:
    """Return the files that decide what a corpus holds, without its clips."""
    if not is_paper_json(corpus):
        names = [*(f"{name}.tsv" for name in list_sets(corpus)), paths.GOLD_ENTITIES, paths.WORD_TIMES, SUMMARY]
        return [corpus / name for name in names if (corpus / name).exists()]
    if not corpus.is_file():
        raise SpnerError(
            f"{corpus}: no such file (expected a JSON file of the paper's authors); paths are relative to "
            "the recipe's folder"
        )
    return [corpus]


def _find_clips(corpus: Path, clips: Path | None) -> Path:
    if clips is None:
        if is_paper_json(corpus):
            raise SpnerError(
                f"{corpus}: names clips but holds none (expected --clips with their folder); give the "
                "folder clips/ of the Common Voice release that it was made from"
            )
        return corpus / "clips"
    if not clips.is_dir():
        raise SpnerError(f"{clips}: no such folder of clips; paths are relative to the recipe's folder")
    return clips


def _read_sets(corpus: Path, lang: str) -> tuple[list[_Set], bool]:
    """Return the sets of a corpus, and whether its speech is synthetic."""
    if is_paper_json(corpus):
        labelled = read_paper_json(corpus, lang=lang)
        return _take_labelled(labelled), labelled.synthetic
    summary = read_json(corpus / SUMMARY) if (corpus / SUMMARY).exists() else {}
    return _read_tables(corpus, lang), bool(summary.get("synthetic"))


def _take_labelled(corpus: LabelledCorpus) -> list[_Set]:
    """Take the sets of the authors' file as they are."""
    return [
        _Set(
            name,
            text={utt_id: " ".join(transcript.words) for utt_id, transcript in labelled.transcripts.items()},
            utterances=list(labelled.utterances),
            empty=list(labelled.empty),
            transcripts=labelled.transcripts,
            notes=labelled.notes,
        )
        for name, labelled in corpus.sets.items()
    ]


def _read_tables(corpus: Path, lang: str) -> list[_Set]:
    """Normalise, and keep the first of equal transcripts; test comes before dev, dev before train."""
    tables = {name: read_tsv(corpus, name) for name in list_sets(corpus)}
    sets = [_Set(name, empty=list(table.empty), ragged_lines=table.ragged_lines) for name, table in tables.items()]
    seen: set[str] = set()
    for one in reversed(sets):
        for utterance in tables[one.name].utterances:
            text = normalise(utterance.sentence, lang)
            if not text:
                one.empty.append(utterance)
            elif text in seen:
                one.duplicates.append(utterance)
            else:
                seen.add(text)
                one.text[utterance.utt_id] = text
                one.utterances.append(utterance)
    return sets


def _write_set(one: _Set, corpus: Path, clips: Path, out: Path, broken: list[str], num_workers: int) -> dict[str, Any]:
    """Store a set's clips, write its folder, append to ``broken``, and return its part of the report."""
    removed = _Removed()
    for _ in one.ragged_lines:
        removed.add("ragged_row", 0.0)
    for rule, utterances in (("empty_sentence", one.empty), ("duplicate_sentence", one.duplicates)):
        files = [clips / utterance.clip for utterance in utterances]
        for duration_s in map_processes(clip_duration_s, files, num_workers=1, what=f"{one.name}: {rule}", unit="clip"):
            removed.add(rule, duration_s)
    utterances = sorted(one.utterances, key=lambda utterance: utterance.utt_id)
    store = out / paths.AUDIO_STORE / one.name
    stored = store_clips(
        store, [(u.utt_id, clips / u.clip) for u in utterances], num_workers=num_workers, what=f"{one.name}: clips"
    )
    kept: list[tuple[Utterance, StoredClip]] = []
    for utterance, clip in zip(utterances, stored, strict=True):
        if not clip.error:
            kept.append((utterance, clip))
            continue
        rule = f"{clip.error.split(':')[0]}_clip"
        removed.add(rule, clip.duration_s)
        if rule != "silent_clip":
            broken.append(f"{one.name}\t{utterance.utt_id}\t{clips / utterance.clip}\t{clip.error}\n")
    _write_folder(out / one.name, kept, one.text, store)
    _write_gold(corpus, out / one.name, {utterance.utt_id for utterance, _ in kept})
    if one.transcripts is not None:
        write_entities(out / one.name / paths.CORPUS_ENTITIES, {u.utt_id: one.transcripts[u.utt_id] for u, _ in kept})
    return {
        "rows": one.num_rows,
        "kept": {"utterances": len(kept), "hours": sum(clip.duration_s for _, clip in kept) / 3600},
        "removed": removed.as_json(),
        "ragged_lines": list(one.ragged_lines),
        "notes": one.notes,
    }


def _write_folder(folder: Path, kept: list[tuple[Utterance, StoredClip]], text: dict[str, str], store: Path) -> None:
    utts_of: dict[str, list[str]] = {}
    for utterance, _ in kept:
        utts_of.setdefault(utterance.spk_id, []).append(utterance.utt_id)
    write_table(folder / paths.UTT2SPK, {u.utt_id: u.spk_id for u, _ in kept})
    write_table(folder / paths.SPK2UTT, {spk_id: " ".join(utt_ids) for spk_id, utt_ids in utts_of.items()})
    write_table(folder / paths.UTT2DUR, {u.utt_id: f"{clip.duration_s:.7f}" for u, clip in kept})
    write_sentences(folder / paths.SENTENCES, {u.utt_id: u.sentence for u, _ in kept})
    write_table(folder / paths.WAV_SCP, {u.utt_id: str(store / clip.location) for u, clip in kept})
    write_table(folder / paths.TEXT, {u.utt_id: text[u.utt_id] for u, _ in kept})


def _write_gold(corpus: Path, folder: Path, utt_ids: set[str]) -> None:
    """Write the corpus's own entities and word times, if it has any, for the utterances that are kept.

    A stored clip begins with the first sample of the original, so times stay as they are.
    """
    kinds: list[tuple[str, Callable[..., dict[str, Any]], Callable[..., None]]] = [
        (paths.GOLD_ENTITIES, read_entities, write_entities),
        (paths.WORD_TIMES, read_word_times, write_word_times),
    ]
    for name, read, write in kinds:
        if (corpus / name).exists():
            found = read(corpus / name)
            write(folder / name, {u: found[u] for u in found if u in utt_ids})


def _refuse_broken(sets: dict[str, Any], max_broken: float, listed_in: Path) -> None:
    for name, counts in sets.items():
        num_broken = sum(counts["removed"][rule]["utterances"] for rule in ("missing_clip", "broken_clip"))
        num_clips = counts["kept"]["utterances"] + counts["removed"]["silent_clip"]["utterances"] + num_broken
        if num_broken > max_broken * num_clips:
            raise SpnerError(
                f"{listed_in}: {num_broken} of {num_clips} clips of {name} are missing or broken (at most "
                f"{max_broken:.1%} may be); mend the corpus or raise --max_broken"
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
    for note in NOTES:
        counts = {name: one["notes"][note] for name, one in report["sets"].items() if one["notes"].get(note)}
        if counts:
            lines.append(f"{note}: " + ", ".join(f"{num} in {name}" for name, num in counts.items()))
    return "\n".join(lines)
