"""Recordings of several formats, read as a stream; what is none is refused in one line."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from spner.data.audio import SAMPLE_RATE_HZ
from spner.tag.audio import BLOCK_S, RecordingError, _resample, from_waveform, open_recording

TONE_HZ = 440


def tone(seconds: float, rate_hz: int, channels: int = 1) -> np.ndarray:
    """Return a tone (num_samples, channels); the channels after the first are silent."""
    times_s = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = np.zeros((len(times_s), channels), np.float32)
    wave[:, 0] = 0.4 * np.sin(2 * np.pi * TONE_HZ * times_s)
    return wave


def loudest_hz(waveform: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(waveform))
    return float(np.fft.rfftfreq(len(waveform), 1 / SAMPLE_RATE_HZ)[spectrum.argmax()])


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100])
def test_a_file_becomes_16_khz_mono_in_blocks(tmp_path: Path, suffix: str, rate_hz: int) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, tone(25.0, rate_hz, channels=2), rate_hz)
    recording = open_recording(path)
    blocks = list(recording.blocks())
    waveform = np.concatenate(blocks)
    assert recording.duration_s == pytest.approx(25.0, abs=0.1)
    assert len(waveform) / SAMPLE_RATE_HZ == pytest.approx(25.0, abs=0.1)
    assert max(map(len, blocks)) <= (BLOCK_S + 1) * SAMPLE_RATE_HZ
    assert waveform.dtype == np.float32
    assert loudest_hz(waveform) == pytest.approx(TONE_HZ, abs=1)
    assert np.abs(waveform).max() == pytest.approx(0.2, abs=0.05)  # the mean of both channels


@pytest.mark.parametrize(("container", "codec"), [("m4a", "aac"), ("mp4", "aac"), ("webm", "libopus"), ("mka", "mp2")])
def test_ffmpeg_reads_what_libsndfile_does_not(tmp_path: Path, container: str, codec: str) -> None:
    path = tmp_path / f"tone.{container}"
    write_av(path, codec, tone(3.0, 48_000, channels=2))
    recording = open_recording(path)
    waveform = np.concatenate(list(recording.blocks()))
    assert recording.duration_s == pytest.approx(3.0, abs=0.1)
    assert len(waveform) / SAMPLE_RATE_HZ == pytest.approx(3.0, abs=0.1)
    assert loudest_hz(waveform) == pytest.approx(TONE_HZ, abs=1)


def test_metadata_may_hold_any_bytes(tmp_path: Path) -> None:
    path = tmp_path / "tone.m4a"
    write_av(path, "aac", tone(1.0, 48_000, channels=2), title="QQQQQQQQ")
    whole = path.read_bytes()
    assert whole.count(b"QQQQQQQQ") == 1
    path.write_bytes(whole.replace(b"QQQQQQQQ", b"\xff\xfe\xfd\xfc" * 2))
    assert open_recording(path).duration_s == pytest.approx(1.0, abs=0.1)


def test_blocks_of_ffmpegs_are_as_long_as_libsndfiles(tmp_path: Path) -> None:
    write_av(tmp_path / "tone.m4a", "aac", tone(25.0, 48_000, channels=2))
    blocks = list(open_recording(tmp_path / "tone.m4a").blocks())
    assert len(blocks) == 4  # and what the resampler had kept
    assert max(map(len, blocks)) <= (BLOCK_S + 1) * SAMPLE_RATE_HZ


def test_an_mp3_that_is_cut_short_gives_what_is_there_and_no_librarys_remark(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    path = tmp_path / "tone.mp3"
    soundfile.write(path, tone(25.0, 16_000), 16_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 11 < sum(map(len, open_recording(path).blocks())) / SAMPLE_RATE_HZ < 14
    assert capfd.readouterr().err == ""


def write_av(path: Path, codec: str, wave: np.ndarray, **metadata: str) -> None:
    """Write samples (num_samples, 2) at 48 kHz; a skip where PyAV is not installed."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w", format="ipod" if path.suffix == ".m4a" else None) as container:
        container.metadata.update(metadata)
        stream = container.add_stream(codec, rate=48_000)
        stream.layout = "stereo"
        kind = stream.format.name
        to_codec = av.AudioResampler(format=kind, layout="stereo", rate=48_000, frame_size=960)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave.T), format="fltp", layout="stereo")
        frame.sample_rate = 48_000
        for part in [*to_codec.resample(frame), *to_codec.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux([*stream.encode(picture), *stream.encode(None)])
    with pytest.raises(RecordingError, match=r"film\.mp4: has no sound, only video$"):
        open_recording(path)


def test_files_that_are_no_recordings_are_refused(tmp_path: Path) -> None:
    empty, text, cut = tmp_path / "empty.mp3", tmp_path / "text.mp3", tmp_path / "cut.wav"
    empty.touch()
    text.write_text("no sound\n" * 100)
    cut.write_bytes(b"RIFF\x00\x01")
    for path, reason in {
        tmp_path / "none.wav": "none.wav: cannot be read (No such file or directory)",
        empty: "empty.mp3: is empty",
    }.items():
        with pytest.raises(RecordingError) as error:
            open_recording(path)
        assert reason in str(error.value)
    for path in (text, cut):
        with pytest.raises(RecordingError, match=r"libsndfile"):
            open_recording(path)


def test_what_a_library_prints_about_a_broken_file_is_not_shown(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    (tmp_path / "text.mp3").write_text("no sound\n" * 100)
    with pytest.raises(RecordingError):
        open_recording(tmp_path / "text.mp3")
    assert capfd.readouterr().err == ""


def test_a_wav_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16_000)
    with pytest.raises(RecordingError, match=r"none\.wav: holds no sound"):
        list(open_recording(tmp_path / "none.wav").blocks())


def test_a_rate_that_cannot_be_is_refused() -> None:
    with pytest.raises(RecordingError, match="a.caf: has a rate of 0 Hz"):
        list(_resample(iter([np.zeros(4, np.float32)]), 0, "a.caf"))


def test_samples_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), 16_000, subtype="FLOAT")
    with pytest.raises(RecordingError, match=r"nan\.wav: holds samples that are not finite"):
        list(open_recording(tmp_path / "nan.wav").blocks())


@pytest.mark.parametrize(
    "waveform",
    [np.zeros(10, np.int16), np.zeros((2, 2, 2)), np.array([np.inf])],
    ids=["whole numbers", "three dimensions", "not finite"],
)
def test_an_array_of_another_kind_is_refused(waveform: np.ndarray) -> None:
    with pytest.raises(RecordingError, match="expected finite floats"):
        from_waveform(waveform, 16_000)
