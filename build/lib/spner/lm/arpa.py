"""ARPA files: n-gram models as text, which KenLM and most decoders read.

::

    \\data\\
    ngram 1=3
    …
    \\1-grams:
    <log10 probability>\\t<word>[ <word>…]\\t<log10 backoff, but not in the highest order>
    …
    \\end\\

Reading checks every line: a file that KenLM would misread, or abort on, is refused in one line. A packed file (gzip,
bzip2, xz) is unpacked first; KenLM's binary form, which hides its words, is refused by name.
"""

import bz2
import gzip
import lzma
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spner.core.errors import SpnerError
from spner.core.files import atomic_path, atomic_text, cannot_be_read, read_lines
from spner.lm.model import NgramModel

MAX_ORDER = 6
"""The longest n-grams that KenLM reads as flashlight-text builds it; it also refuses models of single words."""

LINES_AT_ONCE = 100_000
SECTION = re.compile(r"\\(\d+)-grams:|\\end\\")
AGAIN = "make it again with spner lm"
PACKED: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
KENLM_BINARY = b"mmap lm"


def unpack_arpa(path: Path, unpacked: Path) -> Path:
    """Return a model as plain text: the file itself, or ``unpacked``, which is written.

    Raises:
        SpnerError: the file is missing or its packing is broken, or it is KenLM's binary form.
    """
    try:
        with open(path, "rb") as file:
            begin = file.read(len(KENLM_BINARY))
        if begin == KENLM_BINARY:
            raise SpnerError(
                f"{path}: is KenLM's binary form, whose words cannot be listed (expected an ARPA file, packed or not); "
                "give the ARPA file that it was built from"
            )
        unpack = next((unpack for magic, unpack in PACKED.items() if begin.startswith(magic)), None)
        if unpack is None:
            return path
        with atomic_path(unpacked) as temporary, unpack(path) as source, open(temporary, "wb") as target:
            shutil.copyfileobj(source, target)
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error) as error:
        raise SpnerError(f"{path}: cannot be unpacked ({error}); pack the ARPA file again") from error
    except OSError as error:
        raise cannot_be_read(path, error) from error
    return unpacked


def write_arpa(path: Path, model: NgramModel) -> None:
    """Write a model; the n-grams of a context stand together."""
    order = len(model.keys)
    with atomic_text(path) as file:
        file.write("\\data\\\n")
        file.writelines(f"ngram {n}={len(keys)}\n" for n, keys in enumerate(model.keys, start=1))
        for n in range(1, order + 1):
            file.write(f"\n\\{n}-grams:\n")
            line = "%.7g\t" + " ".join(["%s"] * n) + ("\t%.7g\n" if n < order else "\n")
            for start in range(0, len(model.keys[n - 1]), LINES_AT_ONCE):
                part = slice(start, start + LINES_AT_ONCE)
                backoffs = [model.backoffs[n - 1][part].tolist()] if n < order else []
                columns = model.log_probs[n - 1][part].tolist(), *_columns(model, n, part), *backoffs
                file.writelines(map(line.__mod__, zip(*columns, strict=True)))
        file.write("\n\\end\\\n")


def _columns(model: NgramModel, n: int, part: slice) -> list[list[str]]:
    """Return the first, second, … n-th words of some n-grams."""
    numbers = np.arange(len(model.keys[n - 1]))[part]
    columns = []
    for keys in reversed(model.keys[:n]):
        numbers, last_words = np.divmod(keys[numbers], len(model.words))
        columns.append([model.words[word] for word in last_words.tolist()])
    return columns[::-1]


def read_ngrams(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the order and the line of every n-gram: ``<log10 probability>\\t<words>[\\t<log10 backoff>]``.

    Raises:
        SpnerError: the file is missing, no ARPA file, of too high an order, or cut short.
    """
    counts = read_counts(path)
    order, seen, ended = 0, 0, False
    for line_number, line in enumerate(read_lines(path), start=1):
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
    """Return the number of n-grams of each order, from the file's head; see :func:`read_ngrams`."""
    counts: list[int] = []
    for line in read_lines(path):
        found = re.fullmatch(r"ngram (\d+)=(\d+)", line)
        if found and int(found[1]) == len(counts) + 1:
            counts.append(int(found[2]))
        elif line and line != "\\data\\":
            break
    if not counts:
        raise SpnerError(f"{path}: is no ARPA file (expected \\data\\ and counts of n-grams); {AGAIN}")
    if len(counts) > MAX_ORDER:
        raise SpnerError(
            f"{path}: is of order {len(counts)} (expected at most {MAX_ORDER}, which KenLM in "
            f"flashlight-text reads); make it again with spner lm --order {MAX_ORDER}"
        )
    return counts


def split_ngram(line: str) -> tuple[str, list[str]]:
    """Return the log10 probability and the words of a line that :func:`read_ngrams` yielded."""
    log_prob, words, *_backoff = line.split("\t")
    return log_prob, words.split(" ")
