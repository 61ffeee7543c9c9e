"""The audio of a set: Kaldi's ``wav.scp``, ``segments`` and ``utt2dur`` -> where each utterance lies, how long it is.

::

    wav.scp    <utt_id> <location>                   an audio file, or <ark>:<byte offset> of an audio store
    segments   <utt_id> <recording> <start> <end>    seconds, -1 for the recording's end; wav.scp then has recordings
    utt2dur    <utt_id> <seconds>                    measured where there is none

Stage 1 writes ``wav.scp`` and ``utt2dur``; a data folder of one's own may have any of them, but needs ``wav.scp``.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from spner.core.errors import SpnerError, quote
from spner.core.files import digest, fingerprint
from spner.core.paths import SEGMENTS, UTT2DUR, WAV_SCP
from spner.data.audio import cut_location, measure_s
from spner.data.datadir import parse_seconds, stream_table

MAX_OVERSHOOT_S = 0.5  # that a segment may end after its recording, whose end is then its own; Kaldi's limit


@dataclass(frozen=True)
class _Segment:
    """A line of ``segments``: its place for messages, its recording's location, and where it lies, in seconds."""

    where: str
    recording: str
    start_s: float
    end_s: float | None


def read_locations(folder: Path) -> dict[str, str]:
    """Return what :func:`spner.data.audio.read_stored` reads for each utterance of a set.

    Raises:
        SpnerError: no ``wav.scp``, one that holds a command, or a malformed line; the message gives it.
    """
    if not (folder / SEGMENTS).exists():
        return dict(_stream_recordings(folder / WAV_SCP))
    return {
        utt_id: cut_location(segment.recording, segment.start_s, segment.end_s)
        for utt_id, segment in _stream_segments(folder)
    }


def find_durations(folder: Path) -> dict[str, float]:
    """Return the seconds of each utterance of a set: those of ``utt2dur``, or what is measured.

    Raises:
        SpnerError: as :func:`read_locations`; ``utt2dur`` is malformed or has other utterances than the audio; audio
            that has to be measured cannot be read; or a segment does not lie in its recording.
    """
    segmented, stated = (folder / SEGMENTS).exists(), folder / UTT2DUR
    measured_s = _measure_segments(folder) if segmented else None  # always: it checks their bounds
    if not stated.exists():
        return measured_s or {utt_id: measure_s(location) for utt_id, location in read_locations(folder).items()}
    rows = enumerate(stream_table(stated), start=1)
    stated_s = {utt_id: parse_seconds(f"{stated}:{number}", value) for number, (utt_id, value) in rows}
    located = folder / (SEGMENTS if segmented else WAV_SCP)
    other = stated_s.keys() ^ (measured_s or read_locations(folder)).keys()
    if other:
        raise SpnerError(
            f"{stated}: utterance {quote(min(other))} is not both there and in {located} (expected the same in both); "
            "without utt2dur, durations are measured"
        )
    return stated_s


def identify_audio(folder: Path) -> str:
    """Return a digest of a set's tables of audio; without ``utt2dur``, of what is measured, too.

    Raises:
        SpnerError: as :func:`find_durations` does.
    """
    tables = [folder / name for name in (WAV_SCP, UTT2DUR, SEGMENTS) if (folder / name).exists()]
    if not tables or folder / UTT2DUR not in tables:
        return digest([find_durations(folder), fingerprint(tables)])
    return fingerprint(tables)


def _stream_recordings(wav_scp: Path) -> Iterator[tuple[str, str]]:
    for line_number, (name, location) in enumerate(stream_table(wav_scp), start=1):
        if not location or location == "-" or location.startswith("|") or location.endswith("|"):
            what = "a command, and commands are not run" if "|" in location else "no file"
            raise SpnerError(
                f"{wav_scp}:{line_number}: {quote(location)} is {what} (expected an audio file, or <ark>:<byte "
                "offset>); write the audio to a file and name that"
            )
        yield name, location


def _stream_segments(folder: Path) -> Iterator[tuple[str, _Segment]]:
    recordings = dict(_stream_recordings(folder / WAV_SCP))
    for line_number, (utt_id, value) in enumerate(stream_table(folder / SEGMENTS), start=1):
        where = f"{folder / SEGMENTS}:{line_number}"
        recording, *times = value.split() or [""]
        start_s, end_s = _parse_times(times)
        if not 0 <= start_s < (math.inf if end_s is None else end_s):
            raise SpnerError(
                f"{where}: {quote(value)} (expected <recording> <start> <end> after the utterance's id, in seconds, "
                "0 <= start < end); mend the line"
            )
        if recording not in recordings:
            raise SpnerError(f"{where}: recording {quote(recording)} is not in {folder / WAV_SCP}; add it there")
        yield utt_id, _Segment(where, recordings[recording], start_s, end_s)


def _parse_times(times: list[str]) -> tuple[float, float | None]:
    """Return start and end, not numbers if they are none; None is the recording's end."""
    try:
        start_s, end_s = map(float, times)
    except ValueError:
        return math.nan, math.nan
    return start_s, None if end_s == -1 else end_s


def _measure_segments(folder: Path) -> dict[str, float]:
    measure = cache(measure_s)
    durations_s = {}
    for utt_id, segment in _stream_segments(folder):
        recorded_s = measure(segment.recording)
        end_s = recorded_s if segment.end_s is None else segment.end_s
        if not segment.start_s < recorded_s or end_s > recorded_s + MAX_OVERSHOOT_S:
            raise SpnerError(
                f"{segment.where}: {segment.start_s:g} to {end_s:g} s does not lie in its recording, "
                f"{segment.recording}, which has {recorded_s:.2f} s; mend the line"
            )
        durations_s[utt_id] = min(end_s, recorded_s) - segment.start_s
    return durations_s
