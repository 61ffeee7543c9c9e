"""The frontend that runs a pre-trained wav2vec 2.0, HuBERT or WavLM, whatever format its weights came in.

The network is transformers' own. What fine-tuning adds is here, once: normalised waveforms, masks between the
convolutions and the transformer, padding that no utterance sees, a frozen part that costs nothing, and gradient
checkpointing. :mod:`spner.asr.convolutions` and :mod:`spner.asr.transformer` compute its two parts faster than
transformers does; :mod:`spner.asr.upstream` finds and reads the weights.
"""

from typing import Any

import torch
from espnet2.asr.frontend.abs_frontend import AbsFrontend
from torch import Tensor, nn

from spner.asr.convolutions import Convolutions
from spner.asr.transformer import KNOWN, Transformer
from spner.asr.upstream import build_network

MIN_SPANS = 2  # masked spans of an utterance at least, as in fairseq's and transformers' fine-tuning
NORM_EPS = 1e-5  # of fairseq's normalisation of waveforms, with which XLS-R was pre-trained


class UpstreamFrontend(AbsFrontend):
    """Waveforms (B, samples) at 16 kHz -> the last layer's features (B, T, D), final layer norm included.

    Args:
        upstream: what the weights are read from when a training starts, see :func:`spner.asr.upstream.find_upstream`.
        architecture: transformers' configuration of the network, and ``normalize``: whether it expects waveforms of
            mean 0 and variance 1; see :func:`spner.asr.upstream.read_architecture`. With it the network can be built
            where the weights are not.
        mask_time_prob: share of the frames that masked spans would cover if none overlapped, 0 to 1; in training only.
        mask_time_length: frames of a span.
        mask_feature_prob: the same of the features' dimensions.
        mask_feature_length: dimensions of a span.
        attention_dropout: of attention weights.
        hidden_dropout: after attention, the feed-forward blocks and the positions.
        activation_dropout: inside the feed-forward blocks.
        feat_proj_dropout: between the convolutions and the transformer.
        layerdrop: probability that a layer is left out of a training step.
        gradient_checkpointing: compute each layer twice rather than keep what it computed: less memory, more time.
    """

    model: Any  # one of transformers' networks, which share the attributes used here

    def __init__(
        self,
        upstream: str,
        architecture: dict[str, Any],
        mask_time_prob: float = 0.0,
        mask_time_length: int = 10,
        mask_feature_prob: float = 0.0,
        mask_feature_length: int = 64,
        attention_dropout: float = 0.0,
        hidden_dropout: float = 0.0,
        activation_dropout: float = 0.0,
        feat_proj_dropout: float = 0.0,
        layerdrop: float = 0.0,
        gradient_checkpointing: bool = False,
    ):
        super().__init__()
        self.upstream = upstream
        self.normalize = architecture["normalize"]
        self.mask_time_prob, self.mask_time_length = mask_time_prob, mask_time_length
        self.model = build_network(
            architecture,
            mask_feature_prob=mask_feature_prob,
            mask_feature_length=mask_feature_length,
            mask_feature_min_masks=0,  # WavLM's configuration lacks it (transformers 5.23)
            attention_dropout=attention_dropout,
            hidden_dropout=hidden_dropout,
            activation_dropout=activation_dropout,
            feat_proj_dropout=feat_proj_dropout,
            layerdrop=layerdrop,
        )
        self.model.feature_extractor = Convolutions(self.model.feature_extractor)
        if self.model.config.feat_extract_norm == "group":
            first = self.model.feature_extractor.conv_layers[0]
            first.layer_norm = GroupNormOfLengths(first.layer_norm)
        if not mask_time_prob:
            self.model.masked_spec_embed.requires_grad_(False)  # it would get no gradient
        self.model.config.mask_time_prob = 0.0  # the embedding is there; frames are masked here
        if isinstance(self.model.encoder, KNOWN):
            self.model.encoder = Transformer(self.model.encoder, gradient_checkpointing=gradient_checkpointing)
        elif gradient_checkpointing:
            self.model.gradient_checkpointing_enable({"use_reentrant": False})
        # cuDNN's attention plans anew for every new shape of a batch, about a second each; the other kernels do not.
        torch.backends.cuda.enable_cudnn_sdp(False)

    def output_size(self) -> int:
        """Return D."""
        return self.model.config.hidden_size

    @property
    def hop_length(self) -> int:
        """Samples from one frame to the next."""
        return self.model.feature_extractor.hop_length

    @property
    def receptive_field(self) -> int:
        """Samples that one frame is computed from, the transformer's context left aside."""
        return self.model.feature_extractor.receptive_field

    def forward(self, input: Tensor, input_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (B, T, D) and each utterance's frames (B,), at least 1; the frames past them are zero.

        Args:
            input: (B, samples) float32, zero past ``input_lengths``.
            input_lengths: (B,) int64.
        """
        inside = _is_inside(input_lengths, input.shape[1])
        convolutions = self.model.feature_extractor
        num_frames = convolutions.count_frames(input_lengths).clamp(min=1)
        inside_frames = _is_inside(num_frames, convolutions.count_frames(input.shape[1]))
        encoder = self.model.encoder  # its frames are laid out before a GPU has the convolutions to finish
        frames = encoder.lay_out(inside_frames) if isinstance(encoder, Transformer) else None
        if self.normalize:
            input = _normalize(input, input_lengths, inside)
        if self.model.config.feat_extract_norm == "group":
            convolutions.conv_layers[0].layer_norm.lengths = convolutions.count_frames(input_lengths, layers=1)
        projected = self.model.feature_projection(convolutions(input).transpose(1, 2))
        hidden = projected[0] if isinstance(projected, tuple) else projected  # HuBERT's is the features alone
        if self.training:
            hidden = self._mask(hidden, num_frames)
        if frames is not None:
            feats = encoder(hidden, frames)
        else:
            feats = encoder(hidden, attention_mask=inside_frames).last_hidden_state
        return feats.masked_fill(~inside_frames[..., None], 0.0), num_frames

    def _mask(self, hidden: Tensor, num_frames: Tensor) -> Tensor:
        """Return features (B, T, D) with spans of frames and of dimensions masked."""
        if self.mask_time_prob:
            masks = draw_masks(num_frames, hidden.shape[1], prob=self.mask_time_prob, length=self.mask_time_length)
            hidden = torch.where(masks[..., None], self.model.masked_spec_embed.to(hidden.dtype), hidden)
        return self.model._mask_hidden_states(hidden) if self.model.config.mask_feature_prob else hidden


class GroupNormOfLengths(nn.GroupNorm):
    """Group norm with one group a channel, over each utterance's own frames: padding changes nothing.

    ``lengths``, (B,), is set before each pass.
    """

    lengths: Tensor

    def __init__(self, norm: nn.GroupNorm):
        super().__init__(norm.num_groups, norm.num_channels, norm.eps)
        self.load_state_dict(norm.state_dict())

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (B, C, T)."""
        inside = _is_inside(self.lengths, input.shape[-1])[:, None]  # (B, 1, T)
        frames = self.lengths[:, None, None]
        input = input.float()
        mean = (input * inside).sum(-1, keepdim=True) / frames
        centred = (input - mean) * inside
        variance = centred.square().sum(-1, keepdim=True) / frames
        return centred * (variance + self.eps).rsqrt() * self.weight[:, None] + self.bias[:, None]


def draw_masks(num_frames: Tensor, frames: int, *, prob: float, length: int) -> Tensor:
    """Return which frames are masked, (B, T) bool: spans of ``length`` frames that may overlap, inside each utterance.

    An utterance of n frames gets ``prob * n / length`` spans, rounded at random so that the mean is right, and at least
    two; none if it is shorter than a span.

    Args:
        num_frames: (B,) frames of each utterance.
        frames: T.
        prob: share of the frames that the spans would cover if none overlapped.
        length: frames of a span.

    Source: Baevski et al. 2020 (wav2vec 2.0), section 3.1 and appendix B.
    """
    places = (num_frames - length + 1).clamp(min=0)  # where a span can begin
    order = torch.rand((len(num_frames), frames), device=num_frames.device)
    order = order.masked_fill(~_is_inside(places, frames), 2.0).argsort(dim=1).argsort(dim=1)  # rank of each place
    spans = (prob * num_frames / length + torch.rand(len(num_frames), device=num_frames.device)).long()
    begins = order < torch.minimum(spans.clamp(min=MIN_SPANS), places)[:, None]
    window = nn.functional.pad(begins.float(), (length - 1, 0))[:, None]
    return nn.functional.max_pool1d(window, length, stride=1)[:, 0] > 0


def _is_inside(lengths: Tensor, size: int) -> Tensor:
    return torch.arange(size, device=lengths.device) < lengths[:, None]  # (B, size)


def _normalize(waveforms: Tensor, lengths: Tensor, inside: Tensor) -> Tensor:
    num_samples = lengths[:, None]
    centred = (waveforms - waveforms.sum(1, keepdim=True) / num_samples) * inside
    return centred * (centred.square().sum(1, keepdim=True) / num_samples + NORM_EPS).rsqrt()
