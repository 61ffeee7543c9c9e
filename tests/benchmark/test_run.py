"""Cells run as recipes do, by small scripts that stand in for them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from spner.benchmark.plan import Cell, Group, scores_of
from spner.benchmark.preset import Preset, read_preset
from spner.benchmark.run import estimate_s, find_finished, format_plan, run_plan
from spner.core.cluster import Cluster, open_cluster

ROOT = Path(__file__).resolve().parents[2]
PRESET = replace(
    read_preset(ROOT / "conf/benchmark_quick.yaml"), jobs=2, threads=3, seconds={"data": 100, "start": 10, "whole": 20}
)
GREEDY = ("--decode_config", "greedy")
RECIPE = """\
#!/usr/bin/env bash
cd "$(dirname "$0")"
echo "begin $1" >> order; sleep "$2"
[ "$1" != bad ] || { echo "spner: error: no luck"; exit 2; }
scores="exp/$1/score/greedy"; mkdir -p "$scores"
echo "{\\"schema\\": 1, \\"threads\\": $OMP_NUM_THREADS}" > "$scores/test.json"
echo "end $1" >> order
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    folder = tmp_path / "egs é" / "cv_nl"
    folder.mkdir(parents=True)
    (folder / "run.sh").write_text(RECIPE)
    (folder / "run.sh").chmod(0o755)
    return folder


def cell(recipe: Path, name: str, *needs: str, sleep_s: float = 0.0, work: float = 1.0) -> Cell:
    options = (name, str(sleep_s), *GREEDY)
    return Cell(name, Group("nl", "e2e"), 1, recipe, name, options, needs, (recipe / "conf.yaml",), work)


def order(recipe: Path) -> list[str]:
    return (recipe / "order").read_text().splitlines()


def test_cells_run_after_what_they_need_and_with_the_presets_threads(recipe: Path, tmp_path: Path) -> None:
    plan = [cell(recipe, "a", sleep_s=0.3), cell(recipe, "b", "a"), cell(recipe, "c", "b")]
    assert run_plan(plan, tmp_path / "out", PRESET) == {}
    assert order(recipe) == [f"{what} {name}" for name in "abc" for what in ("begin", "end")]
    assert find_finished(plan, tmp_path / "out") == {"a", "b", "c"}
    assert json.loads(scores_of(plan[0], gold=False).read_text()) == {"schema": 1, "threads": 3}
    record = json.loads((tmp_path / "out/cells/a.json").read_text())
    assert record["seconds"] >= 0.3 and "core" in record["machine"]


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_as_many_run_at_a_time_as_the_preset_says(recipe: Path, tmp_path: Path, jobs: int) -> None:
    plan = [cell(recipe, name, sleep_s=0.5) for name in "abcd"]
    run_plan(plan, tmp_path / "out", replace(PRESET, jobs=jobs))
    running, most = 0, 0
    for line in order(recipe):
        running += 1 if line.startswith("begin") else -1
        most = max(most, running)
    assert most == jobs


def test_a_failed_cell_stops_only_those_that_need_it(recipe: Path, tmp_path: Path) -> None:
    plan = [cell(recipe, "bad"), cell(recipe, "b", "bad"), cell(recipe, "c", "b"), cell(recipe, "d")]
    failed = run_plan(plan, tmp_path / "out", PRESET)
    assert failed == {
        "bad": "exit code 2: spner: error: no luck (see log/bad.log)",
        "b": "not run: needs bad",
        "c": "not run: needs b",
    }
    assert find_finished(plan, tmp_path / "out") == {"d"}
    assert "begin b" not in order(recipe) and "end d" in order(recipe)


def again(recipe: Path, plan: list[Cell], out: Path) -> list[str]:
    """Run once more and return the cells that were."""
    (recipe / "order").unlink(missing_ok=True)
    assert run_plan(plan, out, PRESET) == {}
    return [line.split()[1] for line in order(recipe) if "begin" in line] if (recipe / "order").exists() else []


def test_finished_cells_are_run_again_only_where_something_changed(recipe: Path, tmp_path: Path) -> None:
    plan, out = [cell(recipe, "a"), cell(recipe, "b", "a"), cell(recipe, "c")], tmp_path / "out"
    assert set(again(recipe, plan, out)) == {"a", "b", "c"}
    assert again(recipe, plan, out) == []
    plan[1] = replace(plan[1], options=("b", "0.1", *GREEDY))
    assert again(recipe, plan, out) == ["b"]
    plan[0] = replace(plan[0], options=("a", "0.1", *GREEDY))
    assert again(recipe, plan, out) == ["a", "b"]
    scores_of(plan[0], gold=False).unlink()
    assert again(recipe, plan, out) == ["a"]
    scores_of(plan[2], gold=False).write_text('{"threads": 3}')  # as an older version wrote them
    assert again(recipe, plan, out) == ["c"]
    (recipe / "conf.yaml").write_text("max_epoch: 2")
    assert set(again(recipe, plan, out)) == {"a", "b", "c"}


def test_a_cell_that_is_begun_again_is_not_finished(recipe: Path, tmp_path: Path) -> None:
    plan = [cell(recipe, "a")]
    run_plan(plan, tmp_path / "out", PRESET)
    run_plan([replace(plan[0], options=("bad", "0", *GREEDY))], tmp_path / "out", PRESET)
    assert find_finished(plan, tmp_path / "out") == set()


KILLED = """
import signal
import sys
from pathlib import Path
from tests.benchmark.test_run import PRESET, cell
from spner.benchmark.run import run_plan
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may have it ignored
recipe = Path(sys.argv[1])
run_plan([cell(recipe, "a", sleep_s=3), cell(recipe, "b", sleep_s=3)], recipe / "out", PRESET)
"""


def test_an_interrupted_run_ends_its_recipes(recipe: Path) -> None:
    """One run for each signal, side by side: all have to be waited for until their recipes would have ended."""
    began, environment = time.monotonic(), {**os.environ, "PYTHONPATH": str(ROOT)}
    runs = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        folder = shutil.copytree(recipe, recipe.parent / number.name)
        command = [sys.executable, "-c", KILLED, folder]
        runs[folder] = number, subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    waiting = set(runs)
    while waiting:
        assert time.monotonic() - began < 60
        time.sleep(0.05)
        for folder in [one for one in waiting if (one / "order").exists() and len(order(one)) == 2]:
            number, process = runs[folder]
            process.send_signal(number)
            waiting.remove(folder)
    for _, process in runs.values():
        process.wait(timeout=10)
    time.sleep(3.5)
    for folder in runs:
        assert [line.split()[0] for line in order(folder)] == ["begin", "begin"]
        assert not (folder / "out" / "cells").exists()


def estimate(plan: list[Cell], out: Path, preset: Preset = PRESET) -> float | None:
    names = find_finished(plan, out)
    finished, waiting = ([one for one in plan if (one.name in names) is is_in] for is_in in (True, False))
    return estimate_s(waiting, finished, out, preset)


def test_time_is_estimated_from_the_preset_and_then_from_what_cells_took(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    data = replace(cell(recipe, "data", work=0.0), group=Group("nl", "data"))
    plan = [data, cell(recipe, "a", work=1.0), cell(recipe, "b", work=0.5)]
    assert estimate(plan, out) == (100 + 30 + 20) / 2
    assert estimate(plan, out, replace(PRESET, jobs=1)) == 150
    assert estimate(plan, out, replace(PRESET, seconds=None)) is None
    run_plan(plan[:2], out, PRESET)
    for name in ("data", "a"):
        record = out / "cells" / f"{name}.json"
        record.write_text(json.dumps(json.loads(record.read_text()) | {"seconds": 260}))
    assert estimate(plan, out) == pytest.approx(20 * 520 / 130 / 2)


def test_the_plan_is_shown_with_times(recipe: Path, tmp_path: Path) -> None:
    plan = [cell(recipe, "a"), cell(recipe, "b", "a", work=0.0)]
    run_plan(plan[:1], tmp_path / "out", PRESET)
    record = tmp_path / "out" / "cells" / "a.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"seconds": 60}))
    assert format_plan(plan, tmp_path / "out", PRESET).splitlines() == [
        "a                                     finished  needs nothing",
        "b                                      0.3 min  needs a",
        "1 of 2 cells to run, 2 at a time: 0.2 min",
    ]
    unknown = format_plan(plan, tmp_path / "out", replace(PRESET, seconds=None))
    assert unknown.splitlines()[-1] == "1 of 2 cells to run, 2 at a time: not known"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers."""
    pytest.importorskip("distributed")
    path = tmp_path_factory.mktemp("cluster") / "local.yaml"
    path.write_text("env: local\nn_workers: 2\n")
    with open_cluster(path) as made:
        assert made is not None
        yield made


def test_a_cluster_runs_cells_as_this_machine_does(recipe: Path, tmp_path: Path, cluster: Cluster) -> None:
    plan = [cell(recipe, "a"), cell(recipe, "b", "a"), cell(recipe, "bad"), cell(recipe, "c", "bad")]
    failed = run_plan(plan, tmp_path / "out", PRESET, cluster)
    assert failed == {"bad": "exit code 2: spner: error: no luck (see log/bad.log)", "c": "not run: needs bad"}
    assert find_finished(plan, tmp_path / "out") == {"a", "b"}
    assert json.loads(scores_of(plan[0], gold=False).read_text()) == {"schema": 1, "threads": 3}
    assert "core" in json.loads((tmp_path / "out/cells/a.json").read_text())["machine"]


def test_a_cell_whose_worker_is_killed_is_run_by_another_one_and_never_twice_at_a_time(
    recipe: Path, tmp_path: Path, cluster: Cluster
) -> None:
    plan = [cell(recipe, name, sleep_s=3) for name in ("a", "b")]
    pids = cluster._client.run(os.getpid)

    def kill_one() -> None:
        while not (recipe / "order").exists() or len(order(recipe)) < 2:
            time.sleep(0.05)
        os.kill(next(iter(pids.values())), signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    assert run_plan(plan, tmp_path / "out", PRESET, cluster) == {}
    killer.join()
    lines = order(recipe)
    assert len(lines) == 5, "one has begun and not ended, its process has gone with its worker"
    assert sorted(line.split()[0] for line in lines) == ["begin"] * 3 + ["end"] * 2
