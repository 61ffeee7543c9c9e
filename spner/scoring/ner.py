"""Entity scores: F1 over multisets of entities, and the entity error rate (METRICS, sections 3 and 4).

A matching says when a reference and a predicted entity are the same; each gives an entity a key
that begins with its label. Entities match one to one, within their utterance.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from spner.datatypes import Annotated, Entity

Key = tuple[str | int, ...]

MATCHINGS: dict[str, Callable[[Annotated, Entity], Key]] = {
    "f1": lambda utterance, entity: (entity.label, utterance.phrase(entity)),
    "label_f1": lambda utterance, entity: (entity.label,),
    "f1_span": lambda utterance, entity: (entity.label, entity.start, entity.end),
    "f1_span_text": lambda utterance, entity: (entity.label, entity.start, entity.end, utterance.phrase(entity)),
}


@dataclass(frozen=True)
class Pair:
    """One utterance, as the reference and as the hypothesis have it, both in canonical form."""

    ref: Annotated
    hyp: Annotated


@dataclass(frozen=True)
class MatchCounts:
    """True positives, false positives, false negatives; counts of utterances and labels add up."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: "MatchCounts") -> "MatchCounts":
        return MatchCounts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> float:
        """TP / (TP + FP), 0 to 1; 0/0 is 0.0."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """TP / (TP + FN), 0 to 1; 0/0 is 0.0."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0 to 1; 0/0 is 0.0."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)


@dataclass(frozen=True)
class EntityErrors:
    """Reference mentions, and how many of them the hypotheses lack; counts of utterances add up."""

    num_errors: int = 0
    num_entities: int = 0

    def __add__(self, other: "EntityErrors") -> "EntityErrors":
        return EntityErrors(self.num_errors + other.num_errors, self.num_entities + other.num_entities)

    @property
    def rate(self) -> float | None:
        """Share of reference mentions, 0 to 1, that are missing; None without a reference mention."""
        return self.num_errors / self.num_entities if self.num_entities else None


def discard_labels(annotated: Annotated, labels: Collection[str]) -> Annotated:
    """Return the utterance without entities of these labels; its words stay."""
    return Annotated(annotated.words, tuple(e for e in annotated.entities if e.label not in labels))


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
        unmatched = Counter(key_of(pair.ref, entity) for entity in pair.ref.entities)
        for entity in pair.hyp.entities:
            key = key_of(pair.hyp, entity)
            if unmatched[key] > 0:
                unmatched[key] -= 1
                tp[entity.label] += 1
            else:
                fp[entity.label] += 1
        for key, count in unmatched.items():
            fn[key[0]] += count
    return {label: MatchCounts(tp[label], fp[label], fn[label]) for label in sorted({*tp, *fp, *fn})}


def compute_macro_f1(counts: dict[str, MatchCounts], *, labels: Sequence[str]) -> float:
    """Return the mean F1 over the configured labels that occur in the references; 0.0 when none does."""
    supported = [counts[label] for label in labels if label in counts and counts[label].tp + counts[label].fn]
    return _ratio(sum(label_counts.f1 for label_counts in supported), len(supported))


def count_entity_errors(pair: Pair) -> EntityErrors:
    """Count the reference mentions whose words are not in the hypothesis as whole words, whatever its labels.

    Each hypothesis word serves one mention, longest mentions first, so that "york" cannot reuse "new york". Of
    several occurrences the nearest to the mention's own position is used: a hypothesis equal to the reference then
    misses none, whereas the leftmost may take words of the mention before.
    """
    spans = sorted(pair.ref.entities, key=lambda entity: (entity.start - entity.end, entity.start))
    free: list[str | None] = list(pair.hyp.words)
    num_errors = 0
    for entity in spans:
        mention = list(pair.ref.words[entity.start : entity.end])
        length = len(mention)
        starts = [start for start in range(len(free) - length + 1) if free[start : start + length] == mention]
        if not starts:
            num_errors += 1
        else:
            _, start = min((abs(start - entity.start), start) for start in starts)
            free[start : start + length] = [None] * length
    return EntityErrors(num_errors, len(spans))


def count_entity_errors_substr(pair: Pair) -> EntityErrors:
    """Count the reference mentions that are no substring of the hypothesis: the paper's EER, "rom" in "promise" too."""
    hyp_text = " ".join(pair.hyp.words)
    num_errors = sum(pair.ref.phrase(entity) not in hyp_text for entity in pair.ref.entities)
    return EntityErrors(num_errors, len(pair.ref.entities))


def _ratio(numerator: float, denominator: int) -> float:
    """Return the ratio; 0/0 is 0.0 (METRICS, section 8)."""
    return numerator / denominator if denominator else 0.0
