"""The plot has the same bytes every time, and all that it should show changes it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spner.benchmark.plan import E2E, PIPELINE, TRANSFER, ZERO_SHOT, Group
from spner.benchmark.plot import find_points, plot_fractions
from spner.benchmark.results import groups_of
from tests.benchmark.made_up import make_results


def draw(folder: Path, change: Callable[[dict[Group, dict[str, Any]]], None] = lambda groups: None) -> bytes:
    results = make_results()
    change(groups_of(results))
    plot_fractions(results, folder / "plot.png")
    return (folder / "plot.png").read_bytes()


def test_the_same_numbers_are_the_same_bytes(tmp_path: Path) -> None:
    picture = draw(tmp_path)
    assert picture.startswith(b"\x89PNG") and b"Software" not in picture
    assert draw(tmp_path) == picture


@pytest.mark.parametrize(
    "group",
    [Group("nl", E2E, "", 20), Group("nl", TRANSFER, "de"), Group("nl", ZERO_SHOT, "de", 0), Group("nl", PIPELINE)],
    ids=str,
)
@pytest.mark.parametrize("key", ["value", "ci95"])
def test_every_number_is_drawn(tmp_path: Path, group: Group, key: str) -> None:
    def change(groups: dict[Group, dict[str, Any]]) -> None:
        groups[group]["scores"]["f1"][key] = {"value": 0.42, "ci95": [0.02, 0.97]}[key]

    assert draw(tmp_path, change) != draw(tmp_path)


def test_other_scores_and_languages_are_not_drawn(tmp_path: Path) -> None:
    def change(groups: dict[Group, dict[str, Any]]) -> None:
        groups[Group("nl", E2E)]["scores"]["wer"]["value"] = 0.01
        groups[Group("de", E2E)]["scores"]["f1"]["value"] = 0.01

    assert draw(tmp_path, change) == draw(tmp_path)


def test_points_of_a_curve() -> None:
    groups = groups_of(make_results())
    assert [point[:2] for point in find_points(groups, "nl", "")] == [(20, 0.3), (100, 0.7)]
    assert [point[:2] for point in find_points(groups, "nl", "de")] == [(0, 0.1), (20, 0.5), (100, 0.75)]
    assert list(find_points(groups, "nl", "en")) == []


def test_a_score_without_an_interval_and_results_without_groups_are_drawn(tmp_path: Path) -> None:
    def change(groups: dict[Group, dict[str, Any]]) -> None:
        for entry in groups.values():
            entry["scores"]["f1"]["ci95"] = None

    assert draw(tmp_path, change) != draw(tmp_path)
    plot_fractions(make_results() | {"groups": []}, tmp_path / "empty.png")
    assert (tmp_path / "empty.png").stat().st_size > 1000
