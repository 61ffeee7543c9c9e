"""Tables of the hub: a batch of rows at a time, clips in any row group, and one line for what cannot be read."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import soundfile

from spner.core.errors import SpnerError
from spner.core.parallel import Processes
from spner.data import parquet
from spner.data.audio import clip_duration_s, read_stored, store_clips
from spner.data.parquet import find_row, name_row, open_clips, read_class_names, read_rows

RATE_HZ = 16_000


def audio(row: int) -> bytes:
    """Return a clip whose length tells its row."""
    content = io.BytesIO()
    soundfile.write(content, 0.3 * np.sin(np.arange(4000 + 16 * row) / 9), RATE_HZ, format="WAV")
    return content.getvalue()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """100 rows in groups of 7."""
    clips = [{"bytes": audio(row), "path": None} for row in range(100)]
    clips[41] = {"bytes": None, "path": "x.wav"}
    rows = pyarrow.table(
        {"id": [f"u{row}" for row in range(100)], "audio": clips, "ner": [[row % 2] for row in range(100)]}
    )
    features = {"ner": {"feature": {"names": ["O", "B-x y"], "_type": "ClassLabel"}, "_type": "Sequence"}}
    rows = rows.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pyarrow.parquet.write_table(rows, tmp_path / "train-00000-of-00001.parquet", row_group_size=7)
    return tmp_path / "train-00000-of-00001.parquet"


def test_the_name_of_a_row() -> None:
    assert find_row(Path("a") / name_row("b.parquet", 17)) == ("a/b.parquet", 17)
    assert [find_row(name) for name in ("a.wav", "a.parquet", "a.wav#1")] == [("", 0)] * 3


def test_clips_of_some_rows(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row groups that hold none of them are not read."""
    read: list[int] = []
    stream = parquet._stream

    def spy(*arguments: Any, row_groups: list[int]) -> Any:
        read.extend(row_groups)
        return stream(*arguments, row_groups=row_groups)

    monkeypatch.setattr(parquet, "_stream", spy)
    rows = [0, 6, 7, 50, 99]
    other = table.with_name("other.wav")
    clips = [*(Path(name_row(str(table), row)) for row in rows), other, Path(name_row(str(table), 3))]
    *found, path, again = open_clips(clips)
    assert [one.getvalue() for one in found] == [audio(row) for row in rows]
    assert path == other and again.getvalue() == audio(3)
    assert read == [0, 1, 7, 14, 0]


def test_clips_of_tables_are_stored_as_files_are(table: Path, tmp_path: Path) -> None:
    rows = [1, 2, 41, 98]
    clips = [(f"u{row}", Path(name_row(str(table), row))) for row in rows]
    stored = list(store_clips(tmp_path / "store", clips, workers=Processes(), what="clips"))
    assert [one.duration_s for one in stored] == [0.25 + row / 1000 if row != 41 else 0 for row in rows]
    assert stored[2].error.startswith("broken: ")
    assert len(read_stored(f"{tmp_path}/store/{stored[3].location}")) == 4000 + 16 * 98
    assert clip_duration_s(clips[1][1]) == pytest.approx(0.252)
    written = (tmp_path / "store/00000.ark").stat().st_mtime_ns
    assert list(store_clips(tmp_path / "store", clips, workers=Processes(), what="clips")) == stored
    assert (tmp_path / "store/00000.ark").stat().st_mtime_ns == written, "a finished shard is used again"


def test_columns_and_names_of_labels(table: Path) -> None:
    rows = list(read_rows(table, ["id", "ner"]))
    assert len(rows) == 100 and rows[99] == {"id": "u99", "ner": [1]}
    assert read_class_names(table, "ner") == ("O", "B-x y")


def test_what_cannot_be_read_is_one_line(table: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(table.read_bytes()[:5000])
    for act, message in (
        (
            lambda: list(read_rows(table, ["idd"])),
            f'{table}: has no column "idd" (found id, audio, ner); did you mean "id"?',
        ),
        (lambda: read_class_names(table, "id"), f'{table}: does not name the labels of column "id"'),
        (lambda: list(read_rows(broken, ["id"])), f"{broken}: cannot be read as parquet ("),
        (lambda: list(read_rows(tmp_path / "none.parquet", ["id"])), "none.parquet: cannot be read as parquet ("),
        (lambda: list(open_clips([Path(name_row(str(table), 100))])), f"{table}: has no row 100 (found 100 rows)"),
    ):
        with pytest.raises(SpnerError) as error:
            act()
        assert message in str(error.value)
        assert "\n" not in str(error.value)


def test_without_pyarrow(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(SpnerError) as error:
        list(read_rows(table, ["id"]))
    assert str(error.value) == (
        "parquet: pyarrow is not installed, which reads and writes such tables; pip install 'spner[parquet]'"
    )
