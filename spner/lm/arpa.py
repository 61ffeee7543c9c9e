"""ARPA files: n-gram models as text, which KenLM and most decoders read.

::

    \\data\\
    ngram 1=3
    …
    \\1-grams:
    <log10 probability>\\t<word>[ <word>…]\\t<log10 backoff, but not in the highest order>
    …
    \\end\\
"""

from pathlib import Path

import numpy as np

from spner.files import atomic_text
from spner.lm.model import NgramModel

MAX_ORDER = 6
"""The longest n-grams that KenLM reads as flashlight-text builds it; it also refuses models of single words."""

LINES_AT_ONCE = 100_000


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
