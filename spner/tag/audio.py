"""Recordings of any format and length -> blocks of 16 kHz mono samples; a recording is never in memory as a whole.

libsndfile reads what it can (WAV, FLAC, MP3, Ogg and others); FFmpeg, inside PyAV, reads the rest: M4A, MP4, WebM and
others, sound of videos included. Channels are averaged.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from spner.core.errors import SpnerError
from spner.core.logs import c_library_muted
from spner.data.audio import SAMPLE_RATE_HZ

BLOCK_S = 10
SUFFIXES = frozenset(
    ".wav .wave .w64 .rf64 .flac .mp3 .mp2 .ogg .oga .opus .m4a .m4b .aac .mp4 .m4v .mov .webm .mkv .mka .avi .wma "
    ".wmv .aif .aiff .aifc .au .snd .caf .amr .3gp .ac3 .sph .nist .ts .mpg .mpeg .flv".split()
)
"""Names of the files that are looked at in a folder; a file that is named itself may have any."""


class RecordingError(SpnerError):
    """A recording that cannot be read; others can."""


@dataclass(frozen=True)
class Recording:
    """A recording that has been found to hold sound.

    Attributes:
        name: for messages and results.
        duration_s: as its header says; 0 where it says nothing.
        blocks: begins to read; it yields arrays (num_samples,) float32 at 16 kHz, and raises :class:`RecordingError`
            where the recording breaks off.
        path: the file; None for a waveform.
    """

    name: str
    duration_s: float
    blocks: Callable[[], Iterator[np.ndarray]]
    path: Path | None = None


def open_recording(path: Path) -> Recording:
    """Look at a file's header.

    Raises:
        RecordingError: there is no such file, it is empty, or neither library finds sound in it.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror})") from error
    if not size:
        raise RecordingError(f"{path}: is empty (expected a recording)")
    with suppress(soundfile.SoundFileError, TypeError), c_library_muted(), soundfile.SoundFile(path) as file:
        # TypeError: headerless formats; libmpg123 remarks on what is no MP3.
        return Recording(str(path), file.frames / file.samplerate, lambda: _read_soundfile(path), path)
    return Recording(str(path), _probe_av(path), lambda: _read_av(path), path)


def from_waveform(waveform: np.ndarray, rate_hz: int, *, name: str = "array") -> Recording:
    """Return a recording of an array (num_samples,) or (num_samples, num_channels), in [-1, 1].

    Raises:
        RecordingError: the shape is another, or a sample is not finite.
    """
    if waveform.ndim not in (1, 2) or not np.issubdtype(waveform.dtype, np.floating) or not np.isfinite(waveform).all():
        raise RecordingError(
            f"{name}: an array of {waveform.dtype} {waveform.shape} (expected finite floats, (samples,) or "
            "(samples, channels), in [-1, 1])"
        )
    mono = waveform if waveform.ndim == 1 else waveform.mean(axis=1)
    parts = (mono[i : i + BLOCK_S * rate_hz] for i in range(0, len(mono), BLOCK_S * rate_hz))
    return Recording(name, len(mono) / rate_hz, lambda: _resample(parts, rate_hz, name))


def _read_soundfile(path: Path) -> Iterator[np.ndarray]:
    with c_library_muted():  # libmpg123 remarks on headers that do not fit a file's length
        file = soundfile.SoundFile(path)
    with file:
        yield from _resample(_soundfile_blocks(file), file.samplerate, str(path))


def _soundfile_blocks(file: soundfile.SoundFile) -> Iterator[np.ndarray]:
    while True:
        with c_library_muted():
            block = file.read(BLOCK_S * file.samplerate, dtype="float32", always_2d=True)
        if not len(block):
            return
        yield block.mean(axis=1)


def _resample(blocks: Iterator[np.ndarray], rate_hz: int, name: str) -> Iterator[np.ndarray]:
    """Yield the blocks at 16 kHz.

    Raises:
        RecordingError: its rate cannot be, reading breaks off, samples are not finite, or there are none.
    """
    if rate_hz <= 0:  # as a broken header may say to FFmpeg
        raise RecordingError(f"{name}: has a rate of {rate_hz} Hz")
    stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32") if rate_hz != SAMPLE_RATE_HZ else None
    num_samples = 0
    try:
        for block in blocks:
            if not np.isfinite(block).all():
                raise RecordingError(f"{name}: holds samples that are not finite, after {num_samples / rate_hz:.1f} s")
            num_samples += len(block)
            yield stream.resample_chunk(block.astype(np.float32)) if stream else block.astype(np.float32)
        if stream and num_samples:
            yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
    except (
        soundfile.SoundFileError,
        RuntimeError,
        OSError,
        ValueError,
    ) as error:
        reason = str(error).rsplit(": ", 1)[-1].rstrip(".")
        raise RecordingError(f"{name}: breaks off after {num_samples / rate_hz:.1f} s ({reason})") from error
    if not num_samples:
        raise RecordingError(f"{name}: holds no sound")


def _require_av(path: Path) -> Any:
    try:
        import av
    except ImportError as error:
        raise RecordingError(
            f"{path}: libsndfile cannot read it, and PyAV, which reads what FFmpeg does, is not installed; "
            "pip install av"
        ) from error
    av.logging.set_level(av.logging.PANIC)
    return av


def _probe_av(path: Path) -> float:
    """Return the duration in seconds that a file's header states, 0 where it states none.

    Raises:
        RecordingError: FFmpeg cannot read it, or there is no sound in it.
    """
    av = _require_av(path)
    try:
        with open_container(path) as container:
            if not container.streams.audio:
                raise RecordingError(f"{path}: has no sound, only {_list_streams(container)}")
            return (container.duration or 0) / av.time_base
    except (av.FFmpegError, ValueError) as error:
        raise RecordingError(f"{path}: is no recording that libsndfile or FFmpeg can read") from error


def open_container(path: Path) -> Any:
    """Open a file with PyAV, whatever bytes its metadata hold.

    Raises:
        av.FFmpegError: FFmpeg cannot read it.
    """
    import av

    # Before 19 PyAV decodes all metadata here, as UTF-8; from 19 on it has no such option and needs none.
    old = int(av.__version__.split(".")[0]) < 19
    options: dict[str, Any] = {"metadata_errors": "replace"} if old else {}
    return av.open(str(path), **options)


def _list_streams(container: Any) -> str:
    return ", ".join(sorted({str(stream.type) for stream in container.streams})) or "an empty container"


def _read_av(path: Path) -> Iterator[np.ndarray]:
    av = _require_av(path)
    with open_container(path) as container:
        stream = container.streams.audio[0]
        rate_hz = stream.rate
        to_float = av.AudioResampler(format="fltp", layout=stream.layout, rate=rate_hz)

        def blocks() -> Iterator[np.ndarray]:
            parts: list[np.ndarray] = []  # a frame has 20 to 60 ms
            for frame in container.decode(stream):
                parts += [converted.to_ndarray().mean(axis=0) for converted in to_float.resample(frame)]
                if sum(map(len, parts)) >= BLOCK_S * rate_hz:
                    yield np.concatenate(parts)
                    parts = []
            if parts:
                yield np.concatenate(parts)

        yield from _resample(blocks(), rate_hz, str(path))
