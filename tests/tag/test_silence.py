"""Sounds and pauses by level: relative to the noise around them, whatever the blocks, and no sound is lost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spner.tag.silence import MARGIN_S, PAUSE_S, SoundDetector
from spner.tag.sounds import UNIT, find_sounds
from tests.tag.models import HOP, RATE_HZ, Listener, make_tagger, pause, speak


def noise(seconds: float, level_db: float, seed: int = 0) -> np.ndarray:
    """Return steady noise of a level in dBFS."""
    samples = np.random.default_rng(seed).normal(size=round(seconds * RATE_HZ))
    return (10 ** (level_db / 20) * samples).astype(np.float32)


def sounds_in(*parts: np.ndarray, block: int = 10 * RATE_HZ) -> list[tuple[float, float]]:
    """Return when the sounds of a recording begin and end, seconds; every piece is what the recording has there."""
    recording = np.concatenate(parts)
    found: list[list[int]] = []  # samples
    goes_on = False
    blocks = (recording[i : i + block] for i in range(0, len(recording), block))
    for piece in find_sounds(blocks, SoundDetector()):
        start = round(piece.start_s * RATE_HZ)
        assert np.array_equal(piece.samples, recording[start : start + len(piece.samples)])
        if goes_on:
            assert found[-1][1] == start
        else:
            found.append([start, start])
        found[-1][1] = start + len(piece.samples)
        goes_on = not piece.ends
    assert not goes_on
    return [(start / RATE_HZ, end / RATE_HZ) for start, end in found]


@pytest.mark.parametrize("noise_db", [-100, -60, -50])
@pytest.mark.parametrize("loud_db", [-12, -25])
def test_sentences_are_cut_at_pauses_whatever_the_noise(noise_db: float, loud_db: float) -> None:
    speech = [noise(2.0, loud_db, seed) for seed in range(4)]
    gaps = [noise(seconds, noise_db) for seconds in (0.4, 1.0, 5.0)]
    parts = [part for pair in zip(speech, [*gaps, gaps[0]], strict=True) for part in pair]
    found = sounds_in(noise(1.0, noise_db), *parts)
    assert [round(start) for start, _ in found] == [1, 3, 6, 13]
    starts = np.array([1.0, 3.4, 6.4, 13.4])
    assert (np.array([start for start, _ in found]) <= starts).all()
    assert (starts - [start for start, _ in found] <= MARGIN_S + 2 * UNIT / RATE_HZ).all()
    assert (np.array([end for _, end in found]) >= starts + 2.0).all()


def test_a_gap_in_a_word_is_no_pause() -> None:
    assert len(sounds_in(pause(0.5), noise(1.0, -20), pause(PAUSE_S - 0.06), noise(1.0, -20))) == 1


def test_a_soft_speaker_is_heard_beside_a_loud_one() -> None:
    found = sounds_in(noise(4.0, -10), noise(1.0, -58), noise(4.0, -38), noise(1.0, -58), noise(4.0, -10))
    assert [round(end - start) for start, end in found] == [4, 5, 4]


@pytest.mark.parametrize("level_db", [-100, -50, -20])
def test_there_is_no_sound_in_silence_or_steady_noise(level_db: float) -> None:
    assert sounds_in(noise(30.0, level_db)) == []


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.02, 4.0), st.sampled_from([-90, -55, -40, -20, -10])), min_size=1, max_size=9),
    st.integers(1000, 200_000),
)
def test_the_blocks_in_which_a_recording_comes_decide_nothing(parts: list[tuple[float, float]], block: int) -> None:
    recording = [noise(*part) for part in parts]
    assert sounds_in(*recording, block=block) == sounds_in(*recording)


@pytest.mark.parametrize("seconds", [0.01, 0.05, 1.0])
def test_silence_alone_is_not_heard(seconds: float) -> None:
    listener = Listener()
    make_tagger(listener).tag(pause(seconds), RATE_HZ)
    assert sum(map(len, listener.batches)) == (seconds * RATE_HZ < UNIT)  # what is too short to judge is heard


def test_every_sound_is_heard_by_itself_and_words_keep_their_times() -> None:
    listener = Listener()
    recording = np.concatenate([pause(30.0), speak("ada "), pause(40.0), speak("bob")])
    tagged = make_tagger(listener).tag(recording, RATE_HZ)
    assert [word.text for word in tagged.words] == ["ada", "bob"]
    starts = [30.0, 70.0 + len(speak("ada ")) / RATE_HZ]
    assert [word.start_s for word in tagged.words] == pytest.approx(starts, abs=HOP / RATE_HZ)
    lengths = [length for batch in listener.batches for length in batch]
    spoken = [len(speak("ada ")) + 2 * MARGIN_S * RATE_HZ, len(speak("bob")) + MARGIN_S * RATE_HZ]
    assert lengths == pytest.approx(spoken, abs=3 * UNIT)
