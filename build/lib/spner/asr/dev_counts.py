"""What dev is judged by, for the choice of a checkpoint and of a search's weights: word errors and entity matches."""

from collections.abc import Sequence

from spner.scoring.f1 import MatchCounts, count_matches
from spner.scoring.transcripts import Pair
from spner.scoring.wer import ErrorCounts, count_errors
from spner.text.tags import text_to_spans


def count_dev(
    refs: Sequence[Sequence[str]], hyps: Sequence[Sequence[str]], *, labels: Sequence[str]
) -> tuple[ErrorCounts, ErrorCounts, MatchCounts]:
    """Return the word errors without entity symbols, those with the symbols as words, and the entity matches of F1.

    Args:
        refs: each utterance's words and entity symbols.
        hyps: the same of its hypothesis.
        labels: those of the symbols.
    """
    pairs = [
        Pair(ref=text_to_spans(ref, labels=labels).transcript, hyp=text_to_spans(hyp, labels=labels).transcript)
        for ref, hyp in zip(refs, hyps, strict=True)
    ]
    errors = sum((count_errors(ref=pair.ref.words, hyp=pair.hyp.words) for pair in pairs), ErrorCounts())
    tagged_errors = sum((count_errors(ref=ref, hyp=hyp) for ref, hyp in zip(refs, hyps, strict=True)), ErrorCounts())
    return errors, tagged_errors, sum(count_matches(pairs, matching="f1").values(), MatchCounts())
