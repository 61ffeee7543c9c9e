"""A forward pass waits for the device a few times, however many utterances and layers it has."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from tests.asr.test_transformer import attend_one_by_one
from tests.asr.upstreams import make_hugging_face_upstream
from tests.prepared import Prepared

READS = ("aten::_local_scalar_dense", "aten::nonzero", "aten::equal")
SCATTERS = ("aten::index_put", "aten::index_put_", "aten::_index_put_impl_", "aten::index")


class Waits(TorchDispatchMode):
    """Names the operations for which a GPU's host would wait: they read a value, or count what a mask selects.

    What is computed from no input, such as the random numbers that decide about layers, lies on the host in any case.
    A mask that is filled with one value is not counted: PyTorch makes that a ``masked_fill``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._on_host: dict[int, torch.Tensor] = {}  # held, so that no id is given twice

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, torch.Tensor)]
        on_host = all(id(tensor) in self._on_host for tensor in tensors)
        name = func.name().split(".")[0]
        masks = any(tensor.dtype == torch.bool for tensor in tensors[1:])
        one_value = name != "aten::index" and tensors and tensors[-1].numel() == 1
        if not on_host and (name in READS or (name in SCATTERS and masks and not one_value)):
            self.found.append(name)
        out = func(*args, **(kwargs or {}))
        if on_host and isinstance(out, torch.Tensor) and not out.dim():
            self._on_host[id(out)] = out
        return out


def test_what_would_wait_is_counted() -> None:
    values = torch.arange(4.0)
    with Waits() as waits:
        values.max().item()
        values[values > 1]
        values[values > 1] = torch.ones(2)
        values[values > 1] = 0.0
        bool(torch.rand([]) < 0.5)
    assert waits.found == ["aten::_local_scalar_dense", "aten::index", "aten::index_put_"]


@pytest.mark.espnet
@pytest.mark.parametrize("num_utts", [2, 12])
def test_a_forward_pass_waits_four_times_and_not_once_the_convolutions_run(
    num_utts: int, prepared: Prepared, tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spner.asr.arguments import make_args
    from spner.asr.convolutions import Convolutions
    from spner.asr.task import SpnerTask
    from spner.asr.transformer import PackedFrames, Transformer
    from spner.asr.upstream import read_architecture
    from spner.core.configs import merge_configs

    monkeypatch.setattr(Transformer, "_has_flash_attention", lambda self, device: True)  # as on a GPU
    monkeypatch.setattr(PackedFrames, "attend", attend_one_by_one)
    upstream = make_hugging_face_upstream(tmp_path / "tiny")
    settings = [f"frontend_conf.upstream={upstream}", "frontend_conf.layerdrop=0.1", "use_amp=false"]
    config = merge_configs([repo_root / "conf" / "train_xlsr.yaml"], settings)
    assert config["frontend_conf"]["mask_time_prob"]
    args = make_args(config, prepared.data, prepared.dump, tmp_path / "exp", ngpu=0)
    args.frontend_conf = {**args.frontend_conf, "architecture": read_architecture(upstream)}
    model = SpnerTask.build_model(args).train()
    lengths = torch.arange(num_utts) * 500 + 24_000
    batch = {"speech": torch.randn(num_utts, int(lengths.max())), "speech_lengths": lengths}
    text = {"text": torch.full((num_utts, 9), 7), "text_lengths": torch.full((num_utts,), 9)}
    before: list[int] = []
    convolve = Convolutions.forward
    monkeypatch.setattr(
        Convolutions, "forward", lambda self, waveforms: before.append(len(waits.found)) or convolve(self, waveforms)
    )
    with Waits() as waits:
        model(**batch, **text)
    assert "aten::nonzero" in waits.found and len(waits.found) <= 4, waits.found
    assert before == [len(waits.found)]  # the CTC loss of a GPU reads the lengths once more, which a CPU's does not
