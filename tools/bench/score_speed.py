"""Print utterances per second of our WER and F1 beside jiwer's WER on the same strings.

    python tools/bench/score_speed.py [number of utterances of ten words]
"""

import random
import sys
import time
from collections.abc import Callable

import jiwer

from spner.datatypes import Annotated, Entity
from spner.scoring.ner import MatchCounts, Pair, count_matches
from spner.scoring.wer import ErrorCounts, count_errors

VOCABULARY_SIZE = 20_000
WORD_ERROR_RATE = 0.15


def make_pairs(num_utts: int) -> list[Pair]:
    """Return utterances of ten words with one entity; the hypotheses have substitutions."""
    rng = random.Random(1)
    words = [f"word{number}" for number in range(VOCABULARY_SIZE)]
    pairs = []
    for _ in range(num_utts):
        ref = rng.choices(words, k=10)
        hyp = [rng.choice(words) if rng.random() < WORD_ERROR_RATE else word for word in ref]
        entities = (Entity(2, 4, "PER"),)
        pairs.append(Pair(Annotated(tuple(ref), entities), Annotated(tuple(hyp), entities)))
    return pairs


def measure(name: str, num_utts: int, function: Callable[[], float]) -> float:
    """Print the speed of ``function`` and return what it returns."""
    start_s = time.perf_counter()
    score = function()
    print(f"{name:10} {num_utts / (time.perf_counter() - start_s):12,.0f} utterances/s   {score:.4f}")
    return score


def main() -> None:
    """Run each scorer once on the same pairs."""
    num_utts = int(sys.argv[1]) if sys.argv[1:] else 20_000
    pairs = make_pairs(num_utts)
    refs, hyps = [" ".join(p.ref.words) for p in pairs], [" ".join(p.hyp.words) for p in pairs]

    def our_wer() -> float:
        counts = (count_errors(ref=r.split(), hyp=h.split()) for r, h in zip(refs, hyps, strict=True))
        return sum(counts, ErrorCounts()).rate or 0.0

    ours = measure("our WER", num_utts, our_wer)
    theirs = measure("jiwer WER", num_utts, lambda: jiwer.wer(refs, hyps))
    if abs(ours - theirs) > 1e-9:
        raise SystemExit(f"our WER {ours} is not jiwer's {theirs}")
    measure("our F1", num_utts, lambda: sum(count_matches(pairs, matching="f1").values(), MatchCounts()).f1)


if __name__ == "__main__":
    main()
