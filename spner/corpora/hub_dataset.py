"""Write a corpus as the Hugging Face hub serves it: parquet with audio, and a card that says what is in it.

::

    <out>/README.md                            the card; its head tells the hub columns, sets and files
    <out>/data/<set>-00000-of-00002.parquet    id, audio, sentence, words, ner_tags, speaker_id, duration

``audio`` holds whole FLAC files; ``ner_tags`` are class labels, IOB2, one for each word. The kinds of columns are
called as ``datasets`` calls them (its documentation: ``Audio``, ``Sequence``, ``ClassLabel``), in the card and in the
metadata of the tables.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from spner import __version__
from spner.core.datatypes import Transcript, Utterance
from spner.core.files import atomic_path, atomic_text, remove
from spner.data.audio import SAMPLE_RATE_HZ
from spner.data.parquet import FEATURES, load_pyarrow
from spner.text.tags import bio_tags, spans_to_bio

CARD, TABLES = "README.md", "data"
ROWS_PER_GROUP, ROWS_PER_FILE = 100, 2000  # 2,000 clips of ten seconds are some 400 MB
SPLITS = {"dev": "validation"}  # the hub's names, where ours are others
TYPES = {"id": "string", "sentence": "string", "speaker_id": "string", "duration": "float64"}


@dataclass(frozen=True)
class Row:
    """An utterance to write, with its audio as a FLAC file."""

    utterance: Utterance
    transcript: Transcript
    audio: bytes
    duration_s: float


@dataclass
class Written:
    """What a set holds: its entities' kind, rows, bytes, seconds, and mentions by label."""

    split: str
    kind: str
    num_rows: int = 0
    num_bytes: int = 0
    duration_s: float = 0.0
    mentions: Counter[str] = field(default_factory=Counter)


def write_set(
    out: Path, set_name: str, rows: Iterable[Row], num_rows: int, *, labels: Sequence[str], kind: str
) -> Written:
    """Write the tables of a set; those of an earlier export of it are removed.

    Args:
        out: folder of the dataset.
        set_name: our name of the set.
        rows: its utterances, which are not held.
        num_rows: how many there are.
        labels: of the entities, in the order of the tags' numbers.
        kind: whether the entities are gold or silver.
    """
    parquet, schema = load_pyarrow(), _make_schema(labels)
    numbers = {tag: number for number, tag in enumerate(bio_tags(labels))}
    done, split, folder = Written(SPLITS.get(set_name, set_name), kind), SPLITS.get(set_name, set_name), out / TABLES
    num_files = max(1, -(-num_rows // ROWS_PER_FILE))
    rows, files = iter(rows), [folder / f"{split}-{n:05d}-of-{num_files:05d}.parquet" for n in range(num_files)]
    for file in files:
        with atomic_path(file) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
            for group in _cut(islice(rows, ROWS_PER_FILE), ROWS_PER_GROUP):
                writer.write_table(_make_table([_count(row, done) for row in group], numbers, schema))
    for old in folder.glob(f"{split}-*.parquet"):
        if old not in files and re.fullmatch(rf"{re.escape(split)}-\d{{5}}-of-\d{{5}}\.parquet", old.name):
            remove(old)
    return done


def _cut(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    while group := list(islice(rows, size)):
        yield group


def _count(row: Row, done: Written) -> Row:
    done.num_rows += 1
    done.num_bytes += len(row.audio)
    done.duration_s += row.duration_s
    done.mentions.update(entity.label for entity in row.transcript.entities)
    return row


def _make_schema(labels: Sequence[str]) -> Any:
    """Return the columns' types, with what ``datasets`` knows of them as metadata."""
    load_pyarrow()
    import pyarrow

    value = {name: {"dtype": kind, "_type": "Value"} for name, kind in TYPES.items()}
    features = {
        "id": value["id"],
        "audio": {"sampling_rate": SAMPLE_RATE_HZ, "_type": "Audio"},
        "sentence": value["sentence"],
        "words": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "Sequence"},
        "ner_tags": {"feature": {"names": list(bio_tags(labels)), "_type": "ClassLabel"}, "_type": "Sequence"},
        "speaker_id": value["speaker_id"],
        "duration": value["duration"],
    }
    audio = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    lists = {"words": pyarrow.list_(pyarrow.string()), "ner_tags": pyarrow.list_(pyarrow.int64())}
    types = {"audio": audio, **lists, "duration": pyarrow.float64()}
    schema = pyarrow.schema([(name, types.get(name, pyarrow.string())) for name in features])
    return schema.with_metadata({FEATURES: json.dumps({"info": {"features": features}})})


def _make_table(rows: Sequence[Row], numbers: Mapping[str, int], schema: Any) -> Any:
    import pyarrow

    return pyarrow.Table.from_pylist(
        [
            {
                "id": row.utterance.utt_id,
                "audio": {"bytes": row.audio, "path": f"{row.utterance.utt_id}.flac"},
                "sentence": row.utterance.sentence,
                "words": list(row.transcript.words),
                "ner_tags": [numbers[tag] for tag in spans_to_bio(row.transcript)],
                "speaker_id": row.utterance.spk_id,
                "duration": row.duration_s,
            }
            for row in rows
        ],
        schema=schema,
    )


def write_card(out: Path, sets: Sequence[Written], *, lang: str, labels: Sequence[str], synthetic: bool) -> Path:
    """Write the card, last: a folder with it is complete."""
    tags = dict(enumerate(bio_tags(labels)))
    features = [
        {"name": "id", "dtype": "string"},
        {"name": "audio", "dtype": {"audio": {"sampling_rate": SAMPLE_RATE_HZ}}},
        {"name": "sentence", "dtype": "string"},
        {"name": "words", "sequence": "string"},
        {"name": "ner_tags", "sequence": {"class_label": {"names": {str(n): tag for n, tag in tags.items()}}}},
        {"name": "speaker_id", "dtype": "string"},
        {"name": "duration", "dtype": "float64"},
    ]
    splits = [{"name": one.split, "num_bytes": one.num_bytes, "num_examples": one.num_rows} for one in sets]
    files = [{"split": one.split, "path": f"{TABLES}/{one.split}-*"} for one in sets]
    head = {
        "language": [lang],
        "task_categories": ["automatic-speech-recognition", "token-classification"],
        "tags": ["spoken-ner"],
        "dataset_info": {"features": features, "splits": splits},
        "configs": [{"config_name": "default", "data_files": files}],
    }
    with atomic_text(out / CARD) as file:
        file.write(f"---\n{yaml.safe_dump(head, allow_unicode=True, sort_keys=False)}---\n")
        file.write("\n".join(_describe(sets, labels, synthetic=synthetic)) + "\n")
    return out / CARD


def _describe(sets: Sequence[Written], labels: Sequence[str], *, synthetic: bool) -> list[str]:
    """Return the card's text: what the sets hold, and what whoever publishes them must still say."""
    rows = [
        f"| {one.split} | {one.num_rows} | {one.duration_s / 3600:.2f} | {one.kind} | "
        + " | ".join(str(one.mentions[label]) for label in labels)
        + " |"
        for one in sets
    ]
    return [
        "# Speech with named entities",
        "",
        *(["**The speech is synthetic (eSpeak NG).**", ""] if synthetic else []),
        "| set | utterances | hours | entities | " + " | ".join(labels) + " |",
        "|---|---|---|---|" + "---|" * len(labels),
        *rows,
        "",
        "Gold entities were marked by people or are known from how the speech was made; silver ones are a tagger's.",
        "`words` are the normalised transcript, `ner_tags` their IOB2 tags, `sentence` the cased original, `duration` "
        "seconds.",
        "",
        "Licence and source: state them before you publish; those of recordings and labels bind this dataset, too.",
        "",
        f"Written by spner {__version__}.",
    ]
