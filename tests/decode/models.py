"""Small language models and hand-made posteriors for the tests of the search."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spner.core.datatypes import LABELS
from spner.data.tokens import BLANK, CHAR, SOS_EOS, SPACE, UNKNOWN, Tokenizer, mark_inside, tighten
from spner.decode.config import DecodeConfig, make_decode_config
from spner.lm.arpa import write_arpa
from spner.lm.counts import read_corpus
from spner.lm.kneser_ney import estimate
from spner.text.tags import entity_symbols

SYMBOLS = entity_symbols(LABELS)
TOKENS = (BLANK, UNKNOWN, *SYMBOLS, SPACE, *"abdeghijlnorstuw", SOS_EOS)
TOKENIZER = Tokenizer(CHAR, symbols=SYMBOLS)
SETTINGS = {
    "search": "open",
    "beam_size": 10,
    "beam_size_token": 30,
    "beam_threshold": 50.0,
    "lm_weight": 2.0,
    "word_score": 0.0,
    "tune_lm_weight": [1.0],
    "tune_word_score": [0.0],
}
TEXT = (
    "wij reist naar <LOC> den haag </NE>",
    "<PER> anna </NE> reist naar <LOC> den haag </NE>",
    "<PER> anna </NE> eet",
    "naar <LOC> gouda </NE>",
    "<PER> ada </NE> is in <LOC> gouda </NE>",
)


def make_config(**settings: object) -> DecodeConfig:
    """Return settings for tests, some of them changed."""
    return make_decode_config({**SETTINGS, **settings}, where="test")


def to_tokens(text: str) -> list[str]:
    """Return the tokens of tagged text, without spaces inside the symbols."""
    return TOKENIZER.text_to_tokens(tighten(text, SYMBOLS))


def write_token_lm(path: Path, texts: Sequence[str] = TEXT, *, order: int = 6) -> Path:
    """Write a token model of some text."""
    write_arpa(path, estimate(read_corpus(mark_inside(to_tokens(text), SYMBOLS) for text in texts), order=order))
    return path


def write_word_lm(path: Path, texts: Sequence[str] = TEXT) -> Path:
    """Write a word model of some text."""
    write_arpa(path, estimate(read_corpus(text.split() for text in texts), order=3))
    return path


def hear(*heard: str | dict[str, float], certain: float = 0.99) -> np.ndarray:
    """Return log posteriors (T, V): after each of the tokens, or alternatives with probabilities, a blank frame."""
    frames = []
    for tokens in heard:
        likely = {tokens: certain} if isinstance(tokens, str) else tokens
        frames += [likely, {BLANK: certain}]
    log_probs = np.empty((len(frames), len(TOKENS)), np.float32)
    for row, likely in zip(log_probs, frames, strict=True):
        row[:] = (1 - sum(likely.values())) / (len(TOKENS) - len(likely)) + 1e-12
        for token, probability in likely.items():
            row[TOKENS.index(token)] = probability
    return np.log(log_probs)
