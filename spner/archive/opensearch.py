"""An archive -> files for the bulk interface of OpenSearch and Elasticsearch, for collections that outgrow one file.

A segment is a document. ``segments_0001.ndjson`` and so on hold two lines for each: what to do, and the document.
``index.json`` holds settings and mapping of the index.
"""

import json
import sqlite3
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from spner.core.files import atomic_text, write_json

INDEX = "spner"
IN_A_FILE = 20_000  # segments: some 20 MB, clusters take 100 in a request
FOLDED = {"type": "text", "analyzer": "folded"}
SETTINGS = {
    "settings": {
        "analysis": {"analyzer": {"folded": {"tokenizer": "standard", "filter": ["lowercase", "asciifolding"]}}}
    },
    "mappings": {
        "properties": {
            "recording": {"type": "keyword"},
            "language": {"type": "keyword"},
            "speaker": {"type": "keyword"},
            "start": {"type": "double"},
            "end": {"type": "double"},
            "text": FOLDED,
            "entities": {
                "type": "nested",  # a query may ask for label and text of the same name
                "properties": {
                    "label": {"type": "keyword"},
                    "text": {**FOLDED, "fields": {"exact": {"type": "keyword"}}},
                    "id": {"type": "keyword"},
                    "start": {"type": "double"},
                    "end": {"type": "double"},
                    "score": {"type": "float"},
                },
            },
        }
    },
}


def export_opensearch(connection: sqlite3.Connection, out: Path) -> list[Path]:
    """Write the files; return their paths.

    Raises:
        SpnerError: a file cannot be written.
    """
    written = [out / "index.json"]
    write_json(written[0], SETTINGS)
    documents = _documents(connection)
    while block := list(islice(documents, IN_A_FILE)):
        written.append(out / f"segments_{len(written):04}.ndjson")
        with atomic_text(written[-1]) as file:
            for number, document in block:
                file.write(json.dumps({"index": {"_index": INDEX, "_id": str(number)}}) + "\n")
                file.write(json.dumps(document, ensure_ascii=False) + "\n")
    return written


def _documents(connection: sqlite3.Connection) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the segments with their ids."""
    rows = connection.execute(
        "SELECT segment.id, title, lang, speaker, start_s, end_s, text FROM segment "
        "JOIN recording ON recording.id = segment.recording ORDER BY segment.id"
    )
    keys = ("recording", "language", "speaker", "start", "end", "text")
    for number, *values in rows:
        document = {key: value for key, value in zip(keys, values, strict=True) if value is not None}
        yield number, {**document, "entities": _entities(connection, number)}


def _entities(connection: sqlite3.Connection, segment: int) -> list[dict[str, Any]]:
    rows = connection.execute(
        "SELECT mention.label, text, authority, start_s, end_s, confidence FROM mention "
        "JOIN name ON name.id = mention.name WHERE segment = ? ORDER BY mention.id",
        (segment,),
    )
    keys = ("label", "text", "id", "start", "end", "score")
    return [{key: value for key, value in zip(keys, row, strict=True) if value is not None} for row in rows]
