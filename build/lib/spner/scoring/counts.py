"""The counts that one utterance adds to every score: a row of a table. Every score is a function of sums of rows.

So resampling a corpus (``significance.py``) never touches text again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spner.scoring.eer import EntityErrors
from spner.scoring.f1 import MATCHINGS, MatchCounts, compute_macro_f1
from spner.scoring.ratio import Ratio
from spner.scoring.wer import ErrorCounts

WORD_RATES = ("wer", "cer", "wer_tagged", "entity_wer")
MATCHES = (*MATCHINGS, "f1_aligned", "seen", "unseen")
MISSES = ("eer", "eer_substr")
POSITIONAL = ("wer_tagged", "entity_wer", "f1_span", "f1_span_text", "f1_aligned")
"""Scores that need the entities' positions on both sides."""


class Columns:
    """The columns of a row: which one holds which count, for the labels that occur."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        names: list[tuple[str, ...]] = [
            (name, kind) for name in WORD_RATES for kind in ("sub", "del", "ins", "num_ref")
        ]
        names += [(name, kind) for name in MISSES for kind in ("errors", "num_entities")]
        names += [(name, label, kind) for name in MATCHES for label in labels for kind in ("tp", "fp", "fn")]
        self.start: dict[tuple[str, ...], int] = {}
        for column, name in enumerate(names):
            self.start.setdefault(name[:-1], column)
        self.width = len(names)

    def word_errors(self, totals: np.ndarray, name: str) -> ErrorCounts:
        """Return the errors of one of ``WORD_RATES``; ``totals`` is (width,), or (…, width) for arrays of counts."""
        return ErrorCounts(*self._take(totals, (name,), 4))

    def missed(self, totals: np.ndarray, name: str) -> EntityErrors:
        """Return the counts of one of ``MISSES``."""
        return EntityErrors(*self._take(totals, (name,), 2))

    def matches(self, totals: np.ndarray, name: str) -> dict[str, MatchCounts]:
        """Return the counts of one of ``MATCHES`` by label."""
        return {label: MatchCounts(*self._take(totals, (name, label), 3)) for label in self.labels}

    def _take(self, totals: np.ndarray, name: tuple[str, ...], length: int) -> Iterable[int | np.ndarray]:
        start = self.start[name]
        columns = (totals[..., start + offset] for offset in range(length))
        return (column if column.ndim else int(column) for column in columns)


@dataclass(frozen=True)
class Table:
    """The rows of a corpus.

    Attributes:
        columns: what they hold.
        rows: (utterances, width) int32.
        names: the scores that are defined; some need positions or training entities.
    """

    columns: Columns
    rows: np.ndarray
    names: frozenset[str]

    def totals(self) -> np.ndarray:
        """Return the sums over utterances, (width,) int64."""
        return self.rows.sum(axis=0, dtype=np.int64)


def compute_scores(columns: Columns, totals: np.ndarray, names: frozenset[str]) -> dict[str, Ratio]:
    """Return every defined headline score: rates and micro F1s; of ``f1`` also its precision, recall, macro F1 and,
    as ``f1.<label>``, its F1 by label.

    Args:
        columns: of ``totals``.
        totals: (width,) for numbers, None where undefined; (draws, width) for arrays, NaN where undefined.
        names: the scores to compute.
    """
    scores: dict[str, Ratio] = {}
    for name in (name for name in WORD_RATES if name in names):
        scores[name] = word_rate(columns.word_errors(totals, name), name)
    for name in MISSES:
        scores[name] = columns.missed(totals, name).rate
    by_label = columns.matches(totals, "f1")
    micro = sum_counts(by_label)
    scores |= {"f1": micro.f1, "precision": micro.precision, "recall": micro.recall}
    scores |= {f"f1.{label}": counts.f1 for label, counts in by_label.items()}
    scores["macro_f1"] = compute_macro_f1(by_label, labels=columns.labels)
    for name in (name for name in MATCHES if name in names):
        scores[name] = sum_counts(columns.matches(totals, name)).f1
    return scores


def word_rate(counts: ErrorCounts, name: str) -> Ratio:
    """Return one of ``WORD_RATES``; the entity WER is undefined if no reference word is inside an entity."""
    if name == "entity_wer" and isinstance(counts.num_ref, int) and not counts.num_ref:
        return None
    return counts.rate


def sum_counts(counts: Mapping[str, MatchCounts]) -> MatchCounts:
    """Return the sum over labels."""
    return sum(counts.values(), MatchCounts())
