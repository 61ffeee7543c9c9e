"""In which numbers dev passes and decoding compute."""

import pytest
import torch

from spner.asr.precision import training_precision


@pytest.mark.parametrize(("bfloat16", "expected"), [(True, torch.bfloat16), (False, torch.float16)])
def test_a_gpu_computes_as_in_training(monkeypatch: pytest.MonkeyPatch, bfloat16: bool, expected: torch.dtype) -> None:
    asked = []
    monkeypatch.setattr(torch, "autocast", lambda device, **options: asked.append((device, options)))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bfloat16)
    for use_amp in (True, False):
        training_precision(torch.device("cuda", 0), use_amp=use_amp)
    assert asked == [("cuda", {"dtype": expected, "enabled": use_amp}) for use_amp in (True, False)]


def test_a_cpu_computes_in_full_precision() -> None:
    with training_precision(torch.device("cpu"), use_amp=True):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
        assert not torch.is_autocast_enabled("cpu")
