"""Searches the archive for its gold names, as they are written and a letter wrong, and counts what is found.

Usage: score.py GOLD DB      GOLD: gold.tsv of join.py

A gold mention counts where the model has tagged it: the same words at the same time. It is found if a hit of its
recording overlaps it in time.
"""

import random
import sqlite3
import sys
from pathlib import Path

from spner.archive.fold import fold
from spner.archive.search import MAX_HITS, Query, search
from spner.archive.store import open_archive
from spner.core.files import read_lines

Mention = tuple[str, float, float, str]
DRAWS = 5  # wrong letters for each mention
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def read_gold(path: Path) -> list[Mention]:
    """Return the recording, start, end and text of every gold mention."""
    rows = (line.split("\t") for line in read_lines(path))
    return [(name, float(start), float(end), text) for name, start, end, _, text in rows]


def is_tagged(archive: sqlite3.Connection, mention: Mention) -> bool:
    """Whether the archive has the same name at the same time."""
    title, start_s, end_s, text = mention
    rows = archive.execute(
        "SELECT name.text FROM mention JOIN name ON name.id = name JOIN segment ON segment.id = segment "
        "JOIN recording ON recording.id = recording WHERE title = ? AND mention.start_s < ? AND mention.end_s > ?",
        (title, end_s, start_s),
    )
    return fold(text) in {fold(found) for (found,) in rows}


def is_found(archive: sqlite3.Connection, mention: Mention, asked: str) -> bool:
    """Whether a search finds a mention."""
    title, start_s, end_s, _ = mention
    hits = search(archive, Query(asked, limit=MAX_HITS))
    return any(hit.title == title and hit.start_s < end_s and start_s < hit.end_s for hit in hits)


def misspell(rng: random.Random, text: str) -> str:
    """Return a text with one letter replaced, left out, added, or two neighbours swapped."""
    place = rng.choice([i for i, char in enumerate(text) if char != " "])
    letter = rng.choice(LETTERS)
    swapped = text[:place] + text[place : place + 2][::-1] + text[place + 2 :]
    wrong = [
        text[:place] + letter + text[place + 1 :],
        text[:place] + text[place + 1 :],
        text[:place] + letter + text[place:],
        swapped,
    ]
    return rng.choice([one for one in wrong if one != text])


def main(gold: Path, db: Path) -> None:
    """Print the shares."""
    rng = random.Random(1)
    mentions = read_gold(gold)
    with open_archive(db) as archive:
        tagged = [mention for mention in mentions if is_tagged(archive, mention)]
        found = sum(is_found(archive, mention, mention[3]) for mention in tagged)
        asked = [(mention, misspell(rng, mention[3])) for mention in tagged for _ in range(DRAWS)]
        found_wrong = sum(is_found(archive, mention, text) for mention, text in asked)
        heard = sum(is_found(archive, mention, mention[3]) for mention in mentions)
    print(f"gold mentions: {len(mentions)}, tagged with the right words: {len(tagged)}")
    print(f"found by the name: {found} of {len(tagged)}; of all gold mentions: {heard} of {len(mentions)}")
    print(f"found with a letter wrong: {found_wrong} of {len(asked)} ({100 * found_wrong / len(asked):.1f} %)")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
