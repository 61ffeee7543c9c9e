"""Writes a comparison's ``results.json``, ``RESULTS.md`` and ``f1_by_fraction.png`` from its cells."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from spner.benchmark.plan import DATA, Cell
from spner.benchmark.plot import plot_fractions
from spner.benchmark.preset import Preset
from spner.benchmark.results import collect
from spner.benchmark.run import read_machines
from spner.benchmark.tables import format_results
from spner.core.errors import SpnerError
from spner.core.files import atomic_text, write_json
from spner.core.paths import RESULTS

RESULTS_JSON, PLOT = "results.json", "f1_by_fraction.png"


def collect_cells(
    plan: Sequence[Cell], failed: Mapping[str, str], out: Path, *, langs: Sequence[str], preset: Preset
) -> Path:
    """Write the results of the finished cells and return the page's path.

    Args:
        plan: all cells.
        failed: those that did not finish, each with the reason.
        out: the comparison's folder.
        langs: the target, then the sources.
        preset: the settings.

    Raises:
        SpnerError: no cell has scores, or a file of a finished one is missing or malformed.
    """
    finished = [cell for cell in plan if cell.name not in failed]
    if all(cell.group.system == DATA for cell in finished):
        raise SpnerError(f"{out}: no cell has scores (expected one at least); {next(iter(failed.values()))}")
    results = collect(finished, langs, preset)
    write_json(out / RESULTS_JSON, results)
    plot_fractions(results, out / PLOT)
    machine = "; ".join(read_machines(finished, out))
    page = format_results(results, plot=PLOT, machine=machine, skipped=failed)
    with atomic_text(out / RESULTS) as file:
        file.write(page)
    return out / RESULTS
