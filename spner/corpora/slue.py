"""Read SLUE-VoxPopuli: English speeches of the European Parliament with entities that people have marked, in every set.

Two layouts. The hub's (asapp/slue: its card of 2024, README.md and the file names in it)::

    <corpus>/voxpopuli/{train,validation,test}-*.parquet      columns id, audio, speaker_id, normalized_text, raw_text,
        normalized_ner {type: [LOC, …], start: [243, …], length: [6, …]}, and three more annotations that follow from it

and that of the archives slue-voxpopuli_v0.2*.zip (slue-toolkit: slue_toolkit/prepare/prepare_voxpopuli.py)::

    <corpus>/slue-voxpopuli_{fine-tune,dev,test}.tsv          id, raw_text, normalized_text, speaker_id, split, raw_ner,
        normalized_ner [['GPE', 37, 10], …] or None: label, offset, length in characters of normalized_text
    <corpus>/{fine-tune,dev,test}/<id>.ogg

Tables have no quoting. The transcript is made from ``normalized_text``, as the authors' scorer does; ``raw_text`` has
digits where that has words. ``'s`` is a word of its own, as in the authors' training text: of ``europe's`` they mark
europe. Labels are OntoNotes' 18, which SLUE combines to 7 (:mod:`spner.text.label_sets`). A test set whose labels were
held back (``slue-voxpopuli_test_blind.tsv``, until January 2024) is left out, with a warning.
"""

import logging
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from spner.core.errors import SpnerError, nearest, quote
from spner.core.files import read_lines
from spner.core.paths import DEV, TEST, TRAIN
from spner.corpora.annotated import Annotated, make_set
from spner.corpora.corpus import Corpus, Wanted, refuse_split, require_clip_name, require_english
from spner.data.parquet import name_row, read_rows

FORM = "SLUE-VoxPopuli's folder"
TWO_ANNOTATIONS = False
FOLDERS = {TRAIN: "fine-tune", DEV: "dev", TEST: "test"}
SPLITS = {TRAIN: "train", DEV: "validation", TEST: "test"}
COLUMNS = ("id", "raw_text", "normalized_text", "speaker_id", "normalized_ner")
ID, RAW_TEXT, TEXT, SPEAKER, ENTITIES = COLUMNS
NONE = "None"
ENTITY = re.compile(r"""\[\s*(?:'(\w+)'|"(\w+)")\s*,\s*(\d+)\s*,\s*(\d+)\s*\]""", re.ASCII)
POSSESSIVE = re.compile(r"(?<=\w)(?=['’]s\b)")
LIST = re.compile(rf"\[\s*(?:{ENTITY.pattern}\s*(?:,\s*{ENTITY.pattern}\s*)*)?\]", re.ASCII)

log = logging.getLogger(__name__)


def recognises(corpus: Path) -> bool:
    """Whether a path is a folder with tables of either layout."""
    return any(_list_files(corpus).values()) or _blind(corpus).is_file()


def list_inputs(corpus: Path, wanted: Wanted) -> list[Path]:
    """Return the tables; those of the hub hold the clips, too.

    Raises:
        SpnerError: the corpus is to be split, or the language is not English.
    """
    refuse_split(corpus, wanted)
    require_english(corpus, wanted)
    return [file for files in _list_files(corpus).values() for file in files]


def find_clips(corpus: Path) -> Path:
    """Return the folder that the names of the clips begin in."""
    return corpus


def read(corpus: Path, wanted: Wanted) -> Corpus:
    """Read every set there is.

    Raises:
        SpnerError: a table is missing or malformed; the message gives the line or row.
    """
    files = _list_files(corpus)
    if _blind(corpus).is_file() and not files[TEST]:
        log.warning("%s: has no labels and is left out; the whole test set is public", _blind(corpus))
    found = {name: _read_tables(corpus, name, there) for name, there in files.items() if there}
    return Corpus({name: make_set(rows, lang=wanted.lang, gold=True) for name, rows in found.items()}, synthetic=False)


def _list_files(corpus: Path) -> dict[str, list[Path]]:
    """Return the tables of each set, none where it has none."""
    hub = {name: sorted(corpus.glob(f"voxpopuli/{split}-*.parquet")) for name, split in SPLITS.items()}
    if any(hub.values()):
        return hub
    tables = {name: corpus / f"slue-voxpopuli_{folder}.tsv" for name, folder in FOLDERS.items()}
    return {name: [file] if file.is_file() else [] for name, file in tables.items()}


def _blind(corpus: Path) -> Path:
    return corpus / "slue-voxpopuli_test_blind.tsv"


def _read_tables(corpus: Path, name: str, files: Iterable[Path]) -> Iterator[Annotated]:
    for file in files:
        if file.suffix == ".parquet":
            yield from _read_parquet(file, corpus)
        else:
            yield from _read_tsv(file, FOLDERS[name])


def _read_parquet(file: Path, corpus: Path) -> Iterator[Annotated]:
    table = str(file.relative_to(corpus))
    for row, fields in enumerate(read_rows(file, COLUMNS)):
        where = f"{file}: row {row}"
        found = fields[ENTITIES] or {}
        spans = zip(*(found.get(key) or () for key in ("type", "start", "length")), strict=False)
        yield _make(where, fields, name_row(table, row), spans)


def _read_tsv(file: Path, folder: str) -> Iterator[Annotated]:
    lines = read_lines(file)
    header = next(lines, "").split("\t")
    for name in COLUMNS:
        if name not in header:
            raise SpnerError(f'{file}:1: no column "{name}" (found {", ".join(header)}){nearest(name, header)}')
    for number, line in enumerate(lines, start=2):
        where, values = f"{file}:{number}", line.split("\t")
        if len(values) != len(header):
            raise SpnerError(
                f"{where}: found {len(values)} columns (expected {len(header)}, tabs between them); restore the table"
            )
        fields = dict(zip(header, values, strict=True))
        clip = f"{fields[ID]}.ogg"
        require_clip_name(clip, where)
        yield _make(where, fields, f"{folder}/{clip}", _parse_entities(fields[ENTITIES], where))


def _parse_entities(text: str, where: str) -> list[tuple[str, int, int]]:
    """Read ``[['GPE', 37, 10], …]`` or ``None``: label, offset and length in characters."""
    if text == NONE:
        return []
    if not LIST.fullmatch(text):
        raise SpnerError(f"{where}: entities {quote(text)} are no list (expected [['GPE', 37, 10], …] or None)")
    return [(one or other, int(start), int(length)) for one, other, start, length in ENTITY.findall(text)]


def _make(where: str, fields: dict[str, Any], clip: str, found: Iterable[tuple[str, int, int]]) -> Annotated:
    for name in (ID, TEXT):
        if not isinstance(fields[name], str):
            raise SpnerError(f"{where}: has no {name} (expected a text); restore the table")
    speaker = fields[SPEAKER] or ""
    text, spans = _set_apart(fields[TEXT], [(start, start + length, label) for label, start, length in found])
    return Annotated(
        where,
        utt_id=fields[ID],
        spk_id="" if speaker == NONE else speaker,
        clip=clip,
        text=text,
        spans=spans,
        sentence=POSSESSIVE.sub(" ", fields[RAW_TEXT] or ""),
    )


def _set_apart(text: str, spans: Iterable[tuple[int, int, str]]) -> tuple[str, tuple[tuple[int, int, str], ...]]:
    """Put a space before every ``'s`` of a text, and move the spans with their characters."""
    places = [match.start() for match in POSSESSIVE.finditer(text)]

    def move(place: int) -> int:
        return place + bisect_left(places, place)

    return POSSESSIVE.sub(" ", text), tuple((move(start), move(end), label) for start, end, label in spans)
