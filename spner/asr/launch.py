"""A training on a CPU as several processes of one thread, which share every batch (data parallel, gloo).

Threads of one process wait for each other at every operation, and spin meanwhile: beside any other work they stand
still. Processes wait once a step, and sleep meanwhile.
"""

import logging
import os
import sys
from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.multiprocessing import ProcessExitedException, start_processes

from spner.core.errors import SpnerError
from spner.core.logs import set_up_logging
from spner.core.parallel import end_with_parent


def run_task(args: Namespace) -> None:
    """Run ESPnet's training: in this process, or on a CPU in ``args.dist_world_size`` new ones.

    Raises:
        SpnerError: one of the processes was killed.
    """
    num_processes = args.dist_world_size or 1
    if args.ngpu or num_processes == 1:
        _train(args)
        return
    with TemporaryDirectory() as folder:
        shared = vars(args) | {
            "dist_backend": "gloo",
            "dist_init_method": (Path(folder) / "rendezvous").as_uri(),
            "multiprocessing_distributed": False,  # ESPnet starts processes for GPUs only
        }
        try:
            start_processes(_train_rank, (shared, os.getpid()), nprocs=num_processes, start_method="spawn")
        except ProcessExitedException as error:
            raise SpnerError(
                f"training: process {error.error_index + 1} of {num_processes} was ended from outside "
                f"({error.signal_name or f'exit code {error.exit_code}'}), perhaps for want of memory; "
                "the same command goes on at the last finished epoch"
            ) from error


def _train(args: Namespace) -> None:
    from spner.asr.task import SpnerTask

    SpnerTask.main(args)


def _train_rank(rank: int, shared: dict[str, object], parent: int) -> None:
    end_with_parent(parent)
    set_up_logging()
    if rank:
        logging.getLogger().setLevel(logging.ERROR)  # the first speaks for all
    torch.set_num_threads(1)
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # else it listens on the machine's address
    try:
        _train(Namespace(**shared | {"dist_rank": rank}))
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
