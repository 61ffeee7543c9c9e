"""Writes the comparison's results as the Markdown of ``RESULTS.md``."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spner.benchmark.plan import CASED, E2E, JOINT, PIPELINE, TRANSFER, ZERO_SHOT, Group
from spner.benchmark.preset import WHOLE
from spner.benchmark.results import ABLATION, KINDS, find_curve_group, groups_of, name_group
from spner.report.markdown import NOTES, SYNTHETIC_NOTE
from spner.report.scored import METRICS

ABSENT = "-"
NOTHING = "None."
SIGNIFICANT = 0.05
TITLES = {metric.interval: metric.title for metrics in METRICS.values() for metric in metrics}
LOWER_IS_BETTER = {metric.interval for metrics in METRICS.values() for metric in metrics if metric.lower_is_better}
SHOWN = ("wer", "eer", "f1", "label_f1", "unseen")
SETTINGS = ("mini_opts", "recipe_opts", "train_config", "train_opts", "upstreams")
COMPARED = ("f1", "wer", "eer", "label_f1")
READING = (
    "Rates are fractions; brackets are 95 % intervals of a bootstrap over utterances and, where a system has several "
    "seeds, over seeds; in parentheses the number of seeds, whose hypotheses are pooled: an interval of one seed holds "
    "nothing of how seeds vary. All seeds share the corpora and the utterances of a fraction. WER, CER and EER: lower "
    "is better; F1: higher. Unseen: entities that the language's whole train set does not mention."
)
SUPERVISION = (
    "A pipeline's tagger learns from the utterances and pseudo-labels that the E2E system has. Others are the cased "
    "tagger, which made the labels, and what a preset gives; the last table says what each has learnt from."
)
SPELLING = "Names count as shared where both languages spell them alike."
CONTRASTED = (
    "Differences (the first minus the second) with 95 % intervals and p of a paired bootstrap over utterances and the "
    f"seeds that both have; better and worse at p < {SIGNIFICANT}, not corrected for the number of comparisons. With "
    "one seed they say nothing of another training; two or three show less than seeds really vary."
)

CLAIMED = (
    "The abstract of arXiv 2307.01310 says what German to Dutch transfer gains over the Dutch systems; whether in "
    "points or relative to them is not stated, nor with how much of the Dutch data."
)


def format_results(results: Mapping[str, Any], *, plot: str, machine: str, skipped: Mapping[str, str]) -> str:
    """Return the page.

    Args:
        results: of :func:`spner.benchmark.results.collect`.
        plot: where the page finds the plot of :mod:`spner.benchmark.plot`.
        machine: what it ran on, in words; see :func:`spner.core.provenance.describe_machine`.
        skipped: the cells without scores: name -> why.
    """
    by_fraction = [_fractions(results, score) for score in ("f1", "label_f1", "eer", "wer", "cer")]
    sections = {
        "In short": [_answers(results)],
        "Systems by language": [_systems(results)],
        "Zero-shot": [_zero_shot(results, score) for score in ("f1", "label_f1", "eer", "wer")],
        f"Fractions of the {results['target']} train set": [f"![F1 by fraction]({plot})", *by_fraction],
        "Contrasts": [CONTRASTED, _contrasts(results), *_missing(results)],
        "Output layer: carried over row by row, against new": [_ablation(results)],
        "Entities that the corpora share": [_overlaps(results)],
        "Beside the paper": [_paper(results)],
        "Cells without scores": ["\n".join(f"- {cell}: {why}" for cell, why in skipped.items()) or NOTHING],
        "Made with": [_made_with(results, machine)],
    }
    notes = [f"**{SYNTHETIC_NOTE}**"] if results["made_with"]["synthetic"] else []
    bodies = ["\n\n".join([f"## {title}", *body]) for title, body in sections.items()]
    title = f"# Comparison, preset {results['preset']['name']}"
    return "\n\n".join([title, *notes, SUPERVISION, *_references(results), READING, *bodies]) + "\n"


def _references(results: Mapping[str, Any]) -> list[str]:
    """Return whose entities the scores are against, by language."""
    of_lang = {group.lang: entry for group, entry in groups_of(results).items()}
    notes = {lang: NOTES[entry["gold"]] for lang, entry in of_lang.items()}
    lines = [
        f"- {lang}: {of_lang[lang]['num_utts']} utterances of test; {notes[lang]} `{of_lang[lang]['signature']}`"
        for lang in _langs(results)
        if lang in of_lang
    ]
    return ["\n".join(lines)] if lines else []


def _answers(results: Mapping[str, Any]) -> str:
    """Return who is ahead in F1, one line a kind of contrast."""
    lines = []
    for kind in KINDS:
        found = []
        for one in (one for one in results["contrasts"] if one["kind"] == kind):
            f1, seeds = one["scores"]["f1"], len(one["seeds"])
            gain = ABSENT if f1["difference"] is None else f"{f1['difference']:+.3f}"
            found.append(
                f"{name_group(Group(**one['b']))}: {_verdict(f1, 'f1')} ({gain}, p {_format_rate(f1['p'])}, "
                f"{seeds} seed{'s' if seeds > 1 else ''})"
            )
        lines.append(f"- {kind}: {'; '.join(found) or 'not compared'}")
    return "F1, and its difference from what a system is held against:\n\n" + "\n".join(lines)


def _systems(results: Mapping[str, Any]) -> str:
    """Return the systems that are trained on all of a language's data."""
    rows = []
    for lang in _langs(results):
        for system in (PIPELINE, CASED, E2E, TRANSFER, JOINT):
            for group, entry in groups_of(results).items():
                if (group.lang, group.system, group.fraction) == (lang, system, WHOLE):
                    each = ", ".join(_format_rate(f1) for f1 in entry["scores"]["f1"]["seeds"])
                    rows.append([name_group(group), *(_score(entry, score) for score in SHOWN), each])
    return _format_table(["", *(TITLES[score] for score in SHOWN), "F1 of each seed"], rows)


def _zero_shot(results: Mapping[str, Any], score: str) -> str:
    """Return the models of all languages on the test sets of all; a language's own are its E2E system."""
    groups, langs = groups_of(results), _langs(results)
    rows = []
    for source in langs:
        tested = [Group(lang, E2E) if lang == source else Group(lang, ZERO_SHOT, source, 0) for lang in langs]
        rows.append([f"{source} model", *(_score(groups.get(group), score) for group in tested)])
    return _format_table([TITLES[score], *(f"{lang} test" for lang in langs)], rows)


def _fractions(results: Mapping[str, Any], score: str) -> str:
    """Return one score by fraction and by the language that training starts from; at 0 % its own model."""
    groups, target = groups_of(results), results["target"]
    rows = []
    for fraction in sorted({group.fraction for group in groups if group.lang == target}):
        begun = [find_curve_group(target, source, fraction) for source in ("", *results["sources"])]
        entries = [groups.get(group) if group else None for group in begun]
        trained = next((entry["trained_on"][0]["chosen"] for entry in entries if entry and fraction), None)
        epochs = str(dict(results["preset"]["epochs"]).get(fraction, ABSENT))
        size = [str(trained["utterances"]), f"{trained['hours']:.2f}", epochs] if trained else [ABSENT] * 3
        rows.append([f"{fraction} %", *size, *(_score(entry, score) for entry in entries)])
    titles = [f"from {source}" for source in results["sources"]]
    return _format_table([TITLES[score], "utterances", "hours", "epochs", "from none", *titles], rows)


def _contrasts(results: Mapping[str, Any]) -> str:
    rows = [
        [
            name_group(Group(**one["b"])),
            name_group(Group(**one["a"])),
            str(len(one["seeds"])),
            *(_difference(one, score) for score in COMPARED),
        ]
        for one in results["contrasts"]
        if one["kind"] != ABLATION
    ]
    return _format_table(["", "against", "seeds", *(TITLES[score] for score in COMPARED)], rows)


def _missing(results: Mapping[str, Any]) -> list[str]:
    """Return the contrasts that could not be made."""
    lines = [
        f"- {name_group(Group(**one['b']))} against {name_group(Group(**one['a']))}: {one['why']}"
        for one in results["missing"]
    ]
    return ["Not compared:\n\n" + "\n".join(lines)] if lines else []


def _ablation(results: Mapping[str, Any]) -> str:
    rows = [
        [
            f"{one['b']['fraction']} %",
            str(len(one["seeds"])),
            *(_format_rate(one["scores"]["f1"][side]) for side in ("b", "a")),
            *(_difference(one, score) for score in COMPARED),
        ]
        for one in results["contrasts"]
        if one["kind"] == ABLATION
    ]
    titles = (f"{TITLES[score]}: difference" for score in COMPARED)
    return _format_table(["fraction", "seeds", "F1, carried over", "F1, new", *titles], rows)


def _overlaps(results: Mapping[str, Any]) -> str:
    """Return the paper's Table 2, in both directions."""
    overlaps = results["overlaps"]
    if not overlaps:
        return NOTHING
    columns = [(side, kind) for side in ("target", "source") for kind in ("mentions", "entities")]
    rows = []
    for of_target in overlaps["targets"]:
        for overlap in of_target["sources"]:
            for label, both in {"all": overlap["all"], **overlap["labels"]}.items():
                shares = [_share(both[side][kind]) for side, kind in columns]
                rows.append([of_target["target"], " and ".join(overlap["source"]), label, *shares])
    titles = [
        f"{one}'s {kind} in the {other}"
        for one, other in (("target", "source"), ("source", "target"))
        for kind in ("mentions", "distinct entities")
    ]
    labels = "true entities" if overlaps["gold"] else "pseudo-labels"
    head = f"Whole corpora, {labels}; an entity is a label and its words; shares with counts. {SPELLING}"
    return f"{head}\n\n{_format_table(['target', 'source', 'label', *titles], rows)}"


def _paper(results: Mapping[str, Any]) -> str:
    """Return the paper's claims beside what transfer gains here, and the fraction where it gains most."""
    rows = [
        [
            f"{name_group(Group(**one['group']))} against {one['against']}",
            f"+{one['paper_percent']} %",
            f"{one['points']:+.1f}{_interval(one['ci95'], '+.1f')}",
            ABSENT if one["relative_percent"] is None else f"{one['relative_percent']:+.1f} %",
            _format_rate(one["p"]),
            str(len(one["seeds"])),
        ]
        for one in results["paper"]
    ]
    titles = ["F1", "paper (de to nl, Common Voice)", "here, points", "here, relative", "p", "seeds"]
    text = [CLAIMED, _format_table(titles, rows)]
    if best := results["best"]:
        text.append(
            f"Transfer from {results['sources'][0]} gains most over none at {best['fraction']} %: F1 "
            f"{best['difference']:+.3f}{_interval(best['ci95'], '+.3f')}, p {_format_rate(best['p'])}. The "
            "fraction was chosen after the fact, and the largest of several differences tends to be an "
            "overestimate."
        )
    return "\n\n".join(text)


def _made_with(results: Mapping[str, Any], machine: str) -> str:
    made_with = results["made_with"]
    seeds: dict[tuple[int, ...], list[str]] = {}
    for group, entry in groups_of(results).items():
        seeds.setdefault(tuple(entry["seeds"]), []).append(name_group(group))
    versions = [", ".join(f"{package} {version}" for package, version in one.items()) for one in made_with["versions"]]
    preset = results["preset"]
    upstreams = {"upstreams": ", ".join(preset["upstreams"])}
    settings = (f"{key} `{value}`" for key, value in (preset | upstreams).items() if key in SETTINGS and value)
    taggers = (f"{lang}: {', '.join(names)}" for lang, names in made_with["taggers"].items())
    rows = [
        ["preset", f"`{preset['name']}`"],
        ["settings", "; ".join(settings)],
        ["corpora", ", ".join(f"{lang}: {corpus}" for lang, corpus in made_with["corpora"].items())],
        ["taggers of pipelines", "; ".join(taggers)],
        ["commit", ", ".join(made_with["commits"])],
        *([f"seeds {' '.join(map(str, numbers))}", "; ".join(named)] for numbers, named in sorted(seeds.items())),
        ["machine", machine],
        ["versions", "; ".join(versions)],
    ]
    return _format_table(["made with", ""], rows)


def _langs(results: Mapping[str, Any]) -> list[str]:
    return [results["target"], *results["sources"]]


def _score(entry: Mapping[str, Any] | None, score: str) -> str:
    """Return a pooled score, its interval and the number of seeds: ``0.687 [0.607, 0.762] (3)``."""
    found = entry["scores"].get(score) if entry else None
    if found is None or found["value"] is None:
        return ABSENT
    return f"{found['value']:.3f}{_interval(found['ci95'], '.3f')} ({len(found['seeds'])})"


def _difference(contrast: Mapping[str, Any], score: str) -> str:
    """Return a difference, its interval, p and what that means: ``+0.087 [+0.024, +0.149], p 0.020, better``."""
    row = contrast["scores"].get(score)
    if row is None or row["difference"] is None:
        return ABSENT
    interval = _interval(row["ci95"], "+.3f")
    return f"{row['difference']:+.3f}{interval}, p {_format_rate(row['p'])}, {_verdict(row, score)}"


def _verdict(row: Mapping[str, Any], score: str) -> str:
    if row["p"] is None or row["p"] >= SIGNIFICANT:
        return "no clear difference"
    return "better" if (row["difference"] < 0) == (score in LOWER_IS_BETTER) else "worse"


def _share(one: Mapping[str, Any]) -> str:
    return f"{_format_rate(one['share'])} ({one['shared']} of {one['num']})"


def _interval(bounds: Sequence[float] | None, style: str) -> str:
    return f" [{', '.join(format(bound, style) for bound in bounds)}]" if bounds else ""


def _format_rate(rate: float | None) -> str:
    return ABSENT if rate is None else f"{rate:.3f}"


def _format_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, or that there is none."""
    head, *body = (f"| {' | '.join(cells)} |" for cells in (titles, *rows))
    return "\n".join([head, "|" + "---|" * len(titles), *body]) if body else NOTHING
