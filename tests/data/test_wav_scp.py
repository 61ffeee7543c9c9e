"""A data folder's audio, stage 1's or one's own: files, archives, pieces of recordings; commands are never run."""

from pathlib import Path

import kaldiio
import numpy as np
import pytest
import soundfile

from spner.core.errors import SpnerError
from spner.data.audio import read_stored, split_location
from spner.data.datadir import write_table
from spner.data.wav_scp import find_durations, identify_audio, read_locations

RATE_HZ = 16_000


def ramp(duration_s: float) -> np.ndarray:
    """Return samples that tell where they come from."""
    return np.linspace(0, 0.9, round(duration_s * RATE_HZ), dtype=np.float32)


def recording(path: Path, duration_s: float, *, rate_hz: int = RATE_HZ) -> str:
    soundfile.write(path, np.linspace(0, 0.9, round(duration_s * rate_hz)), rate_hz)
    return str(path)


def archive(path: Path, duration_s: float) -> str:
    kaldiio.save_ark(
        str(path), {"r": (ramp(duration_s), RATE_HZ)}, write_function="soundfile", write_kwargs={"format": "flac"}
    )
    return f"{path}:2"


def folder(path: Path, wav_scp: dict[str, str], *segments: str, utt2dur: dict[str, str] | None = None) -> Path:
    path.mkdir(exist_ok=True)
    write_table(path / "wav.scp", wav_scp)
    if segments:
        (path / "segments").write_text("".join(f"{line}\n" for line in segments))
    if utt2dur is not None:
        write_table(path / "utt2dur", utt2dur)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(SpnerError) as error:
        find_durations(path)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{path}/")


def test_durations_are_measured_where_none_are_stated(tmp_path: Path) -> None:
    located = {"a": recording(tmp_path / "a b.wav", 0.5), "b": archive(tmp_path / "b.ark", 0.25)}
    data = folder(tmp_path / "own", located)
    assert read_locations(data) == located
    assert find_durations(data) == {"a": 0.5, "b": 0.25}
    assert find_durations(folder(data, located, utt2dur={"a": "2", "b": "3.5"})) == {"a": 2.0, "b": 3.5}


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_segments_are_cut_out_of_their_recordings(tmp_path: Path, rate_hz: int) -> None:
    located = {"r1": recording(tmp_path / "r.flac", 4.0, rate_hz=rate_hz), "r2": archive(tmp_path / "r.ark", 4.0)}
    data = folder(tmp_path / "own", located, "u1 r1 0.5 1.5", "u2 r2 2.25 3", "u3 r1 3.5 -1", "u4\tr2  3.5 4.4")
    durations_s = find_durations(data)
    assert durations_s == {"u1": 1.0, "u2": 0.75, "u3": 0.5, "u4": 0.5}
    whole = ramp(4.0)
    for utt_id, start_s in (("u1", 0.5), ("u2", 2.25), ("u3", 3.5), ("u4", 3.5)):
        piece = read_stored(read_locations(data)[utt_id])
        assert len(piece) == durations_s[utt_id] * RATE_HZ
        first = round(start_s * RATE_HZ)
        # Resampling rings at the ends of a piece.
        np.testing.assert_allclose(piece[500:-500], whole[first + 500 : first + len(piece) - 500], atol=2e-3)


def test_a_location_is_split_into_file_and_place() -> None:
    for file_name, place in (("a.wav", ""), ("a.ark", ":12"), ("a[1:2].wav", "[0.5000000:]"), ("a:b.wav", "")):
        assert split_location(file_name + place) == (file_name, place)
    assert split_location("a.ark:7[1.0000000:2.5000000]") == ("a.ark", ":7[1.0000000:2.5000000]")


@pytest.mark.parametrize("command", ["sox a.wav -t wav - |", "| cat", "touch sprung |"])
def test_commands_are_refused_by_name(tmp_path: Path, command: str) -> None:
    data = folder(tmp_path / "own", {"a": "a.wav", "b": command})
    assert refusal(data) == (
        f'wav.scp:2: "{command}" is a command, and commands are not run (expected an audio file, or <ark>:<byte '
        "offset>); write the audio to a file and name that"
    )


@pytest.mark.parametrize("location", ["", "-"])
def test_location_that_is_no_file(tmp_path: Path, location: str) -> None:
    assert refusal(folder(tmp_path / "own", {"a": location})).startswith(
        f'wav.scp:1: "{location}" is no file (expected'
    )


@pytest.mark.parametrize(
    "times",
    ["", "1", "1 2 3", "a b", "-0.5 1", "1 1", "2 1", "nan 1", "0 nan", "1 -2"],
    ids=lambda times: times or "none",
)
def test_malformed_segment(tmp_path: Path, times: str) -> None:
    data = folder(tmp_path / "own", {"r": recording(tmp_path / "r.wav", 4.0)}, "u1 r 0 1", f"u2 r {times}".strip())
    assert refusal(data) == (
        f'segments:2: "{f"r {times}".strip()}" (expected <recording> <start> <end> after the utterance\'s id, in '
        "seconds, 0 <= start < end); mend the line"
    )


def test_segment_without_values(tmp_path: Path) -> None:
    data = folder(tmp_path / "own", {"r": "r.wav"}, "u1")
    assert refusal(data).startswith('segments:1: "" (expected <recording> <start> <end>')


def test_segment_of_an_unknown_recording(tmp_path: Path) -> None:
    data = folder(tmp_path / "own", {"r": "r.wav"}, "u1 r2 0 1")
    assert refusal(data) == f'segments:1: recording "r2" is not in {data}/wav.scp; add it there'


@pytest.mark.parametrize("times", ["0 1.51", "1 1.4", "3 4", "0 inf"])
def test_segment_outside_its_recording(tmp_path: Path, times: str) -> None:
    where = recording(tmp_path / "r.wav", 1.0)
    start, end = times.split()
    for utt2dur in (None, {"u": "1"}):  # stated durations do not hide it
        data = folder(tmp_path / "own", {"r": where}, f"u r {times}", utt2dur=utt2dur)
        assert refusal(data) == (
            f"segments:1: {start} to {end} s does not lie in its recording, {where}, which has 1.00 s; mend the line"
        )


def test_audio_that_cannot_be_measured(tmp_path: Path) -> None:
    assert refusal(folder(tmp_path / "own", {"a": "gone.wav"})) == (
        "gone.wav: no audio can be read there (missing); rerun stage 1, go to the folder it ran in, or mend the path"
    )


def test_durations_of_other_utterances(tmp_path: Path) -> None:
    """An utterance without a duration would not be decoded."""
    for utt2dur in ({"a": "1"}, {"a": "1", "b": "1", "c": "1"}):
        data = folder(tmp_path / "own", {"a": "a.wav", "b": "b.wav"}, utt2dur=utt2dur)
        other = "b" if len(utt2dur) == 1 else "c"
        assert refusal(data) == (
            f'utt2dur: utterance "{other}" is not both there and in {data}/wav.scp (expected the same in both); '
            "without utt2dur, durations are measured"
        )


def test_folder_without_audio(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "wav.scp: cannot be read (No such file or directory); stage 1 (spner data) makes it"
    with pytest.raises(SpnerError, match="wav.scp: cannot be read"):
        identify_audio(tmp_path)


def test_identity_tells_other_audio(tmp_path: Path) -> None:
    """Hypotheses of a folder are believed as long as it stays the same."""
    where = recording(tmp_path / "a.wav", 1.0)
    data = folder(tmp_path / "own", {"a": where})
    seen = [identify_audio(data)]
    recording(tmp_path / "a.wav", 2.0)
    seen.append(identify_audio(data))
    folder(data, {"a": where}, utt2dur={"a": "2"})
    seen.append(identify_audio(data))
    folder(data, {"a": where}, "a a 0 1")
    seen.append(identify_audio(data))
    folder(data, {"a": where}, "a a 1 2")
    seen.append(identify_audio(data))
    assert len(set(seen)) == len(seen) and identify_audio(data) == seen[-1]
