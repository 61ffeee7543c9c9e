"""Which scores files are read: those of this schema's number; and that the form is what ``spner score`` writes."""

from pathlib import Path
from typing import Any, get_type_hints

import pytest

from spner.core.errors import SpnerError
from spner.core.files import write_json
from spner.scoring.options import Options
from spner.scoring.schema import SCHEMA, Comparison, MadeWith, Scores, ScoresMadeWith, read_scores
from spner.scoring.score import write_scores
from tests.scoring.texts import write_texts


def refusal(file: Path) -> str:
    with pytest.raises(SpnerError) as error:
        read_scores(file)
    return str(error.value)


def test_what_is_written_is_read_and_has_every_key(tmp_path: Path) -> None:
    ref, hyp = write_texts(tmp_path, ref=["<PER> jan </NE>"], hyp=["<PER> jan </NE>"])
    options = Options(num_draws=10, gold=True)
    scores = write_scores(tmp_path / "s.json", ref=ref, hyp=hyp, options=options, experiment={"seed": 1})
    assert read_scores(tmp_path / "s.json") == scores
    assert scores.keys() == get_type_hints(Scores).keys()
    assert scores["made_with"].keys() == get_type_hints(ScoresMadeWith).keys()


def test_scores_and_comparisons_tell_what_they_were_made_with_alike() -> None:
    common = get_type_hints(MadeWith).keys() | {"ref", "hyp", "decoded"}
    assert get_type_hints(get_type_hints(Comparison)["made_with"]).keys() == common


@pytest.mark.parametrize("value", [{"num_utts": 3, "gold": True}, {"schema": 0}, {"schema": "1"}, [], None, 1])
def test_scores_without_this_number_are_refused_with_what_to_do(tmp_path: Path, value: Any) -> None:
    write_json(tmp_path / "s.json", value)
    assert refusal(tmp_path / "s.json") == (
        f'{tmp_path}/s.json: holds no scores, or those of an older spner (no "schema": {SCHEMA}); rerun stage 6, or '
        "spner score where it wrote them"
    )


def test_newer_scores_are_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "s.json", {"schema": SCHEMA + 1})
    assert refusal(tmp_path / "s.json") == (
        f"{tmp_path}/s.json: holds scores of schema {SCHEMA + 1}, which a newer spner wrote (expected {SCHEMA}); "
        "update spner"
    )
