"""Interpolated modified Kneser-Ney estimation, in all details as KenLM's ``lmplz`` does it.

With ``c`` the adjusted count, ``D`` the discount of its order and ``h'`` the context ``h`` without its first word::

    p(w | h) = (c(h w) - D(c(h w))) / sum over x of c(h x)  +  backoff(h) p(w | h')

Below the unigrams is the uniform distribution over the words, with ``<unk>`` and ``</s>`` but without ``<s>``.
The backoff of a context is the mass that discounts took from the words seen after it, and all mass of pruned n-grams.

Source: Chen and Goodman 1998 (An empirical study of smoothing techniques for language modeling), equations 22 to 26;
Heafield et al. 2013 (Scalable modified Kneser-Ney language model estimation).
"""

import logging
from collections.abc import Sequence

import numpy as np

from spner.lm.counts import BEGIN_ID, Corpus, count_ngrams
from spner.lm.model import NgramModel

FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
NEVER = -99.0  # ARPA's logarithm of what is never predicted
log = logging.getLogger(__name__)


def estimate(corpus: Corpus, *, order: int, prune: Sequence[int] = ()) -> NgramModel:
    """Return the model of a corpus.

    Args:
        corpus: at least one sentence.
        order: words in the longest n-gram, at least 1.
        prune: for each order, n-grams that occur at most this often are left out. The first is 0 and none is below the
            one before it, so that every n-gram left has its context. Empty: all n-grams stay.
    """
    counts = count_ngrams(corpus, order)
    model = NgramModel(corpus.words, [], [], [])
    # The empty n-gram, below the unigrams.
    numbers, probs = np.zeros(1, np.int64), np.array([1 / (len(corpus.words) - 1)])
    for n, threshold in enumerate(prune or [0] * order, start=1):
        ngrams = counts.pop(0)  # frees its memory
        contexts, last_words = np.divmod(ngrams.keys, len(corpus.words))
        kept = (ngrams.raw > threshold) if threshold else np.ones(len(ngrams.keys), bool)
        discounts = np.array([0.0, *estimate_discounts(ngrams.adjusted, order=n)])[np.minimum(ngrams.adjusted, 3)]
        freed = np.bincount(contexts, np.where(kept, discounts, ngrams.adjusted), minlength=len(numbers))
        totals = np.bincount(contexts, ngrams.adjusted, minlength=len(numbers))
        backoffs = np.divide(freed, totals, out=np.ones(len(totals)), where=totals > 0)
        # From here on without the pruned n-grams; a kept one's context and suffix are kept, being at least as frequent.
        contexts, last_words = contexts[kept], last_words[kept]
        direct = (ngrams.adjusted - discounts)[kept] / totals[contexts]
        probs = direct + backoffs[contexts] * probs[numbers[ngrams.suffixes[kept]]]
        if n > 1:
            model.backoffs.append(np.log10(backoffs[numbers >= 0]))
        model.keys.append(numbers[contexts] * len(corpus.words) + last_words)
        model.log_probs.append(np.log10(probs))
        numbers = np.where(kept, np.cumsum(kept) - 1, -1)
    model.log_probs[0][BEGIN_ID] = NEVER
    return model


def estimate_discounts(adjusted: np.ndarray, *, order: int) -> tuple[float, float, float]:
    """Return the discounts of adjusted counts 1, 2 and 3 or more (Chen and Goodman, equation 26).

    Where small or artificial data gives none within ``0 < D(j) <= j``, :data:`FALLBACK_DISCOUNTS`, with a logged line.
    """
    n1, n2, n3, n4 = (int(np.count_nonzero(adjusted == count)) for count in (1, 2, 3, 4))
    if n1 and n2 and n3:
        y = n1 / (n1 + 2 * n2)
        d1, d2, d3 = 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3
        if min(d1, d2, d3) > 0:
            return d1, d2, d3
    log.info(
        "%d-grams: counts of counts %d %d %d %d give no discounts; taking %s",
        order,
        n1,
        n2,
        n3,
        n4,
        " ".join(map(str, FALLBACK_DISCOUNTS)),
    )
    return FALLBACK_DISCOUNTS
