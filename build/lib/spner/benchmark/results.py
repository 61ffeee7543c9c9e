"""The results of a comparison's finished cells, in the form of ``results.json``.

Rates are fractions with full precision, null where undefined; languages stand for recipes and corpora::

    {"target": "nl", "sources": ["de", "en"],
     "groups": [{"group": {"lang": "nl", "system": "transfer", "source": "de", "fraction": 20}, "seeds": [1, 2, 3],
                 "signature": "spner|…", "num_utts": 150, "gold": true,
                 "scores": {"f1": {"value": of the seeds pooled, "ci95": [low, high], "seeds": [of each]}, …},
                 "trained_on": [{"data": "data/mini", "chosen": {"utterances": 179, "hours": 0.18}, "whole": {…}}]}, …],
     "contrasts": [{"kind": one of KINDS, "a": {group}, "b": {group}, "seeds": [1, 2, 3],
                    "scores": {"f1": {"a": …, "b": …, "difference": b - a, "ci95": [low, high], "p": …}, …}}, …],
     "missing": [{"kind": …, "a": {group}, "b": {group}, "why": "no scores of …"}, …],
     "overlaps": {"gold": true, "targets": [{"target": "nl", "sources": [{"source": ["de"], "all": {…}, …}, …]}, …]},
     "paper": [{"against": "e2e", "paper_percent": 7, "group": {…}, "points": …, "ci95": [low, high] in points,
                "p": …, "relative_percent": …, "seeds": […]}, …],
     "best": {"fraction": 20, "difference": …, "ci95": …, "p": …},
     "preset": {…},
     "made_with": {"commits": […], "versions": [{…}], "synthetic": true, "corpora": {"nl": "mini", …},
                   "taggers": {"nl": ["exp/tagger_words_mini (what it has learnt from)"]}}}

``overlaps`` are those of :mod:`spner.scoring.overlap`, each language as the target of those after it. Two systems are
compared on the seeds that both have. ``best`` is the fraction at which transfer from the first source gains most F1.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spner.benchmark.plan import (
    ABLATED,
    CASED,
    DATA,
    E2E,
    JOINT,
    NEW_OUTPUT,
    PIPELINE,
    TRANSFER,
    ZERO_SHOT,
    Cell,
    Group,
    scores_of,
)
from spner.benchmark.preset import WHOLE, Preset
from spner.core import paths
from spner.core.files import read_json
from spner.data.datadir import find_sets, read_labels
from spner.scoring.compare import compare
from spner.scoring.options import Options
from spner.scoring.overlap import compute_overlaps
from spner.scoring.pool import pool
from spner.scoring.rules import Rules, choose_rules
from spner.scoring.schema import ScoresMadeWith, read_scores

BY_LANGUAGE, BY_TAGGER, BY_UPSTREAM, BY_FRACTION, OVER_PIPELINE, JOINED, ABLATION = KINDS = (
    "e2e against the pipeline",
    "pipeline's tagger of recognised words against one of cased text",
    "another upstream against the first",
    "transfer against none",
    "transfer against the pipeline",
    "joint against e2e",
    "output layer carried over against a new one",
)
CLAIMS = {E2E: 7, PIPELINE: 4}
"""What the abstract of arXiv 2307.01310 says German to Dutch transfer gains over the Dutch systems, in percent of F1;
absolute or relative is not stated."""


@dataclass(frozen=True)
class _Scored:
    """A finished cell and what its scores were made with; paths are ready to be opened."""

    cell: Cell
    gold: bool
    made_with: ScoresMadeWith

    @property
    def ref(self) -> Path:
        return self.cell.recipe / self.made_with["ref"]

    @property
    def hyp(self) -> Path:
        return self.cell.recipe / self.made_with["hyp"]

    @property
    def data(self) -> Path:
        """The corpus's data folder."""
        return (self.ref.parent if self.gold else self.ref).parent

    @property
    def experiment(self) -> dict[str, Any]:
        return self.made_with["experiment"]

    @property
    def rules(self) -> Rules:
        """As stage 6 read both sides."""
        made = self.made_with
        return Rules(made["lang"], tuple(made["labels"]), made["map"], frozenset(made["discard"]), made["policy"])

    @property
    def options(self) -> Options:
        """As stage 6 scored."""
        seen = self.made_with["seen"]
        return Options(
            self.rules,
            seen=self.cell.recipe / seen if seen else None,
            num_draws=self.made_with["bootstrap"],
            gold=self.gold,
        )

    @property
    def trained_on(self) -> list[dict[str, Any]]:
        """The train sets of the training behind the hypotheses."""
        model = self.cell.recipe / self.experiment["facts"].get("model", f"exp/{self.cell.tag}")
        return read_json(model / paths.TRAINING)["train"]


_Groups = Mapping[Group, Mapping[int, _Scored]]
"""The scored cells of each group by seed."""


def collect(finished: Sequence[Cell], langs: Sequence[str], preset: Preset) -> dict[str, Any]:
    """Return the results of finished cells; the module's docstring has the form.

    Args:
        finished: cells of :func:`spner.benchmark.plan.make_plan`.
        langs: the target, then the sources.
        preset: the settings that they ran with.

    Raises:
        SpnerError: a file of a finished cell is missing or malformed.
    """
    target, *sources = langs
    groups = _read(finished)
    contrasts, missing = _compare_all(groups, langs, preset.upstreams[1:])
    return {
        "target": target,
        "sources": sources,
        "groups": [_pool(group, seeds) for group, seeds in groups.items()],
        "contrasts": contrasts,
        "missing": missing,
        "overlaps": _overlaps(groups, langs),
        "paper": list(beside_paper(contrasts, sources[0])),
        "best": find_best(contrasts, sources[0]),
        "preset": asdict(preset)
        | {
            "epochs": [list(pair) for pair in preset.epochs.items()],
            "upstreams": list(preset.upstreams),
            "seeds": list(preset.seeds),
            "side_seeds": list(preset.side_seeds),
        },
        "made_with": _describe(groups, langs),
    }


def _read(finished: Iterable[Cell]) -> dict[Group, dict[int, _Scored]]:
    groups: dict[Group, dict[int, _Scored]] = {}
    for cell in sorted((c for c in finished if c.group.system != DATA), key=lambda c: (c.group, c.seed)):
        gold = scores_of(cell, gold=True).exists()
        made_with = read_scores(scores_of(cell, gold=gold))["made_with"]
        groups.setdefault(cell.group, {})[cell.seed] = _Scored(cell, gold, made_with)
    return groups


def _pool(group: Group, seeds: Mapping[int, _Scored]) -> dict[str, Any]:
    first = next(iter(seeds.values()))
    pooled = pool(first.ref, [one.hyp for one in seeds.values()], first.options)
    return {"group": asdict(group), "seeds": list(seeds), **pooled, "trained_on": first.trained_on}


def _compare_all(
    groups: _Groups, langs: Sequence[str], upstreams: Sequence[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the contrasts, and those that lack scores."""
    contrasts, missing = [], []
    for kind, a, b in _plan_contrasts(groups, langs, upstreams):
        about = {"kind": kind, "a": asdict(a), "b": asdict(b)}
        absent = [name_group(group) for group in (a, b) if group not in groups]
        common = [seed for seed in groups.get(a, {}) if seed in groups.get(b, {})]
        if common:
            contrasts.append(about | {"seeds": common} | _compare(groups[a], groups[b], common))
        else:
            missing.append(about | {"why": f"no scores of {' and '.join(absent)}" if absent else "no common seed"})
    return contrasts, missing


def _plan_contrasts(
    groups: Collection[Group], langs: Sequence[str], upstreams: Sequence[str]
) -> Iterator[tuple[str, Group, Group]]:
    """Yield kind, base and what is held against it."""
    target, *sources = langs
    fractions = sorted({group.fraction for group in groups if group.lang == target and group.fraction})
    for upstream in ("", *upstreams):
        for lang in langs:
            e2e, pipeline = (Group(lang, system, upstream=upstream) for system in (E2E, PIPELINE))
            yield BY_LANGUAGE, pipeline, e2e
            if upstream:
                yield BY_UPSTREAM, Group(lang, E2E), e2e
    if Group(target, CASED) in groups:
        yield BY_TAGGER, Group(target, CASED), Group(target, PIPELINE)
    for source in sources:
        for fraction in fractions:
            yield BY_FRACTION, Group(target, E2E, "", fraction), Group(target, TRANSFER, source, fraction)
    for source in sources:
        yield OVER_PIPELINE, Group(target, PIPELINE), Group(target, TRANSFER, source)
    yield JOINED, Group(target, E2E), Group(target, JOINT, " ".join(sources))
    for fraction in (fraction for fraction in fractions if fraction in ABLATED):
        new_output, whole = (Group(target, system, sources[0], fraction) for system in (NEW_OUTPUT, TRANSFER))
        yield ABLATION, new_output, whole


def _compare(a: Mapping[int, _Scored], b: Mapping[int, _Scored], common: Sequence[int]) -> dict[str, Any]:
    first = a[common[0]]
    compared = compare(
        first.ref, {name: [side[seed].hyp for seed in common] for name, side in (("a", a), ("b", b))}, first.options
    )
    return {key: compared[key] for key in ("num_utts", "gold", "scores")}


def _overlaps(groups: _Groups, langs: Sequence[str]) -> dict[str, Any] | None:
    """Return the entities that the corpora share; None with a single corpus."""
    scored = {group.lang: one for group, seeds in groups.items() for one in seeds.values()}
    folders = {lang: scored[lang].data for lang in langs if lang in scored}
    if len(folders) < 2:
        return None
    sets = [folder for data in folders.values() for folder in find_sets(data)]
    gold = all((folder / paths.GOLD_ENTITIES).is_file() for folder in sets)
    entities_file = paths.GOLD_ENTITIES if gold else paths.ENTITIES
    name_of = {str(folder): lang for lang, folder in folders.items()}
    targets = []
    for number, (lang, target) in enumerate(folders.items(), start=1):
        if sources := list(folders.values())[number:]:
            files = [folder / entities_file for data in (target, *sources) for folder in find_sets(data)]
            rules = choose_rules(None, read_labels(target), files)
            overlaps = compute_overlaps(sources=sources, target=target, rules=rules, entities_file=entities_file)
            named = [one | {"source": [name_of[folder] for folder in one["source"]]} for one in overlaps["sources"]]
            targets.append({"target": lang, "sources": named})
    return {"gold": gold, "targets": targets}


def beside_paper(contrasts: Sequence[dict[str, Any]], source: str) -> Iterator[dict[str, Any]]:
    """Yield what transfer with all of the target's data gains, beside the paper's claims."""
    for system, percent in CLAIMS.items():
        for contrast in contrasts:
            b = Group(**contrast["b"])
            if contrast["a"]["system"] == system and (b.system, b.source, b.fraction) == (TRANSFER, source, WHOLE):
                f1 = contrast["scores"]["f1"]
                if f1["difference"] is None:
                    continue
                yield {
                    "against": system,
                    "paper_percent": percent,
                    "group": contrast["b"],
                    "points": 100 * f1["difference"],
                    "ci95": f1["ci95"] and [100 * bound for bound in f1["ci95"]],
                    "p": f1["p"],
                    "relative_percent": 100 * f1["difference"] / f1["a"] if f1["a"] else None,
                    "seeds": contrast["seeds"],
                }


def find_best(contrasts: Sequence[dict[str, Any]], source: str) -> dict[str, Any] | None:
    """Return the fraction at which transfer from the source gains most F1, and how much; None without any."""
    gains = [
        {"fraction": contrast["b"]["fraction"]} | contrast["scores"]["f1"]
        for contrast in contrasts
        if contrast["kind"] == BY_FRACTION and contrast["b"]["source"] == source
    ]
    return max((g for g in gains if g["difference"] is not None), key=lambda gain: gain["difference"], default=None)


def _describe(groups: _Groups, langs: Sequence[str]) -> dict[str, Any]:
    """Return what made the scored cells; several commits or versions where they differ."""
    scored = [one for seeds in groups.values() for one in seeds.values()]
    corpora = {one.cell.group.lang: one.data.name for one in scored}
    taggers: dict[str, set[str]] = {}
    for one in scored:
        if tagger := one.experiment["facts"].get("tagger"):
            learnt_from = one.experiment["facts"].get("tagger learnt from", "not recorded")
            taggers.setdefault(one.cell.group.lang, set()).add(f"{tagger} ({learnt_from})")
    versions = {tuple(one.experiment["versions"].items()): None for one in scored}
    return {
        "commits": sorted({one.experiment["commit"] or "not in a git checkout" for one in scored}),
        "versions": [dict(one) for one in versions],
        "synthetic": any(one.experiment["synthetic"] for one in scored),
        "corpora": {lang: corpora[lang] for lang in langs if lang in corpora},
        "taggers": {lang: sorted(taggers[lang]) for lang in langs if lang in taggers},
    }


def groups_of(results: Mapping[str, Any]) -> dict[Group, dict[str, Any]]:
    """Return the entries of ``groups`` by group."""
    return {Group(**entry["group"]): entry for entry in results["groups"]}


def find_curve_group(target: str, source: str, fraction: int) -> Group | None:
    """Return the system at a fraction of the target's data, begun with a source's model or, if empty, with none."""
    if fraction:
        return Group(target, TRANSFER, source, fraction) if source else Group(target, E2E, "", fraction)
    return Group(target, ZERO_SHOT, source, 0) if source else None


def name_group(group: Group) -> str:
    """Return a group in words: ``nl transfer from de, 20 %``."""
    before = {TRANSFER: " from ", NEW_OUTPUT: ", from ", ZERO_SHOT: " by "}.get(group.system)
    source = f"{before}{group.source}" if before else ""
    part = f", {group.fraction} %" if 0 < group.fraction < WHOLE else ""
    upstream = f", {group.upstream}" if group.upstream else ""
    return f"{group.lang} {group.system}{source}{part}{upstream}"
