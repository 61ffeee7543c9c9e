"""Rows of the archive: what goes in comes out, counts of names are right, nothing half is left."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from spner.archive.forget import forget
from spner.archive.names import list_labels, list_names
from spner.archive.rows import add_recording, add_recordings, read_recording, remove_recording
from spner.archive.search import Query, search
from spner.archive.store import ArchiveError, open_archive, transaction
from spner.core.errors import SpnerError
from spner.tag.tagged import Tagged
from tests.archive.talks import source, talk

TABLES = ("recording", "segment", "mention", "name", "segment_words", "name_words", "name_parts")


def counts(archive: sqlite3.Connection) -> list[int]:
    return [archive.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES]


def check_indexes(archive: sqlite3.Connection) -> None:
    """The full-text indexes say what the tables say."""
    for index in TABLES[4:]:
        archive.execute(f"INSERT INTO {index} ({index}, rank) VALUES ('integrity-check', 1)")


def test_what_goes_in_comes_out(archive: sqlite3.Connection) -> None:
    given = talk("<PER> Ada </NE> kent <LOC> Den Haag </NE>", "en <PER> Ada </NE> slaapt")
    with transaction(archive):
        number = add_recording(archive, source(), given)
    assert read_recording(archive, number) == given
    assert read_recording(archive, number + 1) is None


def test_words_without_a_confidence_have_none_afterwards(archive: sqlite3.Connection) -> None:
    (one,) = talk("<PER> Ada </NE> praat").segments
    words = (replace(one.words[0], confidence=None), one.words[1])
    given = Tagged("talk.wav", 10.0, (replace(one, words=words),), "nl")
    with transaction(archive):
        assert read_recording(archive, add_recording(archive, source(), given)) == given


def test_names_are_counted_and_leave_with_their_last_mention(archive: sqlite3.Connection) -> None:
    with transaction(archive):
        first = add_recording(archive, source("a.wav"), talk("<PER> Ada </NE> en <PER> Ada </NE>", "<ORG> Ada </NE>"))
        second = add_recording(archive, source("b.wav"), talk("<PER> Ada </NE> en <PER> Bob </NE>"))
    named = [(name.label, name.text, name.num_mentions) for name in list_names(archive)]
    assert named == [("PER", "Ada", 3), ("ORG", "Ada", 1), ("PER", "Bob", 1)]
    assert list_labels(archive) == {"PER": 4, "ORG": 1}
    with transaction(archive):
        remove_recording(archive, first)
    assert [(name.text, name.num_mentions) for name in list_names(archive)] == [("Ada", 1), ("Bob", 1)]
    check_indexes(archive)
    with transaction(archive):
        remove_recording(archive, second)
    assert counts(archive) == [0] * 7
    check_indexes(archive)


def test_many_at_once_are_as_one_after_another(archive: sqlite3.Connection, tmp_path: Path) -> None:
    talks = [
        (source("a.wav"), talk("<PER> Bob </NE> kent <LOC> Gent </NE>", "en <PER> Ada </NE> slaapt")),
        (source("b.wav"), talk("niemand")),
        (source("c.wav"), talk("<PER> Ada </NE> en <ORG> Ada </NE>")),
    ]

    def rows(of: sqlite3.Connection) -> list[list[tuple[object, ...]]]:
        named = "SELECT label, text, folded, num_mentions FROM name ORDER BY 1, 2"
        said = (
            "SELECT segment, mention.label, text, start_s FROM mention JOIN name ON name.id = name ORDER BY mention.id"
        )
        return [of.execute(query).fetchall() for query in (named, said, "SELECT * FROM segment")]

    with open_archive(tmp_path / "other.sqlite", create=True) as other:
        for one in talks:
            with transaction(other):
                add_recording(other, *one)
        with transaction(archive):
            add_recording(archive, talks[2][0], talk("<PER> Eva </NE>"))  # of the same path: leaves
            assert add_recordings(archive, talks) == [2, 3, 4]
        archive.execute("UPDATE segment SET recording = recording - 1")
        assert rows(archive) == rows(other)
        check_indexes(archive)


def test_a_recording_takes_the_place_of_itself(archive: sqlite3.Connection) -> None:
    with transaction(archive):
        old = add_recording(archive, source(), talk("<PER> Ada </NE> praat"))
        new = add_recording(archive, source(), talk("<PER> Bob </NE> slaapt"))
    assert new > old and [name.text for name in list_names(archive)] == ["Bob"]
    assert counts(archive) == [1] * 7
    check_indexes(archive)


def test_names_are_listed_by_part_and_label(archive: sqlite3.Connection) -> None:
    with transaction(archive):
        add_recording(archive, source(), talk("<LOC> Nürnberg </NE> <LOC> Bergen </NE> <PER> Ada Berg </NE>"))

    def names(**asked: str) -> list[str]:
        return [name.text for name in list_names(archive, **asked)]

    assert names(part="NURN") == ["Nürnberg"] and names(part="nü") == ["Nürnberg"]
    assert names(part="berg") == ["Ada Berg", "Bergen", "Nürnberg"]
    assert names(part="berg", label="PER") == ["Ada Berg"] and names(part="x%") == []


def test_a_block_that_fails_leaves_nothing(archive: sqlite3.Connection) -> None:
    with pytest.raises(KeyError), transaction(archive):
        add_recording(archive, source(), talk("<PER> Ada </NE> praat"))
        raise KeyError
    assert counts(archive) == [0] * 7


KILLED = """
import os, sys
from pathlib import Path
from spner.archive.rows import add_recording
from spner.archive.search import Query, search
from spner.archive.store import ArchiveError, open_archive, transaction
from tests.archive.talks import source, talk
with open_archive(Path(sys.argv[1]), create=True) as archive:
    for number in range(3):
        with transaction(archive):
            add_recording(archive, source(f"{number}.wav"), talk(*["<PER> Ada </NE> praat"] * 50))
            if number == 2:
                os.kill(os.getpid(), 9)
"""


def test_a_killed_process_loses_no_finished_recording(db: Path) -> None:
    root = Path(__file__).parents[2]
    killed = subprocess.run([sys.executable, "-c", KILLED, db], cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    assert killed.returncode == -9
    with open_archive(db) as archive:
        assert counts(archive) == [2, 100, 100, 1, 100, 1, 1]
        check_indexes(archive)


def test_a_full_disk_is_told_and_leaves_what_was_there(archive: sqlite3.Connection) -> None:
    with transaction(archive):
        add_recording(archive, source("a.wav"), talk("<PER> Ada </NE> praat"))
    archive.execute(f"PRAGMA max_page_count = {archive.execute('PRAGMA page_count').fetchone()[0] + 4}")
    with pytest.raises(SpnerError, match="cannot be written.*make room"), transaction(archive):
        add_recording(archive, source("b.wav"), talk(*["<PER> Bob </NE> slaapt de hele lange dag"] * 900))
    assert counts(archive) == [1] * 7
    check_indexes(archive)


@pytest.mark.parametrize("content", [b"no database, but long enough to have a header" * 99, b""])
def test_files_that_are_no_archive_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(SpnerError, match="archive"), open_archive(path):
        raise AssertionError
    assert path.read_bytes() == content


@pytest.mark.parametrize(("schema", "message"), [(1, "index the recordings into a new file"), (99, "update spner")])
def test_archives_of_other_schemas_are_refused(db: Path, schema: int, message: str) -> None:
    with open_archive(db, create=True) as archive:
        archive.execute(f"PRAGMA user_version = {schema}")
    with pytest.raises(SpnerError, match=f"has schema {schema}.*{message}"), open_archive(db):
        raise AssertionError


def damage(path: Path) -> None:
    """Overwrite the beginning of every page behind the first, which lists the tables."""
    content = bytearray(path.read_bytes())
    for place in range(4096, len(content), 4096):
        content[place : place + 300] = bytes(300)
    path.write_bytes(content)


def test_a_damaged_archive_is_told_whoever_reads_it(db: Path) -> None:
    with open_archive(db, create=True) as archive, transaction(archive):
        add_recording(archive, source(), talk("<PER> Ada </NE> praat"))
    damage(db)
    calls: list[Callable[[sqlite3.Connection], object]] = [
        list_names,
        list_labels,
        lambda archive: search(archive, Query("ada")),
        lambda archive: read_recording(archive, 1),
        lambda archive: forget(archive, db, "talk.wav"),
        lambda archive: add_recording(archive, source(), talk("een")),
    ]
    for call in calls:
        with pytest.raises(ArchiveError, match="archive.sqlite: is no archive, or damaged.*new file"):
            with open_archive(db) as archive:
                call(archive)


def test_an_archive_that_cannot_be_written_is_told(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_archive(db, create=True):
        pass
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda _path, **given: connect(f"file:{db}?mode=ro", uri=True, **given))
    with pytest.raises(ArchiveError, match="cannot be written.*let it be written"), open_archive(db) as archive:
        with transaction(archive):
            add_recording(archive, source(), talk("een"))
    monkeypatch.setattr(sqlite3, "connect", lambda _path, **given: connect("file:/none?mode=ro", uri=True, **given))
    with pytest.raises(ArchiveError, match="its folder must be writable"), open_archive(db):  # as on a read-only disk
        raise AssertionError


def test_other_databases_are_refused_and_stay(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE recording (id)")
    for create in (False, True):
        with pytest.raises(SpnerError, match="is no archive of spner index"), open_archive(path, create=create):
            raise AssertionError
    with pytest.raises(SpnerError, match="no such archive; spner index makes it"), open_archive(tmp_path / "none"):
        raise AssertionError
    assert not (tmp_path / "none").exists()
