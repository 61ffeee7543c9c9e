"""The word alignment: columns that hold every word once, jiwer's edits, and spans carried over it."""

from itertools import pairwise

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from spner.core.datatypes import Entity
from spner.scoring.alignment import align, project_spans

ALIGNMENTS = {
    "both empty": ("", "", []),
    "equal": ("a b", "a b", [(0, 0), (1, 1)]),
    "empty hypothesis": ("a b", "", [(0, None), (1, None)]),
    "empty reference": ("", "a b", [(None, 0), (None, 1)]),
    "substitution": ("a b c", "a x c", [(0, 0), (1, 1), (2, 2)]),
    "deletion": ("a b c", "a c", [(0, 0), (1, None), (2, 1)]),
    "insertion": ("a c", "a b c", [(0, 0), (None, 1), (1, 2)]),
    "words of one letter and of several": ("a ab b", "ab b", [(0, None), (1, 0), (2, 1)]),
}


@pytest.mark.parametrize("case", ALIGNMENTS)
def test_alignment(case: str) -> None:
    ref, hyp, expected = ALIGNMENTS[case]
    assert align(ref=ref.split(), hyp=hyp.split()) == expected


SENTENCES = st.lists(st.sampled_from(["a", "b", "ab", "ë", "new york"]), max_size=8)


@given(SENTENCES, SENTENCES)
def test_every_word_is_in_one_column_and_the_errors_are_the_fewest(ref: list[str], hyp: list[str]) -> None:
    columns = align(ref=ref, hyp=hyp)
    assert [i for i, _ in columns if i is not None] == list(range(len(ref)))
    assert [j for _, j in columns if j is not None] == list(range(len(hyp)))
    num_errors = sum(i is None or j is None or ref[i] != hyp[j] for i, j in columns)
    assert num_errors == Levenshtein.distance(ref, hyp)


@given(SENTENCES, SENTENCES)
def test_columns_are_jiwers(ref: list[str], hyp: list[str]) -> None:
    ref, hyp = ([word.replace(" ", "_") for word in side] for side in (ref, hyp))
    (chunks,) = jiwer.process_words(" ".join(ref), " ".join(hyp)).alignments
    expected = []
    for chunk in chunks:
        here, there = range(chunk.ref_start_idx, chunk.ref_end_idx), range(chunk.hyp_start_idx, chunk.hyp_end_idx)
        gaps = [None] * max(len(here), len(there))
        expected += zip(here or gaps, there or gaps, strict=True)
    assert align(ref=ref, hyp=hyp) == expected


# ref, hyp, entity in the hypothesis -> its span in reference words.
PROJECTIONS = {
    "same words": ("a b c", "a b c", (0, 2), (0, 2)),
    "a word inserted before": ("a b", "x a b", (1, 3), (0, 2)),
    "a word deleted before": ("x a b", "a b", (0, 2), (1, 3)),
    "a word inserted inside": ("a b", "a x b", (0, 3), (0, 2)),
    "a word inserted at its start": ("a b", "x a b", (0, 2), (0, 1)),
    "a word inserted at its end": ("a b", "a b x", (1, 3), (1, 2)),
    "a word deleted inside": ("a x b", "a b", (0, 2), (0, 3)),
    "other words in its place": ("a b c", "a x y", (1, 3), (1, 3)),
    "inserted as a whole": ("a b", "a x b", (1, 2), None),
    "empty reference": ("", "x", (0, 1), None),
}


@pytest.mark.parametrize("case", PROJECTIONS)
def test_projection(case: str) -> None:
    ref, hyp, span, expected = PROJECTIONS[case]
    alignment = align(ref=ref.split(), hyp=hyp.split())
    assert project_spans(alignment, [Entity(*span, "PER")]) == [expected]


@given(SENTENCES, SENTENCES)
def test_projected_spans_keep_their_order_and_do_not_overlap(ref: list[str], hyp: list[str]) -> None:
    entities = [Entity(position, position + 1, "PER") for position in range(len(hyp))]
    spans = [span for span in project_spans(align(ref=ref, hyp=hyp), entities) if span]
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert all(0 <= start < end <= len(ref) for start, end in spans)
