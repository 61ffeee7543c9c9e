"""Draws ``curves.png`` from a training history."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spner.core.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Blue, orange, green and purple of Okabe and Ito 2008: distinct with any colour vision; shapes differ as well.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"


def plot_curves(history: Sequence[Mapping[str, Any]], out: Path, *, chosen: Collection[int] = ()) -> None:
    """Draw loss, dev WER and F1, gradient norm and rate by epoch as a PNG; the same history gives the same bytes.

    Args:
        history: one record an epoch, see :func:`spner.asr.train.read_history`; a value may be missing or None.
        out: the picture.
        chosen: the epochs whose checkpoints are decoded, one or several averaged; they are marked.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with matplotlib.rc_context({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(8, 11), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        loss_axes, score_axes, norm_axes, rate_axes = figure.subplots(4, 1, sharex=True, height_ratios=(3, 3, 2, 2))
        _plot_series(loss_axes, history, {"train_loss": ("train", BLUE, "o"), "dev_loss": ("dev", ORANGE, "s")})
        _plot_series(score_axes, history, {"dev_wer": ("dev WER", ORANGE, "s"), "dev_f1": ("dev F1", GREEN, "^")})
        _plot_series(norm_axes, history, {"grad_norm": ("gradient norm", BLUE, "o")})
        _plot_series(rate_axes, history, {"lr": ("learning rate", PURPLE, "D")})
        for axes in (loss_axes, score_axes, norm_axes, rate_axes):
            _mark_epochs(axes, chosen)
            axes.grid(axis="y", color="0.9")
            axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        loss_axes.set_ylabel("CTC loss per utterance")
        loss_axes.set_ylim(bottom=0)
        score_axes.set(ylabel="WER, F1 (fractions)", ylim=(0, max(1.02, score_axes.get_ylim()[1])))
        norm_axes.set_ylabel("before clipping")
        rate_axes.set(ylabel="mean of the steps", xlabel=_name_epochs(history))
        rate_axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        with atomic_path(out) as temporary:
            figure.savefig(temporary, format="png", metadata={"Software": None})


def _plot_series(
    axes: "Axes", history: Sequence[Mapping[str, Any]], series: Mapping[str, tuple[str, str, str]]
) -> None:
    """Draw each key of the records (key -> name, colour, marker); epochs without a value leave no point."""
    for key, (name, colour, marker) in series.items():
        points = [(record["epoch"], record[key]) for record in history if record.get(key) is not None]
        epochs, values = [epoch for epoch, _ in points], [value for _, value in points]
        axes.plot(epochs, values, color=colour, marker=marker, markersize=4, label=name)


def _name_epochs(history: Sequence[Mapping[str, Any]]) -> str:
    """Return the title of the axis of epochs; those that are no whole pass over the training set say so."""
    first = history[0]
    parts = round(first["epoch"] / first.get("passes", first["epoch"]))
    return "epoch" if parts == 1 else f"epoch ({parts} make a pass over the training set)"


def _mark_epochs(axes: "Axes", epochs: Collection[int]) -> None:
    for number, epoch in enumerate(sorted(epochs)):
        axes.axvspan(
            epoch - 0.5,
            epoch + 0.5,
            color="0.88",
            zorder=0,
            linewidth=0,
            label="decoded epochs" if number == 0 else None,
        )
