"""Capitals in results: texts, words, entities and their characters stay those of each other."""

from spner.tag.capitals import write_capitals
from spner.tag.tagged import Entity, Tagged, TaggedSegment, Word
from spner.text.casing import Casing

SEGMENT = TaggedSegment(
    "in den haag is ijs",
    (
        Word("in", 0.0, 0.1, 0, 2, 0.9, "anna"),
        Word("den", 0.1, 0.2, 3, 6, 0.8),
        Word("haag", 0.2, 0.3, 7, 11),
        Word("is", 0.3, 0.4, 12, 14),
        Word("ijs", 0.4, 0.5, 15, 18),
    ),
    (Entity("LOC", "den haag", 0.1, 0.3, 3, 11, 0.7, "anna"),),
)


def test_words_entities_and_text_get_the_same_capitals() -> None:
    casing = Casing({"is": "IS"}, {"den": "Den", "haag": "Hààg"})
    (written,) = write_capitals(Tagged("a.wav", 1.0, (SEGMENT,), "nl"), casing).segments
    assert written.text == "In Den Hààg IS ijs"
    assert written.entities == (Entity("LOC", "Den Hààg", 0.1, 0.3, 3, 11, 0.7, "anna"),)
    assert written.words[0] == Word("In", 0.0, 0.1, 0, 2, 0.9, "anna")


def test_a_capital_may_be_longer_than_its_letter() -> None:
    """Not in its own language, but some fonts' letters become two: characters move with them."""
    segment = TaggedSegment(
        "ßa in", (Word("ßa", 0, 1, 0, 2), Word("in", 1, 2, 3, 5)), (Entity("LOC", "in", 1, 2, 3, 5),)
    )
    (written,) = write_capitals(Tagged("a.wav", 2.0, (segment,)), Casing()).segments
    assert written.text == "SSa In" and (written.entities[0].start_char, written.entities[0].end_char) == (4, 6)


def test_segments_without_entities_begin_with_a_capital() -> None:
    segment = TaggedSegment("ja", (Word("ja", 0, 1, 0, 2),))
    assert write_capitals(Tagged("a.wav", 2.0, (segment, segment)), Casing()).text == "Ja Ja"
