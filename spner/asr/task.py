"""ESPnet's ASR task with our trainer, isolated utterances, and a frozen feature encoder that costs nothing."""

import datetime
import logging
import os
from argparse import ArgumentParser
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import scalar

from spner.asr.padding import isolate_utterances
from spner.asr.trainer import SpnerTrainer
from spner.asr.transfer import find_carried_over, freeze_for_steps
from spner.core.devices import has_bfloat16
from spner.core.logs import prints_logged

with prints_logged():  # ESPnet prints that it lacks flash_attn, which it can do without
    from espnet2.asr.espnet_model import ESPnetASRModel
    from espnet2.tasks.asr import ASRTask

# Every torch.load, also ESPnet's and S3PRL's, gives tensors and plain values only: a checkpoint from a
# stranger runs no code. ESPnet's training state also holds the times and numbers of its reports.
os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
torch.serialization.add_safe_globals(
    [datetime.timedelta, np.dtype, scalar, np.dtypes.Float64DType, np.dtypes.Float32DType]
)

log = logging.getLogger(__name__)


class SpnerTask(ASRTask):
    """ESPnet's ASR task with :class:`SpnerTrainer` and models in which batch mates do not affect each other."""

    trainer = SpnerTrainer

    @classmethod
    def add_task_arguments(cls, parser: ArgumentParser) -> None:
        """Add the one key that is not ESPnet's."""
        super().add_task_arguments(parser)
        parser.add_argument("--num_threads", type=int, help="CPU threads of PyTorch; unset: its own choice")

    @classmethod
    def build_model(cls, args: Any) -> ESPnetASRModel:
        """Build the model of an ESPnet configuration."""
        model = super().build_model(args)
        isolate_utterances(model)
        prepare_upstream(model, args.freeze_param)
        if args.use_amp and args.ngpu == 0 and has_bfloat16("cpu"):
            # ESPnet's use_amp knows CUDA only. Each forward pass enters autocast anew: a context around several steps
            # would keep the cast weights of the first, as ESPnet's own inner context switches the cache on.
            model.forward = torch.autocast("cpu", torch.bfloat16)(model.forward)
        return model

    @classmethod
    def build_optimizers(cls, args: Any, model: ESPnetASRModel) -> list[torch.optim.Optimizer]:
        """Build the optimiser; at first it may freeze what a transfer has carried over."""
        optimizers = super().build_optimizers(args, model)
        if getattr(args, "freeze_steps", 0):
            freeze_for_steps(optimizers[0], find_carried_over(model, args.reinit_layers), args.freeze_steps)
        return optimizers


def prepare_upstream(model: ESPnetASRModel, freeze_param: list[str]) -> None:
    """Make an S3PRL wav2vec 2.0 upstream trainable and, where ``freeze_param`` names it, its feature encoder free.

    Hugging Face's feature encoder marks its input as requiring gradients and S3PRL's passes them on whatever
    its parameters say, so ESPnet's ``freeze_param`` alone saves neither time nor memory.
    """
    upstream = getattr(getattr(getattr(model, "frontend", None), "upstream", None), "upstream", None)
    speech_model = getattr(upstream, "model", None)
    if speech_model is None:
        return
    if hasattr(speech_model, "config"):
        # S3PRL asserts that every layer's output is there; layer drop leaves some out while training.
        speech_model.config.layerdrop = 0.0
    name = "frontend.upstream.upstream.model.feature_extractor"
    if not any(name == frozen or name.startswith(f"{frozen}.") for frozen in freeze_param):
        return
    log.info("the feature encoder is frozen and takes no part in the backward pass")
    if hasattr(speech_model, "freeze_feature_encoder"):
        speech_model.freeze_feature_encoder()
    else:
        speech_model.feature_grad_mult = 0.0
