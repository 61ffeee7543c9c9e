"""Posteriors -> hypotheses: words, entities, times and confidences."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from spner.core.datatypes import Timing, Transcript
from spner.decode.beam_search import search_greedily
from spner.decode.hypotheses import Hypotheses
from spner.decode.parallel_search import BeamSearch
from spner.decode.posteriors import AcousticModel, Posteriors
from spner.decode.utterance import Decoded, read_hypotheses

log = logging.getLogger(__name__)


def decode(
    recogniser: AcousticModel, batches: Iterable[Posteriors], search: BeamSearch | None, *, num_utts: int, what: str
) -> Hypotheses:
    """Return every utterance's hypothesis with its times, where its tokens need no more frames than there are.

    Args:
        recogniser: the model that wrote ``batches``.
        batches: posteriors; a beam search searches one batch while the next ones are computed.
        search: None searches greedily.
        num_utts: utterances in the batches.
        what: names the utterances, on a beam search's progress bar and in the log.
    """
    texts: dict[str, str] = {}
    transcripts: dict[str, Transcript] = {}
    timings: dict[str, Timing] = {}
    nbest: dict[str, list[dict[str, Any]]] = {}
    if search:
        found = search.decode(batches, recogniser.grid, num_utts=num_utts, what=f"search {what}")
    else:
        found = _decode_greedily(recogniser, batches)
    for utt_id, decoded in found:
        texts[utt_id] = decoded.nbest[0]["text"]
        transcripts[utt_id] = decoded.transcript
        if decoded.timing:
            timings[utt_id] = decoded.timing
        nbest[utt_id] = decoded.nbest
    if len(timings) < len(texts):
        log.warning(
            "%s: %d of %d hypotheses need more frames than their clips have; they carry no times",
            what,
            len(texts) - len(timings),
            len(texts),
        )
    return Hypotheses(texts, transcripts, timings, nbest)


def _decode_greedily(recogniser: AcousticModel, batches: Iterable[Posteriors]) -> Iterator[tuple[str, Decoded]]:
    token_list, grid = recogniser.token_list, recogniser.grid
    for batch in batches:
        for utt_id, duration_s, log_probs in zip(batch.utt_ids, batch.durations_s, batch.log_probs, strict=True):
            hyps = search_greedily(log_probs)
            yield utt_id, read_hypotheses(log_probs, hyps, token_list, grid=grid, duration_s=duration_s)
