"""The convolutions, computed by rows, against transformers' own layers."""

import sys
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import Wav2Vec2Config
from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2FeatureEncoder

from spner.asr import convolutions as room
from spner.asr.convolutions import Convolutions

SHAPE: dict[str, Any] = {
    "conv_dim": [8, 12, 12, 16],
    "conv_kernel": [10, 3, 3, 2],
    "conv_stride": [5, 2, 2, 2],
    "num_feat_extract_layers": 4,
}


def make(**changes: Any) -> Wav2Vec2FeatureEncoder:
    torch.manual_seed(0)
    encoder = Wav2Vec2FeatureEncoder(
        Wav2Vec2Config(**{**SHAPE, "feat_extract_norm": "layer", "conv_bias": True, **changes})
    )
    for parameter in encoder.parameters():  # biases and norms that matter
        torch.nn.init.normal_(parameter, std=0.3)
    return encoder.requires_grad_(False).eval()


@pytest.fixture
def by_rows(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """What was computed by rows."""
    seen: list[Tensor] = []
    method = Convolutions._by_rows
    monkeypatch.setattr(
        Convolutions, "_by_rows", lambda self, it, at_once: seen.append(it) or method(self, it, at_once=at_once)
    )
    return seen


@pytest.mark.parametrize("num_samples", [*range(75, 120, 11), 400, 401, 439, 440, 16000])
@pytest.mark.parametrize("bias", [True, False])
def test_rows_are_frames(by_rows: list[Tensor], num_samples: int, bias: bool) -> None:
    encoder = make(conv_bias=bias)
    waveforms = torch.randn(3, num_samples)
    expected = encoder(waveforms)
    found = Convolutions(encoder)(waveforms)
    assert len(by_rows) == 1 and found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("at_once", [1, 2, 7, 24, 25, 26, 75, 100, sys.maxsize])  # the last: on a GPU
@pytest.mark.parametrize("kernels", [[10, 3, 3, 2], [5, 2, 2, 2], [10, 4, 4, 4]])  # the last: three rows a frame
def test_some_frames_at_once(at_once: int, kernels: list[int]) -> None:
    encoder, waveforms = make(conv_kernel=kernels), torch.randn(3, 1000)  # 25 rows each
    found = Convolutions(encoder)._by_rows(waveforms, at_once=at_once)
    torch.testing.assert_close(found, encoder(waveforms), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("changes", [{"conv_kernel": [7, 4, 2, 3]}, {"conv_stride": [10, 3, 2, 1]}])
def test_other_kernels_and_strides(by_rows: list[Tensor], changes: dict[str, Any]) -> None:
    encoder = make(**changes)
    waveforms = torch.randn(2, 1234)
    expected = encoder(waveforms)
    found = Convolutions(encoder)(waveforms)
    assert by_rows
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_in_bfloat16_as_autocast_says() -> None:
    encoder = make()
    waveforms = torch.randn(3, 4000)
    with torch.autocast("cpu", torch.bfloat16):
        expected, found = encoder(waveforms), Convolutions(encoder)(waveforms)
    assert found.dtype == expected.dtype == torch.bfloat16
    exact = encoder(waveforms)
    theirs, ours = ((one.float() - exact).abs().mean() for one in (expected, found))
    assert ours < 1.5 * theirs  # a sum of two products is rounded twice


def test_gradients_and_other_layers_take_transformers_own(by_rows: list[Tensor]) -> None:
    waveforms = torch.randn(2, 1000)
    trained = make().requires_grad_(True)
    Convolutions(trained)(waveforms).sum().backward()
    assert all(parameter.grad is not None for parameter in trained.parameters())
    Convolutions(make(feat_extract_norm="group"))(waveforms)
    Convolutions(make(feat_extract_activation="relu"))(waveforms)
    Convolutions(make(), plain=True)(waveforms)
    assert not by_rows
    with torch.no_grad():
        Convolutions(trained)(waveforms)
    assert by_rows


@pytest.mark.parametrize("num_samples", [0, 9, 59])
def test_less_than_a_frame_is_refused_by_both(num_samples: int) -> None:
    for plain in (False, True):
        with pytest.raises((ValueError, RuntimeError)):
            Convolutions(make(), plain=plain)(torch.randn(2, num_samples))


def test_one_frame_is_enough(by_rows: list[Tensor]) -> None:
    encoder, waveforms = make(), torch.randn(2, 60)
    torch.testing.assert_close(Convolutions(encoder)(waveforms), encoder(waveforms), rtol=1e-5, atol=1e-5)
    assert by_rows and Convolutions(encoder)(waveforms).shape[2] == 1


def test_what_fits_rows() -> None:
    assert all(map(room._fits_rows, make().conv_layers))
    assert not all(map(room._fits_rows, make(conv_kernel=[11, 3, 3, 2]).conv_layers))  # more than two strides
    assert not all(map(room._fits_rows, make(conv_kernel=[4, 3, 3, 2]).conv_layers))  # less than one
