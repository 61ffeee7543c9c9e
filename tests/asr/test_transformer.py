"""The transformer in few operations, against transformers' own layers."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import HubertConfig, Wav2Vec2Config
from transformers.models.hubert.modeling_hubert import HubertEncoderStableLayerNorm
from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2EncoderStableLayerNorm

from spner.asr import transformer as room
from spner.asr.transformer import (
    AttentionByProducts,
    Converted,
    PackedFrames,
    PaddedFrames,
    Transformer,
    convolve_in_blocks,
)

SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "attn_implementation": "sdpa",
}
DROPOUTS = ("hidden_dropout", "attention_dropout", "activation_dropout")
NONE = dict.fromkeys((*DROPOUTS, "layerdrop"), 0.0)
LENGTHS = torch.tensor([40, 33, 7, 1])
INSIDE = torch.arange(40) < LENGTHS[:, None]
KINDS = {
    "wav2vec2": (Wav2Vec2EncoderStableLayerNorm, Wav2Vec2Config),
    "hubert": (HubertEncoderStableLayerNorm, HubertConfig),
}
Frames = PaddedFrames | PackedFrames


def make(kind: str = "wav2vec2", **changes: Any) -> Any:
    torch.manual_seed(0)
    network, config = KINDS[kind]
    encoder = network(config(**{**SHAPE, **NONE, **changes}))
    for parameter in encoder.parameters():  # biases and norms that matter
        torch.nn.init.normal_(parameter, std=0.3)
    return encoder.train()


def features() -> Tensor:
    return torch.randn(4, 40, 32, generator=torch.Generator().manual_seed(1))


def attend_one_by_one(self: PackedFrames, heads: Tensor, dropout: float) -> Tensor:
    """Do what flash attention does on a GPU: each utterance attends to itself."""
    assert not dropout
    attended = []
    for first, last in zip(self._offsets.tolist()[:-1], self._offsets.tolist()[1:], strict=True):
        query, key, value = heads[first:last].permute(1, 2, 0, 3)  # (3, H, T, D / H)
        attended.append(F.scaled_dot_product_attention(query, key, value).transpose(0, 1).flatten(1))
    return torch.cat(attended)


@pytest.fixture(params=["padded", "packed"])
def layout(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "packed":
        monkeypatch.setattr(Transformer, "_has_flash_attention", lambda self, device: True)
        monkeypatch.setattr(PackedFrames, "attend", attend_one_by_one)
    return request.param


def compute(encoder: Any, hidden: Tensor, inside: Tensor = INSIDE) -> Tensor:
    """Return the features of all frames."""
    if isinstance(encoder, Transformer):
        return encoder(hidden, encoder.lay_out(inside))
    return encoder(hidden, attention_mask=inside).last_hidden_state


def run(encoder: Any, *, autocast: bool = False) -> tuple[Tensor, dict[str, Tensor]]:
    """Return features inside the utterances, and the gradients of a loss on them."""
    hidden = features().requires_grad_(True)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        found = compute(encoder, hidden.clone())
    torch.manual_seed(3)
    (found.float()[INSIDE] * torch.randn(int(INSIDE.sum()), 32)).sum().backward()
    assert hidden.grad is not None
    gradients = {name: parameter.grad for name, parameter in encoder.named_parameters()}
    return found[INSIDE].detach(), {**gradients, "input": hidden.grad[INSIDE]}


@pytest.mark.parametrize("kind", KINDS)
def test_features_and_gradients_are_transformers_own(kind: str, layout: str) -> None:
    encoder = make(kind)
    expected, their_gradients = run(copy.deepcopy(encoder))
    found, gradients = run(Transformer(encoder))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert gradients.keys() == their_gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, their_gradients[name], rtol=1e-4, atol=1e-4, msg=name)


def test_in_bfloat16_it_is_as_exact_as_transformers_own(layout: str) -> None:
    encoder = make()
    exact, exact_gradients = run(copy.deepcopy(encoder))
    theirs, their_gradients = run(copy.deepcopy(encoder), autocast=True)
    ours, gradients = run(Transformer(encoder), autocast=True)
    assert ours.dtype == torch.float32
    assert (ours - exact).norm() < 1.5 * (theirs.float() - exact).norm()
    for name, gradient in gradients.items():
        if "k_proj.bias" not in name:  # softmax takes no notice of it
            error, their_error = (gradient - exact_gradients[name], their_gradients[name] - exact_gradients[name])
            assert gradient.dtype == torch.float32
            assert error.norm() < 2 * their_error.norm() + 1e-3 * exact_gradients[name].norm(), name


@pytest.mark.parametrize("scores", [1, 40 * 40 * 3, 10**6])  # a head at a time, three, all
def test_gradients_of_attention_are_pytorchs_own(scores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "SCORES", scores)
    frames = PaddedFrames(INSIDE)
    heads = torch.randn(160, 3, 4, 8, requires_grad=True)
    factors = torch.randn(160, 32) * INSIDE.flatten()[:, None]
    (expected,) = torch.autograd.grad((frames.attend(heads, 0.0) * factors).sum(), heads)
    attended = AttentionByProducts.apply(heads.view(4, 40, 3, 4, 8), frames._mask)
    (found,) = torch.autograd.grad((attended * factors).sum(), heads)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert found[~INSIDE.flatten()].abs().max() == 0.0


def test_who_attends_by_products(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []
    method = AttentionByProducts.apply
    monkeypatch.setattr(AttentionByProducts, "apply", lambda *inputs: seen.append(inputs[0]) or method(*inputs))
    frames, heads = PaddedFrames(INSIDE), torch.randn(160, 3, 4, 8)
    frames.attend(heads, 0.0)
    frames.attend(heads.bfloat16(), 0.5)
    assert not seen
    frames.attend(heads.bfloat16(), 0.0)
    assert len(seen) == 1


def test_padding_is_zero_where_frames_are_packed() -> None:
    frames = PackedFrames(INSIDE)
    rows = frames.pack(features())
    assert rows.shape == (int(LENGTHS.sum()), 32)
    torch.testing.assert_close(frames.unpack(rows), features() * INSIDE[..., None])
    assert frames._offsets.tolist() == [0, 40, 73, 80, 81]


@pytest.mark.parametrize("dropout", DROPOUTS)
def test_dropouts_are_for_training(dropout: str) -> None:
    encoder = Transformer(make(**{dropout: 0.5}))

    def draw() -> Tensor:
        return compute(encoder, features())[INSIDE]

    assert not torch.allclose(draw(), draw())
    encoder.eval()
    torch.testing.assert_close(draw(), draw())
    torch.testing.assert_close(draw(), run(make())[0], rtol=1e-5, atol=1e-5)


def test_layers_are_left_out_as_transformers_leaves_them_out() -> None:
    encoder = make(layerdrop=0.5)
    for seed in range(4):
        outputs = []
        for one in (encoder, Transformer(copy.deepcopy(encoder))):
            torch.manual_seed(seed)
            outputs.append(compute(one, features())[INSIDE])
        torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-5, atol=1e-5)
    found = compute(Transformer(encoder).eval(), features())[INSIDE]
    torch.testing.assert_close(found, run(make())[0], rtol=1e-5, atol=1e-5)


def test_a_layer_is_computed_twice_for_less_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    method = Transformer._layer
    monkeypatch.setattr(
        Transformer, "_layer", lambda self, layer, *rest: seen.append(layer) or method(self, layer, *rest)
    )
    _, expected = run(Transformer(make()))
    assert len(seen) == 3
    _, gradients = run(Transformer(make(), gradient_checkpointing=True))
    assert len(seen) == 3 + 6
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], msg=name)


def test_weights_are_converted_and_their_gradients_back() -> None:
    weights = [torch.randn(shape, requires_grad=True) for shape in [(4, 4)] * 3 + [(4,)] * 3 + [(8, 4), (8,)]]
    converted = Converted.apply(torch.bfloat16, *weights)
    assert [tuple(one.shape) for one in converted] == [(12, 4), (12,), (8, 4), (8,)]
    joined = torch.cat(weights[:3]), torch.cat(weights[3:6]), *weights[6:]
    for one, other in zip(converted, joined, strict=True):
        assert torch.equal(one, other.bfloat16())
    factors = [torch.randn_like(one) for one in joined]
    sum((one.float() * factor).sum() for one, factor in zip(converted, factors, strict=True)).backward()
    expected = [*factors[0].chunk(3), *factors[1].chunk(3), *factors[2:]]
    for weight, gradient in zip(weights, expected, strict=True):
        assert weight.grad is not None and weight.grad.dtype == torch.float32
        torch.testing.assert_close(weight.grad, gradient.bfloat16().float())


@pytest.mark.parametrize(
    ("frames", "kernel", "groups", "dim"),
    [(250, 128, 16, 64), (37, 16, 4, 32), (1, 16, 4, 8), (40, 15, 1, 8), (8, 4, 2, 4)],
)
def test_a_convolution_in_blocks_is_conv1d(frames: int, kernel: int, groups: int, dim: int) -> None:
    hidden = torch.randn(3, frames, dim, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(dim, dim // groups, kernel, dtype=torch.float64, requires_grad=True)
    expected = F.conv1d(hidden.transpose(1, 2), weight, padding=kernel // 2, groups=groups).transpose(1, 2)[:, :frames]
    found = convolve_in_blocks(hidden, weight, groups)
    torch.testing.assert_close(found, expected)
    factors = torch.randn_like(expected)
    ours, theirs = (torch.autograd.grad((one * factors).sum(), (hidden, weight)) for one in (found, expected))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no GPU: flash attention over packed frames has only one there"
)
def test_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    packed: list[Any] = []
    monkeypatch.setattr(room, "PackedFrames", lambda inside: packed.append(inside) or PackedFrames(inside))
    encoder = make(hidden_size=128)  # heads of 32
    hidden = torch.randn(4, 40, 128)
    exact = compute(Transformer(copy.deepcopy(encoder)), hidden)[INSIDE]
    theirs, ours = copy.deepcopy(encoder).cuda(), Transformer(encoder).cuda()
    with torch.autocast("cuda", torch.bfloat16):
        errors = [
            (compute(one, hidden.cuda(), INSIDE.cuda())[INSIDE.cuda()].cpu() - exact).norm() for one in (ours, theirs)
        ]
    assert packed and errors[0] < 1.5 * errors[1]
    with torch.no_grad():  # in float32, padded, the positions in blocks
        found = compute(ours, hidden.cuda(), INSIDE.cuda())[INSIDE.cuda()]
    assert len(packed) == 1
    torch.testing.assert_close(found.cpu(), exact, rtol=1e-3, atol=1e-3)
