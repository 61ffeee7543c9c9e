"""Output frames of an ESPnet model: their places, and hooks that keep padding out of them.

In three places padding changes the output for short utterances of a batch; found by comparing batch size 1 with 16:

- S3PRL stretches the features to ``ceil(samples / hop)`` frames by repeating the last frame of the batch's longest
  utterance; the shorter ones get zeros or half-padded frames there.
- ESPnet's convolutional subsampling counts a frame as valid when the first frame under its kernel is.
- ESPnet's Conformer convolves over the padding.

Only the parts named below are known to be closed; a model with another one is refused.
"""

from typing import TYPE_CHECKING

import torch
from espnet2.asr.frontend.s3prl import S3prlFrontend
from torch import Tensor, nn

from spner.asr.frontend import UpstreamFrontend
from spner.core.datatypes import FrameGrid
from spner.core.errors import SpnerError
from spner.data.audio import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from espnet2.asr.espnet_model import ESPnetASRModel

FBANK_WINDOW = 400  # samples under one frame of S3PRL's filter banks: 25 ms
PREENCODERS = ("NoneType", "LinearProjection")  # of one frame each
ENCODERS = ("NoneType", "ConformerEncoder", "TransformerEncoder")


def isolate_utterances(model: "ESPnetASRModel") -> None:
    """Register the hooks that close the three places, for training and decoding alike.

    Raises:
        SpnerError: a part of the model may let batch mates affect each other.
    """
    for part, found, known in (
        ("preencoder", model.preencoder, PREENCODERS),
        ("encoder", model.encoder, ENCODERS),
        ("postencoder", model.postencoder, ("NoneType",)),
    ):
        if type(found).__name__ not in known:
            raise SpnerError(
                f"{part} {type(found).__name__}: may let the utterances of a batch change each other (expected "
                f"{' or '.join(known).replace('NoneType', 'none')})"
            )
    hop, window = find_frames(model.frontend)
    if not isinstance(model.frontend, UpstreamFrontend):  # which looks after itself
        model.frontend.register_forward_hook(_make_frontend_hook(hop, window))
    if model.encoder is None:
        return
    convolutions = find_subsampling(model)
    if convolutions:
        model.encoder.embed.register_forward_hook(_make_subsampling_hook(convolutions))
    for layer in model.encoder.modules():
        convolution = getattr(getattr(layer, "conv_module", None), "depthwise_conv", None)
        if convolution is not None:
            _zero_padding_before(convolution, layer)


def find_frames(frontend: nn.Module) -> tuple[int, int]:
    """Return a frontend's hop and the window under one of its frames, in samples.

    Raises:
        SpnerError: they are not known.
    """
    if isinstance(frontend, UpstreamFrontend):
        return frontend.hop_length, frontend.receptive_field
    upstream = getattr(getattr(frontend, "upstream", None), "upstream", None)
    if isinstance(frontend, S3prlFrontend) and type(upstream).__module__ == "s3prl.upstream.baseline.expert":
        return frontend.hop_length, FBANK_WINDOW  # filter banks and their like
    raise SpnerError(
        f"frontend {type(frontend).__name__}: where its frames lie is not known (expected frontend: upstream, or "
        "frontend: s3prl with upstream: fbank)"
    )


def find_subsampling(model: "ESPnetASRModel") -> list[tuple[int, int]]:
    """Return (kernel size, stride) in time of each convolution between the features and the encoder's layers."""
    convolutions = getattr(getattr(model.encoder, "embed", None), "conv", None) or ()
    return [(c.kernel_size[0], c.stride[0]) for c in convolutions if isinstance(c, nn.Conv2d)]


def locate_frames(model: "ESPnetASRModel") -> FrameGrid:
    """Return where a model's frames lie: its frontend's, fewer if the encoder begins with convolutions."""
    hop, window = find_frames(model.frontend)
    first = window / 2  # samples
    for kernel_size, stride in find_subsampling(model):
        first += hop * (kernel_size - 1) / 2
        hop *= stride
    return FrameGrid(hop_s=hop / SAMPLE_RATE_HZ, first_s=first / SAMPLE_RATE_HZ)


def _make_frontend_hook(hop: int, window: int):
    def cut(_module: nn.Module, inputs: tuple[Tensor, Tensor], output: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        feats, lengths = output  # (B, T, D), (B,)
        own = torch.div(inputs[1] - window, hop, rounding_mode="floor").add(1).clamp(min=1)
        lengths = torch.minimum(lengths, own.to(lengths))
        feats = feats[:, : int(lengths.max())]
        outside = torch.arange(feats.shape[1], device=feats.device) >= lengths[:, None]
        return feats.masked_fill(outside[..., None], 0.0), lengths

    return cut


def _make_subsampling_hook(convolutions: list[tuple[int, int]]):
    def count(_module: nn.Module, inputs: tuple[Tensor, Tensor], output: tuple):
        xs, mask = output  # xs is (B, T', D), or that and its positions
        if mask is None:
            return output
        lengths = inputs[1].sum(dim=-1)  # (B, 1) of the (B, 1, T) mask
        for kernel_size, stride in convolutions:
            lengths = torch.div(lengths - kernel_size, stride, rounding_mode="floor").add(1).clamp(min=1)
        return xs, torch.arange(mask.shape[-1], device=mask.device) < lengths[..., None]

    return count


def _zero_padding_before(convolution: nn.Module, layer: nn.Module) -> None:
    masks: list[Tensor] = []
    layer.register_forward_pre_hook(lambda _module, inputs: masks.__setitem__(slice(None), [inputs[1]]))
    convolution.register_forward_pre_hook(lambda _module, inputs: (inputs[0].masked_fill(~masks[0], 0.0),))
