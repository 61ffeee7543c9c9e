"""The bootstrap: slow counterparts on the same draws, simulated corpora whose true score is known, and p-values."""

from random import Random

import numpy as np
import pytest

from spner.scoring import significance
from spner.scoring.counts import Columns, Table
from spner.scoring.significance import (
    SEED,
    compare_systems,
    compute_intervals,
    draw_totals,
    p_value,
    percentile_interval,
    sum_groups,
)
from tests.scoring.texts import count_texts

NAMES = frozenset({"wer", "f1", "label_f1"})


def test_speakers_rows_are_the_sums_of_their_utterances() -> None:
    rows = np.array([[1, 2], [10, 20], [100, 200]], dtype=np.int32)
    assert sum_groups(rows, ["b", "a", "b"]).tolist() == [[10, 20], [101, 202]]


def test_intervals_equal_a_bootstrap_that_scores_the_texts_of_each_draw() -> None:
    random = Random(1)
    refs = ["<PER> jan </NE> ziet rom", "<LOC> new york </NE>", "<LOC> rom </NE> en <PER> piet </NE>", "o", ""]
    hyps = ["<PER> jan </NE> ziet <LOC> rom </NE>", "new <LOC> york </NE>", "", "x <PER> o"]
    pairs = [(random.choice(refs), random.choice([*refs, *hyps])) for _ in range(12)]
    num_draws = 40
    table, _ = count_texts(ref=[ref for ref, _ in pairs], hyp=[hyp for _, hyp in pairs])
    drawn = np.random.default_rng([SEED, 0]).integers(len(pairs), size=(num_draws, len(pairs)))
    f1s, wers = [], []
    for utterances in drawn:
        again, _ = count_texts(ref=[pairs[i][0] for i in utterances], hyp=[pairs[i][1] for i in utterances])
        columns, totals = again.columns, again.totals()
        counts = columns.matches(totals, "f1").values()
        tp, wrong = sum(c.tp for c in counts), sum(c.fp + c.fn for c in counts)
        f1s.append(2 * tp / (2 * tp + wrong))
        wers.append(columns.word_errors(totals, "wer").rate)
    found = compute_intervals([table], num_draws=num_draws)
    for name, values in (("f1", f1s), ("wer", wers)):
        assert found[name] == pytest.approx([middle(values, 0.025), middle(values, 0.975)], abs=1e-12)
        assert found[name][0] < found[name][1]


def middle(values: list[float], share: float) -> float:
    """Return the value below which the share lies, between two values in proportion."""
    place = share * (len(values) - 1)
    below, above = sorted(values)[int(place)], sorted([*values, max(values)])[int(place) + 1]
    return below + (place - int(place)) * (above - below)


def test_few_draws_at_once_are_the_same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(1).integers(9, size=(10, 3))
    whole = draw_totals([rows], num_draws=7)
    monkeypatch.setattr(significance, "CHUNK", 20)
    assert (draw_totals([rows], num_draws=7) == whole).all()


def make_rows(rng: np.random.Generator, num_utts: int, num_found: np.ndarray) -> np.ndarray:
    """Return rows of utterances with five reference entities of which ``num_found`` are, and no other is, found."""
    columns = Columns(["PER"])
    rows = np.zeros((num_utts, columns.width), dtype=np.int32)
    start = columns.start[("f1", "PER")]
    rows[:, start], rows[:, start + 2] = num_found, 5 - num_found
    start = columns.start[("wer",)]
    rows[:, start], rows[:, start + 3] = rng.binomial(10, 0.2, num_utts), 10
    return rows


def test_interval_covers_the_truth_in_95_of_100_corpora() -> None:
    rng = np.random.default_rng(7)
    num_corpora, num_covered = 300, {"wer": 0, "f1": 0}
    # Of 5 entities, 4 are found on average: half of the utterances at 0.65, half at 0.95, so that they hang together.
    truth = {"wer": 0.2, "f1": 2 * 0.8 / (2 * 0.8 + 0.2)}
    for _ in range(num_corpora):
        found = rng.binomial(5, rng.choice([0.65, 0.95], size=120))
        intervals = compute_intervals([Table(Columns(["PER"]), make_rows(rng, 120, found), NAMES)], num_draws=300)
        for name in num_covered:
            low, high = intervals[name]
            num_covered[name] += low <= truth[name] <= high
    for count in num_covered.values():
        assert 0.90 < count / num_corpora < 0.985


def test_interval_narrows_with_the_root_of_the_corpus() -> None:
    rng = np.random.default_rng(7)
    widths = []
    for num_utts in (100, 400):
        rows = make_rows(rng, num_utts, rng.binomial(5, 0.8, num_utts))
        low, high = compute_intervals([Table(Columns(["PER"]), rows, NAMES)], num_draws=500)["f1"]
        widths.append(high - low)
    assert 1.6 < widths[0] / widths[1] < 2.4


def compare_rows(*systems: list[np.ndarray], num_draws: int = 500) -> dict[str, np.ndarray]:
    named = dict(zip("ab", systems, strict=True))
    compared = compare_systems(Columns(["PER"]), named, NAMES, num_draws=num_draws)
    return {name: b - a for name, (a, b) in compared.items()}


def test_identical_systems_have_p_1_and_no_difference() -> None:
    rng = np.random.default_rng(7)
    rows = make_rows(rng, 50, rng.binomial(5, 0.8, 50))
    differences = compare_rows([rows], [rows])
    for name in ("wer", "f1", "macro_f1", "f1.PER"):
        assert p_value(differences[name]) == 1.0
        assert percentile_interval(differences[name]) == [0.0, 0.0]


def test_clearly_better_system_has_a_small_p_in_both_directions() -> None:
    rng = np.random.default_rng(7)
    found = rng.binomial(4, 0.7, 100)
    worse, better = make_rows(rng, 100, found), make_rows(rng, 100, found + 1)
    assert p_value(compare_rows([worse], [better])["f1"]) == p_value(compare_rows([better], [worse])["f1"]) == 2 / 501


def test_pairing_shows_what_two_intervals_hide() -> None:
    rng = np.random.default_rng(7)
    found = rng.choice([0, 4], size=60)
    improved = rng.random(60) < 0.2
    one, other = make_rows(rng, 60, found), make_rows(rng, 60, found + improved)
    (low, high), (other_low, _) = (
        compute_intervals([Table(Columns(["PER"]), rows, NAMES)], num_draws=500)["f1"] for rows in (one, other)
    )
    assert other_low < high
    assert p_value(compare_rows([one], [other])["f1"]) < 0.01


def test_no_difference_is_found_about_as_often_as_chance_allows() -> None:
    rng = np.random.default_rng(7)
    num_corpora = 200
    num_found = 0
    for _ in range(num_corpora):
        chance = rng.choice([0.65, 0.95], size=100)
        systems = [[make_rows(rng, 100, rng.binomial(5, chance))] for _ in range(2)]
        num_found += p_value(compare_rows(*systems, num_draws=300)["f1"]) < 0.05
    assert 0.01 < num_found / num_corpora < 0.10


def test_seeds_are_drawn_as_a_whole() -> None:
    # One seed finds everything, the other nothing: three quarters of the draws of two seeds do not hold them once each.
    rng = np.random.default_rng(7)
    seeds = [make_rows(rng, 40, np.full(40, found)) for found in (0, 5)]
    totals = draw_totals(seeds, num_draws=400)
    recall = Columns(["PER"]).matches(totals, "f1")["PER"].recall
    shares = [float(np.mean(recall == value)) for value in (0.0, 0.5, 1.0)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.08)
    assert sum(shares) == 1.0


def test_systems_of_one_and_of_several_seeds_share_the_utterances_drawn() -> None:
    rng = np.random.default_rng(7)
    rows = make_rows(rng, 50, rng.binomial(5, 0.8, 50))
    assert not compare_rows([rows], [rows, rows, rows])["wer"].any()


def test_two_systems_draw_their_seeds_apart() -> None:
    """Seed 1 of a system has nothing to do with seed 1 of another: sharing them would hide how much seeds differ."""
    rng = np.random.default_rng(7)
    seeds = [make_rows(rng, 40, np.full(40, found)) for found in (0, 5)]
    # Both systems take the bad seed twice, either once, or the good one twice in 1/16 + 1/4 + 1/16 of the draws.
    same = compare_rows(seeds, seeds)["f1"] == 0
    assert float(np.mean(same)) == pytest.approx(0.375, abs=0.08)


def test_percentiles_of_the_draws_that_are_defined() -> None:
    draws = np.array([np.nan, *np.linspace(0, 1, 41), np.nan])
    assert percentile_interval(draws) == pytest.approx([0.025, 0.975])
    assert percentile_interval(np.array([np.nan])) is None
    assert percentile_interval(np.array([])) is None


# Differences -> p-value.
P_VALUES = {
    "all above": ([1.0] * 99, 2 / 100),
    "all below": ([-1.0] * 99, 2 / 100),
    "one of 99 on the other side": ([1.0] * 98 + [-1.0], 4 / 100),
    "as many above as below": ([1.0, -1.0] * 50, 1.0),
    "no difference": ([0.0] * 9, 1.0),
    "no difference counts on both sides": ([1.0] * 96 + [0.0] * 3, 8 / 100),
    "undefined draws are left out": ([1.0] * 99 + [np.nan] * 50, 2 / 100),
    "none defined": ([np.nan], None),
    "no draw": ([], None),
}


@pytest.mark.parametrize("case", P_VALUES)
def test_p_value(case: str) -> None:
    differences, expected = P_VALUES[case]
    assert p_value(np.array(differences)) == expected
