"""An experiment's own search, language model and calibration are found; what does not fit is refused."""

import json
from pathlib import Path

import pytest

from spner.core.errors import SpnerError
from spner.core.paths import TRAINING, calibration_file, decode_dir
from spner.scoring.calibration import Calibration
from spner.tag.experiment import choose_search, find_lang, make_search, read_calibration


def record(exp: Path, name: str, **decoded: object) -> None:
    folder = decode_dir(exp, name, "dev")
    folder.mkdir(parents=True)
    (folder / "decode.json").write_text(json.dumps({"search": None, "decoded": {"names": None, **decoded}}))


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ((), "greedy"),
        (("greedy",), "greedy"),
        (("greedy", "lexicon"), "lexicon"),
        (("greedy", "lexicon", "lm"), "lm"),
    ],
)
def test_the_recipes_search_is_chosen(tmp_path: Path, names: tuple[str, ...], chosen: str) -> None:
    for name in names:
        record(tmp_path, name)
    assert choose_search(tmp_path) == chosen


def test_a_search_with_a_list_of_names_is_not_chosen(tmp_path: Path) -> None:
    record(tmp_path, "lm_boost_names", names={"file": "names.txt", "num": 2})
    assert choose_search(tmp_path) == "greedy"


def test_names_need_a_beam_search(tmp_path: Path) -> None:
    with pytest.raises(SpnerError, match="needs a beam search"):
        make_search(tmp_path, "greedy", boost=tmp_path / "names.txt", lang="nl")


def test_the_language_is_that_of_the_data_beside_the_experiment(tmp_path: Path) -> None:
    exp = tmp_path / "exp" / "tag"
    exp.mkdir(parents=True)
    (exp / TRAINING).write_text(json.dumps({"train": [{"data": "data/mini"}]}))
    assert find_lang(exp) is None
    (tmp_path / "data/mini").mkdir(parents=True)
    (tmp_path / "data/mini/report.json").write_text(json.dumps({"settings": {"lang": "nl"}}))
    assert find_lang(exp) == "nl"


def test_the_calibration_is_that_of_the_search(tmp_path: Path) -> None:
    assert read_calibration(tmp_path, "lm") is None
    file = calibration_file(tmp_path, "lm")
    file.parent.mkdir(parents=True)
    maps = {"words": {"slope": 1.0, "intercept": 0.5}, "entities": {"slope": 2.0, "intercept": 0.0}}
    file.write_text(json.dumps(maps))
    calibration = read_calibration(tmp_path, "lm")
    assert calibration
    assert (calibration.words, calibration.entities) == (Calibration(1.0, 0.5), Calibration(2.0, 0.0))
