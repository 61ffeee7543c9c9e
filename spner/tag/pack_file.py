"""A pack: a folder or a zip file with everything that tags recordings, and no code. It is opened as a stranger's.

::

    meta.yaml           schema number, language, tokens' type, frames, search, and of every file size and SHA-256
    model.onnx          acoustic model, see spner/asr/export.py; model.int8.onnx: the same, quantised, if asked for
    tokens.txt          token list, one token a line
    search.arpa         language model of the search with the grammar in it; without one the search is greedy
    bpe.model           SentencePiece's, for pieces
    calibration.json    what makes confidences chances of being right
    casing.tsv          lower-case word, tab, as it is mostly written
    tagger.onnx         of a pipeline: finds the names in the words; tokenizer.json: its tokenizer
    README.md           model card

The schema number grows when an older spner could not read a pack; every spner reads all older schemas.
"""

import hashlib
import math
import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from spner.core.datatypes import FrameGrid
from spner.core.errors import SpnerError, quote
from spner.data.tokens import BPE, CHAR
from spner.decode.config import DecodeConfig, make_decode_config
from spner.text.labels import LabelSet
from spner.text.tags import TAG

SCHEMA = 1
META, MODEL, MODEL_INT8, TOKENS = "meta.yaml", "model.onnx", "model.int8.onnx", "tokens.txt"
SEARCH, PIECES, CALIBRATION, CASING = "search.arpa", "bpe.model", "calibration.json", "casing.tsv"
TAGGER, TOKENIZER = "tagger.onnx", "tokenizer.json"
CARD = "README.md"
REQUIRED = (MODEL, TOKENS, CARD)
NAMES = (*REQUIRED, MODEL_INT8, SEARCH, PIECES, CALIBRATION, CASING, TAGGER, TOKENIZER)

MAX_META_BYTES = 1_000_000
MAX_RATIO = 200  # unpacked over packed; language models shrink to a tenth
CHUNK_BYTES = 1 << 20
AGAIN = "make the pack again with spner pack, or copy it again"


@dataclass(frozen=True)
class Content:
    """Size and SHA-256 of a file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class TaggerMeta:
    """How a pipeline's tagger is used.

    Attributes:
        tags: what its outputs stand for.
        prefix, suffix: ids of the special tokens around a sentence.
        max_pieces: subwords of a sentence at most, without those.
        pad_id: stands behind the shorter sentences of a batch.
        labels: the recipe's, and the tagger's names for them.
    """

    tags: tuple[str, ...]
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    max_pieces: int
    pad_id: int
    labels: LabelSet

    def __post_init__(self) -> None:
        numbers = (*self.prefix, *self.suffix, self.pad_id, self.max_pieces - 1)
        if not all(type(one) is int and one >= 0 for one in numbers) or not all(map(TAG.fullmatch, self.tags)):
            raise ValueError(f"tagger: {self}")


@dataclass(frozen=True)
class Meta:
    """What ``meta.yaml`` says.

    Attributes:
        name: of the experiment.
        lang: ISO 639-1 code.
        token_type: ``char`` or ``bpe``.
        grid: where the model's frames lie.
        search: settings of the beam search; None searches greedily.
        files: by name.
        made_from: for people: data, weights and versions that the model was made from.
        tagger: of a pipeline; None where the model writes the names, or nobody does.
    """

    name: str
    lang: str | None
    token_type: str
    grid: FrameGrid
    search: DecodeConfig | None
    files: Mapping[str, Content]
    made_from: Mapping[str, Any]
    tagger: TaggerMeta | None = None


@dataclass(frozen=True)
class Pack:
    """An opened pack: what it says of itself, and a folder with its files, checked."""

    meta: Meta
    folder: Path

    def find(self, name: str) -> Path | None:
        """Return a file of the pack; None if it has none of that name."""
        return self.folder / name if name in self.meta.files else None


def is_pack(path: Path) -> bool:
    """Whether a path looks like a pack."""
    return zipfile.is_zipfile(path) or (path / META).is_file()


@contextmanager
def open_pack(path: Path) -> Iterator[Pack]:
    """Yield a pack whose files are those that ``meta.yaml`` lists; the files of a zip last as long as the block.

    Nothing in the pack is run, and nothing is written outside a temporary folder.

    Raises:
        SpnerError: it is no pack, of a newer schema, incomplete, changed, or made to do harm.
    """
    if path.is_dir():
        meta = parse_meta(_read_meta(path), path)
        for name, content in meta.files.items():
            _check_file(path, name, content)
        yield Pack(meta, path)
        return
    with tempfile.TemporaryDirectory(prefix="spner_pack_") as folder:
        yield Pack(_unpack(path, Path(folder)), Path(folder))


def _read_meta(folder: Path) -> bytes:
    path = folder / META
    if path.is_symlink() or not path.is_file():
        raise SpnerError(f"{folder}: is no pack (expected {META} in it); spner pack makes one")
    with open(path, "rb") as file:
        return file.read(MAX_META_BYTES + 1)


def _check_file(folder: Path, name: str, content: Content) -> None:
    path = folder / name
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        raise SpnerError(f"{folder}: {name} is missing or a link; {AGAIN}")
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if (path.stat().st_size, digest) != (content.size, content.sha256):
        raise _changed(folder, name)


def _changed(path: Path, name: str) -> SpnerError:
    return SpnerError(f"{path}: {name} is not the file that was packed (its SHA-256 differs); {AGAIN}")


def _unpack(path: Path, folder: Path) -> Meta:
    """Write the files of a zip into a folder; return what its ``meta.yaml`` says."""
    try:
        with zipfile.ZipFile(path) as archive:
            if META not in archive.namelist():
                raise SpnerError(f"{path}: is no pack (expected {META} in it); spner pack makes one")
            with archive.open(META) as file:
                meta = parse_meta(file.read(MAX_META_BYTES + 1), path)
            entries = _list_entries(path, archive)
            _refuse_other_files(path, entries.keys() - {META}, meta)
            _refuse_bomb(path, meta)
            for name, content in meta.files.items():
                with archive.open(entries[name]) as source:
                    _copy(source, folder / name, content, path)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise SpnerError(f"{path}: is no whole zip file ({error}); {AGAIN}") from error
    except OSError as error:
        raise SpnerError(f"{path}: cannot be unpacked ({error.strerror or error}); make room, or check it") from error
    return meta


def _list_entries(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the archive's files by name.

    Raises:
        SpnerError: one has a name that no pack has, occurs twice, or is no plain file.
    """
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        plain = stat.S_IFMT(entry.external_attr >> 16) in (0, stat.S_IFREG)
        if entry.filename not in (META, *NAMES) or entry.filename in entries or not plain:
            raise SpnerError(f"{path}: holds {quote(entry.filename)}, which no pack does; do not use it")
        entries[entry.filename] = entry
    return entries


def _refuse_other_files(path: Path, found: set[str], meta: Meta) -> None:
    for name in sorted(found ^ meta.files.keys()):
        state = "holds" if name in found else "lacks"
        raise SpnerError(f"{path}: {state} {name}, and {META} says otherwise; {AGAIN}")


def _refuse_bomb(path: Path, meta: Meta) -> None:
    size = sum(content.size for content in meta.files.values())
    if size > MAX_RATIO * path.stat().st_size:
        raise SpnerError(f"{path}: would unpack to {size} bytes, {MAX_RATIO} times its size or more; do not use it")


def _copy(source: Any, target: Path, content: Content, path: Path) -> None:
    """Write a file of a zip that has the size and the digest that were promised."""
    target.parent.mkdir(exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with open(target, "wb") as file:
        while size <= content.size and (chunk := source.read(CHUNK_BYTES)):
            digest.update(chunk)
            size += len(chunk)
            file.write(chunk)
    if (size, digest.hexdigest()) != (content.size, content.sha256):
        raise _changed(path, target.name)


def parse_meta(text: bytes, path: Path) -> Meta:
    """Return what a ``meta.yaml`` says.

    Args:
        text: its bytes.
        path: the pack's, for messages.

    Raises:
        SpnerError: the schema is newer, or something is missing or of the wrong kind.
    """
    try:
        found = yaml.safe_load(text) if len(text) <= MAX_META_BYTES else None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise SpnerError(f"{path}: {META} is not YAML ({' '.join(str(error).split())}); {AGAIN}") from error
    schema = found.get("schema") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(schema, int) or schema < 1:
        raise SpnerError(f"{path}: {META} has no schema number; {AGAIN}")
    if schema > SCHEMA:
        raise SpnerError(f"{path}: is of schema {schema}, this spner reads up to {SCHEMA}; update spner")
    try:
        return _make_meta(found, path)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SpnerError(f"{path}: {META} is malformed ({quote(str(error))}); {AGAIN}") from error


def _make_meta(found: Mapping[str, Any], path: Path) -> Meta:
    files = {name: Content(content["size"], content["sha256"]) for name, content in found["files"].items()}
    for name in [*(name for name in REQUIRED if name not in files), *(name for name in files if name not in NAMES)]:
        raise ValueError(f"files: {name}")
    for content in files.values():
        if type(content.size) is not int or content.size < 0 or not re.fullmatch("[0-9a-f]{64}", content.sha256):
            raise ValueError(f"files: {content}")
    grid = FrameGrid(float(found["frames"]["hop_s"]), float(found["frames"]["first_s"]))
    if not (0 < grid.hop_s <= 1 and math.isfinite(grid.first_s)) or found["token_type"] not in (CHAR, BPE):
        raise ValueError(f"{grid}, token_type {found['token_type']}")
    search = found["search"] and make_decode_config(found["search"], where=f"{path}: {META}")
    if search and (SEARCH not in files or (found["token_type"] == BPE and PIECES not in files)):
        raise ValueError(f"a search without {SEARCH} or {PIECES}")
    name, lang, made_from = found["name"], found["lang"], found["made_from"]
    if not (isinstance(name, str) and isinstance(lang, str | None) and isinstance(made_from, dict)):
        raise ValueError("name, lang, made_from")
    tagger = _make_tagger_meta(found["tagger"]) if found.get("tagger") else None
    if (tagger is not None, tagger is not None) != (TAGGER in files, TOKENIZER in files):
        raise ValueError(f"a tagger without {TAGGER} and {TOKENIZER}, or they without it")
    return Meta(name, lang, found["token_type"], grid, search, files, made_from, tagger)


def _make_tagger_meta(found: Mapping[str, Any]) -> TaggerMeta:
    tags, prefix, suffix = (tuple(found[key]) for key in ("tags", "prefix", "suffix"))
    return TaggerMeta(tags, prefix, suffix, found["max_pieces"], found["pad_id"], LabelSet.from_json(found["labels"]))
