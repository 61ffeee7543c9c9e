"""Kaldi data folders: tables ``<utt_id> <value>`` in C order; sentences, entities and word times as JSON lines."""

import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from spner.core.datatypes import Entity, Timing, Transcript, WordTimes
from spner.core.errors import SpnerError
from spner.core.files import atomic_text, read_lines
from spner.core.paths import ENTITIES, GOLD_ENTITIES, LABEL_LIST, SETS, TEXT, made_by
from spner.text.labels import NO_ENTITY, LabelSet, parse_labels

SEPARATOR = re.compile("[ \t]+")


def find_sets(folder: Path) -> list[Path]:
    """Return the set folders of a data folder: train, dev, test, then others by name; of a set's folder, itself.

    Raises:
        SpnerError: no set is there; one holds ``text`` or a file of entities.
    """

    def is_set(path: Path) -> bool:
        return any((path / name).is_file() for name in (TEXT, ENTITIES, GOLD_ENTITIES))

    if is_set(folder):
        return [folder]
    found = sorted(path for path in folder.glob("*/") if is_set(path))
    if not found:
        raise SpnerError(
            f"{folder}: holds no set (expected {TEXT} or {ENTITIES} in it, or in a folder of it such as "
            f"{SETS[0]}); stage 1 makes data folders"
        )
    return sorted(found, key=lambda path: SETS.index(path.name) if path.name in SETS else len(SETS))


def write_labels(data: Path, labels: LabelSet) -> None:
    """Write the labels of a data folder, one a line; the other names that are read as it follow, ``O`` is none."""
    others = {
        label: [old for old, new in labels.mapping.items() if new == label] for label in (*labels.names, NO_ENTITY)
    }
    with atomic_text(data / LABEL_LIST) as file:
        file.writelines(f"{' '.join([label, *old])}\n" for label, old in others.items() if old or label != NO_ENTITY)


def read_labels(data: Path) -> LabelSet:
    """Read what :func:`write_labels` wrote into a data folder, or into that of a set; without it, the paper's labels.

    Raises:
        SpnerError: the file is malformed.
    """
    file = next((path for folder in (data, data.parent) if (path := folder / LABEL_LIST).is_file()), None)
    if file is None:
        return LabelSet()
    rows = [line.split() for line in read_lines(file) if line.strip()]
    names = parse_labels(" ".join(row[0] for row in rows if row[0] != NO_ENTITY), where=str(file))
    return LabelSet(names, {old: row[0] for row in rows for old in row[1:]})


def write_table(path: Path, rows: dict[str, str]) -> None:
    """Write ``<utt_id> <value>`` lines in C order (code points sort as UTF-8 bytes do)."""
    with atomic_text(path) as file:
        file.writelines(table_line(utt_id, rows[utt_id]) for utt_id in sorted(rows))


def table_line(utt_id: str, value: str) -> str:
    """Return a line of :func:`write_table`."""
    return f"{utt_id} {value}".rstrip() + "\n"


def read_table(path: Path) -> dict[str, str]:
    """Read ``<utt_id> <value>`` lines; a value may be empty.

    Raises:
        SpnerError: the file is missing or not UTF-8, a line is empty, or an utterance occurs twice.
    """
    return dict(stream_table(path))


def stream_table(path: Path) -> Iterator[tuple[str, str]]:
    """Yield what :func:`read_table` reads, line by line: of a table in C order nothing is held."""
    ids = _Ids(path, lambda: (split_row(line)[0] for line in read_lines(path)))
    for line_number, line in enumerate(read_lines(path), start=1):
        utt_id, value = split_row(line)
        if not utt_id:
            raise SpnerError(f"{path}:{line_number}: no utterance id (expected <utt_id> <value>); {_mend(path)}")
        ids.add(utt_id, line_number)
        yield utt_id, value


def split_row(line: str) -> tuple[str, str]:
    """Return the id and the value of one line of a table; spaces and tabs separate them, as in Kaldi."""
    utt_id, *value = SEPARATOR.split(line, maxsplit=1)
    return utt_id, "".join(value)


def parse_seconds(where: str, value: str) -> float:
    """Return a value of ``utt2dur``.

    Raises:
        SpnerError: it is no duration.
    """
    try:
        duration_s = float(value)
    except ValueError:
        duration_s = math.nan
    if not 0 <= duration_s < math.inf:
        raise SpnerError(f'{where}: the duration is "{value}" (expected seconds, 0 or more); rerun stage 1')
    return duration_s


def write_sentences(path: Path, sentences: dict[str, str]) -> None:
    """Write the cased, punctuated sentences as JSON lines, in C order of the utterance ids."""
    with atomic_text(path) as file:
        file.writelines(sentence_line(utt_id, sentences[utt_id]) for utt_id in sorted(sentences))


def sentence_line(utt_id: str, sentence: str) -> str:
    """Return a line of :func:`write_sentences`."""
    return json_line({"utt_id": utt_id, "sentence": sentence})


def read_sentences(path: Path) -> dict[str, str]:
    """Read what :func:`write_sentences` wrote."""
    return dict(stream_sentences(path))


def stream_sentences(path: Path, positions: range | None = None) -> Iterator[tuple[str, str]]:
    """Yield what :func:`read_sentences` reads, line by line: of a file in C order nothing is held.

    Args:
        path: the file.
        positions: of the lines that are wanted, counted from 0; those before them are not looked at.
    """
    ids = _Ids(path, lambda: (record["utt_id"] for _, record in read_records(path, positions)))
    for line_number, record in read_records(path, positions):
        where = f"{path}:{line_number}"
        require_keys(record, {"utt_id": str, "sentence": str}, where)
        ids.add(record["utt_id"], line_number)
        yield record["utt_id"], record["sentence"]


def write_entities(path: Path, transcripts: dict[str, Transcript], timings: Mapping[str, Timing] | None = None) -> None:
    """Write words and entities as JSON lines, in C order of the utterance ids.

    Where an utterance has a timing, its entities carry ``start_s``, ``end_s`` and ``confidence``, and its words
    ``word_times`` (pairs) and ``word_confidences``.
    """
    with atomic_text(path) as file:
        for utt_id in sorted(transcripts):
            file.write(entities_line(utt_id, transcripts[utt_id], (timings or {}).get(utt_id)))


def entities_line(utt_id: str, utterance: Transcript, timing: Timing | None = None) -> str:
    """Return an utterance's line of :func:`write_entities`."""
    entities: list[dict[str, Any]] = [{"label": e.label, "start": e.start, "end": e.end} for e in utterance.entities]
    record: dict[str, Any] = {"utt_id": utt_id, "words": list(utterance.words), "entities": entities}
    if timing:
        times = [[round(start_s, 3), round(end_s, 3)] for start_s, end_s in timing.word_times]
        for entity, confidence in zip(entities, timing.entity_confidences, strict=True):
            entity["start_s"], entity["end_s"] = times[entity["start"]][0], times[entity["end"] - 1][1]
            entity["confidence"] = round(confidence, 4)
        record["word_times"] = times
        record["word_confidences"] = [round(confidence, 4) for confidence in timing.word_confidences]
    return json_line(record)


def read_entities(path: Path) -> dict[str, Transcript]:
    """Read what :func:`write_entities` wrote; further keys of an entity are ignored.

    Raises:
        SpnerError: missing file, bad JSON, an utterance that occurs twice, or what :func:`parse_transcript` refuses;
            the message gives the line.
    """
    return dict(stream_entities(path))


def stream_entities(path: Path) -> Iterator[tuple[str, Transcript]]:
    """Yield what :func:`read_entities` reads, line by line: of a file in C order nothing is held."""
    ids = _Ids(path, lambda: (record["utt_id"] for _, record in read_records(path)))
    for line_number, record in read_records(path):
        where = f"{path}:{line_number}"
        transcript = parse_transcript(record, where)
        ids.add(record["utt_id"], line_number)
        yield record["utt_id"], transcript


def parse_transcript(record: Any, where: str) -> Transcript:
    """Return the words and entities of one record of an entities file.

    Raises:
        SpnerError: a missing key, words that are empty or hold spaces, entities that overlap or lie outside the words.
    """
    require_keys(record, {"utt_id": str, "words": list, "entities": list}, where)
    words = record["words"]
    if not all(isinstance(word, str) for word in words) or " ".join(words).split() != words:
        raise SpnerError(
            f"{where}: words are {json_line(words).strip()} (expected strings that are not empty and hold no spaces)"
        )
    for entity in record["entities"]:
        require_keys(entity, {"label": str, "start": int, "end": int}, where)
    try:
        entities = tuple(sorted(Entity(e["start"], e["end"], e["label"]) for e in record["entities"]))
        return Transcript(tuple(words), entities)
    except ValueError as error:
        raise SpnerError(
            f"{where}: {error} (expected entities with label, start, end inside the words, without overlap)"
        ) from error


def read_timed_entities(path: Path) -> tuple[dict[str, Transcript], dict[str, Timing]]:
    """Read what :func:`read_entities` reads, and the times and confidences of the utterances that have any.

    Raises:
        SpnerError: as :func:`read_entities` and :func:`parse_timing`.
    """
    transcripts: dict[str, Transcript] = {}
    timings: dict[str, Timing] = {}
    for line_number, record in read_records(path):
        where = f"{path}:{line_number}"
        transcript, timing = parse_transcript(record, where), parse_timing(record, path, line_number)
        utt_id = record["utt_id"]
        refuse_twice(utt_id, transcripts, where)
        transcripts[utt_id] = transcript
        if timing is not None:
            timings[utt_id] = timing
    return transcripts, timings


def parse_timing(record: Any, path: Path, line_number: int) -> Timing | None:
    """Return the times and confidences of one record of a decode folder's entities file; None if it has none.

    Raises:
        SpnerError: as :func:`read_word_times` does, or confidences that are not one a word or entity, 0 to 1.
    """
    if "word_times" not in record:
        return None
    kinds = {"utt_id": str, "entities": list, "word_times": list, "word_confidences": list}
    require_keys(record, kinds, f"{path}:{line_number}")
    times = _read_intervals(record["word_times"], path, line_number)
    try:
        entities = tuple(float(entity["confidence"]) for entity in record["entities"])
        return Timing(times, tuple(map(float, record["word_confidences"])), entities)
    except (KeyError, TypeError, ValueError) as error:
        raise SpnerError(
            f"{path}:{line_number}: {error} (expected a confidence of 0 to 1 for each word and entity); {_mend(path)}"
        ) from error


def write_word_times(path: Path, times: dict[str, WordTimes]) -> None:
    """Write the time of each word, to a tenth of a millisecond, as JSON lines in C order::

    {"utt_id": "…", "times_s": [[0.2134, 0.51], [0.51, 0.98]]}
    """
    with atomic_text(path) as file:
        file.writelines(word_times_line(utt_id, times[utt_id]) for utt_id in sorted(times))


def word_times_line(utt_id: str, times: WordTimes) -> str:
    """Return a line of :func:`write_word_times`."""
    rounded = [[round(start_s, 4), round(end_s, 4)] for start_s, end_s in times]
    return json_line({"utt_id": utt_id, "times_s": rounded})


def read_word_times(path: Path) -> dict[str, WordTimes]:
    """Read what :func:`write_word_times` wrote.

    Raises:
        SpnerError: missing file, bad JSON, an utterance that occurs twice, or times that are not pairs of seconds,
            0 <= start <= end; the message gives the line.
    """
    times: dict[str, WordTimes] = {}
    for line_number, record in read_records(path):
        where = f"{path}:{line_number}"
        require_keys(record, {"utt_id": str, "times_s": list}, where)
        refuse_twice(record["utt_id"], times, where)
        times[record["utt_id"]] = _read_intervals(record["times_s"], path, line_number)
    return times


def _read_intervals(pairs: list[Any], path: Path, line_number: int) -> WordTimes:
    for pair in pairs:
        if not _is_interval(pair):
            raise SpnerError(
                f"{path}:{line_number}: {json_line(pair).strip()} is no [start, end] in seconds "
                f"(expected 0 <= start <= end); {_mend(path)}"
            )
    return tuple((float(start_s), float(end_s)) for start_s, end_s in pairs)


def _mend(path: Path) -> str:
    """Return what to do about a malformed file."""
    maker = made_by(path)
    return f"rerun {maker}" if maker else "mend the file"


def _is_interval(pair: Any) -> bool:
    numbers = isinstance(pair, list) and len(pair) == 2 and all(type(value) in (int, float) for value in pair)
    return numbers and 0 <= pair[0] <= pair[1] < math.inf


def json_line(record: Any) -> str:
    """Return one line of a JSON lines file."""
    return json.dumps(record, ensure_ascii=False) + "\n"


def read_records(path: Path, positions: range | None = None) -> Iterator[tuple[int, Any]]:
    """Yield line number, counted from 1, and value of each line of a JSON lines file, or of those at some positions.

    Raises:
        SpnerError: missing file, invalid UTF-8 or bad JSON; the message gives the line.
    """
    lines = enumerate(read_lines(path), start=1)
    for line_number, line in lines if positions is None else islice(lines, positions.start, positions.stop):
        try:
            record = json.loads(line)
            if "\\ud" in line.lower():
                json_line(record).encode("utf-8")  # half of a surrogate pair is no character: no file could hold it
            yield line_number, record
        except (ValueError, RecursionError) as error:
            raise SpnerError(f"{path}:{line_number}: is not JSON ({error}); one object a line is expected") from error


def require_keys(record: Any, kinds: Mapping[str, type], where: str) -> None:
    """Refuse a record without a value of each of these kinds.

    Raises:
        SpnerError: the record is no object, or lacks one.
    """
    for key, kind in kinds.items():
        if not isinstance(record, dict) or not isinstance(record.get(key), kind):
            raise SpnerError(f'{where}: no {kind.__name__} under "{key}" (expected {sorted(kinds)})')


class _Ids:
    """Refuses utterance ids that occur twice in a file; as long as they come in C order, only the last one is held."""

    def __init__(self, path: Path, read_again: Callable[[], Iterator[str]]) -> None:
        """
        Args:
            path: of the file.
            read_again: its ids from the first one on, for a file in another order.
        """
        self._path, self._read_again = path, read_again
        self._num_added, self._last = 0, ""
        self._seen: set[str] | None = None

    def add(self, utt_id: str, line_number: int) -> None:
        if self._seen is None and utt_id <= self._last:
            self._seen = set(islice(self._read_again(), self._num_added))
        if self._seen is not None:
            refuse_twice(utt_id, self._seen, f"{self._path}:{line_number}")
            self._seen.add(utt_id)
        self._num_added += 1
        self._last = utt_id


def refuse_twice(utt_id: str, seen: Collection[str], where: str) -> None:
    """Refuse an utterance id that is among those seen.

    Raises:
        SpnerError: it is.
    """
    if utt_id in seen:
        raise SpnerError(f'{where}: utterance "{utt_id}" occurs twice; utterance ids must be unique')
