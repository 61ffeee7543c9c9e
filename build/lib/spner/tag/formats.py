"""The formats in which results are written, by the names that stand behind ``--output_format`` and end file names."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote as quote_url

from spner.core.errors import SpnerError, nearest
from spner.core.files import atomic_text
from spner.tag.page import to_html
from spner.tag.plain import to_conll, to_textgrid, to_tsv, to_txt
from spner.tag.records import to_json, to_jsonl
from spner.tag.subtitles import to_srt, to_vtt
from spner.tag.tagged import Tagged

HTML = "html"
TEXTS: dict[str, Callable[[Tagged], Iterator[str]]] = {
    "jsonl": to_jsonl,
    "json": to_json,
    "srt": to_srt,
    "vtt": to_vtt,
    "txt": to_txt,
    "tsv": to_tsv,
    "conll": to_conll,
    "textgrid": to_textgrid,
}
FORMATS = (*TEXTS, HTML)
SUFFIXES = {"textgrid": "TextGrid"}  # Praat's own spelling


def read_formats(text: str) -> tuple[str, ...]:
    """Return the formats of a list such as ``jsonl,srt``; ``all`` is every one.

    Raises:
        SpnerError: one is unknown.
    """
    names = tuple(dict.fromkeys(name for name in text.replace(",", " ").split()))
    if names == ("all",):
        return FORMATS
    for name in names:
        if name not in FORMATS:
            raise SpnerError(f'--output_format "{name}": is none of {", ".join(FORMATS)}{nearest(name, FORMATS)}')
    if not names:
        raise SpnerError(f"--output_format: names no format (expected some of {', '.join(FORMATS)}, or all)")
    return names


def output_path(stem: Path, name: str) -> Path:
    """Return the file of a format: ``talk.srt`` of ``talk``."""
    return stem.with_name(f"{stem.name}.{SUFFIXES.get(name, name)}")


def render(tagged: Tagged, name: str, *, page_folder: Path | None = None) -> Iterator[str]:
    """Yield the text of a format.

    Args:
        tagged: a recording.
        name: of the format.
        page_folder: where a page will lie; it finds the recording from there.
    """
    if name == HTML:
        return to_html(tagged, audio_url=locate_audio(tagged, page_folder))
    return TEXTS[name](tagged)


def locate_audio(tagged: Tagged, page_folder: Path | None) -> str | None:
    """Return a recording's URL relative to a page, None where it is no file."""
    audio = Path(tagged.audio)
    if not audio.is_file():
        return None
    relative = os.path.relpath(audio.resolve(), (page_folder or Path()).resolve())
    return quote_url(relative.replace(os.sep, "/"))


def save(tagged: Tagged, path: Path, name: str | None = None) -> None:
    """Write a recording to a file, which appears when it is complete; by default in the format that its name ends with.

    Raises:
        SpnerError: no format is called so, or the file cannot be written.
    """
    name = name or path.suffix.lower().removeprefix(".")
    if name not in FORMATS:
        raise SpnerError(f"{path}: ends with no format's name (expected one of {', '.join(FORMATS)})")
    with atomic_text(path) as file:
        file.writelines(render(tagged, name, page_folder=path.parent))
