"""ARPA files, read line by line and checked: what KenLM would take for a model, or abort on, is refused in one line."""

import re
from collections.abc import Iterator
from pathlib import Path

from spner.errors import SpnerError
from spner.files import read_lines
from spner.lm.arpa import MAX_ORDER

SECTION = re.compile(r"\\(\d+)-grams:|\\end\\")
AGAIN = "make it again with spner lm"


def read_ngrams(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the order and the line of every n-gram: ``<log10 probability>\\t<words>[\\t<log10 backoff>]``.

    Raises:
        SpnerError: the file is missing, no ARPA file, of too high an order, or cut short.
    """
    counts = read_counts(path)
    order, seen, ended = 0, 0, False
    for line_number, line in enumerate(read_lines(path, made_by="spner lm"), start=1):
        if not line or ended:
            continue
        if SECTION.fullmatch(line):
            if order and seen != counts[order - 1]:
                raise SpnerError(f"{path}:{line_number}: {seen} {order}-grams (expected {counts[order - 1]}); {AGAIN}")
            ended = line == "\\end\\"
            order, seen = order + 1, 0
        elif order:
            if line.count("\t") not in (1, 2):
                raise SpnerError(f'{path}:{line_number}: "{line}" is no {order}-gram; {AGAIN}')
            seen += 1
            yield order, line
    if not ended:
        raise SpnerError(f"{path}: breaks off among the {order}-grams (expected \\end\\); {AGAIN}")


def read_counts(path: Path) -> list[int]:
    """Return how many n-grams of each order the file's head announces; see :func:`read_ngrams`."""
    counts: list[int] = []
    for line in read_lines(path, made_by="spner lm"):
        found = re.fullmatch(r"ngram (\d+)=(\d+)", line)
        if found and int(found[1]) == len(counts) + 1:
            counts.append(int(found[2]))
        elif line and line != "\\data\\":
            break
    if not counts:
        raise SpnerError(f"{path}: is no ARPA file (expected \\data\\ and counts of n-grams); {AGAIN}")
    if len(counts) > MAX_ORDER:
        raise SpnerError(f"{path}: is of order {len(counts)} (expected at most {MAX_ORDER}, which KenLM in "
                         f"flashlight-text reads); make it again with spner lm --order {MAX_ORDER}")
    return counts


def split_ngram(line: str) -> tuple[str, list[str]]:
    """Return the log10 probability and the words of a line that :func:`read_ngrams` yielded."""
    log_prob, words, *_backoff = line.split("\t")
    return log_prob, words.split(" ")
