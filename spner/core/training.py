"""What a finished training has left in its experiment folder: its record, its configuration and its checkpoint."""

from pathlib import Path
from typing import Any

import yaml

from spner.core import paths
from spner.core.errors import SpnerError
from spner.core.files import read_json


def read_training(exp: Path) -> dict[str, Any]:
    """Return the record that stage 4 writes last.

    Raises:
        SpnerError: the training has not finished, or has failed.
    """
    _require_finished(exp)
    return read_json(exp / paths.TRAINING)


def find_model(exp: Path) -> Path:
    """Return the experiment whose model decoded: ``exp`` itself, or the one that its ``system.json`` leads to."""
    while (exp / paths.SYSTEM).exists():
        exp = Path(read_json(exp / paths.SYSTEM)["model"])
    return exp


def read_system(exp: Path) -> dict[str, str]:
    """Return whose hypotheses a folder holds: ``model``, and a pipeline's ``tagger``; empty where they are its own."""
    return read_json(exp / paths.SYSTEM) if (exp / paths.SYSTEM).exists() else {}


def read_pipeline(exp: Path) -> tuple[str | None, Path]:
    """Return a pipeline's tagger, folder or hub name, and its recogniser's folder; None and ``exp`` for another."""
    system = read_system(exp)
    if "tagger" not in system:
        return None, exp
    return str(beside_recipe(Path(system["tagger"]), exp)), beside_recipe(Path(system["model"]), exp)


def read_config(exp: Path) -> dict[str, Any]:
    """Return the configuration that ESPnet wrote: what was asked for, and its defaults."""
    return yaml.safe_load((exp / paths.CONFIG).read_text(encoding="utf-8"))


def chosen_checkpoint(exp: Path) -> Path:
    """Return the mean of a training's best epochs by its first criterion, as ESPnet names the file.

    Raises:
        SpnerError: the training has not finished, or has failed.
    """
    _require_finished(exp)
    phase, key, _mode = read_config(exp)["best_model_criterion"][0]
    return exp / f"{phase}.{key}.ave.pth"


def beside_recipe(path: Path, exp: Path) -> Path:
    """Return where a path is that an experiment wrote down relative to the recipe's folder, which holds ``exp/<tag>``.

    The path itself where it exists, as it does in the folder that the recipe ran in.
    """
    recipe = exp.resolve().parent.parent
    return recipe / path if not path.exists() and (recipe / path).exists() else path


def _require_finished(exp: Path) -> None:
    if (exp / paths.FAILED).exists():
        raise SpnerError(f"{exp}: {read_json(exp / paths.FAILED)['message']}")
    if not (exp / paths.TRAINING).exists():
        raise SpnerError(f"{exp}: holds no finished training; stage 4 makes it")
