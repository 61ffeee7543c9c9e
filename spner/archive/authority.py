"""An authority file's ids on names: a table ``name<TAB>id``, such as ``Angela Merkel<TAB>Q567``.

Case, diacritics and punctuation of names do not matter. Names that are indexed later get their ids, too.
"""

import sqlite3
from pathlib import Path

from spner.archive.fold import fold
from spner.archive.store import transaction
from spner.core.errors import SpnerError
from spner.core.files import read_lines


def link_names(connection: sqlite3.Connection, table: Path) -> int:
    """Replace the archive's ids by those of a table; return how many of its names have one.

    Raises:
        SpnerError: a line is no name and id, or a name has two ids.
    """
    ids = _read_table(table)
    with transaction(connection):
        connection.execute("DELETE FROM authority")
        connection.executemany("INSERT INTO authority VALUES (?, ?)", ids.items())
        connection.execute(
            "UPDATE name SET authority = (SELECT authority.id FROM authority WHERE authority.folded = name.folded)"
        )
        (count,) = connection.execute("SELECT count(*) FROM name WHERE authority IS NOT NULL").fetchone()
    return int(count)


def _read_table(table: Path) -> dict[str, str]:
    ids: dict[str, str] = {}
    for number, line in enumerate(read_lines(table), start=1):
        name, _, identifier = (part.strip() for part in line.partition("\t"))
        if not line.strip():
            continue
        if not fold(name) or not identifier or "\t" in identifier:
            raise SpnerError(f"{table}:{number}: expected a name, a tab and an id; mend the line")
        if ids.setdefault(fold(name), identifier) != identifier:
            raise SpnerError(f"{table}:{number}: the name has another id in a line before; keep one of them")
    return ids
