"""Counts of a data folder (the paper's Table 1, arXiv 2307.01310), for each set and in total.

The JSON form; hours and means have full precision, unknown or undefined values are null::

    {"data": "data/mini", "labels": ["PER", "ORG", "LOC"], "entities_file": "entities.jsonl",
     "missing": ["data/mini/dev/utt2dur"],
     "sets": {"train": {"num_utts": 893, "hours": 0.89, "num_words": 7432, "num_distinct_words": 1207,
                        "num_speakers": 8,
                        "entities": {"num": {"all": 870, "PER": 300, …}, "num_distinct": {"all": 500, "PER": 170, …},
                                     "per_utt": 0.97, "num_utts": 612, "num_words": 1301,
                                     "most_frequent": {"PER": [{"phrase": "angela merkel", "count": 9}, …], …}}}, …},
     "all": {…}}

An entity is a label and a phrase; ``num`` counts mentions, ``num_utts`` the utterances with at least one, and
``num_words`` the words inside them.
"""

import heapq
import math
import textwrap
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from spner.core.datatypes import Transcript
from spner.core.errors import SpnerError
from spner.core.paths import ENTITIES, GOLD_ENTITIES, TEXT, UTT2DUR, UTT2SPK
from spner.data.datadir import find_sets, parse_seconds, read_labels, stream_entities, stream_table

Mentions = Counter[tuple[str, str]]
"""How often each entity, ``(label, phrase)``, is mentioned."""

WITHOUT = {
    ENTITIES: "stage 2 has not run",
    GOLD_ENTITIES: "the corpus has no gold entities",
    UTT2DUR: "the hours are unknown",
    UTT2SPK: "the speakers are unknown",
}
FACTS = {
    "utterances": "num_utts",
    "hours": "hours",
    "words": "num_words",
    "distinct words": "num_distinct_words",
    "speakers": "num_speakers",
}
ENTITY_FACTS = {
    "entities per utterance": "per_utt",
    "utterances with an entity": "num_utts",
    "words inside entities": "num_words",
}
PRINT_WIDTH = 120  # columns


@dataclass
class EntityCounts:
    """The entities of a set; counts of sets add up."""

    mentions: Mentions = field(default_factory=Counter)
    num_utts: int = 0
    """Utterances with at least one."""
    num_words: int = 0
    """Words inside them."""

    def add(self, utterance: Transcript) -> None:
        self.mentions.update((entity.label, utterance.phrase(entity)) for entity in utterance.entities)
        self.num_utts += bool(utterance.entities)
        self.num_words += sum(entity.end - entity.start for entity in utterance.entities)

    def __add__(self, other: "EntityCounts") -> "EntityCounts":
        return EntityCounts(
            self.mentions + other.mentions, self.num_utts + other.num_utts, self.num_words + other.num_words
        )


@dataclass
class SetCounts:
    """Counts of a set; counts of sets add up. None is unknown, and so is its sum with anything."""

    num_utts: int
    words: Counter[str]
    duration_s: float | None
    speakers: Counter[str] | None
    """Utterances of each."""
    entities: EntityCounts | None

    def __add__(self, other: "SetCounts") -> "SetCounts":
        pairs = [(getattr(self, part.name), getattr(other, part.name)) for part in fields(self)]
        sums: list[Any] = [None if ours is None or theirs is None else ours + theirs for ours, theirs in pairs]
        return SetCounts(*sums)


def compute_stats(data: Path, *, entities_file: str = ENTITIES, top: int = 10) -> dict[str, Any]:
    """Count a data folder of stages 1 and 2, or one of its sets; the module's docstring has the form.

    Args:
        data: its sets are counted one by one and together; only distinct words, entities and ids are held.
        entities_file: name of the file of entities in each set.
        top: how many of each label's most frequent entities are given; ties are in C order.

    Raises:
        SpnerError: no set, a malformed file, or files of a set that do not hold the same utterances.
    """
    sets = {folder.resolve().name: folder for folder in find_sets(data)}
    counts = {name: count_set(folder, entities_file=entities_file) for name, folder in sets.items()}
    first, *others = counts.values()
    labels = read_labels(data).names
    files = [folder / name for folder in sets.values() for name in (entities_file, UTT2DUR, UTT2SPK)]
    return {
        "data": str(data),
        "labels": list(labels),
        "entities_file": entities_file,
        "missing": [str(file) for file in files if not file.is_file()],
        "sets": {name: _describe(one, labels, top) for name, one in counts.items()},
        "all": _describe(sum(others, first), labels, top),
    }


def count_set(folder: Path, *, entities_file: str) -> SetCounts:
    """Count what a set holds; without entities its words are those of ``text``.

    Raises:
        SpnerError: a file is malformed, or does not hold the same utterances as the others.
    """
    utt_ids: set[str] = set()
    words: Counter[str] = Counter()
    entities = EntityCounts() if (folder / entities_file).is_file() else None
    file = folder / (TEXT if entities is None else entities_file)
    for utt_id, utterance in _stream_words(file):
        utt_ids.add(utt_id)
        words.update(utterance.words)
        if entities is not None:
            entities.add(utterance)
    durations, speakers = (
        _stream_values(folder / name, utt_ids, of=file) if (folder / name).is_file() else None
        for name in (UTT2DUR, UTT2SPK)
    )
    return SetCounts(
        len(utt_ids),
        words,
        None if durations is None else math.fsum(parse_seconds(where, value) for where, value in durations),
        None if speakers is None else Counter(speaker for _, speaker in speakers),
        entities,
    )


def _stream_words(file: Path) -> Iterator[tuple[str, Transcript]]:
    if file.name != TEXT:
        return stream_entities(file)
    return ((utt_id, Transcript(tuple(text.split()))) for utt_id, text in stream_table(file))


def _stream_values(file: Path, utt_ids: Collection[str], *, of: Path) -> Iterator[tuple[str, str]]:
    """Yield ``<file>:<line>`` and the value of each utterance; they must be those of the file ``of``."""
    expected = "(expected the same utterances in both); rerun stages 1 and 2"
    line_number = 0
    for line_number, (utt_id, value) in enumerate(stream_table(file), start=1):
        if utt_id not in utt_ids:
            raise SpnerError(f'{file}:{line_number}: utterance "{utt_id}" is not in {of} {expected}')
        yield f"{file}:{line_number}", value
    if line_number < len(utt_ids):
        raise SpnerError(f"{file}: holds {line_number} of the {len(utt_ids)} utterances of {of} {expected}")


def most_frequent(mentions: Mentions, top: int) -> list[tuple[tuple[str, str], int]]:
    """Return the ``top`` most frequent entities with their counts; ties are in C order of (label, phrase)."""
    return heapq.nsmallest(top, mentions.items(), key=lambda item: (-item[1], item[0]))


def sort_labels(labels: Iterable[str], *, order: Sequence[str]) -> list[str]:
    """Return the labels, each once: those of ``order`` as they stand there, then others in C order."""
    found = set(labels)
    return [*(label for label in order if label in found), *sorted(found.difference(order))]


def select_label(mentions: Mentions, label: str) -> Mentions:
    """Return the mentions of one label."""
    return Counter({entity: count for entity, count in mentions.items() if entity[0] == label})


def _describe(counts: SetCounts, order: Sequence[str], top: int) -> dict[str, Any]:
    return {
        "num_utts": counts.num_utts,
        "hours": None if counts.duration_s is None else counts.duration_s / 3600,
        "num_words": counts.words.total(),
        "num_distinct_words": len(counts.words),
        "num_speakers": None if counts.speakers is None else len(counts.speakers),
        "entities": None
        if counts.entities is None
        else _describe_entities(counts.entities, counts.num_utts, order, top),
    }


def _describe_entities(entities: EntityCounts, num_utts: int, order: Sequence[str], top: int) -> dict[str, Any]:
    labels = sort_labels((label for label, _ in entities.mentions), order=order)
    groups = {"all": entities.mentions} | {label: select_label(entities.mentions, label) for label in labels}
    return {
        "num": {name: group.total() for name, group in groups.items()},
        "num_distinct": {name: len(group) for name, group in groups.items()},
        "per_utt": entities.mentions.total() / num_utts if num_utts else None,
        "num_utts": entities.num_utts,
        "num_words": entities.num_words,
        "most_frequent": {
            label: [{"phrase": phrase, "count": count} for (_, phrase), count in most_frequent(groups[label], top)]
            for label in labels
        },
    }


def format_stats(stats: dict[str, Any]) -> str:
    """Return the counts as a table, a column a set, and the most frequent entities; ``-`` is unknown or undefined."""
    columns = [*stats["sets"].items()] + ([("all", stats["all"])] if len(stats["sets"]) > 1 else [])
    names, counts = zip(*columns, strict=True)
    width = max(10, *(len(name) + 2 for name in names))
    return "\n".join(
        [
            f"{stats['data']}, entities: {stats['entities_file']}",
            "",
            *(
                f"{title:26}" + "".join(f"{_cell(value):>{width}}" for value in values)
                for title, values in [("", names), *_rows(counts, stats["labels"])]
            ),
            *_most_frequent_lines((stats["all"]["entities"] or {}).get("most_frequent", {})),
            *([""] if stats["missing"] else []),
            *_missing_lines(map(Path, stats["missing"])),
        ]
    )


def _rows(columns: Sequence[dict[str, Any]], order: Sequence[str]) -> Iterator[tuple[str, list[Any]]]:
    entities = [one["entities"] or {} for one in columns]
    labels = sort_labels((label for one in entities for label in one.get("most_frequent", ())), order=order)
    for title, key in FACTS.items():
        yield title, [one[key] for one in columns]
    for title, key in {"entities": "num", "distinct entities": "num_distinct"}.items():
        yield title, [one[key]["all"] if one else None for one in entities]
        for label in labels:
            yield f"  {label}", [one[key].get(label, 0) if one else None for one in entities]
    for title, key in ENTITY_FACTS.items():
        yield title, [one.get(key) for one in entities]


def _missing_lines(files: Iterable[Path]) -> list[str]:
    folders: dict[str, list[str]] = {}
    for file in files:
        folders.setdefault(file.name, []).append(str(file.parent))
    return [f"without {name} ({WITHOUT[name]}): {', '.join(where)}" for name, where in folders.items()]


def _most_frequent_lines(most: dict[str, list[dict[str, Any]]]) -> list[str]:
    lines = [format_list(label, [f"{one['phrase']} {one['count']}" for one in found]) for label, found in most.items()]
    return ["", "most frequent, with their mentions", *lines] if lines else []


def format_list(title: str, items: Iterable[str]) -> str:
    """Return ``title`` and the items behind it, ``-`` for none, on several lines where needed; no item is broken."""
    unbroken = ", ".join(item.replace(" ", "\N{NO-BREAK SPACE}") for item in items) or "-"
    lines = textwrap.fill(
        unbroken,
        PRINT_WIDTH,
        initial_indent=f"  {title}: ",
        subsequent_indent=" " * 4,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines.replace("\N{NO-BREAK SPACE}", " ")


def _cell(value: str | float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
