"""Seeds of one system: hand-worked pooled scores, each seed's own, and an interval that knows of the seeds."""

from pathlib import Path

import pytest

from spner.core.errors import SpnerError
from spner.scoring.options import Options
from spner.scoring.pool import pool
from spner.scoring.rules import Rules
from spner.scoring.score import score

REF = ["<PER> jan </NE> ziet <LOC> rome </NE>", "het is koud"]
NO_LOC = ["<PER> jan </NE> ziet rome", "het is koud"]
ODD = ["<PER> jan </NE> ziet <MISC> rome </NE>", "het"]


def write(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(f"u{number} {text}\n" for number, text in enumerate(texts, start=1)))
    return path


def pool_texts(folder: Path, *seeds: list[str], num_draws: int = 200) -> dict:
    hyps = [write(folder / f"hyp{number}", texts) for number, texts in enumerate(seeds)]
    return pool(write(folder / "ref", REF), hyps, Options(Rules("nl"), num_draws=num_draws, gold=True))


def test_counts_of_seeds_are_summed(tmp_path: Path) -> None:
    pooled = pool_texts(tmp_path, NO_LOC, ODD)
    assert (pooled["num_utts"], pooled["gold"]) == (2, True)
    assert pooled["signature"].endswith("|norm:nl|labels:PER,ORG,LOC|policy:discard|refs:gold|boot:200|seed:1")
    # NO_LOC: 1 right, 1 missed; ODD: 1 right, 1 missed, 1 false MISC, and 2 of 6 words deleted.
    assert pooled["scores"]["f1"]["value"] == 2 * 2 / (2 * 2 + 1 + 2)
    assert pooled["scores"]["f1"]["seeds"] == [2 / 3, 2 / 4]
    assert pooled["scores"]["wer"] | {"ci95": None} == {"value": 2 / 12, "ci95": None, "seeds": [0.0, 2 / 6]}
    assert pooled["scores"]["f1.MISC"]["value"] == 0.0


def test_one_seed_is_what_scoring_it_says(tmp_path: Path) -> None:
    scores = pool_texts(tmp_path, NO_LOC)["scores"]
    alone = score(tmp_path / "ref", tmp_path / "hyp0", Options(Rules("nl"), num_draws=200))
    assert {name: one["ci95"] for name, one in scores.items()} == alone["ci95"]
    assert scores["f1"]["value"] == alone["f1"]["micro"]["f1"]


def test_interval_draws_seeds(tmp_path: Path) -> None:
    same = ["het is koud", "het is koud"]
    for name, texts in (("ref", same), ("right", same), ("wrong", ["het is warm"] * 2)):
        write(tmp_path / name, texts)
    options = Options(Rules("nl"), num_draws=200)
    mixed = pool(tmp_path / "ref", [tmp_path / "right", tmp_path / "wrong"], options)["scores"]["wer"]
    # The utterances are alike: all that varies is which seed is drawn.
    assert (mixed["value"], mixed["ci95"]) == (1 / 6, [0.0, 1 / 3])


def test_missing_utterance_of_any_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpnerError) as error:
        pool_texts(tmp_path, REF, REF[:1])
    assert str(error.value).startswith(f'{tmp_path}/ref:2: utterance "u2" is not in {tmp_path}/hyp1 ')
