"""Estimation against values worked by hand, against KenLM's lmplz, and against the equations in plain dictionaries."""

import logging
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spner.lm.arpa import write_arpa
from spner.lm.counts import read_corpus
from spner.lm.kneser_ney import FALLBACK_DISCOUNTS, estimate, estimate_discounts
from tests.lm.arpa_reader import Ngrams, log_prob, read_arpa

# What lmplz of kenlm 0.3.0 made of the file text: -o 3 --discount_fallback, and with --prune 0 0 1 as well.
LMPLZ = Path(__file__).with_name("lmplz")


def model_of(sentences: Sequence[Sequence[str]], folder: Path, *, order: int, prune: Sequence[int] = ()) -> Ngrams:
    """Estimate, write and read back."""
    write_arpa(folder / "lm.arpa", estimate(read_corpus(sentences), order=order, prune=prune))
    return read_arpa(folder / "lm.arpa")


def rounded(ngrams: Ngrams) -> dict[str, tuple[float, float]]:
    return {" ".join(n): (round(10**p, 6), round(10**b, 6)) for n, (p, b) in ngrams.items() if n != ("<s>",)}


# By hand


def test_toy_corpus_by_hand(tmp_path: Path) -> None:
    """The corpus is a / b / a; so few counts take the discounts 0.5, 1 and 1.5.

    Unigrams, by distinct words before them: a 1 (<s>), b 1 (<s>), </s> 2 (a, b); 4 in all. What the discounts free:
    (0.5 + 0.5 + 1) / 4 = 0.5, shared by <unk>, </s>, a and b: 0.125 each. So
    a (1 - 0.5) / 4 + 0.125 = 0.25, b the same, </s> (2 - 1) / 4 + 0.125 = 0.375, <unk> 0.125.

    Bigrams, by occurrences: <s> a 2, <s> b 1, a </s> 2, b </s> 1.
    After <s>, 3 in all: backoff (1 + 0.5) / 3 = 0.5; a (2 - 1) / 3 + 0.5 * 0.25; b (1 - 0.5) / 3 + 0.5 * 0.25.
    After a: backoff 1 / 2; </s> (2 - 1) / 2 + 0.5 * 0.375. After b: backoff 0.5 / 1; </s> 0.5 / 1 + 0.5 * 0.375.
    """
    ngrams = model_of([["a"], ["b"], [], ["a"]], tmp_path, order=2)
    assert ngrams[("<s>",)] == (-99, pytest.approx(math.log10(0.5), abs=1e-6))
    assert rounded(ngrams) == {
        "<unk>": (0.125, 1),
        "</s>": (0.375, 1),
        "a": (0.25, 0.5),
        "b": (0.25, 0.5),
        "<s> a": (0.458333, 1),
        "<s> b": (0.291667, 1),
        "a </s>": (0.6875, 1),
        "b </s>": (0.6875, 1),
    }


def test_pruned_toy_corpus_by_hand(tmp_path: Path) -> None:
    """Without the bigrams that occur once.

    After <s>, 3 in all: b's whole count is free, too: backoff (1 + 1) / 3; a (2 - 1) / 3 + 2 / 3 * 0.25 = 0.5.
    After b nothing is left: backoff 1.
    """
    ngrams = model_of([["a"], ["b"], ["a"]], tmp_path, order=2, prune=[0, 1])
    assert 10 ** ngrams[("<s>",)][1] == pytest.approx(2 / 3, abs=1e-6)
    assert rounded(ngrams) == {
        "<unk>": (0.125, 1),
        "</s>": (0.375, 1),
        "a": (0.25, 0.5),
        "b": (0.25, 1),
        "<s> a": (0.5, 1),
        "a </s>": (0.6875, 1),
    }


def test_discounts_by_hand() -> None:
    """Counts of counts 4, 2, 1, 1: Y = 4 / (4 + 2 * 2) = 0.5, then 1 - 2 Y 2/4, 2 - 3 Y 1/2 and 3 - 4 Y 1/1."""
    assert estimate_discounts(np.array([0, 1, 1, 1, 1, 2, 2, 3, 4, 9]), order=1) == (0.5, 1.25, 1.0)


@pytest.mark.parametrize(
    ("adjusted", "counts_of_counts"),
    [
        pytest.param([2, 2, 3, 4], "0 2 1 1", id="none once"),
        pytest.param([1, 3, 4], "1 0 1 1", id="none twice"),
        pytest.param([1, 2, 4], "1 1 0 1", id="none thrice"),
        pytest.param([1, 1, 2, 3, 3, 3, 3], "2 1 4 0", id="second below 0"),
        pytest.param([1, 2, 3, 4, 4, 4], "1 1 1 3", id="third below 0"),
        pytest.param([], "0 0 0 0", id="nothing"),
    ],
)
def test_discounts_fall_back(adjusted: list[int], counts_of_counts: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert estimate_discounts(np.array(adjusted), order=3) == FALLBACK_DISCOUNTS
    assert caplog.messages == [f"3-grams: counts of counts {counts_of_counts} give no discounts; taking 0.5 1.0 1.5"]


# Against KenLM


@pytest.mark.parametrize(("name", "prune"), [("3gram.arpa", []), ("3gram_pruned.arpa", [0, 0, 1])])
def test_values_are_those_of_lmplz(name: str, prune: list[int], tmp_path: Path) -> None:
    sentences = [line.split() for line in (LMPLZ / "text").read_text(encoding="utf-8").splitlines()]
    ours, theirs = model_of(sentences, tmp_path, order=3, prune=prune), read_arpa(LMPLZ / name)
    assert ours.keys() == theirs.keys() and max(map(len, ours)) == 3
    theirs[("<s>",)] = (-99.0, theirs[("<s>",)][1])  # lmplz writes 0 for what nobody asks
    for ngram, values in theirs.items():
        assert ours[ngram] == pytest.approx(values, abs=2e-6), ngram


# Against the equations


class Reference:
    """Chen and Goodman's equations, word by word, as slow as they are plain."""

    def __init__(self, sentences: Sequence[Sequence[str]], *, order: int, prune: Sequence[int]) -> None:
        self.order, self.prune = order, prune or [0] * order
        self.raw: Counter[tuple[str, ...]] = Counter()
        for sentence in filter(None, sentences):
            words = ("<s>", *sentence, "</s>")
            for n in range(1, order + 1):
                self.raw.update(words[i : i + n] for i in range(len(words) - n + 1))
        del self.raw[("<s>",)]
        self.vocabulary = sorted({word for ngram in self.raw for word in ngram} - {"<s>"} | {"<unk>"})
        before = Counter(ngram[1:] for ngram in self.raw)
        self.adjusted = {
            ngram: count if len(ngram) == order or ngram[0] == "<s>" else before[ngram]
            for ngram, count in self.raw.items()
        }
        self.discounts = [self._discounts(n) for n in range(1, order + 1)]

    def _discounts(self, n: int) -> tuple[float, ...]:
        having = Counter(count for ngram, count in self.adjusted.items() if len(ngram) == n)
        if not (having[1] and having[2] and having[3]):
            return 0.0, *FALLBACK_DISCOUNTS
        y = having[1] / (having[1] + 2 * having[2])
        values = [j - (j + 1) * y * having[j + 1] / having[j] for j in (1, 2, 3)]
        return (0.0, *values) if min(values) > 0 else (0.0, *FALLBACK_DISCOUNTS)

    def prob(self, context: tuple[str, ...], word: str) -> float:
        """Return p(word | context); contexts that were never seen count as their shorter ones."""
        context = context[max(0, len(context) - self.order + 1) :]
        n = len(context) + 1
        followers = {w: self.adjusted.get((*context, w), 0) for w in self.vocabulary}
        total = sum(followers.values())
        lower = self.prob(context[1:], word) if context else 1 / len(self.vocabulary)
        if not total:
            return lower
        direct = freed = 0.0
        for follower, count in followers.items():
            kept = self.raw.get((*context, follower), 0) > self.prune[n - 1]
            discount = self.discounts[n - 1][min(count, 3)] if kept else count
            freed += discount / total
            direct += (count - discount) / total if follower == word else 0.0
        return direct + freed * lower


words = st.sampled_from("abcdé")
corpora = st.lists(st.lists(words, max_size=6), min_size=1, max_size=12).filter(any)
thresholds = st.lists(st.integers(0, 3), min_size=4, max_size=4).map(sorted).map(lambda counts: [0, *counts[1:]])


@given(sentences=corpora, order=st.integers(1, 4), prune=st.none() | thresholds)
def test_every_probability_is_that_of_the_equations_and_they_sum_to_1(
    tmp_path_factory: pytest.TempPathFactory, sentences: list[list[str]], order: int, prune: list[int] | None
) -> None:
    thresholds = prune[:order] if prune else []
    ngrams = model_of(sentences, tmp_path_factory.mktemp("lm"), order=order, prune=thresholds)
    reference = Reference(sentences, order=order, prune=thresholds)
    assert {n for n in ngrams if len(n) == 1} == {(word,) for word in (*reference.vocabulary, "<s>")}
    contexts = {(), ("<unk>",), *(ngram[:-1] for ngram in reference.raw)}
    for context in contexts:
        probs = {word: 10 ** log_prob(ngrams, context, word) for word in reference.vocabulary}
        assert sum(probs.values()) == pytest.approx(1, abs=1e-5), context
        assert probs == pytest.approx({word: reference.prob(context, word) for word in probs}, abs=1e-6), context
