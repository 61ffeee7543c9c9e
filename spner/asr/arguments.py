"""A training configuration and the recipe's folders -> ESPnet's arguments."""

import logging
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import torch

from spner.asr.knobs import refuse_idle_keys, set_rate
from spner.core import paths
from spner.core.errors import SpnerError, nearest
from spner.core.files import read_json
from spner.data.audio import SAMPLE_RATE_HZ
from spner.data.tokens import ASR, BPE

log = logging.getLogger(__name__)


def make_args(config: dict[str, Any], data: Path, dump: Path, exp: Path, *, ngpu: int | None) -> Namespace:
    """Return ESPnet's arguments: the configuration, and what the recipe's folders decide; see :func:`train`."""
    from spner.asr.task import SpnerTask

    tokens = read_json(dump / paths.TOKENS_CONFIG)
    parser: ArgumentParser = SpnerTask.get_parser()
    known = {action.dest for action in parser._actions}
    unknown = [f'"{key}"{nearest(key, known)}' for key in config if key not in known]
    if unknown:
        raise SpnerError(f"training configuration: unknown keys {', '.join(unknown)}; ESPnet's names are expected")
    parser.set_defaults(**set_rate(config))
    args = parser.parse_args([])
    refuse_idle_keys(config, args, SpnerTask)
    found = torch.cuda.device_count()
    if ngpu and ngpu > found:
        raise SpnerError(
            f"--ngpu {ngpu}: this machine has {found} GPUs that PyTorch can use (expected at most {found})"
        )
    fixed = {
        "output_dir": str(exp),
        "token_list": str(dump / paths.TOKEN_LIST),
        "token_type": tokens["token_type"],
        "bpemodel": str(dump / paths.BPE_MODEL) if tokens["token_type"] == BPE else None,
        "resume": True,
        "ngpu": ngpu if ngpu is not None else int(torch.cuda.is_available()),
    }
    for prefix, set_name in (("train", paths.TRAIN), ("valid", paths.DEV)):
        audio = dump if set_name == paths.TRAIN and tokens["joined"] else data
        fixed[f"{prefix}_data_path_and_name_and_type"] = [
            (str(audio / set_name / paths.WAV_SCP), "speech", "kaldi_ark"),
            (str(dump / set_name / paths.TEXT), "text", "text"),
        ]
        fixed[f"{prefix}_shape_file"] = [str(dump / set_name / name) for name in (paths.SPEECH_SHAPE, paths.TEXT_SHAPE)]
    vars(args).update(fixed)
    if tokens["system"] != ASR:
        args.non_linguistic_symbols = str(dump / paths.SYMBOLS)
    return args


def count_batches(args: Namespace) -> int:
    """Return the batches of a pass over the training set, and log how full they are.

    Raises:
        SpnerError: they are too few for a step.
    """
    from espnet2.samplers.build_batch_sampler import build_batch_sampler

    sampler = build_batch_sampler(
        type=args.batch_type,
        batch_size=args.batch_size,
        batch_bins=args.batch_bins,
        shape_files=args.train_shape_file,
        sort_in_batch=args.sort_in_batch,
        sort_batch=args.sort_batch,
        drop_last=args.drop_last_iter,
        min_batch_size=args.min_batch_size,
        fold_lengths=args.fold_length,
    )
    lengths = dict(line.split() for line in open(args.train_shape_file[0], encoding="utf-8"))
    batches = [[int(lengths[utt_id]) for utt_id in batch] for batch in sampler]
    filled, padded = sum(map(sum, batches)), sum(max(batch) * len(batch) for batch in batches)
    mean_s = padded / SAMPLE_RATE_HZ / len(batches)
    log.info("%d batches of %.1f s on average, %.1f %% padding", len(batches), mean_s, 100 * (1 - filled / padded))
    if len(batches) < args.accum_grad:
        raise SpnerError(
            f"accum_grad {args.accum_grad}: the training set makes fewer batches than that (expected one "
            "step an epoch at least); lower it, or the size of a batch"
        )
    return len(batches)
