"""Trainings that went wrong: the line that says so, the record of it, and a folder ready for the corrected command."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from spner.asr.disk import clear_training
from spner.core import paths
from spner.core.errors import SpnerError
from spner.core.files import read_json, remove, write_json

NOTHING_WRITTEN = 1.0  # WER of empty hypotheses; an untrained network that writes anything has more


@dataclass(frozen=True)
class Step:
    """What is known of one optimiser step.

    Attributes:
        number: from 1, over the whole training.
        loss: of its last batch.
        grad_norm: L2 norm of all gradients before clipping; NaN if it was not finite or is not known.
        rate: learning rate.
    """

    number: int
    loss: float
    grad_norm: float
    rate: float

    def __str__(self) -> str:
        norm = f"{self.grad_norm:.3g}" if math.isfinite(self.grad_norm) else "not finite"
        return f"step {self.number}, loss {self.loss:.4g}, gradient norm {norm}, learning rate {self.rate:.3g}"


class TrainingFailed(SpnerError):
    """A training whose weights are of no use."""

    def __init__(self, what: str, step: Step, *, advice: str) -> None:
        """
        Args:
            what: went wrong.
            step: in which it was seen, or the last one.
            advice: what to try.
        """
        super().__init__(f"training failed: {what} ({step}); {advice}; the next command with this --tag starts anew")
        self.what, self.step, self.advice = what, step, advice

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it reach another process whole."""
        return partial(TrainingFailed, advice=self.advice), (self.what, self.step)


def advise_lower_rate(rate: float) -> str:
    """Return what to try against instability, the known failure of this training."""
    return f"try a lower rate (optim_conf.lr={rate / 10:g}, it was {rate:g}) or more speech in a step (accum_grad)"


def judge(
    history: Sequence[Mapping[str, Any]], *, num_epochs: int, patience: int | None, step: Step, rate: float
) -> None:
    """Refuse to call a training finished that stopped before its time or has not learnt.

    Args:
        history: what each epoch reported, see :func:`spner.asr.train.read_history`.
        num_epochs: asked for.
        patience: ESPnet's key for early stopping; None if that was not asked for.
        step: the last one.
        rate: the highest learning rate.

    Raises:
        TrainingFailed: see above.
    """
    if len(history) < num_epochs and patience is None:
        what = f"it stopped after {len(history)} of {num_epochs} epochs, though patience is not set"
        raise TrainingFailed(what, step, advice=advise_lower_rate(rate))
    first, best = history[0]["dev_wer"], min(record["dev_wer"] for record in history)
    if len(history) > 1 and not best < min(first, NOTHING_WRITTEN):
        other = f"the first, {first:.3f}" if first <= NOTHING_WRITTEN else "1, which writing nothing has"
        what = f"of {len(history)} epochs none has a lower WER on dev than {other}"
        advice = f"{advise_lower_rate(rate)}, or train longer (max_epoch) if only the loss fell"
        raise TrainingFailed(what, step, advice=advice)


def record_failure(exp: Path, error: TrainingFailed) -> None:
    """Write that the training in ``exp`` failed."""
    step = {key: value if math.isfinite(value) else None for key, value in asdict(error.step).items()}
    write_json(exp / paths.FAILED, {"message": str(error), **step})


def clear_failed(exp: Path) -> str | None:
    """Remove what a failed training has left in ``exp``, the record of it last; return its message if there was one."""
    if not (exp / paths.FAILED).exists():
        return None
    message = read_json(exp / paths.FAILED)["message"]
    clear_training(exp)
    remove(exp / paths.FAILED)
    return message
