"""The kind of error of each entity (docs/metrics.md, section 7).

A reference and a predicted entity that are partners count once, in the first kind that fits:

- ``correct``: same label, same words;
- ``wrong_label``: another label, on the same words or on the same reference words through the alignment;
- ``wrong_boundary``: they share reference words through the alignment, but not all;
- ``misspelt``: same label, and their character edit distance is below 0.4 of the longer one's length.

An entity without a partner is ``missed`` (reference) or ``spurious`` (hypothesis).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from spner.core.datatypes import Entity, Transcript
from spner.scoring.alignment import Alignment, project_spans

KINDS = ("correct", "wrong_label", "wrong_boundary", "misspelt", "missed", "spurious")
NO_LABEL = "O"
"""Stands in the confusion table for the side that has no entity, as in BIO tags."""

MAX_DISTANCE = 0.4  # docs/metrics.md, section 7


@dataclass(frozen=True, slots=True)
class EntityError:
    """One row of the account; ``ref`` and ``hyp`` are positions among the utterance's entities, None for no partner."""

    kind: str
    ref: int | None
    hyp: int | None


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A reference and a predicted entity that may be partners, and the latter's span in reference words."""

    ref: Entity
    hyp: Entity
    ref_phrase: str
    hyp_phrase: str
    span: tuple[int, int] | None

    @property
    def num_shared(self) -> int:
        return max(0, min(self.ref.end, self.span[1]) - max(self.ref.start, self.span[0])) if self.span else 0

    @property
    def distance(self) -> int:
        """Distance between their first words, in words."""
        return abs((self.span[0] if self.span else self.hyp.start) - self.ref.start)


def _is_wrong_label(pair: _Candidate) -> bool:
    same_place = pair.span == (pair.ref.start, pair.ref.end)
    return pair.ref.label != pair.hyp.label and (pair.ref_phrase == pair.hyp_phrase or same_place)


def _is_misspelt(pair: _Candidate) -> bool:
    return pair.ref.label == pair.hyp.label and (
        Levenshtein.normalized_distance(pair.ref_phrase, pair.hyp_phrase) < MAX_DISTANCE
    )


# The kinds of partners in the order in which they are tried: whether a pair fits, and which fits best.
PARTNERS: dict[str, tuple[Callable[[_Candidate], bool], Callable[[_Candidate], tuple[float, ...]]]] = {
    "correct": (
        lambda pair: pair.ref.label == pair.hyp.label and pair.ref_phrase == pair.hyp_phrase,
        lambda pair: (pair.distance,),
    ),
    "wrong_label": (_is_wrong_label, lambda pair: (-pair.num_shared, pair.distance)),
    "wrong_boundary": (
        lambda pair: pair.num_shared > 0 and pair.span != (pair.ref.start, pair.ref.end),
        lambda pair: (-pair.num_shared, pair.ref.label != pair.hyp.label),
    ),
    "misspelt": (
        _is_misspelt,
        lambda pair: (Levenshtein.distance(pair.ref_phrase, pair.hyp_phrase), pair.distance),
    ),
}


def find_errors(alignment: Alignment, *, ref: Transcript, hyp: Transcript) -> list[EntityError]:
    """Return the account of one utterance: partners, then missed, then spurious entities; each entity occurs once."""
    if ref == hyp:
        return [EntityError("correct", number, number) for number in range(len(ref.entities))]
    found: dict[int, EntityError] = {}
    refs, hyps = dict(enumerate(ref.entities)), dict(enumerate(hyp.entities))
    if refs and hyps:
        spans = project_spans(alignment, hyp.entities)
        for kind, (fits, cost) in PARTNERS.items():
            pairs = (
                (_Candidate(r, h, ref.phrase(r), hyp.phrase(h), spans[j]), i, j)
                for i, r in refs.items()
                for j, h in hyps.items()
            )
            for _, i, j in sorted((cost(pair), i, j) for pair, i, j in pairs if fits(pair)):
                if i in refs and j in hyps:
                    found[i] = EntityError(kind, i, j)
                    del refs[i], hyps[j]
    partners = [found[i] for i in sorted(found)]
    missed = [EntityError("missed", i, None) for i in refs]
    return [*partners, *missed, *(EntityError("spurious", None, j) for j in hyps)]


def match_mentions(*, ref: Sequence[tuple[str, str]], hyp: Sequence[tuple[str, str]]) -> list[EntityError]:
    """Return the account of mentions, ``(label, phrase)``, without positions: equal ones are partners."""
    free: dict[tuple[str, str], list[int]] = {}
    for j, mention in enumerate(hyp):
        free.setdefault(mention, []).append(j)
    found = [
        EntityError("correct", i, free[mention].pop(0)) if free.get(mention) else EntityError("missed", i, None)
        for i, mention in enumerate(ref)
    ]
    return [*found, *(EntityError("spurious", None, j) for unmatched in free.values() for j in unmatched)]


def label_pairs(errors: Iterable[EntityError], *, ref: Sequence[str], hyp: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the cell ``(ref label, hyp label)`` of the confusion table for each; ``O`` stands for no entity.

    Args:
        errors: of one utterance.
        ref: labels of its entities.
        hyp: labels of the predicted entities.
    """
    for error in errors:
        yield (
            NO_LABEL if error.ref is None else ref[error.ref],
            NO_LABEL if error.hyp is None else hyp[error.hyp],
        )
