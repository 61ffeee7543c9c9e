"""Experiment folders and scores files: names, sets, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spner.core.errors import SpnerError
from spner.report.scored import Rate, read_experiments
from tests.report.conftest import make_scores

Write = Callable[..., Path]


def refusal(*exps: Path) -> str:
    with pytest.raises(SpnerError) as error:
        read_experiments(exps)
    return str(error.value)


def test_an_experiment_folder_and_a_single_file(write_scored: Write, tmp_path: Path) -> None:
    write_scored("base/score/lm/test.json", make_scores(gold=False))
    write_scored("base/score/lm/test_gold.json", make_scores())
    (tmp_path / "base" / "curves.png").write_bytes(b"")
    single = write_scored("whisper.json", make_scores())
    folder, file = read_experiments([tmp_path / "base", single])
    assert (folder.name, folder.training, folder.curves) == ("base/lm", "base", tmp_path / "base" / "curves.png")
    assert [(one.set_name, one.gold) for one in folder.scored] == [("test", False), ("test", True)]
    assert (file.name, file.curves) == ("whisper", None)
    (one,) = file.scored
    assert (one.experiment, one.set_name, one.file, one.num_utts) == ("whisper", "data/test", single, 3)
    assert one.rates["WER"] == Rate(0.25, 0.125, 0.375)
    assert one.rates["EER"] == one.rates["F1, seen"] == Rate(None)
    assert one.labels["PER"].f1 == Rate(0.5) and one.labels["PER"].num_ref == 5


def test_equal_names_are_told_apart_by_their_paths(write_scored: Write, tmp_path: Path) -> None:
    for name in ("nl/base", "de/base", "nl/other"):
        write_scored(f"{name}/score/lm/test.json", make_scores())
    experiments = read_experiments([tmp_path / "nl/base", tmp_path / "de/base", tmp_path / "nl/other"])
    assert [experiment.name for experiment in experiments] == [
        f"{tmp_path}/nl/base/lm",
        f"{tmp_path}/de/base/lm",
        "other/lm",
    ]


def test_a_set_is_called_gold_only_where_it_is(write_scored: Write, tmp_path: Path) -> None:
    write_scored("base/score/lm/heart_of_gold.json", make_scores(gold=False))
    assert read_experiments([tmp_path / "base"])[0].scored[0].set_name == "heart_of_gold"


@pytest.mark.parametrize(
    ("about", "synthetic"),
    [
        ({}, False),
        ({"experiment": {"synthetic": True}}, True),
        ({"experiment": {"synthetic": False}}, False),
        ({"experiment": None}, False),
    ],
)
def test_synthetic_speech_is_known(write_scored: Write, about: dict[str, Any], synthetic: bool) -> None:
    scores = make_scores()
    scores["made_with"] |= about
    assert read_experiments([write_scored("a.json", scores)])[0].scored[0].synthetic is synthetic


def test_missing_twice_and_empty(write_scored: Write, tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == (
        f"{tmp_path}/none: no such experiment (expected a folder with score/<search>/<set>.json, or a scores file); "
        "stage 6 makes the one, spner score --out the other"
    )
    assert refusal(tmp_path) == f"{tmp_path}/score: holds no scores (expected <search>/<set>.json); run stage 6"
    file = write_scored("a.json", make_scores())
    assert refusal(file, tmp_path / "." / "a.json") == (
        f"{file}: is given 2 times (expected every experiment once); leave it out"
    )


@pytest.mark.parametrize(
    ("scores", "what"),
    [
        pytest.param({"schema": 1}, "KeyError: 'gold'", id="a number alone"),
        pytest.param(make_scores() | {"gold": "yes"}, 'gold is "yes"', id="a word for true"),
        pytest.param(make_scores() | {"wer": {"rate": "high"}}, "TypeError", id="a word for a rate"),
        pytest.param(make_scores() | {"wer": 0.5}, "AttributeError", id="a rate without counts"),
        pytest.param(make_scores() | {"ci95": {"wer": [0.1]}}, "ValueError", id="half an interval"),
        pytest.param(make_scores() | {"cer": {"rate": float("nan")}}, "not finite", id="NaN"),
        pytest.param(make_scores() | {"errors": {"missed": "x"}}, "ValueError", id="a word for a count"),
        pytest.param(make_scores() | {"confusion": {"PER": 1}}, "AttributeError", id="a number for a row"),
        pytest.param(make_scores() | {"f1": {"micro": {}}}, "KeyError: 'labels'", id="no labels"),
        pytest.param({key: value for key, value in make_scores().items() if key != "errors"}, "'errors'", id="old"),
    ],
)
def test_a_file_that_holds_no_scores(write_scored: Write, scores: Any, what: str) -> None:
    file = write_scored("a.json", scores)
    message = refusal(file)
    assert message.startswith(f"{file}: holds no scores (") and what in message
    assert message.endswith("expected what spner score writes); score again")


def test_a_lone_surrogate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"schema": 1, "gold": "\\ud800"}')
    assert "surrogates not allowed" in refusal(tmp_path / "a.json")


def test_a_file_that_is_not_json(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    message = refusal(tmp_path / "a.json")
    assert message.startswith(f"{tmp_path}/a.json: is not JSON (")
    assert message.endswith("; spner score --ref REF --hyp HYP --out FILE writes scores, stage 6 a recipe's")
