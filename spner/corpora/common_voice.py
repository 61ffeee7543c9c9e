"""The Common Voice reader: a release's tables -> utterances, for every layout from 6.1 on.

::

    <corpus>/clips/*.mp3
    <corpus>/{train,dev,test,validated,…}.tsv   header; columns found by name
    <corpus>/clip_durations.tsv                 of releases from 15.0 on: clip, duration[ms]

A mini corpus also has ``gold_entities.jsonl``, ``word_times.jsonl`` and ``summary.json``.
Fields are literal: there is no quoting. Real releases hold stray quote characters on which a CSV reader
silently joins rows. Tables are read anew whenever their rows are gone through: none is held.
"""

import hashlib
import math
import re
import unicodedata
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from spner.core.datatypes import Utterance
from spner.core.errors import SpnerError, nearest
from spner.core.files import read_json, read_lines
from spner.core.paths import GOLD_ENTITIES, SETS, WORD_TIMES
from spner.core.streams import Streamed
from spner.corpora.corpus import Corpus, CorpusSet, Wanted, require_clip_name, without_space
from spner.corpora.split import split_by_speaker
from spner.data.datadir import read_entities, read_word_times

FORM = "an unpacked Common Voice release of one language, a folder with clips/ and *.tsv"
TWO_ANNOTATIONS = False
SUMMARY = "summary.json"  # the mini corpus's: it says that the speech is synthetic
VALIDATED, CLIPS = "validated", "clips"
CLIENT_ID, PATH, SENTENCE = COLUMNS = ("client_id", "path", "sentence")
DURATIONS = "clip_durations.tsv"
CLIP, DURATION_MS = DURATION_COLUMNS = ("clip", "duration[ms]")
DIGEST = re.compile("[0-9a-f]{32,}")
MILLISECONDS = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
MAX_NAMED = 3  # folders in a message
TRIMMED, UNLISTED = "rows without their last columns, read", f"clips that {DURATIONS} does not list"


@dataclass(frozen=True)
class _Row:
    line_number: int
    client_id: str
    path: str
    sentence: str


@dataclass(frozen=True)
class _Table:
    """A table's rows; the line numbers of those that cannot be read; how many of its rows lack columns at their end."""

    file: Path
    rows: Streamed[_Row]
    ragged_lines: tuple[int, ...]
    num_trimmed: int


def recognises(corpus: Path) -> bool:
    """Whether a path is a folder, as a release is."""
    return corpus.is_dir()


def list_inputs(corpus: Path, wanted: Wanted) -> list[Path]:
    """Return the tables of the sets, and the files that tell more about their clips."""
    sets = list_sets(corpus, split_validated=wanted.split_validated)
    names = [*(f"{name}.tsv" for name in sets), DURATIONS, GOLD_ENTITIES, WORD_TIMES, SUMMARY]
    return [corpus / name for name in names if (corpus / name).exists()]


def find_clips(corpus: Path) -> Path:
    """Return the folder of a release's clips."""
    return corpus / CLIPS


def read(corpus: Path, wanted: Wanted) -> Corpus:
    """Read every table, and the gold entities and word times of a mini corpus; the language decides nothing here.

    Raises:
        SpnerError: as :func:`list_sets`, :func:`read_sets` and :func:`split_by_speaker` do, or a file beside the
            tables is malformed.
    """
    seed = wanted.split_validated
    sets = read_sets(corpus, list_sets(corpus, split_validated=seed))
    if seed is not None:
        sets = split_by_speaker(sets[VALIDATED], seed=seed, where=str(_table(corpus, VALIDATED)))
    gold, word_times, summary = (corpus / name for name in (GOLD_ENTITIES, WORD_TIMES, SUMMARY))
    return Corpus(
        sets,
        synthetic=summary.exists() and bool(read_json(summary).get("synthetic")),
        gold=read_entities(gold) if gold.exists() else None,
        word_times=read_word_times(word_times) if word_times.exists() else None,
    )


def list_sets(corpus: Path, *, split_validated: int | None = None) -> list[str]:
    """Return the sets to read: of train, dev and test those with a table, else ``validated``; to split, that alone.

    Raises:
        SpnerError: the folder has none of these tables.
    """
    found = [name for name in SETS if _table(corpus, name).is_file()]
    if _table(corpus, VALIDATED).is_file() and (split_validated is not None or not found):
        return [VALIDATED]
    if found and split_validated is not None:
        raise SpnerError(
            f"--split_validated: {corpus} holds no {VALIDATED}.tsv (found {', '.join(found)}); leave the option out"
        )
    if not found:
        near = [str(folder) for folder in _find_near(corpus)]
        names = " or ".join(near[:MAX_NAMED]) + (", …" if len(near) > MAX_NAMED else "")
        raise SpnerError(
            f"{corpus}: holds no train.tsv, dev.tsv, test.tsv or validated.tsv; "
            f"give the folder of one language{f': {names}' if near else ' of an unpacked Common Voice release'}"
        )
    return found


def _table(corpus: Path, set_name: str) -> Path:
    return corpus / f"{set_name}.tsv"


def _find_near(corpus: Path) -> list[Path]:
    """Return the folders with tables around a folder without: the one above ``clips``, else those one or two below."""
    above = [corpus.parent] if corpus.name == CLIPS else [*corpus.glob("*/"), *corpus.glob("*/*/")]
    return sorted(path for path in above if any(_table(path, name).is_file() for name in (*SETS, VALIDATED)))


def read_sets(corpus: Path, names: Iterable[str]) -> dict[str, CorpusSet]:
    """Read ``<corpus>/<name>.tsv`` of each set; speakers have the same ids in all of them.

    Raises:
        SpnerError: no table, no column of a needed name, a table most of whose rows cannot be read, a clip name that
            leaves ``clips/``, or a clip that occurs twice; the message gives the line.
    """
    tables = {name: _read_table(_table(corpus, name)) for name in names}
    spk_ids = name_speakers(row.client_id for table in tables.values() for row in table.rows)
    sets = {name: _make_set(table, spk_ids) for name, table in tables.items()}
    durations = corpus / DURATIONS
    return _add_durations(sets, durations) if durations.is_file() else sets


def name_speakers(client_ids: Iterable[str]) -> dict[str, str]:
    """Return a speaker id for each client id, no two of them the same.

    Where two would be, both get 16 digits of a digest of their client ids behind.
    """
    alike: dict[str, list[str]] = {}
    for client_id in dict.fromkeys(client_ids):
        alike.setdefault(make_spk_id(client_id), []).append(client_id)
    return {
        client_id: spk_id if len(found) == 1 else f"{spk_id}_{hashlib.sha256(client_id.encode()).hexdigest()[:16]}"
        for spk_id, found in alike.items()
        for client_id in found
    }


def make_spk_id(client_id: str) -> str:
    """Return the speaker id of a client id that stands alone, ``unknown`` if the release names none.

    Of a digest, 16 of its 128 hexadecimal digits distinguish a million speakers (chance of a collision 3e-8). Any
    other id stays whole, so that the speakers are called the same whichever sets are read.
    """
    return without_space(client_id[:16] if DIGEST.fullmatch(client_id) else client_id) or "unknown"


def make_utt_id(spk_id: str, path: str) -> str:
    """Return the utterance id: speaker first, as Kaldi's sorting wants it, then the clip's name."""
    return f"{spk_id}-{without_space(Path(path).stem)}"


def _read_table(file: Path) -> _Table:
    num_rows = num_trimmed = 0
    ragged: dict[int, int] = {}
    columns, lines = _open_table(file)
    for line_number, fields in lines:
        if columns.are_in(fields):
            num_rows += 1
            num_trimmed += len(fields) < columns.num_columns
        else:
            ragged[line_number] = len(fields)
    if len(ragged) > num_rows:
        line_number, num_fields = next(iter(ragged.items()))
        raise SpnerError(
            f"{file}: {len(ragged)} of {len(ragged) + num_rows} rows cannot be read (the first is line {line_number}, "
            f"with {num_fields} of {columns.num_columns} columns; expected tabs between them); restore the table"
        )
    return _Table(file, Streamed(partial(_read_rows, file), num_rows), tuple(ragged), num_trimmed)


def _read_rows(file: Path) -> Iterator[_Row]:
    """Yield the rows of a table that can be read."""
    columns, lines = _open_table(file)
    for line_number, fields in lines:
        if columns.are_in(fields):
            yield _Row(line_number, *(fields[position] for position in columns.at))


@dataclass(frozen=True)
class _Columns:
    """How many columns a table has, and where those are that are needed."""

    num_columns: int
    at: Sequence[int]

    def are_in(self, fields: list[str]) -> bool:
        """Whether a row has all columns, or all but empty ones at its end, which editors trim and spreadsheets add.

        A row that lost a tab elsewhere is short as well, but most of them still end with the table's last, empty
        column.
        """
        if len(fields) < self.num_columns:
            return len(fields) > max(self.at) and fields[-1] != ""
        return not any(fields[self.num_columns :])


def _open_table(file: Path) -> tuple[_Columns, Iterator[tuple[int, list[str]]]]:
    """Return a table's columns, and the line number and fields of each row.

    Raises:
        SpnerError: a column that is needed is missing.
    """
    lines = enumerate(read_lines(file), start=1)
    header = next((line for _, line in lines), "").removeprefix("\ufeff").split("\t")
    columns = _Columns(len(header), _find_columns(file, header, COLUMNS))
    return columns, ((line_number, line.split("\t")) for line_number, line in lines)


def _find_columns(file: Path, header: list[str], names: Sequence[str]) -> list[int]:
    for name in names:
        if name not in header:
            raise SpnerError(
                f'{file}:1: no column "{name}" (found {", ".join(header)}){nearest(name, header)}; '
                f"expected the header of a Common Voice table: {', '.join(names)}"
            )
    return [header.index(name) for name in names]


def _make_set(table: _Table, spk_ids: Mapping[str, str]) -> CorpusSet:
    """Return a set; its rows are looked at now, and read again whenever its utterances are gone through.

    Raises:
        SpnerError: a clip's name leads out of the folder, or a clip occurs twice.
    """

    def stream() -> Iterator[Utterance]:
        return (_make_utterance(row, spk_ids) for row in table.rows)

    ids, num_utts, empty = array("q"), 0, list[Utterance]()
    for row in table.rows:
        require_clip_name(row.path, f"{table.file}:{row.line_number}")
        utterance = _make_utterance(row, spk_ids)
        ids.append(hash(utterance.utt_id))
        if utterance.sentence:
            num_utts += 1
        else:
            empty.append(utterance)
    _refuse_twice(table, spk_ids, ids)
    notes = {TRIMMED: table.num_trimmed} if table.num_trimmed else {}
    utterances = Streamed(lambda: (utterance for utterance in stream() if utterance.sentence), num_utts)
    return CorpusSet(utterances, tuple(empty), table.ragged_lines, notes=notes)


def _make_utterance(row: _Row, spk_ids: Mapping[str, str]) -> Utterance:
    spk_id = spk_ids[row.client_id]
    sentence = unicodedata.normalize("NFC", row.sentence).strip()
    return Utterance(make_utt_id(spk_id, row.path), spk_id, row.path, sentence)


def _refuse_twice(table: _Table, spk_ids: Mapping[str, str], ids: "array[int]") -> None:
    """Refuse a clip that occurs twice.

    Args:
        table: the rows.
        spk_ids: the speaker id of each client id.
        ids: a hash of each row's utterance id; the ids themselves are looked at where two hashes are the same.

    Raises:
        SpnerError: one does.
    """
    hashes, counts = np.unique(ids, return_counts=True)
    suspects = {int(one) for one in hashes[counts > 1]}
    seen: dict[str, _Row] = {}
    for row, suspected in zip(table.rows, (one in suspects for one in ids), strict=True) if suspects else ():
        utt_id = make_utt_id(spk_ids[row.client_id], row.path) if suspected else ""
        if utt_id in seen:
            raise SpnerError(
                f'{table.file}:{row.line_number}: clip "{row.path}" is also in line {seen[utt_id].line_number}'
                + (f' as "{seen[utt_id].path}"' if seen[utt_id].path != row.path else "")
                + " (expected one line per clip); remove one of them"
            )
        if utt_id:
            seen[utt_id] = row


def _add_durations(sets: dict[str, CorpusSet], file: Path) -> dict[str, CorpusSet]:
    """Return the sets with the durations that ``clip_durations.tsv`` gives for their clips."""
    clips = array("q", (hash(utterance.clip) for one in sets.values() for utterance in one.utterances))
    stated_s = _read_durations(file, clips)
    found = {}
    for name, one in sets.items():
        seconds, stated_s = stated_s[: len(one.utterances)], stated_s[len(one.utterances) :]
        num_unlisted = sum(map(math.isnan, seconds))
        notes = {**one.notes, **({UNLISTED: num_unlisted} if num_unlisted else {})}
        found[name] = replace(one, stated_s=array("d", np.nan_to_num(seconds)), notes=notes)
    return found


def _read_durations(file: Path, clips: "array[int]") -> "array[float]":
    """Return the seconds of each clip whose row holds a number, else not a number; ``clips`` are hashes of names."""
    order = np.argsort(clips, kind="stable")
    in_order, stated_s = array("q", np.asarray(clips)[order].tobytes()), array("d", [math.nan]) * len(clips)
    lines = read_lines(file)
    header = next(lines, "").split("\t")
    clip_at, duration_at = _find_columns(file, header, DURATION_COLUMNS)
    for line in lines:
        fields = line.split("\t")
        if len(fields) == len(header) and MILLISECONDS.fullmatch(fields[duration_at]):
            clip = hash(fields[clip_at])
            for place in range(bisect_left(in_order, clip), bisect_right(in_order, clip)):
                stated_s[order[place]] = float(fields[duration_at]) / 1000
    return stated_s
