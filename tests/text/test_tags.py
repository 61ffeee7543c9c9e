"""The entity codec: docs/metrics.md, sections 2 and 8 by name, the round trip, and BIO as conlleval reads it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from spner.core.datatypes import LABELS, Entity, Transcript
from spner.text.tags import bio_to_spans, entity_symbols, spans_to_bio, spans_to_text, text_to_spans

WORDS = st.text(alphabet="abë'ß", min_size=1, max_size=4)


@st.composite
def utterances(draw: st.DrawFn) -> Transcript:
    """Words with entities, adjacent ones included."""
    words = draw(st.lists(WORDS, max_size=8))
    cuts = sorted(draw(st.sets(st.integers(0, len(words)))))
    labels = st.sampled_from([*LABELS, None])
    spans = [(start, end, draw(labels)) for start, end in zip(cuts, cuts[1:], strict=False)]
    return Transcript(tuple(words), tuple(Entity(*span) for span in spans if span[2]))


def test_entity_symbols_open_by_label_and_share_one_close() -> None:
    assert entity_symbols(LABELS) == ["<PER>", "<ORG>", "<LOC>", "</NE>"]


def test_tagged_text_is_the_papers_scheme() -> None:
    words = ("angela", "merkel", "reist", "naar", "amsterdam")
    transcript = Transcript(words, (Entity(0, 2, "PER"), Entity(4, 5, "LOC")))
    assert spans_to_text(transcript) == "<PER> angela merkel </NE> reist naar <LOC> amsterdam </NE>"


# tokens -> words; entities and illegal events under ``discard``; entities under ``repair``.
READINGS = {
    "empty hypothesis": ("", "", [], {}, []),
    "well formed": ("<PER> a b </NE> c", "a b c", [(0, 2, "PER")], {}, [(0, 2, "PER")]),
    "adjacent same-label entities": (
        "<PER> a </NE> <PER> b </NE>",
        "a b",
        [(0, 1, "PER"), (1, 2, "PER")],
        {},
        [(0, 1, "PER"), (1, 2, "PER")],
    ),
    "new open inside an open one": (
        "<PER> a <LOC> b </NE> c",
        "a b c",
        [(1, 2, "LOC")],
        {"open_inside": 1},
        [(0, 1, "PER"), (1, 2, "LOC")],
    ),
    "same label opened twice": (
        "<PER> a <PER> b </NE>",
        "a b",
        [(1, 2, "PER")],
        {"open_inside": 1},
        [(0, 1, "PER"), (1, 2, "PER")],
    ),
    "unclosed at the end": ("a <PER> b c", "a b c", [], {"unclosed": 1}, [(1, 3, "PER")]),
    "empty entity": ("a <PER> </NE> b", "a b", [], {"empty": 1}, []),
    "open at the end": ("a <PER>", "a", [], {"unclosed": 1, "empty": 1}, []),
    "two opens without a word": (
        "<PER> <LOC> a </NE>",
        "a",
        [(0, 1, "LOC")],
        {"open_inside": 1, "empty": 1},
        [(0, 1, "LOC")],
    ),
    "stray close": ("a </NE> b", "a b", [], {"stray_close": 1}, []),
    "closed twice": ("<PER> a </NE> </NE> b", "a b", [(0, 1, "PER")], {"stray_close": 1}, [(0, 1, "PER")]),
    "lone apostrophe token": ("' <PER> a </NE>", "' a", [(1, 2, "PER")], {}, [(1, 2, "PER")]),
    "letters beyond ASCII": ("<LOC> straße </NE> ië ij", "straße ië ij", [(0, 1, "LOC")], {}, [(0, 1, "LOC")]),
    "symbol of no configured label is a word": ("<MISC> a </NE>", "<MISC> a", [], {"stray_close": 1}, []),
    "the paper's scorer's case": (
        "<LOC> boston </NE> </NE> was founded by john </NE>",
        "boston was founded by john",
        [(0, 1, "LOC")],
        {"stray_close": 2},
        [(0, 1, "LOC")],
    ),
}


@pytest.mark.parametrize("case", READINGS)
def test_reading_tagged_text(case: str) -> None:
    tokens, words, discarded, illegal, repaired = READINGS[case]
    reading = text_to_spans(tokens.split(), labels=LABELS)
    assert reading.transcript == Transcript(tuple(words.split()), tuple(Entity(*span) for span in discarded))
    assert dict(reading.illegal) == illegal
    reading = text_to_spans(tokens.split(), labels=LABELS, policy="repair")
    assert reading.transcript == Transcript(tuple(words.split()), tuple(Entity(*span) for span in repaired))
    assert dict(reading.illegal) == illegal


@given(utterances())
def test_round_trip_through_tagged_text(transcript: Transcript) -> None:
    for policy in ("discard", "repair"):
        reading = text_to_spans(spans_to_text(transcript).split(), labels=LABELS, policy=policy)
        assert reading.transcript == transcript
        assert not reading.illegal


@given(
    st.lists(st.sampled_from(["a", "b", "'", "<X>", "", *entity_symbols(LABELS)])),
    st.sampled_from(["discard", "repair"]),
)
def test_any_token_sequence_is_read_and_keeps_its_words(tokens: list[str], policy: str) -> None:
    reading = text_to_spans(tokens, labels=LABELS, policy=policy)
    assert reading.transcript.words == tuple(token for token in tokens if token not in entity_symbols(LABELS))
    num_open = sum(token in entity_symbols(LABELS)[:-1] for token in tokens)
    assert len(reading.transcript.entities) <= num_open


@given(utterances())
def test_round_trip_through_bio(transcript: Transcript) -> None:
    bio = spans_to_bio(transcript)
    assert len(bio) == len(transcript.words)
    assert bio_to_spans(bio) == transcript.entities


def test_iob2_and_iob1_say_the_same() -> None:
    spans = (Entity(0, 2, "PER"), Entity(2, 3, "PER"), Entity(4, 5, "LOC"))
    assert bio_to_spans(["B-PER", "I-PER", "B-PER", "O", "B-LOC"]) == spans
    assert bio_to_spans(["I-PER", "I-PER", "B-PER", "O", "I-LOC"]) == spans


def test_label_change_inside_begins_an_entity() -> None:
    assert bio_to_spans(["B-PER", "I-LOC", "I-LOC"]) == (Entity(0, 1, "PER"), Entity(1, 3, "LOC"))


@given(utterances(), st.sampled_from(["ES", "LU"]))
def test_round_trip_through_bioes_and_bilou(transcript: Transcript, scheme: str) -> None:
    last, single = scheme
    tags = ["O"] * len(transcript.words)
    for e in transcript.entities:
        tags[e.start : e.end] = [f"I-{e.label}"] * (e.end - e.start)
        tags[e.start], tags[e.end - 1] = f"B-{e.label}", f"{last}-{e.label}"
        if e.end - e.start == 1:
            tags[e.start] = f"{single}-{e.label}"
    assert bio_to_spans(tags) == transcript.entities


@given(st.lists(st.sampled_from(["O", *(f"{prefix}-{label}" for prefix in "BIES" for label in LABELS)])))
@example(["I-PER", "B-PER", "I-LOC", "O", "I-LOC", "I-LOC"])
@example(["B-PER", "E-PER", "I-PER", "E-PER", "E-PER", "S-PER", "I-PER"])
def test_tags_are_read_as_conlleval_and_seqeval_read_them(bio: list[str]) -> None:
    expected = [(label, start, last + 1) for label, start, last in get_entities(bio)]
    assert [(e.label, e.start, e.end) for e in bio_to_spans(bio)] == expected
