"""Shares of counts, of one corpus or of many bootstrap draws at once."""

import numpy as np

Count = int | np.ndarray
"""A count, or the counts of many draws: (draws,) int64."""

Ratio = float | None | np.ndarray
"""A share, None where it is undefined; of many draws (draws,) float64, NaN where it is undefined."""


def divide(numerator: Count, denominator: Count, *, empty: float | None) -> Ratio:
    """Return the ratio, and ``empty`` where the denominator is 0."""
    if not isinstance(denominator, np.ndarray):
        return numerator / denominator if denominator else empty
    filled = np.full(denominator.shape, np.nan if empty is None else empty)
    return np.divide(numerator, denominator, out=filled, where=denominator != 0)
