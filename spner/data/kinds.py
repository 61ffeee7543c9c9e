"""Whose entities a set has: people's (gold), those of a tagger that came with the corpus (silver), or our tagger's.

Stage 1's report says it of the entities that came with a corpus, ``"entities": "gold"`` or ``"silver"`` of each set;
stage 2 may have given a set others, which ``annotate.json`` says.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spner.core.datatypes import GOLD, SILVER
from spner.core.files import read_json
from spner.core.paths import ANNOTATE_RECORD


def kind_of_set(report: Mapping[str, Any], set_name: str) -> str:
    """Return whether the entities that came with a set are gold or silver.

    Reports of earlier versions do not say it; no corpus had gold entities of its own then.
    """
    return report["sets"].get(set_name, {}).get("entities") or SILVER


def is_gold(report: Mapping[str, Any], folder: Path) -> bool:
    """Whether the entities that a set is trained on and scored against are the corpus's own gold ones."""
    record = folder / ANNOTATE_RECORD
    own = record.is_file() and read_json(record).get("tagger") is None
    return own and kind_of_set(report, folder.name) == GOLD


def tell_kinds(report: Mapping[str, Any]) -> str:
    """Return ``gold in test; silver in train, dev``; empty where no entities came with the corpus."""
    sets = {
        kind: [name for name, one in report["sets"].items() if one.get("entities") == kind] for kind in (GOLD, SILVER)
    }
    return "; ".join(f"{kind} in {', '.join(names)}" for kind, names in sets.items() if names)
