"""Plots F1 against the fraction of the target's data, one curve for each source."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spner.benchmark.plan import PIPELINE, Group
from spner.benchmark.preset import WHOLE
from spner.benchmark.results import find_curve_group, groups_of
from spner.core.files import atomic_path
from spner.report.curves import BLUE, GREEN, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLES = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), ("0.35", "D"))
"""Colour and marker of the curve from none and of each source's; further sources take them again."""
APART = 0.9
"""Percent by which the points of two curves lie apart, so that their intervals can be told apart."""

Point = tuple[int, float, float, float]
"""Percent, F1, and the ends of its 95 % interval."""


def plot_fractions(results: Mapping[str, Any], out: Path) -> None:
    """Draw the curves as a PNG; the same results give the same bytes.

    A source's own model is drawn at 0 %, not joined to its curve: nothing was trained on the target. The pipeline,
    which has all of the target's data, is a horizontal line.

    Args:
        results: of :func:`spner.benchmark.results.collect`.
        out: the picture.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    groups, target, sources = groups_of(results), results["target"], results["sources"]
    with matplotlib.rc_context({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for number, source in enumerate(("", *sources)):
            name = f"from {source}" if source else f"{target} alone"
            shift = APART * (number - len(sources) / 2)
            _plot_curve(axes, list(find_points(groups, target, source)), name, STYLES[number % len(STYLES)], shift)
        _plot_pipeline(axes, groups.get(Group(target, PIPELINE)), f"pipeline, {WHOLE} %")
        axes.grid(axis="y", color="0.9")
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        percents = sorted({0, *(group.fraction for group in groups if group.lang == target)})
        axes.set(
            xlabel=f"% of the {target} train set (0: not trained on it)",
            ylabel="F1 on test (fraction)",
            xticks=percents,
            ylim=(0, 1.02),
            xlim=(-4, WHOLE + 4),
        )
        with atomic_path(out) as temporary:
            figure.savefig(temporary, format="png", metadata={"Software": None})


def find_points(groups: Mapping[Group, Mapping[str, Any]], target: str, source: str) -> Iterator[Point]:
    """Yield the points of a curve, its zero-shot point first; ``source`` is empty for the target alone."""
    for fraction in sorted({group.fraction for group in groups if group.lang == target}):
        group = find_curve_group(target, source, fraction)
        entry = groups.get(group) if group else None
        f1 = entry["scores"]["f1"] if entry else {"value": None}
        if f1["value"] is not None:
            yield fraction, f1["value"], *(f1["ci95"] or (f1["value"], f1["value"]))


def _plot_curve(axes: "Axes", points: list[Point], name: str, style: tuple[str, str], shift: float) -> None:
    colour, marker = style
    bars: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 5, "capsize": 2.5, "elinewidth": 1}
    zero_shot, trained = [p for p in points if not p[0]], [p for p in points if p[0]]
    lone: dict[str, Any] = {"linestyle": "", "mfc": "white"}
    for some, how in ((trained, {"linestyle": "-", "label": name}), (zero_shot, lone)):
        if some:
            percents, values, lows, highs = zip(*some, strict=True)
            # A pooled value may lie outside the interval of its draws by a hair, and bars have no negative length.
            below = [max(0.0, value - low) for value, low in zip(values, lows, strict=True)]
            above = [max(0.0, high - value) for value, high in zip(values, highs, strict=True)]
            axes.errorbar([percent + shift for percent in percents], values, yerr=[below, above], **bars, **how)


def _plot_pipeline(axes: "Axes", entry: Mapping[str, Any] | None, name: str) -> None:
    if entry and entry["scores"]["f1"]["value"] is not None:
        f1 = entry["scores"]["f1"]
        axes.axhline(f1["value"], color="0.35", linestyle="--", linewidth=1.2, label=name)
        if f1["ci95"]:
            axes.axhspan(*f1["ci95"], color="0.35", alpha=0.08, linewidth=0)
