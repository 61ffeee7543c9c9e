"""Entity labels by name: those of a recipe, checked, and the names that files and taggers have for them."""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from spner.core.datatypes import LABELS, Transcript
from spner.core.errors import SpnerError, nearest

NO_ENTITY = "O"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
RESERVED = frozenset({"o", "ne", "blank", "unk", "space", "s", "micro"})
"""Names whose symbols are others' (``</NE>``, ``<blank>``, ``<unk>``, ``<space>``, ``<s>``), or that stand for none or
all of the entities."""
SPELLINGS = (
    ("PER", "PERS", "PERSON", "PERSNAME", "PRS"),
    ("ORG", "ORGANISATION", "ORGANIZATION", "ORGNAME", "GPE_ORG"),
    ("LOC", "LOCATION", "PLACE", "PLACENAME", "GPE", "GPE_LOC"),
)
"""Names of one label each, in upper case; ``.NAM`` may follow (``PER.NAM``)."""

log = logging.getLogger(__name__)


def parse_labels(text: str, *, where: str) -> tuple[str, ...]:
    """Return the labels of a list separated by spaces.

    Args:
        text: the list.
        where: what the error names: an option, or file and line.

    Raises:
        SpnerError: there is none, one occurs twice, or its symbol would not be one of its own.
    """
    labels = tuple(text.split())
    for label in labels:
        if labels.count(label) > 1 or label.lower() in RESERVED or not NAME.fullmatch(label):
            raise SpnerError(
                f'{where}: found "{label}" in "{text}" (expected different labels of letters a to z, digits, _ and -, '
                f"none of {', '.join(sorted(RESERVED))})"
            )
    if not labels:
        raise SpnerError(f'{where}: holds no label (expected labels with spaces between them, such as "PER ORG LOC")')
    return labels


@dataclass(frozen=True)
class LabelSet:
    """The labels of a recipe and the other names that mean one of them.

    Attributes:
        names: the labels, in the order in which they get token ids.
        mapping: name in a file or of a tagger -> label, or ``O`` for none; it comes before :data:`SPELLINGS`.

    Raises:
        SpnerError: a name is mapped to what is no label.
    """

    names: tuple[str, ...] = LABELS
    mapping: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for old, new in self.mapping.items():
            if new not in (*self.names, NO_ENTITY):
                raise SpnerError(
                    f"--map {old}={new}: expected one of the labels {', '.join(self.names)}, or {NO_ENTITY} to leave "
                    f"{old} out{nearest(new, self.names)}"
                )

    def as_json(self) -> dict[str, Any]:
        """Return it as a record holds it."""
        return {"names": list(self.names), "map": dict(sorted(self.mapping.items()))}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "LabelSet":
        """Return what :meth:`as_json` gave.

        Raises:
            KeyError, TypeError, ValueError, SpnerError: it is malformed.
        """
        return cls(tuple(found["names"]), dict(found["map"]))

    def find(self, name: str) -> str | None:
        """Return the label that a name means, None if it means none of them."""
        new = self.mapping.get(name)
        if new or name in self.names:
            return None if new == NO_ENTITY else new or name
        key = name.upper().removesuffix(".NAM")
        same = next((group for group in SPELLINGS if key in group), (key,))
        return next((label for spelling in same for label in self.names if label.upper() == spelling), None)

    def rename(self, transcript: Transcript) -> Transcript:
        """Return a transcript with the entities that mean one of the labels, called so."""
        found = ((entity, self.find(entity.label)) for entity in transcript.entities)
        return Transcript(transcript.words, tuple(replace(entity, label=label) for entity, label in found if label))


def require_labels(found: Iterable[str], labels: LabelSet, *, where: str) -> None:
    """Tell which names of labels are read as others; refuse names of which none is one of the labels.

    Args:
        found: names in a file or of a tagger; there may be none.
        labels: the recipe's.
        where: the file or tagger.

    Raises:
        SpnerError: none of the names is one of the labels.
    """
    distinct = sorted(set(found))
    means = {name: labels.find(name) for name in distinct}
    if distinct and not any(means.values()):
        raise SpnerError(
            f"{where}: has entities {', '.join(distinct)} (expected {', '.join(labels.names)}); say which is which, "
            f"such as --map {distinct[0]}={labels.names[0]}, or give other --labels"
        )
    renamed = [f"{name} as {label}" for name, label in means.items() if label not in (None, name)]
    if renamed:
        log.info("%s: reads %s; --map OLD=NEW says otherwise", where, ", ".join(renamed))


def rename_entities(transcripts: Iterable[Transcript], labels: LabelSet, *, where: str) -> list[Transcript]:
    """Return the transcripts with entities of the recipe's labels alone; a warning counts those left out.

    Args:
        transcripts: with labels of any name.
        labels: the recipe's.
        where: what the entities are from.
    """
    left_out: Counter[str] = Counter()
    renamed = []
    for transcript in transcripts:
        left_out.update(entity.label for entity in transcript.entities if labels.find(entity.label) is None)
        renamed.append(labels.rename(transcript))
    meant = {name for name in left_out if labels.mapping.get(name) == NO_ENTITY}
    if meant:
        log.info("%s: left out, as labels that are none: %s", where, _count(left_out, meant))
    if left_out.keys() - meant:
        log.warning(
            "%s: entities left out, of labels that are not %s: %s; --map OLD=NEW keeps them",
            where,
            ", ".join(labels.names),
            _count(left_out, left_out.keys() - meant),
        )
    return renamed


def _count(found: Mapping[str, int], names: Iterable[str]) -> str:
    return ", ".join(f"{found[name]} {name}" for name in sorted(names))


def adopt(transcripts: Sequence[Transcript], labels: LabelSet, *, where: str) -> list[Transcript]:
    """Do :func:`require_labels` and :func:`rename_entities` with the entities of a file."""
    require_labels((entity.label for one in transcripts for entity in one.entities), labels, where=where)
    return rename_entities(transcripts, labels, where=where)
