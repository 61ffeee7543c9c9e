"""The paper's other systems through the recipe: pipeline, zero-shot, transfer, joint training."""

import json
import shutil
from pathlib import Path

import pytest

from tests.recipes import GREEDY, read_tree, run

pytestmark = [pytest.mark.espnet, pytest.mark.timeout(900)]


def test_the_pipeline_trains_its_recogniser_once_and_tags_what_it_heard(finished: Path) -> None:
    done = run(finished, "--system", "pipeline", *GREEDY)
    assert done.returncode == 0, done.stderr
    asr, exp = finished / "exp" / "mini_asr", finished / "exp" / "mini_pipeline"
    assert "</NE>" not in (finished / "dump/mini_asr/token_list").read_text()
    assert (asr / "train.json").exists() and not (exp / "train.json").exists()
    decoded = json.loads((asr / "decode/greedy/test/entities.jsonl").read_text().splitlines()[0])
    tagged = json.loads((exp / "decode/greedy/test/entities.jsonl").read_text().splitlines()[0])
    assert tagged["words"] == decoded["words"] and tagged["word_times"] == decoded["word_times"]
    assert (exp / "decode/greedy/test/text").stat().st_size > 0
    assert json.loads((exp / "score/greedy/test_gold.json").read_text())["num_utts"] == 12
    results = (exp / "RESULTS.md").read_text()
    assert "| system | pipeline |" in results and "| tagger | exp/tagger_words_mini |" in results
    learnt = next(line for line in results.splitlines() if line.startswith("| tagger learnt from |"))
    trained = next(line for line in results.splitlines() if line.startswith("| trained on |"))
    assert learnt.startswith(trained.replace("trained on", "tagger learnt from").removesuffix(" |"))
    assert "WARNING: no fair baseline" not in done.stderr

    before = read_tree(finished, "exp/mini_asr", "exp/mini_pipeline")
    again = run(finished, "--system", "asr", *GREEDY)  # the same recogniser: nothing is trained or decoded
    assert again.returncode == 0 and "epoch 1 of" not in again.stderr
    shutil.rmtree(asr / "score")
    (asr / "RESULTS.md").unlink()
    again = run(finished, "--system", "pipeline", *GREEDY)
    assert again.returncode == 0 and "epoch 1 of" not in again.stderr
    assert read_tree(finished, "exp/mini_asr", "exp/mini_pipeline") == before

    cased = ("--system", "pipeline", "--speech_tagger", "exp/tagger_mini", "--tag", "mini_pipeline_cased", *GREEDY)
    done = run(finished, *cased, "--stage", "5")
    assert done.returncode == 0 and "WARNING: no fair baseline of an E2E system: tagger exp/tagger_mini" in done.stderr
    assert "| tagger | exp/tagger_mini |" in (finished / "exp/mini_pipeline_cased/RESULTS.md").read_text()
    assert not (finished / "exp/mini_pipeline_cased/train.json").exists()


@pytest.fixture(scope="module")
def german(finished: Path) -> Path:
    """A German recipe beside the Dutch one, its data made."""
    recipe = finished.parent / "cv_de"
    done = run(recipe, "--stop_stage", "2")
    assert done.returncode == 0, done.stderr
    return recipe


def test_a_model_of_another_recipe_decodes_and_is_trained_on(finished: Path, german: Path) -> None:
    model = "../cv_nl/exp/mini_e2e"
    done = run(german, "--model", model, "--stage", "3")
    assert done.returncode == 0, done.stderr
    exp = german / "exp" / "mini_e2e_by_cv_nl_mini_e2e"
    assert f"| model | {model} |" in (exp / "RESULTS.md").read_text()
    assert not (german / "dump").exists() and not (exp / "train.json").exists()

    transfer = ("--init", model, "--init_opts", "--freeze_steps 2 --reinit_layers 1", "--fraction", "50", *GREEDY)
    done = run(german, *transfer, "--stage", "3")
    assert done.returncode == 0, done.stderr
    exp = german / "exp" / "mini_e2e_50_from_cv_nl_mini_e2e"
    report = json.loads((exp / "transfer.json").read_text())
    rows = {row["token"]: row for row in report["tokens"]}
    assert rows["<PER>"]["row"] == "same token"
    assert (report["freeze_steps"], report["reinit_layers"]) == (2, 1)
    assert "rows of the same token" in (exp / "log" / "stage4.log").read_text()
    results = (exp / "RESULTS.md").read_text()
    assert f"| began with | {model} |" in results and "28 of 57 utterances, 0.03 of 0.05 h (49%)" in results
    again = run(german, *transfer)
    assert again.returncode == 0 and "epoch 1 of" not in again.stderr


def test_joined_recipes_train_together(finished: Path, german: Path) -> None:
    done = run(finished, "--join", "../cv_de", "--stage", "3", *GREEDY)
    assert done.returncode == 0, done.stderr
    dump = finished / "dump" / "mini_e2e_and_cv_de"
    tokens = (dump / "token_list").read_text().split()
    assert {"ü", "ĳ", "<PER>"} & set(tokens) >= {"ü", "<PER>"}
    utt_ids = [line.split()[0] for line in (dump / "train/text").read_text().splitlines()]
    assert {"nl", "de"} <= {part for utt_id in utt_ids for part in utt_id.split("_")}
    assert not any("_de_" in line for line in (dump / "dev/text").read_text().splitlines())
    assert "../cv_de/data/mini" in (finished / "exp/mini_e2e_and_cv_de/RESULTS.md").read_text()
