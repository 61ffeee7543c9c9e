"""A recogniser that hears what is written into the samples: every test of recordings knows what is said and when."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from spner.core.datatypes import LABELS, FrameGrid
from spner.data.tokens import BLANK, SOS_EOS, SPACE, UNKNOWN, Tokenizer, tighten
from spner.decode.beam_search import search_greedily
from spner.tag.ctc import CtcTranscriber
from spner.tag.models import SpeechModel
from spner.tag.tagger import Tagger
from spner.text.tags import entity_symbols

SYMBOLS = entity_symbols(LABELS)
TOKENS = (BLANK, UNKNOWN, *SYMBOLS, SPACE, *"abcdefghijklmnopqrstuvwxyz", SOS_EOS)
TOKENIZER = Tokenizer("char", symbols=SYMBOLS)
HOP = 640  # samples
RATE_HZ = 16_000


def speak(text: str) -> np.ndarray:
    """Return samples in which tagged text is written: a frame of ``HOP`` a token, and a blank one after it."""
    frames: list[int] = []
    for token in TOKENIZER.text_to_tokens(tighten(text, SYMBOLS)):
        frames += [TOKENS.index(token), 0]
    loudness = np.repeat(np.array(frames, np.float32) / 100, HOP)
    return loudness * np.tile(np.array([1, -1], np.float32), len(loudness) // 2)  # a constant would be silence


def pause(seconds: float) -> np.ndarray:
    """Return samples without anything in them."""
    return np.zeros(round(seconds * RATE_HZ), np.float32)


@dataclass
class Listener:
    """The recogniser; it remembers how long the waveforms of each batch were."""

    token_list: tuple[str, ...] = TOKENS
    grid: FrameGrid = FrameGrid(hop_s=HOP / RATE_HZ, first_s=HOP / RATE_HZ / 2)
    batches: list[list[int]] = field(default_factory=list)

    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return log posteriors (T, V); a last frame that is not whole is not heard."""
        self.batches.append([len(waveform) for waveform in waveforms])
        return [self._hear(waveform) for waveform in waveforms]

    def _hear(self, waveform: np.ndarray) -> np.ndarray:
        num_frames = max(1, len(waveform) // HOP)
        middles = np.resize(waveform, num_frames * HOP)[HOP // 2 :: HOP]
        heard = np.rint(np.abs(middles) * 100).astype(int)
        log_probs = np.full((num_frames, len(TOKENS)), np.log(0.01 / len(TOKENS)), np.float32)
        log_probs[np.arange(num_frames), heard] = np.log(0.99)
        return log_probs


def make_tagger(listener: Listener | None = None, **settings: object) -> Tagger:
    """Return a tagger with the recogniser, greedy search and raw confidences."""
    model = SpeechModel(listener or Listener(), search_greedily, lang="nl")
    return Tagger(CtcTranscriber(model, **settings))
