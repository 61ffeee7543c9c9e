"""Tiny data for the tests that train and decode: the mini corpus through stages 1 to 3, gold entities as labels."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from spner.core import paths
from spner.corpora.prepare import prepare_data
from spner.data.tokens import make_tokens
from spner.mini.make import make_mini_corpus


@dataclass(frozen=True)
class Prepared:
    """Data and dump folders of a tiny corpus."""

    data: Path
    dump: Path


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """24 clips to train on, 8 of dev, 20 of test."""
    folder = tmp_path_factory.mktemp("prepared")
    make_mini_corpus(folder / "corpus", lang="nl", num_train=24, num_dev=8, num_test=20)
    prepare_data(folder / "corpus", folder / "data", lang="nl", max_broken=0.1, num_workers=2)
    for set_name in paths.SETS:
        gold = folder / "data" / set_name / paths.GOLD_ENTITIES
        shutil.copy(gold, gold.with_name(paths.ENTITIES))
    make_tokens(folder / "data", folder / "dump")
    return Prepared(folder / "data", folder / "dump")
