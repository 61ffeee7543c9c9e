"""Tagged recordings written by hand: half a second a word, names in tagged text."""

from pathlib import Path

from spner.archive.rows import Source
from spner.core.datatypes import LABELS, Timing
from spner.tag.build import build_segment
from spner.tag.tagged import Tagged, TaggedSegment
from spner.text.tags import text_to_spans

WORD_S = 0.5


def segment(text: str, *, start_s: float = 0.0, confidence: float = 0.9) -> TaggedSegment:
    """Return a segment of tagged text, such as ``<PER> Ada </NE> praat``."""
    transcript = text_to_spans(text.split(), labels=LABELS).transcript
    times = [(start_s + WORD_S * i, start_s + WORD_S * (i + 1)) for i in range(len(transcript.words))]
    confidences = (confidence,) * len(times)
    return build_segment(transcript, Timing(tuple(times), confidences, confidences[: len(transcript.entities)]))


def talk(*texts: str, name: str = "talk.wav", confidence: float = 0.9) -> Tagged:
    """Return a recording; its segments begin every 10 s."""
    segments = tuple(segment(text, start_s=10.0 * i, confidence=confidence) for i, text in enumerate(texts))
    return Tagged(name, 10.0 * len(texts), segments, "nl")


def source(name: str = "talk.wav") -> Source:
    """Return a file that is not there."""
    return Source(Path("/recordings") / name, name, 1, 1, name)
