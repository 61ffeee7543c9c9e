"""Long recordings: windows with context on both sides, their frames joined, and the joined frames cut at pauses.

Every window begins at a frame of the recording, so frames of neighbouring windows fall on each other. Of each
window the frames nearer to its edges than the context are dropped, except at the recording's own ends: a word at a
join was heard by both windows with what comes before and after it, and is written once. ::

    window 0   |==========----|
    window 1          |----======----|
    window 2                     |----========|      = kept, - context

The search then runs over stretches between pauses, which do not depend on the windows.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from spner.data.tokens import PIECE_SPACE, SPACE, find_symbols
from spner.text.tags import CLOSE

WINDOW_S = 20.0
CONTEXT_S = 2.0  # each side
PAUSE_S = 0.3
"""Within words of the mini corpus blanks last up to 0.24 s; at 0.5 s sentences that follow each other run together."""
MAX_STRETCH_S = 30.0
MIN_STRETCH_S = 10.0  # a stretch without a pause is not cut before


@dataclass(frozen=True)
class Window:
    """A part of a recording, and which of its frames are kept.

    Attributes:
        waveform: (num_samples,) float32.
        first_frame: place of its first frame in the recording.
        skip: frames of context at the beginning.
        keep: frames after these; None keeps all.
    """

    waveform: np.ndarray
    first_frame: int
    skip: int
    keep: int | None

    @property
    def is_last(self) -> bool:
        """Whether the recording ends with it."""
        return self.keep is None

    def cut(self, frames: np.ndarray) -> np.ndarray:
        """Return the kept ones of the window's frames (T, …).

        Raises:
            ValueError: there are fewer than the window keeps.
        """
        kept = frames[self.skip :] if self.keep is None else frames[self.skip : self.skip + self.keep]
        if self.keep is not None and len(kept) < self.keep:
            raise ValueError(f"{len(frames)} frames of a window that keeps {self.keep} after {self.skip}")
        return kept


def cut_windows(
    blocks: Iterable[np.ndarray], hop: int, *, window_s: float, context_s: float, rate_hz: int
) -> Iterator[Window]:
    """Cut a recording into windows.

    Args:
        blocks: the recording.
        hop: samples from one frame to the next.
        window_s: of a window, contexts included.
        context_s: at each side.
        rate_hz: of the samples.
    """
    context = round(context_s * rate_hz / hop)  # frames
    length = max(round(window_s * rate_hz / hop), 3 * context)
    step = length - 2 * context
    parts: list[np.ndarray] = []
    num_samples = 0
    skip = first_frame = 0
    for block in blocks:
        parts.append(block)
        num_samples += len(block)
        if num_samples <= length * hop:
            continue
        waveform = np.concatenate(parts)
        while len(waveform) > length * hop:  # more follows: this is not the last
            yield Window(waveform[: length * hop].copy(), first_frame, skip, length - context - skip)
            waveform = waveform[step * hop :]
            skip = context
            first_frame += step
        parts, num_samples = [waveform], len(waveform)
    yield Window(np.concatenate(parts), first_frame, skip, None)


@dataclass(frozen=True)
class Stretch:
    """Frames between two pauses.

    Attributes:
        first_frame: place of the first in the recording.
        log_probs: (T, V) float32, natural log.
    """

    first_frame: int
    log_probs: np.ndarray


class Cutter:
    """Joins the kept frames of a recording's windows and cuts them in the middle of pauses: runs of blank frames.

    What is only blank is dropped. A stretch without a pause is cut before a word, or else where it is blank longest.

    Args:
        hop_s: from one frame to the next.
        find_starts: best tokens of frames (T,) -> frames at which a word begins outside of an entity.
        blank_id: row of ``<blank>`` in the token list.
    """

    def __init__(self, hop_s: float, find_starts: Callable[[np.ndarray], np.ndarray], *, blank_id: int = 0) -> None:
        self._find_starts = find_starts
        self._pause = max(2, round(PAUSE_S / hop_s))  # frames
        self._longest, self._shortest = round(MAX_STRETCH_S / hop_s), round(MIN_STRETCH_S / hop_s)
        self._blank_id = blank_id
        self._frames: list[np.ndarray] = []
        self._first_frame = 0  # of those not cut yet

    def push(self, log_probs: np.ndarray) -> Iterator[Stretch]:
        """Take the next frames (T, V); yield the stretches that are complete."""
        self._frames.append(log_probs)
        joined = np.concatenate(self._frames)
        yield from self._cut(joined, ended=False)

    def finish(self) -> Iterator[Stretch]:
        """Yield what is left at the end."""
        if self._frames:
            yield from self._cut(np.concatenate(self._frames), ended=True)

    def _cut(self, joined: np.ndarray, *, ended: bool) -> Iterator[Stretch]:
        best = joined.argmax(axis=1)
        runs = blank_runs(best == self._blank_id)
        start = 0
        for run_start, run_end in [*runs, (len(best), len(best))]:
            while run_start - start > self._longest:
                cut = start + self._cut_without_pause(best[start : start + self._longest])
                yield from self._stretch(joined, start, cut)
                start = cut
            if run_end - run_start >= self._pause:
                middle = run_start + self._pause // 2
                if run_start > start:
                    yield from self._stretch(joined, start, middle)
                # The rest of a pause says nothing, except its end: the next word may begin before it is heard.
                start = max(middle, run_end - self._pause // 2)
        if ended:
            yield from self._stretch(joined, start, len(joined))
            start = len(joined)
        self._frames = [joined[start:].copy()]
        self._first_frame += start

    def _cut_without_pause(self, best: np.ndarray) -> int:
        """Return where to cut the longest stretch there may be, not too near to its beginning."""
        starts = self._find_starts(best)
        if (starts >= self._shortest).any():
            return int(starts[-1])
        runs = [(max(a, self._shortest), b) for a, b in blank_runs(best == self._blank_id) if b > self._shortest]
        if not runs:
            return len(best)
        a, b = max(runs, key=lambda run: run[1] - run[0])
        return (a + b) // 2 if a + 1 < b else b

    def _stretch(self, joined: np.ndarray, start: int, end: int) -> Iterator[Stretch]:
        part = joined[start:end]
        if (part.argmax(axis=1) != self._blank_id).any():
            yield Stretch(self._first_frame + start, part)


def blank_runs(blank: np.ndarray) -> list[tuple[int, int]]:
    """Return the half-open ranges of true values in an array (T,) of booleans."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], blank, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def find_word_starts(best: np.ndarray, token_list: Sequence[str]) -> np.ndarray:
    """Return the frames at which a word begins outside of an entity, by the best tokens (T,) of frames.

    A word begins with a space, or with a piece that has one.
    """
    begins = {i for i, token in enumerate(token_list) if token == SPACE or token.startswith(PIECE_SPACE)}
    symbols = find_symbols(token_list)
    opens = {i: token != CLOSE for i, token in enumerate(token_list) if token in symbols}
    starts: list[int] = []
    inside = False
    for frame in np.flatnonzero(np.diff(best, prepend=-1)).tolist():  # frames at which the token changes
        token = int(best[frame])
        inside = opens.get(token, inside)
        if token in begins and not inside:
            starts.append(frame)
    return np.array(starts, int)
