"""Recordings -> segments, by a CTC model: sounds in batches, frames joined, stretches between pauses searched."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import numpy as np

from spner.core.datatypes import FrameGrid, Timing
from spner.data.audio import SAMPLE_RATE_HZ
from spner.data.tokens import find_labels, tokens_to_words
from spner.decode.alignment import time_hypothesis
from spner.tag.audio import Recording, RecordingError
from spner.tag.build import build_segment
from spner.tag.models import SpeechModel
from spner.tag.silence import SoundDetector
from spner.tag.sounds import find_sounds
from spner.tag.speech import SpeechDetector
from spner.tag.tagged import Tagged, TaggedSegment
from spner.tag.transcriber import Advance
from spner.tag.windows import CONTEXT_S, WINDOW_S, Cutter, Stretch, Window, cut_windows, find_word_starts
from spner.text.tags import text_to_spans

MAX_PADDING = 1.5  # a batch, padded, over its samples

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Progressing:
    """A recording between its first window and its last; ``cutter`` has the frames of the sound that is heard."""

    recording: Recording
    cutter: Cutter
    num_samples: int = 0
    segments: list[TaggedSegment] = field(default_factory=list)
    broken: bool = False

    def read(self, advance: Advance) -> Iterator[np.ndarray]:
        """Yield the recording's blocks; count them."""
        for block in self.recording.blocks():
            self.num_samples += len(block)
            advance(len(block) / SAMPLE_RATE_HZ)
            yield block

    def finish(self, lang: str | None) -> Tagged:
        """Return what was found."""
        return Tagged(self.recording.name, self.num_samples / SAMPLE_RATE_HZ, tuple(self.segments), lang)


@dataclass(frozen=True)
class CtcTranscriber:
    """A CTC model that transcribes recordings.

    Attributes:
        model: with its search.
        batch_size: windows in a batch at most; they may come from several recordings.
        window_s: longest window, its contexts included.
        vad: whether a voice activity detector chooses what is heard; else it is what is louder than pauses.
    """

    model: SpeechModel
    batch_size: int = 8
    window_s: float = WINDOW_S
    vad: bool = False

    @property
    def writes_entities(self) -> bool:
        """Whether entity symbols are among the model's tokens."""
        return self.model.writes_entities

    @property
    def lang(self) -> str | None:
        """The language that the model was trained on."""
        return self.model.lang

    def transcribe(
        self, recordings: Iterable[Recording], advance: Advance
    ) -> Iterator[tuple[Recording, Tagged | RecordingError]]:
        """Yield each recording with its segments, or why it could not be read."""
        grid, token_list = self.model.recogniser.grid, self.model.recogniser.token_list
        batch: list[tuple[_Progressing, Window | None]] = []  # None: the recording ends
        for recording in recordings:
            cutter = Cutter(grid.hop_s, partial(find_word_starts, token_list=token_list))
            one = _Progressing(recording, cutter)
            windows = cut_windows(
                find_sounds(one.read(advance), SpeechDetector() if self.vad else SoundDetector()),
                round(grid.hop_s * SAMPLE_RATE_HZ),
                window_s=self.window_s,
                context_s=CONTEXT_S,
                rate_hz=SAMPLE_RATE_HZ,
            )
            try:
                for window in windows:
                    if not self._fits(batch, window):
                        yield from self._run(batch)
                        batch = []
                    batch.append((one, window))
            except RecordingError as error:
                one.broken = True
                yield recording, error
            batch.append((one, None))
        yield from self._run(batch)

    def _fits(self, batch: list[tuple[_Progressing, Window | None]], window: Window) -> bool:
        """Whether a window can join a batch without much padding."""
        lengths = [len(window.waveform), *(len(other.waveform) for _, other in batch if other)]
        return len(lengths) <= self.batch_size and max(lengths) * len(lengths) <= MAX_PADDING * sum(lengths)

    def _run(self, batch: list[tuple[_Progressing, Window | None]]) -> Iterator[tuple[Recording, Tagged]]:
        """Compute a batch; yield the recordings that end in it."""
        live = [(one, window) for one, window in batch if not one.broken]
        waveforms = [window.waveform for _, window in live if window]
        found = iter(self.model.recogniser.log_probs(waveforms) if waveforms else ())
        for one, window in live:
            if window is None:
                yield one.recording, one.finish(self.lang)
                continue
            one.segments += self._search(one.cutter.push(window.cut(next(found))), window, one)
            if window.is_last:
                one.segments += self._search(one.cutter.finish(), window, one)

    def _search(self, stretches: Iterable[Stretch], window: Window, one: _Progressing) -> Iterator[TaggedSegment]:
        for stretch in stretches:
            segment = self.search(stretch, sound_s=window.sound_s, duration_s=one.num_samples / SAMPLE_RATE_HZ)
            if segment:
                yield segment

    def search(self, stretch: Stretch, *, sound_s: float, duration_s: float) -> TaggedSegment | None:
        """Return what is said in a stretch, None for nothing.

        Args:
            stretch: of a sound.
            sound_s: when the sound begins.
            duration_s: of the recording; no time lies after it.
        """
        token_list, grid = self.model.recogniser.token_list, self.model.recogniser.grid
        token_ids = self.model.search(stretch.log_probs)[0].token_ids
        transcript = text_to_spans(
            tokens_to_words(token_list[i] for i in token_ids), labels=find_labels(token_list)
        ).transcript
        if not transcript.words:
            return None
        shifted = FrameGrid(grid.hop_s, sound_s + grid.first_s + stretch.first_frame * grid.hop_s)
        entities = transcript.entities
        timing = time_hypothesis(
            stretch.log_probs, token_ids, token_list, entities, grid=shifted, duration_s=duration_s
        )
        if timing is None:
            log.warning("%.1f s: more tokens than frames; the words' times are spread evenly", shifted.first_s)
            timing = _spread(len(transcript.words), len(transcript.entities), stretch, shifted, duration_s)
        elif self.model.calibration:
            timing = self.model.calibration.apply(timing)
        return build_segment(transcript, timing)


def _spread(num_words: int, num_entities: int, stretch: Stretch, grid: FrameGrid, duration_s: float) -> Timing:
    """Return even times over a stretch, for a hypothesis that cannot be aligned; nothing is known: confidence 0."""
    end_s = min(grid.first_s + len(stretch.log_probs) * grid.hop_s, duration_s)
    marks_s = np.linspace(min(grid.first_s, end_s), end_s, num_words + 1).tolist()
    times = cast("tuple[tuple[float, float], ...]", tuple(zip(marks_s[:-1], marks_s[1:], strict=True)))
    return Timing(times, (0.0,) * num_words, (0.0,) * num_entities)
