"""The entity error rate, EER: reference mentions that the hypotheses lack (docs/metrics.md, section 4)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spner.scoring.ratio import Count, Ratio, divide


@dataclass(frozen=True)
class EntityErrors:
    """Number of reference mentions, and of those that the hypotheses lack; counts of utterances add up."""

    num_errors: Count = 0
    num_entities: Count = 0

    def __add__(self, other: "EntityErrors") -> "EntityErrors":
        return EntityErrors(self.num_errors + other.num_errors, self.num_entities + other.num_entities)

    @property
    def rate(self) -> Ratio:
        """Share of reference mentions, 0 to 1, that are missing; None without a reference mention."""
        return divide(self.num_errors, self.num_entities, empty=None)


def count_missed(mentions: Iterable[tuple[int, Sequence[str]]], *, hyp: Sequence[str]) -> int:
    """Count the reference mentions whose words are not in the hypothesis, as whole words: the errors of the EER.

    Labels of the hypothesis play no part.

    Each hypothesis word serves one mention, longest mentions first, so that "york" cannot reuse "new york". Of
    several occurrences the nearest to the mention's own position is used: a hypothesis equal to the reference then
    misses none, while the leftmost could take words of another mention.

    Args:
        mentions: ``(position in the reference, words)``; position 0 if it is not known.
        hyp: words of the hypothesis.
    """
    free: list[str | None] = list(hyp)
    num_missed = 0
    for position, words in sorted(mentions, key=lambda mention: (-len(mention[1]), mention[0])):
        starts = find_occurrences(words, within=free)
        if starts:
            start = min(starts, key=lambda start: (abs(start - position), start))
            free[start : start + len(words)] = [None] * len(words)
        else:
            num_missed += 1
    return num_missed


def find_occurrences(phrase: Sequence[str], *, within: Sequence[str | None]) -> list[int]:
    """Return the positions at which a phrase (at least one word) begins."""
    wanted, words, length = list(phrase), list(within), len(phrase)
    return [s for s, word in enumerate(words) if word == wanted[0] and words[s : s + length] == wanted]


def count_missed_substr(phrases: Iterable[str], *, hyp: Sequence[str]) -> int:
    """Count the reference mentions that are no substring of the hypothesis: the paper's EER, "rom" in "promise" too."""
    hyp_text = " ".join(hyp)
    return sum(phrase not in hyp_text for phrase in phrases)
