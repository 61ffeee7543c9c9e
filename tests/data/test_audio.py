"""Clips of every rate and format, and a store that is whole or not there."""

import contextlib
import json
import os
import pickle
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import kaldiio
import numpy as np
import pytest
import soundfile

from spner.core.errors import SpnerError
from spner.core.parallel import Processes
from spner.data import audio
from spner.data.audio import (
    SAMPLE_RATE_HZ,
    SILENT_STD,
    ClipError,
    StoredClip,
    clip_duration_s,
    copy_stored,
    read_clip,
    read_stored,
    store_clips,
)
from tests.killed import start_and_kill

HALF_STEP_16_BIT = 0.5 / 32768


def tone(rate_hz: int, duration_s: float, *, pitch_hz: float = 300.0, amplitude: float = 0.3) -> np.ndarray:
    """Return a sine, (num_samples,) float64."""
    return amplitude * np.sin(2 * np.pi * pitch_hz * np.arange(round(rate_hz * duration_s)) / rate_hz)


def write_clip(path: Path, waveform: np.ndarray, rate_hz: int, **kwargs: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, waveform, rate_hz, **kwargs)
    return path


def make_clips(folder: Path, num_clips: int) -> list[tuple[str, Path]]:
    """Return short clips of different pitches; every tenth is an MP3, which takes longer to make."""
    clips = []
    for number in range(num_clips):
        rate_hz, suffix = (48_000, "wav") if number % 10 else (32_000, "mp3")
        waveform = tone(rate_hz, 0.1 + number % 7 / 40, pitch_hz=200 + number)
        clips.append((f"s{number % 3}-{number:04d}", write_clip(folder / f"{number:04d}.{suffix}", waveform, rate_hz)))
    return clips


def store(folder: Path, clips: Sequence[tuple[str, Path]], *, num_workers: int = 1) -> list[StoredClip]:
    return list(store_clips(folder, clips, workers=Processes(num_workers), what="clips"))


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def load(folder: Path, stored: StoredClip) -> np.ndarray:
    return read_stored(str(folder / stored.location))


# read_clip


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
@pytest.mark.parametrize("rate_hz", [16_000, 32_000, 44_100, 48_000])
def test_every_format_and_rate_becomes_16_khz(tmp_path: Path, suffix: str, rate_hz: int) -> None:
    waveform = read_clip(write_clip(tmp_path / f"a.{suffix}", tone(rate_hz, 0.5), rate_hz))
    assert waveform.dtype == np.float32 and waveform.shape == (8000,)
    expected = tone(SAMPLE_RATE_HZ, 0.5)
    inner = slice(800, -800)  # away from the resampler's and the MP3 codec's borders
    assert np.abs(waveform[inner] - expected[inner]).max() < (0.03 if suffix == "mp3" else 1e-3)


def test_length_is_rounded_to_whole_samples(tmp_path: Path) -> None:
    waveform = read_clip(write_clip(tmp_path / "a.wav", tone(44_100, 0.5)[:22_001], 44_100))
    assert len(waveform) == round(22_001 * 16_000 / 44_100)


def test_channels_are_averaged(tmp_path: Path) -> None:
    stereo = np.stack([np.full(1600, 0.5), np.full(1600, -0.25)], axis=1)
    waveform = read_clip(write_clip(tmp_path / "a.wav", stereo, 16_000))
    assert waveform.shape == (1600,)
    assert waveform == pytest.approx(0.125, abs=1e-4)


def test_full_scale_does_not_leave_the_range(tmp_path: Path) -> None:
    """The resampler overshoots at the edges of a square wave."""
    square = np.sign(tone(48_000, 0.3, pitch_hz=1000)) * 0.99999
    path = write_clip(tmp_path / "a.wav", square, 48_000)
    assert np.abs(read_clip(path)).max() <= 1
    (stored,) = store(tmp_path / "store", [("u", path)])
    assert np.abs(load(tmp_path / "store", stored) - read_clip(path)).max() <= 2 * HALF_STEP_16_BIT


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="^missing$"):
        read_clip(tmp_path / "a.mp3")


def test_folder_is_no_clip(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="^missing$"):
        read_clip(tmp_path)


NO_AUDIO, NO_FORMAT = "broken: no audio in it", "broken: Format not recognised."


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        ("mp3", b"", NO_AUDIO),
        ("wav", b"", NO_FORMAT),
        ("mp3", b"no audio at all " * 100, NO_AUDIO),
        ("wav", b"no audio at all " * 100, NO_FORMAT),
    ],
)
def test_broken_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], suffix: str, content: bytes, message: str
) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ClipError) as error:
        read_clip(path)
    assert str(error.value) == message
    assert clip_duration_s(path) == 0
    assert capfd.readouterr() == ("", ""), "remarks of libmpg123"


def test_header_without_samples(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="^broken: no samples$"):
        read_clip(write_clip(tmp_path / "a.wav", np.zeros(0), 16_000))


def test_samples_that_are_no_numbers(tmp_path: Path) -> None:
    waveform = tone(16_000, 0.1)
    waveform[100] = np.nan
    with pytest.raises(ClipError, match="^broken: samples that are not finite$"):
        read_clip(write_clip(tmp_path / "a.wav", waveform, 16_000, subtype="FLOAT"))


def test_duration_comes_from_the_header(tmp_path: Path) -> None:
    assert clip_duration_s(write_clip(tmp_path / "a.wav", tone(48_000, 0.75), 48_000)) == 0.75
    assert clip_duration_s(tmp_path / "none.mp3") == 0


# store_clips


def test_stored_clips_are_read_back_as_espnet_reads_them(tmp_path: Path) -> None:
    folder = tmp_path / "été 1" / "store"
    clips = make_clips(tmp_path / "clips é", 70)
    stored = store(folder, clips)
    assert [one.utt_id for one in stored] == [utt_id for utt_id, _ in clips]
    assert {one.location.split(":")[0] for one in stored} == {"00000.ark", "00001.ark"}
    scp = tmp_path / "wav.scp"
    scp.write_text("".join(f"{one.utt_id} {folder / one.location}\n" for one in stored), encoding="utf-8")
    loader = kaldiio.load_scp(str(scp), max_cache_fd=0)  # what ESPnet's data type kaldi_ark does
    for one, (utt_id, path) in zip(stored, clips, strict=True):
        expected = read_clip(path)
        waveform = load(folder, one)
        rate_hz, as_espnet = loader[utt_id]
        assert rate_hz == SAMPLE_RATE_HZ and waveform.dtype == np.float32
        assert one.duration_s == len(expected) / SAMPLE_RATE_HZ and one.error == ""
        np.testing.assert_array_equal(waveform, as_espnet.astype(np.float32))
        np.testing.assert_allclose(waveform, expected, atol=2 * HALF_STEP_16_BIT)


def test_ids_of_many_bytes_do_not_shift_the_offset(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.wav", tone(16_000, 0.2), 16_000)
    for one in store(tmp_path / "store", [("sé-ëëë", path), ("s-日本", path)]):
        np.testing.assert_allclose(load(tmp_path / "store", one), read_clip(path), atol=2 * HALF_STEP_16_BIT)


@pytest.mark.parametrize(("factor", "error"), [(0.0, "silent"), (0.999, "silent"), (1.01, "")])
def test_silence_is_a_standard_deviation_up_to_the_threshold(tmp_path: Path, factor: float, error: str) -> None:
    waveform = np.tile([1.0, -1.0], 800) * SILENT_STD * factor
    path = write_clip(tmp_path / "a.wav", waveform, 16_000, subtype="FLOAT")
    (stored,) = store(tmp_path / "store", [("u", path)])
    assert (stored.error, stored.duration_s, bool(stored.location)) == (error, 0.1, not error)


def test_exactly_the_threshold_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "a.wav", tone(16_000, 0.1), 16_000, subtype="FLOAT")
    monkeypatch.setattr(audio, "SILENT_STD", read_clip(path).std(ddof=1))
    assert store(tmp_path / "store", [("u", path)])[0].error == "silent"


def test_constant_offset_is_silent(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.wav", np.full(1600, 0.5), 16_000, subtype="FLOAT")
    assert store(tmp_path / "store", [("u", path)])[0].error == "silent"


def test_single_sample_is_silent(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.wav", np.full(1, 0.5), 16_000)
    assert store(tmp_path / "store", [("u", path)])[0].error == "silent"


def test_bad_clips_are_told_and_the_others_kept(tmp_path: Path) -> None:
    good = write_clip(tmp_path / "good.wav", tone(16_000, 0.1), 16_000)
    (tmp_path / "bad.mp3").write_bytes(b"")
    clips = [("a", tmp_path / "none.mp3"), ("b", good), ("c", tmp_path / "bad.mp3"), ("d", good)]
    stored = store(tmp_path / "store", clips)
    assert [one.error.split(":")[0] for one in stored] == ["missing", "", "broken", ""]
    assert [one.duration_s for one in stored] == [0, 0.1, 0, 0.1]
    np.testing.assert_array_equal(load(tmp_path / "store", stored[1]), load(tmp_path / "store", stored[3]))


def test_no_clips(tmp_path: Path) -> None:
    assert store(tmp_path / "store", []) == []


def test_finished_shards_are_used_again(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "clips", 130)
    first = store(tmp_path / "store", clips)
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "store").iterdir()}
    assert len(times) == 6
    assert store(tmp_path / "store", clips) == first
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "store").iterdir()} == times


def _longer(path: Path) -> None:
    write_clip(path, tone(48_000, 1.0), 48_000)


def _gone(path: Path) -> None:
    path.unlink()


def _same_size(path: Path) -> None:
    size = path.stat().st_size
    waveform, rate_hz = soundfile.read(path)
    write_clip(path, waveform / 2, rate_hz)
    assert path.stat().st_size == size


@pytest.mark.parametrize("change", [_longer, _gone, _same_size])
def test_shard_of_a_changed_clip_is_rewritten(tmp_path: Path, change: Callable[[Path], None]) -> None:
    clips = make_clips(tmp_path / "clips", 130)
    store(tmp_path / "store", clips)
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "store").iterdir()}
    change(clips[71][1])
    again = store(tmp_path / "store", clips)
    rewritten = {p.name for p in (tmp_path / "store").iterdir() if p.stat().st_mtime_ns != times[p.name]}
    assert rewritten == {"00001.ark", "00001.json"}
    assert again == store(tmp_path / "fresh", clips)
    assert files_of(tmp_path / "store") == files_of(tmp_path / "fresh")


def test_shard_without_its_archive_is_rewritten(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "clips", 3)
    store(tmp_path / "store", clips)
    whole = files_of(tmp_path / "store")
    (tmp_path / "store" / "00000.ark").unlink()
    store(tmp_path / "store", clips)
    assert files_of(tmp_path / "store") == whole


def test_number_of_workers_does_not_show(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "clips", 130)
    assert store(tmp_path / "one", clips) == store(tmp_path / "two", clips, num_workers=2)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_shards_grow_with_the_corpus() -> None:
    def sizes(num_clips: int) -> list[int]:
        shards: list[int] = []

        def count(_: object, items: Sequence[audio._Shard], **__: object) -> list[StoredClip]:
            shards.extend(len(shard.clips) for shard in items)
            return []

        clips = [(str(number), Path("none.mp3")) for number in range(num_clips)]
        assert list(store_clips(Path("store"), clips, workers=SimpleNamespace(map=count), what="clips")) == []
        return shards

    assert sizes(64) == [64]
    assert sizes(65) == [64, 1]
    assert len(sizes(10_000)) == 64
    assert sizes(300_000)[:-1] == [4096] * 73


def test_interrupted_store_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = make_clips(tmp_path / "clips", 130)
    store(tmp_path / "whole", clips)
    calls = 0
    real = audio.read_clip

    def fail_later(path: Path) -> np.ndarray:
        nonlocal calls
        calls += 1
        if calls == 100:
            raise KeyboardInterrupt
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(audio, "read_clip", fail_later)
        with pytest.raises(KeyboardInterrupt):
            store(tmp_path / "store", clips)
    assert sorted(os.listdir(tmp_path / "store")) == ["00000.ark", "00000.json"]
    store(tmp_path / "store", clips)
    assert files_of(tmp_path / "store") == files_of(tmp_path / "whole")


def test_killed_store_is_finished_to_the_same_bytes(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "clips", 200)
    store(tmp_path / "whole", clips)
    (tmp_path / "clips.json").write_text(json.dumps([(utt_id, str(path)) for utt_id, path in clips]))
    code = (
        "import json, sys; from pathlib import Path; from spner.data.audio import store_clips\n"
        "from spner.core.parallel import Processes\n"
        "clips = [(u, Path(p)) for u, p in json.load(open(sys.argv[1]))]\n"
        "print('begin', flush=True)\n"
        "list(store_clips(Path(sys.argv[2]), clips, workers=Processes(), what='clips'))\n"
    )
    folder = tmp_path / "store"
    start_and_kill(code, [tmp_path / "clips.json", folder], delays_s=(0.01, 0.05, 0.1, 0.2))
    store(folder, clips)
    assert files_of(folder) == files_of(tmp_path / "whole")


@pytest.mark.parametrize("last", ["00000.ark", ".tmp-00001.ark", "00001.ark", ".tmp-00001.json"])
def test_killed_at_each_step_of_a_shard(tmp_path: Path, last: str) -> None:
    """The files as they are when the last one written was ``last``."""
    clips = make_clips(tmp_path / "clips", 70)
    store(tmp_path / "whole", clips)
    whole = files_of(tmp_path / "whole")
    order = ["00000.ark", "00000.json", ".tmp-00001.ark", "00001.ark", ".tmp-00001.json"]
    folder = tmp_path / "store"
    folder.mkdir()
    for name in order[: order.index(last) + 1]:
        content = whole[name.removeprefix(".tmp-")]
        (folder / name).write_bytes(content[: len(content) // 2] if name.startswith(".tmp-") else content)
    if "00001.ark" in os.listdir(folder):
        (folder / ".tmp-00001.ark").unlink()
    store(folder, clips)
    assert files_of(folder) == whole


# read_stored


def test_pickle_in_an_archive_is_not_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[str, ...]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    archive = tmp_path / "a.ark"
    archive.write_bytes(b"u PKL" + pickle.dumps(Trap()))
    with pytest.raises(SpnerError) as error:
        read_stored(f"{archive}:2")
    assert str(error.value) == (
        f"{archive}:2: no audio can be read there (no audio record begins at that offset); "
        "rerun stage 1, go to the folder it ran in, or mend the path"
    )
    assert not (tmp_path / "sprung").exists()


def test_libsndfile_reads_a_record_by_itself_and_leaves_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a file object of Python's a reading thread would wait for a busy one at each piece."""
    path = write_clip(tmp_path / "a.wav", tone(16_000, 0.1), 16_000)
    store(tmp_path / "store", [("u", path), ("v", path)])
    broken = tmp_path / "broken.ark"
    broken.write_bytes(b"AUDIO" + struct.pack("<bI", 4, 50) + b"x" * 50)
    sources: list[object] = []
    method = soundfile.SoundFile.__init__
    monkeypatch.setattr(
        soundfile.SoundFile,
        "__init__",
        lambda self, source, *rest: sources.append(source) or method(self, source, *rest),
    )
    open_before = len(os.listdir("/dev/fd"))
    for location in (tmp_path / "store" / "00000.ark", broken, tmp_path / "a.wav"):
        for offset in (0, 2):
            with contextlib.suppress(SpnerError):
                read_stored(f"{location}:{offset}")
    assert len(os.listdir("/dev/fd")) == open_before
    assert sources and all(isinstance(source, int) for source in sources)


@pytest.mark.parametrize("file_format", ["flac", "wav"])
def test_a_record_is_read_as_kaldiio_reads_it_and_no_further(tmp_path: Path, file_format: str) -> None:
    ark, scp, clips = tmp_path / "a.ark", tmp_path / "wav.scp", {f"u{i}": tone(16_000, 0.1 + i / 10) for i in range(3)}
    options = {"write_function": "soundfile", "write_kwargs": {"format": file_format}}
    kaldiio.save_ark(str(ark), {utt_id: (clip, 16_000) for utt_id, clip in clips.items()}, scp=str(scp), **options)
    locations = dict(line.split() for line in scp.read_text().splitlines())
    for utt_id, clip in clips.items():
        rate_hz, expected = kaldiio.load_mat(locations[utt_id])
        found = read_stored(locations[utt_id])
        assert len(found) == len(clip) and found.dtype == np.float32 and rate_hz == 16_000
        np.testing.assert_array_equal(found, expected.astype(np.float32))


def test_archive_at_another_rate_is_refused(tmp_path: Path) -> None:
    kaldiio.save_ark(str(tmp_path / "a.ark"), {"u": (tone(8000, 0.1), 8000)}, write_function="soundfile")
    with pytest.raises(SpnerError, match=r"a\.ark:2: is at 8000 Hz \(expected 16000\); rerun stage 1$"):
        read_stored(f"{tmp_path / 'a.ark'}:2")


@pytest.mark.parametrize("kept", [5, 6, 8, 12, 200])
def test_truncated_archive_is_one_line(tmp_path: Path, kept: int) -> None:
    path = write_clip(tmp_path / "a.wav", tone(16_000, 0.1), 16_000)
    store(tmp_path / "store", [("u", path)])
    archive = tmp_path / "store" / "00000.ark"
    archive.write_bytes(archive.read_bytes()[: 2 + kept])
    with pytest.raises(SpnerError, match=r"00000\.ark:2: no audio can be read there \(.+\); rerun stage 1, go to"):
        read_stored(f"{archive}:2")


@pytest.mark.parametrize("length", [struct.pack("<bI", 4, 2**31), struct.pack("<bQ", 8, 2**62), b"\xff" * 256])
def test_wrong_length_is_one_line(tmp_path: Path, length: bytes) -> None:
    (tmp_path / "a.ark").write_bytes(b"AUDIO" + length + b"x" * 50)
    with pytest.raises(SpnerError, match="no audio can be read there"):
        read_stored(f"{tmp_path / 'a.ark'}:0")


@pytest.mark.parametrize("location", ["none.ark:5", "none.wav", "", ":7"])
def test_nothing_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpnerError, match=r": no audio can be read there \(.+\); rerun stage 1, go to the"):
        read_stored(location)


def test_plain_audio_file_is_read(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a:b.wav", tone(48_000, 0.1), 48_000)
    np.testing.assert_array_equal(read_stored(str(path)), read_clip(path))


def test_a_copied_clip_holds_the_samples_of_the_store(tmp_path: Path) -> None:
    """The loudest too: libsndfile writes floats by another factor than it reads them by."""
    samples = np.array([-32768, -32767, -20001, -1, 0, 1, 16385, 20001, 32766, 32767] * 20, np.int16)
    soundfile.write(tmp_path / "a.wav", samples, SAMPLE_RATE_HZ)
    (stored,) = store_clips(tmp_path / "store", [("a", tmp_path / "a.wav")], workers=Processes(), what="test")
    location = f"{tmp_path}/store/{stored.location}"
    copy_stored(location, tmp_path / "out" / "a.flac")
    copied, rate_hz = soundfile.read(tmp_path / "out" / "a.flac", dtype="float32")
    assert rate_hz == SAMPLE_RATE_HZ and soundfile.info(tmp_path / "out" / "a.flac").format == "FLAC"
    np.testing.assert_array_equal(copied, read_stored(location))
    assert abs(copied).max() > 0.99
