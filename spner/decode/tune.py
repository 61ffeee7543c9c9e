"""``spner tune``: selects a search's weights on dev, by entity F1 against stage 2's labels, then by lower WER."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from spner.asr.dev_counts import count_dev
from spner.core import paths
from spner.core.errors import SpnerError
from spner.core.files import locked
from spner.core.resume import once
from spner.data.datadir import read_entities, read_labels, read_table
from spner.data.tokens import tokens_to_words
from spner.decode.beam_options import BeamOptions, find_arpa, identify_tuning, read_options
from spner.decode.beam_search import Hypothesis
from spner.decode.config import LEXICON, DecodeConfig
from spner.decode.parallel_search import prepare_search, run_plans, store, weigh
from spner.decode.recogniser import compute_posteriors, load_recogniser
from spner.text.tags import spans_to_text


def tune(data: Path, exp: Path, options: BeamOptions, *, device: str, batch_size: int | None) -> dict[str, Any]:
    """Write ``exp/tuned/<search>.json``, which decoding takes its weights from, and return what it holds.

    The posteriors of dev are computed once, and searched with every pair of weights that the configuration lists.

    Args:
        data: data folder of stages 1 and 2.
        exp: ``exp/<tag>`` of stage 4.
        options: the search; its names to boost and its number of hypotheses are not used.
        device: torch device; ``auto`` takes a GPU if there is one.
        batch_size: utterances in a batch at most; None: the device's own limit.

    Raises:
        SpnerError: an earlier stage has not finished, dev is empty, or the search cannot be made.
    """
    config = read_options(options)
    if options.lm is None:
        raise SpnerError("--lm: is missing; without a language model there are no weights to tune")
    refs, labels = _read_refs(data / paths.DEV), read_labels(data).names

    def search_grid() -> dict[str, Any]:
        arpa = find_arpa(options.lm, config)
        with prepare_search(exp, arpa, config) as plan:
            recogniser = load_recogniser(exp, device=device)
            batches = compute_posteriors(recogniser, data / paths.DEV, batch_size=batch_size, what="decode dev")
            stored = list(store(batches, plan.work / "posteriors"))
            grid = make_grid(config)
            plans = [weigh(plan, one) for one in grid]
            found = run_plans(plans, stored, num_best=1, num_workers=options.num_workers, what="tune")
            rows = []
            for one, hyps in zip(grid, found, strict=True):
                weights = {"lm_weight": one.lm_weight, "word_score": one.word_score}
                rows.append({**weights, **_score(refs, hyps, recogniser.token_list, labels)})
        best = min(rows, key=lambda row: (-row["f1"], row["wer"]))
        return {"lm_weight": best["lm_weight"], "word_score": best["word_score"], "grid": rows}

    with locked(exp / paths.DECODE):
        tuned = paths.tuned_file(exp, options.name_search(exp, tuned=True))
        return once(tuned, identify_tuning(exp, options, config), search_grid)


def make_grid(config: DecodeConfig) -> list[DecodeConfig]:
    """Return the configurations to compare; only a lexicon search has word scores."""
    word_scores = config.tune_word_score if config.search == LEXICON else (config.word_score,)
    return [replace(config, lm_weight=w, word_score=s) for w, s in product(config.tune_lm_weight, word_scores)]


def _read_refs(folder: Path) -> dict[str, list[str]]:
    """Return the words of each utterance, with entity symbols where stage 2 has labelled them."""
    if (folder / paths.ENTITIES).exists():
        texts = {utt_id: spans_to_text(one) for utt_id, one in read_entities(folder / paths.ENTITIES).items()}
    else:
        texts = read_table(folder / paths.TEXT)
    if not texts:
        raise SpnerError(f"{folder}: holds no utterances (expected a dev set to tune on); rerun stages 1 and 2")
    return {utt_id: text.split() for utt_id, text in texts.items()}


def _score(
    refs: dict[str, list[str]],
    hyps: dict[str, list[Hypothesis]],
    token_list: tuple[str, ...],
    labels: tuple[str, ...],
) -> dict[str, Any]:
    best = [tokens_to_words(token_list[i] for i in hyps[utt_id][0].token_ids) for utt_id in refs]
    errors, _, found = count_dev(list(refs.values()), best, labels=labels)
    return {"f1": found.f1, "wer": errors.rate}


def format_tuned(record: dict[str, Any]) -> str:
    """Return the grid to print, the choice marked."""
    lines = []
    for row in record["grid"]:
        chosen = (row["lm_weight"], row["word_score"]) == (record["lm_weight"], record["word_score"])
        lines.append(
            f"lm_weight {row['lm_weight']:<5} word_score {row['word_score']:<5} "
            f"F1 {100 * row['f1']:5.1f}  WER {100 * row['wer']:5.1f}{'  chosen' if chosen else ''}"
        )
    return "\n".join(lines)
