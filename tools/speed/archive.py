"""How fast an archive of a million mentions is indexed and searched: generated segments, one process.

Usage: archive.py [--mentions 1000000]     prints segments a second and milliseconds of each kind of search
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from spner.archive.names import list_names
from spner.archive.rows import Source, add_recording
from spner.archive.search import Query, search
from spner.archive.store import open_archive, transaction
from spner.tag.build import build_words
from spner.tag.tagged import Entity, Tagged, TaggedSegment

SYLLABLES = [a + b for a in "bdfghjklmnprstvwz" for b in ("a", "e", "i", "o", "u", "an", "er", "in", "ol")]
SEGMENTS = 500  # in a recording
WORDS = 12  # in a segment
NAMES = 100_000


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


def measure(calls: Iterable[Callable[[], object]]) -> str:
    """Return median and longest milliseconds of calls, the first apart: it reads from the disk."""
    took, cpu = [], []
    for call in calls:
        begin, begin_cpu = time.perf_counter(), time.process_time()
        call()
        took.append(1000 * (time.perf_counter() - begin))
        cpu.append(1000 * (time.process_time() - begin_cpu))
    first, *others = took
    return (
        f"median {statistics.median(others):6.1f} ms ({statistics.median(cpu[1:]):5.1f} of the CPU), longest "
        f"{max(others):6.1f} ms, first {first:6.1f} ms"
    )


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
    yield "label, confidence 0.99", [Query(label=label, min_confidence=0.99) for label in ["PER", "LOC", "ORG"] * 11]


def main() -> None:
    """Index and search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mentions", type=int, default=1_000_000)
    num_recordings = parser.parse_args().mentions // (2 * SEGMENTS)
    rng = random.Random(1)
    words = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(50_000)]
    forms = {"".join(rng.choices(SYLLABLES, k=rng.randint(2, 5))).capitalize() for _ in range(2 * NAMES)}
    names = [(rng.choice(["PER", "LOC", "ORG"]), name) for name in sorted(forms)[:NAMES]]
    rng.shuffle(names)
    with tempfile.TemporaryDirectory() as folder, open_archive(Path(folder) / "a.sqlite", create=True) as archive:
        seconds = cpu = 0.0
        for number in range(num_recordings):
            tagged = make_recording(rng, words, names, number)
            begin, begin_cpu = time.perf_counter(), time.process_time()
            with transaction(archive):
                add_recording(archive, Source(Path(f"/{number}"), tagged.audio, 1, 1, str(number)), tagged)
            seconds += time.perf_counter() - begin
            cpu += time.process_time() - begin_cpu
        num_segments = num_recordings * SEGMENTS
        size = (Path(folder) / "a.sqlite").stat().st_size / 2**20
        print(
            f"index: {num_segments} segments, {num_segments / seconds:.0f} a second, {num_segments / cpu:.0f} a second "
            f"of the CPU, {size:.0f} MB"
        )
        for kind, queries in searches(rng, words, names):
            print(f"{kind:<24}", measure(partial(search, archive, query) for query in queries))
        print(f"{'names of a label':<24}", measure([partial(list_names, archive, label="PER")] * 31))


if __name__ == "__main__":
    main()
