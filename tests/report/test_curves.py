"""The curves are a picture with the same bytes every time."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spner.core.paths import CURVES
from spner.report.curves import plot_curves

HISTORY = [
    {
        "epoch": epoch,
        "train_loss": 50 / epoch,
        "dev_loss": 60 / epoch,
        "dev_wer": None if epoch < 3 else 1.4 / epoch,
        "dev_f1": None if epoch < 3 else 1 - 1 / epoch,
        "grad_norm": 5.0 / epoch,
        "lr": 0.001 * epoch,
    }
    for epoch in range(1, 9)
]


def pixels(path: Path) -> Any:
    return pytest.importorskip("matplotlib.image").imread(path)


def test_curves_are_a_picture_with_the_same_bytes_every_time(tmp_path: Path) -> None:
    plot_curves(HISTORY, tmp_path / CURVES, chosen=[6, 8])
    plot_curves(HISTORY, tmp_path / "again.png", chosen=[8, 6])
    assert (tmp_path / CURVES).read_bytes() == (tmp_path / "again.png").read_bytes()
    assert pixels(tmp_path / CURVES).shape[:2] == (1320, 960)
    assert b"Software" not in (tmp_path / CURVES).read_bytes()


@pytest.mark.parametrize("key", ["train_loss", "dev_loss", "dev_wer", "dev_f1", "grad_norm", "lr"])
def test_every_series_is_drawn(tmp_path: Path, key: str) -> None:
    plot_curves(HISTORY, tmp_path / "all.png")
    plot_curves([record | {key: None} for record in HISTORY], tmp_path / "less.png")
    assert (pixels(tmp_path / "all.png") != pixels(tmp_path / "less.png")).any()


def test_a_history_of_an_older_training_is_drawn(tmp_path: Path) -> None:
    old = [{key: record[key] for key in record if key not in ("grad_norm", "lr")} for record in HISTORY]
    plot_curves(old, tmp_path / "old.png")
    assert pixels(tmp_path / "old.png").shape[:2] == (1320, 960)


def test_epochs_that_are_parts_of_a_pass_say_so(tmp_path: Path) -> None:
    plot_curves(HISTORY, tmp_path / "whole.png")
    plot_curves([record | {"passes": record["epoch"]} for record in HISTORY], tmp_path / "same.png")
    plot_curves([record | {"passes": record["epoch"] / 4} for record in HISTORY], tmp_path / "parts.png")
    assert (tmp_path / "whole.png").read_bytes() == (tmp_path / "same.png").read_bytes()
    assert (pixels(tmp_path / "whole.png") != pixels(tmp_path / "parts.png")).any()


def test_chosen_epochs_are_marked(tmp_path: Path) -> None:
    pictures = []
    for chosen in ((), (6,), (8,)):
        plot_curves(HISTORY, tmp_path / "curves.png", chosen=chosen)
        pictures.append((tmp_path / "curves.png").read_bytes())
    assert len(set(pictures)) == 3


def test_matplotlib_is_imported_only_to_draw() -> None:
    code = "import sys, spner.report.curves; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
