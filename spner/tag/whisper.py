"""Recordings -> segments, by Whisper through faster-whisper, which needs no torch.

Whisper invents sentences where nobody speaks: a voice activity detector chooses what it hears, unless told otherwise.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

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


class WhisperTranscriber:
    """A Whisper model that transcribes recordings; its words have times, confidences, case and punctuation."""

    writes_entities = False

    def __init__(self, name: str, *, lang: str | None, device: str, vad: bool) -> None:
        """Load a model.

        Args:
            name: a size such as ``small``, a hub name, or a folder in CTranslate2's format.
            lang: ISO 639-1 code; None lets Whisper tell, chunk by chunk.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            vad: whether a voice activity detector chooses what is heard.

        Raises:
            SpnerError: faster-whisper is not installed, or the model is not there.
        """
        self.lang = lang
        self._vad = vad
        self._model = _load(name, device)
        if lang and lang not in self._model.supported_languages:
            raise SpnerError(f'--lang "{lang}": {name} knows no such language; give another --asr')
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
        found, _ = self._model.transcribe(
            chunk.waveform,
            language=self.lang,
            word_timestamps=True,
            condition_on_previous_text=False,  # an invented sentence would be repeated for the rest of the recording
            no_speech_threshold=INVENTED,
        )
        end_s = len(chunk.waveform) / SAMPLE_RATE_HZ
        for segment in found:
            words = list(join_pieces([(w.word, w.start, w.end, w.probability) for w in segment.words or ()]))
            if words:
                times = [(chunk.start_s + min(a, end_s), chunk.start_s + min(b, end_s)) for _, a, b, _ in words]
                built = build_words([w[0] for w in words], times, [w[3] for w in words])
                yield TaggedSegment(" ".join(word.text for word in built), built)


def join_pieces(pieces: Iterable[tuple[str, float, float, float]]) -> Iterator[tuple[str, float, float, float]]:
    """Yield words (text, start, end, confidence) of Whisper's pieces: one without a space before it goes on a word."""
    word: tuple[str, float, float, float] | None = None
    for text, start_s, end_s, confidence in pieces:
        if word and not text.startswith(" "):
            word = (word[0] + text, word[1], end_s, min(word[3], confidence))
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
