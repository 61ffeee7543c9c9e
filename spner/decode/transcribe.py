"""Posteriors -> hypotheses: words, entities, times and confidences."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from spner.core.datatypes import Timing, Transcript
from spner.data.tokens import find_labels, tokens_to_words
from spner.decode.alignment import time_hypothesis
from spner.decode.beam_search import Hypothesis, search_greedily
from spner.decode.hypotheses import Hypotheses
from spner.decode.parallel_search import BeamSearch
from spner.decode.posteriors import AcousticModel, Posteriors
from spner.text.tags import text_to_spans

log = logging.getLogger(__name__)


def decode(
    recogniser: AcousticModel, batches: Iterable[Posteriors], search: BeamSearch | None, *, what: str
) -> Hypotheses:
    """Return every utterance's hypothesis with its times, where its tokens need no more frames than there are.

    Args:
        recogniser: the model that wrote ``batches``.
        batches: posteriors.
        search: None searches greedily.
        what: names the utterances, on a beam search's progress bar and in the log.
    """
    texts: dict[str, str] = {}
    transcripts: dict[str, Transcript] = {}
    timings: dict[str, Timing] = {}
    nbest: dict[str, list[dict[str, Any]]] = {}
    token_list, grid = recogniser.token_list, recogniser.grid
    labels = find_labels(token_list)
    found = _search_beam(search, batches, what) if search else _search_greedily(batches)
    for utt_id, log_probs, duration_s, hyps in found:
        words = [tokens_to_words(token_list[i] for i in hyp.token_ids) for hyp in hyps]
        texts[utt_id] = " ".join(words[0])
        transcripts[utt_id] = text_to_spans(words[0], labels=labels).transcript
        timing = time_hypothesis(log_probs, hyps[0].token_ids, token_list, grid=grid, duration_s=duration_s)
        if timing:
            timings[utt_id] = timing
        nbest[utt_id] = [{"text": " ".join(text), **hyp.scores} for text, hyp in zip(words, hyps, strict=True)]
    if len(timings) < len(texts):
        log.warning(
            "%s: %d of %d hypotheses need more frames than their clips have; they carry no times",
            what,
            len(texts) - len(timings),
            len(texts),
        )
    return Hypotheses(texts, transcripts, timings, nbest)


Searched = tuple[str, np.ndarray, float, list[Hypothesis]]  # utt_id, log posteriors (T, V), seconds, the best first


def _search_greedily(batches: Iterable[Posteriors]) -> Iterator[Searched]:
    for batch in batches:
        for utt_id, duration_s, log_probs in zip(batch.utt_ids, batch.durations_s, batch.log_probs, strict=True):
            yield utt_id, log_probs, duration_s, search_greedily(log_probs)


def _search_beam(search: BeamSearch, batches: Iterable[Posteriors], what: str) -> Iterator[Searched]:
    for stored, log_probs, hyps in search.search(batches, what=f"search {what}"):
        yield stored.utt_id, log_probs, stored.duration_s, hyps
