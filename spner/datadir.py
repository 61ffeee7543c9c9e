"""Kaldi data folders: tables ``<utt_id> <value>`` in C order; sentences, entities and word times as JSON lines."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from spner.datatypes import Annotated, Entity, Timing, WordTimes
from spner.errors import SpnerError
from spner.files import atomic_text, read_lines


def write_table(path: Path, rows: dict[str, str]) -> None:
    """Write ``<utt_id> <value>`` lines in C order (code points sort as UTF-8 bytes do)."""
    with atomic_text(path) as file:
        for utt_id in sorted(rows):
            file.write(f"{utt_id} {rows[utt_id]}".rstrip() + "\n")


def read_table(path: Path, *, made_by: str) -> dict[str, str]:
    """Read ``<utt_id> <value>`` lines; a value may be empty.

    Raises:
        SpnerError: the file is missing or not UTF-8, a line is empty, or an utterance occurs twice.
    """
    rows: dict[str, str] = {}
    for line_number, line in enumerate(read_lines(path, made_by=made_by), start=1):
        utt_id, _, value = line.partition(" ")
        if not utt_id:
            raise SpnerError(f"{path}:{line_number}: no utterance id (expected <utt_id> <value>); rerun {made_by}")
        _refuse_twice(utt_id, rows, path, line_number)
        rows[utt_id] = value
    return rows


def write_sentences(path: Path, sentences: dict[str, str]) -> None:
    """Write the cased, punctuated sentences as JSON lines, in C order of the utterance ids."""
    with atomic_text(path) as file:
        for utt_id in sorted(sentences):
            file.write(_json({"utt_id": utt_id, "sentence": sentences[utt_id]}))


def read_sentences(path: Path, *, made_by: str) -> dict[str, str]:
    """Read what :func:`write_sentences` wrote."""
    sentences: dict[str, str] = {}
    for line_number, record in _records(path, made_by):
        _require(record, {"utt_id": str, "sentence": str}, path, line_number)
        _refuse_twice(record["utt_id"], sentences, path, line_number)
        sentences[record["utt_id"]] = record["sentence"]
    return sentences


def write_entities(path: Path, annotated: dict[str, Annotated], timings: Mapping[str, Timing] | None = None) -> None:
    """Write words and entities as JSON lines, in C order of the utterance ids.

    Where an utterance has a timing, its entities carry ``start_s``, ``end_s`` and ``confidence``, and its words
    ``word_times`` (pairs) and ``word_confidences``.
    """
    with atomic_text(path) as file:
        for utt_id in sorted(annotated):
            utterance, timing = annotated[utt_id], (timings or {}).get(utt_id)
            entities = [{"label": e.label, "start": e.start, "end": e.end} for e in utterance.entities]
            record = {"utt_id": utt_id, "words": list(utterance.words), "entities": entities}
            if timing:
                times = [[round(start_s, 3), round(end_s, 3)] for start_s, end_s in timing.word_times]
                for entity, confidence in zip(entities, timing.entity_confidences, strict=True):
                    entity["start_s"], entity["end_s"] = times[entity["start"]][0], times[entity["end"] - 1][1]
                    entity["confidence"] = round(confidence, 4)
                record["word_times"] = times
                record["word_confidences"] = [round(confidence, 4) for confidence in timing.word_confidences]
            file.write(_json(record))


def read_entities(path: Path, *, made_by: str) -> dict[str, Annotated]:
    """Read what :func:`write_entities` wrote; further keys of an entity are ignored.

    Raises:
        SpnerError: missing file, bad JSON, a missing key, words that are empty or hold spaces, entities that
            overlap or lie outside the words, or an utterance that occurs twice; the message gives the line.
    """
    annotated: dict[str, Annotated] = {}
    for line_number, record in _records(path, made_by):
        _require(record, {"utt_id": str, "words": list, "entities": list}, path, line_number)
        _refuse_twice(record["utt_id"], annotated, path, line_number)
        words = record["words"]
        if not all(isinstance(word, str) for word in words) or " ".join(words).split() != words:
            raise SpnerError(f"{path}:{line_number}: words are {_json(words).strip()} "
                             "(expected strings that are not empty and hold no spaces)")
        for entity in record["entities"]:
            _require(entity, {"label": str, "start": int, "end": int}, path, line_number)
        try:
            entities = tuple(sorted(Entity(e["start"], e["end"], e["label"]) for e in record["entities"]))
            annotated[record["utt_id"]] = Annotated(tuple(words), entities)
        except ValueError as error:
            raise SpnerError(f"{path}:{line_number}: {error} (expected entities with label, start, end "
                             "inside the words, without overlap)") from error
    return annotated


def read_timings(path: Path, *, made_by: str) -> dict[str, Timing]:
    """Read the times and confidences of a decode folder's entities file; utterances without any are left out.

    Raises:
        SpnerError: as :func:`read_word_times` does, or confidences that are not one a word or entity, 0 to 1.
    """
    timings: dict[str, Timing] = {}
    for line_number, record in _records(path, made_by):
        if "word_times" not in record:
            continue
        kinds = {"utt_id": str, "entities": list, "word_times": list, "word_confidences": list}
        _require(record, kinds, path, line_number)
        times = _read_intervals(record["word_times"], path, line_number, made_by)
        try:
            entities = tuple(float(entity["confidence"]) for entity in record["entities"])
            timings[record["utt_id"]] = Timing(times, tuple(map(float, record["word_confidences"])), entities)
        except (KeyError, TypeError, ValueError) as error:
            raise SpnerError(f"{path}:{line_number}: {error} (expected a confidence of 0 to 1 for each word and "
                             f"entity); rerun {made_by}") from error
    return timings


def write_word_times(path: Path, times: dict[str, WordTimes]) -> None:
    """Write when each word of the transcripts is said, to the tenth of a millisecond, as JSON lines in C order::

        {"utt_id": "…", "times_s": [[0.2134, 0.51], [0.51, 0.98]]}
    """
    with atomic_text(path) as file:
        for utt_id in sorted(times):
            rounded = [[round(start_s, 4), round(end_s, 4)] for start_s, end_s in times[utt_id]]
            file.write(_json({"utt_id": utt_id, "times_s": rounded}))


def read_word_times(path: Path, *, made_by: str) -> dict[str, WordTimes]:
    """Read what :func:`write_word_times` wrote.

    Raises:
        SpnerError: missing file, bad JSON, an utterance that occurs twice, or times that are not pairs of seconds,
            0 <= start <= end; the message gives the line.
    """
    times: dict[str, WordTimes] = {}
    for line_number, record in _records(path, made_by):
        _require(record, {"utt_id": str, "times_s": list}, path, line_number)
        _refuse_twice(record["utt_id"], times, path, line_number)
        times[record["utt_id"]] = _read_intervals(record["times_s"], path, line_number, made_by)
    return times


def _read_intervals(pairs: list[Any], path: Path, line_number: int, made_by: str) -> WordTimes:
    for pair in pairs:
        if not _is_interval(pair):
            raise SpnerError(f"{path}:{line_number}: {_json(pair).strip()} is no [start, end] in seconds "
                             f"(expected 0 <= start <= end); rerun {made_by}")
    return tuple((float(start_s), float(end_s)) for start_s, end_s in pairs)


def _is_interval(pair: Any) -> bool:
    numbers = isinstance(pair, list) and len(pair) == 2 and all(type(value) in (int, float) for value in pair)
    return numbers and 0 <= pair[0] <= pair[1] < math.inf


def _json(record: Any) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def _records(path: Path, made_by: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for line_number, line in enumerate(read_lines(path, made_by=made_by), start=1):
        try:
            yield line_number, json.loads(line)
        except ValueError as error:
            raise SpnerError(f"{path}:{line_number}: is not JSON ({error}); one object a line is expected") from error


def _require(record: Any, kinds: dict[str, type], path: Path, line_number: int) -> None:
    for key, kind in kinds.items():
        if not isinstance(record, dict) or not isinstance(record.get(key), kind):
            raise SpnerError(f'{path}:{line_number}: no {kind.__name__} under "{key}" (expected {sorted(kinds)})')


def _refuse_twice(utt_id: str, seen: Iterable[str], path: Path, line_number: int) -> None:
    if utt_id in seen:
        raise SpnerError(f'{path}:{line_number}: utterance "{utt_id}" occurs twice; utterance ids must be unique')
