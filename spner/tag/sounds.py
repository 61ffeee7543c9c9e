"""A recording as a stream -> the sounds in it, piece by piece, by a detector that tells them from pauses."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spner.data.audio import SAMPLE_RATE_HZ

UNIT = 512  # samples that a detector judges at once, 32 ms


class Detector(Protocol):
    """Tells sounds from pauses, or speech from what is none.

    Attributes:
        ahead: units that it must have heard after those that it is asked about.
    """

    ahead: int

    def push(self, block: np.ndarray) -> None:
        """Hear the next samples (num_samples,) at 16 kHz."""
        ...

    def is_sound(self, first: int, end: int) -> np.ndarray:
        """Return whether each of the units ``[first, end)`` belongs to a sound."""
        ...


def units(seconds: float) -> int:
    """Return seconds as units."""
    return round(seconds * SAMPLE_RATE_HZ / UNIT)


def blank_runs(blank: np.ndarray) -> list[tuple[int, int]]:
    """Return the half-open ranges of true values in an array (T,) of booleans."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], blank, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


@dataclass(frozen=True)
class Piece:
    """A piece of a sound.

    Attributes:
        start_s: where the recording has its first sample, seconds.
        samples: (num_samples,) at 16 kHz.
        ends: whether the sound ends with it.
    """

    start_s: float
    samples: np.ndarray
    ends: bool


def find_sounds(blocks: Iterable[np.ndarray], detector: Detector) -> Iterator[Piece]:
    """Yield the pieces of a recording's sounds, in order; they are the same, joined, for any blocks."""
    buffer, first = np.zeros(0, np.float32), 0
    for block in blocks:
        detector.push(block)
        buffer = np.concatenate([buffer, block])
        num_units = len(buffer) // UNIT - detector.ahead - 1  # whether a sound ends is seen in the unit after it
        if num_units > 0:
            yield from _cut(buffer, first, detector.is_sound(first, first + num_units + 1), num_units)
            buffer, first = buffer[num_units * UNIT :], first + num_units
    num_units = -(-len(buffer) // UNIT)
    if num_units:
        yield from _cut(buffer, first, np.append(detector.is_sound(first, first + num_units), False), num_units)


def _cut(buffer: np.ndarray, first: int, sound: np.ndarray, num_units: int) -> Iterator[Piece]:
    """Yield the pieces in the first ``num_units`` of a buffer; ``sound`` tells of one unit more."""
    for start, end in blank_runs(sound[:num_units]):
        samples = buffer[start * UNIT : end * UNIT]
        yield Piece((first + start) * UNIT / SAMPLE_RATE_HZ, samples, not sound[end])
