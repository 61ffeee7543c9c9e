"""What a model is to this room: anything that gives posteriors of frames, and how they are searched."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spner.core.datatypes import FrameGrid
from spner.decode.beam_search import Search
from spner.scoring.calibration import TimingCalibration
from spner.text.tags import CLOSE


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
class SpeechModel:
    """A recogniser with its search.

    Attributes:
        recogniser: gives the posteriors.
        search: posteriors to hypotheses.
        calibration: of the confidences; None leaves them raw.
        lang: ISO 639-1 code of what it was trained on; None where nothing says.
    """

    recogniser: AcousticModel
    search: Search
    calibration: TimingCalibration | None = None
    lang: str | None = None

    @property
    def writes_entities(self) -> bool:
        """Whether entity symbols are among its tokens."""
        return CLOSE in self.recogniser.token_list
