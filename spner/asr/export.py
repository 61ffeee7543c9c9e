"""A trained model as one ONNX graph: waveforms in, log posteriors out, for batches and recordings of any length.

The graph does what :func:`spner.decode.recogniser.compute_log_probs` computes::

    speech (B, num_samples) float32 at 16 kHz, lengths (B,) int64 -> log_probs (B, T, V) float32, num_frames (B,) int64

Padding changes no utterance, as in training. Filter banks are part of the graph.
"""

import copy
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from spner.asr.convolutions import Convolutions
from spner.asr.filter_banks import TRAINABLE, make_filter_banks
from spner.asr.frontend import UpstreamFrontend
from spner.core.errors import SpnerError
from spner.core.logs import prints_logged
from spner.data.audio import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from espnet2.asr.espnet_model import ESPnetASRModel

OPSET = 18
INPUTS, OUTPUTS = ("speech", "lengths"), ("log_probs", "num_frames")


class Graph(nn.Module):
    """An ESPnet CTC model without what only training needs and without decisions that depend on the batch."""

    def __init__(self, model: "ESPnetASRModel") -> None:
        super().__init__()
        _refuse_unknown_parts(model)
        self.frontend = _make_frontend(model.frontend)
        self.preencoder = model.preencoder
        self.encoder = model.encoder
        self.output = model.ctc.ctc_lo
        if self.encoder is not None:
            _compute_positions(self.encoder)

    def forward(self, speech: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return log posteriors (B, T, V) and numbers of frames (B,)."""
        feats, num_frames = self.frontend(speech, lengths)
        if self.preencoder is not None:
            feats, num_frames = self.preencoder(feats, num_frames)
        if self.encoder is not None:
            outside = torch.arange(feats.shape[1], device=feats.device) >= num_frames[:, None]
            feats, num_frames, _ = self.encoder(feats, num_frames, masks=outside)
        return self.output(feats).log_softmax(dim=-1), num_frames.long()


class Positions(nn.Module):
    """ESPnet's relative positions, computed for the length at hand: its table ends after 200 s."""

    rates: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.scale = math.sqrt(size)
        self.register_buffer("rates", torch.exp(torch.arange(0, size, 2) * -(math.log(10000.0) / size)))

    def forward(self, xs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scaled input (B, T, D) and the encodings (1, 2 T - 1, D) of the distances T - 1 … 1 - T."""
        num = xs.shape[1]
        distances = num - 1 - torch.arange(2 * num - 1, device=xs.device)
        angles = distances[:, None].to(xs) * self.rates
        return xs * self.scale, torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[None]


def _refuse_unknown_parts(model: "ESPnetASRModel") -> None:
    unknown = [name for name in ("normalize", "postencoder") if getattr(model, name, None) is not None]
    if unknown:
        raise SpnerError(f"a model with {' and '.join(unknown)} cannot be packed; train it without")


def _make_frontend(frontend: nn.Module) -> nn.Module:
    if isinstance(frontend, UpstreamFrontend):
        frontend.model.feature_extractor = Convolutions(frontend.model.feature_extractor, plain=True)
        return frontend
    upstream = getattr(getattr(frontend, "upstream", None), "upstream", None)
    settings = getattr(upstream, "config", None)
    if not isinstance(settings, dict):
        raise SpnerError(f"a model with the frontend {type(frontend).__name__} cannot be packed; {TRAINABLE}")
    return make_filter_banks(settings)


def _compute_positions(encoder: nn.Module) -> None:
    """Replace the encoder's table of relative positions."""
    try:
        from espnet2.legacy.nets.pytorch_backend.transformer.embedding import RelPositionalEncoding
    except ModuleNotFoundError:  # ESPnet 202511
        from espnet.nets.pytorch_backend.transformer.embedding import RelPositionalEncoding

    for parent in list(encoder.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, RelPositionalEncoding):
                setattr(parent, name, Positions(child.d_model))


def export_model(model: "ESPnetASRModel", path: Path) -> None:
    """Write the graph of a model to ``path``.

    Raises:
        SpnerError: the model has a part that the graph cannot hold.
    """
    graph = Graph(copy.deepcopy(model).cpu().float()).eval()
    speech, lengths = torch.randn(2, 2 * SAMPLE_RATE_HZ), torch.tensor([2 * SAMPLE_RATE_HZ, SAMPLE_RATE_HZ])
    sizes = {"speech": {0: "B", 1: "num_samples"}, "lengths": {0: "B"}, "log_probs": {0: "B", 1: "T"}}
    with warnings.catch_warnings(), prints_logged(), torch.no_grad():
        warnings.simplefilter("ignore")  # shapes that decide nothing here, and that this exporter is the older one
        torch.onnx.export(
            graph,
            (speech, lengths),
            path,
            input_names=INPUTS,
            output_names=OUTPUTS,
            opset_version=OPSET,
            dynamo=False,  # the newer exporter takes ESPnet's relative positions for constants
            dynamic_axes={**sizes, "num_frames": {0: "B"}},
        )
