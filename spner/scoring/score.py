"""Every score of hypotheses against references, in the form of :class:`spner.scoring.schema.Scores`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np

from spner.core.datatypes import Transcript
from spner.core.errors import SpnerError
from spner.core.files import atomic_text, write_json
from spner.core.paths import ENTITIES, GOLD_ENTITIES, utterances_file
from spner.core.progress import Progress
from spner.data.datadir import json_line, read_table
from spner.scoring.counts import (
    MATCHES,
    MISSES,
    POSITIONAL,
    WORD_RATES,
    Columns,
    Table,
    UtteranceCounter,
    sum_counts,
    word_rate,
)
from spner.scoring.errors import KINDS, NO_LABEL, EntityError, label_pairs
from spner.scoring.inputs import (
    AnyTranscript,
    Rules,
    Side,
    count_mentions,
    labels_of,
    read_side,
    require_same_utterances,
)
from spner.scoring.ner import EntityErrors, Key, MatchCounts, compute_macro_f1
from spner.scoring.options import Options, describe, sign
from spner.scoring.schema import SCHEMA, ErrorRate, MatchScores, MissedRate, Scores, TimeScores
from spner.scoring.significance import compute_intervals
from spner.scoring.times import score_folder_times
from spner.scoring.wer import ErrorCounts


@dataclass
class Account:
    """The errors of a corpus's entities, by kind and by label."""

    kinds: Counter[str]
    labels: Counter[tuple[str, str]]

    def add(self, errors: Sequence[EntityError], *, ref: AnyTranscript, hyp: AnyTranscript) -> None:
        """Add one utterance."""
        self.kinds.update(error.kind for error in errors)
        self.labels.update(label_pairs(errors, ref=labels_of(ref), hyp=labels_of(hyp)))


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
    ref_side, hyp_side = (read_side(path, options.rules, role=role) for path, role in ((ref, "ref"), (hyp, "hyp")))
    require_same_utterances(ref=ref_side, hyp=hyp_side)
    seen = read_seen(options)
    table, account = count_sides(
        ref=ref_side,
        hyp=hyp_side,
        options=options,
        labels=find_labels([hyp_side], options.rules),
        seen=seen,
        details=details,
    )
    speakers = read_speakers(options.utt2spk, ref_side) if options.utt2spk else None
    num_utts = len(ref_side.utterances)
    scores: dict[str, Any] = {
        "schema": SCHEMA,
        "signature": sign(options),
        "num_utts": num_utts,
        "gold": options.gold,
        **_format_counts(table),
        "errors": {kind: account.kinds[kind] for kind in KINDS} if account else None,
        "confusion": _format_confusion(account.labels, table.columns.labels) if account else None,
        "illegal_symbols": {
            role: {**dict(sorted(side.illegal.items())), "per_100_utts": 100 * side.illegal.total() / num_utts}
            for role, side in (("ref", ref_side), ("hyp", hyp_side))
        },
        "times": _score_times(ref, hyp, options.rules),
        "ci95": compute_intervals([table], num_draws=options.num_draws, groups=speakers) if options.num_draws else None,
        "made_with": {**describe(options), "ref": str(ref), "hyp": str(hyp)},
    }
    return cast(Scores, scores)


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


def _score_times(ref: Path, hyp: Path, rules: Rules) -> TimeScores | None:
    """Return the scores of times; None with renamed or discarded labels, which they do not support."""
    folder, entities = (ref, ENTITIES) if ref.is_dir() else (ref.parent, ref.name)
    if not hyp.is_dir() or entities not in (ENTITIES, GOLD_ENTITIES) or rules.mapping or rules.discard:
        return None
    return score_folder_times(ref=folder, hyp=hyp, ref_entities=entities)


def read_seen(options: Options) -> frozenset[Key] | None:
    """Return the ``(label, phrase)`` of the training entities; None if none are given."""
    if options.seen is None:
        return None
    return frozenset(count_mentions(read_side(options.seen, options.rules, role="ref")))


def read_speakers(utt2spk: Path, ref: Side) -> list[str]:
    """Return the speaker of each utterance, in the order of the table's rows.

    Raises:
        SpnerError: an utterance has no speaker.
    """
    speakers = read_table(utt2spk)
    for utt_id in ref.utterances:
        if utt_id not in speakers:
            raise SpnerError(
                f'{utt2spk}: utterance "{utt_id}" of {ref.where(utt_id)} is missing (expected <utt_id> '
                "<spk_id> of every utterance)"
            )
    return [speakers[utt_id] for utt_id in sorted(ref.utterances)]


def find_labels(sides: Sequence[Side], rules: Rules) -> list[str]:
    """Return the scored labels in their order, then those of hypotheses that are not configured."""
    found = {label for side in sides for transcript in side.utterances.values() for label in labels_of(transcript)}
    return [*rules.scored_labels, *sorted(found.difference(rules.labels))]


def count_sides(
    *,
    ref: Side,
    hyp: Side,
    options: Options,
    labels: Sequence[str],
    seen: frozenset[Key] | None,
    details: TextIO | None = None,
) -> tuple[Table, Account | None]:
    """Count every utterance, in C order of ids.

    Args:
        ref: the references.
        hyp: the hypotheses, of the same utterances.
        options: of scoring.
        labels: of the table; see :func:`find_labels`.
        seen: see :func:`read_seen`.
        details: gets the utterances; see :func:`score`.

    Returns:
        the table, and the account of the entities, None if positions are not known.
    """
    transcripts = [*ref.utterances.values(), *hyp.utterances.values()]
    positional = all(isinstance(transcript, Transcript) for transcript in transcripts)
    columns = Columns(labels)
    counter = UtteranceCounter(columns, positional=positional, seen=seen, drop_empty_hyp=options.drop_empty_hyp)
    rows = np.empty((len(ref.utterances), columns.width), dtype=np.int32)
    account = Account(Counter(), Counter())
    with Progress(len(rows), what="score", unit="utterances") as progress:
        for number, utt_id in enumerate(sorted(ref.utterances)):
            rows[number], errors = counter.count(utt_id, ref=ref, hyp=hyp)
            if errors:
                account.add(errors, ref=ref.utterances[utt_id], hyp=hyp.utterances[utt_id])
            if details:
                details.write(_format_utterance(utt_id, ref.utterances[utt_id], hyp.utterances[utt_id], errors))
            progress.update()
    undefined = {*(() if positional else POSITIONAL), *(("seen", "unseen") if seen is None else ())}
    names = frozenset({*WORD_RATES, *MATCHES, *MISSES} - undefined)
    return Table(columns, rows, names), account if positional else None


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


def _format_utterance(utt_id: str, ref: AnyTranscript, hyp: AnyTranscript, errors: Sequence[EntityError]) -> str:
    def side(transcript: AnyTranscript) -> dict[str, Any]:
        if isinstance(transcript, Transcript):
            entities = [{"label": e.label, "start": e.start, "end": e.end} for e in transcript.entities]
        else:
            entities = [{"label": label, "phrase": phrase} for label, phrase in transcript.mentions]
        return {"words": transcript.words, "entities": entities}

    kinds = [{"kind": error.kind, "ref": error.ref, "hyp": error.hyp} for error in errors]
    return json_line({"utt_id": utt_id, "ref": side(ref), "hyp": side(hyp), "errors": kinds})
