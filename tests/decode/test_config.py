"""What a decode configuration may say, and that the configurations that come with the project may be read."""

from pathlib import Path

import pytest

from spner.core.configs import merge_configs
from spner.core.errors import SpnerError
from spner.decode.config import make_decode_config
from tests.decode.models import SETTINGS


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"beam": 3}, 'unknown key "beam"; did you mean "beam_size"?'),
        ({"search": "greedy"}, "search: greedy (expected open or lexicon)"),
        ({"beam_size": 0}, "beam_size: 0 (expected 1 or more)"),
        ({"beam_size": 1.5}, "beam_size: 1.5 (expected 1 or more)"),
        ({"beam_size": True}, "beam_size: True (expected 1 or more)"),
        ({"beam_size_token": -1}, "beam_size_token: -1 (expected 1 or more)"),
        ({"beam_threshold": 0}, "beam_threshold: 0 (expected a number above 0)"),
        ({"lm_weight": -0.5}, "lm_weight: -0.5 (expected a number, 0 or more)"),
        ({"lm_weight": "much"}, "lm_weight: much (expected a number, 0 or more)"),
        ({"word_score": float("nan")}, "word_score: nan (expected a number)"),
        ({"tune_lm_weight": []}, "tune_lm_weight: [] (expected a list of numbers, 0 or more)"),
        ({"tune_word_score": 1.0}, "tune_word_score: 1.0 (expected a list of numbers)"),
    ],
)
def test_a_bad_setting_is_named(change: dict[str, object], found: str) -> None:
    with pytest.raises(SpnerError) as raised:
        make_decode_config({**SETTINGS, **change}, where="a.yaml")
    assert str(raised.value) == f"a.yaml: {found}; mend the decode configuration"


def test_everything_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(SpnerError) as raised:
        make_decode_config({"beam_size": 0, "x": 1}, where="a.yaml")
    message = str(raised.value)
    assert 'unknown key "x"' in message and '"lm_weight" is missing' in message and "beam_size: 0" in message


def test_every_configuration_resolves_and_a_recipes_own_overrides_single_keys(repo_root: Path, tmp_path: Path) -> None:
    configs = sorted(repo_root.glob("conf/decode_*.yaml"))
    assert [path.name for path in configs] == ["decode_lexicon.yaml", "decode_lm.yaml"]
    for path in [*configs, *repo_root.glob("egs/*/conf/decode_*.yaml")]:
        shared = repo_root / "conf" / path.name
        make_decode_config(merge_configs([shared, path], []), where=path)
    (tmp_path / "own.yaml").write_text("beam_size: 3\n")
    merged = make_decode_config(merge_configs([configs[1], tmp_path / "own.yaml"], []), where="x")
    assert (merged.beam_size, merged.search) == (3, "open")
