"""The signature of scores: what is in force, and nothing else."""

from pathlib import Path
from typing import Any

import pytest

from spner import __version__
from spner.scoring.options import Options, sign
from spner.scoring.rules import Rules

BEGIN = f"spner|v:{__version__}|"


def test_what_is_not_in_force_is_left_out() -> None:
    assert sign(Options()) == BEGIN + "norm:none|labels:PER,ORG,LOC|policy:discard|refs:unstated|boot:1000|seed:1"


def test_all_that_is_in_force_is_told() -> None:
    rules = Rules(
        "nl", labels=("PER", "GPE"), mapping={"LOC": "GPE", "A": "B"}, discard=frozenset("CB"), policy="repair"
    )
    options = Options(rules, num_draws=50, utt2spk=Path("utt2spk"), drop_empty_hyp=True, gold=False)
    assert sign(options) == BEGIN + (
        "norm:nl|labels:PER,GPE|map:A>B,LOC>GPE|discard:B,C|policy:repair|empty:dropped|refs:pseudo|boot:50|by:speaker|"
        "seed:1"
    )


@pytest.mark.parametrize(
    "changed", [{"gold": True}, {"num_draws": 0}, {"drop_empty_hyp": True}, {"rules": Rules("de")}]
)
def test_other_options_have_another_signature(changed: dict[str, Any]) -> None:
    assert sign(Options(**changed)) != sign(Options())
