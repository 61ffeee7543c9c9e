"""What a CTC model gives: posteriors of the frames of waveforms, as arrays; whichever library computes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spner.core.datatypes import FrameGrid
from spner.data.audio import SAMPLE_RATE_HZ

MIN_SAMPLES = SAMPLE_RATE_HZ // 5  # shorter clips are padded: encoders need seven frames


class AcousticModel(Protocol):
    """A CTC model.

    Attributes:
        token_list: the V tokens, ``<blank>`` first.
        grid: where its frames lie; ``hop_s`` is a whole number of samples at 16 kHz.
    """

    @property
    def token_list(self) -> tuple[str, ...]: ...

    @property
    def grid(self) -> FrameGrid: ...

    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return each waveform's log posteriors, (T, V) float32, natural log, without frames of padding.

        Args:
            waveforms: (num_samples,) float32 at 16 kHz each, in [-1, 1]; batched as they are.
        """
        ...


@dataclass(frozen=True)
class Posteriors:
    """A model's posteriors for a batch.

    Attributes:
        utt_ids: B utterances.
        durations_s: of the clips.
        log_probs: B arrays (T, V) float32, natural log.
    """

    utt_ids: list[str]
    durations_s: list[float]
    log_probs: list[np.ndarray]


def pad_batch(waveforms: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return waveforms as one array (B, num_samples) float32, silence behind them, and their lengths (B,) int64.

    A clip shorter than :data:`MIN_SAMPLES` counts as that long.
    """
    lengths = padded_lengths(waveforms)
    speech = np.empty((len(waveforms), lengths.max()), np.float32)
    pad_into(speech, waveforms)
    return speech, lengths


def padded_lengths(waveforms: Sequence[np.ndarray]) -> np.ndarray:
    """Return the lengths of :func:`pad_batch`."""
    return np.array([max(len(waveform), MIN_SAMPLES) for waveform in waveforms])


def pad_into(speech: np.ndarray, waveforms: Sequence[np.ndarray]) -> None:
    """Write waveforms into an array (B, num_samples), silence behind them."""
    for row, waveform in zip(speech, waveforms, strict=True):
        row[: len(waveform)] = waveform
        row[len(waveform) :] = 0
