"""Subtitles with names marked: SubRip (``srt``) in colours, WebVTT (``vtt``) in classes with colours.

A cue ends at a segment's end, where the speaker changes, or before it gets too long; no name is broken over two.
"""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spner.tag.tagged import Entity, Tagged, TaggedSegment, Word, mark_entities

MAX_CHARS = 84  # two lines of 42
MAX_CUE_S = 6.0
MAX_PAUSE_S = 1.0
COLOURS = {"PER": "#ff8a80", "ORG": "#82b1ff", "LOC": "#b9f6ca"}  # light, for dark pictures
OTHER_COLOUR = "#ffe57f"


@dataclass(frozen=True)
class Cue:
    """Words of a segment that are shown together."""

    words: tuple[Word, ...]
    segment: TaggedSegment

    @property
    def start_char(self) -> int:
        """Where its text begins in the segment's."""
        return self.words[0].start_char

    @property
    def end_char(self) -> int:
        """Where it ends."""
        return self.words[-1].end_char


def to_srt(tagged: Tagged) -> Iterator[str]:
    """Yield the cues."""
    for number, cue in enumerate(cut_cues(tagged), start=1):
        text = mark_entities(cue.segment, _mark_srt, start=cue.start_char, end=cue.end_char)
        speaker = f"[{cue.words[0].speaker}] " if cue.words[0].speaker else ""
        yield f"{number}\n{_span(cue, ',')}\n{speaker}{text}\n\n"


def to_vtt(tagged: Tagged) -> Iterator[str]:
    """Yield the header with the colours, then the cues."""
    labels = sorted({entity.label for entity in tagged.entities})
    styles = "\n".join(f"::cue(.{class_of(label)}) {{ color: {colour_of(label)} }}" for label in labels)
    yield "WEBVTT\n\n"
    if styles:
        yield f"STYLE\n{styles}\n\n"
    for cue in cut_cues(tagged):
        text = mark_entities(cue.segment, _mark_vtt, plain=_escape, start=cue.start_char, end=cue.end_char)
        speaker = cue.words[0].speaker
        voice = f"<v {_escape(speaker)}>" if speaker else ""
        yield f"{_span(cue, '.')}\n{voice}{text}\n\n"


def _mark_srt(entity: Entity) -> str:
    return f'<font color="{colour_of(entity.label)}">{entity.text}</font>'


def _mark_vtt(entity: Entity) -> str:
    return f"<c.{class_of(entity.label)}>{_escape(entity.text)}</c>"


def colour_of(label: str) -> str:
    """Return a label's colour."""
    return COLOURS.get(label, OTHER_COLOUR)


def class_of(label: str) -> str:
    """Return a label as the name of a class."""
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in label)


def cut_cues(tagged: Tagged) -> Iterator[Cue]:
    """Yield the cues of a recording."""
    for segment in tagged.segments:
        words: list[Word] = []
        for word in segment.words:
            if words and _must_end(words, word) and not _inside_entity(segment.entities, word):
                yield Cue(tuple(words), segment)
                words = []
            words.append(word)
        yield Cue(tuple(words), segment)


def _must_end(words: Sequence[Word], following: Word) -> bool:
    first, last = words[0], words[-1]
    return (
        following.end_char - first.start_char > MAX_CHARS
        or following.end_s - first.start_s > MAX_CUE_S
        or following.start_s - last.end_s > MAX_PAUSE_S
        or following.speaker != last.speaker
    )


def _inside_entity(entities: Sequence[Entity], word: Word) -> bool:
    """Whether an entity continues from the word before."""
    return any(entity.start_char < word.start_char < entity.end_char for entity in entities)


def _escape(text: str) -> str:
    return html.escape(text, quote=False)


def _span(cue: Cue, point: str) -> str:
    return f"{clock(cue.words[0].start_s, point)} --> {clock(cue.words[-1].end_s, point)}"


def clock(time_s: float, point: str = ".") -> str:
    """Return ``01:02:03.456``."""
    milliseconds = round(time_s * 1000)
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{milliseconds:03}"
