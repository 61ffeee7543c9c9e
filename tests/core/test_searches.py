"""What searches are called, which of them an experiment holds, and how they say what they did."""

from pathlib import Path
from typing import Any

import pytest

from spner.core import paths
from spner.core.errors import SpnerError
from spner.core.files import write_json
from spner.core.searches import find_searches, format_decoded, name_search, own_lm, read_decoded

EXP = Path("exp/mini_e2e")
DECODED: dict[str, Any] = {
    **{"search": "lm", "kind": "open", "config": "decode_lm.yaml", "beam_size": 10, "lm": "exp/mini_e2e/lm"},
    **{"lm_weight": 2.5, "word_score": -1.0, "tuned": True, "names": None, "audio": "data/mini/test", "num_utts": 150},
}


@pytest.mark.parametrize(
    ("config", "lm", "boost", "name"),
    [
        (None, None, None, "greedy"),
        ("../../conf/decode_lm.yaml", "exp/mini_e2e/lm", None, "lm"),
        ("conf/decode_lexicon.yaml", "exp/mini_e2e/lm_lexicon", None, "lexicon"),
        ("decode_lm.yaml", "./exp/../exp/mini_e2e/lm/", None, "lm"),
        ("decode_lm.yaml", None, None, "lm_no_lm"),
        ("decode_lm.yaml", "exp/mini_e2e/lm", "lists/names.txt", "lm_boost_names"),
        ("decode_lm.yaml", "exp/big", None, "lm_with_big"),
        ("decode_lm.yaml", "models/big.arpa.gz", "names", "lm_with_big_boost_names"),
        ("decode_lm.yaml", "exp/other/lm", None, "lm_with_other_lm"),
        ("decode_lexicon.yaml", "exp/mini_e2e/lm", None, "lexicon_with_mini_e2e_lm"),
        ("wide.yaml", "exp/mini_e2e/lm_wide", None, "wide"),
        ("decode_greedy.yaml", None, None, "decode_greedy_no_lm"),
        ("decode_lm.yaml", "exp/mini_e2e/lm", "my names/../é è.txt", "lm_boost_é_è"),
    ],
)
def test_searches_that_differ_have_names_of_their_own(
    config: str | None, lm: str | None, boost: str | None, name: str
) -> None:
    found = name_search(config, lm=Path(lm) if lm else None, boost=Path(boost) if boost else None, model=EXP)
    assert found == name and "/" not in found


def test_two_kinds_of_search_share_no_language_model() -> None:
    assert [own_lm(EXP, f"decode_{kind}.yaml").name for kind in ("lm", "lexicon")] == ["lm", "lm_lexicon"]


def test_the_searches_of_an_experiment(tmp_path: Path) -> None:
    with pytest.raises(SpnerError, match=r"holds no finished hypotheses; stage 5"):
        find_searches(tmp_path)
    for search, set_name in (("lm", "dev"), ("lm", "test"), ("greedy", "test")):
        write_json(paths.decode_dir(tmp_path, search, set_name) / paths.DECODE_RECORD, {})
    (paths.search_dir(tmp_path, "stopped") / "test").mkdir(parents=True)
    assert find_searches(tmp_path) == ["greedy", "lm"] and find_searches(tmp_path, "lm") == ["lm"]
    with pytest.raises(SpnerError) as error:
        find_searches(tmp_path, "greed")
    assert str(error.value) == (
        f'--search greed: {tmp_path} holds no hypotheses of it (found greedy, lm); did you mean "greedy"?'
    )


@pytest.mark.parametrize(
    ("decoded", "told"),
    [
        (None, "not recorded"),
        ({"kind": "greedy"}, "greedy search"),
        ({"kind": "greedy", "tagger": "exp/t"}, "greedy search, tagged by exp/t"),
        (
            DECODED,
            "open beam search of 10 (decode_lm.yaml), language model exp/mini_e2e/lm, lm_weight 2.5 (tuned on dev)",
        ),
        (
            {**DECODED, "names": {"file": "n.txt", "num": 12}, "tuned": False},
            "open beam search of 10 (decode_lm.yaml), language model exp/mini_e2e/lm, lm_weight 2.5 (not tuned), list "
            "of names n.txt (12 names)",
        ),
        (
            {**DECODED, "kind": "lexicon"},
            "lexicon beam search of 10 (decode_lm.yaml), language model exp/mini_e2e/lm, lm_weight 2.5, word_score -1 "
            "(tuned on dev)",
        ),
        ({**DECODED, "lm": None}, "open beam search of 10 (decode_lm.yaml), no language model"),
    ],
)
def test_a_line_says_how_hypotheses_were_decoded(decoded: dict[str, Any] | None, told: str) -> None:
    assert format_decoded(decoded) == told


def test_hypotheses_of_ours_say_how_they_were_decoded_and_others_do_not(tmp_path: Path) -> None:
    (tmp_path / "text").touch()
    assert read_decoded(tmp_path) is None
    write_json(tmp_path / paths.DECODE_RECORD, {"model": "m", "decoded": DECODED})
    assert read_decoded(tmp_path) == read_decoded(tmp_path / "text") == DECODED
    write_json(tmp_path / paths.DECODE_RECORD, ["an older record"])
    assert read_decoded(tmp_path) is None
