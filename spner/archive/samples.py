"""A recording's own samples -> blocks, and back: every channel at its own rate, nothing resampled.

Integers stay integers, so that what is copied is copied bit by bit. What lossy codecs decode to is floats; FLAC gets
them as 24 bits.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from spner.core.errors import SpnerError
from spner.core.logs import c_library_muted
from spner.tag.audio import RecordingError, open_container

BLOCK = 2**18  # samples
INTEGERS = {
    **dict.fromkeys(("PCM_S8", "PCM_U8", "PCM_16", "ULAW", "ALAW", "ALAC_16"), "PCM_16"),
    **dict.fromkeys(("PCM_24", "ALAC_20", "ALAC_24"), "PCM_24"),
    **dict.fromkeys(("PCM_32", "ALAC_32"), "PCM_32"),
}
"""How libsndfile calls samples that are integers, and the shortest integers of WAV that hold them."""
FLOATS = {"FLOAT": "float32", "DOUBLE": "float64"}
OUTPUTS = {".wav": "RF64", ".flac": "FLAC"}  # RF64 is WAV that may grow beyond 4 GB


@dataclass(frozen=True)
class Samples:
    """How a recording's samples are kept.

    Attributes:
        rate_hz: samples of a channel in a second.
        num_channels: at least 1.
        subtype: libsndfile's name; ``lossy`` for a codec's floats.
    """

    rate_hz: int
    num_channels: int
    subtype: str

    @property
    def dtype(self) -> str:
        """The type of numpy that holds them exactly."""
        return "int32" if self.subtype in INTEGERS else FLOATS.get(self.subtype, "float32")


@contextmanager
def open_samples(path: Path) -> Iterator[tuple[Samples, Iterator[np.ndarray]]]:
    """Yield a recording's form and its blocks (num_samples, num_channels); integers are scaled to 32 bits.

    Raises:
        RecordingError: neither libsndfile nor FFmpeg reads it, or it breaks off.
    """
    try:
        with c_library_muted():
            file = soundfile.SoundFile(path)
    except (soundfile.SoundFileError, TypeError):
        yield from _open_av(path)
        return
    with file:
        known = file.subtype in INTEGERS or file.subtype in FLOATS
        form = Samples(file.samplerate, file.channels, file.subtype if known else "lossy")
        yield form, _read(file, form, path)


def _read(file: soundfile.SoundFile, form: Samples, path: Path) -> Iterator[np.ndarray]:
    try:
        while True:
            with c_library_muted():
                block = file.read(BLOCK, dtype=form.dtype, always_2d=True)
            if not len(block):
                return
            yield block
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise RecordingError(f"{path}: breaks off after {file.tell() / form.rate_hz:.1f} s") from error


def _open_av(path: Path) -> Iterator[tuple[Samples, Iterator[np.ndarray]]]:
    import av

    av.logging.set_level(av.logging.PANIC)
    try:
        with open_container(path) as container:
            stream = container.streams.audio[0]
            yield Samples(stream.rate, stream.channels, "lossy"), _decode(av, container, stream)
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise RecordingError(f"{path}: is no recording that libsndfile or FFmpeg can read to its end") from error


def _decode(av: Any, container: Any, stream: Any) -> Iterator[np.ndarray]:
    to_float = av.AudioResampler(format="fltp", layout=stream.layout, rate=stream.rate)
    for frame in container.decode(stream):
        for converted in to_float.resample(frame):
            yield converted.to_ndarray().T


def choose_subtype(form: Samples, path: Path) -> str:
    """Return how samples are written to a file so that none changes.

    Raises:
        SpnerError: the file's format is another than WAV and FLAC, or cannot hold them.
    """
    suffix = path.suffix.lower()
    if suffix not in OUTPUTS:
        raise SpnerError(f"{path}: ends with neither .flac nor .wav (other formats would change the rest of the sound)")
    if suffix == ".wav":
        return INTEGERS.get(form.subtype) or (form.subtype if form.subtype in FLOATS else "FLOAT")
    if form.subtype in FLOATS or INTEGERS.get(form.subtype) == "PCM_32":
        raise SpnerError(f"{path}: FLAC cannot hold the recording's samples ({form.subtype}); write a .wav")
    if form.num_channels > 8:
        raise SpnerError(f"{path}: FLAC cannot hold {form.num_channels} channels; write a .wav")
    return INTEGERS.get(form.subtype, "PCM_24")
