"""Reads experiment folders and scores files, and checks the numbers that the report page shows.

An experiment is what one search decoded: ``score/<search>/<set>.json`` of a folder (stage 6), or one JSON file that
``spner score --out`` wrote.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from spner.core.errors import SpnerError
from spner.core.paths import CURVES, SCORE, decode_dir
from spner.core.searches import format_decoded
from spner.report.markdown import list_scores
from spner.scoring.schema import read_scores
from spner.scoring.score import are_older


@dataclass(frozen=True)
class Metric:
    """A number of a scores file that the page shows."""

    title: str
    place: tuple[str, ...]
    """The keys that lead to it."""
    interval: str
    """Its name in ``ci95``."""
    lower_is_better: bool = False


METRICS = {
    "Words": (
        Metric("WER", ("wer", "rate"), "wer", True),
        Metric("CER", ("cer", "rate"), "cer", True),
        Metric("tagged WER", ("wer_tagged", "rate"), "wer_tagged", True),
        Metric("entity WER", ("entity_wer", "rate"), "entity_wer", True),
    ),
    "Names in the transcript, whatever their label": (
        Metric("EER", ("eer", "rate"), "eer", True),
        Metric("EER, substring", ("eer_substr", "rate"), "eer_substr", True),
    ),
    "Entities": (
        Metric("F1", ("f1", "micro", "f1"), "f1"),
        Metric("precision", ("f1", "micro", "precision"), "precision"),
        Metric("recall", ("f1", "micro", "recall"), "recall"),
        Metric("macro F1", ("f1", "macro_f1"), "macro_f1"),
        Metric("label-F1", ("label_f1", "micro", "f1"), "label_f1"),
        Metric("span F1", ("f1_span", "micro", "f1"), "f1_span"),
        Metric("span-text F1", ("f1_span_text", "micro", "f1"), "f1_span_text"),
        Metric("aligned F1", ("f1_aligned", "micro", "f1"), "f1_aligned"),
        Metric("F1, seen", ("seen", "micro", "f1"), "seen"),
        Metric("F1, unseen", ("unseen", "micro", "f1"), "unseen"),
    ),
}
"""Rows of the score table in groups; their meaning is defined in ``spner.scoring``."""

OVERVIEW = ("WER", "CER", "EER", "F1", "label-F1")
"""Titles of the metrics that the page begins with."""


@dataclass(frozen=True)
class Rate:
    """A score and its 95 % confidence interval, fractions; None where undefined or not computed."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        numbers = [number for number in (self.low, self.value, self.high) if number is not None]
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError(f"{numbers} are not finite numbers")


@dataclass(frozen=True)
class LabelScore:
    """One label's scores over (label, phrase)."""

    f1: Rate
    precision: float
    recall: float
    num_ref: int


@dataclass(frozen=True)
class Scored:
    """One experiment's scores on one set."""

    experiment: str
    set_name: str
    """File name without ``_gold`` in an experiment folder, the references' path for a single file."""
    file: Path
    gold: bool | None
    signature: str
    """What pins the numbers down; equal ones may be compared."""
    num_utts: int
    rates: dict[str, Rate]
    """By the metric's title."""
    labels: dict[str, LabelScore]
    errors: dict[str, int]
    """Mentions by error kind; empty where phrases have no positions."""
    confusion: dict[str, dict[str, int]]
    """Counts ``[ref label][hyp label]``; empty where phrases have no positions."""
    decoded: str
    """How the hypotheses were decoded; empty for hypotheses that are not ours."""
    older: bool
    """Whether other hypotheses lie there now than those that were scored."""
    made_with: dict[str, Any]
    """Commit, versions, settings; ``experiment`` describes the training, if there was one."""

    @property
    def ref(self) -> str:
        """The path of the references, as ``spner score`` was given it."""
        return str(self.made_with.get("ref", ""))

    @property
    def synthetic(self) -> bool:
        """Whether the experiment says so of its speech."""
        return bool((self.made_with.get("experiment") or {}).get("synthetic"))


@dataclass(frozen=True)
class Experiment:
    """One search of a folder, or one file, that ``spner report`` was given."""

    name: str
    """Name on the page, ``mini_e2e/lm``; no two experiments share one."""
    training: str
    """Name of the folder or file."""
    scored: tuple[Scored, ...]
    curves: Path | None
    """Picture of its training; None for a single file."""


def read_experiments(exps: Sequence[Path]) -> list[Experiment]:
    """Read every experiment's scores.

    Raises:
        SpnerError: an experiment is missing, given twice or without scores, or a file does not hold scores.
    """
    for path, count in Counter(path.resolve() for path in exps).items():
        if count > 1:
            raise SpnerError(f"{path}: is given {count} times (expected every experiment once); leave it out")
    short = Counter(_short_name(path) for path in exps)
    names = [_short_name(path) if short[_short_name(path)] == 1 else str(path) for path in exps]
    return [one for path, name in zip(exps, names, strict=True) for one in _read_searches(path, name)]


def _short_name(path: Path) -> str:
    return path.resolve().name if path.is_dir() else path.stem


def _read_searches(path: Path, name: str) -> Iterator[Experiment]:
    if not path.exists():
        raise SpnerError(
            f"{path}: no such experiment (expected a folder with {SCORE}/<search>/<set>.json, or a scores file); "
            "stage 6 makes the one, spner score --out the other"
        )
    if not path.is_dir():
        yield Experiment(name, name, (_read_scored(path, name),), None)
        return
    curves = path / CURVES if (path / CURVES).exists() else None
    for search, files in groupby(list_scores(path), key=lambda file: file.parent.name):
        own = f"{name}/{search}"
        yield Experiment(own, name, tuple(_read_scored(file, own, exp=path) for file in files), curves)


def _read_scored(file: Path, experiment: str, *, exp: Path | None = None) -> Scored:
    """Read one file, of an experiment folder or by itself."""
    scores = read_scores(file)
    try:
        json.dumps(scores, ensure_ascii=False).encode()  # a lone surrogate cannot be written
        if scores["gold"] not in (True, False, None):
            raise ValueError(f'gold is "{scores["gold"]}"')
        made_with: dict[str, Any] = dict(scores["made_with"])
        stem = file.stem
        set_name = stem.removesuffix("_gold") if scores["gold"] else stem
        hyp = decode_dir(exp, file.parent.name, set_name) if exp else Path(made_with.get("hyp", ""))
        decoded, older = made_with.pop("decoded", None), are_older(made_with, hyp)
        made_with.pop("hyp_fingerprint", None)
        return Scored(
            experiment=experiment,
            set_name=set_name if exp else str(made_with.get("ref", stem)),
            file=file,
            gold=scores["gold"],
            signature=str(scores["signature"]),
            num_utts=int(scores["num_utts"]),
            rates={metric.title: _rate(scores, metric) for group in METRICS.values() for metric in group},
            labels={
                label: LabelScore(
                    _rate(scores, Metric(label, ("f1", "labels", label, "f1"), f"f1.{label}")),
                    score["precision"],
                    score["recall"],
                    score["tp"] + score["fn"],
                )
                for label, score in scores["f1"]["labels"].items()
            },
            errors={kind: int(count) for kind, count in (scores["errors"] or {}).items()},
            confusion={
                ref: {hyp: int(count) for hyp, count in row.items()} for ref, row in (scores["confusion"] or {}).items()
            },
            decoded=format_decoded(decoded) if decoded or exp else "",
            older=older,
            made_with=made_with,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SpnerError(
            f"{file}: holds no scores ({type(error).__name__}: {error}; expected what spner score writes); score again"
        ) from error


def _rate(scores: Mapping[str, Any], metric: Metric) -> Rate:
    """Return the number at the metric's place; a null or a missing score on the way there is an undefined one."""
    value: Any = scores
    for key in metric.place:
        value = None if value is None else value.get(key)
    low, high = (scores.get("ci95") or {}).get(metric.interval) or (None, None)
    return Rate(value, low, high)
