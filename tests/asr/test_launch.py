"""A CPU training in two processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spner.core import paths
from tests.prepared import Prepared

pytestmark = pytest.mark.espnet


def command(prepared: Prepared, exp: Path, repo_root: Path, *settings: str) -> list[str]:
    words = [sys.executable, "-m", "spner", "train", "--data", prepared.data, "--dump", prepared.dump, "--exp", exp]
    words += ["--config", repo_root / "conf" / "train_mini.yaml", "--ngpu", "0"]
    return [str(word) for word in words] + [word for setting in settings for word in ("--set", setting)]


def test_two_processes_see_every_utterance_once(prepared: Prepared, tmp_path: Path, repo_root: Path) -> None:
    """With weights that hardly move, losses and errors are those of one process, and the files those of one run."""
    records = []
    for num_processes in (1, 2):
        exp = tmp_path / str(num_processes)
        settings = (f"dist_world_size={num_processes}", "max_epoch=1", "scheduler_conf.max_lr=1.0e-9", "use_amp=false")
        subprocess.run(command(prepared, exp, repo_root, *settings), check=True, cwd=repo_root)
        records.append(json.loads((exp / paths.TRAINING).read_text())["history"][0])
    one, two = records
    assert two["train_loss"] == pytest.approx(one["train_loss"], rel=0.02)  # batch norm sees half a batch each
    assert two["dev_loss"] == pytest.approx(one["dev_loss"], rel=0.02)
    assert (two["dev_wer"], two["dev_f1"]) == (one["dev_wer"], one["dev_f1"])


def test_a_set_of_one_utterance_is_trained_by_one_process(prepared: Prepared, repo_root: Path) -> None:
    from argparse import Namespace

    from spner.asr.train import _choose_processes

    shapes = {name: [str(prepared.dump / name / paths.SPEECH_SHAPE)] for name in ("train", "dev")}
    args = Namespace(ngpu=0, dist_world_size=2, train_shape_file=shapes["train"], valid_shape_file=shapes["dev"])
    assert _choose_processes(args) == 2
    args.dist_world_size = 9
    assert _choose_processes(args) == 8  # utterances of dev
    args.ngpu = 1
    assert _choose_processes(args) == 9  # ESPnet's own launcher counts there


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the processes in /proc")
def test_a_killed_process_ends_the_training_with_one_line(prepared: Prepared, tmp_path: Path, repo_root: Path) -> None:
    words = command(prepared, tmp_path / "exp", repo_root, "max_epoch=1")
    training = subprocess.Popen(words, cwd=repo_root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    victims: list[int] = []
    while len(victims) < 2 and training.poll() is None:
        time.sleep(0.1)
        victims = [child for child in children(training.pid) if b"spawn_main" in cmdline(child)]
    os.kill(victims[-1], signal.SIGKILL)
    _, errors = training.communicate(timeout=100)
    last = errors.splitlines()[-1]
    assert training.returncode == 2, errors
    assert " of 2 was ended from outside (SIGKILL)" in last and "goes on at the last finished epoch" in last
    assert not (tmp_path / "exp" / paths.TRAINING).exists()


def children(pid: int) -> list[int]:
    try:
        return sorted(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except OSError:
        return []


def cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
