"""An ARPA file read with dictionaries, independently of the package: the file's meaning, not our arrays'."""

import re
from collections.abc import Sequence
from pathlib import Path

Ngrams = dict[tuple[str, ...], tuple[float, float]]


def read_arpa(path: Path) -> Ngrams:
    """Return n-gram -> log10 probability and log10 backoff (0 where none is written)."""
    lines = iter(path.read_text(encoding="utf-8").splitlines())
    assert next(lines) == "\\data\\"
    announced = {}
    while match := re.fullmatch(r"ngram (\d+)=(\d+)", line := next(lines)):
        announced[int(match[1])] = int(match[2])
    ngrams: Ngrams = {}
    for n in announced:
        assert (line, next(lines)) == ("", f"\\{n}-grams:")
        before = len(ngrams)
        while line := next(lines):
            log_prob, words, *backoff = line.split("\t")
            assert len(words.split(" ")) == n and len(backoff) == (n < len(announced))
            ngrams[tuple(words.split(" "))] = (float(log_prob), float(backoff[0]) if backoff else 0.0)
        assert len(ngrams) - before == announced[n]
    assert [next(lines), *lines] == ["\\end\\"]
    return ngrams


def log_prob(ngrams: Ngrams, context: Sequence[str], word: str) -> float:
    """Return the log10 probability of a word: that of the longest n-gram, with the backoffs on the way to it."""
    order = max(map(len, ngrams))
    context = tuple(context)[max(0, len(context) - order + 1) :]
    if (*context, word) in ngrams:
        return ngrams[*context, word][0]
    if not context:
        return ngrams[("<unk>",)][0]
    return ngrams.get(context, (0.0, 0.0))[1] + log_prob(ngrams, context[1:], word)


def score(ngrams: Ngrams, sentence: Sequence[str]) -> list[float]:
    """Return the log10 probability of each word and of the sentence's end."""
    known = [word if (word,) in ngrams else "<unk>" for word in sentence]
    words = ["<s>", *known, "</s>"]
    return [log_prob(ngrams, words[:i], words[i]) for i in range(1, len(words))]
