"""Cells -> finished cells: several recipes at the same time, what is finished left alone, what fails told at the end.

::

    <out>/cells/<cell>.json     of a finished cell: its options, seconds and commit
    <out>/log/<cell>.log        what the recipe printed
"""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spner.benchmark.plan import DATA, Cell, scores_of
from spner.benchmark.preset import Preset
from spner.files import read_json, write_json
from spner.provenance import git_commit

log = logging.getLogger(__name__)

POLL_S = 0.2


def record_of(cell: Cell, out: Path) -> Path:
    """Return the file that a finished cell has."""
    return out / "cells" / f"{cell.name}.json"


def log_of(cell: Cell, out: Path) -> Path:
    """Return the file of what a cell's recipe printed."""
    return out / "log" / f"{cell.name}.log"


def is_finished(cell: Cell, out: Path) -> bool:
    """Whether the cell has run with these options, and its scores are there."""
    record = record_of(cell, out)
    if not record.exists() or read_json(record)["options"] != list(cell.options):
        return False
    return cell.group.system == DATA or scores_of(cell, gold=False).exists()


def run_plan(plan: Sequence[Cell], out: Path, preset: Preset) -> dict[str, str]:
    """Run the cells that are not finished, as many at a time as the preset says.

    Args:
        plan: the cells, each after those that it needs.
        out: folder of records and logs.
        preset: the settings.

    Returns:
        For each cell that did not finish the reason. The others are finished.
    """
    jobs = _Jobs(out, preset)
    finished = {cell.name for cell in plan if is_finished(cell, out)}
    waiting = [cell for cell in plan if cell.name not in finished]
    log.info("%d of %d cells are finished already", len(finished), len(plan))
    try:
        while waiting or jobs.running:
            for name, reason in jobs.collect():
                jobs.failed |= {name: reason} if reason else {}
                finished |= set() if reason else {name}
                left = [*waiting, *(job.cell for job in jobs.running)]
                _report(name, reason, num_left=len(left), left_s=estimate_s(left, plan, out, preset))
            waiting = jobs.start(waiting, finished)
            time.sleep(POLL_S)
    finally:
        jobs.kill()
    return jobs.failed


@dataclass(frozen=True)
class _Job:
    cell: Cell
    process: subprocess.Popen
    began: float


class _Jobs:
    """The recipes at work, and why some did not finish."""

    def __init__(self, out: Path, preset: Preset) -> None:
        self.running: list[_Job] = []
        self.failed: dict[str, str] = {}
        self._out, self._slots, self._threads = out, preset.jobs, preset.threads

    def start(self, waiting: Sequence[Cell], finished: Collection[str]) -> list[Cell]:
        """Start what can be, in the order of the cells, and return what still waits; what never can be has failed."""
        still = []
        for cell in waiting:
            lacking = [name for name in cell.needs if name in self.failed]
            if lacking:
                self.failed[cell.name] = f"not run: needs {', '.join(lacking)}"
            elif len(self.running) < self._slots and set(cell.needs) <= set(finished):
                self.running.append(self._start(cell))
            else:
                still.append(cell)
        return still

    def _start(self, cell: Cell) -> _Job:
        threads = {"OMP_NUM_THREADS": str(self._threads)} if self._threads else {}
        environment = {**os.environ, "VIRTUAL_ENV": sys.prefix, **threads}
        log_file = log_of(cell, self._out)
        log_file.parent.mkdir(parents=True, exist_ok=True)
        with open(log_file, "wb") as file:
            process = subprocess.Popen(cell.command, env=environment, stdin=subprocess.DEVNULL, stdout=file,
                                       stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip
        return _Job(cell, process, time.monotonic())

    def collect(self) -> list[tuple[str, str]]:
        """Return the cells that have ended since the last call, each with the reason where it failed."""
        ended = [job for job in self.running if job.process.poll() is not None]
        self.running = [job for job in self.running if job not in ended]
        return [(job.cell.name, self._end(job)) for job in ended]

    def _end(self, job: _Job) -> str:
        code, log_file = job.process.returncode, log_of(job.cell, self._out)
        if code:
            lines = log_file.read_text(encoding="utf-8", errors="replace").splitlines()
            errors = [line for line in lines if ": error: " in line]
            return f"exit code {code}: {(errors or lines or ['no output'])[-1]} (see log/{log_file.name})"
        seconds = round(time.monotonic() - job.began, 1)
        write_json(record_of(job.cell, self._out), {"options": list(job.cell.options), "seconds": seconds,
                                                    "commit": git_commit()})  # fmt: skip
        return ""

    def kill(self) -> None:
        """End what is still at work, with all its processes."""
        for job in self.running:
            os.killpg(job.process.pid, signal.SIGKILL)
            job.process.wait()


def _report(name: str, reason: str, *, num_left: int, left_s: float | None) -> None:
    left = "" if left_s is None else f", about {left_s / 60:.0f} minutes"
    log.info("%s: %s; left: %d cells%s", name, reason or "finished", num_left, left)


def estimate_s(cells: Sequence[Cell], plan: Sequence[Cell], out: Path, preset: Preset) -> float | None:
    """Return about how many seconds the cells will take together; None where the preset's costs are not known.

    What the preset says is corrected by what the finished cells of the plan took here.
    """
    if preset.seconds is None:
        return None
    guessed = measured = 0.0
    for cell in plan:
        if is_finished(cell, out):
            guessed += _guess_s(cell, preset.seconds)
            measured += read_json(record_of(cell, out))["seconds"]
    factor = measured / guessed if guessed else 1.0
    return factor * sum(_guess_s(cell, preset.seconds) for cell in cells) / preset.jobs


def _guess_s(cell: Cell, seconds: Mapping[str, float]) -> float:
    return seconds["data"] if cell.group.system == DATA else seconds["start"] + cell.work * seconds["whole"]


def format_plan(plan: Sequence[Cell], out: Path, preset: Preset) -> str:
    """Return a line a cell, what it needs and about how long it takes, and the whole time."""
    lines = []
    for cell in plan:
        took = "finished" if is_finished(cell, out) else _minutes(estimate_s([cell], plan, out, preset), preset.jobs)
        lines.append(f"{cell.name:34}{took:>12}  needs {', '.join(cell.needs) or 'nothing'}")
    waiting = [cell for cell in plan if not is_finished(cell, out)]
    whole = _minutes(estimate_s(waiting, plan, out, preset))
    lines.append(f"{len(waiting)} of {len(plan)} cells to run, {preset.jobs} at a time: {whole}")
    return "\n".join(lines)


def _minutes(seconds: float | None, jobs: int = 1) -> str:
    return "not known" if seconds is None else f"{jobs * seconds / 60:.1f} min"
