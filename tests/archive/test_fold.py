"""What counts as the same text."""

import pytest

from spner.archive.fold import fold


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("München", "munchen"),
        ("MU\u0308NCHEN", "munchen"),
        ("Straße", "strasse"),
        ("Jean-Luc  O’Brien!", "jean luc o brien"),
        ("Ρώμη", "ρωμη"),
        ("हिन्दी", "हिन्दी"),  # vowels of Indic scripts are marks, too, and stay
        ("G20", "g20"),
        ("?!", ""),
    ],
)
def test_case_diacritics_and_punctuation_do_not_count(text: str, folded: str) -> None:
    assert fold(text) == folded
