"""Words with times and entities on them -> a segment with its text and characters."""

from collections.abc import Sequence

from spner.core.datatypes import Timing, Transcript
from spner.tag.tagged import Entity, TaggedSegment, Word


def build_words(
    words: Sequence[str], times_s: Sequence[tuple[float, float]], confidences: Sequence[float | None]
) -> tuple[Word, ...]:
    """Return the words with the characters that they take in a text with single spaces between them."""
    built: list[Word] = []
    position = 0
    for text, (start_s, end_s), confidence in zip(words, times_s, confidences, strict=True):
        built.append(Word(text, start_s, end_s, position, position + len(text), confidence))
        position += len(text) + 1
    return tuple(built)


def build_segment(transcript: Transcript, timing: Timing) -> TaggedSegment:
    """Return the segment of decoded words and entities."""
    words = build_words(transcript.words, timing.word_times, timing.word_confidences)
    entities = tuple(
        Entity(
            entity.label,
            transcript.phrase(entity),
            words[entity.start].start_s,
            words[entity.end - 1].end_s,
            words[entity.start].start_char,
            words[entity.end - 1].end_char,
            confidence,
        )
        for entity, confidence in zip(transcript.entities, timing.entity_confidences, strict=True)
    )
    return TaggedSegment(" ".join(transcript.words), words, entities)
