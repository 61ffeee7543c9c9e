"""CTC alignment of a hypothesis: times of its words, and raw confidences of its words and entities.

The most probable path through the frames that spells the hypothesis gives each token its frames; for a hypothesis
of greedy search that is the best path itself. A token takes few frames, but its word lasts longer: neighbouring
words meet halfway between their last and first token, and no word reaches further than ``REACH_S`` beyond its tokens.

A confidence is the geometric mean of the posteriors of a word's tokens and of its borders: spaces, and entity symbols,
which also belong to the entity. It rises with the chance of being right but is not that chance;
:mod:`spner.scoring.calibration` maps it to one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import eq

import numpy as np

from spner.core.datatypes import Entity, FrameGrid, Timing, WordTimes
from spner.data.tokens import find_symbols, locate_words

REACH_S = 0.06
"""Least mean boundary error on the mini corpus's dev set; from 0.05 to 0.07 the error is 2 ms larger at most."""


@dataclass(frozen=True)
class Alignment:
    """The first and the last frame of each token, and its log posterior where it is highest; three arrays (L,)."""

    first: np.ndarray
    last: np.ndarray
    log_probs: np.ndarray


def align_tokens(log_probs: np.ndarray, token_ids: Sequence[int], *, blank_id: int = 0) -> Alignment | None:
    """Return the most probable alignment of the tokens, None if they need more frames than there are.

    Of equal ones it is that of each frame's best token, else the slower.

    Args:
        log_probs: (T, V) float32, natural log.
        token_ids: L tokens, none of them blank.
        blank_id: row of ``<blank>`` in the token list.
    """
    num_repeats = sum(map(eq, token_ids, token_ids[1:]))  # each needs a blank between
    if len(token_ids) + num_repeats > len(log_probs):
        return None
    if not token_ids:
        return Alignment(np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    if greedy := _align_greedily(log_probs, token_ids, blank_id):
        return greedy
    states = np.full(2 * len(token_ids) + 1, blank_id)
    states[1::2] = token_ids
    emissions = log_probs[:, states]  # (T, S)
    path = _best_path(emissions, states)
    starts, ends = _find_runs(path)
    highest = np.maximum.reduceat(emissions[np.arange(len(path)), path], starts)
    spoken = path[starts] % 2 == 1
    return Alignment(starts[spoken], ends[spoken] - 1, highest[spoken])


def _align_greedily(log_probs: np.ndarray, token_ids: Sequence[int], blank_id: int) -> Alignment | None:
    """Return the alignment of each frame's best token, than which none is more probable; None if it spells others."""
    path = log_probs.argmax(axis=1)
    starts, ends = _find_runs(path)
    spoken = path[starts] != blank_id
    if path[starts][spoken].tolist() != list(token_ids):
        return None
    highest = np.maximum.reduceat(log_probs[np.arange(len(path)), path], starts)
    return Alignment(starts[spoken], ends[spoken] - 1, highest[spoken])


def _find_runs(path: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each run of equal values of a path (T,) starts, and where it ends, the end left out."""
    changes = np.flatnonzero(path[1:] != path[:-1]) + 1
    return np.concatenate(([0], changes)), np.concatenate((changes, [len(path)]))


def _best_path(emissions: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Return the state of each frame, (T,), of the most probable way through them; where two are alike, the slower.

    Args:
        emissions: (T, S) float32, log posteriors of the states' tokens.
        states: (S,) tokens: blank, the first token, blank, …, blank.
    """
    num_frames, num_states = emissions.shape
    skip_cost = np.full(num_states, -np.inf, np.float32)  # only a blank between two tokens that differ may be skipped
    skip_cost[3::2] = np.where(states[3::2] == states[1:-2:2], -np.inf, 0)
    scores = np.full((num_frames, num_states + 2), -np.inf, np.float32)  # two states in front that nothing reaches
    scores[0, 2:4] = emissions[0, :2]
    best, skip = np.empty((2, num_states), np.float32)
    for before, after, emission in zip(scores[:-1], scores[1:], emissions[1:], strict=True):
        np.maximum(before[2:], before[1:-1], out=best)
        np.add(before[:-2], skip_cost, out=skip)
        np.maximum(best, skip, out=best)
        np.add(best, emission, out=after[2:])
    state = num_states - (1 if scores[-1, -1] > scores[-1, -2] else 2)
    path, skip_costs = [state], skip_cost.tolist()
    for before in scores[-2::-1]:
        skipped, stepped, stayed = before[state : state + 3].tolist()
        state -= 2 if skipped + skip_costs[state] > max(stepped, stayed) else stepped > stayed
        path.append(state)
    return np.array(path[::-1])


def time_hypothesis(
    log_probs: np.ndarray,
    token_ids: Sequence[int],
    token_list: Sequence[str],
    entities: Sequence[Entity],
    *,
    grid: FrameGrid,
    duration_s: float,
) -> Timing | None:
    """Return times and raw confidences of a hypothesis, None if it needs more frames than there are.

    Args:
        log_probs: (T, V) float32, natural log.
        token_ids: the hypothesis.
        token_list: the V tokens.
        entities: in the hypothesis.
        grid: of the model that wrote ``log_probs``.
        duration_s: of the clip; no time lies outside it.
    """
    alignment = align_tokens(log_probs, token_ids)
    if alignment is None:
        return None
    tokens = [token_list[i] for i in token_ids]
    symbols = find_symbols(token_list)
    places = [place for place in locate_words(tokens) if tokens[place[0]] not in symbols]  # a symbol is one word
    spans = [*((i, i + 1) for i in range(len(places))), *((entity.start, entity.end) for entity in entities)]
    confidences = _find_confidences(places, spans, alignment.log_probs)
    times = _time_words(places, alignment, grid, duration_s)
    return Timing(times, confidences[: len(places)], confidences[len(places) :])


def _time_words(
    places: Sequence[tuple[int, int]], alignment: Alignment, grid: FrameGrid, duration_s: float
) -> WordTimes:
    """Return (start, end) of each word in seconds; ``places`` are the words' half-open token ranges."""
    if not places:
        return ()
    firsts, lasts = (np.array([place[0] for place in places]), np.array([place[1] - 1 for place in places]))
    first_s = grid.first_s + grid.hop_s * alignment.first[firsts]
    last_s = grid.first_s + grid.hop_s * alignment.last[lasts]
    halfway_s = (last_s[:-1] + first_s[1:]) / 2
    start_s = np.maximum(first_s - REACH_S, [-np.inf, *halfway_s]).clip(0, duration_s)
    end_s = np.minimum(last_s + REACH_S, [*halfway_s, np.inf]).clip(0, duration_s)
    return tuple(zip(start_s.tolist(), end_s.tolist(), strict=True))


def _find_confidences(
    places: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]], log_probs: np.ndarray
) -> tuple[float, ...]:
    """Return the geometric mean posterior of the words of each half-open span and of their borders."""
    ends, starts = [0, *(end for _, end in places)], [*(start for start, _ in places), len(log_probs)]
    ranges = [(ends[start], starts[end]) for start, end in spans]  # from the word before to the word after
    sums = np.array([np.add.reduce(log_probs[first:stop]) for first, stop in ranges], log_probs.dtype)
    return tuple(np.exp(sums / np.array([stop - first for first, stop in ranges], log_probs.dtype)).tolist())
