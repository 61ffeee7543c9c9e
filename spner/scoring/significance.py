"""Intervals and p-values: percentile bootstrap over utterances or speakers (docs/metrics.md, section 7).

A draw takes as many utterances as there are, with replacement, and sums their rows of counts. If a system
has several seeds, a draw also takes as many seeds as there are, with replacement, so that the interval holds for a
training with another seed; two or three seeds underestimate how much seeds vary. Two systems are compared on the same
utterances.

Source: Efron and Tibshirani 1993, chapters 13 and 16; Koehn 2004 for two systems.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from spner.scoring.counts import Columns, Table, compute_scores

SEED = 1
SIGNIFICANT = 0.05
"""A difference with a smaller p-value is marked."""
FEWEST_ENTITIES = 30
"""Scores of fewer entities are not compared: the 95 % interval of a share of 30 reaches 18 points to either side."""
CONFIDENCE = 0.95
CHUNK = 4_000_000
"""Numbers drawn at once, which bounds the memory."""


def sum_groups(rows: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """Return one row a speaker, the sum of the speaker's utterances: (speakers, width)."""
    speakers, inverse = np.unique(np.asarray(groups), return_inverse=True)
    summed = np.zeros((len(speakers), rows.shape[1]), dtype=np.int64)
    np.add.at(summed, inverse, rows)
    return summed


def draw_totals(seeds: Sequence[np.ndarray], *, num_draws: int, seed: int = SEED, system: int = 0) -> np.ndarray:
    """Return the totals of each draw, of one system.

    Args:
        seeds: each seed's rows, (units, width), of the same utterances or speakers.
        num_draws: draws; another call with as many units and draws makes the same ones.
        seed: random seed.
        system: number of the system: systems share the drawn units, but not the drawn seeds.

    Returns:
        (draws, width) float64, whole numbers.
    """
    num_units, width = seeds[0].shape
    stacked = np.concatenate(seeds, axis=1).astype(np.float64)  # (units, seeds * width)
    totals = np.empty((num_draws, len(seeds) * width))
    units, picks = np.random.default_rng(seed), np.random.default_rng([seed, system])
    for first, weights in _draw_weights(units, num_units, num_draws):
        totals[first : first + len(weights)] = weights @ stacked
    # Draws of seeds: how often each seed is taken, (draws, seeds).
    taken = picks.multinomial(len(seeds), [1 / len(seeds)] * len(seeds), size=num_draws)
    return np.einsum("dsw,ds->dw", totals.reshape(num_draws, len(seeds), width), taken)


def _draw_weights(rng: np.random.Generator, num_units: int, num_draws: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the number of a first draw and, from it on, how often each unit is taken: (some draws, units) float64."""
    some = max(1, CHUNK // num_units)
    for first in range(0, num_draws, some):
        draws = (rng.integers(num_units, size=num_units) for _ in range(min(some, num_draws - first)))
        yield first, np.stack([np.bincount(draw, minlength=num_units) for draw in draws]).astype(np.float64)


def compute_intervals(
    tables: Sequence[Table], *, num_draws: int, groups: Sequence[str] | None = None
) -> dict[str, list[float] | None]:
    """Return the 95 % interval ``[low, high]`` of every headline score; None if no draw defines it.

    Args:
        tables: one a seed of the system, all with the same columns.
        num_draws: draws.
        groups: the speaker of each row; None draws utterances.
    """
    rows = [table.rows if groups is None else sum_groups(table.rows, groups) for table in tables]
    totals = draw_totals(rows, num_draws=num_draws)
    scores = compute_scores(tables[0].columns, totals, frozenset.intersection(*(table.names for table in tables)))
    return {name: percentile_interval(draws) for name, draws in scores.items()}


def compare_systems(
    columns: Columns, systems: Mapping[str, Sequence[np.ndarray]], names: frozenset[str], *, num_draws: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return, for every headline score, both systems' values on the same draws, each (draws,)."""
    first, second = (
        compute_scores(columns, draw_totals(seeds, num_draws=num_draws, system=number), names)
        for number, seeds in enumerate(systems.values())
    )
    return {name: (first[name], second[name]) for name in first}


def percentile_interval(draws: np.ndarray) -> list[float] | None:
    """Return the interval that holds the middle 95 % of the draws that are defined; None if none is."""
    defined = draws[~np.isnan(draws)]
    if not len(defined):
        return None
    tail = (1 - CONFIDENCE) / 2
    return [float(bound) for bound in np.quantile(defined, [tail, 1 - tail])]


def p_value(differences: np.ndarray) -> float | None:
    """Return the two-sided p-value of "no difference": twice the share of draws on the rarer side of 0.

    One draw is added to both sides, so that p is never 0;
    draws without any difference count on both sides. None if no draw is defined.
    """
    defined = differences[~np.isnan(differences)]
    if not len(defined):
        return None
    rarer = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
    return min(1.0, 2 * (rarer + 1) / (len(defined) + 1))
