"""Cuts a pass over a large training set into epochs of half an hour at most, each with its dev pass and checkpoint.

ESPnet's ``num_iters_per_epoch`` makes the cut; its order of batches depends on seed and epoch only, so a training that
is taken up again sees the same batches. How many parts a pass has follows from the speed of some steps at the start;
``config.yaml`` keeps the number.
"""

import logging
import math
import random
import time
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from spner.asr.precision import training_precision
from spner.core import paths
from spner.core.errors import SpnerError
from spner.core.progress import in_words
from spner.core.training import read_config
from spner.data.datadir import read_table

log = logging.getLogger(__name__)

LIMIT_S = 30 * 60
"""Longest time from one checkpoint to the next."""
MAX_STEPS, MAX_MEASURED_S, MIN_STEPS = 20, 60.0, 3


def choose_parts(pass_s: float, dev_s: float) -> int:
    """Return into how many epochs a pass is cut: one, if it and its dev pass are within the limit.

    Args:
        pass_s: expected seconds of a pass over the training set.
        dev_s: expected seconds of a pass over dev, which follows each part.
    """
    if pass_s + dev_s <= LIMIT_S:
        return 1
    # A fifth is for slower hours and for writing; a long dev pass leaves training a quarter at least.
    return math.ceil(pass_s / max(0.8 * LIMIT_S - dev_s, LIMIT_S / 4))


def cut_passes(args: Namespace, num_parts: int, num_batches: int) -> None:
    """Set ESPnet's arguments so that each of ``max_epoch`` passes has so many epochs; a step never spans two.

    Args:
        args: ESPnet's arguments; ``max_epoch`` and ``patience`` count passes before, epochs after.
        num_parts: epochs in a pass.
        num_batches: batches in a pass.

    Raises:
        SpnerError: there are fewer steps in a pass.
    """
    steps = num_batches // args.accum_grad // num_parts
    if not steps:
        raise SpnerError(
            f"parts_per_pass {num_parts}: a pass has only {num_batches // args.accum_grad} steps "
            f"({num_batches} batches, accum_grad {args.accum_grad}); lower it"
        )
    args.parts_per_pass = num_parts
    args.max_epoch *= num_parts
    if num_parts > 1:
        args.num_iters_per_epoch = steps * args.accum_grad
        args.patience = args.patience and args.patience * num_parts
        log.info("a pass over the training set is cut into %d epochs of %d steps", num_parts, steps)
    if args.scheduler == "onecyclelr":
        args.scheduler_conf["total_steps"] = args.max_epoch * steps


def measure_batch_s(
    model: nn.Module, batches: Iterable[tuple[list[str], dict[str, Any]]], *, use_amp: bool, enough_s: float
) -> float:
    """Return the seconds that a training batch takes; weights, statistics and random states stay as they were.

    Args:
        model: on its device.
        batches: real ones in the order of training; the first warms up and is not counted, if there are others.
        use_amp: as ESPnet has it.
        enough_s: after a batch that is faster than this no more are measured.
    """
    device = next(model.parameters()).device
    kept = {name: buffer.clone() for name, buffer in model.named_buffers()}
    states = random.getstate(), np.random.get_state()
    taken: list[float] = []
    began = time.monotonic()
    model.train()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        for _, batch in batches:
            taken.append(_time_batch(model, batch, device, use_amp=use_amp))
            full = len(taken) > MIN_STEPS and time.monotonic() - began > MAX_MEASURED_S
            if full or len(taken) == MAX_STEPS or (len(taken) > 1 and taken[-1] < enough_s):
                break
    for name, buffer in model.named_buffers():
        buffer.copy_(kept[name])
    random.setstate(states[0])
    np.random.set_state(states[1])
    measured = taken[1:] or taken
    return sum(measured) / len(measured)


def _time_batch(model: nn.Module, batch: dict[str, Any], device: torch.device, *, use_amp: bool) -> float:
    began = time.monotonic()
    moved = {name: value.to(device) for name, value in batch.items()}
    with training_precision(device, use_amp=use_amp):
        loss = model(**moved)[0]
    loss.backward()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    model.zero_grad(set_to_none=True)
    return time.monotonic() - began


def plan_passes(task: Any, args: Namespace, model: nn.Module) -> None:
    """Set ESPnet's arguments for the parts that ``parts_per_pass`` asks for, or that the measured speed needs.

    A training that is taken up again keeps its number, whatever the speed is now.

    Args:
        task: ESPnet's task, which makes the batches.
        args: ESPnet's arguments; changed.
        model: to be trained, on its device.
    """
    from espnet2.schedulers.abs_scheduler import AbsBatchStepScheduler
    from espnet2.tasks.abs_task import scheduler_classes
    from espnet2.train.distributed_utils import DistributedOption
    from espnet2.utils.build_dataclass import build_dataclass

    exp = Path(args.output_dir)
    scheduler = scheduler_classes.get(args.scheduler)
    counts_steps = scheduler is None or issubclass(scheduler, AbsBatchStepScheduler)
    distributed = build_dataclass(DistributedOption, args)
    batches = task.build_iter_factory(args, distributed, mode="train").build_iter(1)
    if args.parts_per_pass is not None:
        num_parts = args.parts_per_pass
    elif (exp / paths.CHECKPOINT).exists():
        num_parts = read_config(exp).get("parts_per_pass", 1)
    elif not counts_steps:
        log.info("passes are not cut: the scheduler counts epochs; see parts_per_pass")
        num_parts = 1
    else:
        enough_s = LIMIT_S / len(batches) / 4
        batch_s = measure_batch_s(model, batches, use_amp=args.use_amp, enough_s=enough_s)
        if args.distributed:
            batch_s = _slowest(batch_s, next(model.parameters()).device)
        pass_s = batch_s * len(batches)
        train, dev = (_count_samples(files[0]) for files in (args.train_shape_file, args.valid_shape_file))
        wanted = choose_parts(pass_s, pass_s * dev / train / 3)  # the forward pass is a third of a step
        num_parts = min(wanted, len(batches) // args.accum_grad)
        log.info("a batch takes %.2f s, a pass over the training set about %s", batch_s, in_words(pass_s))
    cut_passes(args, num_parts, len(batches))


def _slowest(batch_s: float, device: torch.device) -> float:
    """Return the longest time of all processes, so that they cut alike."""
    longest = torch.tensor(batch_s, device=device)
    torch.distributed.all_reduce(longest, torch.distributed.ReduceOp.MAX)
    return float(longest)


def _count_samples(shape_file: str) -> int:
    return sum(map(int, read_table(Path(shape_file)).values()))
