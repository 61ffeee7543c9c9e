"""The distinct names of an archive: lists with counts, and names that sound or look like what was asked for."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import process
from rapidfuzz.distance import OSA

from spner.archive.fold import fold
from spner.archive.store import generation

MAX_SIMILAR = 20  # names
MIN_LETTERS = 3  # shorter words are similar to too many


@dataclass(frozen=True, slots=True)
class Name:
    """A name with its label, how often it is mentioned, and its id in the authority file, if it has one."""

    label: str
    text: str
    num_mentions: int
    authority: str | None = None


def list_names(
    connection: sqlite3.Connection, *, part: str = "", label: str | None = None, limit: int = 100
) -> list[Name]:
    """Return names, the most mentioned first.

    Args:
        connection: the archive.
        part: of the name, folded; empty takes all.
        label: of the names; None takes all.
        limit: how many.
    """
    conditions, values = ["1"], []
    if folded := fold(part):
        if len(folded) < 3:  # trigrams know nothing of less
            conditions.append("folded LIKE ? || '%'")
            values.append(folded)
        else:
            conditions.append("id IN (SELECT rowid FROM name_parts WHERE name_parts MATCH ?)")
            values.append(quote_phrase(folded))
    if label:
        conditions.append("label = ?")
        values.append(label)
    rows = connection.execute(
        f"SELECT label, text, num_mentions, authority FROM name WHERE {' AND '.join(conditions)} "
        "ORDER BY num_mentions DESC, text LIMIT ?",
        (*values, limit),
    )
    return [Name(*row) for row in rows]


def list_labels(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the labels with the number of their mentions, the most frequent first."""
    return dict(connection.execute("SELECT label, sum(num_mentions) FROM name GROUP BY label ORDER BY 2 DESC, 1"))


def quote_phrase(words: str) -> str:
    """Return words as a phrase of SQLite's query language, in which nothing else has a meaning."""
    return '"' + words.replace('"', '""').replace("\0", " ") + '"'


def find_similar(connection: sqlite3.Connection, query: str) -> list[int]:
    """Return the ids of names of which the whole, or one word, is nearly the query; the nearest first.

    One letter may differ, two of eight, three of twelve. Names that are or contain the query are not among them.
    """
    folded = fold(query)
    if len(folded) < MIN_LETTERS:
        return []
    forms, owners = _read_forms(connection)
    found = process.extract(
        folded,
        forms,
        scorer=OSA.distance,
        processor=None,
        score_cutoff=1 + (len(folded) >= 8) + (len(folded) >= 12),
        limit=10 * MAX_SIMILAR,
    )
    near: dict[int, float] = {}
    for _, distance, place in found:
        for name in owners[place]:
            near[name] = min(distance, near.get(name, distance))
    return [name for name in sorted(near, key=lambda one: (near[one], one)) if near[name] > 0][:MAX_SIMILAR]


_kept: dict[str, tuple[int, Sequence[str], Sequence[Sequence[int]]]] = {}


def _read_forms(connection: sqlite3.Connection) -> tuple[Sequence[str], Sequence[Sequence[int]]]:
    """Return the folded names and their words, and whose each is; read again when the archive has changed."""
    path = str(connection.execute("PRAGMA database_list").fetchone()[2])
    now = generation(connection)
    if path not in _kept or _kept[path][0] != now:
        owners: dict[str, list[int]] = {}
        for name, folded in connection.execute("SELECT id, folded FROM name"):
            for form in {folded, *folded.split()}:
                if len(form) >= MIN_LETTERS - 1:
                    owners.setdefault(form, []).append(name)
        _kept[path] = (now, list(owners), list(owners.values()))
    return _kept[path][1:]
