"""S3PRL's filter banks as a few tensor operations: what ONNX can hold, for a whole batch at once.

Kaldi's steps up to the spectrum (mean removal, pre-emphasis, window, Fourier transform) are linear: one convolution
does them all. Its weights are computed in double precision, so that it is nearer to the exact filter banks than
torchaudio's single precision. Deltas and normalisation of each utterance take no notice of padding.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchaudio.compliance.kaldi import get_mel_banks

from spner.core.errors import SpnerError
from spner.data.audio import SAMPLE_RATE_HZ

PREEMPHASIS = 0.97
EPSILON = torch.finfo(torch.float32).eps  # Kaldi's floor of an energy
DELTA_ORDER, NUM_DELTA_FRAMES = 2, 2  # frames to either side
FORM = {
    "feat_type": "fbank",
    "frame_length": 25.0,
    "frame_shift": 10.0,
    "use_log_fbank": True,
    "order": DELTA_ORDER,
    "win_length": 2 * NUM_DELTA_FRAMES + 1,
    "use_cmvn": True,
}
"""What S3PRL's configuration says of such filter banks in its sections; their number is free."""


class FilterBanks(nn.Module):
    """Waveforms -> log filter banks with deltas, each utterance normalised."""

    banks: Tensor
    spectrum: Tensor

    def __init__(self, num_bins: int) -> None:
        super().__init__()
        window, self.hop_length = SAMPLE_RATE_HZ // 40, SAMPLE_RATE_HZ // 100
        size = 2 ** math.ceil(math.log2(window))
        self.window = window
        banks = get_mel_banks(num_bins, size, float(SAMPLE_RATE_HZ), 20.0, 0.0, 100.0, -500.0, 1.0)[0]  # (D, size / 2)
        self.register_buffer("banks", nn.functional.pad(banks, (0, 1)).T.contiguous())  # (size / 2 + 1, D)
        self.register_buffer("spectrum", _spectrum_weights(window, size)[:, None])  # (size + 2, 1, window)

    def forward(self, speech: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (B, T, 3 D), 0 in the padding, and numbers of frames (B,).

        Args:
            speech: (B, num_samples) float32 at 16 kHz, at least one window long.
            lengths: (B,) int64, samples.
        """
        bands = self.log_energies(speech)
        num_frames = torch.div(lengths - self.window, self.hop_length, rounding_mode="floor").add(1).clamp(min=1)
        inside = torch.arange(bands.shape[1], device=speech.device)[None] < num_frames[:, None]
        feats = [bands]
        for _ in range(DELTA_ORDER):
            feats.append(_deltas(feats[-1], num_frames, inside))
        return _normalise(torch.cat(feats, dim=-1), num_frames, inside), num_frames

    def log_energies(self, speech: Tensor) -> Tensor:
        """Return the energies in D bands, (B, T, D), natural log, of waveforms (B, num_samples)."""
        parts = nn.functional.conv1d(speech[:, None], self.spectrum, stride=self.hop_length)  # (B, size + 2, T)
        real, imaginary = parts.chunk(2, dim=1)
        energies = (real.square() + imaginary.square()).transpose(1, 2) @ self.banks
        return energies.clamp(min=EPSILON).log()


def _spectrum_weights(window: int, size: int) -> Tensor:
    """Return the matrix (size + 2, window) from samples to the real and imaginary parts of Kaldi's spectrum."""
    sample, frequency = torch.arange(window, dtype=torch.float64), torch.arange(size // 2 + 1, dtype=torch.float64)
    angles = 2 * math.pi / size * frequency[:, None] * sample
    povey = (0.5 - 0.5 * torch.cos(2 * math.pi * sample / (window - 1))) ** 0.85
    without_mean = torch.eye(window, dtype=torch.float64) - 1 / window
    before = torch.eye(window, dtype=torch.float64).roll(1, dims=0)
    before[0] = 0.0
    before[0, 0] = 1.0  # the first sample stands before itself
    emphasis = torch.eye(window, dtype=torch.float64) - PREEMPHASIS * before
    return (torch.cat([angles.cos(), angles.sin()]) @ torch.diag(povey) @ emphasis @ without_mean).float()


def _deltas(feats: Tensor, num_frames: Tensor, inside: Tensor) -> Tensor:
    """Return the slopes of features (B, T, D) over five frames; outside an utterance lie copies of its end frames."""
    last = feats.gather(1, (num_frames - 1)[:, None, None].expand(-1, -1, feats.shape[2]))  # (B, 1, D)
    feats = torch.where(inside[..., None], feats, last)
    around = torch.cat([feats[:, :1]] * NUM_DELTA_FRAMES + [feats] + [feats[:, -1:]] * NUM_DELTA_FRAMES, dim=1)
    num = feats.shape[1]
    steps = range(1, NUM_DELTA_FRAMES + 1)
    slopes = [
        step * (around[:, NUM_DELTA_FRAMES + step :][:, :num] - around[:, NUM_DELTA_FRAMES - step :][:, :num])
        for step in steps
    ]
    return torch.stack(slopes).sum(dim=0) / (2 * sum(step**2 for step in steps))


def _normalise(feats: Tensor, num_frames: Tensor, inside: Tensor) -> Tensor:
    """Return the features of each utterance with mean 0 and deviation 1; 0 in the padding."""
    num = num_frames[:, None, None].to(feats)
    centred = feats - torch.where(inside[..., None], feats, 0.0).sum(dim=1, keepdim=True) / num
    centred = torch.where(inside[..., None], centred, 0.0)
    deviation = (centred.square().sum(dim=1, keepdim=True) / (num - 1)).sqrt()
    return centred / (deviation + 1e-10)


TRAINABLE = "train with S3PRL's upstream fbank, as conf/train_mini.yaml does, or with a wav2vec 2.0"


def make_filter_banks(settings: Mapping[str, Any]) -> FilterBanks:
    """Return the filter banks of an S3PRL baseline's configuration.

    Raises:
        SpnerError: it asks for other features.
    """
    kaldi = settings.get("kaldi", {})
    found = {**kaldi.get("fbank", {}), **settings.get("delta", {}), **settings.get("cmvn", {})}
    num_bins = found.pop("num_mel_bins", None)
    if num_bins is None or {"feat_type": kaldi.get("feat_type"), **found} != FORM:
        raise SpnerError(
            f"features {dict(settings)}: cannot be packed (expected S3PRL's fbank, with deltas and normalisation); "
            f"{TRAINABLE}"
        )
    return FilterBanks(num_bins)
