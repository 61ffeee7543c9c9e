"""Entity scores: the cases of docs/metrics.md, section 8 by name, and properties on random utterances."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spner.core.datatypes import LABELS, Entity, Transcript
from spner.scoring.eer import EntityErrors, count_missed, count_missed_substr
from spner.scoring.f1 import MATCHINGS, MatchCounts, compute_macro_f1, count_matches
from spner.scoring.transcripts import Pair
from spner.text.tags import text_to_spans


def pair(*, ref: str, hyp: str) -> Pair:
    """Return two tagged texts as a pair; MISC is read as a symbol too."""
    readings = [text_to_spans(text.split(), labels=[*LABELS, "MISC"]) for text in (ref, hyp)]
    return Pair(*(reading.transcript for reading in readings))


def missed(each: Pair) -> int:
    mentions = [(entity.start, each.ref.phrase(entity).split()) for entity in each.ref.entities]
    return count_missed(mentions, hyp=each.hyp.words)


def missed_substr(each: Pair) -> int:
    return count_missed_substr(map(each.ref.phrase, each.ref.entities), hyp=each.hyp.words)


def micro(pairs: list[Pair], matching: str) -> MatchCounts:
    return sum(count_matches(pairs, matching=matching).values(), MatchCounts())


# ref, hyp -> (tp, fp, fn) of f1, label_f1, f1_span, f1_span_text.
MATCHES = {
    "hypothesis equals reference": (
        "<PER> a b </NE> c <LOC> d </NE>",
        "<PER> a b </NE> c <LOC> d </NE>",
        (2, 0, 0),
        (2, 0, 0),
        (2, 0, 0),
        (2, 0, 0),
    ),
    "empty hypothesis": ("<PER> a </NE> b", "", (0, 0, 1), (0, 0, 1), (0, 0, 1), (0, 0, 1)),
    "empty reference": ("", "<PER> a </NE>", (0, 1, 0), (0, 1, 0), (0, 1, 0), (0, 1, 0)),
    "both empty": ("", "", (0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0)),
    "same mention twice, found once": (
        "<LOC> rome </NE> en <LOC> rome </NE>",
        "<LOC> rome </NE> en rome",
        (1, 0, 1),
        (1, 0, 1),
        (1, 0, 1),
        (1, 0, 1),
    ),
    "same mention twice, found twice": (
        "<LOC> rome </NE> en <LOC> rome </NE>",
        "<LOC> rome </NE> en <LOC> rome </NE>",
        (2, 0, 0),
        (2, 0, 0),
        (2, 0, 0),
        (2, 0, 0),
    ),
    "mention found twice that is there once": (
        "<LOC> rome </NE> en rome",
        "<LOC> rome </NE> en <LOC> rome </NE>",
        (1, 1, 0),
        (1, 1, 0),
        (1, 1, 0),
        (1, 1, 0),
    ),
    "two labels on one phrase": (
        "<LOC> parijs </NE> en <PER> parijs </NE>",
        "<PER> parijs </NE> en <PER> parijs </NE>",
        (1, 1, 1),
        (1, 1, 1),
        (1, 1, 1),
        (1, 1, 1),
    ),
    "labels in exchange": (
        "<LOC> parijs </NE> en <PER> parijs </NE>",
        "<PER> parijs </NE> en <LOC> parijs </NE>",
        (2, 0, 0),
        (2, 0, 0),
        (0, 2, 2),
        (0, 2, 2),
    ),
    "new york and york": (
        "<LOC> new york </NE>",
        "new <LOC> york </NE>",
        (0, 1, 1),
        (1, 0, 0),
        (0, 1, 1),
        (0, 1, 1),
    ),
    "two different PER": (
        "<PER> jan </NE> en <PER> piet </NE>",
        "<PER> jan </NE> en <PER> klaas </NE>",
        (1, 1, 1),
        (2, 0, 0),
        (2, 0, 0),
        (1, 1, 1),
    ),
    "adjacent same-label entities": (
        "<PER> jan </NE> <PER> piet </NE>",
        "<PER> jan piet </NE>",
        (0, 1, 2),
        (1, 0, 1),
        (0, 1, 2),
        (0, 1, 2),
    ),
    "an inserted word moves the spans": (
        "ik zie <PER> jan </NE>",
        "ik zie o <PER> jan </NE>",
        (1, 0, 0),
        (1, 0, 0),
        (0, 1, 1),
        (0, 1, 1),
    ),
    "a new open inside an open one": (
        "<PER> jan </NE> <LOC> rome </NE>",
        "<PER> jan <LOC> rome </NE>",
        (1, 0, 1),
        (1, 0, 1),
        (1, 0, 1),
        (1, 0, 1),
    ),
    "unclosed at the end": ("<PER> jan </NE>", "<PER> jan", (0, 0, 1), (0, 0, 1), (0, 0, 1), (0, 0, 1)),
    "an empty entity": ("<PER> jan </NE>", "<PER> </NE> jan", (0, 0, 1), (0, 0, 1), (0, 0, 1), (0, 0, 1)),
    "a stray close": (
        "<LOC> boston </NE> was founded by <PER> john </NE>",
        "<LOC> boston </NE> </NE> was founded by john </NE>",
        (1, 0, 1),
        (1, 0, 1),
        (1, 0, 1),
        (1, 0, 1),
    ),
    "a lone apostrophe token": (
        "' <PER> jan </NE> '",
        "' <PER> jan </NE> '",
        (1, 0, 0),
        (1, 0, 0),
        (1, 0, 0),
        (1, 0, 0),
    ),
    "a name with diacritics is not one without": (
        "<LOC> belgië </NE>",
        "<LOC> belgie </NE>",
        (0, 1, 1),
        (1, 0, 0),
        (1, 0, 0),
        (0, 1, 1),
    ),
    "an unknown label is a false positive": (
        "jan",
        "<MISC> jan </NE>",
        (0, 1, 0),
        (0, 1, 0),
        (0, 1, 0),
        (0, 1, 0),
    ),
}


@pytest.mark.parametrize("case", MATCHES)
def test_matches(case: str) -> None:
    ref, hyp, *expected = MATCHES[case]
    counts = [micro([pair(ref=ref, hyp=hyp)], matching) for matching in ("f1", "label_f1", "f1_span", "f1_span_text")]
    assert counts == [MatchCounts(*numbers) for numbers in expected]


def test_matches_stay_inside_their_utterance() -> None:
    pairs = [pair(ref="<PER> jan </NE>", hyp="piet"), pair(ref="piet", hyp="<PER> jan </NE>")]
    assert micro(pairs, "f1") == MatchCounts(0, 1, 1)


def test_matches_are_counted_by_label() -> None:
    pairs = [pair(ref="<PER> jan </NE> in <LOC> rome </NE>", hyp="<PER> jan </NE> in <ORG> rome </NE>")]
    counts = count_matches(pairs, matching="f1")
    assert counts == {"LOC": MatchCounts(0, 0, 1), "ORG": MatchCounts(0, 1, 0), "PER": MatchCounts(1, 0, 0)}


def test_precision_recall_and_f1_by_hand() -> None:
    counts = MatchCounts(tp=2, fp=1, fn=2)
    assert (counts.precision, counts.recall, counts.f1) == (2 / 3, 0.5, 4 / 7)


def test_nothing_over_nothing_is_zero() -> None:
    counts = MatchCounts()
    assert (counts.precision, counts.recall, counts.f1) == (0.0, 0.0, 0.0)


def test_macro_f1_is_the_mean_over_configured_labels_with_support() -> None:
    counts = {
        "PER": MatchCounts(1, 0, 0),
        "LOC": MatchCounts(0, 0, 1),
        "ORG": MatchCounts(0, 3, 0),
        "MISC": MatchCounts(1, 0, 0),
    }
    assert compute_macro_f1(counts, labels=LABELS) == 0.5


def test_macro_f1_without_support_is_zero() -> None:
    assert compute_macro_f1({"ORG": MatchCounts(0, 3, 0)}, labels=LABELS) == 0.0


# ref, hyp -> missed by whole words, missed by substring, number of mentions.
MISSED = {
    "hypothesis equals reference": ("<LOC> new york </NE> in <LOC> york </NE>", "new york in york", 0, 0, 2),
    "new york and york": ("<LOC> new york </NE> and <LOC> york </NE>", "new york and", 1, 0, 2),
    "york before new york": ("<LOC> york </NE> and <LOC> new york </NE>", "and new york", 1, 0, 2),
    "york takes the york that is not in new york": (
        "<LOC> york </NE> and <LOC> new york </NE>",
        "new york york",
        0,
        0,
        2,
    ),
    "york twice, once there": ("<LOC> york </NE> and <LOC> york </NE>", "york", 1, 0, 2),
    "rom inside promise": ("<LOC> rom </NE>", "i promise", 1, 0, 1),
    "words taken from the middle join nothing": ("<LOC> b </NE> <PER> a c </NE>", "a b c", 1, 1, 2),
    "labels do not matter": ("<LOC> rom </NE>", "<PER> rom </NE>", 0, 0, 1),
    "empty hypothesis": ("<LOC> rom </NE>", "", 1, 1, 1),
    "leftmost occurrence would take a word of the mention before": (
        "a b <PER> c d </NE> <LOC> a b c </NE>",
        "a b c d a b c",
        0,
        0,
        2,
    ),
    "no mention": ("rom", "<LOC> rom </NE>", 0, 0, 0),
    "both empty": ("", "", 0, 0, 0),
    "mention longer than the hypothesis": ("<LOC> new york city </NE>", "new york", 1, 1, 1),
}


@pytest.mark.parametrize("case", MISSED)
def test_missed_mentions(case: str) -> None:
    ref, hyp, num_errors, num_errors_substr, num_entities = MISSED[case]
    each = pair(ref=ref, hyp=hyp)
    assert (missed(each), missed_substr(each), len(each.ref.entities)) == (num_errors, num_errors_substr, num_entities)


def test_mentions_without_positions_take_the_leftmost_occurrence() -> None:
    assert count_missed([(0, ["york"]), (0, ["new", "york"])], hyp=["new", "york", "york"]) == 0


def test_eer_is_a_share_of_mentions_and_undefined_without_one() -> None:
    assert (EntityErrors(1, 2) + EntityErrors(0, 2)).rate == 0.25
    assert EntityErrors(0, 0).rate is None


@st.composite
def utterances(draw: st.DrawFn) -> Transcript:
    words = draw(st.lists(st.sampled_from(["new", "york", "rom", "promise", "o"]), max_size=7))
    cuts = sorted(draw(st.sets(st.integers(0, len(words)))))
    labels = st.sampled_from([*LABELS, None])
    spans = [(start, end, draw(labels)) for start, end in zip(cuts, cuts[1:], strict=False)]
    return Transcript(tuple(words), tuple(Entity(*span) for span in spans if span[2]))


PAIRS = st.lists(st.builds(Pair, ref=utterances(), hyp=utterances()), max_size=5)


@given(PAIRS)
def test_label_f1_is_at_least_f1(pairs: list[Pair]) -> None:
    assert micro(pairs, "label_f1").f1 >= micro(pairs, "f1").f1 >= micro(pairs, "f1_span_text").f1
    assert micro(pairs, "label_f1").f1 >= micro(pairs, "f1_span").f1 >= micro(pairs, "f1_span_text").f1


@given(PAIRS)
def test_eer_is_at_least_eer_substr(pairs: list[Pair]) -> None:
    for each in pairs:
        assert missed(each) >= missed_substr(each)


@given(PAIRS, st.sampled_from(sorted(MATCHINGS)))
def test_swapping_sides_exchanges_precision_and_recall(pairs: list[Pair], matching: str) -> None:
    there = micro(pairs, matching)
    back = micro([Pair(ref=each.hyp, hyp=each.ref) for each in pairs], matching)
    assert (back.precision, back.recall, back.f1) == (there.recall, there.precision, there.f1)


@given(PAIRS, st.randoms(use_true_random=False))
def test_order_of_utterances_does_not_matter(pairs: list[Pair], random: object) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for matching in MATCHINGS:
        assert count_matches(shuffled, matching=matching) == count_matches(pairs, matching=matching)


@given(st.lists(utterances(), max_size=5))
def test_hypothesis_that_equals_the_reference_is_perfect(transcripts: list[Transcript]) -> None:
    pairs = [Pair(each, each) for each in transcripts]
    num_entities = sum(len(each.entities) for each in transcripts)
    for matching in MATCHINGS:
        assert micro(pairs, matching) == MatchCounts(tp=num_entities)
    assert sum(map(missed, pairs)) == 0


@given(PAIRS)
def test_f1_equals_a_brute_force_multiset_count(pairs: list[Pair]) -> None:
    def multiset(side: str) -> Counter[tuple[int, str, tuple[str, ...]]]:
        utterances = [getattr(each, side) for each in pairs]
        return Counter(
            (number, entity.label, tuple(utterance.words[entity.start : entity.end]))
            for number, utterance in enumerate(utterances)
            for entity in utterance.entities
        )

    ref, hyp = multiset("ref"), multiset("hyp")
    tp = sum(min(count, hyp[key]) for key, count in ref.items())
    assert micro(pairs, "f1") == MatchCounts(tp, hyp.total() - tp, ref.total() - tp)
