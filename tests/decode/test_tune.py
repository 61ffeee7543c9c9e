"""Weights chosen on dev: a recogniser made by hand, a real language model and a real search."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

pytest.importorskip("flashlight.lib.text.decoder", reason="flashlight-text has no wheel for this Python")

import numpy as np  # noqa: E402

from spner.core import paths  # noqa: E402
from spner.core.datatypes import LABELS
from spner.core.files import read_json, write_json  # noqa: E402
from spner.data.datadir import write_entities  # noqa: E402
from spner.decode import tune as room  # noqa: E402
from spner.decode.beam_options import BeamOptions  # noqa: E402
from spner.decode.posteriors import Posteriors  # noqa: E402
from spner.decode.tune import format_tuned, tune  # noqa: E402
from spner.text.tags import text_to_spans  # noqa: E402
from tests.decode.models import SETTINGS, TOKENS, hear, to_tokens, write_token_lm  # noqa: E402

# The model mends the place, and spoils "eed", which it does not know, to "eet".
PLACE = [*to_tokens("naar"), "<space>", "<LOC>", "g", "o", {"o": 0.6, "u": 0.3}, "d", "a", "</NE>"]
UNKNOWN_WORD = [*to_tokens("<PER> anna </NE>"), "<space>", "e", "e", {"d": 0.6, "t": 0.35}]
PERSON = "<PER> anna </NE> eed"


@pytest.fixture
def exp(tmp_path: Path) -> Path:
    """A finished training, as far as a search looks at it."""
    exp = tmp_path / "exp"
    write_json(exp / paths.TRAINING, {})
    config = {
        "token_list": list(TOKENS),
        "token_type": "char",
        "bpemodel": None,
        "best_model_criterion": [["valid", "wer", "min"]],
    }
    (exp / paths.CONFIG).write_text(yaml.safe_dump(config))
    (exp / "valid.wer.ave.pth").touch()
    return exp


def tune_on(
    exp: Path,
    dev: dict[str, tuple[str, list[Any]]],
    monkeypatch: pytest.MonkeyPatch,
    *,
    weights: list[float],
) -> dict[str, Any]:
    """Tune on utterances, each with its reference and what the recogniser hears, the longest first as it decodes."""
    folder = exp.parent
    refs = {utt_id: text_to_spans(text.split(), labels=LABELS).transcript for utt_id, (text, _) in dev.items()}
    write_entities(folder / "data" / paths.DEV / paths.ENTITIES, refs)
    heard = sorted(((utt_id, hear(*tokens)) for utt_id, (_, tokens) in dev.items()), key=lambda one: -len(one[1]))

    def compute_posteriors(_: Any, searched: Path, **__: Any) -> Iterator[Posteriors]:
        assert searched == folder / "data" / paths.DEV
        yield Posteriors([u for u, _ in heard], [1.0] * len(heard), [one for _, one in heard])

    monkeypatch.setattr(room, "load_recogniser", lambda *_, **__: SimpleNamespace(token_list=TOKENS))
    monkeypatch.setattr(room, "compute_posteriors", compute_posteriors)
    config = folder / "decode_test.yaml"
    config.write_text(yaml.safe_dump({**SETTINGS, "tune_lm_weight": weights}))
    options = BeamOptions((config,), write_token_lm(folder / "token.arpa"))
    return tune(folder / "data", exp, options, device="cpu", batch_size=8)


@pytest.mark.parametrize("weights", [[0.01, 2.0], [2.0, 0.01]])
def test_entity_f1_decides_before_wer(exp: Path, monkeypatch: pytest.MonkeyPatch, weights: list[float]) -> None:
    dev = {
        "a": ("naar <LOC> gouda </NE> toe", PLACE),
        "b": (PERSON, UNKNOWN_WORD),
        "c": (PERSON, UNKNOWN_WORD),
    }
    record = tune_on(exp, dev, monkeypatch, weights=weights)
    grid = {row["lm_weight"]: (row["f1"], row["wer"]) for row in record["grid"]}
    assert grid == {0.01: (2 * 2 / 6, pytest.approx(2 / 7)), 2.0: (1.0, pytest.approx(3 / 7))}
    assert record["lm_weight"] == 2.0
    assert read_json(paths.tuned_file(exp, "test_with_token")) == record
    assert [line.split()[1] for line in format_tuned(record).splitlines() if line.endswith("chosen")] == ["2.0"]


@pytest.mark.parametrize("weights", [[0.01, 2.0], [2.0, 0.01]])
def test_of_equal_f1_the_lower_wer_decides(exp: Path, monkeypatch: pytest.MonkeyPatch, weights: list[float]) -> None:
    record = tune_on(exp, {"a": (PERSON, UNKNOWN_WORD)}, monkeypatch, weights=weights)
    assert {row["f1"] for row in record["grid"]} == {1.0}
    assert record["lm_weight"] == 0.01


def test_each_row_of_the_grid_is_of_its_own_weights(exp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More utterances than are searched at once: hypotheses of one pair of weights must not slip to the next."""
    dev = {f"u{n:02}": ("naar <LOC> gouda </NE>", PLACE) if n % 2 else (PERSON, UNKNOWN_WORD) for n in range(35)}
    record = tune_on(exp, dev, monkeypatch, weights=[2.0, 0.01, 2.0, 0.01])
    assert np.array([row["wer"] for row in record["grid"]]) * 70 == pytest.approx([18, 17, 18, 17])
    assert [row["f1"] for row in record["grid"]] == pytest.approx([1.0, 18 / 35, 1.0, 18 / 35])


def test_a_weight_of_0_leaves_the_grammar(exp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dev = {
        "a": ("naar <LOC> gouda </NE>", [*to_tokens("naar"), "<space>", "<LOC>", *"gouda", {"</NE>": 0.3, "a": 0.6}])
    }
    searched = []
    weighed = room.weigh
    monkeypatch.setattr(room, "weigh", lambda *given: searched.append(weighed(*given)) or searched[-1])
    record = tune_on(exp, dev, monkeypatch, weights=[0.0, 2.0])
    assert [row["lm_weight"] for row in record["grid"]] == [0.0, 2.0]
    assert [(plan.model.name, plan.config.lm_weight) for plan in searched] == [
        ("grammar.arpa", 1.0),
        ("search.arpa", 2.0),
    ]
