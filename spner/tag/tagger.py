"""Recordings -> names: a transcriber and, where it writes no entities, a text tagger over its words."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spner.tag.audio import Recording, RecordingError, from_waveform, open_recording
from spner.tag.capitals import write_capitals
from spner.tag.speakers import Turn, label_speakers
from spner.tag.tagged import Tagged
from spner.tag.transcriber import Advance, Transcriber
from spner.text.casing import Casing

log = logging.getLogger(__name__)

MISSING_S, MISSING = 1.0, 0.02  # headers of compressed formats are less exact than this

TagText = Callable[[Tagged], Tagged]
"""Puts entities on a recording's words."""


@dataclass(frozen=True)
class Tagger:
    """Finds the words and names of recordings.

    Attributes:
        transcriber: writes the words.
        tag_text: finds the entities in them; None where the transcriber does.
        min_confidence: entities of a lower confidence are left out; those without any stay.
        turns: who speaks when, by recording; None where nobody says.
        casing: how words are written; None leaves them as the transcriber writes them.
    """

    transcriber: Transcriber
    tag_text: TagText | None = None
    min_confidence: float = 0.0
    turns: Mapping[str, Sequence[Turn]] | None = None
    casing: Casing | None = None

    def tag(self, audio: str | Path | np.ndarray, rate_hz: int | None = None) -> Tagged:
        """Return what is found in a file, or in an array (num_samples,) or (num_samples, num_channels) in [-1, 1].

        Args:
            audio: any format that libsndfile or FFmpeg reads.
            rate_hz: of an array's samples.

        Raises:
            RecordingError: it cannot be read.
            ValueError: an array without a rate, or a file with one.
        """
        if isinstance(audio, np.ndarray) != (rate_hz is not None):
            raise ValueError("an array needs rate_hz, a file has its own")
        recording = from_waveform(audio, rate_hz) if isinstance(audio, np.ndarray) and rate_hz else None
        ((_, found),) = self.tag_all([recording or open_recording(Path(str(audio)))])
        if isinstance(found, RecordingError):
            raise found
        return found

    def tag_all(
        self, recordings: Iterable[Recording], advance: Advance = lambda _seconds: None
    ) -> Iterator[tuple[Recording, Tagged | RecordingError]]:
        """Yield each recording with what is found in it, or why it could not be read; in any order."""
        for recording, found in self.transcriber.transcribe(recordings, advance):
            if isinstance(found, RecordingError):
                yield recording, found
                continue
            if recording.duration_s - found.duration_s > max(MISSING_S, MISSING * recording.duration_s):
                log.warning(
                    "%s: ends after %.1f s, but its header says %.1f s: it may be cut short",
                    *(recording.name, found.duration_s, recording.duration_s),
                )
            yield recording, self._finish(found)

    def _finish(self, tagged: Tagged) -> Tagged:
        if self.tag_text:
            tagged = self.tag_text(tagged)
        if self.min_confidence:
            tagged = leave_out(tagged, self.min_confidence)
        if self.turns is not None:
            name = Path(tagged.audio).stem
            if name not in self.turns:
                log.warning("%s: --speakers has no turns of %s", tagged.audio, name)
            tagged = label_speakers(tagged, self.turns.get(name, ()))
        return write_capitals(tagged, self.casing) if self.casing else tagged


def leave_out(tagged: Tagged, min_confidence: float) -> Tagged:
    """Return the recording without the entities of a lower confidence."""
    segments = tuple(
        replace(
            segment,
            entities=tuple(
                entity
                for entity in segment.entities
                if entity.confidence is None or entity.confidence >= min_confidence
            ),
        )
        for segment in tagged.segments
    )
    return replace(tagged, segments=segments)
