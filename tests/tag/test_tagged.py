"""What is found in a recording: characters that do not fit the text are refused."""

import pytest

from spner.tag.tagged import Entity, Tagged, TaggedSegment, Word

WORDS = (Word("ada", 0.1, 0.4, 0, 3), Word("rust", 0.4, 0.9, 4, 8))


def test_a_segment_lasts_from_its_first_word_to_its_last() -> None:
    segment = TaggedSegment("ada rust", WORDS)
    assert (segment.start_s, segment.end_s) == (0.1, 0.9)


@pytest.mark.parametrize(
    ("words", "entities"),
    [
        pytest.param((Word("rust", 0.4, 0.9, 3, 7),), (), id="word"),
        pytest.param(WORDS, (Entity("PER", "ada", 0.1, 0.4, 0, 4),), id="entity"),
        pytest.param((), (), id="no word"),
    ],
)
def test_a_segment_whose_parts_do_not_stand_in_its_text_is_refused(words: tuple, entities: tuple) -> None:
    with pytest.raises(ValueError, match="is not|without words"):
        TaggedSegment("ada rust", words, entities)


def test_a_recording_has_the_words_and_entities_of_its_segments() -> None:
    entity = Entity("PER", "ada", 0.1, 0.4, 0, 3)
    tagged = Tagged("talk.mp3", 2.0, (TaggedSegment("ada rust", WORDS, (entity,)), TaggedSegment("ada rust", WORDS)))
    assert tagged.text == "ada rust ada rust"
    assert list(tagged.words) == [*WORDS, *WORDS]
    assert list(tagged.entities) == [entity]
