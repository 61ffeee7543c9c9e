"""Which stage makes a file: by its name, and by its folder where several stages make files of that name."""

from pathlib import Path

import pytest

from spner.core.paths import STAGE_5, calibration_file, decode_dir, made_by, score_file, utterances_file

EXP = Path("exp/mini_e2e")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("data/mini/dev/text", "stage 1 (spner data)", id="transcripts"),
        pytest.param("elsewhere/text", "stage 1 (spner data)", id="transcripts in a folder of any name"),
        pytest.param("dump/mini_e2e/dev/text", "stage 3 (spner tokens)", id="texts to train on"),
        pytest.param("exp/mini_e2e/decode/lm/dev/text", STAGE_5, id="hypotheses"),
        pytest.param("data/mini/dev/entities.jsonl", "stage 2 (spner annotate)", id="pseudo-labels"),
        pytest.param(
            "exp/mini_e2e/decode/lm/dev/entities.jsonl",
            STAGE_5,
            id="hypotheses' entities",
        ),
        pytest.param(
            "data/mini/dev/gold_entities.jsonl", "stage 1 (spner data) of a corpus with gold entities", id="gold"
        ),
        pytest.param("dump/mini_e2e/token_list", "stage 3 (spner tokens)", id="token list"),
        pytest.param("exp/lm/lm.arpa", "spner lm", id="language model"),
        pytest.param("names.txt", None, id="a file of the user's"),
        pytest.param("text", "stage 1 (spner data)", id="no folder"),
    ],
)
def test_makers(path: str, expected: str | None) -> None:
    assert made_by(Path(path)) == expected


def test_scored_utterances_are_of_stage_6() -> None:
    assert made_by(utterances_file(score_file(EXP, "lm", "test", gold=True))) == "stage 6 (spner score)"


def test_hypotheses_lie_where_the_stage_is_known() -> None:
    assert made_by(decode_dir(EXP, "lm", "test") / "text") == made_by(decode_dir(EXP, "lm", "test") / "entities.jsonl")
    assert calibration_file(EXP, "lm").parent == decode_dir(EXP, "lm", "test").parent
