"""One utterance's posteriors and hypotheses -> its words and entities, with times and confidences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spner.core.datatypes import FrameGrid, Timing, Transcript
from spner.data.tokens import find_labels, tokens_to_words
from spner.decode.alignment import time_hypothesis
from spner.decode.beam_search import Hypothesis
from spner.text.tags import text_to_spans


@dataclass(frozen=True)
class Decoded:
    """What decoding writes of an utterance.

    Attributes:
        nbest: its hypotheses, the best first: ``text``, words and entity symbols, and the search's scores.
        transcript: words and entities of the best.
        timing: times and raw confidences of the best; None where it needs more frames than there are.
    """

    nbest: list[dict[str, Any]]
    transcript: Transcript
    timing: Timing | None


def read_hypotheses(
    log_probs: np.ndarray,
    hyps: Sequence[Hypothesis],
    token_list: Sequence[str],
    *,
    grid: FrameGrid,
    duration_s: float,
) -> Decoded:
    """Return what hypotheses of a search say, the best of them aligned with the frames.

    Args:
        log_probs: (T, V) float32, natural log.
        hyps: the best first, at least one.
        token_list: the V tokens.
        grid: of the model that wrote ``log_probs``.
        duration_s: of the clip; no time lies outside it.
    """
    words = [tokens_to_words(token_list[i] for i in hyp.token_ids) for hyp in hyps]
    best, transcript = hyps[0].token_ids, text_to_spans(words[0], labels=find_labels(token_list)).transcript
    return Decoded(
        [{"text": " ".join(text), **hyp.scores} for text, hyp in zip(words, hyps, strict=True)],
        transcript,
        time_hypothesis(log_probs, best, token_list, transcript.entities, grid=grid, duration_s=duration_s),
    )
