"""Entity F1: precision and recall over multisets of entities (docs/metrics.md, section 3).

A matching gives each entity a key, which begins with its label. A reference and a predicted entity match when their
keys are equal. Entities match one to one, within their utterance.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spner.core.datatypes import Entity, Transcript
from spner.scoring.ratio import Count, Ratio, divide
from spner.scoring.schema import Match
from spner.scoring.transcripts import Pair

Key = tuple[str, *tuple[str | int, ...]]

MATCHINGS: dict[str, Callable[[Transcript, Entity], Key]] = {
    "f1": lambda utterance, entity: (entity.label, utterance.phrase(entity)),
    "label_f1": lambda utterance, entity: (entity.label,),
    "f1_span": lambda utterance, entity: (entity.label, entity.start, entity.end),
    "f1_span_text": lambda utterance, entity: (entity.label, entity.start, entity.end, utterance.phrase(entity)),
}


@dataclass(frozen=True)
class MatchCounts:
    """True positives, false positives, false negatives; counts of utterances and labels add up.

    Each is a number, or an array of the same numbers of many draws.
    """

    tp: Count = 0
    fp: Count = 0
    fn: Count = 0

    def __add__(self, other: "MatchCounts") -> "MatchCounts":
        return MatchCounts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> Ratio:
        """TP / (TP + FP), 0 to 1; 0/0 is 0.0."""
        return divide(self.tp, self.tp + self.fp, empty=0.0)

    @property
    def recall(self) -> Ratio:
        """TP / (TP + FN), 0 to 1; 0/0 is 0.0."""
        return divide(self.tp, self.tp + self.fn, empty=0.0)

    @property
    def f1(self) -> Ratio:
        """Harmonic mean of precision and recall, 0 to 1; 0/0 is 0.0."""
        return divide(2 * self.tp, 2 * self.tp + self.fp + self.fn, empty=0.0)

    def describe(self) -> Match:
        """Return the counts and their rates in the JSON form of scores."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "tp": self.tp,
            "fp": self.fp,
            "fn": self.fn,
        }


@dataclass(frozen=True)
class Matches:
    """The keys of one utterance that both sides have, and those that only one side has."""

    both: Sequence[Key]
    only_hyp: Sequence[Key]
    only_ref: Sequence[Key]


def match(*, ref: Sequence[Key], hyp: Sequence[Key]) -> Matches:
    """Match the keys of one utterance as multisets: two equal mentions count twice."""
    if ref == hyp:
        return Matches(ref, (), ())
    unmatched = Counter(ref)
    both, only_hyp = [], []
    for key in hyp:
        if unmatched[key] > 0:
            unmatched[key] -= 1
            both.append(key)
        else:
            only_hyp.append(key)
    return Matches(both, only_hyp, list(unmatched.elements()))


def count_matches(pairs: Iterable[Pair], *, matching: str) -> dict[str, MatchCounts]:
    """Return the counts of each label that occurs on either side.

    Args:
        pairs: the utterances.
        matching: a key of ``MATCHINGS``: ``f1`` label and phrase, ``label_f1`` label alone, ``f1_span`` label and
            word positions, ``f1_span_text`` label, word positions and words.
    """
    key_of = MATCHINGS[matching]
    tp: Counter[str] = Counter()
    fp: Counter[str] = Counter()
    fn: Counter[str] = Counter()
    for pair in pairs:
        ref = [key_of(pair.ref, entity) for entity in pair.ref.entities]
        hyp = [key_of(pair.hyp, entity) for entity in pair.hyp.entities]
        matches = match(ref=ref, hyp=hyp)
        tp.update(key[0] for key in matches.both)
        fp.update(key[0] for key in matches.only_hyp)
        fn.update(key[0] for key in matches.only_ref)
    return {label: MatchCounts(tp[label], fp[label], fn[label]) for label in sorted({*tp, *fp, *fn})}


def compute_macro_f1(counts: Mapping[str, MatchCounts], *, labels: Collection[str]) -> Ratio:
    """Return the mean F1 over the configured labels that occur in the references; 0.0 when none does."""
    own = [counts[label] for label in labels if label in counts]
    if any(isinstance(each.tp, np.ndarray) for each in own):
        supported = np.stack([each.tp + each.fn > 0 for each in own])
        f1 = np.where(supported, np.stack([each.f1 for each in own]), 0.0)
        return divide(f1.sum(axis=0), supported.sum(axis=0), empty=None)
    f1_of_supported = [each.f1 for each in own if each.tp + each.fn]
    return divide(sum(f1_of_supported), len(f1_of_supported), empty=0.0)
