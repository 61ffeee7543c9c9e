"""The utterances of one scored set as the compact JSON that the report page reads.

Each utterance is ``[utt_id, ref, hyp, columns, ref_entities, hyp_entities]``: words joined by spaces; one letter an
alignment column: ``=`` equal, ``s`` substituted, ``d`` deleted, ``i`` inserted; where hyp is ref, both are 0.
Entities are flat fours: label (an index into ``labels``), start, end, error kind (an index into ``KINDS``, -1 without);
a phrase without position stands in place of start, and end is -1.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spner.core.errors import SpnerError
from spner.core.files import read_lines
from spner.scoring.alignment import align
from spner.scoring.errors import KINDS


@dataclass(frozen=True)
class Packed:
    """The utterances of one scored set."""

    utt_ids: tuple[str, ...]
    json: str
    """``{"labels": […], "utts": […]}`` without ``<``: it may stand inside an HTML script element."""
    references: str
    """A hash of ids, reference words and reference entities: sets that share it were scored against the same."""


def pack_utterances(file: Path) -> Packed:
    """Read what ``spner score`` writes beside the scores.

    Raises:
        SpnerError: the file is missing, or a line is malformed.
    """
    labels: dict[str, int] = {}
    utts = []
    references = hashlib.sha256()
    for line_number, line in enumerate(read_lines(file), start=1):
        try:
            record = json.loads(line)
            utts.append(_pack(record, labels))
            references.update(_to_json([record["utt_id"], record["ref"]]).encode())
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise SpnerError(
                f"{file}:{line_number}: is no scored utterance ({type(error).__name__}: {error}; "
                "expected utt_id, ref, hyp and errors); score again"
            ) from error
    packed = _to_json({"labels": list(labels), "utts": utts}).replace("<", r"\u003c")
    return Packed(tuple(utt[0] for utt in utts), packed, references.hexdigest())


def _pack(record: dict[str, Any], labels: dict[str, int]) -> list[Any]:
    _to_json(record).encode()  # a lone surrogate cannot be written
    ref, hyp = (_words(record[side]) for side in ("ref", "hyp"))
    entities = (_entities(record, side, labels) for side in ("ref", "hyp"))
    if ref == hyp:
        return [str(record["utt_id"]), " ".join(ref), 0, 0, *entities]
    return [str(record["utt_id"]), " ".join(ref), " ".join(hyp), "".join(_columns(ref=ref, hyp=hyp)), *entities]


def _words(side: dict[str, Any]) -> list[str]:
    words = side["words"]
    if " ".join(words).split() != words:
        raise ValueError("a word is empty or holds a space")
    return words


def _columns(*, ref: Sequence[str], hyp: Sequence[str]) -> Iterator[str]:
    for i, j in align(ref=ref, hyp=hyp):
        if i is None or j is None:
            yield "i" if i is None else "d"
        else:
            yield "=" if ref[i] == hyp[j] else "s"


def _entities(record: dict[str, Any], side: str, labels: dict[str, int]) -> list[Any]:
    """Return one side's entities as flat fours; an entity that no error record names has no kind."""
    kinds = {error[side]: KINDS.index(error["kind"]) for error in record["errors"]}
    flat: list[Any] = []
    for number, entity in enumerate(record[side]["entities"]):
        label = labels.setdefault(str(entity["label"]), len(labels))
        flat += [label, *_place(entity, num_words=len(record[side]["words"])), kinds.get(number, -1)]
    return flat


def _place(entity: dict[str, Any], *, num_words: int) -> tuple[int | str, int]:
    if "phrase" in entity:
        return str(entity["phrase"]), -1
    start, end = entity["start"], entity["end"]
    if not 0 <= start < end <= num_words:
        raise ValueError(f"entity [{start}, {end}) lies outside {num_words} words")
    return start, end


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
