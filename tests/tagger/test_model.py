"""Real transformers classifiers: subwords to words, windows, batches, and folders that are not taggers."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from spner.core.datatypes import LABELS
from spner.core.errors import SpnerError
from spner.tagger.annotate import tag_sentences
from spner.tagger.encoder import batches
from spner.tagger.model import Tagger, load_tagger, load_tokenizer, make_encoder
from spner.tagger.small import coarser_encoders, small_config, train_tokenizer
from spner.text.labels import LabelSet
from spner.text.tags import bio_tags

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
    transcript = tag_sentences(load_tagger(str(xlmr), labels=LabelSet()), sentences, lang="en", labels=LabelSet())
    found = {u: [(e.label, a.phrase(e)) for e in a.entities] for u, a in transcript.items()}
    assert found == {
        "clitic": [("PER", "angela merkel's")],
        "hyphen": [("LOC", "noord holland"), ("LOC", "berlin")],
        "adjacent": [("PER", "angela"), ("LOC", "berlin")],
        "misc": [("LOC", "berlin")],
        "unknown letters": [("PER", "angela")],
        "empty": [],
    }


def test_a_large_tagger_annotates_in_bfloat16_where_the_device_has_it(
    xlmr: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spner.tagger.model.has_bfloat16", lambda device_type: device_type == "cpu")
    labels, sentences = LabelSet(), [["Angela", "Merkel"], ["Berlin", "is", "groot"]]
    small = load_tagger(str(xlmr), labels=labels, device="cpu", fast=True)
    assert not small.bfloat16, "a small one gains nothing"
    monkeypatch.setattr("spner.tagger.model.LARGE", 0)
    large = load_tagger(str(xlmr), labels=labels, device="cpu", fast=True)
    assert large.bfloat16 and not load_tagger(str(xlmr), labels=labels, device="cpu").bfloat16
    ids = np.array([[0, 5, 6, 2]], np.int64)
    exact, rounded = (tagger.compute_logits(ids, np.ones_like(ids)) for tagger in (small, large))
    assert rounded.dtype == np.float32 and 0 < np.abs(exact - rounded).max() < 0.1
    assert large.predict(sentences, batch_tokens=64) == small.predict(sentences, batch_tokens=64)


@pytest.mark.parametrize(
    "names",
    [
        {"PER": "PERSON", "LOC": "GPE"},
        {"I-PER": "PER", "I-LOC": "LOC", "B-LOC": "LOC"},  # no scheme
        {"I-PER": "S-PERS", "I-LOC": "E-LOC", "B-LOC": "U-LOC"},
    ],
)
def test_labels_of_other_names_and_schemes(xlmr: Path, tmp_path: Path, names: dict[str, str]) -> None:
    folder = tmp_path / "tagger"
    shutil.copytree(xlmr, folder)
    tags = [re.sub("|".join(names), lambda name: names[name[0]], tag) for tag in load_tags(xlmr)]
    change_config(id2label={str(number): tag for number, tag in enumerate(tags)})(folder)
    tagger = load_tagger(str(folder), labels=LabelSet())
    found = tag_sentences(tagger, {"u": "Angela, Berlin"}, lang="en", labels=LabelSet())["u"]
    assert [(e.label, found.phrase(e)) for e in found.entities] == [("PER", "angela"), ("LOC", "berlin")]


def load_tags(folder: Path) -> list[str]:
    labels = json.loads((folder / "config.json").read_text(encoding="utf-8"))["id2label"]
    return [labels[str(number)] for number in range(len(labels))]


@pytest.mark.parametrize("shape", ["XLM-R", "small"])
def test_words_are_encoded_as_in_a_sentence(xlmr: Path, shape: str) -> None:
    words = ["Angela", "Merkel's", "Noord-Holland", "日本", "'s", "é", "."]
    tokenizer = load_tokenizer(str(xlmr)) if shape == "XLM-R" else train_tokenizer(words)
    encoder = make_encoder(tokenizer, small_config(tokenizer, bio_tags(LABELS)))
    pieces = encoder.pieces(words)
    assert all(pieces)
    expected = tokenizer(words, is_split_into_words=True)["input_ids"]
    assert [*encoder.prefix, *(i for word in pieces for i in word), *encoder.suffix] == expected
    assert shape == "XLM-R" or tokenizer.decode(sum(pieces, ())) == " " + " ".join(words)


@pytest.mark.parametrize("shape", ["XLM-R", "small"])
def test_characters_are_encoded_as_text_without_spaces(xlmr: Path, shape: str) -> None:
    words = ["東", "京", "へ", "行", "く", "。", "Angela", "京"]
    tokenizer = load_tokenizer(str(xlmr)) if shape == "XLM-R" else train_tokenizer(["東京", "へ行く"])
    encoder = make_encoder(tokenizer, small_config(tokenizer, bio_tags(LABELS)))
    text = ["東京へ行く。", "Angela", "京"]
    expected = tokenizer(text, is_split_into_words=True, add_special_tokens=False)["input_ids"]
    pieces = encoder.pieces(words)
    assert [piece for word in pieces for piece in word] == expected
    assert len(pieces) == len(words) and all(pieces[position] for position in (0, 6, 7))


def test_a_character_inside_a_subword_has_its_label() -> None:
    """A model for which every subword begins an entity: each of its characters but the first goes on with it."""
    import torch

    class Begins(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.tensor([0.0, 1.0]))

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
            return SimpleNamespace(logits=self.weight.expand(*input_ids.shape, 2))

    tokenizer = train_tokenizer(["東京"] * 9)
    tagger = Tagger(Begins(), make_encoder(tokenizer, small_config(tokenizer, bio_tags(LABELS))), ("O", "B-LOC"))
    words = ["東", "京", "Angela"]
    assert [bool(ids) for ids in tagger.encoder.pieces(words)] == [True, False, True]
    assert tagger.predict([words], batch_tokens=64) == [["B-LOC", "I-LOC", "B-LOC"]]


def test_coarser_encoders_split_finer_over_the_same_subwords() -> None:
    words = ["Amsterdam", "Rotterdam", "Amstelveen"] * 3
    tokenizer = train_tokenizer(words)
    config = small_config(tokenizer, bio_tags(LABELS))
    encoders = [*coarser_encoders(tokenizer, config), make_encoder(tokenizer, config)]
    lengths = [len(encoder.pieces(["Amsterdam"])[0]) for encoder in encoders]
    assert lengths == sorted(lengths, reverse=True) and lengths[0] == len(" Amsterdam") and lengths[-1] == 1
    assert {tokenizer.decode(encoder.pieces(["Amsterdam"])[0]) for encoder in encoders} == {" Amsterdam"}


def test_long_sentences_are_split_between_words_and_nothing_is_lost(xlmr: Path) -> None:
    tagger = load_tagger(str(xlmr), labels=LabelSet())
    assert tagger.encoder.max_pieces == 22
    words = ["zee", "Berlin"] * 20 + ["x" * 60, "Berlin", "Angela"]
    pieces = tagger.encoder.pieces(words)
    windows = list(tagger.encoder.windows(0, pieces))
    assert [piece for window in windows for piece in window.pieces] == pieces
    assert all(window.num_pieces <= 22 for window in windows)
    expected = ["O", "I-LOC"] * 20 + ["O", "I-LOC", "I-PER"]
    assert tagger.predict([words], batch_tokens=64) == [expected]


def test_batches_keep_to_the_budget(xlmr: Path) -> None:
    encoder = load_tagger(str(xlmr), labels=LabelSet()).encoder
    windows = [w for i, n in enumerate((9, 5, 5, 3, 1)) for w in encoder.windows(i, encoder.pieces(["Berlin"] * n))]
    grouped = [[window.num_pieces for window in batch] for batch in batches(windows, 10)]
    assert grouped == [[9], [5, 5], [3, 1]]
    assert [len(batch) for batch in batches(windows, 1)] == [1] * 5


@pytest.mark.parametrize("shape", ["XLM-R", "small"])
def test_labels_do_not_depend_on_batch_mates(xlmr: Path, shape: str) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForTokenClassification

    tokenizer = load_tokenizer(str(xlmr))
    encoder = load_tagger(str(xlmr), labels=LabelSet()).encoder
    wide = AutoConfig.from_pretrained(xlmr, hidden_size=64, num_hidden_layers=2, num_attention_heads=4)
    config = wide if shape == "XLM-R" else small_config(tokenizer, bio_tags(LABELS))
    torch.manual_seed(0)
    model = AutoModelForTokenClassification.from_config(config)
    with torch.no_grad():
        # Weights so large that every subword's label depends on all the others, padding too if it were seen.
        for parameter in model.parameters():
            parameter.normal_()
    tagger = Tagger(model, encoder, tuple(config.id2label.values()))
    sentences = [["Angela", "x", "Berlin", "Noord-Holland", "zo'n"][i % 5 : i % 4 + 2] * (i % 3 + 1) for i in range(48)]
    alone = tagger.predict(sentences, batch_tokens=1)
    assert len({tag for bio in alone for tag in bio}) > 2
    assert tagger.predict(sentences, batch_tokens=16 * encoder.max_pieces) == alone


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
        ("labels", change_config(id2label={str(i): f"LABEL_{i}" for i in range(8)}), "has entities LABEL_0, .*--map"),
        (
            "no label of ours",
            change_config(id2label={str(i): f"B-X{i}" for i in range(8)}),
            "has entities X0, .*expected PER, ORG, LOC.; say which is which, such as --map X0=PER",
        ),
        ("foreign code", change_config(model_type="x", auto_map={"AutoConfig": "x.X"}), "cannot load it"),
    ],
)
def test_folders_that_are_no_taggers(
    xlmr: Path, tmp_path: Path, name: str, damage: Callable[[Path], None], message: str
) -> None:
    folder = tmp_path / "tagger"
    shutil.copytree(xlmr, folder)
    damage(folder)
    with pytest.raises(SpnerError, match=message) as caught:
        load_tagger(str(folder), labels=LabelSet())
    assert "\n" not in str(caught.value), name


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(SpnerError, match="no such folder .*spner train-tagger"):
        load_tagger(str(tmp_path / "nowhere"), labels=LabelSet())


def test_unreachable_hub() -> None:
    with pytest.raises(SpnerError, match="nobody/no-tagger: .*Hugging Face hub .*HF_HOME") as caught:
        load_tagger("nobody/no-tagger", labels=LabelSet())
    assert "\n" not in str(caught.value)
