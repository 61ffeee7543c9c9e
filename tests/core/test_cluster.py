"""The workers of a cluster, here two of this machine: order, errors, lost workers, and what a file of it may say."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spner.core.cluster import Cluster, ClusterConfig, open_cluster, read_cluster
from spner.core.errors import SpnerError
from spner.core.files import atomic_text
from tests.clusters import two_workers

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers."""
    with two_workers(tmp_path_factory.mktemp("cluster")) as made:
        yield made


def slow_first(number: int) -> tuple[int, int]:
    if number == 0:
        time.sleep(0.5)
    return number, os.getpid()


def die_once(trace: Path) -> int:
    """Kill this worker the first time."""
    if not trace.exists():
        trace.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def die(_number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refuse_three(number: int) -> int:
    if number == 3:
        raise SpnerError(f"item {number}: is refused")
    return number


def fail(_number: int) -> None:
    raise KeyError("a bug of ours")


def find_folder(_number: int) -> str:
    return os.getcwd()


def remark(number: int) -> None:
    logging.getLogger("spner.there").info("item %d", number)


def write(path: Path) -> list[str]:
    with atomic_text(path) as file:
        file.write("text")
        return os.listdir(path.parent)


def test_results_come_in_order_from_other_processes(cluster: Cluster) -> None:
    found = list(cluster.map(slow_first, list(range(20)), what="numbers", unit="number"))
    assert [number for number, _ in found] == list(range(20))
    pids = {pid for _, pid in found}
    assert len(pids) == 2 and os.getpid() not in pids
    assert list(cluster.map(slow_first, [], what="numbers", unit="number")) == []


def test_what_a_lost_worker_did_another_does(cluster: Cluster, tmp_path: Path) -> None:
    traces = [tmp_path / str(number) for number in range(4)]
    for trace in traces[1::2]:
        trace.touch()
    assert len(list(cluster.map(die_once, traces, what="traces", unit="trace"))) == 4
    assert all(trace.exists() for trace in traces)


def test_what_loses_all_its_workers_is_refused(cluster: Cluster) -> None:
    with pytest.raises(SpnerError, match=r"local\.yaml: numbers: number 1: its workers were lost, one after another"):
        list(cluster.map(die, [1], what="numbers", unit="number"))


def test_first_exception_is_raised_here_after_the_results_before_it(cluster: Cluster) -> None:
    found = []
    with pytest.raises(SpnerError, match="^item 3: is refused$"):
        for result in cluster.map(refuse_three, list(range(50)), what="numbers", unit="number"):
            found.append(result)
    assert found == [0, 1, 2]
    with pytest.raises(KeyError, match="a bug of ours"):
        list(cluster.map(fail, [1], what="numbers", unit="number"))


def test_workers_are_where_the_command_is(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert list(cluster.map(find_folder, [1], what="numbers", unit="number")) == [str(tmp_path)]


def test_what_workers_remark_is_logged_here(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        list(cluster.map(remark, [7], what="numbers", unit="number"))
        deadline = time.monotonic() + 20
        while "item 7" not in caplog.messages and time.monotonic() < deadline:
            time.sleep(0.05)
    assert "item 7" in caplog.messages


def test_two_workers_never_write_one_temporary_file(cluster: Cluster, tmp_path: Path) -> None:
    """One that is held for lost may be at work still."""
    found = list(cluster.map(write, [tmp_path / "x" / "text"] * 8, what="files", unit="file"))
    names = {name for names in found for name in names if name.startswith(".tmp-")}
    assert all(name.endswith("-text") and name != ".tmp-text" for name in names) and names
    assert os.listdir(tmp_path / "x") == ["text"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("env: slum\n", "env is 'slum', none of local, "),
        ("n_workers: 2\n", "env is None, none of local, "),
        ("env: slurm\nn_workers: 0\n", "n_workers is 0, no number from 1 on"),
        ("env: slurm\nn_worker: 2\n", 'unknown key "n_worker"; did you mean "n_workers"?'),
        ("env: slurm\noptions: [queue]\n", "options is ['queue'], no keys with values"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    with pytest.raises(SpnerError) as refused:
        read_cluster(path)
    assert str(refused.value).startswith(f"{path}: ") and found in str(refused.value)


def test_a_file_has_the_keys_of_espnet(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("env: slurm\nn_workers: 4\noptions:\n  queue: debug\n  cores: 8\n")
    assert read_cluster(path) == ClusterConfig(path, "slurm", 4, {"queue": "debug", "cores": 8})


def test_options_that_a_cluster_does_not_have_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("env: local\noptions:\n  quue: debug\n")
    with pytest.raises(SpnerError, match="LocalCluster refuses these options .*quue"), open_cluster(path):
        pass


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("env: slurm\n")
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with (
        pytest.raises(SpnerError, match='env slurm needs a package .*dask_jobqueue.* extra "cluster"'),
        open_cluster(path),
    ):
        pass


def test_without_a_file_dask_is_not_imported() -> None:
    code = (
        "import sys; from spner.core.cluster import open_cluster\n"
        "with open_cluster(None) as cluster: assert cluster is None\n"
        "import spner.corpora.prepare, spner.tagger.annotate, spner.benchmark.run, spner.cli.stages\n"
        "print({name.partition('.')[0] for name in sys.modules} & {'dask', 'distributed', 'dask_jobqueue', 'tornado'})"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"
