"""Word and character errors: (S + D + I) / N over a corpus (docs/metrics.md, section 5).

The edits are jiwer's. It sees one utterance at a time, because it sums over all that it sees and the bootstrap needs
each utterance's counts; the rates are ours, because jiwer gives the number of insertions as the rate of references
without any word. Errors inside entities, which it does not know, are counted on its alignment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import jiwer

from spner.core.datatypes import Entity
from spner.scoring.alignment import Alignment, find_edits
from spner.scoring.ratio import Count, Ratio, divide


@dataclass(frozen=True)
class ErrorCounts:
    """Substitutions, deletions and insertions against ``num_ref`` reference tokens; counts of utterances add up.

    Each is a number, or an array of the same numbers of many draws.
    """

    num_sub: Count = 0
    num_del: Count = 0
    num_ins: Count = 0
    num_ref: Count = 0

    def __add__(self, other: "ErrorCounts") -> "ErrorCounts":
        return ErrorCounts(
            self.num_sub + other.num_sub,
            self.num_del + other.num_del,
            self.num_ins + other.num_ins,
            self.num_ref + other.num_ref,
        )

    @property
    def rate(self) -> Ratio:
        """Errors a reference token, 0 or more; 0.0 without reference and error, None if there are only insertions."""
        num_errors = self.num_sub + self.num_del + self.num_ins
        if isinstance(self.num_ref, int) and self.num_ref == num_errors == 0:
            return 0.0
        return divide(num_errors, self.num_ref, empty=None)


def count_errors(*, ref: Sequence[str], hyp: Sequence[str]) -> ErrorCounts:
    """Return the errors of one utterance: words for the WER, a string (its spaces included) for the CER."""
    if ref == hyp:
        return ErrorCounts(num_ref=len(ref))
    return count_edits(find_edits(ref=ref, hyp=hyp))


def count_edits(edits: jiwer.WordOutput) -> ErrorCounts:
    """Return the counts of jiwer's edits."""
    num_ref = edits.hits + edits.substitutions + edits.deletions
    return ErrorCounts(edits.substitutions, edits.deletions, edits.insertions, num_ref)


def count_entity_word_errors(
    alignment: Alignment, *, ref: Sequence[str], hyp: Sequence[str], entities: Sequence[Entity]
) -> ErrorCounts:
    """Return the errors on the reference words inside entities (docs/metrics.md, section 4).

    An inserted word counts if the reference words before and after it belong to the same entity.
    """
    entity_of = [-1] * (len(ref) + 1)
    for number, entity in enumerate(entities):
        entity_of[entity.start : entity.end] = [number] * (entity.end - entity.start)
    inside = [(i, j) for i, j in alignment if i is not None and entity_of[i] >= 0]
    num_sub = sum(j is not None and ref[i] != hyp[j] for i, j in inside)
    num_del = sum(j is None for _, j in inside)
    # Between neighbouring reference words the alignment has one column more for each insertion.
    columns = [column for column, (i, _) in enumerate(alignment) if i is not None]
    num_ins = sum(
        after - before - 1
        for position, (before, after) in enumerate(pairwise(columns))
        if entity_of[position] >= 0 and entity_of[position] == entity_of[position + 1]
    )
    return ErrorCounts(num_sub, num_del, num_ins, len(inside))
