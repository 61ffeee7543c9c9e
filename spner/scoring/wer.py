"""Word and character errors: (S + D + I) / N over a corpus (METRICS, section 5).

The edit operations are rapidfuzz's, as jiwer's are, so the counts equal jiwer's on the same strings.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein


@dataclass(frozen=True)
class ErrorCounts:
    """Substitutions, deletions and insertions against ``num_ref`` reference tokens; counts of utterances add up."""

    num_sub: int = 0
    num_del: int = 0
    num_ins: int = 0
    num_ref: int = 0

    def __add__(self, other: "ErrorCounts") -> "ErrorCounts":
        return ErrorCounts(
            self.num_sub + other.num_sub,
            self.num_del + other.num_del,
            self.num_ins + other.num_ins,
            self.num_ref + other.num_ref,
        )

    @property
    def rate(self) -> float | None:
        """Errors a reference token, 0 or more; 0.0 without reference and error, None where only insertions exist.

        jiwer returns the number of insertions in the last case, which is no rate.
        """
        num_errors = self.num_sub + self.num_del + self.num_ins
        if self.num_ref == 0:
            return None if num_errors else 0.0
        return num_errors / self.num_ref


def count_errors(*, ref: Sequence[Hashable], hyp: Sequence[Hashable]) -> ErrorCounts:
    """Return one utterance's errors: words for the WER, a string (its spaces included) for the CER."""
    if ref == hyp:
        return ErrorCounts(num_ref=len(ref))
    kinds = Counter(kind for kind, _, _ in Levenshtein.editops(ref, hyp).as_list())
    return ErrorCounts(kinds["replace"], kinds["delete"], kinds["insert"], len(ref))
