"""An empty archive for each test."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from spner.archive.store import open_archive


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Where the archive lies."""
    return tmp_path / "archive.sqlite"


@pytest.fixture
def archive(db: Path) -> Iterator[sqlite3.Connection]:
    """The archive, open."""
    with open_archive(db, create=True) as connection:
        yield connection
