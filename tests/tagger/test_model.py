"""Real transformers classifiers: subwords to words, windows, batches, and folders that are not taggers."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from spner.errors import SpnerError
from spner.tagger.annotate import annotate
from spner.tagger.model import batches, load_tagger

pytestmark = pytest.mark.espnet


def test_labels_of_an_xlmr_reach_the_words(xlmr: Path) -> None:
    sentences = {
        "clitic": "Angela Merkel's hond",
        "hyphen": "Noord-Holland, Berlin",
        "adjacent": "Angela Berlin",
        "misc": "Nederlands Berlin",
        "unknown letters": "日本 Angela",
        "empty": "",
    }
    annotated = annotate(sentences, tagger=str(xlmr), lang="en")
    found = {u: [(e.label, a.phrase(e)) for e in a.entities] for u, a in annotated.items()}
    assert found == {
        "clitic": [("PER", "angela merkel's")],
        "hyphen": [("LOC", "noord holland"), ("LOC", "berlin")],
        "adjacent": [("PER", "angela"), ("LOC", "berlin")],
        "misc": [("LOC", "berlin")],
        "unknown letters": [("PER", "angela")],
        "empty": [],
    }


def test_long_sentences_are_split_between_words_and_nothing_is_lost(xlmr: Path) -> None:
    tagger = load_tagger(str(xlmr))
    assert tagger.encoder.max_pieces == 22
    words = ["zee", "Berlin"] * 20 + ["x" * 60, "Berlin", "Angela"]
    pieces = tagger.encoder.pieces(words)
    windows = list(tagger.encoder.windows(0, pieces))
    assert [piece for window in windows for piece in window.pieces] == pieces
    assert all(window.num_pieces <= 22 for window in windows)
    expected = ["O", "I-LOC"] * 20 + ["O", "I-LOC", "I-PER"]
    assert tagger.predict([words], batch_tokens=64) == [expected]


def test_batches_keep_to_the_budget(xlmr: Path) -> None:
    encoder = load_tagger(str(xlmr)).encoder
    windows = [w for i, n in enumerate((9, 5, 5, 3, 1)) for w in encoder.windows(i, encoder.pieces(["Berlin"] * n))]
    grouped = [[window.num_pieces for window in batch] for batch in batches(windows, 10)]
    assert grouped == [[9], [5, 5], [3, 1]]
    assert [len(batch) for batch in batches(windows, 1)] == [1] * 5


def remove_classifier(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if not name.startswith("classifier")}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})


def change_config(**values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (folder / "config.json").write_text(json.dumps(config | values), encoding="utf-8")

    return change


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("no tokenizer", lambda folder: (folder / "tokenizer.json").unlink(), "has no tokenizer"),
        ("no weights", lambda folder: (folder / "model.safetensors").unlink(), "cannot load it .*model.safetensors"),
        ("no config", lambda folder: (folder / "config.json").unlink(), "cannot load it"),
        ("broken weights", lambda folder: (folder / "model.safetensors").write_text("{"), "cannot load it"),
        ("broken tokenizer", lambda folder: (folder / "tokenizer.json").write_text("{}"), "cannot load it"),
        ("no classifier", remove_classifier, "has no weights for .*classifier.bias"),
        ("labels", change_config(id2label={str(i): f"LABEL_{i}" for i in range(8)}), "labels LABEL_0, .*expected O and B-"),
        ("no label of ours", change_config(id2label={str(i): f"B-X{i}" for i in range(8)}), "labels B-X0, "),
        ("foreign code", change_config(model_type="x", auto_map={"AutoConfig": "x.X"}), "cannot load it"),
    ],
)  # fmt: skip
def test_folders_that_are_no_taggers(
    xlmr: Path, tmp_path: Path, name: str, damage: Callable[[Path], None], message: str
) -> None:
    folder = tmp_path / "tagger"
    shutil.copytree(xlmr, folder)
    damage(folder)
    with pytest.raises(SpnerError, match=message) as caught:
        load_tagger(str(folder))
    assert "\n" not in str(caught.value), name


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(SpnerError, match="no such folder .*spner train-tagger"):
        load_tagger(str(tmp_path / "nowhere"))


def test_unreachable_hub() -> None:
    with pytest.raises(SpnerError, match="nobody/no-tagger: .*Hugging Face hub .*HF_HOME") as caught:
        load_tagger("nobody/no-tagger")
    assert "\n" not in str(caught.value)
