"""What is looked at in every step of a training; test_train_runs.py lets real ones fail."""

import math
from typing import Any

import pytest
import torch

from spner.asr.failure import TrainingFailed
from spner.asr.watch import MAX_SKIPPED, Watch


class Reporter:
    """ESPnet's, as far as it is used."""

    def __init__(self) -> None:
        self.registered: list[dict[str, Any]] = []

    def register(self, stats: dict[str, Any], weight: Any = None) -> None:
        self.registered.append(stats)

    def next(self) -> None:
        pass

    def get_epoch(self) -> int:
        return 3


BATCH = (["a", "b"], {"speech": torch.zeros(2, 16000), "speech_lengths": torch.tensor([16000, 8000])})


def make_watch(reporter: Reporter, *, scaled: bool = False) -> Watch:
    return Watch(reporter, title="epoch 3", num_batches=4, first_step=101, scaled=scaled, rate=0.002)


def step(watch: Watch, loss: float, grad_norm: float | None) -> None:
    """Take a batch and report its step in ESPnet's order; it leaves out the norm of a step that it skips."""
    assert list(watch.count([BATCH])) == [BATCH]
    watch.register({"loss": torch.tensor(loss)}, torch.tensor(8))
    if grad_norm is not None:
        watch.register({"grad_norm": torch.tensor(grad_norm)})
    watch.register({"optim0_lr0": 0.001, "train_time": 0.1})
    watch.next()


def test_everything_is_passed_on_and_steps_are_counted() -> None:
    reporter = Reporter()
    with make_watch(reporter) as watch:
        step(watch, 3.5, 1.5)
        step(watch, 3.0, 1.25)
    assert [set(stats) for stats in reporter.registered[:3]] == [{"loss"}, {"grad_norm"}, {"optim0_lr0", "train_time"}]
    assert watch.get_epoch() == 3
    assert str(watch.last_step()) == "step 103, loss 3, gradient norm 1.25, learning rate 0.001"


def test_a_skipped_step_is_a_failure_unless_the_loss_is_scaled() -> None:
    with make_watch(Reporter()) as watch:
        step(watch, 3.5, 1.5)
        with pytest.raises(
            TrainingFailed, match=r"the gradients are not finite .*\(step 102, loss 3, gradient norm not"
        ):
            step(watch, 3.0, None)


def test_where_the_loss_is_scaled_some_steps_in_a_row_may_be_skipped() -> None:
    with make_watch(Reporter(), scaled=True) as watch:
        for _ in range(2):
            for _ in range(MAX_SKIPPED):
                step(watch, 3.0, None)
            step(watch, 3.0, 1.0)
        for _ in range(MAX_SKIPPED):
            step(watch, 3.0, None)
        with pytest.raises(TrainingFailed, match="the gradients are not finite"):
            step(watch, 3.0, None)


def test_a_loss_that_is_not_finite_is_named_with_its_batch() -> None:
    with make_watch(Reporter(), scaled=True) as watch:
        with pytest.raises(TrainingFailed, match=r"the loss is nan in the batch of a and 1 more \(step 101"):
            step(watch, math.nan, 1.0)
