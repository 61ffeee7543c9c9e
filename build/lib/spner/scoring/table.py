"""Scores as a table for the terminal: rates rounded to four places, ``-`` where a score is undefined."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from spner.core.searches import format_decoded
from spner.scoring.schema import Comparison, Scores, TimeScores
from spner.text.languages import is_spaceless

REFERENCES = {
    True: "gold",
    False: "pseudo-labels (agreement with the tagger, not accuracy)",
    None: "not stated; say --references gold or pseudo",
}
CHARACTERS_NOTE = "each character is a word (no spaces in this language): WER is a character error rate"
Row = tuple[str, str, Mapping[str, Any] | None]
"""Title, name of its interval, and its numbers."""


def format_table(scores: Scores) -> str:
    """Return the scores, the headline ones with their 95 % intervals; the last line is their signature."""
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
        [_format_times(scores["times"])] if scores["times"] else [],
        [scores["signature"]],
    ]
    return "\n\n".join(
        ["\n".join([format_head(scores), *_format_notes(scores)]), *("\n".join(block) for block in blocks if block)]
    )


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


def _rows(scores: Scores, titles: Mapping[str, str]) -> list[Row]:
    by_name = cast(dict[str, Any], scores)
    return [(title, name, by_name[name]) for name, title in titles.items()]


def _match_rows(scores: Scores) -> list[Row]:
    by_name = cast(dict[str, Any], scores)

    def micro(name: str, title: str) -> Row:
        return title, name, by_name[name] and by_name[name]["micro"]

    labels = ((f"  {label}", f"f1.{label}", numbers) for label, numbers in scores["f1"]["labels"].items())
    seen = [micro("seen", "  seen"), micro("unseen", "  unseen")] if scores["seen"] else []
    others = {"label_f1": "label-F1", "f1_span": "span F1", "f1_aligned": "aligned F1"}
    return [micro("f1", "F1"), *labels, *seen, *(micro(name, title) for name, title in others.items())]


def format_head(scores: Scores | Comparison) -> str:
    """Return the line that says what was scored, and what its references are."""
    return f"{scores['num_utts']} utterances, references: {REFERENCES[scores['gold']]}"


def _format_notes(scores: Scores) -> list[str]:
    notes = []
    if decoded := scores["made_with"]["decoded"]:
        notes.append(f"decoded by {format_decoded(decoded)}")
    if scores["made_with"]["lang"] is None:
        notes.append("words as they are; --lang brings both sides to one form")
    elif is_spaceless(scores["made_with"]["lang"]):
        notes.append(CHARACTERS_NOTE)
    if scores["made_with"]["drop_empty_hyp"]:
        notes.append("utterances with an empty hypothesis are left out of F1 and EER (--drop_empty_hyp)")
    return notes


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


def _format_times(scores: TimeScores) -> str:
    """Return two lines."""
    mae, ece = scores["boundary_mae_s"], scores["ece"]
    errors = ["-" if mean_s is None else f"{1000 * mean_s:.0f} ms" for mean_s in (mae["start"], mae["end"])]
    calibration = ", ".join(f"{kind} {'-' if value is None else f'{value:.4f}'}" for kind, value in ece.items())
    return (
        f"times: frame F1 {scores['frame_f1']['f1']:.4f}, word F1 at overlap 0.9 "
        f"{scores['word_f1']['0.9']['f1']:.4f}, mean error of start {errors[0]}, of end {errors[1]}\n"
        f"expected calibration error: {calibration}"
    )
