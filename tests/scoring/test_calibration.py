"""Calibration: its laws, data whose answer is known, and the expected calibration error by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spner.core.datatypes import Entity, Timing, Transcript
from spner.scoring.calibration import (
    Calibration,
    TimingCalibration,
    compute_ece,
    fit_calibration,
    judge_entities,
    judge_words,
)
from spner.scoring.transcripts import Pair

chances = st.floats(0, 1)


def draw(calibration: Calibration, num: int) -> tuple[list[float], list[bool]]:
    """Return raw confidences and outcomes that come true as often as ``calibration`` says."""
    rng = np.random.default_rng(1)
    raw = rng.beta(4, 1, num).tolist()
    return raw, (rng.random(num) < calibration.apply(raw)).tolist()


@pytest.mark.parametrize("slope, intercept", [(1.0, 0.0), (0.5, -0.5), (3.0, 1.0)])
def test_the_calibration_that_made_the_data_is_found(slope: float, intercept: float) -> None:
    raw, right = draw(Calibration(slope, intercept), 20_000)
    found = fit_calibration(raw, right)
    assert found.slope == pytest.approx(slope, abs=0.1) and found.intercept == pytest.approx(intercept, abs=0.1)
    assert compute_ece(found.apply(raw), right) < 0.01


def test_overconfident_data_are_mended_where_they_were_not_fitted() -> None:
    raw, right = draw(Calibration(0.5, -1.0), 4000)
    found = fit_calibration(raw[:2000], right[:2000])
    assert compute_ece(raw[2000:], right[2000:]) > 0.2
    assert compute_ece(found.apply(raw[2000:]), right[2000:]) < 0.04


@given(st.lists(st.tuples(chances, st.booleans()), min_size=1, max_size=30), st.lists(chances, min_size=2, max_size=9))
def test_order_stays_and_chances_are_chances(examples: list[tuple[float, bool]], raw: list[float]) -> None:
    found = fit_calibration(*zip(*examples, strict=True))
    calibrated = found.apply(sorted(raw))
    assert list(calibrated) == sorted(calibrated)
    assert all(0 <= chance <= 1 for chance in calibrated)


@pytest.mark.parametrize(
    ("raw", "right", "chance"),
    [
        pytest.param([0.5, 0.9, 1.0], [True, True, True], 4 / 5, id="all right"),
        pytest.param([0.5, 0.9, 0.0], [False, False, False], 1 / 5, id="all wrong"),
        pytest.param([0.7, 0.7], [True, False], 1 / 2, id="equal confidences"),
        pytest.param([0.1, 0.2, 0.8, 0.9], [True, True, False, False], 1 / 2, id="the wrong way round"),
    ],
)
def test_data_that_tell_nothing_of_the_order_give_one_chance(
    raw: list[float], right: list[bool], chance: float
) -> None:
    assert fit_calibration(raw, right).apply(raw) == pytest.approx([chance] * len(raw), abs=1e-4)


def test_confidences_that_part_right_from_wrong_stay_inside_0_and_1() -> None:
    low, high = fit_calibration([0.2] * 5 + [0.9] * 5, [False] * 5 + [True] * 5).apply([0.2, 0.9])
    assert low == pytest.approx(1 / 7, abs=1e-4) and high == pytest.approx(6 / 7, abs=1e-4)


def test_without_an_example_nothing_changes() -> None:
    assert fit_calibration([], []) == Calibration()
    assert Calibration().apply([0.25, 0.75]) == pytest.approx([0.25, 0.75])
    assert Calibration(2.0, 1.0).apply([]) == ()


def test_a_calibration_cannot_reverse_the_order() -> None:
    with pytest.raises(ValueError, match="slope -1 is negative"):
        Calibration(-1, 0)


@pytest.mark.parametrize(
    ("confidences", "right", "expected"),
    [
        pytest.param([0.95, 0.95], [True, True], 0.05, id="one bin"),
        pytest.param([0.9, 0.9, 0.9, 0.9], [True, True, True, False], 0.15, id="too sure"),
        pytest.param([0.25, 0.25, 1.0, 1.0], [False, True, True, True], 0.125, id="two bins"),
        pytest.param([0.5, 0.5], [True, False], 0.0, id="a fair coin"),
        pytest.param([0.0, 1.0], [False, True], 0.0, id="certain and right"),
        pytest.param([0.0, 1.0], [True, False], 1.0, id="certain and wrong"),
        pytest.param([], [], None, id="nothing"),
    ],
)
def test_ece(confidences: list[float], right: list[bool], expected: float | None) -> None:
    assert compute_ece(confidences, right) == pytest.approx(expected)


def make_pair(ref: str, refs: list[Entity], hyp: str, hyps: list[Entity]) -> Pair:
    return Pair(ref=Transcript(tuple(ref.split()), tuple(refs)), hyp=Transcript(tuple(hyp.split()), tuple(hyps)))


@pytest.mark.parametrize(
    ("ref", "hyp", "expected"),
    [
        ("a b c", "a b c", [True, True, True]),
        ("a b c", "a x c", [True, False, True]),
        ("a c", "a b c", [True, False, True]),
        ("a b c", "c", [True]),
        ("a", "", []),
        ("", "a", [False]),
    ],
)
def test_a_word_is_right_where_the_alignment_says_so(ref: str, hyp: str, expected: list[bool]) -> None:
    assert judge_words(make_pair(ref, [], hyp, [])) == expected


@pytest.mark.parametrize(
    ("hyps", "expected"),
    [
        pytest.param([Entity(0, 1, "LOC"), Entity(2, 3, "LOC")], [True, True], id="both"),
        pytest.param([Entity(2, 3, "LOC")], [True], id="phrase, not place"),
        pytest.param([Entity(0, 1, "PER"), Entity(2, 3, "LOC")], [False, True], id="label"),
        pytest.param([Entity(0, 2, "LOC")], [False], id="boundary"),
        pytest.param([], [], id="none"),
    ],
)
def test_an_entity_is_right_in_the_sense_of_f1(hyps: list[Entity], expected: list[bool]) -> None:
    refs = [Entity(0, 1, "LOC"), Entity(2, 3, "LOC")]
    assert judge_entities(make_pair("delft of delft", refs, "delft of delft", hyps)) == expected


def test_a_mention_too_many_is_wrong() -> None:
    hyps = [Entity(0, 1, "LOC"), Entity(2, 3, "LOC")]
    pair = make_pair("delft is delft", hyps[:1], "delft is delft", hyps)
    assert judge_entities(pair) == [True, False]


def test_words_and_entities_have_their_own_calibration_and_times_stay() -> None:
    timing = Timing(((0.0, 0.5),), (0.5,), (0.5,))
    calibrated = TimingCalibration(Calibration(1.0, 100.0), Calibration(0.0, 0.0)).apply(timing)
    assert calibrated == Timing(((0.0, 0.5),), (1.0,), (0.5,))
