"""A pipeline of ours, on recordings: a recogniser's words, a text tagger, and confidences as ``calibrate`` fitted.

The tagger gets the words as they were decoded, as it does in :mod:`spner.decode.pipeline`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from spner.scoring.calibration import Calibration, TimingCalibration
from spner.tag.tagged import Tagged, TaggedSegment
from spner.tag.text_tagger import FindMentions, Mention, find_with, put_entities
from spner.tagger.encoder import WordTagger
from spner.text.labels import LabelSet


@dataclass(frozen=True)
class Pipeline:
    """Puts entities on the words of recordings.

    Attributes:
        find: finds the mentions.
        calibration: of words and entities, whose confidences are raw until here; None leaves them raw.
    """

    find: FindMentions
    calibration: TimingCalibration | None

    def __call__(self, tagged: Tagged) -> Tagged:
        """Return the recording with entities."""
        found = self.find([segment.text for segment in tagged.segments])
        segments = (self._finish(*pair) for pair in zip(tagged.segments, found, strict=True))
        return replace(tagged, segments=tuple(segments))

    def _finish(self, segment: TaggedSegment, mentions: Sequence[Mention]) -> TaggedSegment:
        segment = put_entities(segment, mentions)
        if self.calibration is None:
            return segment
        maps = self.calibration
        words = (replace(one, confidence=_calibrate(one.confidence, maps.words)) for one in segment.words)
        entities = (replace(one, confidence=_calibrate(one.confidence, maps.entities)) for one in segment.entities)
        return replace(segment, words=tuple(words), entities=tuple(entities))


def make_pipeline(tagger: WordTagger, labels: LabelSet, calibration: TimingCalibration | None) -> Pipeline:
    """Return a pipeline of a tagger that was measured on the recogniser's words."""
    return Pipeline(find_with(tagger, labels, _find_words), calibration)


def _find_words(text: str) -> Iterator[tuple[int, int]]:
    return (word.span() for word in re.finditer(r"\S+", text))


def _calibrate(raw: float | None, calibration: Calibration) -> float | None:
    return None if raw is None else calibration.apply([raw])[0]
