"""The word alignment of a reference and a hypothesis: the one behind the WER, and how spans are carried over it.

The edit operations are rapidfuzz's, as jiwer's are, so the counts equal jiwer's on the same words.
"""

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

from spner.core.datatypes import Entity

Alignment = list[tuple[int | None, int | None]]
"""Columns ``(position in ref, position in hyp)`` in order; None where the word is inserted or deleted."""


def align(*, ref: Sequence[str], hyp: Sequence[str]) -> Alignment:
    """Return a monotone alignment with the fewest substitutions, deletions and insertions."""
    if ref == hyp:
        return [(position, position) for position in range(len(ref))]
    columns: Alignment = []
    i = j = 0
    for operation in Levenshtein.opcodes(ref, hyp):
        if operation.tag == "delete":
            columns += [(position, None) for position in range(i, operation.src_end)]
        elif operation.tag == "insert":
            columns += [(None, position) for position in range(j, operation.dest_end)]
        else:
            columns += zip(range(i, operation.src_end), range(j, operation.dest_end), strict=True)
        i, j = operation.src_end, operation.dest_end
    return columns


def project_spans(alignment: Alignment, entities: Sequence[Entity]) -> list[tuple[int, int] | None]:
    """Carry hypothesis entities over to reference words.

    Returns:
        for each entity the half-open span from the first to the last reference word that its words are aligned with;
        None where all of them are inserted.
    """
    ref_of_hyp = {j: i for i, j in alignment if i is not None and j is not None}
    spans: list[tuple[int, int] | None] = []
    for entity in entities:
        own = [ref_of_hyp[j] for j in range(entity.start, entity.end) if j in ref_of_hyp]
        spans.append((own[0], own[-1] + 1) if own else None)
    return spans
