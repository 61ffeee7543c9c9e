"""A finished comparison by hand: Dutch and German, four utterances and two, hypotheses whose counts are known.

Of the 9 words and 3 entities of the Dutch test set, GOOD has all; MISSED lacks an entity that training does not
mention; WRONG has one wrong word, in an entity; SILENT has nothing.
"""

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from spner.benchmark.plan import DATA, E2E, NEW_OUTPUT, PIPELINE, TRANSFER, ZERO_SHOT, Cell, Group
from spner.benchmark.results import collect
from spner.core import paths
from spner.core.datatypes import LABELS, Transcript
from spner.core.files import write_json
from spner.data.datadir import write_entities, write_table
from spner.report.experiment import score_experiment
from spner.text.tags import spans_to_text, text_to_spans
from tests.benchmark.made_up import PRESET

GOOD = ("<PER> anna </NE> slaapt", "naar <LOC> utrecht </NE>", "het is koud", "<ORG> shell </NE> wint")
MISSED = (GOOD[0], "naar utrecht", *GOOD[2:])
WRONG = ("<PER> ana </NE> slaapt", *GOOD[1:])
SILENT = ("", "", "", "")
GERMAN = ("<LOC> utrecht </NE> grüßt", "es ist kalt")
TRAIN = {"nl": (GOOD[0], GOOD[3], "ja"), "de": ("<ORG> shell </NE> steigt",)}
TEST = {"nl": GOOD, "de": GERMAN}
HYPS: dict[Group, dict[int, Sequence[str]]] = {
    Group("nl", PIPELINE): {1: GOOD, 2: GOOD},
    Group("nl", E2E): {1: MISSED, 2: WRONG},
    Group("de", E2E): {1: GERMAN},
    Group("nl", TRANSFER, "de"): {1: GOOD, 3: WRONG},
    Group("nl", E2E, "", 20): {1: WRONG},
    Group("nl", TRANSFER, "de", 20): {1: MISSED},
    Group("nl", NEW_OUTPUT, "de", 20): {2: WRONG},
    Group("nl", ZERO_SHOT, "de", 0): {1: SILENT},
}
LANGS = ("nl", "de")


def read_texts(texts: Sequence[str]) -> dict[str, Transcript]:
    """Return utterances u1, u2 … of tagged texts."""
    return {
        f"u{number}": text_to_spans(text.split(), labels=LABELS).transcript
        for number, text in enumerate(texts, start=1)
    }


def write_data(data: Path, lang: str, *, gold: bool) -> None:
    """Write a data folder; where it has gold entities, its pseudo-labels find nothing."""
    for folder, texts in ((data / paths.TRAIN, TRAIN[lang]), (data / paths.TEST, TEST[lang])):
        utterances = read_texts(texts)
        write_table(folder / paths.TEXT, {utt_id: " ".join(one.words) for utt_id, one in utterances.items()})
        write_json(folder / paths.ANNOTATE_RECORD, {})
        if gold:
            write_entities(folder / paths.GOLD_ENTITIES, utterances)
            utterances = {utt_id: Transcript(one.words) for utt_id, one in utterances.items()}
        write_entities(folder / paths.ENTITIES, utterances)
    report = {"settings": {"lang": lang, "corpus": "downloads/mini"}, "synthetic": gold, "sets": {}}
    write_json(data / paths.REPORT, report)


def write_training(exp: Path, group: Group, seed: int) -> None:
    """Write what is left of a training: its record and its configuration."""
    part = {"utterances": group.fraction, "hours": group.fraction / 100}
    counts = [{"data": "data/mini", "chosen": part, "whole": {"utterances": 100, "hours": 1.0}}]
    history = [{"epoch": 1, "dev_wer": 0.5}]
    record = {"commit": "abc1234", "versions": {"espnet": "1.2"}, "configs": ["train_mini.yaml"], "history": history}
    write_json(exp / paths.TRAINING, record | {"train": counts})
    config = {
        "best_model_criterion": [["valid", "wer", "min"]],
        "keep_nbest_models": 1,
        "seed": seed,
        "token_list": ["</NE>"],
    }
    (exp / paths.CONFIG).write_text(yaml.safe_dump(config))


def finish(egs: Path, group: Group, seed: int, texts: Sequence[str]) -> Cell:
    """Write the experiment of a cell, score it from its recipe's folder as stage 6 does, and return the cell."""
    parts = [re.sub("[ ,]+", "_", group.system), group.source, f"{group.fraction}{group.upstream}", f"s{seed}"]
    name = "_".join(parts)
    cell = Cell(f"{group.lang}_{name}", group, seed, egs / f"cv_{group.lang}", name, (), (), (), 1.0)
    if group.system == PIPELINE:
        write_json(cell.exp / paths.SYSTEM, {"model": f"exp/asr_s{seed}", "tagger": "exp/tagger"})
        write_training(cell.recipe / f"exp/asr_s{seed}", group, seed)
    elif group.system == ZERO_SHOT:
        write_json(cell.exp / paths.SYSTEM, {"model": f"../cv_{group.source}/exp/e2e__100_s{seed}"})
    else:
        write_training(cell.exp, group, seed)
    utterances, folder = read_texts(texts), paths.decode_dir(cell.exp, cell.search, paths.TEST)
    write_table(folder / paths.TEXT, {utt_id: spans_to_text(one) for utt_id, one in utterances.items()})
    write_entities(folder / paths.ENTITIES, utterances)
    write_json(folder / paths.DECODE_RECORD, {})
    with contextlib.chdir(cell.recipe):
        score_experiment(Path("data/mini"), Path("exp") / name, [paths.TEST])
    return cell


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> list[Cell]:
    """The cells of ``HYPS``, and the Dutch data."""
    egs = tmp_path_factory.mktemp("egs")
    for lang in LANGS:
        write_data(egs / f"cv_{lang}" / "data" / "mini", lang, gold=True)
    cells = [finish(egs, group, seed, texts) for group, seeds in HYPS.items() for seed, texts in seeds.items()]
    return [Cell("nl_data", Group("nl", DATA), 0, egs / "cv_nl", "", (), (), (), 0.0), *cells]


@pytest.fixture(scope="session")
def results(finished: list[Cell]) -> dict[str, Any]:
    """What is collected of them."""
    return collect(finished, LANGS, PRESET)
