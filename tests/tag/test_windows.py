"""Windows: every frame is kept once, whatever the lengths; stretches are cut at pauses and lose no frame of a token."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spner.tag.sounds import Piece, blank_runs
from spner.tag.windows import Cutter, cut_windows, find_word_starts

HOP, RATE_HZ = 10, 100  # ten frames a second


def frames_of(waveform: np.ndarray) -> np.ndarray:
    """Return a model's frames: each the number at its place, so that their order shows."""
    return waveform[: len(waveform) // HOP * HOP : HOP, None]


def pieces_of(*blocks: np.ndarray) -> list[Piece]:
    """Return the pieces of a sound."""
    return [Piece(0.0, block, place == len(blocks)) for place, block in enumerate(blocks, start=1)]


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=6),
    st.sampled_from([(3.0, 1.0), (2.0, 0.5), (4.0, 0.1), (1.0, 1.0)]),
)
def test_every_frame_is_kept_once_and_in_order(lengths: list[int], sizes: tuple[float, float]) -> None:
    recording = np.arange(sum(lengths))
    blocks = np.split(recording, np.cumsum(lengths)[:-1])
    windows = list(cut_windows(pieces_of(*blocks), HOP, window_s=sizes[0], context_s=sizes[1], rate_hz=RATE_HZ))
    kept = np.concatenate([window.cut(frames_of(window.waveform)) for window in windows])
    assert kept[:, 0].tolist() == frames_of(recording)[:, 0].tolist()
    assert [window.is_last for window in windows] == [False] * (len(windows) - 1) + [True]


def test_what_is_kept_has_its_context_on_both_sides() -> None:
    windows = list(cut_windows(pieces_of(np.arange(2000)), HOP, window_s=6.0, context_s=2.0, rate_hz=RATE_HZ))
    assert len(windows) > 3
    for before, after in zip(windows, windows[1:], strict=False):
        last_kept = before.waveform[(before.skip + before.keep) * HOP - 1]
        assert before.waveform[-1] - last_kept == 200
        assert after.waveform[after.skip * HOP] == last_kept + 1
        assert after.skip == 20


def test_every_sound_has_windows_of_its_own() -> None:
    sounds = [Piece(3.0, np.arange(300), False), Piece(6.0, np.arange(300), True), Piece(9.0, np.arange(50), True)]
    windows = list(cut_windows(sounds, HOP, window_s=4.0, context_s=1.0, rate_hz=RATE_HZ))
    assert [(one.sound_s, len(one.waveform), one.skip, one.is_last) for one in windows] == [
        (3.0, 400, 0, False),
        (3.0, 400, 10, True),
        (9.0, 50, 0, True),
    ]


def test_a_model_that_gives_too_few_frames_is_refused() -> None:
    window, *_ = cut_windows(pieces_of(np.arange(2000)), HOP, window_s=6.0, context_s=2.0, rate_hz=RATE_HZ)
    with pytest.raises(ValueError, match="39 frames of a window that keeps 40"):
        window.cut(np.zeros((39, 1)))


def test_runs_of_blank_frames_are_found() -> None:
    assert blank_runs(np.array([True, False, False, True, True])) == [(0, 1), (3, 5)]
    assert blank_runs(np.zeros(0, bool)) == []


def posteriors(best: list[int]) -> np.ndarray:
    return np.log(np.where(np.eye(3)[best].astype(bool), 0.8, 0.1)).astype(np.float32).reshape(-1, 3)


def cut(*parts: list[int], hop_s: float = 0.1) -> list[tuple[int, list[int]]]:
    """Return each stretch's first frame and its best tokens; frames come in parts."""
    cutter = Cutter(hop_s, lambda _best: np.zeros(0, int))
    stretches = [one for part in parts for one in cutter.push(posteriors(part))] + list(cutter.finish())
    return [(one.first_frame, one.log_probs.argmax(axis=1).tolist()) for one in stretches]


def test_stretches_are_cut_in_the_middle_of_pauses_and_what_is_only_blank_is_dropped() -> None:
    speech = [1, 0, 2]
    found = cut([0] * 30 + speech + [0] * 20 + speech + [0] * 9)
    assert [(first, [token for token in tokens if token]) for first, tokens in found] == [
        (pytest.approx(29, abs=1), [1, 2]),
        (pytest.approx(52, abs=1), [1, 2]),
    ]
    assert cut([0] * 500) == []


def test_a_short_gap_does_not_cut() -> None:
    assert cut([1, 0, 0, 1]) == [(0, [1, 0, 0, 1])]


@given(st.lists(st.sampled_from([0, 0, 0, 0, 1, 2]), max_size=900), st.lists(st.integers(1, 300), max_size=4))
def test_no_token_is_lost_or_doubled_or_moved_by_a_cut(best: list[int], lengths: list[int]) -> None:
    ends = [end for end in np.cumsum([0, *lengths]).tolist() if end < len(best)] + [len(best)]
    parts = [best[start:end] for start, end in zip(ends, ends[1:], strict=False)]
    found = [(first + i, token) for first, tokens in cut(*parts) for i, token in enumerate(tokens) if token]
    assert found == [(i, token) for i, token in enumerate(best) if token]


@pytest.mark.parametrize("best", [[1, 2] * 1000, [1] * 2000, [1, 0, 2] * 500])
def test_speech_without_a_pause_is_cut_all_the_same(best: list[int]) -> None:
    found = cut(best[:1000], best[1000:])
    assert len(found) > 3
    assert max(len(tokens) for _, tokens in found) <= 300


def test_words_begin_at_spaces_outside_of_entities() -> None:
    token_list = ("<blank>", "<unk>", "<PER>", "</NE>", "<space>", "a", "▁b")
    best = [5, 4, 4, 0, 5, 4, 2, 5, 4, 5, 3, 4, 6, 0, 6]
    assert find_word_starts(np.array(best), token_list).tolist() == [1, 5, 11, 12, 14]
