"""Results as plain text: ``txt``, ``tsv``, ``conll``, Praat's ``textgrid``, and coloured text for a terminal."""

from collections.abc import Iterator

import click

from spner.tag.subtitles import clock
from spner.tag.tagged import Entity, Tagged, TaggedSegment, Word, mark_entities

TSV_COLUMNS = ("start", "end", "label", "name", "confidence", "speaker")
TERMINAL_COLOURS = {"PER": "red", "ORG": "blue", "LOC": "green"}


def to_txt(tagged: Tagged) -> Iterator[str]:
    """Yield a line for each segment, with names in brackets: ``Bij [ORG Ster] werken zes mensen``."""
    for segment in tagged.segments:
        speaker = f"{segment.speaker}: " if segment.speaker else ""
        yield f"{speaker}{mark_entities(segment, lambda entity: f'[{entity.label} {entity.text}]')}\n"


def to_terminal(tagged: Tagged) -> Iterator[str]:
    """Yield a line for each segment, names in colour, after the time at which it begins."""

    def colour(entity: Entity) -> str:
        name = click.style(entity.text, fg=TERMINAL_COLOURS.get(entity.label, "yellow"), bold=True)
        return f"{name} {click.style(entity.label, dim=True)}"

    for segment in tagged.segments:
        speaker = f"{segment.speaker}: " if segment.speaker else ""
        start = click.style(clock(segment.start_s)[:-2], dim=True)
        yield f"{start}  {speaker}{mark_entities(segment, colour)}\n"


def to_tsv(tagged: Tagged) -> Iterator[str]:
    """Yield a table with a row for each name: seconds, label, text, confidence and speaker, where there are any."""
    yield "\t".join(TSV_COLUMNS) + "\n"
    for entity in tagged.entities:
        confidence = "" if entity.confidence is None else f"{entity.confidence:.4f}"
        times = (f"{entity.start_s:.3f}", f"{entity.end_s:.3f}")
        yield "\t".join([*times, entity.label, entity.text, confidence, _one_field(entity.speaker or "")]) + "\n"


def to_conll(tagged: Tagged) -> Iterator[str]:
    """Yield a line for each word, token, tab, IOB2 tag, and an empty line after each segment."""
    for segment in tagged.segments:
        for word in segment.words:
            yield f"{word.text}\t{_tag(word, segment)}\n"
        yield "\n"


def _tag(word: Word, segment: TaggedSegment) -> str:
    for entity in segment.entities:
        if entity.start_char < word.end_char and word.start_char < entity.end_char:
            return f"{'I' if entity.start_char < word.start_char else 'B'}-{entity.label}"
    return "O"


def to_textgrid(tagged: Tagged) -> Iterator[str]:
    """Yield a TextGrid with a tier of words, one of names and, where somebody says who speaks, one of speakers."""
    words = list(tagged.words)
    tiers = {
        "words": [(word.start_s, word.end_s, word.text) for word in words],
        "names": [(one.start_s, one.end_s, f"{one.label} {one.text}") for one in tagged.entities],
    }
    if any(word.speaker for word in words):
        tiers["speakers"] = [(word.start_s, word.end_s, word.speaker or "") for word in words]
    end_s = max([tagged.duration_s, *(word.end_s for word in words)])
    yield 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
    yield f"xmin = 0\nxmax = {end_s:.6f}\ntiers? <exists>\nsize = {len(tiers)}\nitem []:\n"
    for number, (name, marks) in enumerate(tiers.items(), start=1):
        intervals = list(_fill(marks, end_s))
        yield f'    item [{number}]:\n        class = "IntervalTier"\n        name = "{name}"\n        xmin = 0\n'
        yield f"        xmax = {end_s:.6f}\n        intervals: size = {len(intervals)}\n"
        for place, (start_s, stop_s, text) in enumerate(intervals, start=1):
            quoted = text.replace('"', '""')
            yield f"        intervals [{place}]:\n            xmin = {start_s:.6f}\n            xmax = {stop_s:.6f}\n"
            yield f'            text = "{quoted}"\n'


def _fill(marks: list[tuple[float, float, str]], end_s: float) -> Iterator[tuple[float, float, str]]:
    """Yield the intervals and empty ones between them: a tier has no gaps, no overlaps and no empty intervals."""
    position_s = 0.0
    for start_s, stop_s, text in marks:
        start_s, stop_s = (round(max(time_s, position_s), 6) for time_s in (start_s, stop_s))
        if start_s > position_s:
            yield position_s, start_s, ""
        if stop_s > start_s:
            yield start_s, stop_s, text
        position_s = max(start_s, stop_s)
    if position_s < end_s:
        yield position_s, end_s, ""


def _one_field(text: str) -> str:
    return " ".join(text.split())
