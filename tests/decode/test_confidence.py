"""Dev calibrates every set: what is fitted, what is applied, and when confidences stay raw."""

import logging
from pathlib import Path

import pytest

from spner.core import paths
from spner.core.datatypes import Entity, Timing, Transcript
from spner.core.errors import SpnerError
from spner.core.files import read_json, write_json
from spner.data.datadir import write_entities
from spner.decode.confidence import calibrate, calibration_identity

MODEL = "a model"


def make_dev(data: Path, num_utts: int, *, name: str = paths.GOLD_ENTITIES) -> tuple[dict, dict]:
    """Write references; return hypotheses and raw timings. Every second utterance is wrong, and less sure."""
    refs = {f"u{i}": Transcript(("in", "delft"), (Entity(1, 2, "LOC"),)) for i in range(num_utts)}
    hyps = {u: refs[u] if i % 2 else Transcript(("in", "elf"), (Entity(1, 2, "LOC"),)) for i, u in enumerate(refs)}
    write_entities(data / paths.DEV / name, refs)
    times = ((0.0, 0.2), (0.2, 0.8))
    return hyps, {u: Timing(times, (0.9, 0.9), (0.9 if i % 2 else 0.6,)) for i, u in enumerate(refs)}


def test_dev_fits_and_test_applies(tmp_path: Path) -> None:
    data, exp = tmp_path / "data", tmp_path / "exp"
    hyps, raw = make_dev(data, 40)
    assert calibration_identity(data, exp, paths.DEV, model=MODEL) is None
    timings = calibrate(hyps, raw, data, exp, paths.DEV, model=MODEL)
    assert timings["u0"].word_times == raw["u0"].word_times
    assert timings["u0"].entity_confidences[0] < 0.1 and timings["u1"].entity_confidences[0] > 0.9
    assert timings["u0"].word_confidences[0] == pytest.approx(0.75, abs=0.01)  # three of four words are right
    assert calibrate(hyps, raw, data, exp, paths.TEST, model=MODEL) == timings
    record = read_json(paths.calibration_file(exp))
    assert record["references"] == paths.GOLD_ENTITIES and record["num_utts"] == 40
    assert (record["words"]["num"], record["words"]["right"]) == (80, 60)
    assert (record["entities"]["num"], record["entities"]["right"]) == (40, 20)
    assert record["entities"]["ece"] < record["entities"]["ece_raw"]


def test_pseudo_labels_judge_dev_where_there_is_no_gold(tmp_path: Path) -> None:
    hyps, raw = make_dev(tmp_path, 4, name=paths.ENTITIES)
    calibrate(hyps, raw, tmp_path, tmp_path / "exp", paths.DEV, model=MODEL)
    assert read_json(paths.calibration_file(tmp_path / "exp"))["references"] == paths.ENTITIES


def test_confidences_stay_raw_without_a_calibration_and_with_that_of_another_model(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hyps, raw = make_dev(tmp_path, 4)
    with caplog.at_level(logging.WARNING):
        assert calibrate(hyps, raw, tmp_path, tmp_path / "exp", paths.TEST, model=MODEL) == raw
    assert "test: confidences are raw" in caplog.text
    calibrate(hyps, raw, tmp_path, tmp_path / "exp", paths.DEV, model=MODEL)
    assert calibrate(hyps, raw, tmp_path, tmp_path / "exp", paths.TEST, model="another") == raw


def test_dev_without_references_stays_raw(tmp_path: Path) -> None:
    _, raw = make_dev(tmp_path / "elsewhere", 4)
    (tmp_path / paths.DEV).mkdir()
    assert calibrate({}, raw, tmp_path, tmp_path / "exp", paths.DEV, model=MODEL) == raw
    assert not paths.calibration_file(tmp_path / "exp").exists()


def test_what_confidences_are_calibrated_with_tells_changed_references(tmp_path: Path) -> None:
    hyps, raw = make_dev(tmp_path, 4)
    exp = tmp_path / "exp"
    calibrate(hyps, raw, tmp_path, exp, paths.DEV, model=MODEL)
    dev, test = (calibration_identity(tmp_path, exp, name, model=MODEL) for name in (paths.DEV, paths.TEST))
    assert dev and test
    write_entities(tmp_path / paths.DEV / paths.GOLD_ENTITIES, hyps)
    assert calibration_identity(tmp_path, exp, paths.DEV, model=MODEL) != dev
    assert calibration_identity(tmp_path, exp, paths.TEST, model=MODEL) == test
    calibrate(hyps, raw, tmp_path, exp, paths.DEV, model=MODEL)
    assert calibration_identity(tmp_path, exp, paths.TEST, model=MODEL) != test


def test_hypotheses_without_times_are_counted_and_fit_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    hyps, raw = make_dev(tmp_path, 4)
    del raw["u0"]
    with caplog.at_level(logging.WARNING):
        assert set(calibrate(hyps, raw, tmp_path, tmp_path / "exp", paths.DEV, model=MODEL)) == {"u1", "u2", "u3"}
    assert "dev: 1 of 4 hypotheses need more frames than their clips have" in caplog.text
    assert read_json(paths.calibration_file(tmp_path / "exp"))["num_utts"] == 3


def test_references_of_other_utterances_are_refused(tmp_path: Path) -> None:
    hyps, raw = make_dev(tmp_path, 4)
    del hyps["u0"]
    with pytest.raises(SpnerError, match="its utterances are not those of .*; rerun stages 1 and 2"):
        calibrate(hyps, raw, tmp_path, tmp_path / "exp", paths.DEV, model=MODEL)


@pytest.mark.parametrize("words", [{}, {"slope": -1, "intercept": 0}, {"slope": "x", "intercept": 0}, None])
def test_a_malformed_calibration_is_one_line(tmp_path: Path, words: object) -> None:
    hyps, raw = make_dev(tmp_path, 4)
    write_json(paths.calibration_file(tmp_path / "exp"), {"model": MODEL, "words": words})
    with pytest.raises(SpnerError, match="is no calibration .*; remove it and rerun stage 5 on dev"):
        calibrate(hyps, raw, tmp_path, tmp_path / "exp", paths.TEST, model=MODEL)
