"""A tagger's scores, by hand."""

import pytest

from spner.core.datatypes import LABELS, Entity, Transcript
from spner.tagger.score import format_scores, score


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
