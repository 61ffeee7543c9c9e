"""Work spread over processes."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from typing import Protocol, TypeVar

from spner.core.progress import Progress
from spner.core.streams import Stream

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 4
"""Items that are given out at a time, by worker: of many, few are held."""


def count_cpus() -> int:
    """Return the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers(Protocol):
    """What does the items of a work: this process, processes of this machine, or a cluster."""

    def map(self, function: Callable[[Item], Result], items: Stream[Item], *, what: str, unit: str) -> Iterator[Result]:
        """Yield ``function(item)`` for each item, in order.

        Shows a progress bar on a terminal. The first exception stops the map and is raised here; work that has not
        started by then is dropped.

        Args:
            function: a module-level function; it and the items travel to the workers by pickling.
            items: the work, in the order of the results.
            what: the bar's title.
            unit: what one item is.
        """
        ...


@dataclass(frozen=True)
class Processes:
    """Processes of this machine, started for each work; where there is one, or one item, it is this process."""

    num_workers: int = 1

    def map(self, function: Callable[[Item], Result], items: Stream[Item], *, what: str, unit: str) -> Iterator[Result]:
        """Do what :class:`Workers` says."""
        with Pool(self.num_workers) as pool:
            yield from pool.map(function, items, what=what, unit=unit)


class Pool:
    """Processes of this machine that stay for the next work; a context manager. The first work starts them."""

    def __init__(self, num_workers: int) -> None:
        """
        Args:
            num_workers: processes; one is this process.
        """
        self._num_workers = num_workers
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._executor:
            self._executor.shutdown(cancel_futures=True)

    def map(self, function: Callable[[Item], Result], items: Stream[Item], *, what: str, unit: str) -> Iterator[Result]:
        """Do what :class:`Workers` says; one item is done by this process."""
        with Progress(len(items), what=what, unit=unit) as progress:
            if self._num_workers == 1 or len(items) < 2:
                for item in items:
                    yield function(item)
                    progress.update()
                return
            executor = self._executor = self._executor or _start(self._num_workers)
            given, left = deque[Future[Result]](), iter(items)
            try:
                while True:
                    given.extend(
                        executor.submit(function, item) for item in islice(left, AHEAD * self._num_workers - len(given))
                    )
                    if not given:
                        return
                    yield given.popleft().result()
                    progress.update()
            finally:
                for future in given:
                    future.cancel()


def _start(num_workers: int) -> ProcessPoolExecutor:
    # Spawned workers inherit no locked file and no half-built library state, as forked ones would.
    return ProcessPoolExecutor(
        num_workers, mp_context=get_context("spawn"), initializer=_end_with, initargs=(os.getpid(),)
    )


def _end_with(parent: int) -> None:
    """End this worker soon after its parent is gone; a killed parent cannot stop it."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
