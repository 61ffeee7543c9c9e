"""Two sides -> every score, in the JSON form of ``exp/<tag>/score/<set>.json``.

Rates are fractions with full precision, counts beside them; a score that is undefined is None::

    {"num_utts": 120, "gold": true,
     "wer": {"rate": 0.1, "sub": 90, "del": 20, "ins": 10, "num_ref": 1200},
     "cer": {…}, "wer_tagged": {…}, "entity_wer": {…},
     "f1": {"micro": {"precision": …, "recall": …, "f1": …, "tp": …, "fp": …, "fn": …},
            "macro_f1": 0.6, "labels": {"PER": {…}, …}},
     "label_f1": {…}, "f1_span": {…}, "f1_span_text": {…}, "f1_aligned": {…}, "seen": {…}, "unseen": {…},
     "eer": {"rate": 0.3, "errors": 30, "num_entities": 100}, "eer_substr": {…},
     "errors": {"correct": 70, "wrong_label": 5, "wrong_boundary": 5, "misspelt": 9, "missed": 11, "spurious": 8},
     "confusion": {"PER": {"PER": 40, "ORG": 2, "LOC": 0, "O": 3}, …, "O": {"PER": 4, …}},
     "illegal_symbols": {"ref": {"per_100_utts": 0.0}, "hyp": {"unclosed": 2, "per_100_utts": 1.67}},
     "times": {"frame_f1": {…}, …},
     "ci95": {"wer": [0.08, 0.12], "f1": [0.65, 0.78], "f1.PER": […], …},
     "made_with": {…}}

``times`` is :func:`spner.scoring.times.score_folder_times`, of folders whose words carry seconds on both sides.
``O`` in the confusion table stands for no entity: what was missed, and what is spurious.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TextIO

import numpy as np

from spner.core.datatypes import Transcript
from spner.core.errors import SpnerError
from spner.core.files import atomic_text, write_json
from spner.core.paths import ANNOTATE_RECORD, ENTITIES, GOLD_ENTITIES, utterances_file
from spner.core.progress import Progress
from spner.core.provenance import collect_versions, git_commit
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
from spner.scoring.significance import SEED, compute_intervals
from spner.scoring.times import score_folder_times
from spner.scoring.wer import ErrorCounts

NUM_DRAWS = 1000


@dataclass(frozen=True)
class Options:
    """What is scored how; ``spner score --help`` describes each.

    Attributes:
        rules: how both sides are read.
        seen: the training entities, any form that :func:`spner.scoring.inputs.read_side` reads.
        num_draws: of the bootstrap; 0 leaves the intervals out.
        utt2spk: Kaldi's table; the bootstrap draws speakers instead of utterances.
        drop_empty_hyp: leave utterances with an empty hypothesis out of F1 and EER, as the paper did, not of the WER.
    """

    rules: Rules = field(default_factory=Rules)
    seen: Path | None = None
    num_draws: int = NUM_DRAWS
    utt2spk: Path | None = None
    drop_empty_hyp: bool = False


@dataclass
class Account:
    """What went wrong with the entities of a corpus, by kind and by label."""

    kinds: Counter[str]
    labels: Counter[tuple[str, str]]

    def add(self, errors: Sequence[EntityError], *, ref: AnyTranscript, hyp: AnyTranscript) -> None:
        """Add one utterance."""
        self.kinds.update(error.kind for error in errors)
        self.labels.update(label_pairs(errors, ref=labels_of(ref), hyp=labels_of(hyp)))


DEFAULTS = Options()


def score(ref: Path, hyp: Path, options: Options = DEFAULTS, *, details: TextIO | None = None) -> dict[str, Any]:
    """Score one side against another; the form of the result is in the module's docstring.

    Args:
        ref: the references, any form that :func:`spner.scoring.inputs.read_side` reads.
        hyp: the hypotheses, any such form.
        options: how.
        details: gets one JSON line an utterance, in C order of ids: both sides, and what went wrong with each entity.

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
    return {
        "num_utts": num_utts,
        "gold": is_gold(ref),
        **_format_counts(table),
        "errors": {kind: account.kinds[kind] for kind in KINDS} if account else None,
        "confusion": _format_confusion(account.labels, table.columns.labels) if account else None,
        "illegal_symbols": {
            role: {**dict(sorted(side.illegal.items())), "per_100_utts": 100 * side.illegal.total() / num_utts}
            for role, side in (("ref", ref_side), ("hyp", hyp_side))
        },
        "times": _score_times(ref, hyp, options.rules),
        "ci95": compute_intervals([table], num_draws=options.num_draws, groups=speakers) if options.num_draws else None,
        "made_with": describe(options) | {"ref": str(ref), "hyp": str(hyp)},
    }


def write_scores(
    out: Path, *, ref: Path, hyp: Path, options: Options = DEFAULTS, about: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """Do :func:`score`, write its result to ``out`` and the utterances beside it; return the result.

    Args:
        out: JSON file.
        ref: see :func:`score`.
        hyp: see :func:`score`.
        options: how.
        about: what else the scores were made with.
    """
    with atomic_text(utterances_file(out)) as details:
        scores = score(ref, hyp, options, details=details)
    scores["made_with"] |= about
    write_json(out, scores)
    return scores


def _score_times(ref: Path, hyp: Path, rules: Rules) -> dict[str, Any] | None:
    """Return the scores of times; they know nothing of renamed labels and of those left out."""
    folder, entities = (ref, ENTITIES) if ref.is_dir() else (ref.parent, ref.name)
    if not hyp.is_dir() or entities not in (ENTITIES, GOLD_ENTITIES) or rules.mapping or rules.discard:
        return None
    return score_folder_times(ref=folder, hyp=hyp, ref_entities=entities)


def is_gold(ref: Path) -> bool:
    """Whether references are true entities: all are but those that stage 2's tagger wrote, beside its record."""
    folder = ref if ref.is_dir() else ref.parent
    return not ((ref.is_dir() or ref.name == ENTITIES) and (folder / ANNOTATE_RECORD).exists())


def describe(options: Options) -> dict[str, Any]:
    """Return what a score was made with."""
    rules = options.rules
    return {
        "commit": git_commit(),
        "versions": collect_versions(("numpy", "rapidfuzz")),
        "lang": rules.lang,
        "labels": list(rules.labels),
        "map": dict(rules.mapping),
        "discard": sorted(rules.discard),
        "policy": rules.policy,
        "seen": str(options.seen) if options.seen else None,
        "bootstrap": options.num_draws,
        "bootstrap_seed": SEED,
        "by_speaker": str(options.utt2spk) if options.utt2spk else None,
        "drop_empty_hyp": options.drop_empty_hyp,
    }


def read_seen(options: Options) -> frozenset[Key] | None:
    """Return the ``(label, phrase)`` of the training entities; None where none are given."""
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
    """Return the scored labels in their order, then those that are not configured but were heard."""
    heard = {label for side in sides for transcript in side.utterances.values() for label in labels_of(transcript)}
    return [*rules.scored_labels, *sorted(heard.difference(rules.labels))]


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
        options: how.
        labels: of the table; see :func:`find_labels`.
        seen: see :func:`read_seen`.
        details: gets the utterances; see :func:`score`.

    Returns:
        the table, and the account of the entities, None where positions are not known.
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


def _format_errors(name: str, counts: ErrorCounts) -> dict[str, Any]:
    return {
        "rate": word_rate(counts, name),
        "sub": counts.num_sub,
        "del": counts.num_del,
        "ins": counts.num_ins,
        "num_ref": counts.num_ref,
    }


def _format_missed(counts: EntityErrors) -> dict[str, Any]:
    return {"rate": counts.rate, "errors": counts.num_errors, "num_entities": counts.num_entities}


def _format_matches(counts: dict[str, MatchCounts]) -> dict[str, Any]:
    return {
        "micro": sum_counts(counts).describe(),
        "macro_f1": compute_macro_f1(counts, labels=counts),
        "labels": {label: own.describe() for label, own in counts.items()},
    }


def _format_confusion(cells: Counter[tuple[str, str]], labels: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return the table ``[ref][hyp]``; what no side has is no cell."""
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
