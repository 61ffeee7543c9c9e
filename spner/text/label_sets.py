"""Published sets of labels, by name: OntoNotes' 18, and the 7 into which SLUE combines them.

The combination is that of slue-toolkit (``slue_toolkit/generic_utils.py``; Shon et al. 2022), which leaves FAC, EVENT,
WORK_OF_ART, PRODUCT and LANGUAGE out on both sides. MSNER spells the same labels out: :data:`MSNER_NAMES`.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from spner.text.labels import NO_ENTITY, LabelSet, parse_labels

SLUE_COMBINED: Mapping[str, str] = MappingProxyType(
    {
        "CARDINAL": "QUANT",
        "DATE": "WHEN",
        "EVENT": NO_ENTITY,
        "FAC": NO_ENTITY,
        "GPE": "PLACE",
        "LANGUAGE": NO_ENTITY,
        "LAW": "LAW",
        "LOC": "PLACE",
        "MONEY": "QUANT",
        "NORP": "NORP",
        "ORDINAL": "QUANT",
        "ORG": "ORG",
        "PERCENT": "QUANT",
        "PERSON": "PERSON",
        "PRODUCT": NO_ENTITY,
        "QUANTITY": "QUANT",
        "TIME": "WHEN",
        "WORK_OF_ART": NO_ENTITY,
    }
)
"""What SLUE makes of each label of OntoNotes; ``O`` is none."""
ONTONOTES = tuple(SLUE_COMBINED)
SLUE = tuple(sorted({*SLUE_COMBINED.values()} - {NO_ENTITY}))

MSNER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "cardinal_number": "CARDINAL",
        "date": "DATE",
        "event": "EVENT",
        "facility": "FAC",
        "geopolitical_area": "GPE",
        "language": "LANGUAGE",
        "law": "LAW",
        "location": "LOC",
        "money": "MONEY",
        "group": "NORP",
        "ordinal_number": "ORDINAL",
        "organization": "ORG",
        "percent": "PERCENT",
        "person": "PERSON",
        "product": "PRODUCT",
        "quantity": "QUANTITY",
        "time": "TIME",
        "work_of_art": "WORK_OF_ART",
        "place": "PLACE",
        "quant": "QUANT",
        "when": "WHEN",
    }
)
"""MSNER's names of both sets (``data/*-ontonotes-v1.jsonl`` and ``*-combined-v1.jsonl`` of its repository); other files
of it have spaces for ``_``."""

LABEL_SETS: Mapping[str, LabelSet] = MappingProxyType(
    {
        "slue": LabelSet(SLUE, MappingProxyType({old: new for old, new in SLUE_COMBINED.items() if old not in SLUE})),
        "ontonotes": LabelSet(ONTONOTES),
    }
)
"""What may stand for a list of labels."""


def are_combined(names: Collection[str]) -> bool:
    """Whether labels are SLUE's combined ones, by those that only they have: PLACE, QUANT, WHEN."""
    return not (set(SLUE) - set(ONTONOTES)).isdisjoint(names)


def choose_labels(text: str, mapping: Mapping[str, str], *, where: str) -> LabelSet:
    """Return a published set by its name, or the labels of a list separated by spaces.

    Args:
        text: name or list.
        mapping: other names that mean one of the labels, or ``O``; they come before those of a published set.
        where: what an error names: an option, or file and line.

    Raises:
        SpnerError: the list or the mapping is none.
    """
    published = LABEL_SETS.get(text.strip())
    if published is None:
        return LabelSet(parse_labels(text, where=where), mapping)
    return LabelSet(published.names, MappingProxyType({**published.mapping, **mapping}))
