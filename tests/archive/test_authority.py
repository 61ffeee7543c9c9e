"""Ids of names, and the archive as documents of a search cluster."""

import json
import sqlite3
from pathlib import Path

import pytest

from spner.archive.authority import link_names
from spner.archive.names import list_names
from spner.archive.opensearch import IN_A_FILE, export_opensearch
from spner.archive.rows import add_recording
from spner.archive.search import Query, search
from spner.archive.store import transaction
from spner.cli import main
from spner.core.errors import SpnerError
from tests.archive.talks import source, talk


def add(archive: sqlite3.Connection, name: str, *texts: str) -> None:
    with transaction(archive):
        add_recording(archive, source(name), talk(*texts))


def test_names_have_ids_before_and_after(archive: sqlite3.Connection, tmp_path: Path) -> None:
    table = tmp_path / "names.tsv"
    table.write_text("Angela  Merkel\tQ567\n\nmünchen\tQ1726\nmonaco di baviera\tQ1726\n", encoding="utf-8")
    add(archive, "a.wav", "<PER> angela merkel </NE> in <LOC> Munchen </NE>")
    assert link_names(archive, table) == 2
    add(archive, "b.wav", "<LOC> Monaco di Baviera </NE> en <PER> Ada </NE>")
    ids = {name.text: name.authority for name in list_names(archive)}
    assert ids == {"angela merkel": "Q567", "Munchen": "Q1726", "Monaco di Baviera": "Q1726", "Ada": None}
    hits = search(archive, Query("Q1726"))
    assert [(hit.title, hit.found) for hit in hits] == [("a.wav", "Munchen"), ("b.wav", "Monaco di Baviera")]
    assert hits[0].entities[1]["id"] == "Q1726" and "id" not in hits[1].entities[1]
    table.write_text("Ada\tQ7259\n", encoding="utf-8")
    assert link_names(archive, table) == 1 and search(archive, Query("Q1726")) == []


@pytest.mark.parametrize(
    "lines", ["Ada\tQ1\nBob Q2", "Ada\tQ1\n?\tQ2", "Ada\tQ1\nBob\t", "Ada\tQ1\nBob\tQ2\tQ3", "Ada\tQ1\nADA\tQ2"]
)
def test_lines_that_are_no_links_are_refused(archive: sqlite3.Connection, tmp_path: Path, lines: str) -> None:
    (tmp_path / "names.tsv").write_text(lines)
    with pytest.raises(SpnerError, match=r"names\.tsv:2: "):
        link_names(archive, tmp_path / "names.tsv")


def test_documents_for_a_cluster(
    archive: sqlite3.Connection, db: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(archive, "a.wav", "<PER> Ada </NE> praat", "niets")
    main(["export", "--format", "opensearch", "--data", str(db), "--out", str(tmp_path / "bulk")])
    assert capsys.readouterr().out.splitlines() == [
        str(tmp_path / "bulk" / name) for name in ("index.json", "segments_0001.ndjson")
    ]
    mapping = json.loads((tmp_path / "bulk/index.json").read_text())["mappings"]["properties"]
    actions, documents = [], []
    for line in (tmp_path / "bulk/segments_0001.ndjson").read_text().splitlines():
        (documents if len(actions) > len(documents) else actions).append(json.loads(line))
    assert actions == [{"index": {"_index": "spner", "_id": str(number)}} for number in (1, 2)]
    assert documents[0] == {
        "recording": "a.wav",
        "language": "nl",
        "start": 0.0,
        "end": 1.0,
        "text": "Ada praat",
        "entities": [{"label": "PER", "text": "Ada", "start": 0.0, "end": 0.5, "score": 0.9}],
    }
    assert set(documents[0]) <= set(mapping) and documents[1]["entities"] == []
    with pytest.raises(SystemExit) as stop:
        main(["export", "--format", "opensearch", "--gold", "--data", str(db), "--out", str(tmp_path)])
    assert stop.value.code == 2


def test_large_archives_are_several_files(
    archive: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spner.archive.opensearch.IN_A_FILE", 2)
    add(archive, "a.wav", *["ja"] * 5)
    written = export_opensearch(archive, tmp_path)
    assert [len(path.read_text().splitlines()) for path in written[1:]] == [4, 4, 2] and IN_A_FILE == 20_000
