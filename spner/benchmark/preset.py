"""A preset of the comparison: what runs, how often, and with which settings; ``conf/benchmark_<preset>.yaml``::

    corpus: mini_quick          an embedded corpus, or a folder with an unpacked release's folder for each language
    mini_opts: --num_train 500  more options of spner mini-corpus
    recipe_opts: --nj 1         more options of every recipe
    train_config: train_mini.yaml
    train_opts: keep_nbest_models=3
    epochs: {10: 40, 100: 11}   percent of the target's train set: epochs; 100 must be there
    seeds: [1, 2, 3]            of the target, its pipeline and transfer from the first source
    side_seeds: [1]             of everything else
    jobs: 2                     cells at the same time
    threads: 1                  of each; null: as many as there are cores
    seconds: {data: 90, start: 38, whole: 150}
                                what making a corpus, a cell without its training, and a training on all of a language
                                took where it was measured; null: not known
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from spner.errors import SpnerError, nearest

WHOLE = 100  # percent


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
    seeds: tuple[int, ...]
    side_seeds: tuple[int, ...]
    jobs: int
    threads: int | None
    seconds: dict[str, float] | None


KINDS: dict[str, type | tuple[type, ...]] = {
    "corpus": str, "mini_opts": str, "recipe_opts": str, "train_config": str, "train_opts": str, "epochs": dict,
    "seeds": list, "side_seeds": list, "jobs": int, "threads": (int, type(None)), "seconds": (dict, type(None)),
}  # fmt: skip
COSTS = ("data", "start", "whole")


def read_preset(path: Path) -> Preset:
    """Read a preset.

    Raises:
        SpnerError: the file is missing or not what the module describes; all mistakes are told together.
    """
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        there = ", ".join(sorted(file.stem.removeprefix("benchmark_") for file in path.parent.glob("benchmark_*.yaml")))
        raise SpnerError(f"{path}: cannot be read ({error.strerror}; there are the presets {there})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpnerError(f"{path}: is not YAML ({' '.join(str(error).split())})") from error
    found = entries if isinstance(entries, dict) else {}
    known = [field.name for field in fields(Preset) if field.name != "name"]
    mistakes = [f'unknown key "{key}"{nearest(str(key), known)}' for key in found if key not in known]
    mistakes += [f"{key} is missing" for key in known if key not in found]
    mistakes += [f"{key} is {value!r}" for key, value in found.items() if key in known and not _fits(key, value)]
    if mistakes:
        raise SpnerError(f"{path}: {'; '.join(mistakes)} (expected the keys and values that spner/benchmark/preset.py "
                         "describes)")
    lists = {key: tuple(found[key]) for key in ("seeds", "side_seeds")}
    return Preset(path.stem.removeprefix("benchmark_"), **(found | lists))


def _fits(key: str, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, KINDS[key]):
        return False
    if key == "epochs":
        return WHOLE in value and all(_counts([k, v]) and k <= WHOLE for k, v in value.items())
    if key in ("seeds", "side_seeds"):
        return bool(value) and _counts(value) and len(set(value)) == len(value)
    if key == "seconds" and value is not None:
        return set(value) == set(COSTS) and all(isinstance(s, int | float) and s >= 0 for s in value.values())
    return value is None or not isinstance(value, int) or value > 0


def _counts(values: list[Any]) -> bool:
    """Whether they are whole numbers from 1 on."""
    return all(isinstance(value, int) and not isinstance(value, bool) and value > 0 for value in values)
