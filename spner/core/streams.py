"""Rows that are too many to be held: read anew whenever they are needed, and sorted in runs on the disk."""

import json
from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)
ROWS_PER_RUN = 4096
"""A million rows are 245 files, which are open together while they are read."""


class Stream(Protocol[Item_co]):
    """Items whose number is known and that can be gone through again, such as a list."""

    def __iter__(self) -> Iterator[Item_co]: ...

    def __len__(self) -> int: ...


class Streamed(Generic[Item]):
    """A :class:`Stream` of what a function yields."""

    def __init__(self, stream: Callable[[], Iterator[Item]], num_items: int) -> None:
        """
        Args:
            stream: yields the items, the same ones whenever it is called.
            num_items: their number.
        """
        self._stream, self._num_items = stream, num_items

    def __iter__(self) -> Iterator[Item]:
        return self._stream()

    def __len__(self) -> int:
        return self._num_items


def sort_rows(rows: Iterable[tuple[Any, ...]], folder: Path) -> Streamed[list[Any]]:
    """Return rows in order; they lie in files, and a run of them is held at a time.

    Args:
        rows: tuples of what JSON can hold, compared by their first values, then by their second ones, and so on.
        folder: a new one for the files, which must stay as long as the rows are read.
    """
    folder.mkdir()
    left, runs, num_rows = iter(rows), list[Path](), 0
    while num_in_run := _write_run(folder / f"{len(runs):06d}.jsonl", islice(left, ROWS_PER_RUN)):
        runs.append(folder / f"{len(runs):06d}.jsonl")
        num_rows += num_in_run
    return Streamed(lambda: merge(*map(_read_run, runs)), num_rows)


def _write_run(path: Path, rows: Iterable[tuple[Any, ...]]) -> int:
    """Write rows in order, if there are any; return their number."""
    run = sorted(rows)
    if run:
        with open(path, "w", encoding="ascii") as file:
            file.writelines(f"{json.dumps(row)}\n" for row in run)
    return len(run)


def _read_run(path: Path) -> Iterator[list[Any]]:
    with open(path, encoding="ascii") as file:
        yield from map(json.loads, file)
