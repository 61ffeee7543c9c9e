"""Order, exceptions and the end of workers whose parent is gone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spner.core.errors import SpnerError
from spner.core.parallel import Pool, Processes


def double(number: int) -> int:
    return 2 * number


def slow_first(number: int) -> tuple[int, int]:
    if number == 0:
        time.sleep(0.5)
    return number, os.getpid()


def refuse_three(number: int) -> int:
    if number == 3:
        raise SpnerError(f"item {number}: is refused")
    return number


def results(function: object, items: list[int], num_workers: int) -> Iterator[object]:
    return Processes(num_workers).map(function, items, what="numbers", unit="number")  # type: ignore[arg-type]


@pytest.mark.parametrize("num_workers", [1, 2])
@pytest.mark.parametrize("num_items", [0, 1, 5])
def test_results_come_in_order(num_workers: int, num_items: int) -> None:
    assert list(results(double, list(range(num_items)), num_workers)) == [2 * i for i in range(num_items)]


def test_one_worker_is_this_process() -> None:
    assert [pid for _, pid in results(slow_first, [1, 2], 1)] == [os.getpid()] * 2


def test_order_does_not_depend_on_who_is_first() -> None:
    found = list(results(slow_first, list(range(6)), 2))
    assert [number for number, _ in found] == list(range(6))
    assert os.getpid() not in {pid for _, pid in found}


@pytest.mark.parametrize("num_workers", [1, 2])
def test_first_exception_is_raised_here_after_the_results_before_it(num_workers: int) -> None:
    found = []
    with pytest.raises(SpnerError, match="^item 3: is refused$"):
        for result in results(refuse_three, list(range(50)), num_workers):
            found.append(result)
    assert found == [0, 1, 2]


def test_a_reader_that_stops_early_leaves_no_worker() -> None:
    mapped = results(slow_first, list(range(1, 50)), 2)
    _, worker = next(mapped)
    mapped.close()
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_a_pools_workers_stay_for_the_next_work_and_end_with_it() -> None:
    with Pool(2) as pool:
        with pytest.raises(SpnerError, match="item 3"):
            list(pool.map(refuse_three, list(range(50)), what="numbers", unit="number"))
        works = [list(pool.map(slow_first, list(range(6)), what="numbers", unit="number")) for _ in range(2)]
    assert all([number for number, _ in work] == list(range(6)) for work in works)
    pids = {pid for work in works for _, pid in work}
    assert len(pids) <= 2 and os.getpid() not in pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    (tmp_path / "naps.py").write_text(
        "import os, time\ndef nap(folder):\n    open(f'{folder}/{os.getpid()}', 'w').close()\n    time.sleep(60)\n"
    )
    (tmp_path / "pids").mkdir()
    code = (
        "import sys\n"
        "from naps import nap\n"
        "from spner.core.parallel import Processes\n"
        "list(Processes(2).map(nap, [sys.argv[1]] * 4, what='naps', unit='nap'))\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{os.environ['PYTHONPATH']}:{tmp_path}"}
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "pids")], env=environment)
    deadline = time.monotonic() + 60
    while len(pids := os.listdir(tmp_path / "pids")) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(pids) == 2
    parent.kill()
    assert parent.wait() == -signal.SIGKILL
    while any(_runs(int(pid)) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in pids if _runs(int(pid))] == []


def _runs(pid: int) -> bool:
    """Whether the process is there, and not a zombie that waits for its new parent to notice."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False
