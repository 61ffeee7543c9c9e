"""Long recordings: windows of one sound each, of a long sound several with context, their frames joined, cut at pauses.

What lies between two pauses is heard by itself, as the utterances were that a model is trained on. A sound that
is longer than a window is heard in several. They begin at frames of the sound, so frames of neighbouring
windows fall on each other. Of each the frames nearer to its edges than the context are dropped, except at the sound's
own ends: a word at a join was heard by both windows with what comes before and after it, and is written once. ::

    window 0   |==========----|
    window 1          |----======----|
    window 2                     |----========|      = kept, - context

The search then runs over stretches of frames between pauses, which do not depend on the windows.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from spner.data.tokens import PIECE_SPACE, SPACE, find_symbols
from spner.tag.sounds import Piece, blank_runs
from spner.text.tags import CLOSE

WINDOW_S = 20.0
CONTEXT_S = 2.0  # each side
PAUSE_S = 0.3
"""Within words of the mini corpus blanks last up to 0.24 s; at 0.5 s sentences that follow each other run together."""
MAX_STRETCH_S = 30.0
MIN_STRETCH_S = 10.0  # a stretch without a pause is not cut before


@dataclass(frozen=True)
class Window:
    """A sound or a part of it, and which of its frames are kept.

    Attributes:
        waveform: (num_samples,) float32.
        sound_s: where the recording has the sound's first sample, seconds.
        skip: frames of context at the beginning.
        keep: frames after these; None keeps all.
    """

    waveform: np.ndarray
    sound_s: float
    skip: int
    keep: int | None

    @property
    def is_last(self) -> bool:
        """Whether the sound ends with it."""
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
    pieces: Iterable[Piece], hop: int, *, window_s: float, context_s: float, rate_hz: int
) -> Iterator[Window]:
    """Cut the sounds of a recording into windows.

    Args:
        pieces: the sounds.
        hop: samples from one frame to the next.
        window_s: of a window, contexts included.
        context_s: at each side.
        rate_hz: of the samples.
    """
    context = round(context_s * rate_hz / hop)  # frames
    length = max(round(window_s * rate_hz / hop), 3 * context)
    step = length - 2 * context
    waveform, sound_s, skip = np.zeros(0, np.float32), 0.0, 0
    for piece in pieces:
        if not len(waveform):
            sound_s = piece.start_s
        waveform = np.concatenate([waveform, piece.samples])
        while len(waveform) > length * hop:  # more follows: this is not the last
            yield Window(waveform[: length * hop].copy(), sound_s, skip, length - context - skip)
            waveform, skip = waveform[step * hop :], context
        if piece.ends:
            yield Window(waveform, sound_s, skip, None)
            waveform, skip = waveform[:0], 0


@dataclass(frozen=True)
class Stretch:
    """Frames between two pauses.

    Attributes:
        first_frame: place of the first in the sound.
        log_probs: (T, V) float32, natural log.
    """

    first_frame: int
    log_probs: np.ndarray


class Cutter:
    """Joins the kept frames of a sound's windows and cuts them in the middle of pauses: runs of blank frames.

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
        """Yield what is left at the end of a sound; frames of the next may follow."""
        if self._frames:
            yield from self._cut(np.concatenate(self._frames), ended=True)
        self._frames, self._first_frame = [], 0

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
