"""The rows, intervals and shares that the report page draws; positions are percent of a width.

Every score is drawn on one scale, from 0 to 1, so that any two tracks of a page can be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from spner.report.paired import PairedTests
from spner.report.scored import METRICS, OVERVIEW, Metric, Rate, Scored
from spner.scoring.errors import KINDS, NO_LABEL
from spner.scoring.significance import FEWEST_ENTITIES, SIGNIFICANT

OF_WORDS = ("WER", "CER", "tagged WER")
"""Metrics that rest on all words; the others rest on entities."""


@dataclass(frozen=True)
class Cell:
    """One experiment's score: written, and drawn from 0 (left) to 1 (right)."""

    text: str
    interval: str
    """``0.123 to 0.145``, or empty."""
    notes: tuple[str, ...]
    place: float | None
    low: float | None
    high: float | None
    beyond: bool
    """Whether the score is over 1, as a WER can be; it is drawn at 1."""
    best: bool
    """Whether it is the best, and differs from the next best at p < 0.05."""
    p: str
    """The p-value between the best, which this is, and the next best; else empty."""


@dataclass(frozen=True)
class Row:
    """One metric or label over all experiments."""

    title: str
    lower_is_better: bool
    cells: list[Cell]


def count_entities(group: Sequence[Scored]) -> int:
    """Return the number of entities in the references of a set's experiments: the fewest, should they differ."""
    return min(sum(label.num_ref for label in one.labels.values()) for one in group)


def overview_rows(group: Sequence[Scored], tests: PairedTests | None = None) -> list[Row]:
    """Return the rows of ``OVERVIEW``, undefined scores included; without tests, nothing is marked."""
    metrics = {metric.title: metric for metrics in METRICS.values() for metric in metrics}
    return [_metric_row(metrics[title], group, tests) for title in OVERVIEW]


def score_groups(group: Sequence[Scored], tests: PairedTests | None = None) -> list[tuple[str, list[Row]]]:
    """Return the score table's rows by group; a metric that no experiment has is left out."""
    groups = [
        (
            title,
            [
                _metric_row(metric, group, tests)
                for metric in metrics
                if any(one.rates[metric.title].value is not None for one in group)
            ],
        )
        for title, metrics in METRICS.items()
    ]
    return [(title, rows) for title, rows in groups if rows]


def label_rows(group: Sequence[Scored], tests: PairedTests | None = None) -> list[Row]:
    """Return F1 by label; precision, recall and the mentions in the references are the cells' notes."""
    rows = []
    for label in dict.fromkeys(label for one in group for label in one.labels):
        scores = [one.labels.get(label) for one in group]
        notes = [
            (f"precision {s.precision:.3f}", f"recall {s.recall:.3f}", f"{s.num_ref:,} mentions") if s else ()
            for s in scores
        ]
        enough = min((s.num_ref for s in scores if s), default=0) >= FEWEST_ENTITIES
        rates = [s.f1 if s else Rate(None) for s in scores]
        rows.append(_row(label, rates, f"f1.{label}", tests, enough=enough, notes=notes))
    return rows


def _metric_row(metric: Metric, group: Sequence[Scored], tests: PairedTests | None) -> Row:
    enough = metric.title in OF_WORDS or count_entities(group) >= FEWEST_ENTITIES
    rates = [one.rates[metric.title] for one in group]
    return _row(metric.title, rates, metric.interval, tests, enough=enough, lower_is_better=metric.lower_is_better)


def _row(
    title: str,
    rates: Sequence[Rate],
    score: str,
    tests: PairedTests | None,
    *,
    enough: bool,
    lower_is_better: bool = False,
    notes: Sequence[tuple[str, ...]] = (),
) -> Row:
    """Return a row; ``enough``: whether it rests on enough entities to call one experiment better."""
    order = sorted(
        (number for number, rate in enumerate(rates) if rate.value is not None),
        key=lambda number: (rates[number].value or 0.0) * (1 if lower_is_better else -1),
    )
    differ = len(order) > 1 and rates[order[0]].value != rates[order[1]].value
    p = tests.p(order[0], order[1], score) if tests and differ else None
    cells = [
        Cell(
            text="–" if rate.value is None else f"{rate.value:.3f}",
            interval="" if rate.low is None else f"{rate.low:.3f} to {rate.high:.3f}",
            notes=note,
            place=_place(rate.value),
            low=_place(rate.low),
            high=_place(rate.high),
            beyond=rate.value is not None and rate.value > 1,
            best=number == order[0] and enough and p is not None and p < SIGNIFICANT if order else False,
            p=f"{p:.3f}" if p is not None and number == order[0] else "",
        )
        for number, (rate, note) in enumerate(zip(rates, notes or [()] * len(rates), strict=True))
    ]
    return Row(title, lower_is_better, cells)


def _place(number: float | None) -> float | None:
    """Return a fraction in percent of the scale, which ends at 1."""
    return None if number is None else round(100 * min(number, 1), 2)


@dataclass(frozen=True)
class Share:
    """A part of a stacked bar."""

    kind: str
    count: int
    percent: float


def error_bar(one: Scored) -> list[Share]:
    """Return the mentions by error kind, in the order of ``KINDS``; nothing where there are no mentions."""
    total = sum(one.errors.values())
    return [Share(k, one.errors.get(k, 0), round(100 * one.errors.get(k, 0) / total, 1)) for k in KINDS if total]


@dataclass(frozen=True)
class Confusion:
    """Counts ``[ref][hyp]``; every cell has its share of the row in percent, which colours it."""

    labels: list[str]
    rows: list[tuple[str, list[tuple[int, float]]]]


def confusion_table(one: Scored) -> Confusion | None:
    """Return the label confusion with ``O`` last on both sides; None where there is none."""
    found = {*one.confusion, *(hyp for row in one.confusion.values() for hyp in row)}
    if not found:
        return None
    labels = [*(label for label in one.labels if label in found), *sorted(found.difference(one.labels, {NO_LABEL}))]
    labels.append(NO_LABEL)
    rows = []
    for ref in labels:
        counts = [one.confusion.get(ref, {}).get(hyp, 0) for hyp in labels]
        total = sum(counts) or 1
        rows.append((ref, [(count, round(100 * count / total, 1)) for count in counts]))
    return Confusion(labels, rows)
