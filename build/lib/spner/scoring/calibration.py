"""Calibration of confidences: from raw ones to chances of being right; and the expected calibration error.

A confidence c becomes ``1 / (1 + exp(-(slope * logit(c) + intercept)))``: Platt scaling on the logit, that is
temperature scaling with an offset. Two numbers, because a dev set may hold fewer than a hundred entities. The order of
confidences stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spner.core.datatypes import Timing
from spner.scoring.alignment import align
from spner.scoring.errors import match_mentions
from spner.scoring.transcripts import Pair, mentions_of

LEAST = 1e-6  # confidences nearer to 0 or 1 count as this; the logit of 0 or 1 is infinite
NUM_BINS = 10
MAX_STEPS, MAX_STEP = 100, 1.0


@dataclass(frozen=True)
class Calibration:
    """A map from raw to calibrated confidences; by default the identity.

    Raises:
        ValueError: a negative slope: it would reverse the order.
    """

    slope: float = 1.0
    intercept: float = 0.0

    def __post_init__(self) -> None:
        if self.slope < 0:
            raise ValueError(f"slope {self.slope} is negative")

    def apply(self, raw: Sequence[float]) -> tuple[float, ...]:
        """Return the calibrated confidences, 0 to 1."""
        return tuple(_sigmoid(self.slope * _logit(raw) + self.intercept).tolist())


@dataclass(frozen=True)
class TimingCalibration:
    """The calibrations of words and entities."""

    words: Calibration
    entities: Calibration

    @classmethod
    def from_record(cls, fitted: Mapping[str, Any]) -> "TimingCalibration":
        """Return what ``calibration.json`` holds.

        Raises:
            KeyError, TypeError, ValueError: it is malformed.
        """
        maps = (fitted["words"], fitted["entities"])
        return cls(*(Calibration(float(one["slope"]), float(one["intercept"])) for one in maps))

    def apply(self, timing: Timing) -> Timing:
        """Return the timing with calibrated confidences."""
        return Timing(
            timing.word_times,
            self.words.apply(timing.word_confidences),
            self.entities.apply(timing.entity_confidences),
        )


def judge_words(pair: Pair) -> list[bool]:
    """Return for each hypothesis word whether it is right: equal to the reference word it is aligned with."""
    ref, hyp = pair.ref.words, pair.hyp.words
    right = {j for i, j in align(ref=ref, hyp=hyp) if i is not None and j is not None and ref[i] == hyp[j]}
    return [j in right for j in range(len(hyp))]


def judge_entities(pair: Pair) -> list[bool]:
    """Return for each hypothesis entity whether it is right in the sense of F1: label and phrase, one to one."""
    found = match_mentions(ref=mentions_of(pair.ref), hyp=mentions_of(pair.hyp))
    right = {error.hyp for error in found if error.kind == "correct"}
    return [j in right for j in range(len(pair.hyp.entities))]


def fit_calibration(raw: Sequence[float], right: Sequence[bool]) -> Calibration:
    """Return the maximum-likelihood calibration; without any example, the identity.

    Targets are a little inside 0 and 1, as in Platt, so that a solution exists even if all examples are right, or if a
    threshold separates right from wrong. If higher confidences are right less often, the slope is 0.

    Args:
        raw: raw confidences, 0 to 1.
        right: whether each is right.

    Source: Platt 1999, section 2.2, by Newton's method.
    """
    if not len(raw):
        return Calibration()
    num_right = sum(right)
    target_right, target_wrong = (num_right + 1) / (num_right + 2), 1 / (len(right) - num_right + 2)
    targets = np.where(right, target_right, target_wrong)
    inputs = np.stack([_logit(raw), np.ones(len(raw))])  # (2, N)
    weights = _maximise(inputs, targets)
    if weights[0] < 0:
        weights = np.array([0.0, *_maximise(inputs[1:], targets)])
    return Calibration(*weights.tolist())


def _maximise(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the weights (D,) of the logistic regression of ``targets`` (N,) on ``inputs`` (D, N)."""
    weights = np.zeros(len(inputs))
    for _ in range(MAX_STEPS):
        chances = _sigmoid(weights @ inputs)
        gradient = inputs @ (targets - chances)
        # The ridge keeps equal confidences, whose slope is free, solvable; steps are cut for far starts.
        hessian = (inputs * (chances * (1 - chances))) @ inputs.T + 1e-9 * np.eye(len(inputs))
        step = np.linalg.solve(hessian, gradient)
        weights += step * min(1.0, MAX_STEP / max(np.abs(step).max(), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    return weights


def compute_ece(confidences: Sequence[float], right: Sequence[bool]) -> float | None:
    """Return the expected calibration error, 0 to 1, over ten bins of equal width; None without any example.

    It is the mean distance between a bin's confidence and its share of right ones, weighted by the bins' sizes.
    Even perfect confidences have an error above 0; the fewer there are, the larger it is.

    Source: Guo et al. 2017, section 2.
    """
    if not len(confidences):
        return None
    values, truth = np.asarray(confidences, float), np.asarray(right, float)
    bins = np.minimum((values * NUM_BINS).astype(int), NUM_BINS - 1)
    gaps = [abs((values - truth)[bins == one].sum()) for one in range(NUM_BINS)]
    return float(sum(gaps) / len(values))


def _logit(chances: Sequence[float]) -> np.ndarray:
    clipped = np.clip(np.asarray(chances, float), LEAST, 1 - LEAST)
    return np.log(clipped / (1 - clipped))


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(values, -500, 500)))
