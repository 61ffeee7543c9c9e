"""A tagged recording <-> its rows; every function runs inside the caller's transaction."""

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spner.archive.fold import fold
from spner.tag.tagged import Entity, Tagged, TaggedSegment, Word


@dataclass(frozen=True)
class Source:
    """The file of a recording.

    Attributes:
        path: absolute.
        title: what people see.
        size: bytes.
        mtime_ns: when it was changed.
        digest: SHA-256 of its content.
    """

    path: Path
    title: str
    size: int
    mtime_ns: int
    digest: str


def add_recording(connection: sqlite3.Connection, source: Source, tagged: Tagged) -> int:
    """Add a recording in place of one with the same path; return its id."""
    return add_recordings(connection, [(source, tagged)])[0]


def add_recordings(connection: sqlite3.Connection, found: Sequence[tuple[Source, Tagged]]) -> list[int]:
    """Add recordings, each in place of one with the same path; return their ids.

    Many at once are twice as fast as one after another: a name that they share is looked up once.
    """
    recordings = [_add_source(connection, source, tagged) for source, tagged in found]
    (first,) = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM segment").fetchone()
    segments = [
        (recording, segment)
        for recording, (_, tagged) in zip(recordings, found, strict=True)
        for segment in tagged.segments
    ]
    connection.executemany(
        "INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (number, recording, one.start_s, one.end_s, one.text, one.speaker, _dump_words(one))
            for number, (recording, one) in enumerate(segments, first)
        ),
    )
    connection.execute("INSERT INTO segment_words (rowid, text) SELECT id, text FROM segment WHERE id >= ?", (first,))
    names = _add_names(
        connection, Counter((one.label, one.text) for _, segment in segments for one in segment.entities)
    )
    connection.executemany(
        "INSERT INTO mention (segment, name, label, start_s, end_s, start_char, end_char, confidence) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                number,
                names[one.label, one.text],
                one.label,
                one.start_s,
                one.end_s,
                one.start_char,
                one.end_char,
                one.confidence,
            )
            for number, (_, segment) in enumerate(segments, first)
            for one in segment.entities
        ),
    )
    return recordings


def _add_source(connection: sqlite3.Connection, source: Source, tagged: Tagged) -> int:
    """Add the row of a recording in place of one with the same path."""
    path = str(source.path)
    for (old,) in connection.execute("SELECT id FROM recording WHERE path = ?", (path,)).fetchall():
        remove_recording(connection, old)
    (number,) = connection.execute(
        "INSERT INTO recording (path, title, size, mtime_ns, digest, duration_s, lang) VALUES (?, ?, ?, ?, ?, ?, ?) "
        "RETURNING id",
        (path, source.title, source.size, source.mtime_ns, source.digest, tagged.duration_s, tagged.lang),
    ).fetchone()
    return int(number)


def _dump_words(segment: TaggedSegment) -> str:
    """Return the words as JSON; formatted by hand, which takes half of json's time."""
    if any(word.confidence is None for word in segment.words):
        return json.dumps([(w.start_char, w.end_char, w.start_s, w.end_s, w.confidence) for w in segment.words])
    form = "[%d,%d,%.3f,%.3f,%.4f]"
    rows = [form % (w.start_char, w.end_char, w.start_s, w.end_s, w.confidence) for w in segment.words]  # noqa: UP031
    return f"[{','.join(rows)}]"


def _add_names(connection: sqlite3.Connection, counts: Counter[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Count mentions of labels with names; names that are new join the indexes. Return the names' ids."""
    ids = {}
    for name in counts:
        for (number,) in connection.execute("SELECT id FROM name WHERE label = ? AND text = ?", name):
            ids[name] = number
    connection.executemany(
        "UPDATE name SET num_mentions = num_mentions + ? WHERE id = ?", [(counts[name], ids[name]) for name in ids]
    )
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM name").fetchone()
    connection.executemany(
        "INSERT INTO name (label, text, folded, num_mentions, authority) "
        "VALUES (?1, ?2, ?3, ?4, (SELECT id FROM authority WHERE folded = ?3))",
        [(*name, fold(name[1]), counts[name]) for name in sorted(counts.keys() - ids.keys())],
    )
    new = connection.execute("SELECT id, label, text FROM name WHERE id > ?", (last,))
    ids |= {(label, text): number for number, label, text in new}
    for index, column in (("name_words", "text"), ("name_parts", "folded")):
        connection.execute(f"INSERT INTO {index} (rowid, {column}) SELECT id, {column} FROM name WHERE id > ?", (last,))
    return ids


def remove_recording(connection: sqlite3.Connection, recording: int) -> None:
    """Remove a recording, its segments and mentions, and names that nothing else mentions."""
    of_it = "(SELECT id FROM segment WHERE recording = :id)"
    given = {"id": recording}
    connection.execute(
        "UPDATE name SET num_mentions = num_mentions - gone.count FROM "
        f"(SELECT name, count(*) AS count FROM mention WHERE segment IN {of_it} GROUP BY name) AS gone "
        "WHERE name.id = gone.name",
        given,
    )
    connection.execute(f"DELETE FROM mention WHERE segment IN {of_it}", given)
    for index, column in (("name_words", "text"), ("name_parts", "folded")):
        connection.execute(
            f"INSERT INTO {index} ({index}, rowid, {column}) SELECT 'delete', id, {column} FROM name "
            "WHERE num_mentions = 0"
        )
    connection.execute("DELETE FROM name WHERE num_mentions = 0")
    connection.execute(
        "INSERT INTO segment_words (segment_words, rowid, text) SELECT 'delete', id, text FROM segment "
        "WHERE recording = :id",
        given,
    )
    connection.execute("DELETE FROM segment WHERE recording = :id", given)
    connection.execute("DELETE FROM recording WHERE id = :id", given)


def read_recording(connection: sqlite3.Connection, recording: int) -> Tagged | None:
    """Return what was found in a recording, by its title; None where there is none of this id."""
    head = connection.execute("SELECT title, duration_s, lang FROM recording WHERE id = ?", (recording,)).fetchone()
    if head is None:
        return None
    entities: dict[int, list[Entity]] = {}
    for segment, label, text, *rest in connection.execute(
        "SELECT mention.segment, mention.label, name.text, mention.start_s, mention.end_s, start_char, end_char, "
        "confidence FROM segment JOIN mention ON mention.segment = segment.id JOIN name ON name.id = mention.name "
        "WHERE segment.recording = ? ORDER BY mention.id",
        (recording,),
    ):
        entities.setdefault(segment, []).append(Entity(label, text, *rest))
    rows = connection.execute(
        "SELECT id, text, words, speaker FROM segment WHERE recording = ? ORDER BY id", (recording,)
    )
    segments = tuple(
        TaggedSegment(text, _load_words(text, words, speaker), tuple(entities.get(number, ())))
        for number, text, words, speaker in rows
    )
    return Tagged(head[0], head[1], segments, head[2])


def _load_words(text: str, words: str, speaker: str | None) -> tuple[Word, ...]:
    return tuple(
        Word(text[start_char:end_char], start_s, end_s, start_char, end_char, confidence, speaker)
        for start_char, end_char, start_s, end_s, confidence in json.loads(words)
    )
