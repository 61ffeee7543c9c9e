"""A back-off n-gram model in arrays, and its probabilities of sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spner.lm.counts import BEGIN_ID, UNKNOWN_ID, encode


@dataclass(frozen=True)
class NgramModel:
    """The n-grams of orders 1 to N; one n-gram's place in the three arrays of its order is its number.

    The context of an n-gram of the model is in the model, too.
    """

    words: list[str]
    """V words by id; the first three are ``<unk>``, ``<s>`` and ``</s>``."""
    keys: list[np.ndarray]
    """Of each order (G,) int64, ascending: number of the context (0 for unigrams) times V, plus the last word's id."""
    log_probs: list[np.ndarray]
    """Of each order (G,) float64, base 10: of the last word after its context."""
    backoffs: list[np.ndarray]
    """Of each order but the last (G,) float64, base 10: weight of the shorter context if a word never followed."""

    def score(self, sentences: Sequence[Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
        """Return the log probability, base 10, of every word and of each sentence's end; and which words are unknown.

        Returns:
            Two arrays of as many entries as there are words and sentences: float64 and bool.
        """
        tokens = encode(sentences, self.words)
        log_probs = np.zeros(len(tokens))
        numbers = np.zeros(len(tokens), np.int64)  # of the (n-1)-gram that ends at each token, -1 for one not in here
        for n, keys in enumerate(self.keys, start=1):
            # No n-gram spans two sentences, as none has <s> but in front.
            contexts = np.roll(numbers, 1)
            if n > 1:
                log_probs[contexts >= 0] += self.backoffs[n - 2][contexts[contexts >= 0]]
            wanted = contexts * len(self.words) + tokens
            numbers = np.searchsorted(keys, wanted)
            found = np.searchsorted(keys, wanted, side="right") > numbers
            log_probs[found] = self.log_probs[n - 1][numbers[found]]
            numbers[~found] = -1
        predicted = tokens != BEGIN_ID
        return log_probs[predicted], tokens[predicted] == UNKNOWN_ID


@dataclass(frozen=True)
class Perplexity:
    """Perplexities per word, sentence ends counted as words."""

    with_unknown: float
    without_unknown: float
    num_words: int
    num_unknown: int


def compute_perplexity(model: NgramModel, sentences: Sequence[Sequence[str]]) -> Perplexity:
    """Return the perplexity of the model on sentences that are not empty as a whole."""
    log_probs, unknown = model.score(sentences)
    known = log_probs[~unknown]
    return Perplexity(
        with_unknown=float(10 ** -log_probs.mean()),
        without_unknown=float(10 ** -known.mean()),
        num_words=len(log_probs),
        num_unknown=int(unknown.sum()),
    )
