"""Searching: words, labels, confidences, parts and misspelt names, and where the hit is."""

import json
import math
import sqlite3
from pathlib import Path

import pytest

from spner.archive.rows import add_recording
from spner.archive.search import PART, SIMILAR, WORDS, Hit, Query, search
from spner.archive.store import transaction
from spner.archive.text import hits_to_json, nothing_found, show_hits, snippet
from spner.core.errors import SpnerError
from tests.archive.talks import source, talk


@pytest.fixture(autouse=True)
def talks(archive: sqlite3.Connection) -> None:
    with transaction(archive):
        add_recording(
            archive,
            source("a.wav"),
            talk("gisteren sprak <PER> Angela Merkel </NE> in <LOC> München </NE>", "de vis zwemt in het water"),
        )
        add_recording(archive, source("b.wav"), talk("<PER> Merkel </NE> merken niets", confidence=0.4))
        add_recording(archive, source("c.wav"), talk("de <ORG> Bundesbank </NE> en <ORG> Daimler Benz </NE>"))


def found(archive: sqlite3.Connection, text: str = "", **asked: object) -> list[tuple[str, str, str, float]]:
    return [(hit.kind, hit.title, hit.found, hit.start_s) for hit in search(archive, Query(text, **asked))]  # type: ignore[arg-type]


def test_words_are_found_where_they_are_spoken(archive: sqlite3.Connection) -> None:
    assert found(archive, "ZWEMT") == [(WORDS, "a.wav", "zwemt", 11.0)]
    assert found(archive, "vis water") == [(WORDS, "a.wav", "vis", 10.5)]
    assert found(archive, '"water vis"') == [] and found(archive, '"vis zwemt"')[0][2] == "vis zwemt"
    assert found(archive, "munchen") == [(WORDS, "a.wav", "München", 2.5)]
    assert found(archive, "vis merkel") == []


def test_all_kinds_in_their_order(archive: sqlite3.Connection) -> None:
    assert found(archive, "merkel") == [(WORDS, "a.wav", "Merkel", 1.5), (WORDS, "b.wav", "Merkel", 0.0)]
    assert found(archive, "bank") == [(PART, "c.wav", "Bundesbank", 0.5)]
    assert found(archive, "merckel") == [(SIMILAR, "a.wav", "Angela Merkel", 1.0), (SIMILAR, "b.wav", "Merkel", 0.0)]
    assert found(archive, "angela merckel") == [(SIMILAR, "a.wav", "Angela Merkel", 1.0)]
    assert found(archive, "daimlerbenz") == [(SIMILAR, "c.wav", "Daimler Benz", 1.5)]
    # another word that is nearly a name hides no mention of the name
    assert [hit[:3] for hit in found(archive, "merken")] == [
        (WORDS, "b.wav", "merken"),
        (SIMILAR, "a.wav", "Angela Merkel"),
        (SIMILAR, "b.wav", "Merkel"),
    ]


def test_labels_and_confidences_find_names_alone(archive: sqlite3.Connection) -> None:
    assert found(archive, label="PER") == [(WORDS, "a.wav", "Angela Merkel", 1.0), (WORDS, "b.wav", "Merkel", 0.0)]
    assert found(archive, "merkel", label="PER", min_confidence=0.5) == [(WORDS, "a.wav", "Angela Merkel", 1.0)]
    assert found(archive, "merkel", label="ORG") == [] and found(archive, "vis", label="PER") == []
    assert len(found(archive, min_confidence=0.5)) == 4
    assert len(found(archive, label="ORG", limit=1)) == 1


@pytest.mark.parametrize("text", ['"', "\x00", "***", "AND", "a OR", "NEAR(", "text:x", "^", "'; DROP TABLE", "-vis"])
def test_the_query_language_of_sqlite_has_no_meaning(archive: sqlite3.Connection, text: str) -> None:
    try:
        assert {hit[0] for hit in found(archive, text)} <= {WORDS, PART, SIMILAR}
    except SpnerError as error:
        assert "no letter and no digit" in str(error)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"text": "  "},
        {"text": "x" * 201},
        {"text": "x", "limit": 0},
        {"text": "?"},
        {"text": "x", "min_confidence": math.nan},
    ],
)
def test_queries_that_cannot_be_are_refused(asked: dict[str, object]) -> None:
    with pytest.raises(SpnerError, match="^search: "):
        Query(**asked)  # type: ignore[arg-type]


def test_lines_show_recording_second_and_words_around(archive: sqlite3.Connection) -> None:
    exact = search(archive, Query("munchen"))
    assert list(show_hits(exact, "munchen")) == [
        "/recordings/a.wav  00:00:02.5  gisteren sprak [PER Angela Merkel] in [LOC München]"
    ]
    assert list(show_hits(search(archive, Query("bundesbenk")), "bundesbenk"))[0] == 'nearly as "bundesbenk":'
    (line,) = hits_to_json(exact)
    record = json.loads(line)
    assert (record["path"], record["found"], record["start_s"]) == ("/recordings/a.wav", "München", 2.5)
    assert [entity["label"] for entity in record["entities"]] == ["PER", "LOC"]


def test_a_file_name_breaks_no_line() -> None:
    hit = Hit(WORDS, 1, "t", "/a\nb\x1b[31m.wav", 0.0, 1.0, "Ada", 0, 3)
    assert list(show_hits([hit], "ada")) == ["/a?b?[31m.wav  00:00:00.0  Ada"]


def test_labels_that_no_name_has_are_told() -> None:
    assert nothing_found("PER", {"PER": 1}) == nothing_found(None, {}) == "nothing was found"
    told = 'nothing was found: no name has the label "per" (expected one of PER, LOC)'
    assert nothing_found("per", {"PER": 2, "LOC": 1}) == told


ODD = ("😀", '"', "NEAR(", "-", "*", "NEAR(a b)", "l'Oréal", "<b>X</b>", "İstanbul", "日本", "x" * 5000)


def test_odd_names_are_found_as_they_are_written(archive: sqlite3.Connection) -> None:
    with transaction(archive):
        add_recording(archive, source("odd.wav"), talk(*(f"<PER> {name} </NE> praat" for name in ODD), name="odd.wav"))
    for name in ODD[5:10]:
        assert name in [hit[2] for hit in found(archive, name, label="PER")]
    assert found(archive, "istambul", label="PER")[0][2] == "İstanbul"
    assert [hit[2] for hit in found(archive, "praat")] == ["praat"] * len(ODD)


def test_long_segments_are_cut_at_words() -> None:
    text = f"{'een ' * 30}Ada {'twee ' * 30}".strip()
    start = text.index("Ada")
    entity = {"label": "PER", "text": "Ada", "start_char": start, "end_char": start + 3}
    hit = Hit(WORDS, 1, "t", "/t", 0.0, 1.0, text, start, start + 3, [entity])
    assert snippet(hit) == f"… {'een ' * 10}[PER Ada]{' twee' * 8} …"
    assert snippet(Hit(WORDS, 1, "t", "/t", 0.0, 1.0, "x" * 300, 100, 103)) == "x" * 300


def test_names_may_be_a_letter_wrong(archive: sqlite3.Connection, tmp_path: Path) -> None:
    for wrong in ("merkl", "mrekel", "xerkel", "Mérkell"):
        assert {hit[1] for hit in found(archive, wrong, label="PER")} == {"a.wav", "b.wav"}
    assert found(archive, "mirkil") == []
