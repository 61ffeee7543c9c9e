"""The frozen records that rooms pass to each other. Wrong values are refused when a record is built."""

from dataclasses import dataclass

LABELS = ("PER", "ORG", "LOC")
"""The paper's entity labels, in the order in which they get token ids (section 3); the mini corpus has them, and so has
a recipe whose setting ``labels`` says nothing else."""

GOLD, SILVER = "gold", "silver"
"""Entities that came with a corpus: made by people, or by a tagger; stage 1's report says it of each set."""

WordTimes = tuple[tuple[float, float], ...]
"""(start, end) of each word of an utterance, seconds from the first sample of its clip."""


@dataclass(frozen=True, order=True, slots=True)
class Entity:
    """A labelled half-open span ``[start, end)``, counted in words of the normalised transcript."""

    start: int
    end: int
    label: str

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"entity span [{self.start}, {self.end}) is not 0 <= start < end")
        if not self.label:
            raise ValueError("entity label is empty")


@dataclass(frozen=True, slots=True)
class Transcript:
    """The words of one utterance and the entities on them, ordered and without overlap."""

    words: tuple[str, ...]
    entities: tuple[Entity, ...] = ()

    def __post_init__(self) -> None:
        end = 0
        for entity in self.entities:
            if entity.start < end:
                raise ValueError(f"{entity} overlaps the entity before it, or is out of order")
            end = entity.end
        if end > len(self.words):
            raise ValueError(f"{self.entities[-1]} ends after the last of {len(self.words)} words")

    def phrase(self, entity: Entity) -> str:
        """Return the entity's words, joined by single spaces."""
        return " ".join(self.words[entity.start : entity.end])


@dataclass(frozen=True)
class Timing:
    """Times of a hypothesis' words, and confidences of its words and entities, 0 to 1."""

    word_times: WordTimes
    word_confidences: tuple[float, ...]
    entity_confidences: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.word_times) != len(self.word_confidences):
            raise ValueError(f"{len(self.word_times)} word times and {len(self.word_confidences)} confidences")
        if not all(0 <= confidence <= 1 for confidence in (*self.word_confidences, *self.entity_confidences)):
            raise ValueError("a confidence is not 0 to 1")


@dataclass(frozen=True)
class FrameGrid:
    """Where the frames of a model's output lie in a clip.

    Attributes:
        hop_s: from one frame to the next, seconds.
        first_s: middle of the first frame, seconds from the clip's first sample.
    """

    hop_s: float
    first_s: float


@dataclass(frozen=True)
class Utterance:
    """One row of a corpus: a clip and the cased, punctuated sentence read in it (NFC)."""

    utt_id: str
    spk_id: str
    clip: str
    sentence: str
