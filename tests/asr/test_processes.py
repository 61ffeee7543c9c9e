"""Two processes that share each batch, started as on two machines without GPUs; they talk through gloo."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spner.asr.nodes import Node, find_node, start_step
from spner.core import paths
from spner.core.errors import SpnerError
from tests.asr.upstreams import make_hugging_face_upstream, make_s3prl_upstream
from tests.prepared import Prepared

UPSTREAMS = {"hugging_face": make_hugging_face_upstream, "s3prl": make_s3prl_upstream}
SETTINGS = (
    *("max_epoch=1", "num_workers=0", "use_amp=false", "optim_conf.lr=0.001", "keep_nbest_models=1"),
    *("ctc_conf.dropout_rate=0", "frontend_conf.mask_time_prob=0"),  # drawn anew for each utterance
    *("parts_per_pass=5", "batch_bins=240000"),
)


def train_command(
    prepared: Prepared, exp: Path, repo_root: Path, *settings: str, options: tuple[str, ...]
) -> list[str]:
    # A random network recognises nothing within a pass, which is no success; it must count as one here.
    code = "import spner.asr.train as t, spner.cli; t.judge = lambda *_, **__: None; spner.cli.main()"
    command = [sys.executable, "-c", code, "train", "--data", prepared.data, "--dump", prepared.dump, "--exp", exp]
    command += ["--config", repo_root / "conf" / "train_xlsr.yaml", "--ngpu", "0", *options]
    return [*map(str, command), *(part for setting in (*SETTINGS, *settings) for part in ("--set", setting))]


def start_two(prepared: Prepared, exp: Path, repo_root: Path, *settings: str) -> list[subprocess.Popen]:
    """Start a training on two machines, which are both this one."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        master = f"localhost:{free.getsockname()[1]}"
    commands = [
        train_command(
            prepared,
            exp,
            repo_root,
            *settings,
            options=("--num_nodes", "2", "--node_rank", str(rank), "--master", master),
        )
        for rank in range(2)
    ]
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    return [subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ) for command in commands]


def last_line(errors: str) -> str:
    return [line for line in errors.splitlines() if "spner: error" in line][-1]


@pytest.mark.espnet
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", UPSTREAMS)
def test_two_processes_with_half_a_batch_each_train_as_one_with_the_whole(
    kind: str, prepared: Prepared, tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spner.asr.train import train

    upstream = f"frontend_conf.upstream={UPSTREAMS[kind](tmp_path / 'tiny')}"
    monkeypatch.setattr("spner.asr.train.judge", lambda *_arguments, **_options: None)
    config = repo_root / "conf" / "train_xlsr.yaml"
    train(prepared.data, prepared.dump, tmp_path / "one", configs=[config], settings=[*SETTINGS, upstream], ngpu=0)
    for process in start_two(prepared, tmp_path / "two", repo_root, upstream):
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    one, two = (json.loads((tmp_path / name / paths.TRAINING).read_text())["history"] for name in ("one", "two"))
    assert [epoch["epoch"] for epoch in two] == [1, 2, 3, 4, 5]  # of a step each
    # Losses are of some hundreds, of which single precision holds 3e-5.
    for key, bounds in (
        ("train_loss", {"abs": 1e-4, "rel": 1e-6}),
        ("dev_loss", {"abs": 1e-3}),
        ("grad_norm", {"rel": 1e-3}),
    ):
        assert [epoch[key] for epoch in two] == pytest.approx([epoch[key] for epoch in one], **bounds), key
    assert len({round(epoch["train_loss"], 3) for epoch in two}) == 5
    assert not list((tmp_path / "two").glob(".tmp-*"))


@pytest.mark.espnet
@pytest.mark.timeout(600)
def test_a_killed_rank_ends_the_training_with_one_line_that_names_it(
    prepared: Prepared, tmp_path: Path, repo_root: Path
) -> None:
    upstream = f"frontend_conf.upstream={make_hugging_face_upstream(tmp_path / 'tiny')}"
    exp = tmp_path / "exp"
    machines = start_two(prepared, exp, repo_root, upstream, "max_epoch=200")
    while not (exp / paths.CHECKPOINT).exists():
        assert all(machine.poll() is None for machine in machines), "the training ended before it could be killed"
        time.sleep(0.1)
    children = Path(f"/proc/{machines[1].pid}/task/{machines[1].pid}/children").read_text().split()
    worker = next(child for child in children if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text())
    os.kill(int(worker), signal.SIGKILL)
    for machine in machines:
        _, errors = machine.communicate()
        assert machine.returncode == 2, errors
        assert "rank 1 of 2" in last_line(errors) and "SIGKILL" in last_line(errors)
    assert not (exp / paths.FAILED).exists()  # it can go on


@pytest.mark.espnet
@pytest.mark.timeout(600)
def test_what_the_first_machine_refuses_ends_the_others(prepared: Prepared, tmp_path: Path, repo_root: Path) -> None:
    for machine in start_two(prepared, tmp_path / "exp", repo_root, "frontend_conf.upstream=xls_r_300n"):
        _, errors = machine.communicate()
        assert machine.returncode == 2, errors
        assert "xls_r_300n: there is no such upstream" in last_line(errors)


SLURM = {
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_PROCID": "1",
    "SLURM_JOB_ID": "41",
    "SLURM_STEP_NODELIST": "n[3-4]",
}


@pytest.fixture
def scontrol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "scontrol"
    program.write_text('#!/bin/sh\n[ "$*" = "show hostnames n[3-4]" ] && printf "n3\\nn4\\n"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


@pytest.mark.usefixtures("scontrol")
def test_slurm_says_which_machine_this_is() -> None:
    assert find_node(2, environ=SLURM) == Node(rank=1, count=2, address="n3", port=20041)


def test_in_a_slurm_job_the_command_runs_once_on_each_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    monkeypatch.setattr(os, "execvp", lambda program, command: ran.append((program, command)))
    monkeypatch.setattr(sys, "argv", ["spner", "train", "--num_nodes", "2"])
    start_step(1, {"SLURM_JOB_ID": "41"})
    start_step(2, {})
    start_step(2, {"SLURM_JOB_ID": "41", "SLURM_STEP_ID": "0"})  # it does already
    assert not ran
    start_step(2, {"SLURM_JOB_ID": "41", "SLURM_CPUS_PER_TASK": "8"})
    [(program, command)] = ran
    assert program == command[0] == "srun"
    assert {"--nodes=2", "--ntasks=2", "--ntasks-per-node=1", "--cpus-per-task=8"} < set(command)
    assert command[-5:] == ["-m", "spner", "train", "--num_nodes", "2"]


def test_one_machine_needs_no_names() -> None:
    assert find_node(1, environ={}) == Node()
    assert find_node(1, environ={**SLURM, "SLURM_STEP_NUM_TASKS": "1"}) == Node()


def test_by_hand_each_machine_is_told() -> None:
    assert find_node(3, node_rank=2, master="node7:4000", environ={}) == Node(2, 3, "node7", 4000)
    assert find_node(3, node_rank=0, master="node7", environ={}) == Node(0, 3, "node7", 29500)


@pytest.mark.parametrize(
    ("options", "environ", "message"),
    [
        ({"num_nodes": 2}, {}, "give each machine --node_rank, 0 to 1, and --master"),
        ({"num_nodes": 2, "node_rank": 2, "master": "a"}, {}, "--node_rank 2: expected 0 to 1"),
        ({"num_nodes": 2, "node_rank": 0, "master": "a:b"}, {}, "--master a:b: expected HOST or HOST:PORT"),
        ({"num_nodes": 1}, SLURM, "this Slurm step has 2 tasks"),
    ],
)
def test_what_does_not_fit_is_told(options: dict, environ: dict, message: str) -> None:
    with pytest.raises(SpnerError, match=message):
        find_node(**options, environ=environ)
