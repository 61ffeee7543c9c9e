"""The transformer of XLS-R and of other networks whose layers begin with their norms, computed in few operations.

Under autocast transformers' own layers convert the weights one by one and their inputs for each product, take norms in
float32, and let attention read padding only to mask it: a fast GPU then waits for its host and for memory. Here a
layer's weights are converted together, query, key and value are one product, a GPU holds the frames of utterances
without their padding, and the positional convolution is one product of matrices.
"""

import math
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.utils.parametrize import is_parametrized
from torch.utils.checkpoint import checkpoint
from transformers.models.hubert.modeling_hubert import HubertEncoderStableLayerNorm
from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2EncoderStableLayerNorm

from spner.asr.precision import compute_dtype

KNOWN = (Wav2Vec2EncoderStableLayerNorm, HubertEncoderStableLayerNorm)
"""transformers' classes of it. WavLM's attention knows distances, and base models norm after their layers."""
BLOCK = 8  # frames of an output row of the positional convolution; more sum more zeros, fewer are smaller products
SCORES = 2**20  # of frames for frames that a CPU computes at once: they fit its cache


class Transformer(nn.Module):
    """Features (B, T, D) -> the last layer's, as transformers' encoder computes them; its parameters keep their names.

    Args:
        encoder: one of :data:`KNOWN`.
        gradient_checkpointing: compute each layer twice rather than keep what it computed.
    """

    def __init__(self, encoder: Any, *, gradient_checkpointing: bool = False) -> None:
        super().__init__()
        config = encoder.config
        self.hidden_dropout, self.activation_dropout = config.hidden_dropout, config.activation_dropout
        self.attention_dropout, self.layerdrop = config.attention_dropout, config.layerdrop
        self.heads = config.num_attention_heads
        self.gradient_checkpointing = gradient_checkpointing
        self.pos_conv_embed, self.layers, self.layer_norm = encoder.pos_conv_embed, encoder.layers, encoder.layer_norm

    def lay_out(self, inside: Tensor) -> "Frames":
        """Return how :meth:`forward` holds the frames of a batch; a GPU finishes what it has to do before.

        Args:
            inside: (B, T), true inside the utterances.
        """
        return PackedFrames(inside) if self._has_flash_attention(inside.device) else PaddedFrames(inside)

    def forward(self, hidden: Tensor, frames: "Frames") -> Tensor:
        """Return the last layer's features (B, T, D) float32; those of padding are arbitrary.

        Args:
            hidden: (B, T, D).
            frames: of :meth:`lay_out`.
        """
        dtype = compute_dtype(hidden)
        with torch.autocast(hidden.device.type, enabled=False):
            hidden = hidden.to(dtype).masked_fill(~frames.inside[..., None], 0.0)
            hidden = self._drop(hidden + self._embed_positions(hidden), self.hidden_dropout)
            rows = frames.pack(hidden)
            for layer in self.layers:
                if self.training and self.layerdrop > 0.0 and torch.rand([]) < self.layerdrop:
                    continue
                if self.gradient_checkpointing and self.training:
                    rows = checkpoint(self._layer, layer, rows, frames, use_reentrant=False)
                else:
                    rows = self._layer(layer, rows, frames)
            return frames.unpack(self.layer_norm(rows.float()))

    def _layer(self, layer: Any, rows: Tensor, frames: "Frames") -> Tensor:
        """Return what a layer makes of rows (N, D)."""
        (qkv, qkv_bias, out, out_bias, wide, wide_bias, narrow, narrow_bias, norm1, norm1_bias, norm2, norm2_bias) = (
            _weights_of(layer, rows.dtype)
        )
        size = layer.layer_norm.normalized_shape
        normed = F.layer_norm(rows, size, norm1, norm1_bias, layer.layer_norm.eps)
        heads = F.linear(normed, qkv, qkv_bias).view(-1, 3, self.heads, layer.attention.head_dim)
        attended = frames.attend(heads, self.attention_dropout if self.training else 0.0)
        rows = rows + self._drop(F.linear(attended, out, out_bias), self.hidden_dropout)
        normed = F.layer_norm(rows, size, norm2, norm2_bias, layer.final_layer_norm.eps)
        inner = layer.feed_forward.intermediate_act_fn(F.linear(normed, wide, wide_bias))
        inner = self._drop(inner, self.activation_dropout)
        return rows + self._drop(F.linear(inner, narrow, narrow_bias), self.hidden_dropout)

    def _drop(self, hidden: Tensor, prob: float) -> Tensor:
        return F.dropout(hidden, prob) if self.training and prob else hidden

    def _embed_positions(self, hidden: Tensor) -> Tensor:
        embedding, conv = self.pos_conv_embed, self.pos_conv_embed.conv
        if not hidden.is_cuda or not is_parametrized(conv):  # oneDNN's grouped convolution is fast, cuDNN's is not
            with torch.autocast(hidden.device.type, hidden.dtype, enabled=hidden.dtype != torch.float32):
                return embedding(hidden)
        scale, direction = conv.parametrizations.weight.original0, conv.parametrizations.weight.original1
        weight = direction * (scale / direction.square().sum((0, 1), keepdim=True).sqrt())
        convolved = convolve_in_blocks(hidden, weight.to(hidden.dtype), conv.groups)
        return embedding.activation(convolved + conv.bias.to(hidden.dtype))

    def _has_flash_attention(self, device: torch.device) -> bool:
        """Whether PyTorch's flash attention can take utterances of different lengths one behind the other."""
        return (
            device.type == "cuda"
            and torch.is_autocast_enabled("cuda")  # in 16 bits
            and not (self.training and self.attention_dropout)
            and torch.backends.cuda.is_flash_attention_available()
            and torch.cuda.get_device_capability(device) >= (8, 0)
        )


class Frames(Protocol):
    """How the frames of a batch lie in rows, and which of them see each other; ``inside`` is (B, T)."""

    inside: Tensor

    def pack(self, hidden: Tensor) -> Tensor:
        """Return rows (N, D) of features (B, T, D)."""
        ...

    def unpack(self, rows: Tensor) -> Tensor:
        """Return features (B, T, D) of rows (N, D)."""
        ...

    def attend(self, heads: Tensor, dropout: float) -> Tensor:
        """Return rows (N, D) of what each frame attends to.

        Args:
            heads: (N, 3, H, D / H): queries, keys, values.
            dropout: of attention weights.
        """
        ...


class PaddedFrames:
    """N = B * T: padding has rows, which nobody attends to."""

    def __init__(self, inside: Tensor) -> None:
        self.inside = inside
        self._mask = inside[:, None, None, :].expand(-1, 1, inside.shape[1], -1)

    def pack(self, hidden: Tensor) -> Tensor:
        """Return rows."""
        return hidden.flatten(0, 1)

    def unpack(self, rows: Tensor) -> Tensor:
        """Return features."""
        return rows.view(*self.inside.shape, -1)

    def attend(self, heads: Tensor, dropout: float) -> Tensor:
        """Return what each frame attends to."""
        heads = heads.view(*self.inside.shape, *heads.shape[1:])
        if heads.device.type == "cpu" and heads.dtype != torch.float32 and not dropout:
            return AttentionByProducts.apply(heads, self._mask)
        return _attend(heads, self._mask, dropout)


def _attend(heads: Tensor, mask: Tensor, dropout: float) -> Tensor:
    """Return rows (B * T, D) of heads (B, T, 3, H, D / H)."""
    query, key, value = heads.permute(2, 0, 3, 1, 4)
    attended = F.scaled_dot_product_attention(query, key, value, mask, dropout)
    return attended.transpose(1, 2).flatten(2).flatten(0, 1)


class AttentionByProducts(torch.autograd.Function):
    """Attention in 16 bits on a CPU, where PyTorch's backward pass takes twice as long as these products (2.11)."""

    @staticmethod
    def forward(ctx: Any, heads: Tensor, mask: Tensor) -> Tensor:
        """Return rows (B * T, D) of heads (B, T, 3, H, D / H)."""
        ctx.save_for_backward(heads, mask)
        return _attend(heads, mask, dropout=0.0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Return the heads' gradient; weights are computed again, for some heads at a time."""
        heads, mask = ctx.saved_tensors
        num_utts, frames, _, num_heads, width = heads.shape
        parts = *heads.unbind(2), gradient.view(num_utts, frames, num_heads, width)
        query, key, value, gradient = (part.transpose(1, 2).flatten(0, 1) for part in parts)  # (B * H, T, D / H)
        bias = heads.new_zeros(num_utts, 1, 1, frames).masked_fill_(~mask[:, :, :1], -torch.inf)
        bias = bias.expand(-1, num_heads, -1, -1).flatten(0, 1)
        scale = width**-0.5
        gradients = query.new_empty(3, *query.shape)
        size = max(1, SCORES // frames**2)
        for begin in range(0, len(query), size):
            part = slice(begin, begin + size)
            weights = torch.baddbmm(bias[part], query[part], key[part].mT, alpha=scale).softmax(-1)
            products = torch.bmm(gradient[part], value[part].mT)
            scores = torch.ops.aten._softmax_backward_data(products, weights, -1, weights.dtype)
            torch.bmm(scores, key[part], out=gradients[0, part])
            torch.bmm(scores.mT, query[part], out=gradients[1, part])
            torch.bmm(weights.mT, gradient[part], out=gradients[2, part])
        gradients[:2] *= scale
        return gradients.view(3, num_utts, num_heads, frames, width).permute(1, 3, 0, 2, 4).contiguous(), None


class PackedFrames:
    """N: the frames of all utterances, one utterance behind the other."""

    def __init__(self, inside: Tensor) -> None:
        self.inside = inside
        self._places = inside.flatten().nonzero()[:, 0]
        self._offsets = F.pad(inside.sum(1).cumsum(0), (1, 0)).int()

    def pack(self, hidden: Tensor) -> Tensor:
        """Return rows."""
        return hidden.flatten(0, 1).index_select(0, self._places)

    def unpack(self, rows: Tensor) -> Tensor:
        """Return features, zero in the padding."""
        hidden = rows.new_zeros(self.inside.numel(), rows.shape[1])
        return hidden.index_copy(0, self._places, rows).view(*self.inside.shape, -1)

    def attend(self, heads: Tensor, dropout: float) -> Tensor:
        """Return what each frame attends to; there is no dropout."""
        query, key, value = heads.unbind(1)
        longest = self.inside.shape[1]
        # torch.nn.attention.varlen has this kernel behind an operator in Python, for which a fast GPU would wait.
        attended, *_ = torch.ops.aten._flash_attention_forward(
            query, key, value, self._offsets, self._offsets, longest, longest, dropout, False, False
        )
        return attended.flatten(1)


def _weights_of(layer: Any, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Return a layer's weights and biases: query, key and value in one, output, feed-forward in and out, both norms."""
    attention, feed_forward = layer.attention, layer.feed_forward
    threefold = (attention.q_proj, attention.k_proj, attention.v_proj)
    single = (attention.out_proj, feed_forward.intermediate_dense, feed_forward.output_dense)
    norms = (layer.layer_norm, layer.final_layer_norm)
    weights, biases = ([getattr(part, name) for part in threefold] for name in ("weight", "bias"))
    others = [tensor for part in (*single, *norms) for tensor in (part.weight, part.bias)]
    if weights[0].dtype == dtype:
        return torch.cat(weights), torch.cat(biases), *others
    return Converted.apply(dtype, *weights, *biases, *others)


class Converted(torch.autograd.Function):
    """Weights in another number format, all by one kernel, and their gradients back again; the first six become two."""

    @staticmethod
    def forward(ctx: Any, dtype: torch.dtype, *weights: Tensor) -> tuple[Tensor, ...]:
        """Return three weights (D, D) as one (3 D, D), three biases as one, and the others."""
        size, ctx.dtype = weights[0].shape[0], weights[0].dtype
        joined = weights[0].new_empty((3 * size, size), dtype=dtype), weights[0].new_empty(3 * size, dtype=dtype)
        others = [torch.empty_like(weight, dtype=dtype) for weight in weights[6:]]
        torch._foreach_copy_([*joined[0].chunk(3), *joined[1].chunk(3), *others], weights)
        return *joined, *others

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients in the weights' format."""
        parts = [*gradients[0].chunk(3), *gradients[1].chunk(3), *gradients[2:]]
        converted = [torch.empty_like(part, dtype=ctx.dtype) for part in parts]
        torch._foreach_copy_(converted, parts)
        return None, *converted


def convolve_in_blocks(hidden: Tensor, weight: Tensor, groups: int) -> Tensor:
    """Return ``conv1d`` of frames (B, T, D) with zeros around them, K // 2 before, as one product of matrices a group.

    A row holds the frames that :data:`BLOCK` outputs are computed from. The weights stand in a matrix once for each
    of the outputs, shifted by a frame: K + BLOCK - 1 frames of inputs by BLOCK of outputs, zeros elsewhere.

    Args:
        hidden: (B, T, D).
        weight: (D, D / groups, K).
        groups: of channels.
    """
    (num_utts, frames, dim), kernel, width = hidden.shape, weight.shape[2], weight.shape[1]
    blocks, reach = math.ceil(frames / BLOCK), math.ceil((kernel + BLOCK - 1) / BLOCK)  # of outputs; of a row's inputs
    num_padded = (blocks + reach - 1) * BLOCK
    padded = F.pad(hidden, (0, 0, kernel // 2, num_padded - frames - kernel // 2))
    rows = padded.view(num_utts, -1, BLOCK, groups, width).permute(3, 1, 0, 2, 4).flatten(3)  # (G, blocks, B, columns)
    rows = rows.unfold(1, reach, 1).transpose(-1, -2).reshape(groups, blocks * num_utts, -1)
    taps = weight.view(groups, width, width, kernel).permute(0, 3, 2, 1)  # (G, K, W, W of outputs)
    shifted = [F.pad(taps, (0, 0, 0, 0, shift, reach * BLOCK - kernel - shift)) for shift in range(BLOCK)]
    matrix = torch.stack(shifted, 3).view(groups, rows.shape[2], BLOCK * width)
    convolved = torch.bmm(rows, matrix).view(groups, blocks, num_utts, BLOCK, width)
    return convolved.permute(2, 1, 3, 0, 4).reshape(num_utts, blocks * BLOCK, dim)[:, :frames]
