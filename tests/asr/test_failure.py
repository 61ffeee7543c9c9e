"""Which trainings are no success, and what the record of one does to the folder; test_train.py lets trainings fail."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from spner.asr.disk import keep_one_model
from spner.asr.failure import Step, TrainingFailed, clear_failed, judge, record_failure
from spner.core import paths

STEP = Step(12, 3.5, math.nan, 0.001)


def history(*wers: float) -> list[dict[str, Any]]:
    return [{"epoch": epoch, "dev_wer": wer} for epoch, wer in enumerate(wers, start=1)]


def judged(*wers: float, num_epochs: int | None = None, patience: int | None = None) -> str | None:
    """Return the refusal, if there is one."""
    try:
        judge(history(*wers), num_epochs=num_epochs or len(wers), patience=patience, step=STEP, rate=0.002)
    except TrainingFailed as error:
        return str(error)
    return None


def test_a_training_is_finished_if_it_learnt_something() -> None:
    assert judged(1.0, 0.8, 0.9) is None
    assert judged(1.0) is None, "one epoch has nothing to compare with"
    assert "none has a lower WER on dev than the first, 0.800" in str(judged(0.8, 0.8, 0.9))
    assert "none has a lower WER" in str(judged(0.8, math.nan))
    assert "than 1, which writing nothing has" in str(judged(1.2, 1.0, 1.0)), "blanks alone are nothing learnt"
    assert judged(1.2, 0.9) is None


def test_a_training_that_stopped_early_is_finished_only_if_it_was_told_to() -> None:
    assert judged(1.0, 0.8, num_epochs=6, patience=1) is None
    assert "it stopped after 2 of 6 epochs, though patience is not set" in str(judged(1.0, 0.8, num_epochs=6))


def test_the_line_names_the_step_and_what_to_try() -> None:
    line = str(judged(0.8, 0.9))
    assert "(step 12, loss 3.5, gradient norm not finite, learning rate 0.001)" in line
    assert "try a lower rate (optim_conf.lr=0.0002, it was 0.002)" in line
    assert "\n" not in line


def write(exp: Path, *names: str) -> None:
    for name in names:
        (exp / name).write_text(name)


def test_a_failed_training_leaves_nothing_but_logs_and_decoded_sets(tmp_path: Path) -> None:
    write(
        tmp_path, paths.CHECKPOINT, paths.CONFIG, paths.ASKED, paths.TRANSFER, "1epoch.pth", "valid.wer.ave_1best.pth"
    )
    (tmp_path / "latest.pth").symlink_to("4epoch.pth")  # leads nowhere
    (tmp_path / "valid.wer.best.pth").symlink_to("1epoch.pth")
    (tmp_path / "log").mkdir()
    record_failure(tmp_path, TrainingFailed("the loss is nan", STEP, advice="try a lower rate"))
    record = json.loads((tmp_path / paths.FAILED).read_text())
    assert (record["number"], record["loss"], record["grad_norm"]) == (12, 3.5, None)
    message = clear_failed(tmp_path)
    assert message == record["message"] and message.startswith("training failed: the loss is nan (step 12")
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
    assert clear_failed(tmp_path) is None


def test_a_folder_without_a_failure_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, paths.CHECKPOINT, paths.CONFIG, "1epoch.pth")
    assert clear_failed(tmp_path) is None
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("target", ["valid.wer.ave_3best.pth", "2epoch.pth"])
def test_a_finished_training_keeps_one_model(tmp_path: Path, target: str) -> None:
    """The mean of three epochs, or the best one itself: the chosen name is a link to either."""
    kept = {paths.CONFIG: "best_model_criterion: [[valid, wer, min]]\n", paths.TRAINING: "{}"}
    for name, text in kept.items():
        (tmp_path / name).write_text(text)
    write(tmp_path, paths.CHECKPOINT, paths.FIRST_WEIGHTS, "1epoch.pth", "2epoch.pth", "valid.wer.ave_3best.pth")
    (tmp_path / "valid.wer.ave.pth").symlink_to(target)
    (tmp_path / "latest.pth").symlink_to("2epoch.pth")
    for _ in range(2):
        keep_one_model(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {*kept, "valid.wer.ave.pth"}
    assert not (tmp_path / "valid.wer.ave.pth").is_symlink()
    assert (tmp_path / "valid.wer.ave.pth").read_text() == target
