"""What a pipeline's tagger has learnt from is told, and whether that is what its recogniser has."""

from pathlib import Path
from typing import Any

import pytest

from spner.core import paths
from spner.core.files import write_json
from spner.tagger.origin import UNKNOWN, read_origin, tell_tagger

WHOLE = {"utterances": 8, "hours": 2.0}
MINI = [{"data": "data/mini", "chosen": WHOLE, "whole": WHOLE}]
PART = [{"data": "data/mini", "chosen": {"utterances": 2, "hours": 0.5}, "whole": WHOLE}]


def write_tagger(folder: Path, **record: Any) -> str:
    write_json(folder / paths.TRAINING, {"model": None, "speech": None, "utterances": None, **record})
    return str(folder)


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"utterances": MINI}, "data/mini: 8 utterances, 2.00 h, with their pseudo-labels; from scratch"),
        (
            {"utterances": PART, "model": "a/b"},
            "data/mini: 2 of 8 utterances, 0.50 of 2.00 h (25%), with their pseudo-labels; fine-tuned from a/b",
        ),
        ({}, "column files, text as written, cased and with punctuation; from scratch"),
        ({"speech": {"lang": "nl", "noise": 0.0}}, "column files, normalised text (nl); from scratch"),
    ],
)
def test_what_a_tagger_has_learnt_from(tmp_path: Path, record: dict[str, Any], text: str) -> None:
    origin = read_origin(write_tagger(tmp_path / "t", **record))
    assert (origin.text, origin.counts) == (text, record.get("utterances"))


@pytest.mark.parametrize("record", [None, [], {"train": MINI, "history": []}])
def test_of_what_spner_has_not_trained_nothing_is_known(tmp_path: Path, record: Any) -> None:
    if record is not None:
        write_json(tmp_path / "t" / paths.TRAINING, record)
    assert read_origin(str(tmp_path / "t")).text == UNKNOWN


@pytest.mark.parametrize(
    ("utterances", "heard", "fair"),
    [(MINI, MINI, True), (PART, PART, True), (MINI, PART, False), (None, MINI, False), (None, None, False)],
)
def test_any_other_tagger_than_the_fair_one_is_told_loudly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, utterances: Any, heard: Any, fair: bool
) -> None:
    caplog.set_level("INFO")
    write_json(tmp_path / "other" / paths.TRAINING, {"train": heard})
    write_json(tmp_path / "asr" / paths.SYSTEM, {"model": str(tmp_path / "other")})
    tell_tagger(write_tagger(tmp_path / "t", utterances=utterances), tmp_path / "asr")
    (record,) = caplog.records
    assert record.levelname == ("INFO" if fair else "WARNING")
    assert ("WARNING: no fair baseline" in record.getMessage()) is not fair
    assert read_origin(str(tmp_path / "t")).text in record.getMessage()
