"""Parquet tables with audio, as the Hugging Face hub serves them: reading their columns and their clips.

A clip lies in the column ``audio``, a struct of ``bytes``, a whole audio file, and ``path``, its name; row 17's is
called ``<file>.parquet#17``. Tables are read a batch of rows at a time, row group by row group, and never whole. What
the columns mean (names of class labels) is JSON in the schema's metadata, under ``huggingface``. The layout was looked
up in the documentation of ``datasets`` (``Audio``, ``ClassLabel``) and in the cards of asapp/slue and qmeeus/MSNER.
"""

import io
import json
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from spner.core.errors import SpnerError, nearest

AUDIO, BYTES, PATH = "audio", "bytes", "path"
FEATURES = b"huggingface"
ROW = re.compile(r"(.+\.parquet)#(\d+)", re.DOTALL)
BATCH_ROWS, BATCH_CLIPS = 1000, 16


def load_pyarrow() -> Any:
    """Return the module ``pyarrow.parquet``.

    Raises:
        SpnerError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise SpnerError(
            "parquet: pyarrow is not installed, which reads and writes such tables; pip install 'spner[parquet]'"
        ) from error
    return pyarrow.parquet


def name_row(file: str, row: int) -> str:
    """Return the name of the clip in a row, counted from 0."""
    return f"{file}#{row}"


def find_row(clip: Path | str) -> tuple[str, int]:
    """Return the table and the row of a clip, ``("", 0)`` for an audio file; so sorted, tables are read in order."""
    match = ROW.fullmatch(str(clip))
    return (match[1], int(match[2])) if match else ("", 0)


def open_clips(clips: Sequence[Path]) -> Iterator[Path | io.BytesIO]:
    """Yield where each clip can be read: an audio file's path, or the content of one in a table.

    Args:
        clips: those of a table one after another, by rising rows.

    Raises:
        SpnerError: a table cannot be read, or pyarrow is not installed.
    """
    for table, group in groupby(clips, key=lambda clip: find_row(clip)[0]):
        if table:
            yield from map(io.BytesIO, _read_clips(Path(table), [find_row(clip)[1] for clip in group]))
        else:
            yield from group


def _read_clips(file: Path, rows: Sequence[int]) -> Iterator[bytes]:
    """Yield the audio files in rows, which rise; an empty one where a row has none."""
    opened, first, wanted = _open(file), 0, list(reversed(rows))
    for group in range(opened.num_row_groups):
        behind = first + opened.metadata.row_group(group).num_rows
        if wanted and wanted[-1] < behind:
            clips = _stream(file, opened, [AUDIO], BATCH_CLIPS, row_groups=[group])
            for row, clip in enumerate(clips, start=first):
                if wanted and wanted[-1] == row:
                    wanted.pop()
                    yield (clip[AUDIO] or {}).get(BYTES) or b""
        first = behind
    if wanted:
        raise SpnerError(f"{file}: has no row {wanted[-1]} (found {first} rows); restore the file, then rerun stage 1")


def read_rows(file: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table as a dictionary of these columns each, in order.

    Raises:
        SpnerError: no such file, no parquet, a column is missing, or pyarrow is not installed.
    """
    opened = _open(file)
    there = opened.schema_arrow.names
    for name in columns:
        if name not in there:
            raise SpnerError(f'{file}: has no column "{name}" (found {", ".join(there)}){nearest(name, there)}')
    yield from _stream(file, opened, columns, BATCH_ROWS)


def read_class_names(file: Path, column: str) -> tuple[str, ...]:
    """Return the names of the class labels in a column, or in the lists in it, by their numbers.

    Raises:
        SpnerError: the table does not name them.
    """
    metadata = (_open(file).schema_arrow.metadata or {}).get(FEATURES, b"{}")
    try:
        feature = json.loads(metadata)["info"]["features"][column]
        names = (feature.get("feature") or feature)["names"]
        return tuple(str(name) for name in names)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SpnerError(
            f'{file}: does not name the labels of column "{column}" (expected a class label in the metadata that '
            "datasets writes)"
        ) from error


def _open(file: Path) -> Any:
    parquet = load_pyarrow()
    try:
        return parquet.ParquetFile(file)
    except (OSError, ValueError) as error:  # pyarrow's errors are one of both
        raise _broken(file, error) from error


def _stream(file: Path, opened: Any, columns: Sequence[str], num_rows: int, **options: Any) -> Iterator[dict[str, Any]]:
    try:
        for batch in opened.iter_batches(batch_size=num_rows, columns=list(columns), **options):
            yield from batch.to_pylist()
    except (OSError, ValueError) as error:
        raise _broken(file, error) from error


def _broken(file: Path, error: Exception) -> SpnerError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return SpnerError(f"{file}: cannot be read as parquet ({reason}); restore the file")
