"""Stage 1: a corpus -> cleaned Kaldi data folders and the audio store.

Cleaning is the paper's (arXiv 2307.01310, section 4.1): duplicate sentences, silent clips, punctuation, foreign
scripts. A sentence of the test set is a duplicate in dev and train, one of dev in train, so sets share none. The
authors' own file is already clean: its sets stay as they are, except for clips that cannot be used.

Rows are sorted on the disk and read again for each step; what is held of an utterance are a digest of its transcript
and its fate.
"""

import hashlib
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, compress, groupby, starmap
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np

from spner.core import paths
from spner.core.datatypes import GOLD, LABELS, SILVER, Utterance
from spner.core.errors import SpnerError
from spner.core.files import atomic_text, fingerprint, locked, read_json, remove, scratch_folder
from spner.core.parallel import Processes, Workers
from spner.core.progress import Progress
from spner.core.resume import once
from spner.core.streams import Stream, Streamed, sort_rows
from spner.corpora.corpus import Corpus, CorpusSet, Wanted
from spner.corpora.readers import choose_reader
from spner.data.audio import clip_duration_s, store_clips
from spner.data.datadir import entities_line, sentence_line, stream_table, table_line, word_times_line
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
DIGEST_BYTES = 16  # of a transcript: two of two million ones share one with a chance of 1e-26


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


class _Row(NamedTuple):
    """An utterance with its transcript. Sorted, rows of a parquet table are read in its order, others in that of ids.

    Attributes:
        table, row: of :func:`spner.data.parquet.find_row`.
        utt_id, spk_id, clip, sentence: the utterance's.
        position: its own in the corpus's set.
        text: its transcript.
    """

    table: str
    row: int
    utt_id: str
    position: int
    spk_id: str
    clip: str
    sentence: str
    text: str


class _Kept(NamedTuple):
    """An utterance with its stored clip."""

    utt_id: str
    spk_id: str
    sentence: str
    text: str
    location: str
    duration_s: float


USED, EMPTY, DUPLICATE = range(3)


@dataclass(frozen=True)
class _Set:
    """A set being cleaned.

    Attributes:
        name: its name.
        corpus: what the corpus has.
        rows: its utterances, those without text left out, in the order in which clips are stored.
        fates: what is done with each utterance: ``USED``, ``EMPTY`` or ``DUPLICATE``.
    """

    name: str
    corpus: CorpusSet
    rows: Stream[list[Any]]
    fates: np.ndarray

    @property
    def used(self) -> Streamed[_Row]:
        """The rows that are used."""

        def stream() -> Iterator[_Row]:
            return (row for row in starmap(_Row, self.rows) if self.fates[row.position] == USED)

        return Streamed(stream, self.count(USED))

    def count(self, fate: int) -> int:
        """Return the number of utterances of a fate."""
        return int((self.fates == fate).sum())

    def having(self, fate: int) -> Iterator[Utterance]:
        """Yield the utterances of a fate, in the corpus's order."""
        return compress(self.corpus.utterances, self.fates == fate)

    @property
    def unusable(self) -> dict[str, int]:
        """How many utterances were removed before any clip was looked at, by rule."""
        return {
            "ragged_row": len(self.corpus.ragged_lines),
            "empty_sentence": len(self.corpus.empty) + self.count(EMPTY),
            "duplicate_sentence": self.count(DUPLICATE),
        }

    @property
    def num_rows(self) -> int:
        return self.count(USED) + sum(self.unusable.values())


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
        rows = stream_table(out / name / paths.WAV_SCP)
        yield from {Path(location.rpartition(":")[0]) for _, location in rows}


def _write_data(corpus: Corpus, out: Path, settings: Mapping[str, Any], workers: Workers) -> dict[str, Any]:
    """Write every set of a corpus and the list of broken clips; return the report, without its settings."""
    transliterated = _count_transliterated(corpus, settings["lang"], where=settings["corpus"])
    report: dict[str, dict[str, Any]] = {}
    with atomic_text(out / paths.BROKEN_CLIPS) as broken, scratch_folder(out / "rows") as scratch:
        sets = _clean(corpus, settings["lang"], scratch)
        for one in sets:  # all of them, before clips are read, which may take hours
            if not one.count(USED):
                _refuse_nothing(settings["corpus"], one.name, one.unusable)
        for one in sets:
            store, removed = out / paths.AUDIO_STORE / one.name, _Removed()
            stored = _store_clips(one, Path(settings["clips"]), store, broken, removed, workers)
            kept = sort_rows(stored, scratch / f"{one.name}.kept")
            report[one.name] = {
                "rows": one.num_rows,
                "entities": _kind(one.corpus),
                "kept": {"utterances": len(kept), "hours": sum(_Kept(*row).duration_s for row in kept) / 3600},
                "removed": removed.as_json(),
                "ragged_lines": list(one.corpus.ragged_lines),
                "notes": dict(one.corpus.notes),
                "transliterated_letters": transliterated[one.name],
                "files": _write_folder(one, corpus, kept, out, scratch),
            }
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


def _clean(corpus: Corpus, lang: str, scratch: Path) -> list[_Set]:
    """Normalise, and keep the first of equal transcripts; test comes before dev, dev before train.

    Sets that come with transcripts are taken as they are.
    """
    digests, rows = bytearray(), dict[str, Stream[list[Any]]]()
    for name, one in reversed([*corpus.sets.items()]):
        rows[name] = sort_rows(_normalise(one, lang, digests), scratch / f"{name}.rows")
    fates = np.where(_find_first(digests), USED, DUPLICATE)
    fates[_find_empty(digests)] = EMPTY
    sets, begin = list[_Set](), 0
    for name in rows:
        one = corpus.sets[name]
        own, begin = fates[begin : begin + len(one.utterances)], begin + len(one.utterances)
        if one.transcripts is not None:
            own[own == DUPLICATE] = USED
        sets.append(_Set(name, one, rows[name], own))
    return sets[::-1]


def _normalise(one: CorpusSet, lang: str, digests: bytearray) -> Iterator[_Row]:
    """Yield the utterances of a set that have text; append a digest of each one's text, zeros for none."""
    for position, utterance in enumerate(one.utterances):
        if one.transcripts is not None:
            text = " ".join(one.transcripts[utterance.utt_id].words)
        else:
            text = normalise(utterance.sentence, lang)
        digests += hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).digest() if text else bytes(DIGEST_BYTES)
        if text:
            clip = utterance.clip
            yield _Row(*find_row(clip), utterance.utt_id, position, utterance.spk_id, clip, utterance.sentence, text)


def _split_digests(digests: bytearray) -> np.ndarray:
    return np.frombuffer(digests, np.uint64).reshape(-1, DIGEST_BYTES // 8)


def _find_empty(digests: bytearray) -> np.ndarray:
    """Return which digests are zeros, (n,) bool."""
    return (_split_digests(digests) == 0).all(axis=1)


def _find_first(digests: bytearray) -> np.ndarray:
    """Return which digests are the first ones of those that are equal, (n,) bool."""
    numbers = _split_digests(digests)
    order = np.lexsort(numbers.T)  # equal ones stay in their order
    first = np.ones(len(numbers), bool)
    first[order[1:][(numbers[order[1:]] == numbers[order[:-1]]).all(axis=1)]] = False
    return first


def _store_clips(
    one: _Set, clips: Path, store: Path, broken: TextIO, removed: _Removed, workers: Workers
) -> Iterator[_Kept]:
    """Store a set's clips; yield the utterances with audio, and add what each rule removes to ``removed``."""
    for _ in one.corpus.ragged_lines:
        removed.add("ragged_row", 0.0)
    for rule, utterances in (
        ("empty_sentence", chain(one.corpus.empty, one.having(EMPTY))),
        ("duplicate_sentence", one.having(DUPLICATE)),
    ):
        with Progress(one.unusable[rule], what=f"{one.name}: {rule}", unit="clip") as progress:
            for utterance in utterances:
                removed.add(rule, clip_duration_s(clips / utterance.clip))
                progress.update()
    named = Streamed(lambda: ((row.utt_id, clips / row.clip) for row in one.used), one.count(USED))
    stored = store_clips(store, named, workers=workers, what=f"{one.name}: clips")
    for row, clip in zip(one.used, stored, strict=True):
        stated_s = one.corpus.stated_s[row.position] if one.corpus.stated_s else 0.0
        error = clip.error or _judge_length(clip.duration_s, stated_s)
        if not error:
            location = str(store / clip.location)
            yield _Kept(row.utt_id, row.spk_id, row.sentence, row.text, location, clip.duration_s)
            continue
        rule = f"{error.split(':')[0]}_clip"
        removed.add(rule, clip.duration_s)
        if rule in BROKEN:
            broken.write(f"{one.name}\t{row.utt_id}\t{clips / row.clip}\t{error}\n")


def _judge_length(duration_s: float, stated_s: float) -> str:
    """Return why a clip is too short, else an empty text; ``stated_s`` is 0 where its corpus does not say."""
    if duration_s < LEAST_SHARE * stated_s:
        return f"broken: {duration_s:.2f} s of the {stated_s:.2f} s that its corpus states"
    return "short" if duration_s < SHORTEST_CLIP_S else ""


def _write_folder(one: _Set, corpus: Corpus, kept: Stream[list[Any]], out: Path, scratch: Path) -> list[str]:
    """Write a set's folder, with what the corpus knows about the kept utterances; return the names of the files.

    A stored clip begins with the first sample of the corpus's, so that word times stay as they are.
    """
    folder, own = out / one.name, one.corpus.transcripts
    known: list[tuple[str, Mapping[str, Any] | None, Callable[[str, Any], str]]] = [
        (paths.GOLD_ENTITIES, own if one.corpus.gold else corpus.gold, entities_line),
        (paths.WORD_TIMES, corpus.word_times, word_times_line),
        (paths.CORPUS_ENTITIES, own, entities_line),
    ]
    lines: dict[str, Callable[[_Kept], str]] = {
        paths.UTT2SPK: lambda row: table_line(row.utt_id, row.spk_id),
        paths.UTT2DUR: lambda row: table_line(row.utt_id, f"{row.duration_s:.7f}"),
        paths.SENTENCES: lambda row: sentence_line(row.utt_id, row.sentence),
        paths.WAV_SCP: lambda row: table_line(row.utt_id, row.location),
        paths.TEXT: lambda row: table_line(row.utt_id, row.text),
        **{name: partial(_find_line, found, make_line) for name, found, make_line in known if found is not None},
    }
    for name in (*lines, paths.SPK2UTT, *(name for name, _, _ in known)):
        remove(folder / name)
    with ExitStack() as stack:
        files = {name: stack.enter_context(atomic_text(folder / name)) for name in lines}
        for row in starmap(_Kept, kept):
            for name, make_line in lines.items():
                files[name].write(make_line(row))
    _write_speakers(folder / paths.SPK2UTT, kept, scratch / f"{one.name}.speakers")
    first, *others = lines
    return [first, paths.SPK2UTT, *others]


def _find_line(found: Mapping[str, Any], make_line: Callable[[str, Any], str], row: _Kept) -> str:
    """Return the line of what is found for an utterance, empty where nothing is."""
    return make_line(row.utt_id, found[row.utt_id]) if row.utt_id in found else ""


def _write_speakers(path: Path, kept: Stream[list[Any]], scratch: Path) -> None:
    rows = sort_rows(((row.spk_id, row.utt_id) for row in starmap(_Kept, kept)), scratch)
    with atomic_text(path) as file:
        for spk_id, group in groupby(rows, key=itemgetter(0)):
            file.write(table_line(spk_id, " ".join(utt_id for _, utt_id in group)))


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
