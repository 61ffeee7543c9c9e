"""A tagged recording <-> its rows; every function runs inside the caller's transaction."""

import json
import sqlite3
from collections import Counter
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
    found = connection.execute("SELECT id FROM recording WHERE path = ?", (str(source.path),)).fetchone()
    if found:
        remove_recording(connection, found[0])
    recording = connection.execute(
        "INSERT INTO recording (path, title, size, mtime_ns, digest, duration_s, lang) VALUES (?, ?, ?, ?, ?, ?, ?) "
        "RETURNING id",
        (
            str(source.path),
            source.title,
            source.size,
            source.mtime_ns,
            source.digest,
            tagged.duration_s,
            tagged.lang,
        ),
    ).fetchone()[0]
    first = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM segment").fetchone()[0]
    connection.executemany(
        "INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (number, recording, segment.start_s, segment.end_s, segment.text, segment.speaker, _dump_words(segment))
            for number, segment in enumerate(tagged.segments, first)
        ],
    )
    connection.execute("INSERT INTO segment_words (rowid, text) SELECT id, text FROM segment WHERE id >= ?", (first,))
    _add_names(connection, Counter((entity.label, entity.text) for entity in tagged.entities))
    connection.executemany(
        "INSERT INTO mention (segment, name, label, start_s, end_s, start_char, end_char, confidence) "
        "VALUES (?1, (SELECT id FROM name WHERE label = ?2 AND text = ?3), ?2, ?4, ?5, ?6, ?7, ?8)",
        [
            (number, one.label, one.text, one.start_s, one.end_s, one.start_char, one.end_char, one.confidence)
            for number, segment in enumerate(tagged.segments, first)
            for one in segment.entities
        ],
    )
    return int(recording)


def _dump_words(segment: TaggedSegment) -> str:
    """Return the words as JSON; formatted at once, for a word at a time is a quarter of an index's time."""
    if any(word.confidence is None for word in segment.words):
        return json.dumps([(w.start_char, w.end_char, w.start_s, w.end_s, w.confidence) for w in segment.words])
    values = [v for w in segment.words for v in (w.start_char, w.end_char, w.start_s, w.end_s, w.confidence)]
    return f"[{','.join(['[%d,%d,%.3f,%.3f,%.4f]'] * len(segment.words))}]" % tuple(values)  # noqa: UP031


def _add_names(connection: sqlite3.Connection, counts: Counter[tuple[str, str]]) -> None:
    """Count mentions of names; names that are new join the indexes."""
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM name").fetchone()
    connection.executemany(
        "INSERT INTO name (label, text, folded, num_mentions, authority) "
        "VALUES (?1, ?2, ?3, ?4, (SELECT id FROM authority WHERE folded = ?3)) "
        "ON CONFLICT (label, text) DO UPDATE SET num_mentions = num_mentions + excluded.num_mentions",
        [(label, text, fold(text), count) for (label, text), count in sorted(counts.items())],
    )
    for index, column in (("name_words", "text"), ("name_parts", "folded")):
        connection.execute(f"INSERT INTO {index} (rowid, {column}) SELECT id, {column} FROM name WHERE id > ?", (last,))


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
