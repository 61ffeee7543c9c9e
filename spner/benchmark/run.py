"""Runs the cells: several recipes at a time; finished cells are left alone, failed ones are listed at the end.

::

    <out>/cells/<cell>.json     of a finished cell: its key, seconds, commit and machine
    <out>/log/<cell>.log        what the recipe printed

A cell's key changes with its options, its training configuration and the keys of the cells that it needs: a cell
with another key is run again. A change of the code is not noticed; remove ``cells/`` to run everything again.
"""

import contextlib
import logging
import signal
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spner.benchmark.launch import Ended, Recipe, Running, RunningHere, RunningThere
from spner.benchmark.plan import DATA, Cell, scores_of
from spner.benchmark.preset import Preset
from spner.core.files import digest, fingerprint, read_json, remove, write_json
from spner.core.provenance import git_commit
from spner.scoring.schema import holds_scores

if TYPE_CHECKING:
    from spner.core.cluster import Cluster

log = logging.getLogger(__name__)

POLL_S = 0.2


def record_of(cell: Cell, out: Path) -> Path:
    """Return the file that a finished cell has."""
    return out / "cells" / f"{cell.name}.json"


def compute_keys(plan: Sequence[Cell]) -> dict[str, str]:
    """Return the key of each cell, by name."""
    keys: dict[str, str] = {}
    for cell in plan:
        configs = fingerprint(path for path in cell.configs if path.is_file())
        keys[cell.name] = digest([cell.options, configs, [keys[name] for name in cell.needs]])
    return keys


def find_finished(plan: Sequence[Cell], out: Path) -> set[str]:
    """Return the names of the cells that have run with these settings and whose scores are there, in today's form."""
    keys, finished = compute_keys(plan), set()
    for cell in plan:
        scored = cell.group.system == DATA or holds_scores(scores_of(cell, gold=False))
        if scored and record_of(cell, out).exists() and read_json(record_of(cell, out))["key"] == keys[cell.name]:
            finished.add(cell.name)
    return finished


def run_plan(plan: Sequence[Cell], out: Path, preset: Preset, cluster: "Cluster | None" = None) -> dict[str, str]:
    """Run the cells that are not finished, as many at a time as the preset says.

    Args:
        plan: the cells, each after those that it needs.
        out: folder of records and logs.
        preset: the settings.
        cluster: runs the cells instead of this machine; its workers are the preset's ``jobs``.

    Returns:
        For each cell that did not finish the reason. The others are finished.
    """
    jobs = _Jobs(out, preset, compute_keys(plan), cluster)
    finished = find_finished(plan, out)
    waiting = [cell for cell in plan if cell.name not in finished]
    log.info("%d of %d cells are finished already", len(finished), len(plan))
    with _ended_by_signals():
        try:
            while waiting or jobs.running:
                for name, reason in jobs.collect():
                    jobs.failed |= {name: reason} if reason else {}
                    finished |= set() if reason else {name}
                    left = [*waiting, *(job.cell for job in jobs.running)]
                    left_s = estimate_s(left, [cell for cell in plan if cell.name in finished], out, preset)
                    _report(name, reason, num_left=len(left), left_s=left_s)
                waiting = jobs.start(waiting, finished)
                time.sleep(POLL_S)
        finally:
            jobs.kill()
    return jobs.failed


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGHUP and SIGTERM end the block as Ctrl-C does; recipes have sessions of their own."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class _Job:
    cell: Cell
    recipe: Running


class _Jobs:
    """The recipes at work, and why some did not finish."""

    def __init__(self, out: Path, preset: Preset, keys: Mapping[str, str], cluster: "Cluster | None") -> None:
        self.running: list[_Job] = []
        self.failed: dict[str, str] = {}
        self._out, self._slots, self._threads, self._keys = out, preset.jobs, preset.threads, keys
        self._cluster = cluster

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
        remove(record_of(cell, self._out))
        log_file = self._log_of(cell)
        recipe = Recipe(tuple(cell.command), log_file, log_file.with_name(f".{cell.name}.lock"), self._threads)
        return _Job(cell, RunningThere(recipe, self._cluster) if self._cluster else RunningHere(recipe))

    def _log_of(self, cell: Cell) -> Path:
        return self._out / "log" / f"{cell.name}.log"

    def collect(self) -> list[tuple[str, str]]:
        """Return the cells that have ended since the last call, each with the reason where it failed."""
        ended = [(job, how) for job in self.running if (how := job.recipe.poll())]
        self.running = [job for job in self.running if job not in [one for one, _ in ended]]
        return [(job.cell.name, self._end(job.cell, how)) for job, how in ended]

    def _end(self, cell: Cell, how: Ended) -> str:
        log_file = self._log_of(cell)
        if how.code:
            lines = log_file.read_text(encoding="utf-8", errors="replace").splitlines()
            errors = [line for line in lines if ": error: " in line]
            return f"exit code {how.code}: {(errors or lines or ['no output'])[-1]} (see log/{log_file.name})"
        record = {
            "key": self._keys[cell.name],
            "seconds": round(how.seconds, 1),
            "commit": git_commit(),
            "machine": how.machine,
        }
        write_json(record_of(cell, self._out), record)
        return ""

    def kill(self) -> None:
        """End what is still at work."""
        for job in self.running:
            job.recipe.kill()


def _report(name: str, reason: str, *, num_left: int, left_s: float | None) -> None:
    left = "" if left_s is None else f", about {left_s / 60:.0f} minutes"
    log.info("%s: %s; left: %d cells%s", name, reason or "finished", num_left, left)


def estimate_s(cells: Sequence[Cell], finished: Sequence[Cell], out: Path, preset: Preset) -> float | None:
    """Return about how many seconds the cells will take together; None where the preset's costs are not known.

    What the preset says is corrected by what the finished cells took here.
    """
    if preset.seconds is None:
        return None
    guessed = sum(_guess_s(cell, preset.seconds) for cell in finished)
    measured = sum(read_json(record_of(cell, out))["seconds"] for cell in finished)
    factor = measured / guessed if guessed else 1.0
    return factor * sum(_guess_s(cell, preset.seconds) for cell in cells) / preset.jobs


def _guess_s(cell: Cell, seconds: Mapping[str, float]) -> float:
    return seconds["data"] if cell.group.system == DATA else seconds["start"] + cell.work * seconds["whole"]


def format_plan(plan: Sequence[Cell], out: Path, preset: Preset) -> str:
    """Return a line a cell, what it needs and about how long it takes, and the whole time."""
    names = find_finished(plan, out)
    finished, waiting = ([cell for cell in plan if (cell.name in names) is is_in] for is_in in (True, False))
    lines = []
    for cell in plan:
        alone_s = estimate_s([cell], finished, out, preset)
        took = "finished" if cell in finished else _minutes(alone_s and alone_s * preset.jobs)
        lines.append(f"{cell.name:34}{took:>12}  needs {', '.join(cell.needs) or 'nothing'}")
    whole = _minutes(estimate_s(waiting, finished, out, preset))
    lines.append(f"{len(waiting)} of {len(plan)} cells to run, {preset.jobs} at a time: {whole}")
    return "\n".join(lines)


def _minutes(seconds: float | None) -> str:
    return "not known" if seconds is None else f"{seconds / 60:.1f} min"


def read_machines(finished: Sequence[Cell], out: Path) -> list[str]:
    """Return what the cells ran on, in words, each once."""
    records: list[dict[str, Any]] = [read_json(record_of(cell, out)) for cell in finished]
    return sorted({record["machine"] for record in records})
