"""The Common Voice reader: a release's tables -> utterances, for every layout from 6.1 on.

::

    <corpus>/clips/*.mp3
    <corpus>/{train,dev,test,validated,…}.tsv   header; columns found by name

Fields are literal: there is no quoting. Real releases hold stray quote characters on which a CSV reader
silently joins rows.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from spner.core.datatypes import Utterance
from spner.core.errors import SpnerError, nearest, quote
from spner.core.files import read_lines
from spner.core.paths import SETS

CLIENT_ID, PATH, SENTENCE = "client_id", "path", "sentence"
UNUSUAL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, and halves of characters
MAX_NAME_BYTES = 255  # of Linux's file systems


@dataclass(frozen=True)
class Table:
    """One table's rows.

    Attributes:
        utterances: rows with a sentence, in table order.
        empty: rows whose sentence is empty, in table order.
        ragged_lines: line numbers of rows with another number of fields than the header; they are left out.
    """

    utterances: tuple[Utterance, ...]
    empty: tuple[Utterance, ...]
    ragged_lines: tuple[int, ...]


def make_utt_id(client_id: str, path: str) -> str:
    """Return the utterance id: speaker first, as Kaldi's sorting wants it, then the clip's name.

    16 of the 128 hexadecimal digits distinguish a million speakers (chance of a collision 3e-8).
    """
    return f"{make_spk_id(client_id)}-{without_space(Path(path).stem)}"


def make_spk_id(client_id: str) -> str:
    """Return the speaker id, ``unknown`` if the release names none."""
    return without_space(client_id[:16]) or "unknown"


def without_space(name: str) -> str:
    """Replace white space of every kind: it would end an id in Kaldi's tables."""
    return re.sub(r"\s", "_", name)


def require_clip_name(name: str, where: str) -> None:
    """Refuse a clip's name that leads out of the folder of clips, or that no file can have.

    Raises:
        SpnerError: it is one.
    """
    unusual = UNUSUAL.search(name) or len(name.encode()) > MAX_NAME_BYTES
    if name in ("", "..") or name != Path(name).name or unusual:
        raise SpnerError(f"{where}: clip {quote(name)} is not a plain file name inside clips/")


def list_sets(corpus: Path) -> list[str]:
    """Return the sets a corpus has: of train, dev and test those with a table, else ``validated``.

    Raises:
        SpnerError: the folder is missing or has none of these tables.
    """
    if not corpus.is_dir():
        raise SpnerError(
            f"{corpus}: no such corpus folder (expected an unpacked Common Voice release: clips/ and "
            "*.tsv); paths are relative to the recipe's folder"
        )
    found = [name for name in SETS if (corpus / f"{name}.tsv").is_file()]
    if not found and (corpus / "validated.tsv").is_file():
        return ["validated"]
    if not found:
        raise SpnerError(
            f"{corpus}: holds no train.tsv, dev.tsv, test.tsv or validated.tsv; "
            "give the folder of one language of an unpacked Common Voice release"
        )
    return found


def read_tsv(corpus: Path, set_name: str) -> Table:
    """Read ``<corpus>/<set_name>.tsv``.

    Raises:
        SpnerError: no table, no column of a needed name, a clip name that leaves ``clips/``, or a clip
            that occurs twice; the message gives the line.
    """
    table = corpus / f"{set_name}.tsv"
    lines = enumerate(read_lines(table), start=1)
    header = next((line for _, line in lines), "").removeprefix("\ufeff").split("\t")
    column = {name: _find_column(table, header, name) for name in (CLIENT_ID, PATH, SENTENCE)}
    utterances: list[Utterance] = []
    empty: list[Utterance] = []
    ragged: list[int] = []
    line_of: dict[str, int] = {}
    for line_number, line in lines:
        fields = line.split("\t")
        if len(fields) != len(header):
            ragged.append(line_number)
            continue
        utterance = _make_utterance(table, line_number, *(fields[at] for at in column.values()))
        if utterance.utt_id in line_of:
            raise SpnerError(
                f'{table}:{line_number}: clip "{utterance.clip}" is also in line '
                f"{line_of[utterance.utt_id]} (expected one line per clip); remove one of them"
            )
        line_of[utterance.utt_id] = line_number
        (utterances if utterance.sentence else empty).append(utterance)
    return Table(tuple(utterances), tuple(empty), tuple(ragged))


def _find_column(table: Path, header: list[str], name: str) -> int:
    if name not in header:
        raise SpnerError(
            f'{table}:1: no column "{name}" (found {", ".join(header)}){nearest(name, header)}; '
            "expected the header of a Common Voice table: client_id, path, sentence"
        )
    return header.index(name)


def _make_utterance(table: Path, line_number: int, client_id: str, path: str, sentence: str) -> Utterance:
    require_clip_name(path, f"{table}:{line_number}")
    sentence = unicodedata.normalize("NFC", sentence).strip()
    return Utterance(make_utt_id(client_id, path), make_spk_id(client_id), path, sentence)
