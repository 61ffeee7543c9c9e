"""Batches, and what a model is given of clips that are shorter than its first frame."""

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from spner.core.datatypes import FrameGrid  # noqa: E402
from spner.core.errors import SpnerError  # noqa: E402
from spner.data.datadir import write_table  # noqa: E402
from spner.decode import recogniser as recogniser_module  # noqa: E402
from spner.decode.recogniser import Recogniser, compute_batches, compute_posteriors, list_batches, make_batches  # noqa: E402


@pytest.mark.parametrize(
    ("batch_size", "max_batch_s", "batches"),
    [
        pytest.param(10, 99.0, ["dacb"], id="the longest first, equal ones by their ids"),
        pytest.param(3, 99.0, ["dac", "b"], id="no more utterances than asked for"),
        pytest.param(10, 9.0, ["da", "cb"], id="padding counts: 3 of the longest are 12 s"),
        pytest.param(10, 8.0, ["da", "cb"], id="just as long"),
        pytest.param(10, 1.0, ["d", "a", "c", "b"], id="longer ones alone"),
    ],
)
def test_batches_are_of_like_length(batch_size: int, max_batch_s: float, batches: list[str]) -> None:
    durations_s = {"b": 1.0, "c": 3.0, "a": 3.0, "d": 4.0}
    assert list(make_batches(durations_s, batch_size=batch_size, max_batch_s=max_batch_s)) == list(map(list, batches))


@given(
    lengths=st.lists(st.floats(0.0, 30.0), max_size=30),
    batch_size=st.integers(1, 8),
    max_batch_s=st.floats(1.0, 60.0),
)
def test_every_utterance_is_in_one_batch_and_no_batch_is_too_large(
    lengths: list[float], batch_size: int, max_batch_s: float
) -> None:
    durations_s = {f"u{number}": length for number, length in enumerate(lengths)}
    batches = list(make_batches(durations_s, batch_size=batch_size, max_batch_s=max_batch_s))
    assert sorted(utt_id for batch in batches for utt_id in batch) == sorted(durations_s)
    for batch in batches:
        padded_s = len(batch) * max(durations_s[utt_id] for utt_id in batch)
        assert len(batch) == 1 or (len(batch) <= batch_size and padded_s <= max_batch_s)


@pytest.mark.parametrize(
    ("device_type", "batch_size", "duration_s", "size"),
    [
        pytest.param("cpu", None, 1.0, 32, id="a CPU's number"),
        pytest.param("cpu", None, 5.0, 10, id="50 s on a CPU"),
        pytest.param("cuda", None, 1.0, 128, id="a GPU's number"),
        pytest.param("cuda", None, 5.0, 64, id="320 s on a GPU"),
        pytest.param("cuda", 7, 1.0, 7, id="what is asked for"),
    ],
)
def test_a_gpu_takes_larger_batches(
    tmp_path: Path, device_type: str, batch_size: int | None, duration_s: float, size: int
) -> None:
    utt_ids = [f"u{number:03}" for number in range(150)]
    write_table(tmp_path / "wav.scp", dict.fromkeys(utt_ids, "clip.wav"))
    write_table(tmp_path / "utt2dur", dict.fromkeys(utt_ids, str(duration_s)))
    batches = list_batches(tmp_path, device_type, batch_size=batch_size)
    assert batches[0] == [(utt_id, "clip.wav") for utt_id in utt_ids[:size]]


def test_a_folder_with_segments_and_without_durations_is_decoded(tmp_path: Path) -> None:
    seconds = {"long": (0.5, 2.0), "short": (2.0, 2.75), "middle": (0.0, 1.0)}
    soundfile.write(tmp_path / "r.wav", np.linspace(0, 0.9, 3 * 16_000), 16_000)
    (tmp_path / "wav.scp").write_text(f"r {tmp_path}/r.wav\n")
    lines = [f"{utt_id} r {start_s} {end_s}\n" for utt_id, (start_s, end_s) in seconds.items()]
    (tmp_path / "segments").write_text("".join(lines))

    def start(waveforms: list[np.ndarray]) -> Callable[[], list[np.ndarray]]:
        return lambda: [waveform[[0, -1], None] / 0.3 for waveform in waveforms]  # the ramp's value is the time

    recogniser: Any = SimpleNamespace(device=torch.device("cpu"), pad=list, start=start)
    batches = list(compute_posteriors(recogniser, tmp_path, batch_size=2, what=""))
    assert [batch.utt_ids for batch in batches] == [["long", "middle"], ["short"]]
    for batch in batches:
        for utt_id, duration_s, heard in zip(batch.utt_ids, batch.durations_s, batch.log_probs, strict=True):
            start_s, end_s = seconds[utt_id]
            assert duration_s == end_s - start_s and heard[:, 0] == pytest.approx([start_s, end_s], abs=0.01)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Locations that have been read, in the order of their reading; "none" cannot be read."""
    read: list[str] = []

    def read_stored(location: str) -> np.ndarray:
        if location == "none":
            raise SpnerError("none: no audio can be read there")
        read.append(location)
        return np.full(16_000, int(location), np.float32)

    monkeypatch.setattr(recogniser_module, "read_stored", read_stored)
    return read


def make_recorder(events: list[str], device: str = "cpu") -> Any:
    """A recogniser that writes down when a batch is started and when its posteriors are asked for."""

    def start(waveforms: list[np.ndarray]) -> Callable[[], list[np.ndarray]]:
        name = str(int(waveforms[0][0]))
        events.append(f"start {name}")
        return lambda: events.append(f"finish {name}") or waveforms

    return SimpleNamespace(device=torch.device(device), pad=list, start=start)


def test_the_next_batch_is_started_before_one_is_fetched(read: list[str]) -> None:
    events: list[str] = []
    batches = [[(f"u{number}", str(number))] for number in range(4)]
    for number, batch in enumerate(compute_batches(make_recorder(events), batches, what="")):
        assert batch.utt_ids == [f"u{number}"] and batch.durations_s == [1.0] and batch.log_probs[0][0] == number
        events.append(f"used {number}")
    assert events == [
        "start 0",
        *("start 1", "finish 0", "used 0"),
        *("start 2", "finish 1", "used 1"),
        *("start 3", "finish 2", "used 2"),
        *("finish 3", "used 3"),
    ]


@pytest.mark.parametrize(("device", "num_readers"), [("cpu", 1), ("cuda", recogniser_module.READERS)])
def test_few_batches_are_read_ahead(read: list[str], device: str, num_readers: int) -> None:
    batches = [[(f"u{number}", str(number))] for number in range(50)]
    found = compute_batches(make_recorder([], device), batches, what="")
    next(found)
    time.sleep(0.2)  # threads may go on
    assert len(read) <= 2 + num_readers  # two are started
    assert len(list(found)) == 49 and sorted(map(int, read)) == list(range(50))
    assert list(compute_batches(make_recorder([], device), [], what="")) == []


def test_a_clip_that_cannot_be_read_ends_it(read: list[str]) -> None:
    batches = [[("a", "0")], [("b", "1"), ("c", "none")], [("d", "2")]]
    with pytest.raises(SpnerError, match="none: no audio"):
        list(compute_batches(make_recorder([]), batches, what=""))


def test_a_gpu_gets_the_same_padding_in_memory_that_it_copies_from(monkeypatch: pytest.MonkeyPatch) -> None:
    empty, asked = torch.empty, []

    def pinned(shape: tuple[int, int], *, dtype: torch.dtype, pin_memory: bool) -> Any:
        asked.append(pin_memory)
        return empty(shape, dtype=dtype).fill_(torch.nan)  # what was in that memory before

    monkeypatch.setattr(torch, "empty", pinned)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    waveforms = [np.full(num_samples, 0.5, np.float32) for num_samples in (6400, 3201, 100, 0)]
    here, there = (
        Recogniser(None, (), FrameGrid(0.1, 0.0), torch.device(name), use_amp=False).pad(waveforms)  # type: ignore[arg-type]
        for name in ("cpu", "cuda")
    )
    assert all(torch.equal(one, other) for one, other in zip(here, there, strict=True)) and asked == [True]


def test_clips_are_padded_with_silence_and_the_model_is_told_their_lengths() -> None:
    """Clips below a fifth of a second are lengthened to it: no encoder takes fewer frames."""
    seen: list[Any] = []

    def encode(speech: Any, lengths: Any) -> tuple[Any, Any]:
        seen.extend([speech, lengths])
        return torch.zeros(len(speech), 4, 3), lengths // 1600

    model: Any = SimpleNamespace(encode=encode, ctc=SimpleNamespace(log_softmax=lambda x: x.log_softmax(dim=-1)))
    grid, cpu = FrameGrid(hop_s=0.1, first_s=0.0), torch.device("cpu")
    recogniser = Recogniser(model, ("<blank>", "a", "b"), grid, cpu, use_amp=False)
    ones = [np.ones(num_samples, np.float32) for num_samples in (6400, 3201, 100, 0)]
    log_probs = recogniser.log_probs(ones)
    speech, lengths = seen
    assert lengths.tolist() == [6400, 3201, 3200, 3200] and list(map(len, log_probs)) == [4, 2, 2, 2]
    assert speech.shape == (4, 6400) and speech.sum(dim=1).tolist() == [6400, 3201, 100, 0]
    assert speech[1, :3201].all() and not speech[1, 3201:].any()
    assert all(np.allclose(np.exp(one).sum(axis=-1), 1) for one in log_probs)
