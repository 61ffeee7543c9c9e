"""Results as JSON: WhisperX's ``segments[].words[]``, so that its tools read them, and the entities of each segment.

``json`` is one object a recording, ``jsonl`` one segment a line::

    {"audio": "talk.mp3", "language": "nl", "duration": 61.2, "segments": [
      {"start": 0.14, "end": 2.31, "text": "Bij Ster werken zes nieuwe mensen",
       "words": [{"word": "Bij", "start": 0.14, "end": 0.34, "score": 0.998}, …],
       "entities": [{"label": "ORG", "text": "Ster", "start": 0.34, "end": 0.7, "start_char": 4, "end_char": 8,
                     "score": 0.97}]}]}

Seconds from the recording's first sample; characters of the segment's text; scores are chances of being right,
missing where the model gives none. Where somebody says who speaks, words, entities and segments have a ``speaker``.
"""

import json
from collections.abc import Iterator
from typing import Any

from spner.tag.tagged import Entity, Tagged, TaggedSegment, Word


def to_json(tagged: Tagged) -> Iterator[str]:
    """Yield the text of one JSON object, segment by segment."""
    head: dict[str, Any] = {"audio": tagged.audio}
    if tagged.lang:
        head["language"] = tagged.lang
    head["duration"] = _seconds(tagged.duration_s)
    yield f'{_dump(head)[:-1]}, "segments": ['
    for number, segment in enumerate(tagged.segments):
        yield f"{',' if number else ''}\n{_dump(segment_record(segment))}"
    yield "\n]}\n"


def to_jsonl(tagged: Tagged) -> Iterator[str]:
    """Yield a line for each segment."""
    for segment in tagged.segments:
        yield f"{_dump({'audio': tagged.audio, **segment_record(segment)})}\n"


def segment_record(segment: TaggedSegment) -> dict[str, Any]:
    """Return a segment as WhisperX has it."""
    return {
        "start": _seconds(segment.start_s),
        "end": _seconds(segment.end_s),
        "text": segment.text,
        **({"speaker": segment.speaker} if segment.speaker else {}),
        "words": [{"word": word.text, **_part(word)} for word in segment.words],
        "entities": [_entity_record(entity) for entity in segment.entities],
    }


def _entity_record(entity: Entity) -> dict[str, Any]:
    part = _part(entity)
    times = {key: part.pop(key) for key in ("start", "end")}
    characters = {"start_char": entity.start_char, "end_char": entity.end_char}
    return {"label": entity.label, "text": entity.text, **times, **characters, **part}


def _part(part: Word | Entity) -> dict[str, Any]:
    record: dict[str, Any] = {"start": _seconds(part.start_s), "end": _seconds(part.end_s)}
    if part.confidence is not None:
        record["score"] = round(part.confidence, 4)
    if part.speaker is not None:
        record["speaker"] = part.speaker
    return record


def _seconds(time_s: float) -> float:
    return round(time_s, 3)


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
