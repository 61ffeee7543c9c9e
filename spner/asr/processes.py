"""Runs ESPnet's task: here, or in a process for each GPU of each machine, of which rank 0 writes the files."""

import logging
import os
import signal
import socket
import sys
import time
from argparse import Namespace
from typing import Any

import torch
from torch import multiprocessing
from torch.multiprocessing.spawn import ProcessContext, ProcessExitedException, ProcessRaisedException

from spner.asr.nodes import Node, Talk
from spner.core.devices import use_threads
from spner.core.errors import SpnerError
from spner.core.logs import prints_logged, set_up_logging

log = logging.getLogger(__name__)

POLL_S = 1.0
PATIENCE_S = 10.0  # for the machine whose process died first to say so


def count_processes(ngpu: int, *, num_nodes: int = 1) -> int:
    """Return how many processes train together: one for each GPU; without GPUs, one for each machine."""
    return max(ngpu, 1) * num_nodes


def run_task(args: Namespace, talk: Talk) -> None:
    """Train as ESPnet's arguments say.

    Raises:
        SpnerError: the memory does not hold a batch, or a process has ended.
        TrainingFailed: it went wrong, see :mod:`spner.asr.failure`.
    """
    if count_processes(args.ngpu, num_nodes=talk.node.count) == 1:
        _train(args)
        return
    port = _free_port()
    talk.announce(args, port)
    _run_processes(vars(args), talk, port)


def help_train(node: Node) -> None:
    """Do this machine's part of a training that the first one prepares.

    Raises:
        SpnerError: the first machine has failed, or a process has ended.
    """
    log.info("waits for machine 0 at %s:%d", node.address, node.port)
    talk = Talk(node)
    plan = talk.hear()
    try:
        if "args" in plan:
            _run_processes(plan["args"], talk, plan["port"])
        elif plan["reason"]:
            raise SpnerError(plan["reason"])
        else:
            log.info("machine 0 has nothing to train")
    finally:
        talk.leave()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("", 0))
        return free.getsockname()[1]


def _run_processes(options: dict[str, Any], talk: Talk, port: int) -> None:
    node, local = talk.node, count_processes(options["ngpu"])
    errors = multiprocessing.get_context("spawn").SimpleQueue()
    context = multiprocessing.start_processes(
        _work, (options, node, port, errors), nprocs=local, join=False, start_method="spawn"
    )
    try:
        while not context.join(timeout=POLL_S):
            if line := talk.has_failed():
                raise SpnerError(line)
    except (ProcessExitedException, ProcessRaisedException) as error:
        if not errors.empty():
            known = errors.get()
            talk.fail(str(known))
            raise known from error
        line = _describe_end(error, context, node, local)
        if isinstance(error, ProcessRaisedException):  # it may only have lost its peers
            line = _wait_for_cause(talk) or line
        talk.fail(line)
        raise SpnerError(line) from error
    finally:
        for process in context.processes:
            process.kill()


def _work(local_rank: int, options: dict[str, Any], node: Node, port: int, errors: Any) -> None:
    """Be one of the processes: the GPU of that number trains a share of each batch."""
    rank = node.rank * count_processes(options["ngpu"]) + local_rank
    world = count_processes(options["ngpu"], num_nodes=node.count)
    place = {
        "RANK": rank,
        "LOCAL_RANK": local_rank,
        "WORLD_SIZE": world,
        "MASTER_ADDR": node.address,
        "MASTER_PORT": port,
    }
    os.environ.update({name: str(value) for name, value in place.items()})
    if rank == 0:
        set_up_logging()
    else:
        os.environ.pop("SPNER_LOG", None)
        logging.basicConfig(level=logging.ERROR)
    ngpu = min(options["ngpu"], 1)
    backend = "nccl" if ngpu else "gloo"
    try:
        _train(Namespace(**{**options, "ngpu": ngpu, "dist_backend": backend}))
    except SpnerError as error:
        errors.put(error)
        sys.exit(2)


def _train(args: Namespace) -> None:
    """Train in this process.

    Raises:
        SpnerError: the memory does not hold a batch.
    """
    from spner.asr.task import SpnerTask

    use_threads(args.num_threads)
    try:
        with prints_logged():  # ESPnet prints the command's arguments
            SpnerTask.main(args)
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
        raise SpnerError(
            f"{args.output_dir}: memory does not hold a batch ({str(error).split('. ')[0]}); halve batch_bins (or "
            "batch_size) and double accum_grad, which makes the same step"
        ) from error


def _is_out_of_memory(error: Exception) -> bool:
    """Whether a GPU or, for which PyTorch has no type, the machine had no room."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "DefaultCPUAllocator" in str(error)


def _describe_end(error: Exception, context: ProcessContext, node: Node, local: int) -> str:
    """Say which rank has ended, and how: one that was killed before one that has only lost its peers."""
    killed = [
        (number, -process.exitcode)
        for number, process in enumerate(context.processes)
        if process.exitcode and process.exitcode < 0 and -process.exitcode != signal.SIGTERM
    ]
    if killed:
        number, how = killed[0][0], f"was killed by {signal.Signals(killed[0][1]).name}"
    elif isinstance(error, ProcessRaisedException):
        log.error("%s", error)
        number, how = error.error_index, f"has failed: {str(error).strip().splitlines()[-1]}"
    else:
        assert isinstance(error, ProcessExitedException)
        number, how = error.error_index, f"has ended with exit code {error.exit_code}"
    rank, host = node.rank * local + number, socket.gethostname()
    return (
        f"training: rank {rank} of {local * node.count} (on {host}) {how}; the same command goes on after the last "
        "checkpoint"
    )


def _wait_for_cause(talk: Talk) -> str | None:
    until = time.monotonic() + (PATIENCE_S if talk.node.count > 1 else 0)
    while not (line := talk.has_failed()) and time.monotonic() < until:
        time.sleep(0.2)
    return line
