"""Word and character errors: hand-worked values, and jiwer's counts on the same strings."""

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spner.core.datatypes import LABELS
from spner.scoring.alignment import align
from spner.scoring.wer import ErrorCounts, count_entity_word_errors, count_errors
from spner.text.tags import text_to_spans

# ref, hyp -> sub, del, ins, num_ref of the words.
CASES = {
    "equal": ("a b", "a b", (0, 0, 0, 2)),
    "substitution": ("a b c", "a x c", (1, 0, 0, 3)),
    "deletion": ("a b c", "a c", (0, 1, 0, 3)),
    "insertion": ("a c", "a b c", (0, 0, 1, 2)),
    "empty hypothesis": ("a b", "", (0, 2, 0, 2)),
    "empty reference": ("", "a b", (0, 0, 2, 0)),
    "both empty": ("", "", (0, 0, 0, 0)),
    "deletion and insertion": ("a b c d", "b c d e", (0, 1, 1, 4)),
    "apostrophe token": ("' a", "a", (0, 1, 0, 2)),
    "words that begin alike": ("straße ij", "strasse ij", (1, 0, 0, 2)),
}


@pytest.mark.parametrize("case", CASES)
def test_word_errors(case: str) -> None:
    ref, hyp, expected = CASES[case]
    assert count_errors(ref=tuple(ref.split()), hyp=tuple(hyp.split())) == ErrorCounts(*expected)


# ref (tagged), hyp -> sub, del, ins, num_ref inside entities.
INSIDE = {
    "equal": ("<PER> a b </NE> c", "a b c", (0, 0, 0, 2)),
    "no entity": ("a b", "x", (0, 0, 0, 0)),
    "empty hypothesis": ("<PER> a b </NE> c", "", (0, 2, 0, 2)),
    "error outside": ("<PER> a b </NE> c", "a b x", (0, 0, 0, 2)),
    "substitution": ("<PER> a b </NE> c", "a x c", (1, 0, 0, 2)),
    "deletion": ("<PER> a b </NE> c", "a c", (0, 1, 0, 2)),
    "insertion inside": ("<PER> a b </NE> c", "a x y b c", (0, 0, 2, 2)),
    "insertion before": ("<PER> a b </NE> c", "x a b c", (0, 0, 0, 2)),
    "insertion after": ("<PER> a b </NE> c", "a b x c", (0, 0, 0, 2)),
    "insertion after an entity at the end": ("c <PER> a b </NE>", "c a b x", (0, 0, 0, 2)),
    "insertion between adjacent entities": ("<PER> a </NE> <PER> b </NE>", "a x b", (0, 0, 0, 2)),
}


@pytest.mark.parametrize("case", INSIDE)
def test_word_errors_inside_entities(case: str) -> None:
    text, hyp, expected = INSIDE[case]
    ref, hyp = text_to_spans(text.split(), labels=LABELS).transcript, hyp.split()
    found = count_entity_word_errors(align(ref=ref.words, hyp=hyp), ref=ref.words, hyp=hyp, entities=ref.entities)
    assert found == ErrorCounts(*expected)


def test_character_errors_count_spaces() -> None:
    assert count_errors(ref="new york", hyp="newyork") == ErrorCounts(num_del=1, num_ref=8)


def test_rate_is_errors_over_reference_tokens() -> None:
    assert ErrorCounts(num_sub=1, num_del=2, num_ins=3, num_ref=4).rate == 1.5


def test_rate_without_errors_and_reference_is_zero() -> None:
    assert ErrorCounts().rate == 0.0


def test_rate_of_insertions_alone_is_undefined() -> None:
    assert ErrorCounts(num_ins=2).rate is None


def test_both_empty_contributes_nothing_and_an_empty_reference_its_insertions() -> None:
    pairs = [("a b", "a"), ("", ""), ("", "x")]
    total = sum((count_errors(ref=ref.split(), hyp=hyp.split()) for ref, hyp in pairs), ErrorCounts())
    assert total == ErrorCounts(num_del=1, num_ins=1, num_ref=2)
    assert total.rate == 1.0


SENTENCE = st.lists(st.text(alphabet="abcë'", min_size=1, max_size=3), max_size=8).map(" ".join)
PAIRS = st.lists(st.tuples(SENTENCE, SENTENCE), min_size=1, max_size=6)


@given(PAIRS)
def test_wer_equals_jiwers(pairs: list[tuple[str, str]]) -> None:
    total = sum((count_errors(ref=ref.split(), hyp=hyp.split()) for ref, hyp in pairs), ErrorCounts())
    theirs = jiwer.process_words([ref for ref, _ in pairs], [hyp for _, hyp in pairs])
    _assert_equal(total, theirs, theirs.wer)


@given(PAIRS)
def test_cer_equals_jiwers(pairs: list[tuple[str, str]]) -> None:
    total = sum((count_errors(ref=ref, hyp=hyp) for ref, hyp in pairs), ErrorCounts())
    theirs = jiwer.process_characters([ref for ref, _ in pairs], [hyp for _, hyp in pairs])
    _assert_equal(total, theirs, theirs.cer)


def _assert_equal(ours: ErrorCounts, theirs: jiwer.WordOutput | jiwer.CharacterOutput, rate: float) -> None:
    counts = (theirs.substitutions, theirs.deletions, theirs.insertions)
    assert (ours.num_sub, ours.num_del, ours.num_ins) == counts
    assert ours.num_ref == theirs.hits + theirs.substitutions + theirs.deletions
    if ours.num_ref:
        assert ours.rate == pytest.approx(rate, abs=1e-12)
