"""The machines of one training: which of them this is, and what the first one tells the others.

On Slurm each task of the step is a machine. Elsewhere the same command is run on each, with ``--node_rank`` and
``--master``.
"""

import json
import os
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from torch.distributed import TCPStore

from spner.core.errors import SpnerError

PORT = 29500  # of PyTorch's own launcher
WAIT = timedelta(minutes=10)  # for a machine to come
LONG_WAIT = timedelta(days=1)  # for the first one to prepare, which may download the upstream
PATIENCE_S = 10.0  # for the other machines, before the first one goes
PLAN, FAILED, LEFT = "plan", "failed", "left"


@dataclass(frozen=True)
class Node:
    """One of the machines of a training.

    Attributes:
        rank: its number, from 0; the first one prepares, and writes all files.
        count: how many there are.
        address: host name or address of the first one.
        port: of the first one, on which it tells the others what to do.
    """

    rank: int = 0
    count: int = 1
    address: str = "localhost"
    port: int = PORT


def find_node(
    num_nodes: int, *, node_rank: int | None = None, master: str | None = None, environ: Mapping[str, str] = os.environ
) -> Node:
    """Return which of the machines this one is.

    Args:
        num_nodes: how many train together.
        node_rank: this one's number; None: Slurm's, if it runs this.
        master: ``HOST`` or ``HOST:PORT`` of machine 0; None: Slurm's first.
        environ: of the process.

    Raises:
        SpnerError: it cannot be known, or the numbers do not fit.
    """
    tasks = int(environ.get("SLURM_STEP_NUM_TASKS", 1))
    slurm = tasks > 1
    if num_nodes == 1 and not slurm:
        return Node()
    if slurm and node_rank is None and master is None:
        if tasks != num_nodes:
            raise SpnerError(
                f"--num_nodes {num_nodes}: this Slurm step has {tasks} tasks (expected one for each "
                "machine: srun --nodes N --ntasks-per-node 1)"
            )
        port = 20000 + int(environ["SLURM_JOB_ID"]) % 20000  # two jobs may share a machine
        return Node(int(environ["SLURM_PROCID"]), num_nodes, _first_host(environ["SLURM_STEP_NODELIST"]), port)
    if node_rank is None or master is None:
        raise SpnerError(
            f"--num_nodes {num_nodes}: give each machine --node_rank, 0 to {num_nodes - 1}, and --master HOST:PORT of "
            "machine 0 as well; inside srun, Slurm says both"
        )
    if not 0 <= node_rank < num_nodes:
        raise SpnerError(f"--node_rank {node_rank}: expected 0 to {num_nodes - 1}")
    host, _, port_text = master.partition(":")
    if not host or (port_text and not port_text.isdecimal()):
        raise SpnerError(f"--master {master}: expected HOST or HOST:PORT, such as node7:{PORT}")
    return Node(node_rank, num_nodes, host, int(port_text or PORT))


def start_step(num_nodes: int, environ: Mapping[str, str] = os.environ) -> None:
    """Where a Slurm job of several machines has reached this command on one, run it on each instead; never returns."""
    if num_nodes == 1 or "SLURM_JOB_ID" not in environ or "SLURM_STEP_ID" in environ:
        return
    step = ["srun", f"--nodes={num_nodes}", f"--ntasks={num_nodes}", "--ntasks-per-node=1", "--kill-on-bad-exit=1"]
    if "SLURM_CPUS_PER_TASK" in environ:  # which srun no longer takes from the job (Slurm 22.05)
        step.append(f"--cpus-per-task={environ['SLURM_CPUS_PER_TASK']}")
    os.execvp("srun", [*step, sys.executable, "-m", "spner", *sys.argv[1:]])


def _first_host(nodelist: str) -> str:
    """Return the first host of Slurm's list, such as ``gpu[03-07,11]``."""
    listed = subprocess.run(["scontrol", "show", "hostnames", nodelist], capture_output=True, text=True, check=True)
    return listed.stdout.split()[0]


class Talk:
    """What the machines of a training tell each other, through a store of the first one's; with one machine, nothing.

    The first one's plan is ESPnet's arguments and the port that its processes meet on, or why there is none.
    """

    def __init__(self, node: Node) -> None:
        """Open the store, or connect to it.

        Raises:
            SpnerError: the first machine does not answer, or its port is taken.
        """
        self.node = node
        self._store: TCPStore | None = None
        if node.count == 1:
            return
        try:
            self._store = TCPStore(
                node.address, node.port, is_master=node.rank == 0, wait_for_workers=False, timeout=WAIT
            )
        except (RuntimeError, ValueError) as error:  # torch's errors of sockets are RuntimeErrors
            whose = "this machine cannot listen there" if node.rank == 0 else "machine 0 does not answer there"
            raise SpnerError(f"{node.address}:{node.port}: {whose}; check --master and the port ({error})") from error

    def announce(self, args: Namespace, port: int) -> None:
        """Tell the others to start."""
        if self._store and not self._store.check([PLAN]):
            self._store.set(PLAN, json.dumps({"args": vars(args), "port": port}))

    def call_off(self, reason: str) -> None:
        """Tell the others that there is nothing to do, if they were not told to start."""
        if self._store and not self._store.check([PLAN]):
            self._store.set(PLAN, json.dumps({"reason": reason}))

    def hear(self) -> dict[str, Any]:
        """Return the first machine's plan."""
        assert self._store
        try:
            self._store.wait([PLAN], LONG_WAIT)
            return json.loads(self._store.get(PLAN))
        except RuntimeError as error:
            raise SpnerError(f"{self.node.address}:{self.node.port}: machine 0 has gone ({error})") from error

    def fail(self, line: str) -> None:
        """Tell the others why this machine's part has ended."""
        if self._store:
            self._store.set(FAILED, line)

    def leave(self) -> None:
        """Say that this machine, which is not the first, needs the store no more."""
        assert self._store
        with suppress(RuntimeError):  # the first has gone before
            self._store.add(LEFT, 1)

    def wait_for_others(self) -> None:
        """Keep the store, as the first machine, until the others have left, or for ten seconds."""
        until = time.monotonic() + PATIENCE_S
        while self._store and self._store.add(LEFT, 0) < self.node.count - 1 and time.monotonic() < until:
            time.sleep(0.1)

    def has_failed(self) -> str | None:
        """Return why another machine's part has ended, if it has."""
        if not self._store:
            return None
        try:
            return self._store.get(FAILED).decode() if self._store.check([FAILED]) else None
        except RuntimeError as error:
            return f"machine 0 has gone ({str(error).splitlines()[0]})"


@contextmanager
def calling(node: Node) -> Iterator[Talk]:
    """Talk as the first machine; at the end the others are told so, if they were not told to start."""
    talk = Talk(node)
    try:
        yield talk
    except BaseException as error:
        talk.call_off(f"machine 0 has failed: {error}")
        raise
    else:
        talk.call_off("")
    finally:
        talk.wait_for_others()
