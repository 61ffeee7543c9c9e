"""What may differ when a training is taken up again: nothing that changes the function that is trained."""

from collections.abc import Iterator, Mapping
from typing import Any

FREE = frozenset(
    "num_workers num_threads log_interval log_level use_tensorboard create_graph_in_tensorboard use_matplotlib "
    "num_att_plot use_wandb wandb_project wandb_id wandb_entity wandb_name wandb_model_log_interval "
    "max_cache_size max_cache_fd valid_max_cache_size valid_batch_size valid_batch_bins valid_batch_type "
    "cudnn_benchmark cudnn_deterministic detect_anomaly "
    "frontend_conf.gradient_checkpointing scheduler_conf.max_lr".split()
)
"""Keys of speed, logs and machines, where results may differ by rounding as they do between machines; and ``max_lr``,
which follows from ``optim_conf.lr``.
"""

STEP = ("batch_size", "batch_bins", "accum_grad")


def list_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return how two configurations differ in what a training computes, one text a key, such as ``seed: 1, now 2``."""
    old, new = dict(_flatten(before)), dict(_flatten(now))
    free = FREE.union(STEP) if _same_step(before, now) else FREE
    return [
        f"{key}: {_show(old, key)}, now {_show(new, key)}"
        for key in sorted(old.keys() | new.keys())
        if key not in free and (key in old, old.get(key)) != (key in new, new.get(key))
    ]


def _same_step(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether an optimiser step sees as much speech (or as many utterances): a batch times accum_grad."""

    def amounts(config: Mapping[str, Any]) -> list[Any]:
        accum_grad = config.get("accum_grad", 1)
        return [config[key] * accum_grad if config.get(key) else None for key in ("batch_size", "batch_bins")]

    return amounts(before) == amounts(now)


def _flatten(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _show(config: Mapping[str, Any], key: str) -> str:
    return str(config[key]) if key in config else "not set"
