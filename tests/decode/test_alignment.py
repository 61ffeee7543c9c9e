"""CTC alignment: hand-made posteriors whose best path is known, and the laws of times and confidences."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spner.core.datatypes import FrameGrid, Timing
from spner.data.tokens import find_labels, tokens_to_words
from spner.decode.alignment import REACH_S, Alignment, align_tokens, time_hypothesis
from spner.decode.beam_search import merge_repeats
from spner.text.tags import text_to_spans

TOKENS = ("<blank>", "<unk>", "<PER>", "<ORG>", "<LOC>", "</NE>", "<space>", "a", "b", "c", "<sos/eos>")
ID = {token: row for row, token in enumerate(TOKENS)}
GRID = FrameGrid(hop_s=0.1, first_s=0.05)


def posteriors(*frames: dict[str, float]) -> np.ndarray:
    """Return log posteriors (T, V); what a frame leaves over is shared by the tokens it does not name."""
    rows = []
    for frame in frames:
        rest = (1 - sum(frame.values())) / (len(TOKENS) - len(frame))
        rows.append([frame.get(token, rest) for token in TOKENS])
    return np.log(np.array(rows, np.float32))


def path(*tokens: str, peak: float = 0.89) -> np.ndarray:
    """Return log posteriors whose best path is this; ``_`` is the blank."""
    return posteriors(*({token.replace("_", "<blank>"): peak} for token in tokens))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return (logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))).astype(np.float32)


def ids(*tokens: str) -> list[int]:
    return [ID[token] for token in tokens]


def frames(alignment: Alignment) -> list[tuple[int, int]]:
    return list(zip(alignment.first.tolist(), alignment.last.tolist(), strict=True))


def time_tokens(
    log_probs: np.ndarray, token_ids: list[int], tokens: tuple[str, ...], *, grid: FrameGrid, duration_s: float
) -> Timing | None:
    """Return the timing of a hypothesis with the entities that its symbols mark."""
    words = tokens_to_words(tokens[i] for i in token_ids)
    entities = text_to_spans(words, labels=find_labels(tokens)).transcript.entities
    return time_hypothesis(log_probs, token_ids, tokens, entities, grid=grid, duration_s=duration_s)


CASES = {
    "blanks around": (("_", "a", "_", "b", "_"), ("a", "b"), [(1, 1), (3, 3)]),
    "a token over several frames": (("a", "a", "b", "b", "b"), ("a", "b"), [(0, 1), (2, 4)]),
    "a repeated token": (("a", "a", "_", "a"), ("a", "a"), [(0, 1), (3, 3)]),
    "a single frame": (("a",), ("a",), [(0, 0)]),
    "as many tokens as frames": (("a", "b", "c"), ("a", "b", "c"), [(0, 0), (1, 1), (2, 2)]),
    "no token": (("a", "b"), (), []),
}


@pytest.mark.parametrize("case", CASES)
def test_tokens_get_the_frames_of_the_best_path(case: str) -> None:
    best, tokens, expected = CASES[case]
    alignment = align_tokens(path(*best), ids(*tokens))
    assert frames(alignment) == expected
    assert alignment.log_probs == pytest.approx([math.log(0.89)] * len(tokens))


def test_a_hypothesis_that_is_not_the_best_path_is_aligned_where_it_fits_best() -> None:
    log_probs = posteriors({"a": 0.9}, {"b": 0.8, "c": 0.15}, {"<blank>": 0.9}, {"c": 0.5, "b": 0.4})
    alignment = align_tokens(log_probs, ids("a", "c", "b"))
    assert frames(alignment) == [(0, 0), (1, 1), (3, 3)]
    assert alignment.log_probs == pytest.approx([math.log(p) for p in (0.9, 0.15, 0.4)])


def test_the_posterior_of_a_token_is_that_of_its_best_frame() -> None:
    alignment = align_tokens(posteriors({"a": 0.5}, {"a": 0.9}, {"a": 0.6}), ids("a"))
    assert alignment.log_probs == pytest.approx([math.log(0.9)])


@pytest.mark.parametrize(
    ("num_frames", "tokens"), [(1, ("a", "b")), (2, ("a", "a")), (3, ("a", "a", "b")), (0, ("a",))]
)
def test_more_tokens_than_the_frames_allow_have_no_alignment(num_frames: int, tokens: tuple[str, ...]) -> None:
    log_probs = np.zeros((num_frames, len(TOKENS)), np.float32)
    assert align_tokens(log_probs, ids(*tokens)) is None
    assert time_tokens(log_probs, ids(*tokens), TOKENS, grid=GRID, duration_s=1.0) is None


def test_one_frame_more_is_enough_for_a_repeated_token() -> None:
    assert frames(align_tokens(np.zeros((3, len(TOKENS)), np.float32), ids("a", "a"))) == [(0, 0), (2, 2)]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(0, 2**32 - 1))
def test_the_alignment_of_a_greedy_hypothesis_is_the_best_path(best: list[int], seed: int) -> None:
    noise = np.random.default_rng(seed).random((len(best), len(TOKENS)))
    log_probs = log_softmax(noise + 2 * np.eye(len(TOKENS))[best])
    token_ids = merge_repeats(best)
    found = [ID["<blank>"]] * len(best)
    for token_id, (first, last) in zip(token_ids, frames(align_tokens(log_probs, token_ids)), strict=True):
        found[first : last + 1] = [token_id] * (last + 1 - first)
    assert found == best


def align_plainly(log_probs: np.ndarray, token_ids: list[int]) -> list[int]:
    """Return each frame's state, blank, the first token, blank, …, of the most probable path; of ties the slower."""
    states = [0, *(one for token in token_ids for one in (token, 0))]
    scores = {state: log_probs[0, states[state]] for state in (0, 1)}
    befores = []
    for frame in log_probs[1:]:
        best = {}
        for state, token in enumerate(states):
            may_skip = state % 2 == 1 and state > 1 and token != states[state - 2]
            sources = [one for one in (state, state - 1, *([state - 2] if may_skip else [])) if one in scores]
            if sources:
                best[state] = max(sources, key=scores.__getitem__)  # the first of equal ones
        befores.append(best)
        scores = {state: scores[before] + frame[states[state]] for state, before in best.items()}
    path = [max((len(states) - 2, len(states) - 1), key=lambda state: scores.get(state, -np.inf))]
    for best in reversed(befores):
        path.append(best[path[-1]])
    return path[::-1]


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=12),
    st.sampled_from([1.0, 1e-5, 2e-6]),
    st.sampled_from([0.0, 5.0, 30.0]),
    st.lists(st.integers(1, 2), min_size=1, max_size=5),
    st.booleans(),
)
def test_of_paths_whose_sums_are_equal_the_greedy_one_is_taken_or_the_slower(
    worse: list[list[int]], step: float, least: float, other: list[int], greedy: bool
) -> None:
    log_probs = -(least + step * np.array(worse)).astype(np.float32)
    best = log_probs.argmax(axis=1).tolist()
    token_ids = merge_repeats(best) if greedy else other
    alignment = align_tokens(log_probs, token_ids)
    if alignment is None or not token_ids:
        return
    if token_ids == merge_repeats(best):
        found = [0] * len(best)
        for token_id, (first, last) in zip(token_ids, frames(alignment), strict=True):
            found[first : last + 1] = [token_id] * (last + 1 - first)
        assert found == best
        return
    path = align_plainly(log_probs, token_ids)
    spoken = [[frame for frame, state in enumerate(path) if state == 2 * i + 1] for i in range(len(token_ids))]
    assert frames(alignment) == [(one[0], one[-1]) for one in spoken]


@pytest.mark.espnet
@pytest.mark.parametrize("seed", range(20))
def test_the_alignment_is_torchaudios(seed: int) -> None:
    torch = pytest.importorskip("torch")
    from torchaudio.functional import forced_align

    rng = np.random.default_rng(seed)
    token_ids = rng.integers(1, 4, size=rng.integers(1, 30)).tolist()  # few tokens: many repeats
    log_probs = log_softmax(3 * rng.normal(size=(2 * len(token_ids) + 20, len(TOKENS))))
    (path,), _ = forced_align(torch.from_numpy(log_probs)[None], torch.tensor([token_ids], dtype=torch.int32))
    found = np.zeros(len(log_probs), int)
    for token_id, (first, last) in zip(token_ids, frames(align_tokens(log_probs, token_ids)), strict=True):
        found[first : last + 1] = token_id
    assert found.tolist() == path.tolist()


def test_words_meet_halfway_and_reach_no_further_than_they_may() -> None:
    # Middles of the frames: 0.05, 0.15, …; a in 1, b in 2 to 3, c in 8.
    log_probs = path("_", "a", "b", "b", "_", "<space>", "_", "_", "c", "_")
    timing = time_tokens(log_probs, ids("a", "b", "<space>", "c"), TOKENS, grid=GRID, duration_s=1.0)
    assert timing.word_times == (
        pytest.approx((0.15 - REACH_S, 0.35 + REACH_S)),
        pytest.approx((0.85 - REACH_S, 0.85 + REACH_S)),
    )
    close = FrameGrid(hop_s=0.02, first_s=0.05)
    timing = time_tokens(log_probs, ids("a", "b", "<space>", "c"), TOKENS, grid=close, duration_s=1.0)
    (_, end_s), (start_s, _) = timing.word_times
    assert end_s == start_s == pytest.approx((0.05 + 3 * 0.02 + 0.05 + 8 * 0.02) / 2)


def test_no_time_lies_outside_the_clip() -> None:
    timing = time_tokens(
        path("a", "_", "<space>", "b"), ids("a", "<space>", "b"), TOKENS, grid=FrameGrid(0.1, 0.01), duration_s=0.25
    )
    assert timing.word_times[0][0] == 0.0
    assert timing.word_times[1][1] == 0.25


def test_a_confidence_is_the_mean_posterior_of_the_tokens_and_what_divides_them() -> None:
    frames_of = [("<PER>", 0.5), ("a", 0.8), ("<space>", 0.9), ("b", 0.6), ("</NE>", 0.7), ("<space>", 0.9), ("c", 0.8)]
    log_probs = posteriors(*({token: peak} for token, peak in frames_of))
    timing = time_tokens(log_probs, ids(*(token for token, _ in frames_of)), TOKENS, grid=GRID, duration_s=1.0)

    def mean(*peaks: float) -> float:
        return pytest.approx(math.prod(peaks) ** (1 / len(peaks)), rel=1e-5)

    assert timing.word_confidences == (mean(0.5, 0.8, 0.9), mean(0.9, 0.6, 0.7, 0.9), mean(0.7, 0.9, 0.8))
    assert timing.entity_confidences == (mean(0.5, 0.8, 0.9, 0.6, 0.7, 0.9),)


@pytest.mark.parametrize(
    ("tokens", "num_words", "num_entities"),
    [
        pytest.param((), 0, 0, id="nothing"),
        pytest.param(("<PER>", "</NE>"), 0, 0, id="symbols alone"),
        pytest.param(("<PER>", "a"), 1, 0, id="never closed"),
        pytest.param(("<PER>", "a", "<LOC>", "b", "</NE>"), 2, 1, id="open inside"),
        pytest.param(("a", "</NE>"), 1, 0, id="stray close"),
        pytest.param(("<PER>", "a", "</NE>", "<PER>", "b", "</NE>"), 2, 2, id="adjacent"),
        pytest.param(("<space>", "<unk>", "<space>"), 1, 0, id="unknown"),
    ],
)
def test_whatever_was_decoded_has_one_time_a_word_and_one_confidence_an_entity(
    tokens: tuple[str, ...], num_words: int, num_entities: int
) -> None:
    timing = time_tokens(path(*tokens, "_"), ids(*tokens), TOKENS, grid=GRID, duration_s=2.0)
    assert (len(timing.word_times), len(timing.word_confidences)) == (num_words, num_words)
    assert len(timing.entity_confidences) == num_entities


@given(st.lists(st.integers(1, 9), max_size=12), st.integers(0, 12), st.floats(0.01, 3), st.integers(0, 2**32 - 1))
def test_times_are_in_order_and_inside_the_clip(
    token_ids: list[int], num_more: int, duration_s: float, seed: int
) -> None:
    num_frames = 2 * len(token_ids) + num_more
    log_probs = log_softmax(np.random.default_rng(seed).normal(size=(num_frames, len(TOKENS))))
    timing = time_tokens(log_probs, token_ids, TOKENS, grid=GRID, duration_s=duration_s)
    marks_s = [mark_s for pair in timing.word_times for mark_s in pair]
    assert marks_s == sorted(marks_s)
    assert all(0 <= mark_s <= duration_s for mark_s in marks_s)
    assert all(0 <= confidence <= 1 for confidence in (*timing.word_confidences, *timing.entity_confidences))


def test_pieces_of_sentencepiece_begin_their_words() -> None:
    pieces = ("<blank>", "▁a", "b", "▁c")
    log_probs = log_softmax(np.eye(4)[[1, 0, 2, 0, 0, 0, 3]])
    timing = time_tokens(log_probs, [1, 2, 3], pieces, grid=GRID, duration_s=1.0)
    assert timing.word_times == (
        pytest.approx((0.05 - min(0.05, REACH_S), 0.25 + REACH_S)),
        pytest.approx((0.65 - REACH_S, 0.65 + REACH_S)),
    )
