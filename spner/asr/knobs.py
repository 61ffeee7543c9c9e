"""Keys of a training configuration that would reach nothing are refused by name."""

import inspect
from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from spner.core.errors import SpnerError, nearest

PEAKED = ("onecyclelr", "cycliclr", "cosineannealingwarmuprestarts")  # schedulers with a highest rate of their own
DECIDED = {
    **dict.fromkeys(("output_dir", "resume"), "spner train decides it"),
    **dict.fromkeys(
        "ngpu multiprocessing_distributed dist_backend dist_init_method dist_world_size dist_launcher dist_master_addr "
        "dist_master_port dist_rank local_rank unused_parameters gradient_as_bucket_view ddp_comm_hook".split(),
        "the options --ngpu and --num_nodes decide it",
    ),
    **dict.fromkeys(("token_list", "token_type", "bpemodel", "non_linguistic_symbols"), "stage 3 decides it"),
    **dict.fromkeys(
        ("train_data_path_and_name_and_type", "valid_data_path_and_name_and_type"), "--data and --dump decide it"
    ),
    **dict.fromkeys(("train_shape_file", "valid_shape_file"), "--dump decides it"),
    "num_iters_per_epoch": "parts_per_pass cuts a pass into epochs",
    "nbest_averaging_interval": "a finished training keeps one model",
    "pretrain_path": "init_param replaced it",
    **dict.fromkeys(
        "config print_config dry_run collect_stats write_collected_feats no_forward_run iterator_type "
        "valid_iterator_type multiple_iterator multi_task_dataset category_sample_size upsampling_factor "
        "category_upsampling_factor dataset_upsampling_factor dataset_scaling_factor max_batch_size min_batch_size "
        "chunk_length chunk_shift_ratio num_cache_chunks chunk_excluded_key_prefixes chunk_default_fs "
        "chunk_max_abs_length chunk_discard_short_samples use_deepspeed deepspeed_config sharded_ddp "
        "input_size joint_net_conf".split(),
        "spner train has no use for it",
    ),
}
"""Keys of ESPnet's that a configuration cannot set, and why."""

BINS, UTTERANCES = ("numel", "length"), ("unsorted", "sorted", "folded")
NEEDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "batch_bins": ("batch_type", BINS),
    "batch_size": ("batch_type", UTTERANCES),
    "fold_length": ("batch_type", ("folded",)),
    "early_stopping_criterion": ("patience", ()),
    "val_scheduler_criterion": ("scheduler", ("reducelronplateau", "warmupreducelronplateau")),
    "create_graph_in_tensorboard": ("use_tensorboard", ()),
    "num_att_plot": ("use_matplotlib", ()),
    **dict.fromkeys(("wandb_project", "wandb_id", "wandb_entity", "wandb_name"), ("use_wandb", ())),
    **dict.fromkeys(("adapter", "save_strategy", "adapter_conf"), ("use_adapter", ())),
    "ignore_init_mismatch": ("init_param", ()),
    "rir_apply_prob": ("rir_scp", ()),
    **dict.fromkeys(("noise_apply_prob", "noise_db_range", "short_noise_thres"), ("noise_scp", ())),
    "exclude_weight_decay_conf": ("exclude_weight_decay", ()),
}
"""A key reaches nothing unless the other one has one of these values; (): unless it is set at all."""

S3PRL_KEYS = ("upstream", "path_or_url", "normalize", "extra_conf", "tile_factor")
CTC_CHOICES = ("ctc_type", "reduce", "ignore_nan_grad", "zero_infinity", "brctc_")  # of ESPnet's loss, not of ours
SCORES = ("loss", "wer", "wer_tagged", "f1")


def set_rate(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with its scheduler's highest rate, which follows from ``optim_conf.lr``.

    Raises:
        SpnerError: there is no learning rate, or ``scheduler_conf.max_lr`` is another one.
    """
    optim_conf = config.get("optim_conf") or {}
    try:
        rate = float(optim_conf["lr"])  # YAML takes 1e-4 for text
    except (KeyError, TypeError, ValueError) as error:
        raise SpnerError(
            f"optim_conf.lr: is {optim_conf.get('lr', 'not set')}; expected the learning rate, such as 0.0001"
        ) from error
    changed = {**config, "optim_conf": {**optim_conf, "lr": rate}}
    if str(config.get("scheduler")).lower() not in PEAKED:
        return changed
    scheduler_conf = config.get("scheduler_conf") or {}
    if scheduler_conf.get("max_lr", rate) != rate:
        raise SpnerError(
            f"scheduler_conf.max_lr: is {scheduler_conf['max_lr']}, and optim_conf.lr is {rate:g}; optim_conf.lr alone "
            "sets the rate: set that and leave scheduler_conf.max_lr out"
        )
    return {**changed, "scheduler_conf": {**scheduler_conf, "max_lr": rate}}


def refuse_idle_keys(config: Mapping[str, Any], args: Namespace, task: Any) -> None:
    """Refuse keys that were set and would change nothing, and values that cannot train.

    Args:
        config: what was set; ``false``, 0, empty and null values count as not set.
        args: ESPnet's arguments with its defaults.
        task: ESPnet's task.

    Raises:
        SpnerError: it names all of them.
    """
    given = {key: value for key, value in config.items() if value not in (None, False, 0, "", [], {})}
    found = [
        *(f"{key} ({DECIDED[key]})" for key, value in config.items() if key in DECIDED and value is not None),
        *_find_unneeded(given, args),
        *_find_unknown(given, args, task),
        *_find_impossible(args),
    ]
    if found:
        advice = "leave out, or mend, each of them (key=null leaves out what a file sets)"
        raise SpnerError(f"training configuration: {'; '.join(found)}: {advice}")


def _find_unneeded(given: Mapping[str, Any], args: Namespace) -> Iterator[str]:
    for key, (other, values) in NEEDS.items():
        value = getattr(args, other)
        if key in given and not (value in values if values else value):
            wanted = f"{other} is {value}, not {' or '.join(values)}" if values else f"{other} is not set"
            yield f"{key} (reaches nothing: {wanted})"
    if getattr(args, "scheduler", None) == "onecyclelr":
        counts = {"total_steps", "epochs", "steps_per_epoch"} & set(given.get("scheduler_conf", ()))
        yield from (f"scheduler_conf.{key} (spner train counts the steps)" for key in sorted(counts))
    idle = [key for key in sorted(given.get("ctc_conf", ())) if key.startswith(CTC_CHOICES)]
    yield from (f"ctc_conf.{key} (reaches nothing: see spner/asr/loss.py)" for key in idle)
    reports = {"report_cer", "report_wer"} & {key for key, value in args.model_conf.items() if value}
    yield from (f"model_conf.{key} (the dev pass counts errors itself)" for key in sorted(reports))


def _find_unknown(given: Mapping[str, Any], args: Namespace, task: Any) -> Iterator[str]:
    """Yield the keys of ``<part>_conf`` for a part that is not there, and those that the part does not take."""
    for part, kind in _list_parts(args, task):
        conf = given.get(f"{part}_conf", {})
        if conf and kind is None:
            yield f"{part}_conf (reaches nothing: {part} is not set)"
        elif conf and kind is not None:
            known = inspect.signature(kind).parameters
            if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
                yield from (
                    f"{part}_conf.{key} ({kind.__name__} has no such key{nearest(key, known)})"
                    for key in conf
                    if key not in known
                )
    if args.frontend == "s3prl":
        inner = given.get("frontend_conf", {}).get("frontend_conf", {})
        yield from (
            f"frontend_conf.frontend_conf.{key} (ESPnet's S3PRL frontend has no such key{nearest(key, S3PRL_KEYS)})"
            for key in inner
            if key not in S3PRL_KEYS
        )


def _list_parts(args: Namespace, task: Any) -> Iterator[tuple[str, type | None]]:
    """Yield the parts of a training that have settings of their own, with their classes."""
    from espnet2.asr.ctc import CTC
    from espnet2.tasks.abs_task import optim_classes, scheduler_classes

    for choices in task.class_choices_list:
        name = getattr(args, choices.name)
        yield choices.name, choices.get_class(name) if name else None
    yield "optim", optim_classes[args.optim]
    yield "scheduler", scheduler_classes[args.scheduler] if args.scheduler else None
    yield "ctc", CTC


def _find_impossible(args: Namespace) -> Iterator[str]:
    for key in ("max_epoch", "accum_grad", "grad_clip"):
        if not getattr(args, key) > 0:
            yield f"{key} (is {getattr(args, key)}; expected more than 0, else nothing is learnt)"
    if args.specaug and not args.encoder:
        yield "specaug (without an encoder it masks the output; frontend_conf.mask_time_prob masks inside the upstream)"
    if args.use_tf32 and args.use_amp:
        yield "use_tf32 (reaches nothing: use_amp has bfloat16)"
    phase, key, mode = args.best_model_criterion[0]
    if phase != "valid" or key not in SCORES or mode not in ("min", "max"):
        names = ", ".join(SCORES)
        yield f"best_model_criterion (is {phase}, {key}, {mode}; expected valid, one of {names}, and min or max)"
    kept = args.keep_nbest_models
    if min(kept if isinstance(kept, (list, tuple)) and kept else [kept or 0]) < 1:
        yield f"keep_nbest_models (is {kept}; expected 1 or more)"
