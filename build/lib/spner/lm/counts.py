"""The distinct n-grams of sentences, of every order, with the counts that Kneser-Ney needs.

An n-gram's number is its place among the n-grams of its order. It is identified by two numbers: its context's (the
n-gram without its last word) and its last word's. So one integer, ``context * V + word``, is its key whatever
the order, and sorting the keys puts the n-grams of a context side by side.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

UNKNOWN, BEGIN, END = SPECIALS = ("<unk>", "<s>", "</s>")
UNKNOWN_ID, BEGIN_ID, END_ID = range(len(SPECIALS))


@dataclass(frozen=True)
class Corpus:
    """Sentences as word ids, each between ``<s>`` and ``</s>``, run together."""

    words: list[str]
    """V words by id; the first three are ``<unk>``, ``<s>`` and ``</s>``."""
    tokens: np.ndarray
    """(T,) int32, word ids."""

    @property
    def num_sentences(self) -> int:
        """Number of sentences."""
        return int(np.count_nonzero(self.tokens == BEGIN_ID))


@dataclass(frozen=True)
class NgramCounts:
    """The distinct n-grams of one order, sorted by their key."""

    keys: np.ndarray
    """(G,) int64, ascending: number of the context (0 for unigrams) times V, plus the last word's id."""
    suffixes: np.ndarray
    """(G,) int32: number of the (n-1)-gram without the first word; 0 for unigrams."""
    raw: np.ndarray
    """(G,) int32: occurrences."""
    adjusted: np.ndarray
    """(G,) int32: occurrences in the highest order and where ``<s>`` comes first, else the distinct words before it."""


def read_corpus(sentences: Iterable[Sequence[str]]) -> Corpus:
    """Number the words in the order in which they come. Sentences without words are left out."""
    ids: defaultdict[str, int] = defaultdict(lambda: len(ids))
    for special in SPECIALS:
        ids[special]
    tokens = array("i")
    for words in sentences:
        if words:
            tokens.append(BEGIN_ID)
            tokens.extend([ids[word] for word in words])
            tokens.append(END_ID)
    return Corpus(list(ids), np.frombuffer(tokens, dtype=np.int32) if tokens else np.zeros(0, np.int32))


def encode(sentences: Iterable[Sequence[str]], words: Sequence[str]) -> np.ndarray:
    """Return sentences as a :class:`Corpus` holds them, (T,) int32; words not among ``words`` become ``<unk>``."""
    ids = {word: number for number, word in enumerate(words)}
    encoded = ([BEGIN_ID, *(ids.get(word, UNKNOWN_ID) for word in sentence), END_ID] for sentence in sentences)
    return np.fromiter((token for tokens in encoded for token in tokens), dtype=np.int32)


def place_in_sentence(tokens: np.ndarray) -> np.ndarray:
    """Return each token's place in its sentence, (T,) int32; ``<s>`` has 0."""
    places = np.arange(len(tokens), dtype=np.int32)
    return places - np.maximum.accumulate(np.where(tokens == BEGIN_ID, places, 0))


def count_ngrams(corpus: Corpus, order: int) -> list[NgramCounts]:
    """Return the n-grams of orders 1 to ``order``.

    Source: adjusted counts as in Heafield et al. 2013 (Scalable modified Kneser-Ney language model estimation), 3.2.
    """
    num_words, tokens = len(corpus.words), corpus.tokens
    places = place_in_sentence(tokens)
    raw = np.bincount(tokens, minlength=num_words).astype(np.int32)
    raw[BEGIN_ID] = 0  # it is a context, but never predicted
    found = [(np.arange(num_words), np.zeros(num_words, np.int32), raw, np.arange(num_words) == BEGIN_ID)]
    numbers = tokens  # of the n-gram that ends at each token, n going up
    for n in range(2, order + 1):
        ends = np.flatnonzero(places >= n - 1)
        keys = numbers[ends - 1] * np.int64(num_words) + tokens[ends]
        keys, first, inverse, occurrences = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        first = ends[first]
        found.append((keys, numbers[first], occurrences.astype(np.int32), places[first] == n - 1))
        numbers = np.full(len(tokens), -1, np.int32)
        numbers[ends] = inverse
    counts = []
    for (keys, suffixes, raw, begins), longer in zip(found, [*found[1:], None], strict=True):
        before = raw if longer is None else np.bincount(longer[1], minlength=len(keys))
        counts.append(NgramCounts(keys, suffixes, raw, np.where(begins, raw, before).astype(np.int32)))
    return counts
