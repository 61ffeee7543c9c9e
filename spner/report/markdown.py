"""Writes ``RESULTS.md`` from scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spner.core.errors import SpnerError
from spner.core.files import atomic_text
from spner.core.paths import DEV, RESULTS, SCORE, TEST, TRAIN, decode_dir
from spner.core.searches import format_decoded
from spner.report.published import find_published, format_published
from spner.scoring.schema import read_scores
from spner.scoring.score import are_older
from spner.scoring.table import CHARACTERS_NOTE
from spner.text.languages import is_spaceless

GOLD_NOTE = "the references are true entities (gold)."
PSEUDO_NOTE = "the references are a tagger's pseudo-labels: EER and F1 are agreement with the tagger, not accuracy."
UNSTATED_NOTE = "whether the references are true entities was not stated; say --references gold or pseudo."
NOTES = {True: GOLD_NOTE, False: PSEUDO_NOTE, None: UNSTATED_NOTE}
OLDER_NOTE = "these scores are older than the hypotheses that are there now; run stage 6."
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


def write_results(exp: Path, run: Run, *, published: str | None = None) -> Path:
    """Write ``exp/<tag>/RESULTS.md`` from every ``exp/<tag>/score/<search>/*.json`` and return its path.

    Args:
        exp: experiment folder.
        run: what made the scores.
        published: benchmark whose published numbers stand below.

    Raises:
        SpnerError: there is no score yet, a file there holds no scores, or nothing is published on that benchmark.
    """
    rows = _read_rows(exp)
    lines = [f"# Results of {exp.name}", ""]
    lines += [f"**{SYNTHETIC_NOTE}**", ""] if run.synthetic else []
    lines += [
        "| set (references) | search | utterances | WER | CER | EER | F1 | P / R | label-F1 | F1 seen / unseen |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(f"| {row.name} | {row.search} | {' | '.join(row.cells)} |" for row in rows),
        "",
        "Rates are fractions with 95 % intervals: lower is better for WER, CER and EER, higher for F1 (P precision, R "
        "recall; seen: entities of this recipe's train set, all of it).",
        *(
            [f"In {run.lang}, {CHARACTERS_NOTE}; CER counts the spaces between them, too."]
            if is_spaceless(run.lang)
            else []
        ),
        "",
        *(f"- {search}: {decoded}" for search, decoded in _list_searches(rows)),
        *(f"- {row.name}, {row.search}: **{OLDER_NOTE}**" for row in rows if row.older),
        "",
        *dict.fromkeys(f"- {row.name}: {NOTES[row.gold]} `{row.signature}`" for row in rows),
        "",
        *([*format_published(find_published(published)), ""] if published and not run.synthetic else []),
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
    """One set that a search decoded, scored; ``older``: its hypotheses have changed since."""

    set_name: str
    search: str
    gold: bool | None
    cells: tuple[str, ...]
    signature: str
    decoded: str
    older: bool

    @property
    def name(self) -> str:
        return set_title(self.set_name, gold=self.gold)


def _read_rows(exp: Path) -> list[_Row]:
    rows = [_read_row(exp, file) for file in list_scores(exp)]
    return sorted(rows, key=lambda row: (*set_place(row.set_name), (False, True, None).index(row.gold), row.search))


def list_scores(exp: Path) -> list[Path]:
    """Return the scores files of an experiment, by search and set.

    Raises:
        SpnerError: there is none.
    """
    found = sorted((exp / SCORE).glob("*/*.json"))
    if not found:
        raise SpnerError(f"{exp / SCORE}: holds no scores (expected <search>/<set>.json); run stage 6")
    return found


def _list_searches(rows: Sequence[_Row]) -> list[tuple[str, str]]:
    """Return each search with how it decoded; where its sets were decoded in different ways, each with its set."""
    searches = dict.fromkeys(row.search for row in rows)
    found = {search: dict.fromkeys(row.decoded for row in rows if row.search == search) for search in searches}
    return [
        (search if len(found[search]) == 1 else f"{search}, {', '.join(_sets_of(rows, search, decoded))}", decoded)
        for search in searches
        for decoded in found[search]
    ]


def _sets_of(rows: Sequence[_Row], search: str, decoded: str) -> list[str]:
    return list(dict.fromkeys(row.set_name for row in rows if (row.search, row.decoded) == (search, decoded)))


def _read_row(exp: Path, file: Path) -> _Row:
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
        set_name, search = file.stem.removesuffix("_gold") if gold else file.stem, file.parent.name
        decoded = format_decoded(scores["made_with"].get("decoded"))
        older = are_older(scores["made_with"], decode_dir(exp, search, set_name))
    except (KeyError, TypeError) as error:
        raise SpnerError(f"{file}: holds no scores (no {error}, which stage 6 writes); rerun stage 6") from error
    return _Row(set_name, search, gold, cells, scores["signature"], decoded, older)


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
