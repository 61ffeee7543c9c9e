"""The tier that runs the comparison: every system on tiny mini corpora, a failing cell, and once more."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spner.benchmark.plan import E2E, JOINT, TRANSFER, ZERO_SHOT, Group
from tests.recipes import copy_checkout

pytestmark = [pytest.mark.espnet, pytest.mark.timeout(1800)]

TINY = [
    "mini_opts=--num_train 40 --num_dev 6 --num_test 10 --share nl+de=0.4",
    "recipe_opts=--nj 1 --max_broken 0.1 --mini_text 200 --decode_config greedy",
    "train_opts=encoder_conf.num_blocks=1 keep_nbest_models=1",
    "epochs=[[20, 1], [100, 1]]",
    "seeds=[1]",
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    return copy_checkout(repo_root, tmp_path_factory.mktemp("benchmark") / "pad met spaties é").parents[1]


def run(checkout: Path, *options: str) -> subprocess.CompletedProcess[str]:
    settings = [part for setting in TINY for part in ("--set", setting)]
    command = [checkout / "egs/benchmark/run.sh", "--langs", "nl de", *settings, *options]
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_comparison_runs_and_collects_and_is_not_run_twice(checkout: Path) -> None:
    dry = run(checkout, "--dry_run")
    assert dry.returncode == 0, dry.stderr
    assert "14 of 14 cells to run" in dry.stdout and not (checkout / "egs/benchmark/exp").exists()

    (checkout / "egs/cv_nl/exp/quick_joint_s1").mkdir(parents=True)  # in the way of joint training
    (checkout / "egs/cv_nl/exp/quick_joint_s1/system.json").write_text('{"model": "another"}')
    done = run(checkout)
    assert done.returncode == 2
    assert "1 of 14 cells did not finish: nl_joint_s1" in done.stderr.splitlines()[-1]
    out = checkout / "egs/benchmark/exp/quick"
    results = (out / "RESULTS.md").read_text()
    assert "nl_joint_s1" in results and "holds hypotheses of a model that was trained elsewhere" in results
    assert str(checkout) not in results
    assert (out / "f1_by_fraction.png").stat().st_size > 0
    groups = {Group(**one["group"]) for one in json.loads((out / "results.json").read_text())["groups"]}
    assert {Group("nl", E2E), Group("nl", TRANSFER, "de", 20), Group("de", ZERO_SHOT, "nl", 0)} <= groups
    assert JOINT not in {group.system for group in groups}

    (checkout / "egs/cv_nl/exp/quick_joint_s1/system.json").unlink()
    done = run(checkout)
    assert done.returncode == 0, done.stderr
    assert "13 of 14 cells are finished already" in done.stderr
    groups = {Group(**one["group"]) for one in json.loads((out / "results.json").read_text())["groups"]}
    assert Group("nl", JOINT, "de") in groups
    assert "0 of 14 cells to run" in run(checkout, "--dry_run").stdout
