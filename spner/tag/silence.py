"""Where a recording sounds, by how loud it is: pauses are what is soft beside the seconds around them.

A model is trained on single utterances, and what it hears at once is normalised as one: filter banks by their mean and
deviation, the waveform of many wav2vec 2.0 models, too. Two speakers in one window, or a second without a sound, shift
that. So recordings are cut at pauses before a model hears them. docs/tagging.md says what that gains.
"""

from array import array

import numpy as np

from spner.data.audio import SILENT_STD
from spner.tag.sounds import UNIT, blank_runs, units

PAUSE_S = 0.26  # what is softer for less belongs to the sounds around it: words have gaps of up to 0.24 s in them
MARGIN_S = 0.28  # of a pause belongs to the sound on either side of it, at most
AROUND_S = 5  # on either side, whose levels say what is soft
SOFTEST = 10  # percentile of these levels that is their noise
RISE_DB, RISE = 15.0, 0.4  # a sound is so much above the noise, or this part of the way to the loudest
STEADY_DB = 6.0  # a smaller range is noise and no speech
SILENT_DB = 20 * np.log10(SILENT_STD)  # stage 1's measure


class SoundDetector:
    """Measures the level of a recording block by block, and tells sounds from pauses."""

    ahead = units(AROUND_S + 1 + PAUSE_S + 2 * MARGIN_S)

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)
        self._levels_db = array("f")

    def push(self, block: np.ndarray) -> None:
        """Measure the next samples (num_samples,) at 16 kHz."""
        samples = np.concatenate([self._rest, block])
        whole = len(samples) // UNIT * UNIT
        deviations = samples[:whole].reshape(-1, UNIT).std(axis=1)
        self._levels_db.extend(20 * np.log10(np.maximum(deviations, SILENT_STD)))
        self._rest = samples[whole:]

    def is_sound(self, first: int, end: int) -> np.ndarray:
        """Return whether there is a sound in or near each of the units ``[first, end)``.

        What lies behind the last whole unit of a recording is as that is.
        """
        if not self._levels_db:
            return np.ones(end - first, bool)
        reach = units(PAUSE_S) + 2 * units(MARGIN_S) + 1
        start, stop = max(0, first - reach), min(len(self._levels_db), end + reach)
        sound = np.array(self._levels_db[start:stop]) > self._thresholds_db(start, stop)
        _close_gaps(sound)
        _add_margins(sound)
        return sound[np.minimum(np.arange(first, end), stop - 1) - start]

    def _thresholds_db(self, start: int, stop: int) -> np.ndarray:
        """Return what each of the units ``[start, stop)`` must exceed; it changes from second to second."""
        second = units(1.0)
        seconds = np.arange(start, stop) // second
        found = [self._threshold_db(at * second, second) for at in range(seconds[0], seconds[-1] + 1)]
        return np.array(found)[seconds - seconds[0]]

    def _threshold_db(self, at: int, second: int) -> float:
        around = self._levels_db[max(0, at - AROUND_S * second) : at + (AROUND_S + 1) * second]
        softest, loudest = np.percentile(around, [SOFTEST, 100])
        if loudest - softest < STEADY_DB:
            return float(loudest)
        return float(softest + min(RISE_DB, RISE * (loudest - softest)))


def _close_gaps(sound: np.ndarray) -> None:
    for start, end in blank_runs(~sound):
        if start and end < len(sound) and end - start < units(PAUSE_S):
            sound[start:end] = True


def _add_margins(sound: np.ndarray) -> None:
    """Give a part of every pause to the sounds around it; something of it stays between two."""
    for start, end in blank_runs(~sound):
        inside = start > 0 and end < len(sound)
        margin = min(units(MARGIN_S), (end - start - 1) // 2 if inside else end - start)
        if start:
            sound[start : start + margin] = True
        if end < len(sound):
            sound[end - margin : end] = True
