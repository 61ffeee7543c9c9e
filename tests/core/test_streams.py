"""Rows sorted on the disk come in order, as often as they are gone through."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spner.core import streams
from spner.core.errors import SpnerError
from spner.core.files import scratch_folder
from spner.core.streams import sort_rows

ROWS = st.lists(st.tuples(st.text(), st.integers(), st.floats(allow_nan=False)), max_size=30)


@given(rows=ROWS, rows_per_run=st.integers(1, 10))
def test_rows_come_in_order_whatever_the_runs(
    rows: list[tuple[str, int, float]], rows_per_run: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "ROWS_PER_RUN", rows_per_run)
        found = sort_rows(iter(rows), tmp_path_factory.mktemp("sort") / "runs")
    for _ in range(2):
        assert list(map(tuple, found)) == sorted(rows) and len(found) == len(rows)


def test_rows_are_gone_through_twice_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "ROWS_PER_RUN", 2)
    found = sort_rows([(3,), (1,), (2,)], tmp_path / "runs")
    assert list(zip(found, found, strict=True)) == [([n], [n]) for n in (1, 2, 3)]


def test_a_folder_for_the_time_being_is_gone_afterwards(tmp_path: Path) -> None:
    left = tmp_path / ".tmp-rows"
    left.mkdir()
    (left / "of a killed process").touch()
    with pytest.raises(ZeroDivisionError), scratch_folder(tmp_path / "rows") as folder:
        assert not list(folder.iterdir())
        (folder / "file").touch()
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpnerError, match=r"rows: cannot be written \(No such file or directory\); make room"):
        with scratch_folder(tmp_path / "rows") as folder:
            sort_rows([(1,)], folder / "missing" / "runs")
    assert not list(tmp_path.iterdir())
