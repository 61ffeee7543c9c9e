"""Transcripts in the shapes that clients of OpenAI's interface read, with entities in ``verbose_json``."""

import json
import math
import statistics
import zlib
from dataclasses import replace
from typing import Any

from spner.tag.formats import render
from spner.tag.records import segment_record
from spner.tag.tagged import Tagged, TaggedSegment

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
VTT = "text/vtt; charset=utf-8"
RESPONSE_FORMATS = ("json", "verbose_json", "text", "srt", "vtt")


def respond(tagged: Tagged, response_format: str) -> tuple[str, str]:
    """Return body and content type of a transcript in one of :data:`RESPONSE_FORMATS`."""
    if response_format == "text":
        return f"{tagged.text}\n", TEXT
    if response_format in ("srt", "vtt"):
        plain = replace(tagged, segments=tuple(replace(one, entities=()) for one in tagged.segments))
        return "".join(render(plain, response_format)), TEXT if response_format == "srt" else VTT
    record = verbose_record(tagged) if response_format == "verbose_json" else {"text": tagged.text}
    return json.dumps(record, ensure_ascii=False), JSON


def verbose_record(tagged: Tagged) -> dict[str, Any]:
    """Return everything; ``words`` and ``entities`` stand beside the segments, and characters count in ``text``."""
    segments, words, entities = [], [], []
    offset = 0
    for number, segment in enumerate(tagged.segments):
        record = segment_record(segment)
        words += record.pop("words")
        for entity in record.pop("entities"):
            start, end = entity["start_char"] + offset, entity["end_char"] + offset
            entities.append({**entity, "segment": number, "start_char": start, "end_char": end})
        segments.append({"id": number, **record, **_whispers_own(segment)})
        offset += len(segment.text) + 1
    return {
        "task": "transcribe",
        "language": tagged.lang or "",
        "duration": round(tagged.duration_s, 3),
        "text": tagged.text,
        "segments": segments,
        "words": words,
        "entities": entities,
    }


def _whispers_own(segment: TaggedSegment) -> dict[str, Any]:
    """Return what Whisper says of its decoding: clients with types refuse a segment without it.

    The mean is of words, 0 where nobody knows how sure they are; what is Whisper's alone is empty.
    """
    text = segment.text.encode()
    logs = [math.log(max(word.confidence, 1e-4)) for word in segment.words if word.confidence is not None]
    return {
        "seek": 0,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": round(statistics.fmean(logs), 4) if logs else 0.0,
        "compression_ratio": round(len(text) / len(zlib.compress(text)), 4),
        "no_speech_prob": 0.0,
    }
