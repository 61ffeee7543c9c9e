"""Stage 4: an ESPnet configuration and a dump folder -> an ESPnet experiment folder."""

import logging
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml

from spner.asr.transfer import (
    MEAN,
    OUTPUT_LAYER,
    Transfer,
    carry_over,
    find_top_layers,
    format_report,
    map_tokens,
    refuse_other_kind,
)
from spner.asr.upstream import find_upstream, read_architecture, read_weights
from spner.core import paths
from spner.core.configs import merge_configs
from spner.core.devices import use_threads
from spner.core.errors import SpnerError, nearest
from spner.core.files import atomic_path, atomic_text, fingerprint, locked, read_json, remove, write_json
from spner.core.logs import prints_logged
from spner.core.provenance import collect_versions, git_commit
from spner.core.resume import once
from spner.core.training import chosen_checkpoint, read_config
from spner.data.audio import SAMPLE_RATE_HZ
from spner.data.tokens import ASR, BPE, E2E, read_token_list, require_symbols

log = logging.getLogger(__name__)

MERGED_CONFIG = "train_config.yaml"
UPSTREAM = "upstream"  # the frontend of a pre-trained network
CHECKPOINT = "checkpoint.pth"  # ESPnet's state after each epoch


def train(
    data: Path,
    dump: Path,
    exp: Path,
    *,
    configs: Sequence[Path],
    settings: Sequence[str],
    ngpu: int | None,
    transfer: Transfer | None = None,
) -> Path:
    """Train with ESPnet's own trainer and return the checkpoint that decoding uses.

    An interrupted training continues after its last finished epoch; a finished one is not run again. If its checkpoint
    was removed, it is averaged again from ESPnet's epochs; without these, trained again.

    Args:
        data: data folder of stage 1.
        dump: ``dump/<tag>`` of stage 3.
        exp: ``exp/<tag>``, made or continued.
        configs: ESPnet YAML files; a later one overrides an earlier one key by key.
        settings: ``key=value``, ``key.subkey=value``: overrides of single keys.
        ngpu: GPUs; None takes one if there is one.
        transfer: another training to start from, see :mod:`spner.asr.transfer`; ignored by a training that continues.

    Raises:
        SpnerError: stage 3 has not finished, a bad configuration, a training of another kind in ``exp``, or one to
            start from that does not fit.
    """
    if not (dump / paths.TOKENS_CONFIG).exists():
        raise SpnerError(f"{dump}: holds no finished token list and texts; stage 3 makes them")
    tokens = read_json(dump / paths.TOKENS_CONFIG)
    if paths.DEV not in tokens["sets"]:
        raise SpnerError(
            f"{dump}: has no dev set, on which a checkpoint is chosen; add dev.tsv to the corpus and "
            "rerun stages 1 to 3"
        )
    if tokens["system"] == E2E:
        token_list = dump / paths.TOKEN_LIST
        require_symbols(read_token_list(token_list), where=token_list, labels=tokens.get("labels"))
    config = merge_configs(configs, settings)
    asked = config | ({"transfer": transfer.settings()} if transfer else {})
    with locked(exp):
        identity = _identity(dump)
        _refuse_other_training(exp, asked, dump, identity)

        def run() -> dict[str, Any]:
            args = make_args(config, data, dump, exp, ngpu=ngpu)
            if args.frontend == UPSTREAM:
                _describe_network(args, exp, transfer)
            if transfer:
                _begin_with(transfer, args, exp)
            elif args.frontend == UPSTREAM and not (exp / CHECKPOINT).exists():
                _begin_with_upstream(args, exp)
            with atomic_text(exp / MERGED_CONFIG) as file:
                yaml.safe_dump(asked, file, allow_unicode=True, sort_keys=True)
            _run(args)
            return {
                "commit": git_commit(),
                "versions": collect_versions(),
                "configs": [str(c) for c in configs],
                "settings": list(settings),
                "train": tokens["train"],
                "init": str(transfer.init) if transfer else None,
                "history": read_history(exp),
            }

        once(exp / paths.TRAINING, {"tokens": identity}, run, parts=_list_files(exp))
        remove(exp / paths.FIRST_WEIGHTS)
    return chosen_checkpoint(exp)


def _list_files(exp: Path) -> Iterator[Path]:
    """Yield the files of a finished training that decoding reads."""
    yield exp / paths.CONFIG
    yield chosen_checkpoint(exp)


def _describe_network(args: Namespace, exp: Path, transfer: Transfer | None) -> None:
    """Add the upstream's network to its configuration; the pre-trained file is read only where nothing is trained."""
    upstream = args.frontend_conf.get("upstream")
    if not isinstance(upstream, str):
        raise SpnerError(f"frontend_conf.upstream: is {upstream}; give one, such as xls_r_300m")
    trained = [exp, *([transfer.init] if transfer else [])]
    known = [read_config(folder)["frontend_conf"] for folder in trained if (folder / paths.CONFIG).exists()]
    found = [conf["architecture"] for conf in known if conf.get("upstream") == upstream]
    architecture = found[0] if found else read_architecture(find_upstream(upstream))
    args.frontend_conf = {**args.frontend_conf, "architecture": architecture}


def _begin_with_upstream(args: Namespace, exp: Path) -> None:
    """Write the pre-trained weights of a training's upstream for ESPnet to load."""
    path = find_upstream(args.frontend_conf["upstream"])
    weights = read_weights(path, args.frontend_conf["architecture"])
    log.info("%s: %d weights from %s", args.frontend_conf["upstream"], len(weights), path)
    with atomic_path(exp / paths.FIRST_WEIGHTS) as temporary:
        torch.save({f"frontend.model.{name}": weight for name, weight in weights.items()}, temporary)
    args.init_param = [str(exp / paths.FIRST_WEIGHTS)]


def _begin_with(transfer: Transfer, args: Namespace, exp: Path) -> None:
    """Let a training start from another one's weights, unless it has already started."""
    args.reinit_layers, args.freeze_steps = transfer.reinit_layers, transfer.freeze_steps
    if transfer.freeze_steps and args.multiprocessing_distributed:
        raise SpnerError(
            "--freeze_steps: does not work with multiprocessing_distributed, which would never train what "
            "it once saw frozen; leave either out"
        )
    if (exp / CHECKPOINT).exists():
        log.info("%s: continues after its last finished epoch; --init is not loaded again", exp)
        return
    checkpoint = chosen_checkpoint(transfer.init)
    begin(args, exp, transfer, source=read_config(transfer.init), checkpoint=checkpoint)


def begin(args: Namespace, exp: Path, transfer: Transfer, *, source: Mapping[str, Any], checkpoint: Path) -> None:
    """Write the first weights of a training, let ESPnet load them, and report where they come from.

    Args:
        args: ESPnet's arguments, to which the weights' file is added.
        exp: the experiment to start.
        transfer: what is carried over.
        source: the configuration of ``transfer.init``.
        checkpoint: its weights.

    Raises:
        SpnerError: tokens or network are of another kind.
    """
    from espnet2.torch_utils.set_all_random_seed import set_all_random_seed

    from spner.asr.task import SpnerTask

    refuse_other_kind(source, token_type=args.token_type, init=transfer.init)
    set_all_random_seed(args.seed)  # as ESPnet does before it builds the network, so that fresh weights are the same
    building = deepcopy(args)
    fresh = SpnerTask.build_model(building).state_dict()
    rows = [] if transfer.reinit_output else map_tokens(source["token_list"], building.token_list)
    top = [*find_top_layers(fresh, transfer.reinit_layers), *(OUTPUT_LAYER if transfer.reinit_output else ())]
    trained = torch.load(checkpoint, map_location="cpu", weights_only=True)
    state, states = carry_over(fresh, trained, rows, source["token_list"], top=top, init=transfer.init)
    used = {token for row in rows if row.row != MEAN for token in row.of}
    report = {
        **transfer.settings(),
        "weights": fingerprint([checkpoint]),
        "tokens": [asdict(row) for row in rows],
        "left_out": [token for token in source["token_list"] if token not in used],
        "parameters": states,
    }
    write_json(exp / paths.TRANSFER, report)
    for line in format_report(report):
        log.info("%s", line)
    with atomic_path(exp / paths.FIRST_WEIGHTS) as temporary:
        torch.save(state, temporary)
    args.init_param = [str(exp / paths.FIRST_WEIGHTS)]


def _refuse_other_training(exp: Path, asked: dict[str, Any], dump: Path, identity: str) -> None:
    """Refuse to continue, or to take as finished, a training with other settings, texts or first weights."""
    advice = f"give another --tag, or remove {exp}"
    found = exp / MERGED_CONFIG
    if (exp / paths.SYSTEM).exists():
        raise SpnerError(f"{exp}: holds hypotheses of a model that was trained elsewhere; {advice}")
    if found.exists() and yaml.safe_load(found.read_text(encoding="utf-8")) != asked:
        raise SpnerError(f"{found}: a training with other settings is here; {advice}")
    if (exp / paths.TRAINING).exists() and read_json(exp / paths.TRAINING)["tokens"] != identity:
        raise SpnerError(f"{exp}: was trained on other texts than {dump} holds now; {advice}")
    if (exp / paths.CONFIG).exists():
        if read_config(exp)["token_list"] != read_token_list(dump / paths.TOKEN_LIST):
            raise SpnerError(f"{exp / paths.CONFIG}: its token list is not that of {dump}; {advice}")
    init = Path(asked["transfer"]["init"]) if "transfer" in asked else None
    if init and found.exists() and (init / paths.TRAINING).exists():
        if read_json(exp / paths.TRANSFER)["weights"] != fingerprint([chosen_checkpoint(init)]):
            raise SpnerError(f"{exp}: began with other weights than {init} holds now; {advice}")


def _identity(dump: Path) -> str:
    train = dump / paths.TRAIN
    return fingerprint([dump / paths.TOKEN_LIST, train / paths.TEXT, train / paths.SPEECH_SHAPE])


def make_args(config: dict[str, Any], data: Path, dump: Path, exp: Path, *, ngpu: int | None) -> Namespace:
    """Return ESPnet's arguments: the configuration, and what the recipe's folders decide; see :func:`train`."""
    from spner.asr.task import SpnerTask

    tokens = read_json(dump / paths.TOKENS_CONFIG)
    parser: ArgumentParser = SpnerTask.get_parser()
    known = {action.dest for action in parser._actions}
    unknown = [f'"{key}"{nearest(key, known)}' for key in config if key not in known]
    if unknown:
        raise SpnerError(f"training configuration: unknown keys {', '.join(unknown)}; ESPnet's names are expected")
    parser.set_defaults(**config)
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
    args = parser.parse_args([])
    vars(args).update(fixed)
    if tokens["system"] != ASR:
        args.non_linguistic_symbols = str(dump / paths.SYMBOLS)
    return args


def _run(args: Namespace) -> None:
    from spner.asr.task import SpnerTask

    steps = _count_steps(args)
    if not steps:
        raise SpnerError(
            f"accum_grad {args.accum_grad}: the training set makes fewer batches than that (expected one "
            "step an epoch at least); lower it, or the size of a batch"
        )
    if args.scheduler == "onecyclelr" and "total_steps" not in args.scheduler_conf:
        args.scheduler_conf["total_steps"] = steps
    use_threads(args.num_threads)
    with prints_logged():  # ESPnet prints the command's arguments
        SpnerTask.main(args)


def _count_steps(args: Namespace) -> int:
    """Return the optimiser steps of the whole training, and log how full its batches are."""
    from espnet2.samplers.build_batch_sampler import build_batch_sampler

    sampler = build_batch_sampler(
        type=args.batch_type,
        batch_size=args.batch_size,
        batch_bins=args.batch_bins,
        shape_files=args.train_shape_file,
        sort_in_batch=args.sort_in_batch,
        sort_batch=args.sort_batch,
        drop_last=args.drop_last_iter,
        min_batch_size=1,
        fold_lengths=args.fold_length,
    )
    lengths = dict(line.split() for line in open(args.train_shape_file[0], encoding="utf-8"))
    batches = [[int(lengths[utt_id]) for utt_id in batch] for batch in sampler]
    filled, padded = sum(map(sum, batches)), sum(max(batch) * len(batch) for batch in batches)
    mean_s = padded / SAMPLE_RATE_HZ / len(batches)
    log.info("%d batches of %.1f s on average, %.1f %% padding", len(batches), mean_s, 100 * (1 - filled / padded))
    num_iters = args.num_iters_per_epoch or len(batches)
    return args.max_epoch * (num_iters // args.accum_grad)


def read_history(exp: Path) -> list[dict[str, float]]:
    """Return what each finished epoch reported: ``epoch``, ``train_loss``, and of dev what our task reports."""
    stats = torch.load(exp / CHECKPOINT, map_location="cpu", weights_only=True)["reporter"]["stats"]
    return [
        {
            "epoch": epoch,
            "train_loss": float(phases["train"]["loss"]),
            **{f"dev_{key}": float(phases["valid"][key]) for key in ("loss", "wer", "wer_tagged", "f1")},
        }
        for epoch, phases in sorted(stats.items())
    ]
