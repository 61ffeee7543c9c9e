"""Shares of counts, of one corpus or of many bootstrap draws at once."""

from typing import Any

import numpy as np

Count = Any
"""A count, int, or the counts of many draws: (draws,) int64. (A union would have to be taken apart by all who add.)"""

Ratio = Any
"""A share, None where it is undefined; of many draws (draws,) float64, NaN where a draw says nothing about it."""


def divide(numerator: Count, denominator: Count, *, empty: float | None) -> Ratio:
    """Return the ratio; where the denominator is 0, ``empty`` of a corpus and NaN of draws.

    A draw without any entity, for example, says nothing about F1 and must not widen its interval to 0.
    """
    if not isinstance(denominator, np.ndarray):
        return numerator / denominator if denominator else empty
    return np.divide(numerator, denominator, out=np.full(denominator.shape, np.nan), where=denominator != 0)
