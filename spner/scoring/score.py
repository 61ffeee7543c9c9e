"""Two folders of transcripts -> every score, in the JSON form of ``exp/<tag>/score/<set>.json``.

Rates are fractions with full precision, counts beside them; a score that is undefined is None::

    {"num_utts": 120, "gold": true,
     "wer": {"rate": 0.1, "sub": 90, "del": 20, "ins": 10, "num_ref": 1200}, "cer": {…}, "wer_tagged": {…},
     "f1": {"micro": {"precision": …, "recall": …, "f1": …, "tp": …, "fp": …, "fn": …},
            "macro_f1": 0.6, "labels": {"PER": {…}, …}},
     "label_f1": {…}, "f1_span": {…}, "f1_span_text": {…},
     "eer": {"rate": 0.3, "errors": 30, "num_entities": 100}, "eer_substr": {…},
     "illegal_symbols": {"hyp": {"unclosed": 2, "per_100_utts": 1.67}}}
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spner.datadir import read_entities, read_table
from spner.datatypes import LABELS, Annotated
from spner.errors import SpnerError
from spner.paths import ENTITIES, GOLD_ENTITIES, TEXT
from spner.scoring.ner import (
    MATCHINGS,
    EntityErrors,
    MatchCounts,
    Pair,
    compute_macro_f1,
    count_entity_errors,
    count_entity_errors_substr,
    count_matches,
    discard_labels,
)
from spner.scoring.wer import ErrorCounts, count_errors
from spner.tags import entity_symbols, spans_to_text, text_to_spans
from spner.textnorm import normalise, normalise_annotated

logger = logging.getLogger(__name__)

MADE_BY = {ENTITIES: "stage 2", GOLD_ENTITIES: "stage 1"}


@dataclass(frozen=True)
class Transcripts:
    """The utterances of one side by id, in the order of their file."""

    file: Path
    annotated: dict[str, Annotated]
    tagged: dict[str, list[str]]
    """Words and entity symbols; a hypothesis keeps its illegal symbols."""
    illegal: Counter[str]


def score_folders(
    *,
    ref: Path,
    hyp: Path,
    gold: bool,
    lang: str | None,
    ref_entities: str = ENTITIES,
    labels: Sequence[str] = LABELS,
    discard: Collection[str] = (),
) -> dict[str, Any]:
    """Score a decode folder against a data folder; the form of the result is in the module's docstring.

    Args:
        ref: folder with the entities file; its words are the reference transcripts.
        hyp: folder with ``text`` (tagged) and ``entities.jsonl``.
        gold: whether the references are true entities rather than pseudo-labels.
        lang: both sides are normalised for this language; None takes the words as they are.
        ref_entities: name of the entities file in ``ref``.
        labels: the configured labels; an entity with another one is an error and is warned of.
        discard: labels that are left out on both sides.

    Raises:
        SpnerError: a file is missing or malformed, there is no utterance, or the two sides do not hold the same ones.
    """
    ref_side = read_ref(ref / ref_entities, lang=lang)
    hyp_side = read_hyp(hyp, lang=lang, labels=labels)
    require_same_utterances(ref=ref_side, hyp=hyp_side)
    labels = [label for label in labels if label not in discard]
    pairs = [
        Pair(ref=discard_labels(annotated, discard), hyp=discard_labels(hyp_side.annotated[utt_id], discard))
        for utt_id, annotated in ref_side.annotated.items()
    ]
    _warn_of_unknown_labels(ref_side.file, (pair.ref for pair in pairs), labels)
    _warn_of_unknown_labels(hyp_side.file, (pair.hyp for pair in pairs), labels)
    tagged = [(tokens, hyp_side.tagged[utt_id]) for utt_id, tokens in ref_side.tagged.items()]
    per_100_utts = 100 * hyp_side.illegal.total() / len(pairs)
    return {
        "num_utts": len(pairs),
        "gold": gold,
        **score_pairs(pairs, labels=labels),
        "wer_tagged": _error_rate(count_errors(ref=r, hyp=h) for r, h in tagged),
        "illegal_symbols": {"hyp": {**dict(sorted(hyp_side.illegal.items())), "per_100_utts": per_100_utts}},
    }


def score_pairs(pairs: Sequence[Pair], *, labels: Sequence[str]) -> dict[str, Any]:
    """Return the scores that words and entities determine, in the form of the module's docstring."""
    words = (count_errors(ref=pair.ref.words, hyp=pair.hyp.words) for pair in pairs)
    chars = (count_errors(ref=" ".join(pair.ref.words), hyp=" ".join(pair.hyp.words)) for pair in pairs)
    return {
        "wer": _error_rate(words),
        "cer": _error_rate(chars),
        **{name: _match_scores(count_matches(pairs, matching=name), labels) for name in MATCHINGS},
        "eer": _entity_error_rate(map(count_entity_errors, pairs)),
        "eer_substr": _entity_error_rate(map(count_entity_errors_substr, pairs)),
    }


def read_ref(file: Path, *, lang: str | None) -> Transcripts:
    """Read reference words and entities in canonical form.

    Raises:
        SpnerError: the file is missing, malformed or without any utterance.
    """
    annotated = read_entities(file, made_by=MADE_BY.get(file.name, "stage 2"))
    if not annotated:
        raise SpnerError(f"{file}: holds no utterance (expected at least one to score); rerun stages 1 and 2")
    annotated = {utt_id: _canonical(utterance, lang) for utt_id, utterance in annotated.items()}
    tagged = {utt_id: spans_to_text(utterance).split() for utt_id, utterance in annotated.items()}
    return Transcripts(file, annotated, tagged, Counter())


def read_hyp(folder: Path, *, lang: str | None, labels: Sequence[str] = LABELS) -> Transcripts:
    """Read hypotheses in canonical form: words and entities, and the tagged text with its illegal symbols.

    A line of ``text`` without any symbol (a text tagger's hypothesis) is tagged from ``entities.jsonl``.

    Raises:
        SpnerError: a file is missing or malformed, or ``text`` and ``entities.jsonl`` disagree on ids or words.
    """
    file = folder / TEXT
    texts = read_table(file, made_by="stage 5")
    entities = read_entities(folder / ENTITIES, made_by="stage 5")
    _require_same_ids(file, texts, folder / ENTITIES, entities)
    unknown = {e.label for utterance in entities.values() for e in utterance.entities}.difference(labels)
    labels = [*labels, *sorted(unknown)]
    symbols = frozenset(entity_symbols(labels))
    annotated: dict[str, Annotated] = {}
    tagged: dict[str, list[str]] = {}
    illegal: Counter[str] = Counter()
    for line_number, (utt_id, text) in enumerate(texts.items(), start=1):
        tokens = text.split()
        reading = text_to_spans(tokens, labels=labels)
        if reading.annotated.words != entities[utt_id].words:
            raise SpnerError(f'{file}:{line_number}: the words of "{utt_id}" are not those of {folder / ENTITIES} '
                             "(expected the same words in both files); rerun stage 5")
        illegal += reading.illegal
        annotated[utt_id] = _canonical(entities[utt_id], lang)
        if symbols.isdisjoint(tokens):
            tagged[utt_id] = spans_to_text(annotated[utt_id]).split()
        else:
            tagged[utt_id] = _canonical_tokens(tokens, symbols, lang)
    return Transcripts(file, annotated, tagged, illegal)


def require_same_utterances(*, ref: Transcripts, hyp: Transcripts) -> None:
    """Refuse to score a part of the utterances: both sides must hold the same ids.

    Raises:
        SpnerError: an utterance has no hypothesis or no reference; the message gives file and line.
    """
    _require_same_ids(ref.file, ref.annotated, hyp.file, hyp.annotated)


def _require_same_ids(file: Path, ids: Collection[str], other_file: Path, other_ids: Collection[str]) -> None:
    for here, known, there, expected in ((file, ids, other_file, other_ids), (other_file, other_ids, file, ids)):
        extra = [(number, utt_id) for number, utt_id in enumerate(known, start=1) if utt_id not in expected]
        if extra:
            number, utt_id = extra[0]
            others = f", nor are {len(extra) - 1} more" if extra[1:] else ""
            raise SpnerError(f'{here}:{number}: utterance "{utt_id}" is not in {there}{others} (expected the same '
                             "utterances in both, an empty line for an empty hypothesis); rerun stage 5")


def _canonical(annotated: Annotated, lang: str | None) -> Annotated:
    return annotated if lang is None else normalise_annotated(annotated, lang)


def _canonical_tokens(tokens: Iterable[str], symbols: Collection[str], lang: str | None) -> list[str]:
    """Normalise the words among the tokens; symbols stay."""
    if lang is None:
        return list(tokens)
    return [
        piece for token in tokens for piece in ([token] if token in symbols else normalise(token, lang).split())
    ]


def _warn_of_unknown_labels(file: Path, utterances: Iterable[Annotated], labels: Collection[str]) -> None:
    unknown = Counter(e.label for utterance in utterances for e in utterance.entities if e.label not in labels)
    if unknown:
        found = ", ".join(f"{label} {count}" for label, count in sorted(unknown.items()))
        logger.warning(
            "%s: %d entities have labels that are not configured (%s); expected %s; each counts as an error",
            file, unknown.total(), found, ", ".join(labels),
        )  # fmt: skip


def _error_rate(counts: Iterable[ErrorCounts]) -> dict[str, Any]:
    total = sum(counts, ErrorCounts())
    return {"rate": total.rate, "sub": total.num_sub, "del": total.num_del, "ins": total.num_ins,
            "num_ref": total.num_ref}  # fmt: skip


def _entity_error_rate(counts: Iterable[EntityErrors]) -> dict[str, Any]:
    total = sum(counts, EntityErrors())
    return {"rate": total.rate, "errors": total.num_errors, "num_entities": total.num_entities}


def _match_scores(counts: dict[str, MatchCounts], labels: Sequence[str]) -> dict[str, Any]:
    unknown = [label for label in counts if label not in labels]
    return {
        "micro": _prf(sum(counts.values(), MatchCounts())),
        "macro_f1": compute_macro_f1(counts, labels=labels),
        "labels": {label: _prf(counts.get(label, MatchCounts())) for label in [*labels, *unknown]},
    }


def _prf(counts: MatchCounts) -> dict[str, Any]:
    return {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1,
            "tp": counts.tp, "fp": counts.fp, "fn": counts.fn}  # fmt: skip


def format_table(scores: dict[str, Any]) -> str:
    """Return the scores as a short table for the terminal; rates are rounded to four places, ``-`` is undefined."""
    references = "gold" if scores["gold"] else "pseudo-labels (agreement with the tagger, not accuracy)"
    words = [("WER", scores["wer"]), ("CER", scores["cer"]), ("tagged WER", scores["wer_tagged"])]
    mentions = [("EER", scores["eer"]), ("EER, substring", scores["eer_substr"])]
    entities = [
        ("F1", scores["f1"]["micro"]),
        *((f"  {label}", counts) for label, counts in scores["f1"]["labels"].items()),
        ("label-F1", scores["label_f1"]["micro"]),
        ("span F1", scores["f1_span"]["micro"]),
    ]
    return "\n".join([
        f"{scores['num_utts']} utterances, references: {references}",
        "",
        *_align(words, {"rate": "rate", "sub": "sub", "del": "del", "ins": "ins", "num_ref": "of"}),
        "",
        *_align(mentions, {"rate": "rate", "errors": "missed", "num_entities": "of"}),
        "",
        *_align(entities, {"precision": "P", "recall": "R", "f1": "F1", "tp": "TP", "fp": "FP", "fn": "FN"}),
        "",
        f"illegal entity symbols per 100 hypotheses: {scores['illegal_symbols']['hyp']['per_100_utts']:.1f}",
    ])  # fmt: skip


def _align(rows: list[tuple[str, dict[str, Any]]], columns: dict[str, str]) -> list[str]:
    """Return a header and the rows: names to the left, the columns (key -> title) to the right."""
    cells = [["", *columns.values()]] + [[name, *(_cell(row[key]) for key in columns)] for name, row in rows]
    return [f"{name:14}" + "".join(f"{cell:>9}" for cell in numbers) for name, *numbers in cells]


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
