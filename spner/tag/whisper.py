"""Recordings -> segments, by Whisper, chunk by chunk; through faster-whisper, which needs no torch, or another library.

Whisper invents sentences where nobody speaks: a voice activity detector chooses what it hears, unless told otherwise.
"""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from spner.core.errors import SpnerError
from spner.data.audio import SAMPLE_RATE_HZ
from spner.tag.audio import Recording, RecordingError
from spner.tag.build import build_words
from spner.tag.chunks import Chunk, cut_chunks
from spner.tag.speech import SpeechDetector
from spner.tag.tagged import Tagged, TaggedSegment
from spner.tag.transcriber import Advance

CT2_FILES = ("model.bin", "config.json")
INVENTED = 0.9  # above this chance of no speech, what Whisper is unsure of is not written

Piece = tuple[str, float, float, float | None]
"""A word or a part of one, with a space before what begins a word; start and end, seconds; confidence if known."""


class Whisper(Protocol):
    """A model of Whisper's kind."""

    def hear(self, waveform: np.ndarray) -> Iterator[list[Piece]]:
        """Yield the segments of 30 s of speech at most, (num_samples,) at 16 kHz."""
        ...


class WhisperTranscriber:
    """Transcribes recordings; the words have times, case and punctuation, and confidences where the model has."""

    writes_entities = False

    def __init__(self, model: Whisper, *, lang: str | None, vad: bool) -> None:
        """
        Args:
            model: hears chunks of speech.
            lang: ISO 639-1 code; None where the model tells, chunk by chunk.
            vad: whether a voice activity detector chooses what is heard.

        Raises:
            SpnerError: the voice activity detector is not installed.
        """
        self.lang = lang
        self._model = model
        self._vad = vad
        if vad:
            SpeechDetector()  # a missing package is told before anything is heard

    def transcribe(
        self, recordings: Iterable[Recording], advance: Advance
    ) -> Iterator[tuple[Recording, Tagged | RecordingError]]:
        """Yield each recording with its segments, or why it could not be read."""
        for recording in recordings:
            try:
                yield recording, self._transcribe(recording, advance)
            except RecordingError as error:
                yield recording, error

    def _transcribe(self, recording: Recording, advance: Advance) -> Tagged:
        num_samples = 0

        def counted() -> Iterator[Any]:
            nonlocal num_samples
            for block in recording.blocks():
                num_samples += len(block)
                yield block
                advance(len(block) / SAMPLE_RATE_HZ)

        segments: list[TaggedSegment] = []
        for chunk in cut_chunks(counted(), SpeechDetector() if self._vad else None):
            segments += self._hear(chunk)
        duration_s = num_samples / SAMPLE_RATE_HZ
        return Tagged(recording.name, duration_s, tuple(segments), self.lang)

    def _hear(self, chunk: Chunk) -> Iterator[TaggedSegment]:
        end_s = len(chunk.waveform) / SAMPLE_RATE_HZ
        for pieces in self._model.hear(chunk.waveform):
            words = list(join_pieces(pieces))
            if words:
                times = [(chunk.start_s + min(a, end_s), chunk.start_s + min(b, end_s)) for _, a, b, _ in words]
                built = build_words([w[0] for w in words], times, [w[3] for w in words])
                yield TaggedSegment(" ".join(word.text for word in built), built)


class FasterWhisper:
    """A model in CTranslate2's format."""

    def __init__(self, name: str, *, lang: str | None, device: str) -> None:
        """Load it.

        Args:
            name: a size such as ``small``, a hub name, or a folder.
            lang: ISO 639-1 code; None lets Whisper tell.
            device: ``auto``, ``cpu`` or ``cuda``.

        Raises:
            SpnerError: faster-whisper is not installed, or the model is not there or knows no such language.
        """
        self._lang = lang
        self._model = _load(name, device)
        require_language(lang, self._model.supported_languages, name=name)

    def hear(self, waveform: np.ndarray) -> Iterator[list[Piece]]:
        """Yield the segments of a chunk of speech."""
        found, _ = self._model.transcribe(
            waveform,
            language=self._lang,
            word_timestamps=True,
            condition_on_previous_text=False,  # an invented sentence would be repeated for the rest of the recording
            no_speech_threshold=INVENTED,
        )
        for segment in found:
            yield [(w.word, w.start, w.end, w.probability) for w in segment.words or ()]


def require_language(lang: str | None, known: Iterable[str], *, name: str) -> None:
    """Refuse a language that a model does not know.

    Raises:
        SpnerError: it does not.
    """
    if lang and lang not in known:
        raise SpnerError(f'--lang "{lang}": {name} knows no such language; give another --asr')


def join_pieces(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield whole words: a piece without a space before it goes on a word."""
    word: Piece | None = None
    for text, start_s, end_s, confidence in pieces:
        if word and not text.startswith(" "):
            known = [one for one in (word[3], confidence) if one is not None]
            word = (word[0] + text, word[1], end_s, min(known, default=None))
            continue
        if word and word[0]:
            yield word
        word = (text.strip(), start_s, end_s, confidence)
    if word and word[0]:
        yield (word[0].rstrip(), *word[1:])


def is_whisper(name: str) -> bool:
    """Whether a name is a size of Whisper's, or a folder or hub name of one in CTranslate2's format."""
    path = Path(name)
    if path.is_dir():
        return all((path / file).is_file() for file in CT2_FILES)
    return "/" not in name or "faster-" in name.lower()


def _load(name: str, device: str) -> Any:
    try:
        from faster_whisper import WhisperModel
        from faster_whisper.utils import available_models
    except ImportError as error:
        raise SpnerError(f"--asr {name}: needs faster-whisper; pip install 'spner[whisper]'") from error
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # without a network it tells of every try
    is_folder = Path(name).is_dir()
    if not is_folder and "/" not in name and name not in available_models():
        raise SpnerError(
            f"--asr {name}: no such experiment, folder or size of Whisper (sizes are {', '.join(available_models())})"
        )
    kind, _, number = device.partition(":")
    compute_type = "int8" if kind == "cpu" else "default"
    try:
        return WhisperModel(name, device=kind, device_index=int(number or 0), compute_type=compute_type)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        advice = "give another folder" if is_folder else "download it on a connected machine, or give a local folder"
        raise SpnerError(f"--asr {name}: cannot be loaded ({reason}); {advice}") from error
