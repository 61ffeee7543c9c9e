"""Looks at every step of an epoch: shows how far it is, and stops a training whose numbers are not finite."""

import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor

from spner.asr.failure import Step, TrainingFailed, advise_lower_rate
from spner.core.progress import Progress
from spner.data.audio import SAMPLE_RATE_HZ

MAX_SKIPPED = 20
"""Steps in a row that may be skipped where the loss is scaled: gradients overflow until the scale is small enough."""

Batch = tuple[list[str], dict[str, Tensor]]


class Watch:
    """ESPnet's reporter of one epoch, which also looks at what the trainer reports; use it as a context manager."""

    def __init__(
        self,
        reporter: Any,
        *,
        title: str,
        num_batches: int,
        first_step: int,
        scaled: bool,
        rate: float,
        processes: int = 1,
        shown: bool = True,
    ) -> None:
        """
        Args:
            reporter: ESPnet's.
            title: of the progress bar.
            num_batches: of the epoch.
            first_step: number of the epoch's first step, from 1.
            scaled: the loss is scaled (fp16, bf16 on a GPU).
            rate: the highest learning rate of the training.
            processes: that share each batch.
            shown: whether this one shows how far it is.
        """
        self._reporter, self._scaled, self._peak_rate, self._processes = reporter, scaled, rate, processes
        self._number, self._skipped = first_step, 0
        self._loss = self._norm = self._rate = math.nan
        self._stepped = False
        self._utt_ids: list[str] = []
        self._speech_s = self._padded_s = 0.0
        self._began = time.monotonic()
        self._progress = Progress(
            num_batches, what=title, unit="batches", every_s=60.0, file=sys.__stderr__, shown=shown
        )

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.__exit__(*exception)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reporter, name)

    def count(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield the batches and remember what they hold."""
        for utt_ids, batch in batches:
            self._utt_ids = utt_ids
            self._speech_s += float(batch["speech_lengths"].sum()) / SAMPLE_RATE_HZ
            self._padded_s += batch["speech"].shape[0] * batch["speech"].shape[1] / SAMPLE_RATE_HZ
            yield utt_ids, batch

    def register(self, stats: Mapping[str, Any], weight: Any = None) -> None:
        """Pass on what the trainer reports: a batch's loss, then where a step ends its gradient norm and its rate.

        Raises:
            TrainingFailed: something is not finite.
        """
        self._reporter.register(stats, weight)
        if "loss" in stats:
            self._loss = float(stats["loss"])
            if not math.isfinite(self._loss):
                self._fail(f"the loss is {self._loss}")
        if "grad_norm" in stats:
            self._norm, self._stepped = float(stats["grad_norm"]), True
        if "optim0_lr0" in stats:
            self._rate = float(stats["optim0_lr0"])
            self._end_step()

    def next(self) -> None:
        """Count a batch as finished."""
        self._reporter.next()
        speed = self._speech_s * self._processes / (time.monotonic() - self._began)
        padding = 100 * (1 - self._speech_s / self._padded_s)
        note = f"loss {self._loss:.2f}, {speed:.1f} s of speech a second, {padding:.1f} % padding"
        self._progress.update(1, note=note)

    def last_step(self) -> Step:
        """Return the step that is under way, or the last one."""
        return Step(self._number, self._loss, self._norm, self._rate)

    def _end_step(self) -> None:
        """ESPnet skips a step whose gradients are not finite; only where the loss is scaled may that be."""
        self._skipped = 0 if self._stepped else self._skipped + 1
        if not self._stepped:
            self._norm = math.nan
        if self._skipped > (MAX_SKIPPED if self._scaled else 0):
            self._fail("the gradients are not finite")
        self._number, self._stepped = self._number + 1, False

    def _fail(self, what: str) -> None:
        batch = f"the batch of {self._utt_ids[0]} and {len(self._utt_ids) - 1} more"
        advice = advise_lower_rate(self._peak_rate)
        raise TrainingFailed(f"{what} in {batch}", self.last_step(), advice=advice)
