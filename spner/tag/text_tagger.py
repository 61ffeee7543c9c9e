"""Entities on words that a recogniser wrote: a token classifier, or GLiNER with labels of the user's own.

Text goes to the tagger as it was written. A segment is split into words as in CoNLL files, punctuation apart, so that
an entity ends before the comma behind it.
"""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from spner.core.devices import choose_device
from spner.core.errors import SpnerError
from spner.tag.tagged import Entity, Tagged, TaggedSegment
from spner.tagger.encoder import WordTagger, find_entities
from spner.tagger.model import load_tagger
from spner.text.labels import LabelSet
from spner.text.split import split_words

GLINER = "gliner:"
Mention = tuple[int, int, str, float | None]
"""Characters ``[start, end)`` of a text, label, confidence if the tagger gives one."""
FindMentions = Callable[[Sequence[str]], list[list[Mention]]]
"""Texts -> the mentions in each, in order and without overlap."""

log = logging.getLogger(__name__)


@dataclass
class TextTagger:
    """Puts entities on the words of recordings.

    Attributes:
        find: finds the mentions.
        cased: whether lower-case text is told to be a poor match.
    """

    find: FindMentions
    cased: bool = True

    def __call__(self, tagged: Tagged) -> Tagged:
        """Return the recording with entities."""
        if self.cased and tagged.text and tagged.text == tagged.text.lower():
            log.warning(
                "%s: is recognised in lower case, which a tagger trained on cased text reads poorly; give one that "
                "spner train-tagger --match_speech has trained",
                tagged.audio,
            )
            self.cased = False  # told once
        found = self.find([segment.text for segment in tagged.segments])
        segments = (put_entities(segment, mentions) for segment, mentions in zip(tagged.segments, found, strict=True))
        return replace(tagged, segments=tuple(segments))


def put_entities(segment: TaggedSegment, mentions: Sequence[Mention]) -> TaggedSegment:
    """Return a segment with entities; their times are those of the words that they share characters with.

    An entity's confidence is the tagger's, times the geometric mean of its words' confidences where they have some.
    """
    return replace(segment, entities=tuple(_make_entities(segment, mentions)))


def _make_entities(segment: TaggedSegment, mentions: Sequence[Mention]) -> Iterator[Entity]:
    for start, end, label, score in mentions:
        words = [word for word in segment.words if word.start_char < end and start < word.end_char]
        heard = [word.confidence for word in words if word.confidence is not None]
        if heard:
            score = (1.0 if score is None else score) * math.prod(heard) ** (1 / len(heard))
        text = segment.text[start:end]
        yield Entity(label, text, words[0].start_s, words[-1].end_s, start, end, score)


def load_text_tagger(name: str, *, labels: tuple[str, ...], lang: str | None, device: str) -> TextTagger:
    """Load a tagger.

    Args:
        name: folder or hub name of a token classifier; ``gliner:NAME`` for a GLiNER model.
        labels: to find; a GLiNER model takes any.
        lang: decides how text is split into words.
        device: torch device; ``auto`` takes a GPU if there is one.

    Raises:
        SpnerError: it cannot be loaded, or knows none of the labels.
    """
    if name.startswith(GLINER):
        return TextTagger(_load_gliner(name.removeprefix(GLINER), labels, device))
    known = LabelSet(labels)
    tagger = load_tagger(name, labels=known, device=device)
    find = find_with(tagger, known, lambda text: split_words(text, lang or ""))
    return TextTagger(find, cased=not tagger.lower_case)


def find_with(tagger: WordTagger, labels: LabelSet, split: Callable[[str], Iterable[tuple[int, int]]]) -> FindMentions:
    """Return what finds mentions with a tagger of words.

    Args:
        tagger: gives every word a tag.
        labels: to find, and the tagger's names for them.
        split: text -> characters ``[start, end)`` of each of its words.
    """

    def find(texts: Sequence[str]) -> list[list[Mention]]:
        spans = [list(split(text)) for text in texts]
        words = [[text[a:b] for a, b in places] for text, places in zip(texts, spans, strict=True)]
        return [
            [(places[one.start][0], places[one.end - 1][1], one.label, None) for one in transcript.entities]
            for places, transcript in zip(spans, find_entities(tagger, words, labels=labels), strict=True)
        ]

    return find


def _load_gliner(name: str, labels: tuple[str, ...], device: str) -> FindMentions:
    try:
        from gliner import GLiNER
    except ImportError as error:
        raise SpnerError(f"--tagger {GLINER}{name}: needs GLiNER; pip install gliner") from error
    try:
        model = GLiNER.from_pretrained(name, map_location=choose_device(device))
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise SpnerError(
            f"--tagger {GLINER}{name}: cannot be loaded ({reason}); download it first, or give a folder"
        ) from error

    def find(texts: Sequence[str]) -> list[list[Mention]]:
        return [
            sorted((m["start"], m["end"], m["label"], m["score"]) for m in model.predict_entities(text, list(labels)))
            for text in texts
        ]

    return find
