"""Writes ``RESULTS.md`` from scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spner.core.errors import SpnerError
from spner.core.files import atomic_text
from spner.core.paths import DEV, RESULTS, TEST, TRAIN, score_file
from spner.scoring.schema import read_scores

GOLD_NOTE = "the references are true entities (gold)."
PSEUDO_NOTE = "the references are a tagger's pseudo-labels: EER and F1 are agreement with the tagger, not accuracy."
UNSTATED_NOTE = "whether the references are true entities was not stated; say --references gold or pseudo."
NOTES = {True: GOLD_NOTE, False: PSEUDO_NOTE, None: UNSTATED_NOTE}
SYNTHETIC_NOTE = "The speech is synthetic (eSpeak NG): these scores say nothing about recorded speech."


@dataclass(frozen=True)
class Run:
    """What made the scores of one experiment."""

    lang: str
    corpus: str
    synthetic: bool
    system: str
    config: str
    """Path of the training configuration."""
    seed: int
    checkpoint: str
    """File name of the decoded checkpoint."""
    selection: str
    """How the checkpoint was chosen."""
    commit: str | None
    versions: Mapping[str, str]
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else there is to know, by title: another folder's model, a tagger, the weights it began with."""


def write_results(exp: Path, run: Run) -> Path:
    """Write ``exp/<tag>/RESULTS.md`` from every ``exp/<tag>/score/*.json`` and return its path.

    Raises:
        SpnerError: there is no score yet, or a file there holds no scores.
    """
    rows = _read_rows(exp)
    lines = [f"# Results of {exp.name}", ""]
    lines += [f"**{SYNTHETIC_NOTE}**", ""] if run.synthetic else []
    lines += [
        "| set (references) | utterances | WER | CER | EER | F1 | P / R | label-F1 | F1 seen / unseen |",
        "|---|---|---|---|---|---|---|---|---|",
        *(f"| {row.name} | {' | '.join(row.cells)} |" for row in rows),
        "",
        "Rates are fractions with 95 % intervals: lower is better for WER, CER and EER, higher for F1 (P precision, R "
        "recall; seen: entities of this recipe's train set, all of it).",
        "",
        *(f"- {row.name}: {NOTES[row.gold]} `{row.signature}`" for row in rows),
        "",
        *_run_table(run),
    ]
    with atomic_text(exp / RESULTS) as file:
        file.write("\n".join(lines) + "\n")
    return exp / RESULTS


def set_title(set_name: str, *, gold: bool | None) -> str:
    """Return the name of a scored set with the kind of its references."""
    kinds = {True: "gold", False: "pseudo-labels", None: "references not stated"}
    return f"{set_name} ({kinds[gold]})"


def set_place(set_name: str) -> tuple[int, str]:
    """Return a key to sort sets by: test, dev and train first."""
    known = (TEST, DEV, TRAIN)
    return known.index(set_name) if set_name in known else len(known), set_name


@dataclass(frozen=True)
class _Row:
    """One scored set."""

    set_name: str
    gold: bool | None
    cells: tuple[str, ...]
    signature: str

    @property
    def name(self) -> str:
        return set_title(self.set_name, gold=self.gold)


def _read_rows(exp: Path) -> list[_Row]:
    folder = score_file(exp, TEST).parent
    rows = [_read_row(file) for file in folder.glob("*.json")]
    if not rows:
        raise SpnerError(f"{folder}: holds no scores (expected one JSON file a scored set); run stage 6")
    return sorted(rows, key=lambda row: (*set_place(row.set_name), (False, True, None).index(row.gold)))


def _read_row(file: Path) -> _Row:
    scores = read_scores(file)
    try:
        intervals, f1, gold = scores["ci95"] or {}, scores["f1"]["micro"], scores["gold"]
        groups = [one and one["micro"]["f1"] for one in (scores["seen"], scores["unseen"])]
        cells = (
            str(scores["num_utts"]),
            *(_rate(scores[name]["rate"], intervals.get(name)) for name in ("wer", "cer", "eer")),
            _rate(f1["f1"], intervals.get("f1")),
            f"{_rate(f1['precision'])} / {_rate(f1['recall'])}",
            _rate(scores["label_f1"]["micro"]["f1"], intervals.get("label_f1")),
            " / ".join(map(_rate, groups)),
        )
    except (KeyError, TypeError) as error:
        raise SpnerError(f"{file}: holds no scores (no {error}, which stage 6 writes); rerun stage 6") from error
    return _Row(file.stem.removesuffix("_gold") if gold else file.stem, gold, cells, scores["signature"])


def _run_table(run: Run) -> list[str]:
    facts = {
        "language": run.lang,
        "corpus": run.corpus,
        "system": run.system,
        **run.facts,
        "configuration": f"`{run.config}`",
        "seed": str(run.seed),
        "checkpoint": f"`{run.checkpoint}`: {run.selection}",
        "commit": run.commit or "not in a git checkout",
        "versions": ", ".join(f"{name} {version}" for name, version in run.versions.items()),
    }
    return ["| made with | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items())]


def _rate(rate: float | None, interval: Sequence[float] | None = None) -> str:
    if rate is None:
        return "-"
    return f"{rate:.3f}" + (" [{:.3f}, {:.3f}]".format(*interval) if interval else "")
