"""ESPnet's ASR task with our trainer, isolated utterances, and a frozen feature encoder that costs nothing."""

import datetime
import os
from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import scalar

from spner.asr.frontend import UpstreamFrontend
from spner.asr.padding import isolate_utterances
from spner.asr.parts import plan_passes
from spner.asr.trainer import SpnerTrainer
from spner.asr.transfer import find_carried_over, freeze_for_steps
from spner.core.devices import has_bfloat16
from spner.core.errors import SpnerError, nearest
from spner.core.logs import prints_logged

with prints_logged():  # ESPnet prints that it lacks flash_attn, which it can do without
    from espnet2.asr.espnet_model import ESPnetASRModel
    from espnet2.tasks import asr
    from espnet2.tasks.asr import ASRTask, frontend_choices

    from spner.asr.loss import BatchedCTC

# Every torch.load, also ESPnet's and S3PRL's, gives tensors and plain values only: a checkpoint from a
# stranger runs no code. ESPnet's training state also holds the times and numbers of its reports.
os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
torch.serialization.add_safe_globals(
    [datetime.timedelta, np.dtype, scalar, np.dtypes.Float64DType, np.dtypes.Float32DType]
)


# ESPnet has no other way to add a class of one's own.
frontend_choices.classes["upstream"] = UpstreamFrontend
asr.CTC = BatchedCTC


class SpnerTask(ASRTask):
    """ESPnet's ASR task with :class:`SpnerTrainer` and models in which batch mates do not affect each other."""

    trainer = SpnerTrainer

    @classmethod
    def add_task_arguments(cls, parser: ArgumentParser) -> None:
        """Add the keys that are not ESPnet's."""
        super().add_task_arguments(parser)
        parser.add_argument("--num_threads", type=int, help="CPU threads of PyTorch; unset: its own choice")
        parser.add_argument("--parts_per_pass", type=int, help="epochs in a pass; unset: of half an hour at most")

    @classmethod
    def build_model(cls, args: Any) -> ESPnetASRModel:
        """Build the model of an ESPnet configuration."""
        model = super().build_model(args)
        isolate_utterances(model)
        names = [name for name, _ in model.named_parameters()]
        for frozen in args.freeze_param:
            if not any(name == frozen or name.startswith(f"{frozen}.") for name in names):
                raise SpnerError(
                    f"freeze_param: no parameter's name begins with {frozen}{nearest(frozen, _prefixes(names))}"
                )
        if args.use_amp and args.ngpu == 0 and has_bfloat16("cpu"):
            # ESPnet's use_amp knows CUDA only. Each forward pass enters autocast anew: a context around several steps
            # would keep the cast weights of the first, as ESPnet's own inner context switches the cache on.
            model.forward = torch.autocast("cpu", torch.bfloat16)(model.forward)
        return model

    @classmethod
    def build_optimizers(cls, args: Any, model: ESPnetASRModel) -> list[torch.optim.Optimizer]:
        """Cut passes into epochs and build the optimiser; at first it may freeze what a transfer has carried over."""
        plan_passes(cls, args, model)
        optimizers = super().build_optimizers(args, model)
        if getattr(args, "freeze_steps", 0):
            freeze_for_steps(optimizers[0], find_carried_over(model, args.reinit_layers), args.freeze_steps)
        return optimizers


def _prefixes(names: Iterable[str]) -> set[str]:
    parts = [name.split(".") for name in names]
    return {".".join(part[:length]) for part in parts for length in range(1, len(part) + 1)}
