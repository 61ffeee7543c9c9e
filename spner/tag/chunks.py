"""A recording -> chunks of speech of 30 s at most, for recognisers that hear no more at once.

A chunk ends at a pause of a second, or at the last shorter pause before it would be too long; what a voice
activity detector hears no speech in belongs to none. Without a detector everything is speech.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from spner.data.audio import SAMPLE_RATE_HZ
from spner.tag.sounds import UNIT, Detector, blank_runs, units

MAX_CHUNK_S = 29.5
PAUSE_S = 1.0


@dataclass(frozen=True)
class Chunk:
    """Samples (num_samples,) at 16 kHz that begin ``start_s`` seconds after the recording."""

    start_s: float
    waveform: np.ndarray


def cut_chunks(blocks: Iterable[np.ndarray], detector: Detector | None) -> Iterator[Chunk]:
    """Yield the chunks of a recording, in order."""
    longest, pause = units(MAX_CHUNK_S), units(PAUSE_S)
    ahead = detector.ahead if detector else 0
    buffer, first = np.zeros(0, np.float32), 0
    for block in blocks:
        if detector:
            detector.push(block)
        buffer = np.concatenate([buffer, block])
        speech = _find_speech(detector, first, len(buffer) // UNIT - ahead)
        ranges = _merge(blank_runs(speech), pause=pause, longest=longest)
        if ranges and len(speech) - ranges[-1][1] < pause and ranges[-1][1] - ranges[-1][0] < longest:
            open_range: tuple[int, int] | None = ranges.pop()  # it may go on
        else:
            open_range = None
        yield from _take(buffer, first, ranges)
        done = open_range[0] if open_range else max(len(speech), 0)
        buffer, first = buffer[done * UNIT :], first + done
    speech = _find_speech(detector, first, -(-len(buffer) // UNIT))
    yield from _take(buffer, first, _merge(blank_runs(speech), pause=pause, longest=longest))


def _find_speech(detector: Detector | None, first: int, num: int) -> np.ndarray:
    """Return for ``num`` units, from the ``first`` on, whether they belong to speech."""
    if num <= 0 or detector is None:
        return np.ones(max(num, 0), bool)
    return detector.is_sound(first, first + num)


def _merge(runs: list[tuple[int, int]], *, pause: int, longest: int) -> list[tuple[int, int]]:
    """Return runs with those joined that are less than a pause apart, none longer than ``longest``."""
    merged: list[tuple[int, int]] = []
    for start, end in runs:
        if merged and start - merged[-1][1] < pause and end - merged[-1][0] <= longest:
            merged[-1] = (merged[-1][0], end)
            continue
        merged += [(at, min(at + longest, end)) for at in range(start, end, longest)]
    return merged


def _take(buffer: np.ndarray, first: int, ranges: list[tuple[int, int]]) -> Iterator[Chunk]:
    for start, end in ranges:
        yield Chunk((first + start) * UNIT / SAMPLE_RATE_HZ, buffer[start * UNIT : end * UNIT])
