"""A preset is read as it is, and every mistake in one is told together."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from spner.benchmark.preset import Preset, read_preset
from spner.errors import SpnerError

ENTRIES: dict[str, Any] = {
    "corpus": "mini_quick", "mini_opts": "--num_train 500", "recipe_opts": "--nj 1", "train_config": "train_mini.yaml",
    "train_opts": "keep_nbest_models=3", "epochs": {10: 40, 100: 11}, "seeds": [1, 2, 3], "side_seeds": [1], "jobs": 2,
    "threads": 1, "seconds": {"data": 90, "start": 38, "whole": 150.5},
}  # fmt: skip


def write(folder: Path, **changes: Any) -> Path:
    """Write the entries with some changed, those that are ``...`` left out."""
    entries = {key: value for key, value in (ENTRIES | changes).items() if value is not ...}
    (folder / "benchmark_tiny.yaml").write_text(yaml.safe_dump(entries))
    return folder / "benchmark_tiny.yaml"


def test_a_preset_is_named_after_its_file(tmp_path: Path) -> None:
    assert read_preset(write(tmp_path)) == Preset(
        "tiny", "mini_quick", "--num_train 500", "--nj 1", "train_mini.yaml", "keep_nbest_models=3", {10: 40, 100: 11},
        (1, 2, 3), (1,), 2, 1, {"data": 90, "start": 38, "whole": 150.5},
    )  # fmt: skip


def test_threads_and_seconds_may_be_unknown(tmp_path: Path) -> None:
    preset = read_preset(write(tmp_path, threads=None, seconds=None))
    assert (preset.threads, preset.seconds) == (None, None)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"seed": [1]}, 'unknown key "seed"; did you mean "seeds"?'),
        ({"jobs": ...}, "jobs is missing"),
        ({"jobs": 0}, "jobs is 0"),
        ({"jobs": True}, "jobs is True"),
        ({"threads": -1}, "threads is -1"),
        ({"corpus": 5}, "corpus is 5"),
        ({"epochs": {10: 4}}, "epochs is {10: 4}"),
        ({"epochs": {100: 0}}, "epochs is {100: 0}"),
        ({"epochs": {100: 1, 110: 1}}, "epochs is {100: 1, 110: 1}"),
        ({"epochs": {100: 1, 0.5: 1}}, "epochs is {0.5: 1, 100: 1}"),
        ({"seeds": []}, "seeds is []"),
        ({"seeds": [1, 1]}, "seeds is [1, 1]"),
        ({"seeds": [[1]]}, "seeds is [[1]]"),
        ({"side_seeds": [0]}, "side_seeds is [0]"),
        ({"side_seeds": [True]}, "side_seeds is [True]"),
        ({"seconds": {"data": 1}}, "seconds is {'data': 1}"),
        ({"seconds": {"data": 1, "start": -1, "whole": 1}}, "seconds is {'data': 1, 'start': -1, 'whole': 1}"),
        ({"seeds": "1", "jobs": ...}, "jobs is missing; seeds is '1'"),
    ],
    ids=str,
)
def test_mistakes(tmp_path: Path, changes: dict[str, Any], found: str) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(SpnerError) as error:
        read_preset(path)
    assert str(error.value) == (
        f"{path}: {found} (expected the keys and values that spner/benchmark/preset.py describes)"
    )


@pytest.mark.parametrize("text", ["", "[1, 2]", "a"])
def test_what_is_no_table_lacks_every_key(tmp_path: Path, text: str) -> None:
    path = tmp_path / "benchmark_empty.yaml"
    path.write_text(text)
    with pytest.raises(SpnerError, match="corpus is missing; .*; seconds is missing"):
        read_preset(path)


def test_a_missing_preset_names_those_that_there_are(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(SpnerError) as error:
        read_preset(tmp_path / "benchmark_huge.yaml")
    assert str(error.value) == (
        f"{tmp_path}/benchmark_huge.yaml: cannot be read (No such file or directory; there are the presets tiny)"
    )


@pytest.mark.parametrize("content", [b"a: [1\nb: 2\n", b"corpus: \xff\n"], ids=["unclosed", "not UTF-8"])
def test_what_is_no_yaml_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "benchmark_bad.yaml"
    path.write_bytes(content)
    with pytest.raises(SpnerError) as error:
        read_preset(path)
    assert str(error.value).startswith(f"{path}: is not YAML (") and "\n" not in str(error.value)


def test_tagged_yaml_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "benchmark_bad.yaml"
    path.write_text("corpus: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(SpnerError, match="is not YAML"):
        read_preset(path)
