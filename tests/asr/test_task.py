"""What our task adds to ESPnet's."""

from pathlib import Path

import pytest

from tests.asr.test_padding import build_model
from tests.prepared import Prepared

pytestmark = pytest.mark.espnet


def test_espnet_does_not_check_the_types_of_its_own_calls() -> None:
    """typeguard's checks, where it builds them in, are names that a function uses."""
    from spner.asr.task import SpnerTask

    methods = [method for method in vars(SpnerTask.__base__).values() if isinstance(method, classmethod)]
    codes = [method.__func__.__code__ for method in methods]
    assert len(codes) > 5
    assert [code.co_name for code in codes if any("check_argument_types" in name for name in code.co_names)] == []


def test_bfloat16_on_a_cpu_sees_the_weights_of_each_step(prepared: Prepared, repo_root: Path) -> None:
    """Autocast caches cast weights; a cache that outlives a step trains on stale ones and learns nothing."""
    import torch

    model = build_model(prepared, repo_root, "use_amp=true")
    batch = {
        "speech": torch.randn(1, 16000),
        "speech_lengths": torch.tensor([16000]),
        "text": torch.tensor([[7, 8]]),
        "text_lengths": torch.tensor([2]),
    }
    losses = []
    for scale in (1.0, 0.0):
        with torch.no_grad():
            model.ctc.ctc_lo.weight.mul_(scale)
        with torch.amp.autocast("cuda", enabled=False):  # what ESPnet's trainer wraps a step in
            loss, _, _ = model(**batch)
        losses.append(float(loss))
    assert losses[0] != losses[1]


def test_only_training_runs_in_bfloat16(prepared: Prepared, repo_root: Path) -> None:
    import torch

    model = build_model(prepared, repo_root, "use_amp=true")
    dtypes = []
    model.ctc.ctc_lo.register_forward_hook(lambda _module, _inputs, output: dtypes.append(output.dtype))
    speech, lengths = torch.randn(1, 16000), torch.tensor([16000])
    model(speech=speech, speech_lengths=lengths, text=torch.tensor([[7]]), text_lengths=torch.tensor([1]))
    model.ctc.ctc_lo(model.encode(speech, lengths)[0])
    assert dtypes == [torch.bfloat16, torch.float32]


def test_a_checkpoint_with_code_in_it_is_not_run(tmp_path: Path) -> None:
    import torch

    import spner.asr.task  # noqa: F401  forces weights_only for whoever loads

    class Code:
        def __reduce__(self):
            return (Path(tmp_path / "executed").touch, ())

    torch.save(Code(), tmp_path / "stranger.pth")
    with pytest.raises(Exception, match="[Ww]eights"):
        torch.load(tmp_path / "stranger.pth", weights_only=False)
    assert not (tmp_path / "executed").exists()
