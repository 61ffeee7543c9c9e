"""The published label sets: what each label of OntoNotes means in SLUE's, and their names where a list is expected."""

import pytest

from spner.core.errors import SpnerError
from spner.text.label_sets import MSNER_NAMES, ONTONOTES, SLUE, SLUE_COMBINED, choose_labels


def test_slue_combines_as_its_authors_do() -> None:
    """As ``raw_to_combined_tag_map`` of slue-toolkit does."""
    combined = {new: sorted(old for old in SLUE_COMBINED if SLUE_COMBINED[old] == new) for new in (*SLUE, "O")}
    assert combined == {
        "LAW": ["LAW"],
        "NORP": ["NORP"],
        "ORG": ["ORG"],
        "PERSON": ["PERSON"],
        "PLACE": ["GPE", "LOC"],
        "QUANT": ["CARDINAL", "MONEY", "ORDINAL", "PERCENT", "QUANTITY"],
        "WHEN": ["DATE", "TIME"],
        "O": ["EVENT", "FAC", "LANGUAGE", "PRODUCT", "WORK_OF_ART"],
    }
    assert len(ONTONOTES) == 18


def test_msner_has_a_name_for_each_label_of_both_sets() -> None:
    assert sorted(MSNER_NAMES.values()) == sorted({*ONTONOTES, *SLUE})


def test_a_set_by_its_name() -> None:
    slue = choose_labels(" slue ", {"EVENT": "WHEN"}, where="--labels")
    found = {name: slue.find(name) for name in ("GPE", "TIME", "MONEY", "FAC", "EVENT", "PLACE", "NORP", "PER")}
    assert found == {
        **{"GPE": "PLACE", "TIME": "WHEN", "MONEY": "QUANT", "FAC": None, "EVENT": "WHEN"},
        **{"PLACE": "PLACE", "NORP": "NORP", "PER": "PERSON"},
    }
    assert choose_labels("ontonotes", {}, where="--labels").names == ONTONOTES


def test_any_other_word_is_a_label() -> None:
    assert choose_labels("slue PER", {}, where="--labels").names == ("slue", "PER")
    with pytest.raises(SpnerError, match="--map GPE=LOC: expected one of the labels LAW, NORP"):
        choose_labels("slue", {"GPE": "LOC"}, where="--labels")
