"""The distinct names of an archive: lists with counts."""

import sqlite3
from dataclasses import dataclass

from spner.archive.fold import fold


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
