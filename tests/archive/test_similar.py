"""Names that are kept in memory follow the archive."""

import sqlite3
from pathlib import Path

from spner.archive.rows import add_recording, remove_recording
from spner.archive.search import Query, search
from spner.archive.similar import read_forms
from spner.archive.store import open_archive, transaction
from tests.archive.talks import source, talk


def add(archive: sqlite3.Connection, name: str, text: str) -> int:
    with transaction(archive):
        return add_recording(archive, source(name), talk(text))


def found(archive: sqlite3.Connection, text: str) -> list[str]:
    return [hit.found for hit in search(archive, Query(text))]


def test_names_that_come_and_go_are_found_and_not(archive: sqlite3.Connection) -> None:
    assert found(archive, "merckel") == []
    first = add(archive, "a.wav", "<PER> Angela Merkel </NE> praat")
    assert found(archive, "merckel") == ["Angela Merkel"]
    second = add(archive, "b.wav", "<PER> Merkel </NE> praat met <PER> Ada Berg </NE>")
    assert found(archive, "merckel") == ["Angela Merkel", "Merkel"] and found(archive, "adaberg") == ["Ada Berg"]
    with transaction(archive):
        remove_recording(archive, second)
    third = add(archive, "c.wav", "<PER> Rumpel Stilz </NE> zingt")
    assert found(archive, "merckel") == ["Angela Merkel"] and found(archive, "adaberg") == []
    assert found(archive, "rumpl") == ["Rumpel Stilz"]
    for number in (first, third):
        with transaction(archive):
            remove_recording(archive, number)
    assert found(archive, "rumpl") == []
    assert read_forms(archive).forms == [], "what was forgotten is kept nowhere"


def test_only_new_names_are_read(archive: sqlite3.Connection) -> None:
    add(archive, "a.wav", "<PER> Angela Merkel </NE> praat")
    before = read_forms(archive)
    assert before.forms == ["angela merkel", "angela", "merkel"] and before.num_names == 1
    add(archive, "b.wav", "<PER> Angela Merkel </NE> kent <PER> Bob </NE>")
    asked: list[str] = []
    archive.set_trace_callback(asked.append)
    after = read_forms(archive)
    archive.set_trace_callback(None)
    assert after.forms == [*before.forms, "bob"] and after.ids[:3] == before.ids
    assert f"WHERE id > {before.last}" in asked[-1]
    assert read_forms(archive) is after


def test_another_archive_in_the_place_of_one_has_its_own_names(db: Path) -> None:
    for name, wrong in (("Merkel", "merckel"), ("Thatcher", "thacher")):
        for file in db.parent.glob("archive.sqlite*"):
            file.unlink()
        with open_archive(db, create=True) as archive:
            add(archive, "a.wav", f"<PER> {name} </NE>")
            assert found(archive, wrong) == [name] and len(read_forms(archive).forms) == 1
