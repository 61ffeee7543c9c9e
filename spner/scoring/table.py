"""Scores as a table for the terminal: rates rounded to four places, ``-`` where a score is undefined."""

from collections.abc import Mapping, Sequence
from typing import Any

from spner.scoring.times import format_times

Row = tuple[str, str, Mapping[str, Any] | None]
"""Title, name of its interval, and its numbers."""


def format_table(scores: dict[str, Any]) -> str:
    """Return the scores of :func:`spner.scoring.score.score`, the headline ones with their 95 % intervals."""
    intervals = scores["ci95"] or {}
    words = _rows(scores, {"wer": "WER", "cer": "CER", "wer_tagged": "tagged WER", "entity_wer": "entity WER"})
    mentions = _rows(scores, {"eer": "EER", "eer_substr": "EER, substring"})
    blocks = [
        format_columns(words, {"rate": "rate", "sub": "sub", "del": "del", "ins": "ins", "num_ref": "of"}, intervals),
        format_columns(mentions, {"rate": "rate", "errors": "missed", "num_entities": "of"}, intervals),
        format_columns(
            _match_rows(scores),
            {"precision": "P", "recall": "R", "f1": "F1", "tp": "TP", "fp": "FP", "fn": "FN"},
            intervals,
        ),
        _format_kinds(scores["errors"]),
        _format_illegal(scores["illegal_symbols"]),
        [format_times(scores["times"])] if scores["times"] else [],
    ]
    return "\n\n".join(["\n".join(_format_head(scores)), *("\n".join(block) for block in blocks if block)])


def format_columns(rows: Sequence[Row], columns: Mapping[str, str], intervals: Mapping[str, Any]) -> list[str]:
    """Return a header and the rows: titles to the left, the columns (key -> title) and the intervals to the right."""
    lines = [[*columns.values(), "95 % interval" if intervals else ""]]
    for _, name, numbers in rows:
        bounds = intervals.get(name)
        cells = [format_number(numbers[key]) if numbers else "-" for key in columns]
        lines.append([*cells, "-".join(f"{bound:.4f}" for bound in bounds) if bounds else ""])
    titles = ["", *(title for title, _, _ in rows)]
    return [
        f"{title:14}{''.join(f'{cell:>9}' for cell in cells)}  {interval:>13}".rstrip()
        for title, (*cells, interval) in zip(titles, lines, strict=True)
    ]


def format_number(value: float | None) -> str:
    """Return a rate with four places, a count as it is, and ``-`` for what is undefined."""
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _rows(scores: dict[str, Any], titles: Mapping[str, str]) -> list[Row]:
    return [(title, name, scores[name]) for name, title in titles.items()]


def _match_rows(scores: dict[str, Any]) -> list[Row]:
    def micro(name: str, title: str) -> Row:
        return title, name, scores[name] and scores[name]["micro"]

    labels = ((f"  {label}", f"f1.{label}", numbers) for label, numbers in scores["f1"]["labels"].items())
    seen = [micro("seen", "  seen"), micro("unseen", "  unseen")] if scores["seen"] else []
    others = {"label_f1": "label-F1", "f1_span": "span F1", "f1_aligned": "aligned F1"}
    return [micro("f1", "F1"), *labels, *seen, *(micro(name, title) for name, title in others.items())]


def _format_head(scores: dict[str, Any]) -> list[str]:
    references = "gold" if scores["gold"] else "pseudo-labels (agreement with the tagger, not accuracy)"
    head = [f"{scores['num_utts']} utterances, references: {references}"]
    if scores["made_with"]["lang"] is None:
        head.append("words as they are; --lang brings both sides to one form")
    if scores["made_with"]["drop_empty_hyp"]:
        head.append("utterances with an empty hypothesis are left out of F1 and EER (--drop_empty_hyp)")
    return head


def _format_kinds(errors: dict[str, int] | None) -> list[str]:
    kinds = [f"{kind.replace('_', ' ')} {count}" for kind, count in (errors or {}).items()]
    return [f"entities: {', '.join(kinds)}"] if kinds else []


def _format_illegal(illegal: dict[str, dict[str, float]]) -> list[str]:
    rates = {"hypotheses": illegal["hyp"]["per_100_utts"], "references": illegal["ref"]["per_100_utts"]}
    return [
        f"illegal entity symbols per 100 {role}: {rate:.1f}"
        for role, rate in rates.items()
        if rate or role == "hypotheses"
    ]
