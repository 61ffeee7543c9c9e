"""Every score of hypotheses against references, in the form of :class:`spner.scoring.schema.Scores`."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, cast

from spner.core.files import atomic_text, write_json
from spner.core.paths import ENTITIES, GOLD_ENTITIES, TEXT, WORD_TIMES, utterances_file
from spner.core.searches import read_decoded
from spner.scoring.corpus import count_sides, find_labels
from spner.scoring.counts import MATCHES, MISSES, WORD_RATES, Table, sum_counts, word_rate
from spner.scoring.eer import EntityErrors
from spner.scoring.errors import KINDS, NO_LABEL
from spner.scoring.f1 import MatchCounts, compute_macro_f1
from spner.scoring.hyps import read_hyps
from spner.scoring.inputs import Side, read_seen, read_side, read_speakers
from spner.scoring.options import Options, describe, sign
from spner.scoring.schema import SCHEMA, ErrorRate, MatchScores, MissedRate, Scores
from spner.scoring.significance import compute_intervals
from spner.scoring.times import score_side_times
from spner.scoring.wer import ErrorCounts

DEFAULTS = Options()


def score(ref: Path, hyp: Path, options: Options = DEFAULTS, *, details: TextIO | None = None) -> Scores:
    """Score one side against another.

    Args:
        ref: the references, any form that :func:`spner.scoring.inputs.read_side` reads.
        hyp: the hypotheses, any such form.
        options: of scoring.
        details: gets one JSON line an utterance, in C order of ids: both sides, and the kind of error of each entity.

    Raises:
        SpnerError: a file is missing or malformed, there is no utterance, or the two sides do not hold the same ones.
    """
    times_file = None if options.utt2reco else _find_times(ref, hyp)
    ref_side = read_side(ref, options.rules, role="ref", with_times=times_file is not None)
    hyp_side = read_hyps(ref_side, hyp, options, with_times=times_file is not None)
    table, account = count_sides(
        ref=ref_side,
        hyp=hyp_side,
        options=options,
        labels=find_labels([hyp_side], options.rules),
        seen=read_seen(options.seen, options.rules),
        details=details,
    )
    speakers = read_speakers(options.utt2spk, ref_side) if options.utt2spk else None
    scores: dict[str, Any] = {
        "schema": SCHEMA,
        "signature": sign(options),
        "num_utts": len(table.rows),
        "gold": options.gold,
        **_format_counts(table),
        "errors": {kind: account.kinds[kind] for kind in KINDS} if account else None,
        "confusion": _format_confusion(account.labels, table.columns.labels) if account else None,
        "illegal_symbols": {"ref": _count_illegal(ref_side), "hyp": _count_illegal(hyp_side)},
        "times": score_side_times(ref=ref_side, hyp=hyp_side, times_file=times_file) if times_file else None,
        "ci95": compute_intervals([table], num_draws=options.num_draws, groups=speakers) if options.num_draws else None,
        "made_with": {
            **describe(options),
            "ref": str(ref),
            "hyp": str(hyp),
            "hyp_fingerprint": _fingerprint_hyps(hyp),
            "decoded": read_decoded(hyp),
        },
    }
    return cast(Scores, scores)


def are_older(made_with: Mapping[str, Any], hyp: Path) -> bool:
    """Whether other hypotheses lie in a place now than those that were scored; times and confidences do not count."""
    known = made_with.get("hyp_fingerprint")
    return known is not None and (hyp / TEXT if hyp.is_dir() else hyp).is_file() and _fingerprint_hyps(hyp) != known


def _fingerprint_hyps(hyp: Path) -> str:
    """Return a digest of the words and entities, whatever the order of the lines."""
    lines = (hyp / TEXT if hyp.is_dir() else hyp).read_bytes().splitlines()
    return hashlib.sha256(b"\n".join(sorted(lines))).hexdigest()


def write_scores(
    out: Path, *, ref: Path, hyp: Path, options: Options = DEFAULTS, experiment: Mapping[str, Any] | None = None
) -> Scores:
    """Do :func:`score`, write its result to ``out`` and the utterances beside it; return the result.

    Args:
        out: JSON file.
        ref: see :func:`score`.
        hyp: see :func:`score`.
        options: of scoring.
        experiment: what made the hypotheses, if it was a recipe.
    """
    with atomic_text(utterances_file(out)) as details:
        scores = score(ref, hyp, options, details=details)
    if experiment is not None:
        scores["made_with"]["experiment"] = dict(experiment)
    write_json(out, scores)
    return scores


def _find_times(ref: Path, hyp: Path) -> Path | None:
    """Return the file of the reference words' times; None if times cannot be scored.

    They can if both sides are folders, or the references a folder's entities file.
    """
    folder, entities = (ref, ENTITIES) if ref.is_dir() else (ref.parent, ref.name)
    if not hyp.is_dir() or entities not in (ENTITIES, GOLD_ENTITIES):
        return None
    return folder / WORD_TIMES if (folder / WORD_TIMES).exists() else None


def _count_illegal(side: Side) -> dict[str, float]:
    return {**dict(sorted(side.illegal.items())), "per_100_utts": 100 * side.illegal.total() / len(side.utterances)}


def _format_counts(table: Table) -> dict[str, Any]:
    """Return the scores that sums of rows determine."""
    columns, totals = table.columns, table.totals()
    scores: dict[str, Any] = {name: _format_errors(name, columns.word_errors(totals, name)) for name in WORD_RATES}
    scores |= {name: _format_matches(columns.matches(totals, name)) for name in MATCHES}
    scores |= {name: _format_missed(columns.missed(totals, name)) for name in MISSES}
    return {name: value if name in table.names else None for name, value in scores.items()}


def _format_errors(name: str, counts: ErrorCounts) -> ErrorRate:
    return {
        "rate": word_rate(counts, name),
        "sub": counts.num_sub,
        "del": counts.num_del,
        "ins": counts.num_ins,
        "num_ref": counts.num_ref,
    }


def _format_missed(counts: EntityErrors) -> MissedRate:
    return {"rate": counts.rate, "errors": counts.num_errors, "num_entities": counts.num_entities}


def _format_matches(counts: dict[str, MatchCounts]) -> MatchScores:
    return {
        "micro": sum_counts(counts).describe(),
        "macro_f1": compute_macro_f1(counts, labels=counts),
        "labels": {label: own.describe() for label, own in counts.items()},
    }


def _format_confusion(cells: Counter[tuple[str, str]], labels: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return the table ``[ref][hyp]``; there is no cell for (O, O)."""
    names = [*labels, NO_LABEL]
    return {ref: {hyp: cells[ref, hyp] for hyp in names if (ref, hyp) != (NO_LABEL, NO_LABEL)} for ref in names}
