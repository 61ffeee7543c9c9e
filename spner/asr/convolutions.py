"""The convolutions at the bottom of a wav2vec 2.0, HuBERT or WavLM.

On a CPU they take more than half of a small network's training step, though they hold a third of its operations:
between a convolution and its layer norm the features are turned from channels to frames, and back. Where no gradient is
wanted, as with frozen convolutions and in decoding, frames are rows here from the first layer to the last.
"""

import math
import sys
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from transformers.activations import GELUActivation

from spner.asr.precision import compute_dtype

Samples = TypeVar("Samples", int, Tensor)
FRAMES = 127  # that a CPU computes at once: norm and GELU find them in its cache, and the next ones take their memory


class Convolutions(nn.Module):
    """Waveforms (B, samples) -> features (B, C, T), as transformers' feature encoder computes them.

    Args:
        encoder: transformers' feature encoder; the parameters keep its names.
        plain: always take transformers' own layers, one by one, as an exporter needs it.
    """

    def __init__(self, encoder: Any, *, plain: bool = False) -> None:
        super().__init__()
        self.conv_layers = encoder.conv_layers
        self.plain = plain

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the features.

        Raises:
            ValueError or RuntimeError: the waveforms are shorter than one frame needs.
        """
        if not self.plain and self._wants_no_gradient() and all(map(_fits_rows, self.conv_layers)):
            with torch.no_grad():
                return self._by_rows(waveforms, at_once=FRAMES if waveforms.device.type == "cpu" else sys.maxsize)
        hidden = waveforms[:, None]
        for layer in self.conv_layers:
            hidden = layer(hidden)
        return hidden

    @property
    def hop_length(self) -> int:
        """Samples from one frame to the next."""
        return math.prod(layer.conv.stride[0] for layer in self.conv_layers)

    @property
    def receptive_field(self) -> int:
        """Samples that one frame is computed from."""
        field, hop = 1, 1
        for layer in self.conv_layers:
            field, hop = field + (layer.conv.kernel_size[0] - 1) * hop, hop * layer.conv.stride[0]
        return field

    def count_frames(self, num_samples: Samples, layers: int | None = None) -> Samples:
        """Return how many frames the layers, or the first ``layers`` of them, make of so many samples."""
        for layer in self.conv_layers[:layers]:
            num_samples = (num_samples - layer.conv.kernel_size[0]) // layer.conv.stride[0] + 1
        return num_samples

    def _wants_no_gradient(self) -> bool:
        return not (torch.is_grad_enabled() and any(parameter.requires_grad for parameter in self.parameters()))

    def _by_rows(self, waveforms: Tensor, *, at_once: int) -> Tensor:
        """Return what the layers return, computed with a row a frame.

        The utterances are one long sequence, so that a layer is two matrix products over all of them: of ``stride``
        frames, which are one row of a view, and of the rest of the kernel, which begins the next row. Rows that reach
        from one utterance into the next are past the frames of the first. Of the waveform, one channel, copying the
        rows costs less than a second product.

        Args:
            waveforms: (B, samples).
            at_once: frames of the sequence that all layers compute before the next ones.
        """
        dtype, hop, frames = compute_dtype(waveforms), self.hop_length, self.count_frames(waveforms.shape[1])
        if frames < 1:
            raise ValueError(f"{waveforms.shape[1]} samples are fewer than one frame needs")
        rows = nn.functional.pad(waveforms, (0, -waveforms.shape[1] % hop)).to(dtype).reshape(-1, hop)  # one a frame
        following = math.ceil(self.receptive_field / hop) - 1  # rows behind a frame's own that it is computed from
        weights = [_weights_of(layer, dtype) for layer in self.conv_layers]
        parts = []
        with torch.autocast(waveforms.device.type, enabled=False):
            for begin in range(0, len(rows), at_once):
                hidden = rows[begin : begin + at_once + following].reshape(-1, 1)  # (samples, 1), later (rows, C)
                for layer, tensors in zip(self.conv_layers, weights, strict=True):
                    hidden = _convolve(hidden, layer, *tensors)
                parts.append(hidden[:at_once])
        hidden = torch.cat(parts) if len(parts) > 1 else parts[0]
        return hidden.view(len(waveforms), -1, hidden.shape[1])[:, :frames].transpose(1, 2)


def _fits_rows(layer: Any) -> bool:
    """Whether a layer is a convolution that needs one row more than its stride, a layer norm and a GELU."""
    kernel, stride = layer.conv.kernel_size[0], layer.conv.stride[0]
    norm = getattr(layer, "layer_norm", None)
    return (
        stride <= kernel <= 2 * stride
        and isinstance(norm, nn.LayerNorm)
        and isinstance(layer.activation, GELUActivation)
    )


def _weights_of(layer: Any, dtype: torch.dtype) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
    """Return the weight (kernel * C, C') and bias of a layer's convolution, and its norm's."""
    conv, norm = layer.conv, layer.layer_norm
    weight = conv.weight.to(dtype).permute(2, 1, 0).flatten(0, 1)
    bias = None if conv.bias is None else conv.bias.to(dtype)
    return weight, bias, norm.weight.to(dtype), norm.bias.to(dtype)


def _convolve(hidden: Tensor, layer: Any, weight: Tensor, bias: Tensor | None, scale: Tensor, shift: Tensor) -> Tensor:
    """Return (rows / stride, C') of (rows, C): convolution, layer norm and GELU."""
    kernel, stride, channels = layer.conv.kernel_size[0], layer.conv.stride[0], hidden.shape[1]
    rows = hidden.view(-1, stride * channels)
    if channels == 1:
        unused = -kernel % 8  # a GPU's matrix units take columns by eight
        rows = torch.cat([rows, nn.functional.pad(rows[1:, : kernel - stride], (0, unused, 0, 1))], 1)
        weight = nn.functional.pad(weight, (0, 0, 0, unused))
    first, rest = weight.split([rows.shape[1], len(weight) - rows.shape[1]])
    out = rows @ first if bias is None else torch.addmm(bias, rows, first)
    if len(rest):
        out[:-1].addmm_(rows[1:, : len(rest)], rest)
    out = nn.functional.layer_norm(out, layer.layer_norm.normalized_shape, scale, shift, layer.layer_norm.eps)
    return torch.ops.aten.gelu_(out)
