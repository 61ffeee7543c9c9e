"""How fast an archive of a million mentions is indexed and searched: generated segments, one process.

Usage: archive.py [--mentions 1000000]     prints segments a second and milliseconds of each kind of search
"""

import argparse
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile

from spner.archive.index import AT_ONCE, index_recordings
from spner.archive.names import list_names
from spner.archive.rows import Source, add_recording, add_recordings
from spner.archive.search import Query, search
from spner.archive.store import open_archive, transaction
from spner.tag.build import build_words
from spner.tag.records import to_jsonl
from spner.tag.tagged import Entity, Tagged, TaggedSegment
from spner.tag.tagger import Tagger

SYLLABLES = [a + b for a in "bdfghjklmnprstvwz" for b in ("a", "e", "i", "o", "u", "an", "er", "in", "ol")]
SEGMENTS = 500  # in a recording
WORDS = 12  # in a segment
NAMES = 100_000
FILES = 40


def make_names(rng: random.Random) -> list[tuple[str, str]]:
    """Return labels with names; those of persons have two words."""
    forms = {"".join(rng.choices(SYLLABLES, k=rng.randint(2, 5))).capitalize() for _ in range(2 * NAMES)}
    texts = sorted(forms)[:NAMES]
    rng.shuffle(texts)
    labels = [rng.choice(["PER", "LOC", "ORG"]) for _ in texts]
    return [
        (one, f"{rng.choice(texts)} {text}" if one == "PER" else text) for one, text in zip(labels, texts, strict=True)
    ]


def make_recording(rng: random.Random, words: list[str], names: list[tuple[str, str]], number: int) -> Tagged:
    """Return a recording with two mentions in each segment; words and names are as frequent as in a language."""
    segments = []
    for place in range(SEGMENTS):
        texts = [words[int(len(words) * rng.random() ** 4)] for _ in range(WORDS)]
        chosen = {2: names[int(NAMES * rng.random() ** 3)], 8: names[int(NAMES * rng.random() ** 3)]}
        for at, (_, name) in chosen.items():
            texts[at] = name
        start_s = 5.0 * place
        built = build_words(texts, [(start_s + 0.4 * i, start_s + 0.4 * i + 0.4) for i in range(WORDS)], [0.9] * WORDS)
        entities = tuple(
            Entity(
                label, name, built[at].start_s, built[at].end_s, built[at].start_char, built[at].end_char, rng.random()
            )
            for at, (label, name) in chosen.items()
        )
        segments.append(TaggedSegment(" ".join(texts), built, entities))
    return Tagged(f"talk_{number}.wav", 5.0 * SEGMENTS, tuple(segments), "nl")


def measure(calls: Iterable[Callable[[], object]]) -> tuple[float, float]:
    """Return median and longest milliseconds of calls."""
    took = []
    for call in calls:
        begin = time.perf_counter()
        call()
        took.append(1000 * (time.perf_counter() - begin))
    return statistics.median(took), max(took)


def searches(rng: random.Random, words: list[str], names: list[tuple[str, str]]) -> Iterator[tuple[str, list[Query]]]:
    """Yield kinds of queries."""
    some = [name for _, name in (rng.choice(names) for _ in range(31))]
    yield "frequent word", [Query(words[i]) for i in range(31)]
    yield "rare word", [Query(words[-1 - i]) for i in range(31)]
    yield "two words", [Query(f"{words[i]} {words[40 + i]}") for i in range(31)]
    yield "name", [Query(name, label="PER") for name in some]
    yield "name, a letter wrong", [Query(f"{name[:3]}x{name[4:]}") for name in some]
    yield "part of a name", [Query(name[1:]) for name in some]
    yield "label", [Query(label=label) for label in ["PER", "LOC", "ORG"] * 11]
    yield "name of no such label", [Query(name[:3], label="NONE") for name in some]
    yield "part, too confident", [Query(name[1:4], label="PER", min_confidence=1) for name in some]
    yield "label, too confident", [Query(label=label, min_confidence=1) for label in ["PER", "LOC", "ORG"] * 11]
    yield "too confident", [Query(min_confidence=1)] * 31
    yield "label, confidence 0.99", [Query(label=label, min_confidence=0.99) for label in ["PER", "LOC", "ORG"] * 11]


def after_changes(archive: sqlite3.Connection, queries: Iterable[Query]) -> Iterator[Callable[[], object]]:
    """Yield searches, each the first after a recording was added."""
    for number, query in enumerate(queries):
        entity = Entity("PER", f"New {number}", 0.0, 1.0, 0, len(f"New {number}"))
        segment = TaggedSegment(entity.text, build_words(entity.text.split(), [(0.0, 1.0)] * 2, [0.9] * 2), (entity,))
        with transaction(archive):
            add_recording(archive, Source(Path(f"/new_{number}"), "new", 1, 1, "new"), Tagged("new", 1.0, (segment,)))
        yield partial(search, archive, query)


def index(archive: sqlite3.Connection, recordings: Iterable[Tagged]) -> str:
    """Add recordings as ``spner index`` does; return how fast."""
    seconds = cpu = 0.0
    num_segments = 0
    recordings = iter(recordings)
    while batch := list(islice(recordings, AT_ONCE // SEGMENTS)):
        begin, begin_cpu = time.perf_counter(), time.process_time()
        with transaction(archive):
            add_recordings(archive, [(Source(Path(f"/{one.audio}"), one.audio, 1, 1, one.audio), one) for one in batch])
        seconds += time.perf_counter() - begin
        cpu += time.process_time() - begin_cpu
        num_segments += sum(len(one.segments) for one in batch)
    return (
        f"{num_segments} segments, {num_segments / seconds:.0f} a second, {num_segments / cpu:.0f} a second of the CPU"
    )


def index_files(folder: Path, recordings: Iterable[Tagged]) -> str:
    """Index recordings of a second, and files of JSON lines that ``spner tag`` could have written; return how fast."""
    num_segments = 0
    for name in ("in", "tagged"):
        (folder / name).mkdir()
    for one in recordings:
        soundfile.write(folder / "in" / one.audio, np.zeros(16_000), 16_000)
        (folder / "tagged" / Path(one.audio).with_suffix(".jsonl")).write_text("".join(to_jsonl(one)))
        num_segments += len(one.segments)
    with open_archive(folder / "files.sqlite", create=True) as archive:
        begin = time.perf_counter()
        index_recordings(archive, [folder / "in"], load_nothing, tagged=folder / "tagged")
    return f"{num_segments / (time.perf_counter() - begin):.0f} a second"


def load_nothing() -> Tagger:
    """Nothing is left to tag."""
    raise AssertionError


def main() -> None:
    """Index and search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mentions", type=int, default=1_000_000)
    num_recordings = parser.parse_args().mentions // (2 * SEGMENTS)
    rng = random.Random(1)
    words = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(50_000)]
    names = make_names(rng)
    made = partial(make_recording, rng, words, names)
    with tempfile.TemporaryDirectory() as folder, open_archive(Path(folder) / "a.sqlite", create=True) as archive:
        print("index:", index(archive, map(made, range(num_recordings))))
        print("index, files of JSON lines read and parsed:", index_files(Path(folder), map(made, range(FILES))))
        print(f"size: {(Path(folder) / 'a.sqlite').stat().st_size / 2**20:.0f} MB")
        kinds = dict(searches(rng, words, names))
        calls: dict[str, Iterable[Callable[[], object]]] = {}
        for kind, queries in kinds.items():
            calls[kind] = [partial(search, archive, query) for query in queries]
        calls["so, after a change"] = after_changes(archive, kinds["name, a letter wrong"])
        calls["names of a label"] = [partial(list_names, archive, label="PER")] * 31
        longest = 0.0
        for kind, of_it in calls.items():
            median_ms, max_ms = measure(of_it)
            longest = max(longest, max_ms)
            print(f"{kind:<24} median {median_ms:6.1f} ms, longest {max_ms:6.1f} ms")
        print(f"longest of all: {longest:.1f} ms")


if __name__ == "__main__":
    main()
