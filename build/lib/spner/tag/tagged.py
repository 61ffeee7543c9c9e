"""What is found in a recording: segments, their words and their named entities.

Times are seconds from the recording's first sample. Characters are counted in the text of the segment, half-open
``[start_char, end_char)``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is printed; punctuation, if the recogniser writes any, belongs to it.

    Attributes:
        text: without spaces around it.
        start_s, end_s: when it is spoken.
        start_char, end_char: where it stands in its segment's text.
        confidence: chance of being right, 0 to 1; None where the recogniser gives none.
        speaker: who spoke it; None where nobody says.
    """

    text: str
    start_s: float
    end_s: float
    start_char: int
    end_char: int
    confidence: float | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Entity:
    """A named entity: its label, and the text, times, characters, confidence and speaker as of a :class:`Word`."""

    label: str
    text: str
    start_s: float
    end_s: float
    start_char: int
    end_char: int
    confidence: float | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class TaggedSegment:
    """A stretch of speech between pauses; ``text`` holds its words with single spaces between them.

    Raises:
        ValueError: a word or an entity does not stand in ``text`` where it says.
    """

    text: str
    words: tuple[Word, ...]
    entities: tuple[Entity, ...] = ()

    def __post_init__(self) -> None:
        parts: tuple[Word | Entity, ...] = (*self.words, *self.entities)
        for part in parts:
            if self.text[part.start_char : part.end_char] != part.text:
                raise ValueError(f'"{part.text}" is not [{part.start_char}, {part.end_char}) of "{self.text}"')
        if not self.words:
            raise ValueError("a segment without words")

    @property
    def speaker(self) -> str | None:
        """Who speaks most of its words; None where nobody says."""
        spoken = [word.speaker for word in self.words if word.speaker]
        return max(dict.fromkeys(spoken), key=spoken.count) if spoken else None

    @property
    def start_s(self) -> float:
        """When its first word begins."""
        return self.words[0].start_s

    @property
    def end_s(self) -> float:
        """When its last word ends."""
        return self.words[-1].end_s


@dataclass(frozen=True, slots=True)
class Tagged:
    """A recording's segments, in the order in which they are spoken.

    Attributes:
        audio: the recording's name.
        duration_s: of the recording.
        segments: silence between them belongs to none.
        lang: ISO 639-1 code; None where it is not known.
    """

    audio: str
    duration_s: float
    segments: tuple[TaggedSegment, ...]
    lang: str | None = None

    @property
    def text(self) -> str:
        """All words."""
        return " ".join(segment.text for segment in self.segments)

    @property
    def words(self) -> Iterator[Word]:
        """The words of all segments."""
        return (word for segment in self.segments for word in segment.words)

    @property
    def entities(self) -> Iterator[Entity]:
        """The entities of all segments."""
        return (entity for segment in self.segments for entity in segment.entities)

    def save(self, path: str | Path) -> None:
        """Write it in the format that the name ends with: ``talk.srt``; see :mod:`spner.tag.formats`.

        Raises:
            SpnerError: no format is called so, or the file cannot be written.
        """
        from spner.tag.formats import save  # which imports this module

        save(self, Path(path))


def mark_entities(
    segment: TaggedSegment,
    mark: Callable[[Entity], str],
    *,
    plain: Callable[[str], str] = str,
    start: int = 0,
    end: int | None = None,
) -> str:
    """Return a segment's text with its entities marked.

    Args:
        segment: whose text.
        mark: what stands in the place of an entity.
        plain: what stands in the place of the text between them.
        start, end: characters of the part to return; no entity lies across its ends.
    """
    end = len(segment.text) if end is None else end
    parts: list[str] = []
    position = start
    for entity in segment.entities:
        if start <= entity.start_char and entity.end_char <= end:
            parts += [plain(segment.text[position : entity.start_char]), mark(entity)]
            position = entity.end_char
    return "".join([*parts, plain(segment.text[position:end])])
