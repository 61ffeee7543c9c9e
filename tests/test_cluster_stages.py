"""Stages 1, 2 and 5 on a cluster give the bytes that one process gives, though a worker is killed in between."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from spner.core import paths
from spner.core.cluster import Cluster
from spner.core.datatypes import LABELS
from spner.corpora.prepare import prepare_data
from spner.mini.make import make_mini_corpus
from spner.tagger import annotate
from spner.tagger.annotate import annotate_data_dir
from spner.text.labels import LabelSet
from tests.clusters import two_workers
from tests.prepared import Prepared

pytest.importorskip("distributed")


class OneIsKilled:
    """A cluster, one of whose workers is killed after the first result of each map."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.num_killed = cluster, 0

    def map(self, function: Callable[[Any], Any], items: Sequence[Any], *, what: str, unit: str) -> Iterator[Any]:
        for number, result in enumerate(self.cluster.map(function, items, what=what, unit=unit)):
            if number == 0 and len(items) > 1:
                os.kill(next(iter(self.cluster._client.run(os.getpid).values())), signal.SIGKILL)
                self.num_killed += 1
            yield result


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers."""
    with two_workers(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips for three shards to train on."""
    folder = tmp_path_factory.mktemp("corpus") / "corpus"
    make_mini_corpus(folder, lang="nl", num_train=140, num_dev=8, num_test=8)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def prepare(corpus: Path, cluster: OneIsKilled | None) -> dict[str, bytes]:
    """Run stage 1 and return what it has written; the folder, whose name is in the files, is then removed."""
    data = corpus.parent / "data"
    prepare_data(corpus, data, lang="nl", max_broken=0.1, num_workers=1, cluster=cluster)
    found = contents(data)
    shutil.rmtree(data)
    return found


def test_stage_1(corpus: Path, cluster: Cluster) -> None:
    killing = OneIsKilled(cluster)
    assert prepare(corpus, killing) == prepare(corpus, None)
    assert killing.num_killed


def test_stage_2(tiny_tagger: Path, corpus: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotate, "LEAST_PER_SHARD", 16)
    data, killing = corpus.parent / "annotated", OneIsKilled(cluster)
    prepare_data(corpus, data, lang="nl", max_broken=0.1, num_workers=1)
    found = []
    for workers in (killing, None):
        annotate_data_dir(data, tagger=str(tiny_tagger), lang="nl", labels=LabelSet(), cluster=workers)
        found.append(contents(data))
        for record in data.glob(f"*/{paths.ANNOTATE_RECORD}"):
            record.unlink()
    assert found[0] == found[1]
    assert not [name for name in found[0] if annotate.SHARDS in name]
    assert killing.num_killed and b'"label"' in found[0][f"train/{paths.ENTITIES}"]


@pytest.fixture(scope="session")
def tiny_tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tagger trained from scratch on a few sentences."""
    from spner.tagger.train import train_tagger

    folder = tmp_path_factory.mktemp("tagger")
    rows = ["Jan B-PER", "de I-PER", "Wit I-PER", "belt O", ". O", "", "Naar O", "Gouda B-LOC", "! O", ""]
    (folder / "train.txt").write_text("\n".join(rows * 20) + "\n")
    train_tagger(folder / "tagger", train=[folder / "train.txt"], labels=LabelSet(LABELS), epochs=3)
    return folder / "tagger"


@pytest.mark.espnet
def test_stage_5(
    prepared: Prepared, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, repo_root: Path
) -> None:
    from spner.asr.train import train
    from spner.decode import sharded
    from spner.decode.beam_options import BeamOptions
    from spner.decode.decode import decode_sets

    exp = tmp_path_factory.getbasetemp() / "cluster_exp"
    settings = ["max_epoch=1", "encoder_conf.num_blocks=1", "encoder_conf.output_size=32", "batch_bins=100000"]
    train(prepared.data, prepared.dump, exp, configs=[repo_root / "conf/train_mini.yaml"], settings=settings, ngpu=0)
    options = BeamOptions((repo_root / "conf/decode_lm.yaml",), None, num_best=2)
    killing, found = OneIsKilled(cluster), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharded, "LEAST_PER_SHARD", 4)
        for workers in (killing, None):
            search = decode_sets(
                prepared.data, exp, ["test"], device="cpu", batch_size=4, beam=options, cluster=workers
            )
            folder = paths.decode_dir(exp, search, "test")
            found.append(contents(folder))
            shutil.rmtree(folder)
    assert found[0] == found[1]
    assert not [name for name in found[0] if sharded.SHARDS in name]
    assert killing.num_killed
