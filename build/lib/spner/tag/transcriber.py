"""What turns recordings into segments of words: a CTC model of ours, Whisper, or another."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from spner.tag.audio import Recording, RecordingError
from spner.tag.tagged import Tagged

Advance = Callable[[float], None]
"""Counts seconds of audio as finished, for the progress bar."""


class Transcriber(Protocol):
    """Recordings -> their segments, with entities where it writes them."""

    @property
    def writes_entities(self) -> bool:
        """Whether no text tagger is needed."""
        ...

    @property
    def lang(self) -> str | None:
        """ISO 639-1 code of the speech, where it is known."""
        ...

    def transcribe(
        self, recordings: Iterable[Recording], advance: Advance
    ) -> Iterator[tuple[Recording, Tagged | RecordingError]]:
        """Yield each recording with what was found in it, or why it could not be read; in any order."""
        ...
