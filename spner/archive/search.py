"""``spner search``: words, names and labels -> where they are spoken.

Three kinds of hits, in this order: what has the words asked for, names that contain them as a part, names that are
nearly them. Within a kind hits come in the order of the recordings and of time.
"""

import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from spner.archive.fold import fold
from spner.archive.names import quote_phrase
from spner.archive.similar import find_similar
from spner.core.errors import SpnerError

WORDS, PART, SIMILAR = "words", "part", "similar"
MAX_HITS = 1000
MAX_QUERY = 200  # characters
OPEN, CLOSE = "\x02", "\x03"  # around what the full-text index has found; no text of an archive has them


@dataclass(frozen=True)
class Query:
    """What is asked for.

    Attributes:
        text: words, which must all be there; those in double quotes must follow each other. Or an authority's id.
        label: of the names; without it, and without a confidence, any words are found.
        min_confidence: of the names; those without any are found, too.
        limit: how many hits.

    Raises:
        SpnerError: nothing is asked for, too much, a confidence that cannot be, or words without a letter.
    """

    text: str = ""
    label: str | None = None
    min_confidence: float = 0.0
    limit: int = 50

    def __post_init__(self) -> None:
        if not self.text.strip() and not self.label and not self.min_confidence:
            raise SpnerError("search: nothing is asked for (expected words, a label or a confidence)")
        if not 0 <= self.min_confidence <= 1:
            raise SpnerError("search: confidences lie between 0 and 1")
        if len(self.text) > MAX_QUERY or not 1 <= self.limit <= MAX_HITS:
            raise SpnerError(f"search: at most {MAX_QUERY} characters and {MAX_HITS} hits")
        if self.text.strip() and not self.match:
            raise SpnerError("search: the words hold no letter and no digit")

    @property
    def match(self) -> str:
        """The words in SQLite's query language."""
        phrases = (quoted or word for quoted, word in re.findall(r'"([^"]*)"?|([^\s"]+)', self.text))
        return " ".join(quote_phrase(phrase) for phrase in phrases if fold(phrase))

    @property
    def names_only(self) -> bool:
        """Whether words outside of names are left out."""
        return bool(self.label or self.min_confidence)


@dataclass(frozen=True)
class Hit:
    """A place in a recording.

    Attributes:
        kind: how it was found.
        recording: id.
        title, path: of the recording.
        start_s, end_s: when the words, or the name, are spoken.
        text: of the segment.
        start_char, end_char: of the words or the name in it.
        entities: of the segment: label, text, start_char, end_char, confidence, authority.
    """

    kind: str
    recording: int
    title: str
    path: str
    start_s: float
    end_s: float
    text: str
    start_char: int
    end_char: int
    entities: list[dict[str, Any]] = field(default_factory=list)

    @property
    def found(self) -> str:
        """The words or the name."""
        return self.text[self.start_char : self.end_char]


PLACE = "recording.id, recording.title, recording.path"
MENTIONS = (
    f"SELECT {PLACE}, mention.start_s, mention.end_s, segment.text, mention.start_char, mention.end_char, segment.id "
    "FROM mention JOIN segment ON segment.id = mention.segment JOIN recording ON recording.id = segment.recording "
)
WITH_WORDS = "id IN (SELECT rowid FROM name_words WHERE name_words MATCH ?)"
WITH_PART = "id IN (SELECT rowid FROM name_parts WHERE name_parts MATCH ?)"


def search(connection: sqlite3.Connection, query: Query) -> list[Hit]:
    """Return the hits of a query, at most its limit."""
    seen: set[tuple[int, float]] = set()
    hits: list[tuple[int, Hit]] = []
    for found in _kinds(connection, query):
        for segment, hit in found:
            place = (segment, hit.start_s)
            if place not in seen:
                seen.add(place)
                hits.append((segment, hit))
            if len(hits) == query.limit:
                break
        if len(hits) == query.limit:
            break
    _add_entities(connection, hits)
    return [hit for _, hit in hits]


def _kinds(connection: sqlite3.Connection, query: Query) -> Iterator[Iterator[tuple[int, Hit]]]:
    if not query.text.strip():
        yield _find_mentions(connection, query)
        return
    if query.names_only:
        yield _find_names(connection, query, WORDS, WITH_WORDS, query.match)
    else:
        yield _find_words(connection, query)
    yield _find_names(connection, query, WORDS, "authority = ?", query.text.strip())
    folded = fold(query.text)
    if len(folded) >= 3:  # trigrams know nothing of less
        parts = f"{WITH_PART} AND NOT {WITH_WORDS}"
        yield _find_names(connection, query, PART, parts, quote_phrase(folded), query.match)
    for name in find_similar(connection, query.text):
        yield _find_names(connection, query, SIMILAR, "id = ?", name)


def _find_names(
    connection: sqlite3.Connection, query: Query, kind: str, names: str, *values: object
) -> Iterator[tuple[int, Hit]]:
    """Yield the mentions of the names that fulfil a condition."""
    if query.label:
        names, values = f"{names} AND label = ?", (*values, query.label)
    return _read_mentions(connection, query, kind, [f"name IN (SELECT id FROM name WHERE {names})"], values)


def _find_mentions(connection: sqlite3.Connection, query: Query) -> Iterator[tuple[int, Hit]]:
    """Yield the mentions of the label, whatever the name."""
    given = (query.label,) if query.label else ()
    return _read_mentions(connection, query, WORDS, ["label = ?"] if given else [], given)


def _read_mentions(
    connection: sqlite3.Connection, query: Query, kind: str, conditions: Sequence[str], values: Sequence[object]
) -> Iterator[tuple[int, Hit]]:
    """Yield mentions with their segments' ids; they are chosen by indexes alone, then those few are read."""
    if query.min_confidence:
        conditions = [*conditions, "(confidence IS NULL OR confidence >= ?)"]
        values = (*values, query.min_confidence)
    chosen = f"SELECT id FROM mention WHERE {' AND '.join(conditions)} ORDER BY id LIMIT ?"
    rows = connection.execute(
        f"{MENTIONS} WHERE mention.id IN ({chosen}) ORDER BY mention.id", (*values, query.limit + MAX_HITS)
    )
    for *place, segment in rows:
        yield segment, Hit(kind, *place)


def _find_words(connection: sqlite3.Connection, query: Query) -> Iterator[tuple[int, Hit]]:
    """Yield the segments that have the words, at the first of them."""
    rows = connection.execute(
        f"SELECT {PLACE}, segment.id, segment.text, segment.words, highlight(segment_words, 0, ?, ?) "
        "FROM segment_words JOIN segment ON segment.id = segment_words.rowid "
        "JOIN recording ON recording.id = segment.recording "
        "WHERE segment_words MATCH ? ORDER BY segment_words.rowid LIMIT ?",
        (OPEN, CLOSE, query.match, query.limit),
    )
    for recording, title, path, segment, text, words, marked in rows:
        start_char = marked.index(OPEN)
        end_char = marked.index(CLOSE) - 1
        inside = [word for word in json.loads(words) if word[0] < end_char and start_char < word[1]]
        start_s, end_s = inside[0][2], inside[-1][3]
        yield segment, Hit(WORDS, recording, title, path, start_s, end_s, text, start_char, end_char)


def _add_entities(connection: sqlite3.Connection, hits: Sequence[tuple[int, Hit]]) -> None:
    """Add to each hit the names of its segment."""
    by_segment: dict[int, list[dict[str, Any]]] = {segment: [] for segment, _ in hits}
    rows = connection.execute(
        "SELECT mention.segment, mention.label, name.text, start_char, end_char, start_s, end_s, confidence, authority "
        "FROM mention JOIN name ON name.id = mention.name "
        f"WHERE mention.segment IN ({','.join('?' * len(by_segment))}) ORDER BY mention.id",
        tuple(by_segment),
    )
    keys = ("label", "text", "start_char", "end_char", "start", "end", "score", "id")
    for segment, *values in rows:
        by_segment[segment].append({key: value for key, value in zip(keys, values, strict=True) if value is not None})
    for segment, hit in hits:
        hit.entities.extend(by_segment[segment])
