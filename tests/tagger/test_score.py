"""A tagger's scores, by hand."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from spner.cli import main
from spner.core.datatypes import LABELS, Entity, Transcript
from spner.core.files import read_json
from spner.tagger import score as room
from spner.tagger.score import format_scores, score, score_on_files
from spner.text.labels import LabelSet


def test_score_by_hand() -> None:
    words = ("a", "b", "c", "d")
    ref = [Transcript(words, (Entity(0, 2, "PER"), Entity(2, 3, "LOC"))), Transcript(words)]
    hyp = [Transcript(words, (Entity(0, 1, "PER"), Entity(2, 3, "LOC"))), Transcript(words, (Entity(1, 2, "LOC"),))]
    scores = score(ref=ref, hyp=hyp, labels=LABELS)
    assert list(scores) == ["PER", "LOC", "micro"]
    assert scores["micro"] == {"precision": 1 / 3, "recall": 1 / 2, "f1": 0.4, "support": 2}
    assert scores["LOC"] == {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1}
    assert scores["PER"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}
    assert score(ref=hyp, hyp=ref, labels=LABELS)["micro"]["precision"] == 1 / 2


def test_score_counts_adjacent_entities_of_one_label() -> None:
    two = [Transcript(("a", "b"), (Entity(0, 1, "PER"), Entity(1, 2, "PER")))]
    one = [Transcript(("a", "b"), (Entity(0, 2, "PER"),))]
    assert score(ref=two, hyp=two, labels=LABELS)["micro"]["support"] == 2
    assert score(ref=two, hyp=one, labels=LABELS)["micro"]["f1"] == 0.0


def test_score_without_any_entity() -> None:
    nothing = [Transcript(("a",))]
    assert score(ref=nothing, hyp=nothing, labels=LABELS) == {
        "micro": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    }


def test_scores_print_on_one_line() -> None:
    row = {"precision": 0.7, "recall": 0.726, "f1": 0.713, "support": 3}
    line = "F1 71.3 (precision 70.0, recall 72.6)"
    assert format_scores({"PER": row, "LOC": row | {"f1": 0.75}, "micro": row}) == f"{line}; PER 71.3, LOC 75.0"
    assert format_scores({"micro": row}) == line


COLUMNS = "Jan B-PERS\nJansen I-PERS\nwoont O\nin O\nDen B-GPE\nHaag I-GPE\n. O\n\nPasen B-EVENT\n! O\n\n? O\n"


class Cased:
    """A tagger that knows names with a capital, and no place of two words."""

    def __init__(self) -> None:
        self.read: list[Sequence[str]] = []

    def predict(self, sentences: Sequence[Sequence[str]], *, batch_tokens: int) -> list[list[str]]:
        self.read += sentences
        tags = {"Jan": "B-PERSON", "Jansen": "I-PERSON", "Haag": "B-LOC"}
        return [[tags.get(word, "O") for word in words] for words in sentences]


@pytest.fixture
def gold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A column file; any tagger is :class:`Cased`."""
    tagger = Cased()
    monkeypatch.setattr(room, "load_tagger", lambda name, *, labels, device: tagger)
    path = tmp_path / "gold.txt"
    path.write_text(COLUMNS, encoding="utf-8")
    return path


def test_a_tagger_on_gold_columns(gold: Path) -> None:
    found = score_on_files("t", [gold], labels=LabelSet())
    assert (found["tagger"], found["num_sentences"], found["speech"]) == ("t", 3, None)
    scores = found["scores"]
    assert list(scores) == ["PER", "LOC", "micro"]
    assert scores["PER"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1}
    assert scores["LOC"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}
    assert scores["micro"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}


def test_a_tagger_on_gold_columns_in_the_recognisers_form(gold: Path) -> None:
    found = score_on_files("t", [gold, gold], labels=LabelSet(), speech_lang="nl")
    assert room.load_tagger("t", labels=LabelSet(), device="cpu").read[0] == (
        "jan",
        "jansen",
        "woont",
        "in",
        "den",
        "haag",
    )
    assert (found["num_sentences"], found["speech"]) == (4, "nl"), "what has no word is left out"
    assert found["scores"]["micro"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 4}


def test_the_command_prints_one_line_and_writes_what_was_scored(
    gold: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scores.json"
    main(["score-tagger", "--tagger", "t", "--gold", str(gold), "--labels", "PER", "--out", str(out)])
    assert capsys.readouterr().out == ("3 sentences, as written: F1 100.0 (precision 100.0, recall 100.0); PER 100.0\n")
    record = read_json(out)
    assert record["files"] == [str(gold)] and record["labels"] == {"names": ["PER"], "map": {}}
    assert record["scores"]["micro"]["support"] == 1
