"""Presets: all that a benchmark's authors score by, under one name, so that a number can stand beside theirs.

``slue``: SLUE-VoxPopuli's 7 combined labels, into which OntoNotes' 18 are read; FAC, EVENT, WORK_OF_ART, PRODUCT and
LANGUAGE are left out on both sides; ``'s`` is a word of its own; a new opening symbol discards an open entity.
``slue_raw``: the same with the 18 labels. With either, ``f1`` and ``label_f1`` are the micro-averaged numbers that
slue-toolkit prints (``slue_toolkit/eval/eval_w2v_ner.py``, arXiv 2111.10367, section 3.2).
"""

from collections.abc import Mapping

from spner.core.errors import SpnerError, nearest
from spner.scoring.rules import Rules
from spner.text.label_sets import LABEL_SETS
from spner.text.labels import NO_ENTITY

PRESETS = {"slue": LABEL_SETS["slue"], "slue_raw": LABEL_SETS["ontonotes"]}
POLICY = "discard"


def preset_rules(name: str, lang: str | None, mapping: Mapping[str, str]) -> Rules:
    """Return the rules of a preset.

    Args:
        name: one of :data:`PRESETS`.
        lang: as :class:`Rules` has it; slue-toolkit normalises nothing.
        mapping: further names of labels, such as those of a model of PER, ORG, LOC; they come before the preset's.

    Raises:
        SpnerError: a further name is mapped to what is no label of the preset.
    """
    labels = PRESETS[name]
    for old, new in mapping.items():
        if new not in labels.names:
            raise SpnerError(
                f"--map {old}={new}: is no label of --preset {name} (expected {', '.join(labels.names)})"
                f"{nearest(new, labels.names)}"
            )
    names = {**labels.mapping, **mapping}
    renamed = {old: new for old, new in names.items() if new != NO_ENTITY}
    return Rules(lang, labels.names, renamed, frozenset(names) - renamed.keys(), POLICY, split_s=True)
