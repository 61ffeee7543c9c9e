"""Numbers -> rows, places on an axis, shares of a bar."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spner.report.scored import Scored, read_experiments
from spner.report.tables import Cell, Share, confusion_table, error_bar, find_axis, label_rows, score_groups
from tests.report.conftest import make_scores


@pytest.fixture
def read(write_scored: Callable[..., Path]) -> Callable[..., Scored]:
    """Return a function that makes the record of a scores file."""

    def read_one(name: str, **changes: Any) -> Scored:
        (experiment,) = read_experiments([write_scored(f"{name}.json", make_scores() | changes)])
        return experiment.scored[0]

    return read_one


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([], (0.0, 1.0)),
        ([0.3], (0.0, 1.0)),
        ([1.5, 1.5], (0.0, 2.0)),
        ([0.12, 0.18], (0.12, 0.18)),
        ([0.123, 0.181], (0.12, 0.19)),
        ([0.0, 1.0], (0.0, 1.0)),
        ([0.21, 0.68], (0.2, 0.7)),
        ([0.4001, 0.4002], (0.4001, 0.4002)),
        ([0.9, 1.7], (0.9, 1.7)),
    ],
)
def test_axis(numbers: list[float], expected: tuple[float, float]) -> None:
    left, right = find_axis(numbers)
    assert (left, right) == pytest.approx(expected, abs=1e-4)
    assert all(left <= number <= right for number in numbers)


def test_scores_are_placed_on_one_axis_and_the_best_is_marked(read: Callable[..., Scored]) -> None:
    other = {"rate": 0.2, "sub": 0, "del": 0, "ins": 0, "num_ref": 5}
    groups = dict(score_groups([read("a"), read("b", wer=other, ci95=None)]))
    wer = groups["Words"][0]
    # From 0.125 to 0.375, drawn on 0.1 to 0.4.
    assert (wer.title, wer.lower_is_better, wer.axis) == ("WER", True, ("0.1", "0.4"))
    assert wer.cells == [
        Cell("0.250", "0.125 to 0.375", (), 50.0, 8.33, 91.67, best=False),
        Cell("0.200", "", (), 33.33, None, None, best=True),
    ]
    f1 = groups["Entities"][0]
    assert not f1.lower_is_better and not any(cell.best for cell in f1.cells)  # both have the same


def test_undefined_scores_have_no_row_and_one_that_another_has_is_a_dash(read: Callable[..., Scored]) -> None:
    groups = dict(score_groups([read("a")]))
    assert list(groups) == ["Words", "Entities"]  # EER without a reference mention
    assert [row.title for row in groups["Entities"]][-2:] == ["span-text F1", "aligned F1"]
    groups = dict(score_groups([read("a"), read("b", eer={"rate": 0.5})]))
    ((eer),) = groups["Names in the transcript, whatever their label"]
    assert [(cell.text, cell.place, cell.best) for cell in eer.cells] == [("–", None, False), ("0.500", 50.0, False)]


def test_one_experiment_has_no_best(read: Callable[..., Scored]) -> None:
    assert not any(cell.best for _, rows in score_groups([read("a")]) for row in rows for cell in row.cells)


def test_labels_share_the_axis_from_0_to_1(read: Callable[..., Scored]) -> None:
    f1 = make_scores()["f1"] | {"labels": {"ORG": {"precision": 0.25, "recall": 0.5, "f1": 0.75, "tp": 1, "fn": 1200}}}
    rows = label_rows([read("a"), read("b", f1=f1, ci95={"f1.ORG": [0.7, 0.8]})])
    assert [row.title for row in rows] == ["PER", "LOC", "ORG"]
    assert {row.axis for row in rows} == {("0", "1")}
    assert rows[2].cells == [
        Cell("–", "", (), None, None, None, best=False),
        Cell("0.750", "0.700 to 0.800", ("P 0.250, R 0.500", "1,201 mentions"), 75.0, 70.0, 80.0, best=False),
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
