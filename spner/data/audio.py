"""Clips of any rate and format -> the audio store: 16 kHz mono FLAC inside sharded Kaldi archives.

A store is a folder of shards ``00000.ark``, ``00001.ark``, … Beside each lies ``00000.json``, written last:
a shard with its JSON is complete, and is used again as long as it holds the same clips.
"""

import hashlib
import io
import math
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from spner.core.errors import SpnerError
from spner.core.files import atomic_path, fingerprint, remove_temporaries
from spner.core.logs import c_library_muted
from spner.core.parallel import Workers
from spner.core.resume import once
from spner.core.shards import shard_size
from spner.core.streams import Stream, Streamed
from spner.data.parquet import find_row, open_clips

SAMPLE_RATE_HZ = 16_000
MAX_CLIPS_PER_SHARD = 4096  # a million clips are 245 archives
MIN_CLIPS_PER_SHARD = 64
LOCATION = re.compile(r"(.*?)(?::(\d+))?(?:\[(\d+\.\d{7}):(\d+\.\d{7})?\])?", re.DOTALL)
"""``<file>``, ``<ark>:<byte offset>``; behind either, ``[<start>:<end>]`` as :func:`cut_location` writes it."""
SILENT_STD = 0.001  # a clip is silent at or below this; arXiv 2307.01310, section 4.1


class ClipError(Exception):
    """A clip that cannot be read; it is left out of the corpus."""


@dataclass(frozen=True)
class StoredClip:
    """The result for one clip.

    Attributes:
        utt_id: its utterance.
        location: ``<ark file name>:<byte offset>``; empty if nothing was stored.
        duration_s: of the 16 kHz waveform; 0 if the clip cannot be read.
        error: why it was not stored: ``missing``, ``broken: …``, ``silent``; empty if it was.
    """

    utt_id: str
    location: str
    duration_s: float
    error: str


def read_clip(source: Path | str | io.BytesIO) -> np.ndarray:
    """Decode an audio file, or the content of one, to its 16 kHz mono waveform, (num_samples,) float32 in [-1, 1].

    Channels are averaged. libsndfile and soxr do the work; no process is started for a clip.

    Raises:
        ClipError: the file is missing, is no audio, or holds no samples.
    """
    with c_library_muted():  # libmpg123 remarks on a broken clip before libsndfile refuses it
        return _decode(source)


def _decode(source: Path | str | io.BytesIO, start_s: float = 0.0, end_s: float | None = None) -> np.ndarray:
    """Do :func:`read_clip` without muting, which would also drop what other threads of the process write."""
    if not isinstance(source, io.BytesIO) and not Path(source).is_file():
        raise ClipError("missing")
    try:
        with soundfile.SoundFile(source) as file:
            rate_hz = file.samplerate
            place = _place(start_s, end_s, rate_hz)
            if place.start:
                file.seek(min(place.start, file.frames))
            num_frames = -1 if place.stop is None else place.stop - place.start
            waveform = file.read(num_frames, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError) as error:
        reason = str(error).rsplit(": ", 1)[-1]
        # libsndfile's words for an MP3 without a single frame.
        no_audio = reason.startswith("File does not exist")
        raise ClipError(f"broken: {'no audio in it' if no_audio else reason}") from error
    if not len(waveform):
        raise ClipError("broken: no samples")
    if not np.isfinite(waveform).all():
        raise ClipError("broken: samples that are not finite")
    # A resampled loud clip overshoots; FLAC could not hold it.
    return np.clip(soxr.resample(waveform.mean(axis=1), rate_hz, SAMPLE_RATE_HZ), -1, 1)


def store_clips(store: Path, clips: Stream[tuple[str, Path]], *, workers: Workers, what: str) -> Iterator[StoredClip]:
    """Decode clips into a store; yield the result for each, in order.

    Args:
        store: folder of the shards; finished shards of an earlier run are used again.
        clips: (utterance id, file), or the row of a parquet table in the order of
            :func:`spner.data.parquet.find_row`.
        workers: what decodes them, a shard at a time.
        what: title of the progress bar.
    """
    clips_per_shard = shard_size(len(clips), least=MIN_CLIPS_PER_SHARD, most=MAX_CLIPS_PER_SHARD)
    num_shards = math.ceil(len(clips) / clips_per_shard)

    def cut() -> Iterator[_Shard]:
        left = iter(clips)
        for index in range(num_shards):
            yield _Shard(store / f"{index:05d}.ark", tuple(islice(left, clips_per_shard)))

    shards = Streamed(cut, num_shards)
    for stored in workers.map(_store_shard, shards, what=what, unit="shard"):
        yield from stored
    remove_temporaries(store)


@dataclass(frozen=True)
class _Shard:
    ark: Path
    clips: tuple[tuple[str, Path], ...]

    def identity(self) -> str:
        """Return a digest of the inputs: ids, clip names and contents."""
        parts = [(utt_id, path.name, _fingerprint_clip(path)) for utt_id, path in self.clips]
        return hashlib.sha256(repr(parts).encode()).hexdigest()


def _fingerprint_clip(path: Path) -> str:
    """Return a digest of a clip, or of the whole table that it lies in; empty where there is neither."""
    file = Path(find_row(path)[0] or path)
    return fingerprint([file]) if file.is_file() else ""


def _store_shard(shard: _Shard) -> list[StoredClip]:
    def make() -> dict[str, Any]:
        with atomic_path(shard.ark) as temporary, open(temporary, "wb") as ark:
            sources = open_clips([path for _, path in shard.clips])
            stored = [
                _store_clip(ark, shard.ark.name, utt_id, source)
                for (utt_id, _), source in zip(shard.clips, sources, strict=True)
            ]
        return {"stored": [asdict(one) for one in stored]}

    record = once(shard.ark.with_suffix(".json"), {"clips": shard.identity()}, make, outputs=[shard.ark])
    return [StoredClip(**stored) for stored in record["stored"]]


def _store_clip(ark: io.BufferedWriter, ark_name: str, utt_id: str, source: Path | io.BytesIO) -> StoredClip:
    try:
        waveform = read_clip(source)
    except ClipError as error:
        return StoredClip(utt_id, "", 0.0, str(error))
    duration_s = len(waveform) / SAMPLE_RATE_HZ
    if len(waveform) < 2 or waveform.std(ddof=1) <= SILENT_STD:
        return StoredClip(utt_id, "", duration_s, "silent")
    import kaldiio

    offset = ark.tell() + len(f"{utt_id} ".encode())
    kaldiio.save_ark(
        ark, {utt_id: (waveform, SAMPLE_RATE_HZ)}, write_function="soundfile", write_kwargs={"format": "flac"}
    )
    return StoredClip(utt_id, f"{ark_name}:{offset}", duration_s, "")


def cut_location(location: str, start_s: float, end_s: float | None) -> str:
    """Return the location of a piece of a recording; None is its end."""
    return f"{location}[{start_s:.7f}:{'' if end_s is None else f'{end_s:.7f}'}]"


def split_location(location: str) -> tuple[str, str]:
    """Return the file of a location, and what follows: its offset, its piece, both or nothing."""
    file_name, *_ = _parse(location)
    return file_name, location[len(file_name) :]


def _parse(location: str) -> tuple[str, str | None, str | None, str | None]:
    """Return file, offset, start and end of a location."""
    match = LOCATION.fullmatch(location)  # fits any text
    return (match[1], match[2], match[3], match[4]) if match else (location, None, None, None)


def read_stored(location: str) -> np.ndarray:
    """Return the waveform behind a ``wav.scp`` value, (num_samples,) float32 in [-1, 1] at 16 kHz.

    ``location`` is ``<ark>:<byte offset>`` of an audio store or the name of an audio file; :func:`cut_location` adds
    which piece of it.

    Raises:
        SpnerError: nothing can be read there.
    """
    file_name, offset, start, end = _parse(location)
    start_s, end_s = float(start or 0), float(end) if end else None
    try:
        if offset is None:
            return _decode(file_name, start_s, end_s)  # decoding reads ahead in a thread
        with soundfile.SoundFile(_open_record(file_name, int(offset))) as file:
            rate_hz, waveform = file.samplerate, file.read(dtype="float32")
    except (ClipError, OSError, ValueError, RuntimeError, OverflowError, MemoryError) as error:
        raise SpnerError(
            f"{location}: no audio can be read there ({getattr(error, 'error_string', error)}); rerun stage 1, go to "
            "the folder it ran in, or mend the path"
        ) from error
    if rate_hz != SAMPLE_RATE_HZ:
        raise SpnerError(f"{location}: is at {rate_hz} Hz (expected {SAMPLE_RATE_HZ}); rerun stage 1")
    return waveform[_place(start_s, end_s, rate_hz)]


def _open_record(ark: str, offset: int) -> int:
    """Return a descriptor at the audio in a record: ``AUDIO``, the size of its length, its length, the file.

    kaldiio's reader would also unpickle. libsndfile reads a descriptor by itself; a file in memory it reads through
    Python, for which a thread waits each time while another one works.
    """
    descriptor = os.open(ark, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        os.lseek(descriptor, offset, os.SEEK_SET)
        head = os.read(descriptor, 6)
        if len(head) < 6 or head[:5] != b"AUDIO":
            raise ValueError("no audio record begins at that offset")
        os.lseek(descriptor, head[5], os.SEEK_CUR)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _place(start_s: float, end_s: float | None, rate_hz: int) -> slice:
    return slice(round(start_s * rate_hz), None if end_s is None else round(end_s * rate_hz))


def measure_s(recording: str) -> float:
    """Return the seconds of a whole recording, given as :func:`read_stored` takes it.

    Raises:
        SpnerError: nothing can be read there.
    """
    duration_s = clip_duration_s(Path(recording)) if Path(recording).is_file() else 0.0
    return duration_s or len(read_stored(recording)) / SAMPLE_RATE_HZ


def copy_stored(location: str, path: Path) -> None:
    """Write the clip behind a ``wav.scp`` value as a FLAC file, sample by sample what the store holds.

    Raises:
        SpnerError: nothing can be read there, or ``path`` cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(encode_stored(location))


def encode_stored(location: str) -> bytes:
    """Return the clip behind a ``wav.scp`` value as a FLAC file, sample by sample what the store holds.

    Raises:
        SpnerError: nothing can be read there.
    """
    # libsndfile would scale floats by 32767, which is not what it reads by.
    samples = np.clip(np.rint(read_stored(location) * 32768), -32768, 32767).astype(np.int16)
    content = io.BytesIO()
    soundfile.write(content, samples, SAMPLE_RATE_HZ, format="FLAC")
    return content.getvalue()


def clip_duration_s(path: Path) -> float:
    """Return the duration of a clip, which may be a row of a table, from its header; 0.0 if it cannot be read."""
    (source,) = open_clips([path])
    try:
        with c_library_muted():
            return soundfile.info(source).duration
    except (soundfile.SoundFileError, RuntimeError):
        return 0.0
