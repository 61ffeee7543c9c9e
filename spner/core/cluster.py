"""The workers of a cluster, through Dask: a YAML file says which.

::

    env: slurm          where: one of ENVS
    n_workers: 4
    options:            of the class that ENVS names
      queue: debug

The keys are those of ESPnet 202611 (``espnet3/parallel``), so that one file serves both. Dask is imported only where a
file is given.
"""

import importlib
import logging
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from spner.core.configs import merge_configs
from spner.core.errors import SpnerError, nearest
from spner.core.files import name_writer
from spner.core.parallel import AHEAD, Item, Result
from spner.core.progress import Progress
from spner.core.streams import Stream

if TYPE_CHECKING:
    from distributed import Client, Future

ENVS = {
    "local": "distributed.LocalCluster",
    "local_gpu": "dask_cuda.LocalCUDACluster",
    "ssh": "distributed.SSHCluster",
    "kube": "dask_kubernetes.operator.KubeCluster",
    **{
        name.lower(): f"dask_jobqueue.{name}Cluster"
        for name in ("HTCondor", "LSF", "Moab", "OAR", "PBS", "SGE", "SLURM")
    },
}
"""Each environment's class."""
REMIND_S = 60.0
PACKAGE = __name__.partition(".")[0]

log = logging.getLogger(__name__)
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class ClusterConfig:
    """What a file says; ``path`` is the file."""

    path: Path
    env: str
    n_workers: int
    options: dict[str, Any]


def read_cluster(path: Path) -> ClusterConfig:
    """Read a cluster's file.

    Raises:
        SpnerError: it is missing, or not what the module describes.
    """
    entries = merge_configs([path], [])
    known = ("env", "n_workers", "options")
    mistakes = [f'unknown key "{key}"{nearest(str(key), known)}' for key in entries if key not in known]
    env, n_workers, options = entries.get("env"), entries.get("n_workers", 1), entries.get("options") or {}
    if env not in ENVS:
        mistakes.append(f"env is {env!r}, none of {', '.join(ENVS)}")
    if isinstance(n_workers, bool) or not isinstance(n_workers, int) or n_workers < 1:
        mistakes.append(f"n_workers is {n_workers!r}, no number from 1 on")
    if not isinstance(options, dict):
        mistakes.append(f"options is {options!r}, no keys with values")
    if mistakes:
        raise SpnerError(f"{path}: {'; '.join(mistakes)} (expected env, n_workers and options, see docs/cluster.md)")
    return ClusterConfig(path, str(env), n_workers, options)


@contextmanager
def open_cluster(path: Path | None) -> Iterator["Cluster | None"]:
    """Yield the cluster that a file describes, and close it; None without a file.

    Raises:
        SpnerError: the file is wrong, a package is missing, or the cluster cannot be made.
    """
    if path is None:
        yield None
        return
    config = read_cluster(path)
    with closing(_make(config)) as made:
        from distributed import Client

        with Client(made) as client:
            client.forward_logging(PACKAGE)
            yield Cluster(client, config)


def _make(config: ClusterConfig) -> Any:
    """Return Dask's cluster, with its workers on their way."""
    make = _find_class(config)
    module, options = ENVS[config.env].partition(".")[0], dict(config.options)
    if config.env in ("local", "local_gpu"):
        options = {"n_workers": config.n_workers, "threads_per_worker": 1, "dashboard_address": ":0"} | options
    elif module == "dask_jobqueue":  # a job with several cores does one item at a time, with all of them
        options["scheduler_options"] = {"dashboard_address": ":0"} | options.get("scheduler_options", {})
        options["worker_extra_args"] = [*options.get("worker_extra_args", []), "--nthreads", "1"]
    try:
        made = make(**options)
        if module == "dask_jobqueue":  # in place of a job that is lost, another one
            made.adapt(minimum=config.n_workers, maximum=config.n_workers)
        elif config.env not in ("local", "local_gpu"):
            made.scale(config.n_workers)
    except (TypeError, ValueError, OSError, RuntimeError, ImportError) as error:
        raise SpnerError(
            f"{config.path}: {make.__name__} refuses these options ({_innermost(error)}); docs/cluster.md has examples"
        ) from error
    return made


def _find_class(config: ClusterConfig) -> Any:
    module, _, name = ENVS[config.env].rpartition(".")
    try:
        importlib.import_module("distributed")
        return getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise SpnerError(
            f"{config.path}: env {config.env} needs a package that is missing ({error}); install spner with its extra "
            '"cluster", or that package'
        ) from error


def _innermost(error: BaseException) -> str:
    """Return what an error was caused by, on one line: Dask says no more than that workers did not start."""
    while error.__cause__:
        error = error.__cause__
    return " ".join(str(error).split())


class Cluster:
    """A cluster's workers, each of which does one item at a time."""

    def __init__(self, client: "Client", config: ClusterConfig) -> None:
        """
        Args:
            client: Dask's.
            config: what the cluster was made from.
        """
        self._client, self.config = client, config

    def map(self, function: Callable[[Item], Result], items: Stream[Item], *, what: str, unit: str) -> Iterator[Result]:
        """Do what :class:`spner.core.parallel.Workers` says.

        An item whose worker is lost is done by another one, as often as Dask allows (three times).

        Raises:
            SpnerError: one item has lost too many workers.
        """
        given: deque[Future] = deque()
        left = iter(items)
        with Progress(len(items), what=what, unit=unit) as progress:
            try:
                while True:
                    for item in left:
                        given.append(self.submit(function, item))
                        if len(given) >= AHEAD * self.config.n_workers:
                            break
                    if not given:
                        return
                    yield self.result(given[0], what=f"{what}: {unit} {len(items) - len(given) + 1}")
                    given.popleft()
                    progress.update()
            finally:
                self._client.cancel(list(given))

    def submit(self, function: Callable[[Item], Result], item: Item) -> "Future":
        """Start one item; ``Future.done()`` says whether it has ended."""
        return self._client.submit(_Task(function, os.getcwd()), item, key=f"{function.__name__}-{uuid4()}", pure=False)

    def result(self, future: "Future", *, what: str) -> Any:
        """Wait for an item's result and return it; what the function raised is raised here.

        Raises:
            SpnerError: it has lost too many workers.
        """
        from distributed import KilledWorker

        self._wait_for_workers()
        try:
            outcome = future.result()
        except (KilledWorker, CancelledError) as error:
            raise SpnerError(
                f"{self.config.path}: {what}: its workers were lost, one after another ({str(error).split('.')[0]}); "
                "see their logs: a lack of memory is the usual cause"
            ) from error
        if isinstance(outcome, SpnerError):
            raise outcome
        return outcome

    def _wait_for_workers(self) -> None:
        while not self._client.scheduler_info()["workers"]:
            try:
                self._client.wait_for_workers(1, timeout=REMIND_S)
            except TimeoutError:
                log.info("%s: no worker has come yet; see the queue, and the jobs' logs", self.config.path)


@dataclass(frozen=True)
class _Task:
    """What a worker calls: the function, in the folder in which the command runs.

    A user's mistake comes back as a result: Dask would print its traceback on the worker.
    """

    function: Callable[[Any], Any]
    folder: str

    def __call__(self, item: Any) -> Any:
        with _one_at_a_time:  # a worker may have several threads
            os.chdir(self.folder)
            logging.getLogger(PACKAGE).setLevel(logging.INFO)  # they are forwarded
            name_writer(f"{socket.gethostname()}-{os.getpid()}")
            try:
                return self.function(item)
            except SpnerError as error:
                return error
