"""What a training leaves on the disk: one model of a finished one, nothing of a failed one."""

import os
from pathlib import Path

from spner.core import paths
from spner.core.files import remove
from spner.core.training import chosen_checkpoint

MODELS = ("*epoch.pth", "*.best.pth", "*.ave*.pth")
"""ESPnet's models of epochs, their means, and links to them."""
LATEST = "latest.pth"  # a link to the last epoch's
PICTURES = ("att_ws", "images", "tensorboard")


def keep_one_model(exp: Path) -> None:
    """Remove what a finished training no longer needs: the optimiser's state and all models but the chosen one."""
    chosen = chosen_checkpoint(exp)
    model = chosen.resolve(strict=True)  # before anything is removed
    if chosen.is_symlink():
        os.replace(model, chosen)
    for name in (paths.CHECKPOINT, paths.FIRST_WEIGHTS, LATEST):
        remove(exp / name)
    _remove_all(exp, MODELS, keep=chosen)


def clear_training(exp: Path) -> None:
    """Remove everything that an unfinished training has left."""
    records = (paths.CHECKPOINT, paths.ASKED, paths.CONFIG, paths.TRANSFER, paths.FIRST_WEIGHTS, paths.CURVES)
    for name in (*records, LATEST):
        remove(exp / name)
    _remove_all(exp, (*MODELS, *PICTURES))


def _remove_all(exp: Path, patterns: tuple[str, ...], *, keep: Path | None = None) -> None:
    for pattern in patterns:
        for path in exp.glob(pattern):
            if path != keep:
                remove(path)
