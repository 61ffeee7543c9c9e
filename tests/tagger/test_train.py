"""Training a tagger: mention swapping, and tiny runs that must learn, repeat and leave nothing half-made."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spner.core.datatypes import Entity, Transcript
from spner.core.errors import SpnerError
from spner.core.files import read_json
from spner.tagger import train as room
from spner.tagger.train import train_tagger
from spner.tagger.trainer import swap_mentions
from spner.text.labels import LabelSet

PERSONS = ("Jan", "Piet", "Angela Merkel", "Kees de Vries", "Anna")
PLACES = ("Parijs", "Den Haag", "Berlijn", "Noord-Holland")


def test_swapped_mentions_keep_their_labels_and_the_words_around() -> None:
    sentence = Transcript(("In", "Den", "Haag", "Jan", "!"), (Entity(1, 3, "LOC"), Entity(3, 4, "PER")))
    mentions = {"LOC": [("Oss",)], "PER": [("Kees", "de", "Vries")]}
    assert swap_mentions(sentence, mentions, 1.0, random.Random(0)) == Transcript(
        ("In", "Oss", "Kees", "de", "Vries", "!"), (Entity(1, 2, "LOC"), Entity(2, 5, "PER"))
    )
    assert swap_mentions(sentence, mentions, 0.0, random.Random(0)) == sentence


def write_conll(path: Path, *, num_sentences: int, seed: int) -> Path:
    """Write sentences whose names tell by their place: a person before the verb, a place after ``in``."""
    rng = random.Random(seed)
    with open(path, "w", encoding="utf-8") as file:
        for _ in range(num_sentences):
            person, place = rng.choice(PERSONS).split(), rng.choice(PLACES).split()
            file.write("".join(f"{word} {'I' if i else 'B'}-PER\n" for i, word in enumerate(person)))
            file.write("woont O\nin O\n")
            file.write("".join(f"{word} {'I' if i else 'B'}-LOC\n" for i, word in enumerate(place)) + ". O\n\n")
    return path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that trains in seconds."""
    full = room.small_config

    def tiny_config(tokenizer: Any, tags: Sequence[str]) -> Any:
        config = full(tokenizer, tags)
        config.hidden_size, config.intermediate_size, config.num_hidden_layers = 64, 64, 2
        return config

    monkeypatch.setattr(room, "small_config", tiny_config)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    return {
        "train": [write_conll(tmp_path / "train", num_sentences=150, seed=1)],
        "dev": write_conll(tmp_path / "dev", num_sentences=20, seed=2),
        "test": write_conll(tmp_path / "test", num_sentences=20, seed=3),
        "labels": LabelSet(),
        "epochs": 5,
        "batch_tokens": 256,
        "learning_rate": 3e-3,
        "device": "cpu",
    }


@pytest.mark.espnet
def test_a_tagger_from_nothing_learns_and_repeats(small: None, files: dict[str, Any], tmp_path: Path) -> None:
    from spner.tagger.annotate import tag_sentences
    from spner.tagger.model import load_tagger

    scores = train_tagger(tmp_path / "a", **files)
    assert scores["test"]["micro"]["f1"] > 0.95
    assert read_json(tmp_path / "a" / "scores.json") == scores
    train_tagger(tmp_path / "b", **files)
    for name in ("model.safetensors", "tokenizer.json", "config.json", "scores.json", "train.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    train_tagger(tmp_path / "c", **files, seed=1)
    weights = [(tmp_path / run / "model.safetensors").read_bytes() for run in "ac"]
    assert weights[0] != weights[1]

    sentences = {f"{i:02}": f"Angela Merkel woont in {place}." for i, place in enumerate(PLACES * 5)}
    tagger = load_tagger(str(tmp_path / "a"), labels=LabelSet())
    one, many = (tag_sentences(tagger, sentences, lang="nl", labels=LabelSet(), batch_tokens=b) for b in (1, 256))
    assert one == many
    assert [(e.label, one["00"].phrase(e)) for e in one["00"].entities] == [("PER", "angela merkel"), ("LOC", "parijs")]


def test_all_sets_take_the_recognisers_form_and_train_alone_its_errors(
    files: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[list[Transcript]] = []
    scored: list[list[Transcript]] = []

    def make_trainer(_tagger: Any, sentences: list[Transcript], *_: Any, **__: Any) -> None:
        trained.append(sentences)

    def train(_trainer: Any, _epochs: int, dev: list[Transcript], _labels: LabelSet, _out: Path) -> None:
        scored.append(dev)
        raise KeyboardInterrupt

    monkeypatch.setattr(room, "Trainer", make_trainer)
    monkeypatch.setattr(room, "_train", train)
    monkeypatch.setattr(room, "_make_tagger", lambda *_: (None, [], TOKENIZER))
    for number, options in enumerate(({}, {"speech_lang": "nl"}, {"speech_lang": "nl", "noise": 0.5})):
        with pytest.raises(KeyboardInterrupt):
            train_tagger(tmp_path / str(number), **files, **options)
    words = [[word for sentence in one for word in sentence.words] for one in (*trained, *scored)]
    plain, spoken, noisy, *dev = words
    assert "." in plain and "Angela" in plain and "." in dev[0]
    assert spoken == [part for word in plain for part in word.lower().replace("-", " ").split() if part != "."]
    assert noisy != spoken and len(trained[2]) <= len(trained[1])
    assert dev[1] == dev[2] and dev[1][0].islower()


TOKENIZER = SimpleNamespace(save_pretrained=lambda folder: None)


class Epochs:
    """A training whose tagger finds, after each epoch, a given part of the places of dev, and saves the epoch."""

    def __init__(self, found: tuple[tuple[str, ...], ...]) -> None:
        self.found = found
        self.epoch = 0
        self.averaged = SimpleNamespace(model=self, predict=self.predict)

    def run_epoch(self, epoch: int) -> float:
        self.epoch = epoch
        return 1.0

    def predict(self, sentences: list[tuple[str, ...]], **_: Any) -> list[list[str]]:
        places = self.found[self.epoch - 1]
        return [["B-LOC" if word in places else "O" for word in words] for words in sentences]

    def save_pretrained(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "epoch").write_text(str(self.epoch))


@pytest.mark.parametrize(
    ("found", "best"),
    [
        pytest.param(((), ("Oss",), ("Oss", "Delft"), ("Delft",)), 3, id="highest F1"),
        pytest.param(((), ("Oss",), ("Oss",), ("Delft",)), 2, id="of equal epochs the first"),
        pytest.param(((), (), ()), 1, id="none finds anything"),
    ],
)
def test_the_best_epoch_on_dev_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: tuple[tuple[str, ...], ...], best: int
) -> None:
    (tmp_path / "dev").write_text("Oss B-LOC\nen O\nDelft B-LOC\n", encoding="utf-8")
    monkeypatch.setattr(room, "Trainer", lambda *_, **__: Epochs(found))
    monkeypatch.setattr(room, "_make_tagger", lambda *_: (None, [], TOKENIZER))
    options = {"train": [tmp_path / "dev"], "dev": tmp_path / "dev", "epochs": len(found), "device": "cpu"}
    options["labels"] = LabelSet()
    assert train_tagger(tmp_path / "out", **options)["best_epoch"] == best
    assert (tmp_path / "out" / "epoch").read_text() == str(best)


@pytest.mark.espnet
def test_a_tagger_of_recognised_words(small: None, files: dict[str, Any], tmp_path: Path) -> None:
    from spner.decode.pipeline import tag_words
    from spner.tagger.model import load_tagger

    scores = train_tagger(tmp_path / "out", **files, speech_lang="nl", noise=0.05)
    assert scores["test"]["micro"]["f1"] > 0.9
    decoded = {"a": Transcript(("angela", "merkel", "woont", "in", "den", "haag"))}
    found = tag_words(load_tagger(str(tmp_path / "out"), labels=LabelSet(), device="cpu"), decoded, labels=LabelSet())
    assert found["a"].entities == (Entity(0, 2, "PER"), Entity(4, 6, "LOC"))


@pytest.mark.espnet
def test_what_is_kept_are_averaged_weights(
    small: None, files: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files["epochs"] = 1
    train_tagger(tmp_path / "average", **files)
    monkeypatch.setattr(room, "FROM_SCRATCH", replace(room.FROM_SCRATCH, average=0.0))
    train_tagger(tmp_path / "last", **files)
    weights = [(tmp_path / run / "model.safetensors").read_bytes() for run in ("average", "last")]
    assert weights[0] != weights[1]


@pytest.mark.espnet
def test_a_finished_run_is_not_done_again(
    small: None, files: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files["epochs"] = 1
    scores = train_tagger(tmp_path / "out", **files)
    with monkeypatch.context() as patch:
        patch.setattr(room, "_make_tagger", None)
        assert train_tagger(tmp_path / "out", **files) == scores
    (tmp_path / "out" / "tokenizer.json").unlink()
    assert train_tagger(tmp_path / "out", **files) == scores
    assert (tmp_path / "out" / "tokenizer.json").exists()
    train_tagger(tmp_path / "out", **files | {"epochs": 2})
    assert read_json(tmp_path / "out" / "train.json")["recipe"]["epochs"] == 2


@pytest.mark.espnet
def test_a_killed_run_leaves_nothing(
    small: None, files: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(room, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        train_tagger(tmp_path / "out", **files | {"epochs": 1})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dev", "test", "train"]


@pytest.mark.espnet
def test_a_checkpoint_is_fine_tuned(xlmr: Path, files: dict[str, Any], tmp_path: Path) -> None:
    from spner.tagger.model import load_tagger

    scores = train_tagger(tmp_path / "out", **files | {"learning_rate": 0.02, "epochs": 15}, model=str(xlmr))
    assert scores["dev"]["micro"]["f1"] > 0.5
    assert load_tagger(str(tmp_path / "out"), labels=LabelSet()).tags == (
        "O",
        "B-PER",
        "I-PER",
        "B-ORG",
        "I-ORG",
        "B-LOC",
        "I-LOC",
    )


def test_a_folder_of_somebody_else_is_not_replaced(files: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years", encoding="utf-8")
    with pytest.raises(SpnerError, match="out: is there already and was not made by spner train-tagger"):
        train_tagger(tmp_path / "out", **files)
    assert (tmp_path / "out" / "thesis.txt").read_text(encoding="utf-8") == "years"


def test_a_mistake_in_a_file_stops_before_any_training(files: dict[str, Any], tmp_path: Path) -> None:
    files["dev"].write_text("Jan\n", encoding="utf-8")
    with pytest.raises(SpnerError, match=r"dev:1: 1 column"):
        train_tagger(tmp_path / "out", **files)
    assert not (tmp_path / "out").exists()
