"""What is taken out of a recording: names of some labels, and the same words where they were not tagged."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from spner.archive.fold import fold
from spner.core.errors import SpnerError
from spner.tag.build import build_words
from spner.tag.subtitles import clock
from spner.tag.tagged import Entity, Tagged, TaggedSegment, Word

MIN_LETTERS = 4  # of a name that is taken out wherever its words are: shorter ones are other words, too


@dataclass(frozen=True)
class Cut:
    """A name that is taken out.

    Attributes:
        segment: place of its segment in the recording.
        first, end: its words there, half-open.
        label, text, confidence: of the name.
        start_s, end_s: when it is spoken.
        tagged: whether it was tagged here; else its words were tagged elsewhere.
    """

    segment: int
    first: int
    end: int
    label: str
    text: str
    start_s: float
    end_s: float
    confidence: float | None
    tagged: bool


def find_cuts(tagged: Tagged, labels: Sequence[str], *, min_confidence: float) -> list[Cut]:
    """Return what is taken out, in the order of time.

    Raises:
        SpnerError: nobody knows when a name is spoken.
    """
    cuts = [
        _cut_entity(segment, number, entity)
        for number, segment in enumerate(tagged.segments)
        for entity in segment.entities
        if entity.label in labels and (entity.confidence is None or entity.confidence >= min_confidence)
    ]
    words = [[fold(word.text) for word in segment.words] for segment in tagged.segments]
    names = {tuple(words[cut.segment][cut.first : cut.end]): cut for cut in cuts if len(fold(cut.text)) >= MIN_LETTERS}
    longest = dict(sorted(names.items(), key=lambda item: -len(item[0])))
    taken = {(cut.segment, place) for cut in cuts for place in range(cut.first, cut.end)}
    for number, segment in enumerate(tagged.segments):
        cuts += _find_repeated(segment, words[number], number, longest, taken)
    for cut in cuts:
        _require_times(cut, tagged)
    return sorted(cuts, key=lambda cut: (cut.segment, cut.first))


def _cut_entity(segment: TaggedSegment, number: int, entity: Entity) -> Cut:
    inside = [
        place
        for place, word in enumerate(segment.words)
        if word.start_char < entity.end_char and entity.start_char < word.end_char
    ]
    words = segment.words[inside[0] : inside[-1] + 1]
    start_s, end_s = min(entity.start_s, words[0].start_s), max(entity.end_s, words[-1].end_s)
    return Cut(
        number, inside[0], inside[-1] + 1, entity.label, entity.text, start_s, end_s, entity.confidence, tagged=True
    )


def _find_repeated(
    segment: TaggedSegment,
    folded: Sequence[str],
    number: int,
    names: dict[tuple[str, ...], Cut],
    taken: set[tuple[int, int]],
) -> Iterator[Cut]:
    """Yield names where they were not tagged, and add their places to those taken."""
    for words, like in names.items():
        for first in range(len(folded) - len(words) + 1):
            end = first + len(words)
            places = {(number, place) for place in range(first, end)}
            if tuple(folded[first:end]) == words and not places & taken:
                taken |= places
                times = segment.words[first].start_s, segment.words[end - 1].end_s
                yield Cut(number, first, end, like.label, like.text, *times, None, tagged=False)


def _require_times(cut: Cut, tagged: Tagged) -> None:
    """Refuse a name whose times are empty, outside of the recording, or spread evenly over a stretch."""
    words = tagged.segments[cut.segment].words
    spread = all(word.confidence == 0 for word in words)  # what spner tag writes where it cannot align
    if spread or not 0 <= cut.start_s < cut.end_s < math.inf or cut.start_s >= tagged.duration_s:
        raise SpnerError(
            f"{tagged.audio}: a name is spoken near {clock(cut.start_s)[:-4]}, but nobody knows when exactly; nothing "
            "is written: take it out by hand, or tag with another model"
        )


def join_spans(cuts: Iterable[Cut], *, pad_s: float) -> list[tuple[float, float]]:
    """Return the spans in seconds that are covered, in order and apart."""
    spans: list[tuple[float, float]] = []
    for start_s, end_s in sorted((max(0.0, cut.start_s - pad_s), cut.end_s + pad_s) for cut in cuts):
        if spans and start_s <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end_s))
        else:
            spans.append((start_s, end_s))
    return spans


def redact_transcript(tagged: Tagged, cuts: Sequence[Cut], *, audio: str) -> Tagged:
    """Return the recording with its label, such as ``[PER]``, in the place of each name; it is a word, no name."""
    segments = [
        _redact(segment, [cut for cut in cuts if cut.segment == number])
        for number, segment in enumerate(tagged.segments)
    ]
    return replace(tagged, audio=audio, segments=tuple(segments))


def _redact(segment: TaggedSegment, cuts: Sequence[Cut]) -> TaggedSegment:
    """Return a segment whose cut words are one word each."""
    firsts = {cut.first: cut for cut in cuts}
    inside = {place for cut in cuts for place in range(cut.first, cut.end)}
    kept: list[Word] = []
    for place, word in enumerate(segment.words):
        if place in firsts:
            cut = firsts[place]
            kept.append(replace(word, text=f"[{cut.label}]", start_s=cut.start_s, end_s=cut.end_s))
        elif place not in inside:
            kept.append(word)
    texts = [word.text for word in kept]
    places = build_words(texts, [(word.start_s, word.end_s) for word in kept], [word.confidence for word in kept])
    words = tuple(replace(new, speaker=old.speaker) for new, old in zip(places, kept, strict=True))
    moved = {old.start_char: new.start_char - old.start_char for new, old in zip(words, kept, strict=True)}
    return TaggedSegment(" ".join(texts), words, tuple(_others(segment, cuts, moved)))


def _others(segment: TaggedSegment, cuts: Sequence[Cut], moved: dict[int, int]) -> Iterator[Entity]:
    """Yield the entities that stay, moved; those that share a word with a cut go with it."""
    gone = [(segment.words[cut.first].start_char, segment.words[cut.end - 1].end_char) for cut in cuts]
    for entity in segment.entities:
        if not any(start < entity.end_char and entity.start_char < end for start, end in gone):
            shift = moved[max(start for start in moved if start <= entity.start_char)]
            yield replace(entity, start_char=entity.start_char + shift, end_char=entity.end_char + shift)
