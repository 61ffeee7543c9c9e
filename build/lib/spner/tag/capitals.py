"""Lower-case words of a recording -> words as they are written: names, sentence beginnings, and what training knew."""

from dataclasses import replace

from spner.core import datatypes
from spner.tag.build import build_words
from spner.tag.tagged import Tagged, TaggedSegment, Word
from spner.text.casing import Casing


def write_capitals(tagged: Tagged, casing: Casing) -> Tagged:
    """Return the recording with capitals; a segment begins as a sentence does."""
    segments = tuple(_write_segment(segment, casing, tagged.lang) for segment in tagged.segments)
    return replace(tagged, segments=segments)


def _write_segment(segment: TaggedSegment, casing: Casing, lang: str | None) -> TaggedSegment:
    starts = {word.start_char: place for place, word in enumerate(segment.words)}
    ends = {word.end_char: place + 1 for place, word in enumerate(segment.words)}
    spans = [(starts[entity.start_char], ends[entity.end_char]) for entity in segment.entities]
    transcript = datatypes.Transcript(
        tuple(word.text for word in segment.words),
        tuple(datatypes.Entity(*span, entity.label) for span, entity in zip(spans, segment.entities, strict=True)),
    )
    texts = casing.write(transcript, lang=lang)
    places = build_words(texts, [(0.0, 0.0)] * len(texts), [None] * len(texts))
    words = tuple(_moved(word, place) for word, place in zip(segment.words, places, strict=True))
    text = " ".join(texts)
    entities = []
    for entity, (start, end) in zip(segment.entities, spans, strict=True):
        first, last = words[start].start_char, words[end - 1].end_char
        entities.append(replace(entity, text=text[first:last], start_char=first, end_char=last))
    return TaggedSegment(text, words, tuple(entities))


def _moved(word: Word, place: Word) -> Word:
    return replace(word, text=place.text, start_char=place.start_char, end_char=place.end_char)
