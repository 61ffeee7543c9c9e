"""JSON lines of ``spner tag`` -> what was found in a recording: the other way of :func:`spner.tag.records.to_jsonl`."""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from spner.core.errors import SpnerError
from spner.tag.build import build_words
from spner.tag.tagged import Entity, Tagged, TaggedSegment

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # lines of text, terminals and databases are confused by them


def read_jsonl(lines: Iterable[str], *, name: str, duration_s: float, lang: str | None = None) -> Tagged:
    """Return the recording that lines describe.

    Args:
        lines: a segment each.
        name: the recording's.
        duration_s: of the recording; the end of its last word where it is unknown (0).
        lang: ISO 639-1 code.

    Raises:
        SpnerError: a line is no segment of ``spner tag``; what it says is not repeated.
    """
    segments = []
    for number, line in enumerate(lines, start=1):
        try:
            segments.append(_read_segment(json.loads(line)))
        except (KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
            raise SpnerError(
                f"{name}:{number}: is no segment as spner tag writes them to JSON lines ({type(error).__name__}); "
                "tag the recording again"
            ) from error
    end_s = max((segment.end_s for segment in segments), default=0.0)
    return Tagged(name, duration_s or end_s, tuple(segments), lang)


def _read_segment(record: dict[str, Any]) -> TaggedSegment:
    words = record["words"]
    plain = build_words([str(w["word"]) for w in words], [_times(w) for w in words], [_score(w) for w in words])
    built = tuple(
        replace(one, speaker=word["speaker"]) if word.get("speaker") else one
        for one, word in zip(plain, words, strict=True)
    )
    entities = tuple(
        Entity(
            str(one["label"]),
            str(one["text"]),
            *_times(one),
            int(one["start_char"]),
            int(one["end_char"]),
            _score(one),
            one.get("speaker"),
        )
        for one in record["entities"]
    )
    text = str(record["text"])
    if any(CONTROL.search(part) for part in (text, *(entity.label for entity in entities))):
        raise ValueError("control characters")
    return TaggedSegment(text, built, entities)


def _times(part: dict[str, Any]) -> tuple[float, float]:
    start_s, end_s = float(part["start"]), float(part["end"])
    if not 0 <= start_s <= end_s < math.inf:
        raise ValueError("times that cannot be")
    return start_s, end_s


def _score(part: dict[str, Any]) -> float | None:
    return None if part.get("score") is None else float(part["score"])
