import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spner.core.errors import SpnerError
from spner.mini.international import International, read_international
from spner.mini.shares import draw_shared, parse_shares

LANGUAGES = ("nl", "de", "en")
NAMES = tuple({"nl": f"nl{n}", "de": f"de{n}", "en": f"en{n}"} for n in range(20))
SMALL = International("names.yaml", LANGUAGES, {"LOC": ({"nl": "Den Haag", "de": "Den Haag"}, *NAMES)}, {}, "")


def test_a_group_is_its_languages_in_alphabetical_order() -> None:
    assert parse_shares(["nl+de+en=0.2", "nl+de=.25"], SMALL) == {"de+en+nl": 0.2, "de+nl": 0.25}
    assert parse_shares([], SMALL) == {}


def test_shares_of_a_language_may_add_up_to_one() -> None:
    # Added up as floats they are more than that.
    assert len(parse_shares(["nl+de=0.33", "nl+en=0.56", "nl+de+en=0.11"], SMALL)) == 3


FORM = "expected different languages and the share of their names that they have in common, such as nl+de=0.2"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["nl+de"], f'--share "nl+de": {FORM}', id="no share"),
        pytest.param(["nl=0.2"], f'--share "nl=0.2": {FORM}', id="one language"),
        pytest.param(["nl+nl=0.2"], f'--share "nl+nl=0.2": {FORM}', id="one language twice"),
        pytest.param(["nl+de=-0.2"], f'--share "nl+de=-0.2": {FORM}', id="negative"),
        pytest.param(["nl+de=nan"], f'--share "nl+de=nan": {FORM}', id="not a number"),
        pytest.param(["nl+de=0.2\n"], f'--share "nl+de=0.2\\n": {FORM}', id="line end"),
        pytest.param(
            ["nl+dee=0.2"],
            '--share "nl+dee=0.2": no international names in "dee"; did you mean "de"? (expected one of nl, de, en); '
            "add them to names.yaml",
            id="unknown language",
        ),
        pytest.param(
            ["nl+de=0.2", "de+nl=0.3"],
            '--share "de+nl=0.3": de+nl has a share already (expected each group once)',
            id="a group twice",
        ),
        pytest.param(
            ["nl+de=0.6", "nl+en=0.6"],
            "--share: the shares of nl add up to 1.2 (expected 1 at most); lower them",
            id="more than everything",
        ),
    ],
)
def test_malformed_shares(options: list[str], message: str) -> None:
    with pytest.raises(SpnerError) as error:
        parse_shares(options, SMALL)
    assert str(error.value) == message


@given(st.lists(st.sampled_from(["de+nl", "en+nl", "de+en", "de+en+nl"]), unique=True), st.integers(0, 5))
def test_the_languages_of_a_group_get_the_same_names_and_groups_different_ones(groups: list[str], seed: int) -> None:
    shares = dict.fromkeys(groups, 0.25)
    drawn = {lang: draw_shared(SMALL, shares, {"LOC": 20}, lang=lang, seed=seed)["LOC"] for lang in LANGUAGES}
    numbers = {lang: {name.removeprefix(lang) for name in names} for lang, names in drawn.items()}
    for lang in LANGUAGES:
        assert len(numbers[lang]) == len(drawn[lang]) == 5 * sum(lang in group for group in groups)
    for one, two in itertools.combinations(LANGUAGES, 2):
        assert len(numbers[one] & numbers[two]) == 5 * sum(one in group and two in group for group in groups)


def test_a_language_never_gets_a_name_that_it_does_not_know() -> None:
    drawn = draw_shared(SMALL, {"de+en+nl": 1.0}, {"LOC": 20}, lang="nl", seed=1)
    assert "Den Haag" not in drawn["LOC"] and len(drawn["LOC"]) == 20
    assert "Den Haag" in draw_shared(SMALL, {"de+nl": 1.0}, {"LOC": 21}, lang="nl", seed=1)["LOC"]


@pytest.mark.parametrize(
    ("shares", "size", "message"),
    [
        pytest.param(
            {"de+en+nl": 0.5, "de+nl": 0.5},
            24,
            "--share de+nl=0.5: asks for 12 LOC names (found 9 left); lower the shares or add names to names.yaml",
            id="too few names",
        ),
        pytest.param(
            {"de+nl": 0.35, "en+nl": 0.35, "de+en+nl": 0.3},
            2,
            "--share: the shares of nl, rounded, are 3 of 2 LOC names; lower one of them",
            id="rounded up",
        ),
    ],
)
def test_shares_that_cannot_be_served(shares: dict[str, float], size: int, message: str) -> None:
    with pytest.raises(SpnerError) as error:
        draw_shared(SMALL, shares, {"LOC": size}, lang="nl", seed=1)
    assert str(error.value) == message


def test_our_file_serves_three_groups() -> None:
    shares = {"de+nl": 0.2, "en+nl": 0.2, "de+en+nl": 0.2}
    drawn = draw_shared(read_international(), shares, {"PER": 40, "ORG": 20, "LOC": 30}, lang="nl", seed=1)
    assert {label: len(names) for label, names in drawn.items()} == {"PER": 24, "ORG": 12, "LOC": 18}
