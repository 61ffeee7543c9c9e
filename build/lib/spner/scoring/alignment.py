"""The word alignment of a reference and a hypothesis, jiwer's, as the WER uses it; spans are projected through it."""

from collections.abc import Sequence
from itertools import zip_longest

import jiwer

from spner.core.datatypes import Entity

Alignment = list[tuple[int | None, int | None]]
"""Columns ``(position in ref, position in hyp)`` in order; None where the word is inserted or deleted."""


class _AsItIs(jiwer.AbstractTransform):
    """Leaves lists of words alone, which jiwer would otherwise split from strings: joining them takes half the time."""

    def process_list(self, inp: list[str]) -> list[str]:
        return inp


AS_IT_IS = _AsItIs()


def align(*, ref: Sequence[str], hyp: Sequence[str]) -> Alignment:
    """Return a monotone alignment with the fewest substitutions, deletions and insertions."""
    return list_columns(find_edits(ref=ref, hyp=hyp))


def find_edits(*, ref: Sequence[str], hyp: Sequence[str]) -> jiwer.WordOutput:
    """Return jiwer's edits of one utterance, given as words; a string is a sequence of characters."""
    return jiwer.process_words([list(ref)], [list(hyp)], AS_IT_IS, AS_IT_IS)  # type: ignore[list-item]


def list_columns(edits: jiwer.WordOutput) -> Alignment:
    """Return the alignment of one utterance's edits."""
    columns: Alignment = []
    for chunk in edits.alignments[0]:
        ref, hyp = range(chunk.ref_start_idx, chunk.ref_end_idx), range(chunk.hyp_start_idx, chunk.hyp_end_idx)
        columns += zip_longest(ref, hyp)  # one of them is empty where words are deleted or inserted
    return columns


def project_spans(alignment: Alignment, entities: Sequence[Entity]) -> list[tuple[int, int] | None]:
    """Project hypothesis entities onto reference words.

    Returns:
        for each entity the half-open span from the first to the last reference word that its words are aligned with;
        None if all of them are inserted.
    """
    ref_of_hyp = {j: i for i, j in alignment if i is not None and j is not None}
    spans: list[tuple[int, int] | None] = []
    for entity in entities:
        own = [ref_of_hyp[j] for j in range(entity.start, entity.end) if j in ref_of_hyp]
        spans.append((own[0], own[-1] + 1) if own else None)
    return spans
