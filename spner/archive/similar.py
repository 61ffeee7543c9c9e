"""Names that are nearly what was asked for, as recognisers mishear them."""

import sqlite3
import threading
from dataclasses import dataclass, field, replace

from rapidfuzz import process
from rapidfuzz.distance import OSA

from spner.archive.fold import fold
from spner.archive.store import state

MAX_SIMILAR = 20  # names
MIN_LETTERS = 3  # shorter words are similar to too many


def find_similar(connection: sqlite3.Connection, query: str) -> list[int]:
    """Return the ids of names of which the whole, or one word, is nearly the query; the nearest first.

    One letter may differ, two of eight, three of twelve. Names that are or contain the query are not among them.
    """
    folded = fold(query)
    if len(folded) < MIN_LETTERS:
        return []
    known = read_forms(connection)
    found = process.extract(
        folded,
        known.forms,
        scorer=OSA.distance,
        processor=None,
        score_cutoff=1 + (len(folded) >= 8) + (len(folded) >= 12),
        limit=None,
    )
    near: dict[int, float] = {}
    for _, distance, place in found:  # the nearest first
        near.setdefault(int(known.ids[place]), distance)
    return [name for name in sorted(near, key=lambda one: (near[one], one)) if near[name] > 0][:MAX_SIMILAR]


@dataclass(frozen=True)
class Forms:
    """The names of an archive as they are compared.

    Attributes:
        forms: folded names, and the words of those with several.
        ids: of each one's name, in digits.
        num_names: how many names.
        last: the highest id.
        state: of the archive.
    """

    forms: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    num_names: int = 0
    last: int = 0
    state: tuple[str, int] = ("", 0)


_kept: dict[str, Forms] = {}
_turn = threading.Lock()  # of many threads that find the archive changed, one reads


def read_forms(connection: sqlite3.Connection) -> Forms:
    """Return the names of an archive; once read, only those that are new are read, or all where one is gone."""
    path = str(connection.execute("PRAGMA database_list").fetchone()[2])
    with _turn:
        known = _kept.get(path, Forms())
        now = state(connection)
        if known.state != now:
            (still_there,) = connection.execute("SELECT count(*) FROM name WHERE id <= ?", (known.last,)).fetchone()
            grown = known.state[0] == now[0] and still_there == known.num_names
            known = _kept[path] = _read_new(connection, known if grown else Forms(), now)
        return known


def _read_new(connection: sqlite3.Connection, known: Forms, now: tuple[str, int]) -> Forms:
    """Return what is known with the names behind it; ids grow, and none is given twice."""
    ids_text, forms_text, last = connection.execute(  # two long texts: rows would take twice the time
        "SELECT group_concat(id), group_concat(folded, char(10)), max(id) FROM name WHERE id > ?", (known.last,)
    ).fetchone()
    if last is None:
        return replace(known, state=now)
    ids, forms = ids_text.split(","), forms_text.split("\n")
    several = [(word, name) for name, form in zip(ids, forms, strict=True) if " " in form for word in form.split()]
    return Forms(
        [*known.forms, *forms, *(word for word, _ in several)],
        [*known.ids, *ids, *(name for _, name in several)],
        known.num_names + len(ids),
        last,
        now,
    )
