"""``spner forget``: takes every trace of a recording out of the archive, out of the bytes of its files, too."""

import sqlite3
from pathlib import Path

from spner.archive.rows import remove_recording
from spner.archive.store import transaction, uploads_folder
from spner.core.errors import SpnerError, nearest


def forget(connection: sqlite3.Connection, db: Path, recording: str) -> Path | None:
    """Remove a recording; return the path of its file, which stays, or None: an upload is removed, too.

    Args:
        connection: the archive.
        db: its file.
        recording: title or path.

    Raises:
        SpnerError: the archive has none of that name or several, or another process keeps the old bytes.
    """
    path = str(Path(recording).resolve())
    rows = connection.execute(
        "SELECT id, path FROM recording WHERE title = ? OR path = ?", (recording, path)
    ).fetchall()
    rows = [row for row in rows if row[1] == path] or rows
    if not rows:
        titles = [title for (title,) in connection.execute("SELECT title FROM recording")]
        raise SpnerError(f"{recording}: is not in the archive{nearest(recording, titles)}")
    if len(rows) > 1:
        raise SpnerError(f"{recording}: names {len(rows)} recordings; give the path of one, such as {rows[0][1]}")
    number, path = rows[0]
    with transaction(connection):
        remove_recording(connection, number)
        for index in ("segment_words", "name_words", "name_parts"):  # deleted words lie in them until they are merged
            connection.execute(f"INSERT INTO {index} ({index}) VALUES ('optimize')")
    try:
        connection.execute("VACUUM")
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError as error:
        raise _still_there(recording) from error
    if busy:
        raise _still_there(recording)
    file = Path(path)
    if file.parent == uploads_folder(db):
        file.unlink(missing_ok=True)
        return None
    return file


def _still_there(recording: str) -> SpnerError:
    return SpnerError(
        f"{recording}: is out of the archive, but its old bytes are still in the file, which another process uses; "
        "they leave it with the next recording that is forgotten"
    )
