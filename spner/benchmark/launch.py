"""A recipe that runs: here, or on a worker of a cluster."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from spner.core.errors import SpnerError
from spner.core.provenance import describe_machine

if TYPE_CHECKING:
    from distributed import Future

    from spner.core.cluster import Cluster

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""What Dask sets on its workers; a recipe has as many threads as the command that compares, or as the preset says."""


@dataclass(frozen=True)
class Recipe:
    """A command to run; it can be pickled.

    Attributes:
        command: program and arguments.
        log: file of its output.
        lock: file that it holds while it runs.
        threads: of each of its processes; None: as many as this process is told to have.
    """

    command: tuple[str, ...]
    log: Path
    lock: Path
    threads: int | None

    def environment(self) -> dict[str, str]:
        """Return the variables that this process gives it."""
        given = {name: os.environ[name] for name in THREADS if name in os.environ}
        return {**given, "VIRTUAL_ENV": sys.prefix, **({"OMP_NUM_THREADS": str(self.threads)} if self.threads else {})}


@dataclass(frozen=True)
class Ended:
    """How a recipe ended: exit code, seconds it took, and the machine that it ran on, in words."""

    code: int
    seconds: float
    machine: str


class Running(Protocol):
    """A recipe at work."""

    def poll(self) -> Ended | None:
        """Return how it ended, None as long as it has not."""
        ...

    def kill(self) -> None:
        """End it, with all its processes."""
        ...


class RunningHere:
    """A recipe that runs on this machine, in a session of its own."""

    def __init__(self, recipe: Recipe) -> None:
        self._began = time.monotonic()
        recipe.log.parent.mkdir(parents=True, exist_ok=True)
        with open(recipe.log, "wb") as file:
            self._process = subprocess.Popen(
                recipe.command,
                env={**os.environ, **recipe.environment()},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def poll(self) -> Ended | None:
        """Do what :class:`Running` says."""
        code = self._process.poll()
        return None if code is None else Ended(code, time.monotonic() - self._began, describe_machine())

    def kill(self) -> None:
        """Do what :class:`Running` says."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class RunningThere:
    """A recipe that runs on a worker; where the worker is lost, on another one."""

    def __init__(self, recipe: Recipe, cluster: "Cluster") -> None:
        self._recipe, self._cluster = recipe, cluster
        recipe.log.parent.mkdir(parents=True, exist_ok=True)
        self._future: Future = cluster.submit(_run, (recipe, recipe.environment()))

    def poll(self) -> Ended | None:
        """Do what :class:`Running` says."""
        if not self._future.done():
            return None
        try:
            return self._cluster.result(self._future, what=self._recipe.log.stem)
        except SpnerError as error:
            with open(self._recipe.log, "a", encoding="utf-8") as log:
                log.write(f"spner benchmark: error: {error}\n")
            return Ended(1, 0.0, "")

    def kill(self) -> None:
        """Do what :class:`Running` says; one that has begun ends with its worker."""
        self._future.cancel()


def _run(work: tuple[Recipe, Mapping[str, str]]) -> Ended:
    """Run a recipe on a worker, to its end."""
    recipe, environment = work
    kept = {name: value for name, value in os.environ.items() if name not in THREADS}
    began = time.monotonic()
    with open(recipe.log, "wb") as file:
        code = subprocess.call(
            [sys.executable, "-m", "spner.benchmark.job", str(recipe.lock), *recipe.command],
            env={**kept, **environment},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    return Ended(code, time.monotonic() - began, describe_machine())
