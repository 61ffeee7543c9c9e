"""Stage 5: a trained model and a set's audio -> hypotheses in the references' formats."""

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, from_numpy

from spner.asr.ctc import greedy_search
from spner.asr.train import chosen_checkpoint
from spner.core import paths
from spner.core.datatypes import Timing
from spner.core.errors import SpnerError
from spner.core.files import atomic_text, fingerprint, locked, read_json, write_json
from spner.data.datadir import write_table
from spner.data.tokens import tokens_to_words
from spner.decode.alignment import time_hypothesis
from spner.decode.beam_options import BeamOptions
from spner.decode.beam_search import Hypothesis
from spner.decode.calibrate import write_hypotheses
from spner.decode.parallel_search import BeamSearch, open_search
from spner.decode.recogniser import Posteriors, Recogniser, compute_posteriors, load_recogniser
from spner.text.tags import text_to_spans

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decoded:
    """Words and entity symbols; times and raw confidences, None where the tokens need more frames than there are.

    Attributes:
        nbest: a beam search's hypotheses, the best first, as ``nbest.jsonl`` has them; greedy search has none.
    """

    tokens: list[str]
    timing: Timing | None
    nbest: list[dict[str, Any]]


def decode_sets(
    data: Path,
    exp: Path,
    set_names: Sequence[str],
    *,
    device: str,
    batch_size: int,
    beam: BeamOptions | None = None,
    model: Path | None = None,
) -> None:
    """Write ``exp/decode/<set>/{text,entities.jsonl}`` of each set: tagged text, and words with entities.

    A set that was decoded with this model and this search before is not decoded again. Entities and words carry times
    and raw confidences; :mod:`spner.decode.calibrate` makes them chances of being right.

    Args:
        data: data folder of stage 1.
        exp: ``exp/<tag>`` of stage 4.
        set_names: which sets.
        device: torch device; ``auto`` takes a GPU if there is one.
        batch_size: utterances in a batch at most.
        beam: beam search instead of greedy search; where it keeps several hypotheses, ``nbest.jsonl`` holds them.
        model: another experiment, whose model decodes; ``exp``, without a training of its own, gets the hypotheses.

    Raises:
        SpnerError: stage 1 or 4 has not finished, the model does not fit its tokens, or the search cannot be made.
    """
    trained = _find_model(exp, model)
    checkpoint = chosen_checkpoint(trained)
    # A beam search works in the folder of its model.
    alone = locked(trained / "decode") if beam and model else nullcontext()
    with locked(exp / "decode"), alone, open_search(data, trained, beam) if beam else nullcontext() as search:
        if model:
            write_json(exp / paths.SYSTEM, {"model": str(model)})
        recogniser = None
        weights = fingerprint([trained / paths.CONFIG, checkpoint])
        searched = search.record if search else None
        for set_name in set_names:
            record = {"model": weights, "audio": _audio_identity(data / set_name), "search": searched}
            done = paths.decode_dir(exp, set_name) / paths.DECODE_RECORD
            if done.exists() and read_json(done) == record:
                continue
            recogniser = recogniser or load_recogniser(trained, device=device)
            done.unlink(missing_ok=True)
            batches = compute_posteriors(recogniser, data / set_name, batch_size=batch_size, what=f"decode {set_name}")
            decoded = decode(recogniser, batches, search, what=f"search {set_name}")
            write_table(done.with_name(paths.TEXT), {utt_id: " ".join(one.tokens) for utt_id, one in decoded.items()})
            _write_nbest(done.with_name(paths.NBEST), decoded)
            transcripts = {utt_id: text_to_spans(one.tokens).transcript for utt_id, one in decoded.items()}
            raw = {utt_id: one.timing for utt_id, one in decoded.items() if one.timing}
            _tell_lack_of_times(set_name, len(transcripts) - len(raw), len(transcripts))
            write_hypotheses(done.parent, transcripts, raw)
            write_json(done, record)


def _find_model(exp: Path, model: Path | None) -> Path:
    """Return the experiment whose model decodes.

    Raises:
        SpnerError: ``exp`` holds another model's results.
    """
    if model and (exp / paths.CONFIG).exists():
        raise SpnerError(
            f"{exp}: holds a training of its own (expected a folder for the hypotheses of {model} alone); "
            "give another --tag"
        )
    if (exp / paths.SYSTEM).exists():
        found = read_json(exp / paths.SYSTEM)["model"]
        if not model or found != str(model):
            raise SpnerError(f"{exp}: holds hypotheses of {found}; give --model {found}, or another --tag")
    return model or exp


def decode(
    recogniser: Recogniser, batches: Iterable[Posteriors], search: BeamSearch | None, *, what: str
) -> dict[str, Decoded]:
    """Return every utterance's hypothesis with its times.

    Args:
        recogniser: the model that wrote ``batches``.
        batches: posteriors.
        search: None searches greedily.
        what: the title of a beam search's progress bar.
    """
    found = _search_beam(search, batches, what) if search else _search_greedily(batches)
    return {utt_id: _decoded(recogniser, log_probs, duration_s, hyps) for utt_id, log_probs, duration_s, hyps in found}


def _tell_lack_of_times(set_name: str, num_lacking: int, num_utts: int) -> None:
    if num_lacking:
        log.warning(
            "%s: %d of %d hypotheses need more frames than their clips have; they carry no times",
            set_name,
            num_lacking,
            num_utts,
        )


def _audio_identity(folder: Path) -> str:
    if not (folder / paths.WAV_SCP).exists():
        raise SpnerError(f"{folder / paths.WAV_SCP}: is missing; stage 1 makes it")
    return fingerprint([folder / paths.WAV_SCP, folder / paths.UTT2DUR])


Searched = tuple[str, Tensor, float, list[Hypothesis]]  # utt_id, log posteriors (T, V), clip's seconds, the best first


def _search_greedily(batches: Iterable[Posteriors]) -> Iterator[Searched]:
    for batch in batches:
        found = greedy_search(batch.log_probs, batch.num_frames)
        frames = batch.num_frames.tolist()
        for row, (utt_id, token_ids) in enumerate(zip(batch.utt_ids, found, strict=True)):
            hyps = [Hypothesis(tuple(token_ids))]
            yield utt_id, batch.log_probs[row, : frames[row]], batch.durations_s[row], hyps


def _search_beam(search: BeamSearch, batches: Iterable[Posteriors], what: str) -> Iterator[Searched]:
    for stored, log_probs, hyps in search.search(batches, what=what):
        yield stored.utt_id, from_numpy(log_probs), stored.duration_s, hyps


def _decoded(recogniser: Recogniser, log_probs: Tensor, duration_s: float, hyps: list[Hypothesis]) -> Decoded:
    token_list = recogniser.token_list
    words = [tokens_to_words(token_list[i] for i in hyp.token_ids) for hyp in hyps]
    timing = time_hypothesis(log_probs, hyps[0].token_ids, token_list, grid=recogniser.grid, duration_s=duration_s)
    nbest = [{"text": " ".join(text), **hyp.scores} for text, hyp in zip(words, hyps, strict=True) if hyp.scores]
    return Decoded(words[0], timing, nbest)


def _write_nbest(path: Path, decoded: dict[str, Decoded]) -> None:
    path.unlink(missing_ok=True)
    if any(len(one.nbest) > 1 for one in decoded.values()):
        with atomic_text(path) as file:
            for utt_id in sorted(decoded):
                json.dump({"utt_id": utt_id, "nbest": decoded[utt_id].nbest}, file, ensure_ascii=False)
                file.write("\n")
