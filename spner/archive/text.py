"""Hits and names as lines of text and of JSON."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from spner.archive.names import Name
from spner.archive.search import PART, SIMILAR, WORDS, Hit
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
        yield f"{_shorten(hit.path)}  {clock(hit.start_s)[:-2]}  {snippet(hit)}"


def _shorten(path: str) -> str:
    """Return a path as it is typed from here."""
    return os.path.relpath(path) if Path(path).is_relative_to(Path.cwd()) else path


def snippet(hit: Hit) -> str:
    """Return the words around a hit, with the names in them marked."""
    start, end = max(0, hit.start_char - AROUND), min(len(hit.text), hit.end_char + AROUND)
    start = hit.text.rfind(" ", 0, start + 1) + 1 if start else 0
    end = hit.text.find(" ", end) if " " in hit.text[end:] else len(hit.text)
    marked, position = "", start
    for entity in hit.entities:
        if start <= entity["start_char"] and entity["end_char"] <= end:
            marked += hit.text[position : entity["start_char"]] + f"[{entity['label']} {entity['text']}]"
            position = entity["end_char"]
    return f"{'… ' if start else ''}{marked}{hit.text[position:end]}{' …' if end < len(hit.text) else ''}"


def hit_record(hit: Hit) -> dict[str, object]:
    """Return a hit as JSON has it, without the path: whoever asks over the network learns no folders."""
    record = asdict(hit)
    del record["path"]
    return {**record, "found": hit.found, "start_s": round(hit.start_s, 3), "end_s": round(hit.end_s, 3)}


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
