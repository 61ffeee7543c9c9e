"""Stage 4: an ESPnet configuration and a dump folder -> an ESPnet experiment folder."""

import logging
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml

from spner.asr.arguments import count_batches, make_args
from spner.asr.changes import list_changes
from spner.asr.checkpoint import unreadable_refused
from spner.asr.disk import keep_one_model
from spner.asr.failure import Step, TrainingFailed, clear_failed, judge, record_failure
from spner.asr.knobs import set_rate
from spner.asr.nodes import Node, Talk, calling
from spner.asr.processes import count_processes, run_task
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
from spner.core.errors import SpnerError
from spner.core.files import atomic_path, atomic_text, fingerprint, locked, read_json, read_lines, write_json
from spner.core.provenance import collect_versions, git_commit
from spner.core.resume import once
from spner.core.training import chosen_checkpoint, read_config
from spner.data.tokens import E2E, read_token_list, require_symbols

log = logging.getLogger(__name__)

ALONE = Node()
UPSTREAM = "upstream"  # the frontend of a pre-trained network


def train(
    data: Path,
    dump: Path,
    exp: Path,
    *,
    configs: Sequence[Path],
    settings: Sequence[str],
    ngpu: int | None,
    node: Node = ALONE,
    transfer: Transfer | None = None,
) -> Path:
    """Train with ESPnet's own trainer and return the checkpoint that decoding uses.

    An interrupted training continues after its last finished epoch; a finished one is not run again, unless its
    checkpoint was removed. A failed one starts anew.

    Args:
        data: data folder of stage 1.
        dump: ``dump/<tag>`` of stage 3.
        exp: ``exp/<tag>``, made or continued.
        configs: ESPnet YAML files; a later one overrides an earlier one key by key.
        settings: ``key=value``, ``key.subkey=value``: overrides of single keys.
        ngpu: GPUs of each machine; None takes one if there is one.
        node: the first of the machines; the others run :func:`spner.asr.processes.help_train`.
        transfer: another training to start from, see :mod:`spner.asr.transfer`; ignored by a training that continues.

    Raises:
        SpnerError: stage 3 has not finished, a bad configuration, a training of another kind in ``exp``, one to
            start from that does not fit, or too little memory.
        TrainingFailed: it went wrong, see :mod:`spner.asr.failure`.
    """
    tokens = _read_tokens(dump)
    config = set_rate(merge_configs(configs, settings))
    with calling(node) as talk, locked(exp):
        if failure := clear_failed(exp):
            log.info("%s: starts anew; the last time, %s", exp, failure)
        asked = config | ({"transfer": transfer.settings()} if transfer else {}) | {"texts": _identity(dump)}
        _refuse_other_training(exp, asked, dump)
        if (exp / paths.TRAINING).exists() and not chosen_checkpoint(exp).exists():
            log.warning("%s is gone: trains again", chosen_checkpoint(exp))

        def run() -> dict[str, Any]:
            args = make_args(config, data, dump, exp, ngpu=ngpu)
            _share_out(args, node)
            if args.frontend == UPSTREAM:
                _describe_network(args, exp, transfer)
            if transfer:
                _begin_with(transfer, args, exp)
            with atomic_text(exp / paths.ASKED) as file:
                yaml.safe_dump(asked, file, allow_unicode=True, sort_keys=True)
            return {
                "commit": git_commit(),
                "versions": collect_versions(),
                "configs": [str(c) for c in configs],
                "settings": list(settings),
                "train": tokens["train"],
                "init": str(transfer.init) if transfer else None,
                "history": _train(args, talk),
            }

        once(exp / paths.TRAINING, {"tokens": asked["texts"]}, run, parts=_list_files(exp))
        keep_one_model(exp)
    return chosen_checkpoint(exp)


def _read_tokens(dump: Path) -> dict[str, Any]:
    """Return stage 3's record, if a training can begin with it."""
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
    return tokens


def _list_files(exp: Path) -> Iterator[Path]:
    """Yield the files of a finished training that decoding reads."""
    yield exp / paths.CONFIG
    yield chosen_checkpoint(exp)


def _describe_network(args: Namespace, exp: Path, transfer: Transfer | None) -> None:
    """Add the upstream's network to its configuration, and its weights where nothing has been trained.

    Only then, or where no training of this upstream is known, is the pre-trained file read.
    """
    upstream = args.frontend_conf.get("upstream")
    if not isinstance(upstream, str):
        raise SpnerError(f"frontend_conf.upstream: is {upstream}; give one, such as xls_r_300m")
    trained = [exp, *([transfer.init] if transfer else [])]
    known = [read_config(folder)["frontend_conf"] for folder in trained if (folder / paths.CONFIG).exists()]
    found = [conf["architecture"] for conf in known if conf.get("upstream") == upstream]
    begins = not transfer and not (exp / paths.CHECKPOINT).exists()
    path = find_upstream(upstream) if begins or not found else None
    architecture = read_architecture(path) if path and not found else found[0]
    args.frontend_conf = {**args.frontend_conf, "architecture": architecture}
    if begins and path:
        _begin_with_upstream(args, exp, path)


def _begin_with_upstream(args: Namespace, exp: Path, path: Path) -> None:
    """Write the pre-trained weights of a training's upstream for ESPnet to load."""
    _refuse_init_param(args, "frontend_conf.upstream")
    weights = read_weights(path, args.frontend_conf["architecture"])
    log.info("%s: %d weights from %s", args.frontend_conf["upstream"], len(weights), path)
    with atomic_path(exp / paths.FIRST_WEIGHTS) as temporary:
        torch.save({f"frontend.model.{name}": weight for name, weight in weights.items()}, temporary)
    args.init_param = [str(exp / paths.FIRST_WEIGHTS)]


def _begin_with(transfer: Transfer, args: Namespace, exp: Path) -> None:
    """Let a training start from another one's weights, unless it has already started."""
    args.reinit_layers, args.freeze_steps = transfer.reinit_layers, transfer.freeze_steps
    if transfer.freeze_steps and args.min_batch_size > 1:
        raise SpnerError(
            "--freeze_steps: works in one process only (expected one GPU, on one machine); leave either out"
        )
    if (exp / paths.CHECKPOINT).exists():
        log.info("%s: continues after its last finished epoch; --init is not loaded again", exp)
        return
    _refuse_init_param(args, "--init")
    checkpoint = chosen_checkpoint(transfer.init)
    begin(args, exp, transfer, source=read_config(transfer.init), checkpoint=checkpoint)


def _refuse_init_param(args: Namespace, other: str) -> None:
    if args.init_param:
        raise SpnerError(f"init_param: reaches nothing beside {other}; leave it out")


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
    with unreadable_refused(checkpoint, advice="train it again, or give another --init"):
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


def _refuse_other_training(exp: Path, asked: dict[str, Any], dump: Path) -> None:
    """Refuse to continue, or to take as finished, a training with other settings, texts or first weights.

    A start that came to no checkpoint has nothing to lose, and so refuses nothing.
    """
    advice = f"give another --tag, or remove {exp}"
    if (exp / paths.SYSTEM).exists():
        raise SpnerError(f"{exp}: holds hypotheses of a model that was trained elsewhere; {advice}")
    if not any((exp / name).exists() for name in (paths.TRAINING, paths.CHECKPOINT)):
        return
    found = exp / paths.ASKED
    before = yaml.safe_load(found.read_text(encoding="utf-8"))
    if before.setdefault("texts", asked["texts"]) != asked["texts"]:
        raise SpnerError(f"{exp}: was trained on other texts than {dump} holds now; {advice}")
    parts = read_config(exp).get("parts_per_pass", 1)  # as it was chosen, if it was not asked for
    now = asked | {"parts_per_pass": asked.get("parts_per_pass") or parts}
    if changes := list_changes(before | {"parts_per_pass": parts}, now):
        raise SpnerError(f"{found}: a training with other settings is here ({'; '.join(changes)}); {advice}")
    if read_config(exp)["token_list"] != read_token_list(dump / paths.TOKEN_LIST):
        raise SpnerError(f"{exp / paths.CONFIG}: its token list is not that of {dump}; {advice}")
    init = Path(asked["transfer"]["init"]) if "transfer" in asked else None
    if init and (init / paths.TRAINING).exists():
        if read_json(exp / paths.TRANSFER)["weights"] != fingerprint([chosen_checkpoint(init)]):
            raise SpnerError(f"{exp}: began with other weights than {init} holds now; {advice}")


def _identity(dump: Path) -> str:
    train = dump / paths.TRAIN
    return fingerprint([dump / paths.TOKEN_LIST, train / paths.TEXT, train / paths.SPEECH_SHAPE])


def _share_out(args: Namespace, node: Node) -> None:
    """Prepare for several processes, each of which trains its share of every batch.

    Raises:
        SpnerError: there are too few utterances for them.
    """
    processes = count_processes(args.ngpu, num_nodes=node.count)
    args.min_batch_size = processes
    if args.frontend_conf.get("layerdrop"):
        args.unused_parameters = True  # a layer that is left out has no gradients to average
    if processes == 1:
        return
    log.info("%d processes share each batch", processes)
    for key in ("train_shape_file", "valid_shape_file"):
        file = Path(getattr(args, key)[0])
        if (num_utts := sum(1 for _ in read_lines(file))) < processes:
            raise SpnerError(
                f"{file}: has {num_utts} utterances for {processes} processes (expected one each at least)"
            )


def _train(args: Namespace, talk: Talk) -> list[dict[str, float]]:
    """Train and return the history of a training that deserves to be called finished; record one that does not."""
    exp, rate = Path(args.output_dir), args.optim_conf["lr"]
    num_batches = count_batches(args)
    try:
        run_task(args, talk)
        ran = read_config(exp)  # the task has counted epochs and steps, perhaps in another process
        history = read_history(exp, parts_per_pass=ran["parts_per_pass"])
        last = history[-1]
        steps = (ran["num_iters_per_epoch"] or num_batches) // args.accum_grad
        step = Step(len(history) * steps, last["train_loss"], last["grad_norm"], last["lr"])
        judge(history, num_epochs=ran["max_epoch"], patience=ran["patience"], step=step, rate=rate)
    except TrainingFailed as error:
        record_failure(exp, error)
        raise
    return history


def read_history(exp: Path, *, parts_per_pass: int = 1) -> list[dict[str, float]]:
    """Return what each epoch reported.

    Returns:
        for each: ``epoch``, ``passes`` over the training set so far; means over its steps of ``train_loss``,
        ``grad_norm`` (before clipping) and ``lr``; and of dev what our trainer reports.
    """
    state = torch.load(exp / paths.CHECKPOINT, map_location="cpu", weights_only=True, mmap=True)
    stats = state["reporter"]["stats"]
    return [
        {
            "epoch": epoch,
            "passes": epoch / parts_per_pass,
            "train_loss": float(phases["train"]["loss"]),
            "grad_norm": float(phases["train"]["grad_norm"]),
            "lr": float(phases["train"]["optim0_lr0"]),
            **{f"dev_{key}": float(phases["valid"][key]) for key in ("loss", "wer", "wer_tagged", "f1")},
        }
        for epoch, phases in sorted(stats.items())
    ]
