"""A corpus of seven labels from its entities to a results page, without a line of code for it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from spner.core import paths
from spner.core.files import read_json, read_lines
from spner.data.datadir import read_entities, read_table, write_entities
from spner.data.stats import compute_stats
from spner.data.tokens import find_labels, make_tokens, read_token_list
from spner.report.experiment import score_experiment
from spner.report.page import write_page
from spner.tagger.annotate import annotate_data_dir
from spner.text.labels import LabelSet
from tests.prepared import Prepared

pytest.importorskip("flashlight.lib.text.decoder", reason="flashlight-text has no wheel for this Python")
pytestmark = pytest.mark.espnet

SEVEN = ("PERSON", "ORG", "PLACE", "WHEN", "QUANT", "NORP", "LAW")
THEIRS = {"PER": ("PER", "NORP"), "ORG": ("ORGANIZATION", "LAW"), "LOC": ("GPE", "QUANT", "DATE")}
"""What the corpus calls the entities of one label, in turn; DATE is mapped."""
SETTINGS = [
    "max_epoch=1",
    "encoder_conf.num_blocks=1",
    "encoder_conf.output_size=32",
    "encoder_conf.linear_units=32",
    "optim_conf.lr=0.005",
    "scheduler_conf.max_lr=0.005",
]


@pytest.fixture(scope="module")
def data(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny corpus with seven labels of its own, through stage 2."""
    data = tmp_path_factory.mktemp("seven") / "data"
    for set_name in paths.SETS:
        shutil.copytree(prepared.data / set_name, data / set_name)
        gold = data / set_name / paths.GOLD_ENTITIES
        renamed = {}
        for utt_id, one in read_entities(gold).items():
            names = (THEIRS[e.label][(len(renamed) + i) % len(THEIRS[e.label])] for i, e in enumerate(one.entities))
            entities = tuple(replace(e, label=name) for e, name in zip(one.entities, names, strict=True))
            renamed[utt_id] = replace(one, entities=entities)
        write_entities(gold, renamed)
        shutil.copy(gold, gold.with_name(paths.CORPUS_ENTITIES))
    shutil.copy(prepared.data / paths.REPORT, data / paths.REPORT)
    annotate_data_dir(data, tagger=None, lang="nl", labels=LabelSet(SEVEN, {"DATE": "WHEN"}))
    return data


@pytest.fixture(scope="module")
def exp(data: Path, repo_root: Path) -> Path:
    """A tiny model of it, through stage 5."""
    from spner.asr.train import train
    from spner.decode.beam_options import BeamOptions
    from spner.decode.decode import decode_sets
    from spner.decode.tune import tune
    from spner.lm.build import make_lm

    dump, exp = data.with_name("dump"), data.with_name("exp")
    make_tokens(data, dump)
    train(data, dump, exp, configs=[repo_root / "conf" / "train_mini.yaml"], settings=SETTINGS, ngpu=0)
    make_lm(dump, dump / "lm", unit="token", order=6)
    config = (repo_root / "conf" / "decode_lm.yaml",)
    tune(data, exp, BeamOptions(config, dump / "lm"), device="cpu", batch_size=8)
    names = data.with_name("names.txt")
    names.write_text("anna\tPERSON\nutrecht\tQUANT\nshell\n", encoding="utf-8")
    for beam in (None, BeamOptions(config, dump / "lm"), BeamOptions(config, dump / "lm", boost=names)):
        decode_sets(data, exp, ["dev", "test"], device="cpu", batch_size=8, beam=beam)
    return exp


def test_stages_2_and_3_have_the_labels_of_the_recipe(data: Path, exp: Path) -> None:
    assert (data / paths.LABEL_LIST).read_text() == "PERSON\nORG\nPLACE\nWHEN DATE\nQUANT\nNORP\nLAW\n"
    found = {e.label for one in read_entities(data / "train" / paths.ENTITIES).values() for e in one.entities}
    assert found == set(SEVEN)
    assert find_labels(read_token_list(exp.with_name("dump") / paths.TOKEN_LIST)) == SEVEN
    text = " ".join(read_table(exp.with_name("dump") / "train" / paths.TEXT).values())
    assert all(f"<{label}>" in text for label in SEVEN) and text.count("</NE>") == text.count("<") / 2
    assert compute_stats(data)["labels"] == list(SEVEN)


def test_stage_5_writes_symbols_of_the_labels_alone(data: Path, exp: Path) -> None:
    arpa = exp.with_name("dump") / "lm" / paths.LM_ARPA
    assert any("<QUANT> " in line and "<NE>" in line for line in read_lines(arpa)), "names are marked"
    mentions = next((exp / paths.DECODE).rglob("mentions.txt")).read_text(encoding="utf-8")
    assert "<PERSON> anna </NE>" in mentions and "<QUANT> utrecht </NE>" in mentions and "<PER>" not in mentions
    assert all(f"<{label}> shell </NE>" in mentions for label in SEVEN)
    for text in (exp / paths.DECODE).rglob(f"test/{paths.TEXT}"):
        entities = read_entities(text.with_name(paths.ENTITIES))
        assert {e.label for one in entities.values() for e in one.entities} <= set(SEVEN)
        tagged = {utt_id: line.count("</NE>") for utt_id, line in read_table(text).items()}
        assert "greedy" in str(text) or tagged == {utt_id: len(one.entities) for utt_id, one in entities.items()}


def test_stage_6_scores_the_labels_of_the_data_folder(data: Path, exp: Path, tmp_path: Path) -> None:
    score_experiment(data, exp, ["test"])
    files = sorted((exp / "score").rglob("test*.json"))
    assert len(files) == 6, "three searches, pseudo-labels and gold"
    for file in files:
        scores = read_json(file)
        assert scores["made_with"]["labels"] == list(SEVEN) == list(scores["f1"]["labels"])
        support = sum(one["tp"] + one["fn"] for one in scores["f1"]["labels"].values())
        assert support == sum(len(one.entities) for one in read_entities(data / "test" / paths.ENTITIES).values())
    assert scores["made_with"]["map"] == {"DATE": "WHEN", "GPE": "PLACE", "ORGANIZATION": "ORG", "PER": "PERSON"}
    write_page([exp], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert json.dumps("QUANT") in page and "labels:PERSON,ORG,PLACE,WHEN,QUANT,NORP,LAW" in page
