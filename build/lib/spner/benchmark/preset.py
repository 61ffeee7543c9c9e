"""A preset of the comparison: what runs, how often, and with which settings; ``conf/benchmark_<preset>.yaml``::

corpus: mini_quick          a mini corpus, or the absolute path of a folder that holds a release's folder for
                            each language
mini_opts: --num_train 500  more options of spner mini-corpus
recipe_opts: --nj 1         more options of every recipe
train_config: train_mini.yaml
train_opts: keep_nbest_models=3
epochs: [[10, 40], [100, 11]]
                            percent of the target's train set, 100 among them, each with its epochs
upstreams: []               pre-trained networks as run.sh --upstream takes them, paths absolute: the first is every
                            training's, each other one adds its E2E systems and pipelines; none: the configuration's
speech_taggers: {}          by language: another tagger for the pipeline than the recipe trains, which learns from the
                            E2E system's utterances
seeds: [1, 2, 3]            of the target's systems and of the first source's E2E system, which transfer starts from
side_seeds: [1]             those of everything else: other languages and sources, joint training
jobs: 2                     cells at the same time
threads: 1                  of each; null: as many as there are cores
seconds: {data: 90, start: 38, whole: 150}
                            what making a corpus, a cell without its training, and a training on all of a language
                            took where it was measured; null: not known
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from spner.core.configs import merge_configs
from spner.core.errors import SpnerError, nearest
from spner.core.recipe import is_mini

WHOLE = 100  # percent
PREFIX = "benchmark_"


@dataclass(frozen=True)
class Preset:
    """The settings, as the module describes them; ``name`` is that of the file."""

    name: str
    corpus: str
    mini_opts: str
    recipe_opts: str
    train_config: str
    train_opts: str
    epochs: dict[int, int]
    upstreams: tuple[str, ...]
    speech_taggers: dict[str, str]
    seeds: tuple[int, ...]
    side_seeds: tuple[int, ...]
    jobs: int
    threads: int | None
    seconds: dict[str, float] | None


TYPES: dict[str, Any] = {
    "corpus": str,
    "mini_opts": str,
    "recipe_opts": str,
    "train_config": str,
    "train_opts": str,
    "epochs": list,
    "upstreams": list,
    "speech_taggers": dict,
    "seeds": list,
    "side_seeds": list,
    "jobs": int,
    "threads": (int, type(None)),
    "seconds": (dict, type(None)),
}
COSTS = ("data", "start", "whole")


def read_preset(path: Path, settings: Sequence[str] = ()) -> Preset:
    """Read a preset.

    Args:
        path: ``conf/benchmark_<preset>.yaml``.
        settings: ``key=value``: overrides of single keys.

    Raises:
        SpnerError: the file is missing or not what the module describes; all mistakes are named together.
    """
    if not path.is_file():
        there = ", ".join(sorted(_name(file) for file in path.parent.glob(f"{PREFIX}*.yaml")))
        raise SpnerError(f"--preset {_name(path)}: {path} is missing (expected one of {there or 'none'})")
    entries = merge_configs([path], settings)
    known = [field.name for field in fields(Preset) if field.name != "name"]
    mistakes = [f'unknown key "{key}"{nearest(str(key), known)}' for key in entries if key not in known]
    mistakes += [f"{key} is missing" for key in known if key not in entries]
    mistakes += [f"{key} is {value!r}" for key, value in entries.items() if key in known and not _fits(key, value)]
    if not mistakes and not set(entries["side_seeds"]) <= set(entries["seeds"]):
        mistakes = [f"side_seeds is {entries['side_seeds']}, not all of them seeds"]
    if mistakes:
        raise SpnerError(
            f"{path}: {'; '.join(mistakes)} (expected the keys and values that spner/benchmark/preset.py describes)"
        )
    lists = {key: tuple(entries[key]) for key in ("upstreams", "seeds", "side_seeds")}
    return Preset(_name(path), **(entries | lists | {"epochs": dict(entries["epochs"])}))


def name_upstream(upstream: str) -> str:
    """Return an upstream's name in those of cells and folders: ``facebook_mms_300m``."""
    return re.sub(r"\W+", "_", upstream).strip("_")


def _name(path: Path) -> str:
    return path.stem.removeprefix(PREFIX)


def _fits(key: str, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, TYPES[key]):
        return False
    if key == "corpus":
        return is_mini(value) or value.startswith("/")
    if key == "upstreams":
        names = {name_upstream(one) for one in value if isinstance(one, str)} - {""}
        return len(names) == len(value)
    if key == "speech_taggers":
        return all(isinstance(part, str) for pair in value.items() for part in pair)
    if key == "epochs":
        pairs = all(isinstance(pair, list) and len(pair) == 2 and _counts(pair) for pair in value)
        fractions = [pair[0] for pair in value] if pairs else []
        return WHOLE in fractions and max(fractions) == WHOLE and len(set(fractions)) == len(fractions)
    if key in ("seeds", "side_seeds"):
        return bool(value) and _counts(value) and len(set(value)) == len(value)
    if key == "seconds" and value is not None:
        return set(value) == set(COSTS) and all(isinstance(s, int | float) and s >= 0 for s in value.values())
    return value is None or not isinstance(value, int) or value > 0


def _counts(values: list[Any]) -> bool:
    """Whether they are whole numbers from 1 on."""
    return all(isinstance(value, int) and not isinstance(value, bool) and value > 0 for value in values)
