"""What may differ when a training is taken up again."""

from typing import Any

import pytest

from spner.asr.changes import list_changes

ASKED: dict[str, Any] = {
    "optim_conf": {"lr": 0.002, "weight_decay": 0.01},
    "batch_type": "numel",
    "batch_bins": 240000,
    "accum_grad": 2,
    "max_epoch": 6,
    "freeze_param": ["a"],
}


@pytest.mark.parametrize(
    "change",
    [
        {"num_workers": 4, "log_interval": 10, "use_tensorboard": True},
        {"batch_bins": 480000, "accum_grad": 1},
        {"batch_bins": 120000, "accum_grad": 4},
        {"frontend_conf": {"gradient_checkpointing": True}},
    ],
)
def test_what_changes_no_function_may_change(change: dict[str, Any]) -> None:
    assert list_changes(ASKED, ASKED | change) == list_changes(ASKED | change, ASKED) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"max_epoch": 7}, ["max_epoch: 6, now 7"]),
        (
            {"optim_conf": {"lr": 0.001}},
            ["optim_conf.lr: 0.002, now 0.001", "optim_conf.weight_decay: 0.01, now not set"],
        ),
        ({"batch_bins": 480000}, ["batch_bins: 240000, now 480000"]),
        ({"accum_grad": 1}, ["accum_grad: 2, now 1"]),
        ({"batch_type": "length"}, ["batch_type: numel, now length"]),
        ({"freeze_param": []}, ["freeze_param: ['a'], now []"]),
        ({"seed": 3}, ["seed: not set, now 3"]),
        ({"transfer": {"init": "x"}}, ["transfer.init: not set, now x"]),
        ({"specaug": None}, ["specaug: not set, now None"]),
    ],
)
def test_what_changes_it_is_named_with_both_values(change: dict[str, Any], expected: list[str]) -> None:
    assert list_changes(ASKED, ASKED | change) == expected
