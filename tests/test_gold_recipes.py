"""The recipes of the gold benchmarks on miniatures: six stages, the pipeline and another's model, a command each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spner.core import paths
from spner.core.files import read_json
from spner.data.datadir import read_entities
from spner.text.label_sets import SLUE
from tests.hubs import Spoken, make_spoken, write_msner_hub, write_msner_lines, write_slue_archive, write_slue_hub
from tests.recipes import GREEDY, copy_checkout

pytestmark = [pytest.mark.espnet, pytest.mark.timeout(900)]
TINY = ["--train_opts", "max_epoch=1 encoder_conf.num_blocks=1 keep_nbest_models=1", "--tagger_opts", "--from_scratch"]


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """The folder of the recipes in a copy of the checkout."""
    return copy_checkout(repo_root, tmp_path_factory.mktemp("gold") / "pad met spaties é").parent


def run(recipe: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix}
    command = [recipe / "run.sh", *TINY, *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def results(recipe: Path, corpus: Path, system: str) -> str:
    name = f"{corpus.parent.name}_{corpus.name}_{system}"
    return (recipe / "exp" / name / paths.RESULTS).read_text(encoding="utf-8")


def test_slue_e2e_from_the_hub(recipes: Path, tmp_path: Path, english: dict[str, list[Spoken]]) -> None:
    corpus, recipe = write_slue_hub(tmp_path / "slue", english), recipes / "slue_voxpopuli"
    done = run(recipe, "--corpus", str(corpus), *GREEDY)
    assert "entities: gold in train, dev, test" in done.stdout
    assert "test, gold entities" in done.stdout and "pseudo-labels" not in done.stdout
    found = results(recipe, corpus, "e2e")
    assert "| test (gold) |" in found and "| dev (gold) |" in found and "(pseudo-labels)" not in found
    assert "| entities of the corpus | gold in train, dev, test |" in found
    assert "split:'s" in found and "| slue_voxpopuli, test | E2E, W2V2-L-LL60K" in found
    exp = recipe / f"exp/{corpus.parent.name}_slue_e2e"
    scores = read_json(exp / "score/greedy/test_gold.json")
    assert scores["num_utts"] == len(english["test"]) and scores["made_with"]["labels"] == list(SLUE)
    assert not (exp / "score/greedy/test.json").exists()


def test_slue_pipeline_from_the_archive(recipes: Path, tmp_path: Path, english: dict[str, list[Spoken]]) -> None:
    corpus, recipe = write_slue_archive(tmp_path / "slue-voxpopuli", english), recipes / "slue_voxpopuli"
    run(recipe, "--corpus", str(corpus), "--system", "pipeline", *GREEDY)
    assert "| test (gold) |" in results(recipe, corpus, "pipeline")
    (learnt,) = read_json(recipe / f"exp/tagger_words_{corpus.parent.name}_slue-voxpopuli/train.json")["utterances"]
    assert learnt["chosen"]["utterances"] == len(english["train"])


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory, dutch: dict[str, list[Spoken]]) -> Path:
    """MSNER's JSON lines; VoxPopuli's audio is in ``../audio``."""
    folder = tmp_path_factory.mktemp("lines") / "MSNER"
    return write_msner_lines(folder / "data", folder / "audio", dutch, "nl")


def test_msner_learns_from_silver_and_is_scored_on_gold(recipes: Path, lines: Path) -> None:
    """The pipeline; the transfer below is the E2E system."""
    recipe, clips = recipes / "msner_nl", str(lines.parent / "audio")
    done = run(recipe, "--corpus", str(lines), "--clips", clips, "--system", "pipeline", *GREEDY)
    assert "entities: gold in test; silver in train, dev" in done.stdout
    found = results(recipe, lines, "pipeline")
    assert "| test (gold) |" in found and "| dev (pseudo-labels) |" in found and "| test (pseudo" not in found
    assert "| entities of the corpus | gold in test; silver in train, dev |" in found


@pytest.mark.parametrize("lang", ["de", "fr", "es"])
def test_other_languages_reach_what_a_system_learns_from(
    recipes: Path, tmp_path: Path, lang: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """They differ from the Dutch recipe in the language alone; there is no Spanish mini corpus, so German is spoken."""
    spoken = make_spoken(tmp_path_factory.mktemp(lang), lang, voice="de" if lang == "es" else "")
    corpus = write_msner_lines(tmp_path / "MSNER" / "data", tmp_path / "audio", spoken, lang)
    recipe = recipes / f"msner_{lang}"
    run(recipe, "--corpus", str(corpus), "--clips", str(tmp_path / "audio"), "--stop_stage", "3")
    assert (recipe / "dump/MSNER_data_e2e/token_list").is_file()
    gold = read_entities(recipe / "data/MSNER_data/test" / paths.GOLD_ENTITIES)
    assert gold.keys() == {one.utt_id for one in spoken["test"]}


def test_a_transfer_from_common_voice_with_mapped_labels(
    recipes: Path, tmp_path: Path, lines: Path, dutch: dict[str, list[Spoken]]
) -> None:
    """A model of PER, ORG and LOC is fine-tuned on MSNER's lines; the hub's test set alone can be decoded with it."""
    tiny = ["--mini_opts", "--num_train 60 --num_dev 8 --num_test 12", "--mini_text", "300", "--max_broken", "0.1"]
    run(recipes / "cv_nl", *tiny, "--stop_stage", "4")
    recipe, mapped = recipes / "msner_nl", ["--labels", "PER", "ORG", "LOC", "--label_map", "GPE=LOC", "NORP=O"]
    corpus = write_msner_hub(tmp_path / "MSNER", dutch["test"], "nl")
    model = "../cv_nl/exp/mini_e2e"
    done = run(recipe, "--corpus", str(corpus), "--sets", "test", "--model", model, *mapped)
    assert "entities: gold in test" in done.stdout and "test, gold entities" in done.stdout
    clips = str(lines.parent / "audio")
    run(recipe, "--corpus", str(lines), "--clips", clips, "--init", model, "--tag", "transfer", *mapped, *GREEDY)
    exp = recipe / "exp" / "transfer"
    assert read_json(exp / paths.TRANSFER) and "| test (gold) |" in (exp / paths.RESULTS).read_text(encoding="utf-8")
    made_with = read_json(exp / "score/greedy/test_gold.json")["made_with"]
    assert (made_with["labels"], made_with["map"]["GPE"]) == (["PER", "ORG", "LOC"], "LOC")
