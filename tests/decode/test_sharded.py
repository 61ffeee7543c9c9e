"""A set decoded in shards, with a recogniser made by hand: the bytes of the whole, resumed, in memory that stays."""

import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch")

from spner.core import paths  # noqa: E402
from spner.core.datatypes import FrameGrid  # noqa: E402
from spner.data.datadir import read_table, write_table  # noqa: E402
from spner.decode import sharded  # noqa: E402
from spner.decode.sharded import SetToDecode, decode_set  # noqa: E402
from tests.decode.models import TOKENS, hear, to_tokens  # noqa: E402

TEXTS = ("wij reist naar <LOC> den haag </NE>", "anna eet")


class Recogniser(SimpleNamespace):
    """It hears one of two texts, by the length of a clip; ``num_heard`` counts clips."""

    def __init__(self) -> None:
        heard = [hear(*to_tokens(text)) for text in TEXTS]
        super().__init__(device=torch.device("cpu"), token_list=TOKENS, grid=FrameGrid(0.1, 0.05), num_heard=0)
        self.heard = heard

    def pad(self, waveforms: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        return waveforms

    def start(self, waveforms: Sequence[np.ndarray]) -> Callable[[], list[np.ndarray]]:
        self.num_heard += len(waveforms)
        return lambda: [self.heard[len(waveform) % 2] for waveform in waveforms]


@pytest.fixture
def recogniser(monkeypatch: pytest.MonkeyPatch) -> Recogniser:
    made = Recogniser()
    monkeypatch.setattr(sharded, "_load", lambda *_arguments: made)
    monkeypatch.setattr(sharded, "MOST_PER_SHARD", 20)
    return made


def write_set(folder: Path, num_utts: int) -> SetToDecode:
    """Write a set whose longest utterances are neither its first nor its last."""
    folder.mkdir()
    for num_samples in (4000, 4001):
        soundfile.write(folder / f"{num_samples}.wav", np.zeros(num_samples), 16_000)
    utt_ids = [f"u{number:05d}" for number in range(num_utts)]
    located = {utt_id: str(folder / f"{4000 + number % 2}.wav") for number, utt_id in enumerate(utt_ids)}
    write_table(folder / paths.WAV_SCP, located)
    write_table(folder / paths.UTT2DUR, {utt_id: f"{1 + n * 7 % 11:.7f}" for n, utt_id in enumerate(utt_ids)})
    identity = {"model": "m", "search": None, "audio": str(num_utts)}
    return SetToDecode(folder, folder / "out", folder, identity, {"search": "greedy"}, None, "cpu", 8)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_shards_give_the_bytes_of_the_whole(
    tmp_path: Path, recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut, whole = write_set(tmp_path / "cut", 50), write_set(tmp_path / "whole", 50)
    decode_set(cut, None)
    monkeypatch.setattr(sharded, "MOST_PER_SHARD", 2048)
    decode_set(whole, None)
    assert contents(cut.out) == contents(whole.out)
    assert list(contents(cut.out)) == sorted([paths.DECODE_RECORD, paths.RAW_CONFIDENCES, paths.TEXT, paths.ENTITIES])
    found = read_table(cut.out / paths.TEXT)
    assert list(found) == sorted(found) and [found["u00000"], found["u00001"]] == list(TEXTS)


def test_a_stopped_run_continues_with_its_next_shard(
    tmp_path: Path, recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = write_set(tmp_path / "set", 50)
    decode = sharded.decode

    def stop(*arguments: Any, what: str, **options: Any) -> Any:
        if what == "set from 40":
            raise KeyboardInterrupt
        return decode(*arguments, what=what, **options)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(sharded, "decode", stop)
        decode_set(one, None)
    assert not (one.out / paths.TEXT).exists()
    before = recogniser.num_heard
    decode_set(one, None)
    assert before >= 40 and recogniser.num_heard == 50
    assert len(read_table(one.out / paths.TEXT)) == 50


def test_memory_does_not_hold_a_sets_hypotheses(tmp_path: Path, recogniser: Recogniser) -> None:
    peaks = []
    for num_utts in (100, 1100):
        one = write_set(tmp_path / str(num_utts), num_utts)
        tracemalloc.start()
        decode_set(one, None)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 1000 * 600, peaks  # bytes: where an utterance's audio lies, but nothing of its words
