"""Two systems on the same utterances: differences, their intervals, and where they lie (docs/metrics.md, section 7)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spner.core.errors import SpnerError
from spner.core.searches import format_decoded, read_decoded
from spner.scoring.counts import Table, sum_counts
from spner.scoring.inputs import Side, count_mentions, read_side, read_speakers
from spner.scoring.options import Options, describe, sign
from spner.scoring.pool import System, read_systems
from spner.scoring.schema import SCHEMA, Comparison, Difference, Example
from spner.scoring.significance import (
    FEWEST_ENTITIES,
    SIGNIFICANT,
    compare_systems,
    p_value,
    percentile_interval,
    sum_groups,
)
from spner.scoring.table import format_head, format_number
from spner.scoring.transcripts import Phrases

TITLES = {
    "wer": "WER",
    "cer": "CER",
    "wer_tagged": "tagged WER",
    "entity_wer": "entity WER",
    "eer": "EER",
    "eer_substr": "EER, substring",
    "f1": "F1",
    "precision": "  P",
    "recall": "  R",
    "macro_f1": "macro F1",
    "label_f1": "label-F1",
    "f1_span": "span F1",
    "f1_span_text": "span-text F1",
    "f1_aligned": "aligned F1",
    "seen": "F1, seen",
    "unseen": "F1, unseen",
}
NUM_EXAMPLES = 10
OF_WORDS = ("wer", "cer", "wer_tagged")
"""Scores that rest on all words; the others rest on entities."""


def group_systems(hyps: Sequence[str]) -> dict[str, list[Path]]:
    """Return the hypotheses of the two systems by name.

    Args:
        hyps: ``PATH``, a system by itself, or ``NAME=PATH``: paths with the same name are seeds of one system.

    Raises:
        SpnerError: they are not two systems.
    """
    systems: dict[str, list[Path]] = {}
    for hyp in hyps:
        name, equals, path = hyp.partition("=")
        if not equals or "/" in name or Path(hyp).exists():
            name, path = hyp, hyp
        systems.setdefault(name, []).append(Path(path))
    if len(systems) != 2:
        raise SpnerError(
            f"--hyp: found {len(systems)} systems, {', '.join(systems) or 'none'} (expected two; give "
            "several seeds of one the same name: --hyp A=PATH --hyp A=PATH --hyp B=PATH)"
        )
    return systems


def compare(ref: Path, systems: Mapping[str, Sequence[Path]], options: Options) -> Comparison:
    """Compare two systems by a paired bootstrap.

    Args:
        ref: the references, any form that :func:`spner.scoring.inputs.read_side` reads.
        systems: two; name -> hypotheses of each seed.
        options: as :func:`spner.scoring.score.score` takes them; ``num_draws`` must be 1 or more.

    Returns:
        the differences of every headline score; examples are the utterances whose errors differ most, entity errors
        before word errors.

    Raises:
        SpnerError: as :func:`spner.scoring.score.score`.
    """
    ref_side = read_side(ref, options.rules, role="ref")
    first, second = read_systems(ref_side, systems, options)
    speakers = read_speakers(options.utt2spk, ref_side) if options.utt2spk else None
    return {
        "schema": SCHEMA,
        "signature": sign(options),
        "num_utts": len(ref_side.utterances),
        "num_entities": count_mentions(ref_side).total(),
        "gold": options.gold,
        "systems": {system.name: len(system.sides) for system in (first, second)},
        "scores": _compare_scores(first, second, speakers, options.num_draws),
        "examples": _find_examples(ref_side, first, second),
        "made_with": {
            **describe(options),
            "ref": str(ref),
            "hyp": {name: list(map(str, paths)) for name, paths in systems.items()},
            "decoded": {name: list(map(read_decoded, paths)) for name, paths in systems.items()},
        },
    }


def _compare_scores(
    first: System, second: System, speakers: Sequence[str] | None, num_draws: int
) -> dict[str, Difference]:
    rows = {
        system.name: [table.rows if speakers is None else sum_groups(table.rows, speakers) for table in system.tables]
        for system in (first, second)
    }
    names = first.names & second.names
    draws = compare_systems(first.tables[0].columns, rows, names, num_draws=num_draws)
    whole = [system.scores for system in (first, second)]
    compared: dict[str, Difference] = {}
    for name, (a, b) in draws.items():
        values = [scores[name] for scores in whole]
        compared[name] = {
            "a": values[0],
            "b": values[1],
            "difference": None if None in values else values[1] - values[0],
            "ci95": percentile_interval(b - a),
            "p": p_value(b - a),
        }
    return compared


def _find_examples(ref: Side, first: System, second: System) -> list[Example]:
    """Return the utterances whose mean number of errors over the seeds differs most."""
    errors = [np.mean([_count_errors(table) for table in system.tables], axis=0) for system in (first, second)]
    entities, words = np.abs(errors[1] - errors[0]).T  # (utterances,) each
    utt_ids = sorted(ref.utterances)
    order = sorted(np.flatnonzero(entities + words), key=lambda i: (-entities[i], -words[i], utt_ids[i]))
    return [
        {
            "utt_id": utt_ids[i],
            "ref": _show(ref, utt_ids[i]),
            "a": [_show(side, utt_ids[i]) for side in first.sides],
            "b": [_show(side, utt_ids[i]) for side in second.sides],
            "errors": [float(each[i, 0]) for each in errors],
            "word_errors": [float(each[i, 1]) for each in errors],
        }
        for i in order[:NUM_EXAMPLES]
    ]


def _show(side: Side, utt_id: str) -> str:
    """Return the tagged text, or the words and then the mentions whose positions are not known."""
    transcript = side.utterances[utt_id]
    if isinstance(transcript, Phrases):
        return " ".join([*transcript.words, *(f"[{label}: {phrase}]" for label, phrase in transcript.mentions)])
    return " ".join(side.tagged_words(utt_id))


def _count_errors(table: Table) -> np.ndarray:
    """Return each utterance's false positives and negatives, and its word errors: (utterances, 2)."""
    found = sum_counts(table.columns.matches(table.rows, "f1"))
    words = table.columns.word_errors(table.rows, "wer")
    return np.stack([found.fp + found.fn, words.num_sub + words.num_del + words.num_ins], axis=1)


def format_comparison(comparison: Comparison) -> str:
    """Return the comparison as a table for the terminal, its signature, and the utterances that differ most."""
    (a, num_a), (b, num_b) = comparison["systems"].items()
    decoded = comparison["made_with"]["decoded"]
    lines = [
        format_head(comparison),
        f"A: {a}{_format_seeds(num_a)}{_format_searches(decoded[a])}",
        f"B: {b}{_format_seeds(num_b)}{_format_searches(decoded[b])}",
        "",
        f"{'':14}{'A':>9}{'B':>9}{'B - A':>9}  {'95 % interval':>17}{'p':>9}",
    ]
    few = comparison["num_entities"] < FEWEST_ENTITIES
    for name, row in comparison["scores"].items():
        marked = row["p"] is not None and row["p"] < SIGNIFICANT and (not few or name in OF_WORDS)
        bounds = " to ".join(f"{bound:+.4f}" for bound in row["ci95"]) if row["ci95"] else ""
        title = TITLES.get(name, f"  {name.removeprefix('f1.')}")
        difference = "-" if row["difference"] is None else f"{row['difference']:+.4f}"
        lines.append(
            f"{title:14}{format_number(row['a']):>9}{format_number(row['b']):>9}{difference:>9}"
            f"  {bounds:>18}{format_number(row['p']):>8}{' *' if marked else ''}"
        )
    tested = any(row["p"] is not None for row in comparison["scores"].values())
    lines += ["", f"* p < {SIGNIFICANT} (paired bootstrap); other differences may be chance"] if tested else []
    if few and tested:
        lines.append(
            f"{comparison['num_entities']} entities in the references are too few to tell systems apart: no score of "
            f"entities is marked below {FEWEST_ENTITIES}"
        )
    lines += ["", comparison["signature"]]
    for example in comparison["examples"]:
        counts = (
            f"{key} errors {x:g} and {y:g}"
            for key, (x, y) in (("entity", example["errors"]), ("word", example["word_errors"]))
        )
        lines += ["", f"{example['utt_id']}: {', '.join(counts)}", f"  ref  {example['ref']}"]
        lines += [f"  {side.upper()}    {text}" for side in ("a", "b") for text in example[side]]
    return "\n".join(lines)


def _format_searches(decoded: Sequence[dict[str, Any] | None]) -> str:
    """Return how the seeds of a system were decoded; nothing for hypotheses that are not ours."""
    searches = dict.fromkeys(format_decoded(one) for one in decoded if one)
    return "".join(f"; {search}" for search in searches)


def _format_seeds(num_seeds: int) -> str:
    return f", {num_seeds} seeds pooled" if num_seeds > 1 else ""
