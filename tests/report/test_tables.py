"""Numbers -> rows, places on an axis, shares of a bar."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spner.report.scored import Scored, read_experiments
from spner.report.tables import Cell, Share, confusion_table, error_bar, label_rows, overview_rows, score_groups
from tests.report.conftest import make_scores


@pytest.fixture
def read(write_scored: Callable[..., Path]) -> Callable[..., Scored]:
    """Return a function that makes the record of a scores file."""

    def read_one(name: str, **changes: Any) -> Scored:
        (experiment,) = read_experiments([write_scored(f"{name}.json", make_scores() | changes)])
        return experiment.scored[0]

    return read_one


class Answers:
    """Tests whose p-values are given."""

    def __init__(self, **p: float) -> None:
        self.asked: list[tuple[int, int, str]] = []
        self._p = p

    def p(self, a: int, b: int, score: str) -> float | None:
        self.asked.append((a, b, score))
        return self._p.get(score)


def test_scores_are_placed_from_0_to_1_and_the_best_is_marked_where_it_differs(read: Callable[..., Scored]) -> None:
    other = {"rate": 0.2, "sub": 0, "del": 0, "ins": 0, "num_ref": 5}
    groups = dict(score_groups([read("a"), read("b", wer=other, ci95=None)], Answers(wer=0.0499, f1=0.94)))
    wer = groups["Words"][0]
    assert (wer.title, wer.lower_is_better) == ("WER", True)
    assert wer.cells == [
        Cell("0.250", "0.125 to 0.375", (), 25.0, 12.5, 37.5, beyond=False, best=False, p=""),
        Cell("0.200", "", (), 20.0, None, None, beyond=False, best=True, p="0.050"),
    ]
    f1 = groups["Entities"][0]
    assert not f1.lower_is_better and not any(cell.best for cell in f1.cells)  # both have the same
    assert [cell.p for cell in f1.cells] == ["", ""]


def with_entities(num: int) -> dict[str, Any]:
    prf = {"precision": 0.6, "recall": 0.4, "f1": 0.5, "tp": 0, "fp": 1, "fn": num}
    return make_scores()["f1"] | {"labels": {"PER": prf}, "micro": prf}


@pytest.mark.parametrize(
    ("p", "num_entities", "marked"),
    [(0.049, 30, True), (0.05, 30, False), (0.94, 30, False), (None, 30, False), (0.01, 29, False)],
)
def test_a_better_score_of_entities_is_marked_by_its_p_value_and_with_enough_entities_alone(
    read: Callable[..., Scored], p: float | None, num_entities: int, marked: bool
) -> None:
    """Underlined at p 0.94, and at 13 entities, a difference looks like a result."""
    f1 = with_entities(num_entities)
    better = f1 | {"micro": f1["micro"] | {"f1": 0.75}, "labels": {"PER": f1["labels"]["PER"] | {"f1": 0.75}}}
    group = [read("a", f1=f1), read("b", f1=better)]
    answers = Answers(**({"f1": p, "f1.PER": p} if p is not None else {}))
    rows = [overview_rows(group, answers)[3], label_rows(group, answers)[0]]
    for row in rows:
        assert [cell.best for cell in row.cells] == [False, marked]
        assert [cell.p for cell in row.cells] == ["", f"{p:.3f}" if p is not None else ""]
    assert not any(cell.best for cell in overview_rows(group)[3].cells), "without a test nothing is marked"


def test_the_best_is_tested_against_the_next_best(read: Callable[..., Scored]) -> None:
    wer = make_scores()["wer"]
    answers = Answers(wer=0.01)
    row = overview_rows(
        [read(name, wer=wer | {"rate": rate}) for name, rate in (("a", 0.3), ("b", 0.1), ("c", 0.2))], answers
    )[0]
    assert answers.asked[0] == (1, 2, "wer") and [cell.best for cell in row.cells] == [False, True, False]


def test_a_rate_over_1_is_drawn_at_the_end_of_the_scale(read: Callable[..., Scored]) -> None:
    wer = make_scores()["wer"]
    one, other = (read("a", wer=wer | {"rate": 1.5}, ci95={"wer": [0.75, 2.0]}), read("b", wer=wer | {"rate": 1.0}))
    cells = dict(score_groups([one, other]))["Words"][0].cells
    assert cells[0] == Cell("1.500", "0.750 to 2.000", (), 100, 75.0, 100, beyond=True, best=False, p="")
    assert (cells[1].place, cells[1].beyond) == (100.0, False)


def test_the_overview_has_five_metrics_whether_defined_or_not(read: Callable[..., Scored]) -> None:
    rows = overview_rows([read("a"), read("b", eer={"rate": 0.5})])
    assert [row.title for row in rows] == ["WER", "CER", "EER", "F1", "label-F1"]
    assert [row.lower_is_better for row in rows] == [True, True, True, False, False]
    assert [cell.text for cell in rows[2].cells] == ["–", "0.500"]


def test_undefined_scores_have_no_row_and_one_that_another_has_is_a_dash(read: Callable[..., Scored]) -> None:
    groups = dict(score_groups([read("a")]))
    assert list(groups) == ["Words", "Entities"]  # EER without a reference mention
    assert [row.title for row in groups["Entities"]][-2:] == ["span-text F1", "aligned F1"]
    groups = dict(score_groups([read("a"), read("b", eer={"rate": 0.5})]))
    ((eer),) = groups["Names in the transcript, whatever their label"]
    assert [(cell.text, cell.place, cell.best) for cell in eer.cells] == [("–", None, False), ("0.500", 50.0, False)]


def test_one_experiment_has_no_best(read: Callable[..., Scored]) -> None:
    assert not any(cell.best for _, rows in score_groups([read("a")]) for row in rows for cell in row.cells)


def test_labels_tell_precision_recall_and_mentions(read: Callable[..., Scored]) -> None:
    f1 = make_scores()["f1"] | {"labels": {"ORG": {"precision": 0.25, "recall": 0.5, "f1": 0.75, "tp": 1, "fn": 1200}}}
    rows = label_rows([read("a"), read("b", f1=f1, ci95={"f1.ORG": [0.7, 0.8]})])
    assert [row.title for row in rows] == ["PER", "LOC", "ORG"]
    notes = ("precision 0.250", "recall 0.500", "1,201 mentions")
    assert rows[2].cells == [
        Cell("–", "", (), None, None, None, beyond=False, best=False, p=""),
        Cell("0.750", "0.700 to 0.800", notes, 75.0, 70.0, 80.0, beyond=False, best=False, p=""),
    ]


def test_error_kinds(read: Callable[..., Scored]) -> None:
    assert error_bar(read("a", errors={"missed": 1, "correct": 3})) == [
        Share("correct", 3, 75.0),
        Share("wrong_label", 0, 0.0),
        Share("wrong_boundary", 0, 0.0),
        Share("misspelt", 0, 0.0),
        Share("missed", 1, 25.0),
        Share("spurious", 0, 0.0),
    ]
    assert error_bar(read("b", errors={})) == error_bar(read("c", errors=None)) == []


def test_confusion_has_labels_in_their_order_then_unknown_ones_then_no_entity(read: Callable[..., Scored]) -> None:
    table = confusion_table(read("a"))
    assert table and table.labels == ["PER", "LOC", "ORG", "O"]
    assert dict(table.rows) == {
        "PER": [(1, 100.0), (0, 0.0), (0, 0.0), (0, 0.0)],
        "LOC": [(0, 0.0), (1, 50.0), (0, 0.0), (1, 50.0)],
        "ORG": [(0, 0.0)] * 4,
        "O": [(0, 0.0), (0, 0.0), (1, 100.0), (0, 0.0)],
    }
    assert confusion_table(read("b", confusion=None)) is None
