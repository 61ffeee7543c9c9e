"""Records that cannot be built wrong."""

import pytest

from spner.core.datatypes import LABELS, Entity, Timing, Transcript


@pytest.mark.parametrize(("start", "end"), [(-1, 1), (1, 1), (2, 1)])
def test_entity_refuses_an_empty_or_backward_span(start: int, end: int) -> None:
    with pytest.raises(ValueError, match=rf"entity span \[{start}, {end}\) is not 0 <= start < end"):
        Entity(start, end, "PER")


def test_entity_refuses_an_empty_label() -> None:
    with pytest.raises(ValueError, match="entity label is empty"):
        Entity(0, 1, "")


def test_entities_may_touch_and_cover_every_word() -> None:
    transcript = Transcript(("new", "york", "rom"), (Entity(0, 2, "LOC"), Entity(2, 3, "LOC")))
    assert [transcript.phrase(entity) for entity in transcript.entities] == ["new york", "rom"]


def test_annotated_refuses_overlap() -> None:
    with pytest.raises(ValueError, match=r"start=1, end=3, label='LOC'\) overlaps the entity before it"):
        Transcript(("a", "b", "c"), (Entity(0, 2, "PER"), Entity(1, 3, "LOC")))


def test_annotated_refuses_disorder() -> None:
    with pytest.raises(ValueError, match="out of order"):
        Transcript(("a", "b"), (Entity(1, 2, "PER"), Entity(0, 1, "PER")))


def test_annotated_refuses_an_entity_outside_the_words() -> None:
    with pytest.raises(ValueError, match=r"start=1, end=3, label='PER'\) ends after the last of 2 words"):
        Transcript(("a", "b"), (Entity(1, 3, "PER"),))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((((0.0, 1.0),), (), ()), "1 word times and 0 confidences"),
        ((((0.0, 1.0),), (1.5,), ()), "a confidence is not 0 to 1"),
        (((), (), (-0.1,)), "a confidence is not 0 to 1"),
        (((), (), (float("nan"),)), "a confidence is not 0 to 1"),
    ],
)
def test_timing_cannot_be_built_wrong(fields: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Timing(*fields)


def test_entities_sort_by_position() -> None:
    assert sorted([Entity(1, 2, "LOC"), Entity(0, 1, "PER")]) == [Entity(0, 1, "PER"), Entity(1, 2, "LOC")]


def test_records_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Entity(0, 1, "PER").label = "LOC"  # type: ignore[misc]


def test_labels_keep_the_papers_order() -> None:
    assert LABELS == ("PER", "ORG", "LOC")
