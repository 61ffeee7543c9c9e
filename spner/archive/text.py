"""Hits and names as lines of text and of JSON."""

import json
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from spner.archive.names import Name
from spner.archive.search import PART, SIMILAR, WORDS, Hit
from spner.tag.reader import CONTROL
from spner.tag.subtitles import clock

AROUND = 40  # characters on each side
TOLD = {PART: "as a part of", SIMILAR: "nearly as"}


def show_hits(hits: Iterable[Hit], text: str) -> Iterator[str]:
    """Yield a line for each hit: recording, second, words around it; kinds other than the words asked for are told."""
    kind = WORDS
    for hit in hits:
        if hit.kind != kind:
            kind = hit.kind
            yield f'{TOLD[kind]} "{text}":'
        yield f"{CONTROL.sub('?', _shorten(hit.path))}  {clock(hit.start_s)[:-2]}  {snippet(hit)}"


def _shorten(path: str) -> str:
    """Return a path as it is typed from here."""
    return os.path.relpath(path) if Path(path).is_relative_to(Path.cwd()) else path


@dataclass(frozen=True)
class Part:
    """A name, or a stretch between names.

    Attributes:
        label: of a name; empty for what is none.
        before, found, after: its text, around what was asked for.
    """

    label: str
    before: str
    found: str
    after: str

    @property
    def text(self) -> str:
        """All of it."""
        return f"{self.before}{self.found}{self.after}"


def split(hit: Hit) -> Iterator[Part]:
    """Yield the words around a hit; an ellipsis where the segment goes on."""
    start, end = max(0, hit.start_char - AROUND), min(len(hit.text), hit.end_char + AROUND)
    start = hit.text.rfind(" ", 0, start + 1) + 1
    end = hit.text.find(" ", end) if " " in hit.text[end:] else len(hit.text)
    position = start
    if start:
        yield Part("", "… ", "", "")
    for entity in hit.entities:
        if start <= entity["start_char"] and entity["end_char"] <= end:
            yield _part("", position, entity["start_char"], hit)
            yield _part(entity["label"], entity["start_char"], entity["end_char"], hit)
            position = entity["end_char"]
    yield _part("", position, end, hit)
    if end < len(hit.text):
        yield Part("", " …", "", "")


def _part(label: str, start: int, end: int, hit: Hit) -> Part:
    first, last = (min(max(place, start), end) for place in (hit.start_char, hit.end_char))
    return Part(label, hit.text[start:first], hit.text[first:last], hit.text[last:end])


def snippet(hit: Hit) -> str:
    """Return the words around a hit, with the names in them marked."""
    return "".join(f"[{part.label} {part.text}]" if part.label else part.text for part in split(hit))


def hit_record(hit: Hit) -> dict[str, object]:
    """Return a hit as JSON has it, without the path: whoever asks over the network learns no folders."""
    record = asdict(hit)
    del record["path"]
    parts = [asdict(part) for part in split(hit) if part.text]
    return {
        **record,
        "parts": parts,
        "found": hit.found,
        "start_s": round(hit.start_s, 3),
        "end_s": round(hit.end_s, 3),
    }


def hits_to_json(hits: Iterable[Hit]) -> Iterator[str]:
    """Yield a line of JSON for each hit."""
    return (json.dumps({"path": hit.path, **hit_record(hit)}, ensure_ascii=False) for hit in hits)


def show_names(names: Iterable[Name]) -> Iterator[str]:
    """Yield a line for each name: mentions, label, name, id."""
    return (
        f"{name.num_mentions:>7}  {name.label:<5} {name.text}{f'  {name.authority}' if name.authority else ''}"
        for name in names
    )


def names_to_json(names: Iterable[Name]) -> Iterator[str]:
    """Yield a line of JSON for each name."""
    return (json.dumps(asdict(name), ensure_ascii=False) for name in names)


def nothing_found(label: str | None, labels: Collection[str]) -> str:
    """Return what to say where there is no hit; a label that no name has is told."""
    if label and labels and label not in labels:
        return f'nothing was found: no name has the label "{label}" (expected one of {", ".join(labels)})'
    return "nothing was found"
