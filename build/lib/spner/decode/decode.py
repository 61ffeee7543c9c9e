"""``spner decode``: a trained model and a set's audio -> hypotheses in the references' formats."""

import functools
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from spner.core import paths
from spner.core.datatypes import Timing, Transcript
from spner.core.files import fingerprint, locked, write_json
from spner.core.searches import GREEDY
from spner.core.training import chosen_checkpoint
from spner.data.tokens import find_labels, tokens_to_words
from spner.data.wav_scp import identify_audio
from spner.decode.alignment import time_hypothesis
from spner.decode.beam_options import BeamOptions
from spner.decode.beam_search import Hypothesis, search_greedily
from spner.decode.hypotheses import Hypotheses, refuse_other_system, write_once
from spner.decode.parallel_search import BeamSearch, open_search
from spner.decode.posteriors import AcousticModel, Posteriors
from spner.decode.recogniser import compute_posteriors, load_recogniser
from spner.text.tags import text_to_spans

DECODED_GREEDILY = {"search": GREEDY, "kind": GREEDY}

log = logging.getLogger(__name__)


def decode_sets(
    data: Path,
    exp: Path,
    set_names: Sequence[str],
    *,
    device: str,
    batch_size: int,
    beam: BeamOptions | None = None,
    model: Path | None = None,
) -> str:
    """Write ``exp/decode/<search>/<set>/{text,entities.jsonl}`` of each set: tagged text, and words with entities.

    A set that this model and this search have already decoded is not decoded again. Entities and words carry times
    and raw confidences; :mod:`spner.decode.calibrate` makes them chances of being right.

    Returns:
        the search's name; :mod:`spner.core.searches` says how it is called.

    Args:
        data: data folder of stage 1.
        exp: ``exp/<tag>`` of stage 4.
        set_names: which sets.
        device: torch device; ``auto`` takes a GPU if there is one.
        batch_size: utterances in a batch at most.
        beam: beam search instead of greedy search; where it keeps several hypotheses, ``nbest.jsonl`` holds them.
        model: another experiment, whose model decodes; ``exp``, without a training of its own, gets the hypotheses.

    Raises:
        SpnerError: stage 1 or 4 has not finished, the model does not fit its tokens, the search cannot be made, or
            hypotheses of other audio are there.
    """
    system = {"model": str(model)} if model else None
    refuse_other_system(exp, system)
    trained = model or exp
    weights = fingerprint([trained / paths.CONFIG, chosen_checkpoint(trained)])
    name = beam.name_search(trained) if beam else GREEDY
    audio = {set_name: identify_audio(data / set_name) for set_name in set_names}
    load = functools.cache(lambda: load_recogniser(trained, device=device))
    # A beam search works in the folder of its model.
    alone = locked(trained / paths.DECODE) if beam and model else nullcontext()
    opened = open_search(data, trained, beam, work=paths.search_dir(exp, name)) if beam else nullcontext()
    with locked(exp / paths.DECODE), alone, opened as search:
        if system:
            write_json(exp / paths.SYSTEM, system)

        def decode_set(set_name: str) -> Hypotheses:
            recogniser, what = load(), f"decode {set_name}"
            batches = compute_posteriors(recogniser, data / set_name, batch_size=batch_size, what=what)
            return decode(recogniser, batches, search, what=set_name)

        for set_name in set_names:
            identity = {"model": weights, "search": search.record if search else None, "audio": audio[set_name]}
            decoded = {**(search.decoded if search else DECODED_GREEDILY), "audio": str(data / set_name)}
            folder = paths.decode_dir(exp, name, set_name)
            several = search is not None and search.num_best > 1
            write_once(folder, identity, functools.partial(decode_set, set_name), decoded=decoded, nbest=several)
    return name


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
