"""Speech from text, with the time of each word, by the eSpeak NG library that ``espeakng-loader`` carries.

The library, called through ctypes, keeps one voice and one output for the whole process, so speech is made by
processes, never threads.
"""

import _ctypes
import atexit
import ctypes
import functools
import itertools
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spner.core.errors import SpnerError

# Constants of eSpeak NG's speak_lib.h.
AUDIO_OUTPUT_SYNCHRONOUS = 2
INITIALIZE_PHONEME_EVENTS, INITIALIZE_DONT_EXIT = 0x0001, 0x8000
CHARS_UTF8 = 1
PARAMETER_RATE, PARAMETER_PITCH = 1, 3
POSITION_CHARACTER = 1
EVENT_LIST_TERMINATED, EVENT_WORD, EVENT_PHONEME = 0, 1, 7
PAUSE = b"_"  # begins the name of every phoneme that is a pause

MAX_DATA_PATH_BYTES = 150
"""A longer data path is cut, and the data are not found (seen at 230 bytes, not at 196)."""


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("phoneme", ctypes.c_char * 8),
    )


_SYNTH_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class Voice:
    """Voice, rate and pitch.

    Attributes:
        name: an eSpeak NG language (``nl``, ``en-us``), or one with a variant (``nl+f2``).
        rate_wpm: words a minute, 80 to 450.
        pitch: 0 (low) to 99 (high); 50 is the voice's own.
    """

    name: str
    rate_wpm: int = 165
    pitch: int = 50

    def __post_init__(self) -> None:
        if not 80 <= self.rate_wpm <= 450 or not 0 <= self.pitch <= 99:
            raise ValueError(f"{self}: rate_wpm is 80 to 450, pitch 0 to 99")


@dataclass(frozen=True)
class SpokenWord:
    """The time of a word, as the synthesiser counts words: a number may be several, ``of the`` one.

    Attributes:
        position: of the word's first character in the text, from 0.
        start_s: where its speech begins, seconds from the first sample.
        end_s: where its speech ends: before a pause, or where the next word begins.
    """

    position: int
    start_s: float
    end_s: float


class _Library:
    """The library, freshly loaded, and the samples and events that its callback has collected."""

    def __init__(self) -> None:
        import espeakng_loader

        data_path = str(_short_path(espeakng_loader.get_data_path()))
        self.calls = ctypes.CDLL(espeakng_loader.get_library_path())
        self.chunks: list[np.ndarray] = []
        self.events: list[tuple[int, int, int, bytes]] = []  # type, text position, sample, phoneme
        self.callback = _SYNTH_CALLBACK(self._collect)  # kept here: the library holds only its address
        self.rate_hz = self.calls.espeak_Initialize(
            AUDIO_OUTPUT_SYNCHRONOUS, 0, data_path.encode(), INITIALIZE_PHONEME_EVENTS | INITIALIZE_DONT_EXIT
        )
        if self.rate_hz <= 0:
            raise SpnerError(f"{data_path}: eSpeak NG cannot read its data; install espeakng-loader again")
        self.calls.espeak_SetSynthCallback(self.callback)

    def _collect(self, samples: Any, num_samples: int, events: Any) -> int:
        if samples and num_samples > 0:
            self.chunks.append(np.ctypeslib.as_array(samples, (num_samples,)).copy())
        for event in itertools.takewhile(lambda event: event.type != EVENT_LIST_TERMINATED, events):
            self.events.append((event.type, event.text_position, event.sample, event.phoneme))
        return 0

    def unload(self) -> None:
        self.calls.espeak_Terminate()
        _ctypes.dlclose(self.calls._handle)


@functools.cache
def _short_path(path: str) -> Path:
    """Return ``path``, or a link to it where it is too long for eSpeak NG; the link goes with the process."""
    if len(path.encode()) <= MAX_DATA_PATH_BYTES:
        return Path(path)
    folder = tempfile.mkdtemp(prefix="espeak-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    link = Path(folder) / "espeak-ng-data"
    link.symlink_to(path)
    return link


def has_language(name: str) -> bool:
    """Whether eSpeak NG has a language."""
    library = _Library()
    try:
        return library.calls.espeak_SetVoiceByName(name.encode()) == 0
    finally:
        library.unload()


def speak(text: str, voice: Voice) -> tuple[np.ndarray, int]:
    """Return the speech and its rate in Hz; the same input gives the same samples.

    Variants with breath noise (f2, f3, f5, victor) are the exception: theirs comes from uninitialised memory.

    Args:
        text: a sentence.
        voice: how it is spoken; eSpeak NG takes an unknown variant for none.

    Returns:
        (num_samples,) float32 in [-1, 1], and the rate.

    Raises:
        SpnerError: eSpeak NG has no such language.
    """
    library = _synthesise(text, voice)
    samples = np.concatenate([np.zeros(0, np.int16), *library.chunks])
    return samples.astype(np.float32) / 32768, library.rate_hz


def time_words(text: str, voice: Voice) -> list[SpokenWord]:
    """Return the times of the words that :func:`speak` speaks, in order; same arguments and errors."""
    library = _synthesise(text, voice)
    words: list[SpokenWord] = []
    position, start = None, 0  # of the current word
    silent_from = None
    end_of_speech = sum(map(len, library.chunks))
    for kind, text_position, sample, phoneme in [*library.events, (EVENT_WORD, 0, end_of_speech, b"")]:
        if kind == EVENT_WORD:
            if position is not None:
                end = sample if silent_from is None else silent_from
                words.append(SpokenWord(position, start / library.rate_hz, end / library.rate_hz))
            position, start, silent_from = text_position - 1, sample, None
        elif kind == EVENT_PHONEME and not phoneme.startswith(PAUSE):
            silent_from = None
        elif kind == EVENT_PHONEME and silent_from is None:
            silent_from = sample
    return words


def _synthesise(text: str, voice: Voice) -> _Library:
    # The synthesiser's phase and noise go on from one utterance to the next, and only loading it anew (0.3 ms)
    # resets them.
    library = _Library()
    try:
        calls = library.calls
        if calls.espeak_SetVoiceByName(voice.name.encode()) != 0:
            raise SpnerError(f'voice "{voice.name}": eSpeak NG has no such language (expected one such as nl or de)')
        calls.espeak_SetParameter(PARAMETER_RATE, voice.rate_wpm, 0)
        calls.espeak_SetParameter(PARAMETER_PITCH, voice.pitch, 0)
        encoded = text.encode()
        size = ctypes.c_size_t(len(encoded) + 1)
        calls.espeak_Synth(encoded, size, 0, POSITION_CHARACTER, 0, CHARS_UTF8, None, None)
        return library
    finally:
        library.unload()
