"""RESULTS.md exactly."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spner.core.errors import SpnerError
from spner.core.files import write_json
from spner.core.paths import RESULTS, score_file
from spner.report.markdown import Run, write_results

RUN = Run(
    lang="nl",
    corpus="mini",
    synthetic=True,
    system="e2e",
    config="conf/train_mini.yaml",
    seed=1,
    checkpoint="valid.f1.ave_3best.pth",
    selection="mean of the 3 epochs with the best dev F1",
    commit="0123abc",
    versions={"python": "3.11.7", "torch": "2.11.0"},
)

DECODED = {
    **{"search": "lm", "kind": "open", "config": "decode_lm.yaml", "beam_size": 10, "lm": "exp/mini_e2e/lm"},
    **{"lm_weight": 3.0, "word_score": 0.0, "tuned": True, "names": None, "audio": "data/mini/test", "num_utts": 120},
}

EXPECTED = """\
# Results of mini_e2e

**The speech is synthetic (eSpeak NG): these scores say nothing about recorded speech.**

| set (references) | search | utterances | WER | CER | EER | F1 | P / R | label-F1 | F1 seen / unseen |
|---|---|---|---|---|---|---|---|---|---|
| test (pseudo-labels) | lm | 120 | 0.154 | 0.001 | 0.250 | 0.571 | 0.667 / 0.500 | 1.000 | - / - |
| test (gold) | lm | 120 | 0.154 [0.120, 0.186] | 0.001 | 0.250 | 0.571 [0.500, 0.600] | 0.667 / 0.500 | 1.000 | 0.750 / 0.125 |
| dev (pseudo-labels) | lm | 120 | 0.154 | 0.001 | - | 0.571 | 0.667 / 0.500 | 1.000 | - / - |
| another (gold) | lm | 120 | 0.154 | 0.001 | 0.250 | 0.571 | 0.667 / 0.500 | 1.000 | - / - |

Rates are fractions with 95 % intervals: lower is better for WER, CER and EER, higher for F1 (P precision, R recall; seen: entities of this recipe's train set, all of it).

- lm: open beam search of 10 (decode_lm.yaml), language model exp/mini_e2e/lm, lm_weight 3 (tuned on dev)

- test (pseudo-labels): the references are a tagger's pseudo-labels: EER and F1 are agreement with the tagger, not accuracy. `spner|refs:pseudo`
- test (gold): the references are true entities (gold). `spner|refs:gold`
- dev (pseudo-labels): the references are a tagger's pseudo-labels: EER and F1 are agreement with the tagger, not accuracy. `spner|refs:pseudo`
- another (gold): the references are true entities (gold). `spner|refs:gold`

| made with | |
|---|---|
| language | nl |
| corpus | mini |
| system | e2e |
| configuration | `conf/train_mini.yaml` |
| seed | 1 |
| checkpoint | `valid.f1.ave_3best.pth`: mean of the 3 epochs with the best dev F1 |
| commit | 0123abc |
| versions | python 3.11.7, torch 2.11.0 |
"""  # noqa: E501


def scores(*, gold: bool, eer: float | None = 0.25) -> dict[str, Any]:
    micro = {"precision": 2 / 3, "recall": 0.5, "f1": 4 / 7, "tp": 2, "fp": 1, "fn": 2}
    return {
        "schema": 1,
        "signature": f"spner|refs:{'gold' if gold else 'pseudo'}",
        "num_utts": 120,
        "gold": gold,
        "wer": {"rate": 0.15384},
        "cer": {"rate": 0.0006},
        "eer": {"rate": eer},
        "f1": {"micro": micro},
        "label_f1": {"micro": micro | {"f1": 1.0}},
        "seen": None,
        "unseen": None,
        "ci95": None,
        "made_with": {"decoded": DECODED},
    }


def test_results_are_exact(tmp_path: Path) -> None:
    exp = tmp_path / "mini_e2e"
    write_json(score_file(exp, "lm", "dev"), scores(gold=False, eer=None))
    compared = {
        "seen": {"micro": {"f1": 0.75}},
        "unseen": {"micro": {"f1": 0.125}},
        "ci95": {"wer": [0.12, 0.18555], "f1": [0.5, 0.6], "eer": None},
    }
    write_json(score_file(exp, "lm", "test", gold=True), scores(gold=True) | compared)
    write_json(score_file(exp, "lm", "test"), scores(gold=False))
    write_json(score_file(exp, "lm", "another", gold=True), scores(gold=True))
    assert write_results(exp, RUN) == exp / RESULTS
    assert (exp / RESULTS).read_text() == EXPECTED


def test_recorded_speech_is_not_called_synthetic_and_no_commit_is_said(tmp_path: Path) -> None:
    write_json(score_file(tmp_path, "lm", "test"), scores(gold=False))
    results = write_results(tmp_path, replace(RUN, synthetic=False, commit=None)).read_text()
    assert "synthetic" not in results
    assert "| commit | not in a git checkout |" in results


def test_in_a_language_without_spaces_wer_is_said_to_count_characters(tmp_path: Path) -> None:
    exp = tmp_path / "mini_e2e"
    write_json(score_file(exp, "lm", "test"), scores(gold=False))
    write_results(exp, replace(RUN, lang="ja"))
    assert "In ja, each character is a word (no spaces in this language): WER is a character error rate; CER" in (
        exp / RESULTS
    ).read_text(encoding="utf-8")


def test_published_numbers_stand_below_ones_own(tmp_path: Path) -> None:
    write_json(score_file(tmp_path, "lm", "test"), scores(gold=False))
    synthetic = write_results(tmp_path, RUN, published="slue_voxpopuli").read_text()
    assert "| slue_voxpopuli" not in synthetic
    recorded = replace(RUN, synthetic=False)
    results = write_results(tmp_path, recorded, published="slue_voxpopuli").read_text()
    row = "| slue_voxpopuli, test | E2E, W2V2-L-LL60K without LM | - | 0.509 | 0.647 | arXiv 2111.10367, table of NER"
    assert row in results and "earnings21" not in results
    assert results.index("refs:pseudo") < results.index(row) < results.index("| made with")
    with pytest.raises(SpnerError, match='--published "slu": no number is published there .* slue_voxpopuli'):
        write_results(tmp_path, recorded, published="slu")


def test_no_scores_yet(tmp_path: Path) -> None:
    with pytest.raises(SpnerError) as error:
        write_results(tmp_path, RUN)
    assert str(error.value) == (f"{tmp_path / 'score'}: holds no scores (expected <search>/<set>.json); run stage 6")
    assert not (tmp_path / RESULTS).exists()


def test_file_that_holds_no_scores(tmp_path: Path) -> None:
    write_json(score_file(tmp_path, "lm", "test"), {"schema": 1, "gold": True})
    with pytest.raises(SpnerError) as error:
        write_results(tmp_path, RUN)
    assert str(error.value) == (
        f"{tmp_path / 'score' / 'lm' / 'test.json'}: holds no scores (no 'ci95', which stage 6 writes); rerun stage 6"
    )
