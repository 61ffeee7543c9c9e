"""The archive's database: one SQLite file, its tables, and transactions that are whole or absent.

``segment_words`` and ``name_words`` find words whatever their case and diacritics, ``name_parts`` finds parts of names.
They hold the texts' indexes only; the texts are in ``segment`` and ``name``. The indexes of ``mention`` hold what
searches choose by, so that only hits are read.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from spner.core.errors import SpnerError

SCHEMA = 3
APPLICATION = 0x73706E72  # "spnr", in the header of the file
WAIT_S = 60.0  # for another process that writes

# A mark is part of a word: in Indic scripts vowels are marks. Those that are diacritics are removed from letters.
WORDS = "tokenize = \"unicode61 remove_diacritics 2 categories 'L* N* M* Co'\""
TABLES = f"""
CREATE TABLE recording (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: addresses of pages hold it
    path TEXT NOT NULL UNIQUE,             -- absolute
    title TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    digest TEXT NOT NULL,                  -- SHA-256 of the file
    duration_s REAL NOT NULL,
    lang TEXT
);
CREATE TABLE segment (
    id INTEGER PRIMARY KEY,
    recording INTEGER NOT NULL REFERENCES recording,
    start_s REAL NOT NULL,
    end_s REAL NOT NULL,
    text TEXT NOT NULL,
    speaker TEXT,
    words TEXT NOT NULL                    -- JSON, a list a word: start_char, end_char, start_s, end_s, confidence
);
CREATE INDEX segment_recording ON segment (recording);
CREATE TABLE name (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: searches keep them
    label TEXT NOT NULL,
    text TEXT NOT NULL,
    folded TEXT NOT NULL,
    num_mentions INTEGER NOT NULL,
    authority TEXT,
    UNIQUE (label, text)
);
CREATE INDEX name_gone ON name (id) WHERE num_mentions = 0;
CREATE INDEX name_authority ON name (authority) WHERE authority IS NOT NULL;
CREATE TABLE mention (
    id INTEGER PRIMARY KEY,
    segment INTEGER NOT NULL REFERENCES segment,
    name INTEGER NOT NULL REFERENCES name,
    label TEXT NOT NULL,                   -- the name's, so that an index can list a label's mentions
    start_s REAL NOT NULL,
    end_s REAL NOT NULL,
    start_char INTEGER NOT NULL,
    end_char INTEGER NOT NULL,
    confidence REAL
);
CREATE INDEX mention_segment ON mention (segment);
CREATE INDEX mention_name ON mention (name, id, confidence);
CREATE INDEX mention_label ON mention (label, id, confidence);
CREATE TABLE authority (folded TEXT PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE upload (file TEXT PRIMARY KEY, title TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE state (archive TEXT NOT NULL, generation INTEGER NOT NULL);
INSERT INTO state VALUES (hex(randomblob(16)), 0);
CREATE VIRTUAL TABLE segment_words USING fts5 (text, content = 'segment', content_rowid = 'id', {WORDS});
CREATE VIRTUAL TABLE name_words USING fts5 (text, content = 'name', content_rowid = 'id', {WORDS});
CREATE VIRTUAL TABLE name_parts USING fts5 (folded, content = 'name', content_rowid = 'id', tokenize = 'trigram');
"""


class ArchiveError(SpnerError):
    """The archive itself cannot be read or written, whatever was asked of it."""


@contextlib.contextmanager
def open_archive(path: Path, *, create: bool = False) -> Iterator[sqlite3.Connection]:
    """Open an archive for one thread.

    Args:
        path: the file.
        create: make it where there is none.

    Raises:
        ArchiveError: there is none, it is no archive or that of another version, it or its folder cannot be written,
            or what the block reads of it is damaged.
    """
    if not create and not path.is_file():
        raise ArchiveError(f"{path}: no such archive; spner index makes it")
    try:
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArchiveError(f"{path}: its folder cannot be made ({error.strerror}); check the path") from error
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)) as connection:
            _prepare(connection, path, create=create)
            yield connection
    except sqlite3.OperationalError as error:
        raise ArchiveError(
            f"{path}: cannot be used ({error}); SQLite keeps files beside it: it and its folder must be writable"
        ) from error
    except sqlite3.DatabaseError as error:
        raise ArchiveError(
            f"{path}: is no archive, or damaged ({error}); give another --db, or index into a new file"
        ) from error


def _prepare(connection: sqlite3.Connection, path: Path, *, create: bool) -> None:
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -65536")  # KB: the indexes of many names are written all over
    connection.execute("PRAGMA wal_autocheckpoint = 16384")  # pages, 64 MB: what is written twice is copied once
    application = _number(connection, "PRAGMA application_id")
    if application == 0 and create and not _number(connection, "SELECT count(*) FROM sqlite_master"):
        connection.execute("PRAGMA journal_mode = WAL")  # readers and one writer do not wait for each other
        with transaction(connection):
            if not _number(connection, "PRAGMA application_id"):  # nobody else was faster
                for statement in TABLES.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {SCHEMA}")
    elif application != APPLICATION:
        raise ArchiveError(f"{path}: is no archive of spner index; give another --db")
    schema = _number(connection, "PRAGMA user_version")
    if schema > SCHEMA:
        raise ArchiveError(f"{path}: has schema {schema}, this spner reads {SCHEMA}; update spner")
    if schema != SCHEMA:
        raise ArchiveError(f"{path}: has schema {schema} (expected {SCHEMA}); index the recordings into a new file")


def _number(connection: sqlite3.Connection, query: str) -> int:
    (value,) = connection.execute(query).fetchone()
    return int(value)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Everything that the block writes appears when it ends, or nothing does.

    Raises:
        ArchiveError: the database cannot be written.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("UPDATE state SET generation = generation + 1")
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError):
            raise ArchiveError(
                f"the archive cannot be written ({error}); make room or let it be written, then run the command again"
            ) from error
        raise


def state(connection: sqlite3.Connection) -> tuple[str, int]:
    """Return what tells an archive from one that takes its place, and a number that grows with every transaction."""
    archive, generation = connection.execute("SELECT archive, generation FROM state").fetchone()
    return str(archive), int(generation)


def uploads_folder(db: Path) -> Path:
    """Return the folder of an archive's uploads: ``archive.uploads`` beside ``archive.sqlite``."""
    return db.resolve().with_suffix(".uploads")
