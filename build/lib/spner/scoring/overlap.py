"""Entities that corpora share: the paper's Table 2 (arXiv 2307.01310), for any corpora (docs/metrics.md, section 7).

An entity is a label and a phrase, in canonical form; the same one in two corpora is shared. Shares are fractions with
full precision, of mentions and of distinct entities, null where there is none to share::

    {"target": "data/nl/test",
     "sources": [{"source": ["data/de"],
                  "all": {"target": {"mentions": {"share": 0.25, "shared": 50, "num": 200}, "entities": {…}},
                          "source": {"mentions": {…}, "entities": {…}}},
                  "labels": {"PER": {…}, …},
                  "shared": [{"label": "LOC", "phrase": "japan", "target": 19, "source": 24}, …], "unshared": […]}, …]}

``target`` counts what of the target's occurs in the source, ``source`` what of the source's occurs in the target. Of
several sources the last is their union. ``shared`` and ``unshared`` are the target's most frequent entities.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spner.core.errors import SpnerError
from spner.core.paths import ENTITIES, made_by
from spner.data.datadir import find_sets
from spner.data.stats import Mentions, format_list, most_frequent, select_label, sort_labels
from spner.scoring.inputs import count_mentions, read_side
from spner.scoring.rules import Rules


def compute_overlaps(
    *, sources: Sequence[Path], target: Path, rules: Rules, entities_file: str = ENTITIES, top: int = 10
) -> dict[str, Any]:
    """Compare each source, and the union of several, with the target; the module's docstring has the form.

    Args:
        sources: data folders (all their sets together), set folders, or files that :func:`read_side` reads.
        target: one of these.
        rules: how all of them are read.
        entities_file: name of the file of entities in each set.
        top: how many shared and how many unshared entities are given; ties are in C order of (label, phrase).

    Raises:
        SpnerError: a source is given twice, or a file is missing or malformed or has a label that is not configured.
    """
    twice = [source for source in sources if sources.count(source) > 1]
    if twice:
        raise SpnerError(f"{twice[0]}: is given twice as a source (expected each once); leave one out")
    of_target = read_mentions(target, rules, entities_file=entities_file)
    of_sources: dict[tuple[Path, ...], Mentions] = {
        (source,): read_mentions(source, rules, entities_file=entities_file) for source in sources
    }
    # The union of a single source is that source, under the same key.
    of_sources[tuple(sources)] = sum(of_sources.values(), Counter())
    return {
        "target": str(target),
        "sources": [
            {
                "source": [str(path) for path in paths],
                **compute_overlap(source=mentions, target=of_target, order=rules.labels, top=top),
            }
            for paths, mentions in of_sources.items()
        ],
    }


def read_mentions(path: Path, rules: Rules, *, entities_file: str) -> Mentions:
    """Return how often each entity is mentioned in a data folder, a set folder or a file.

    Raises:
        SpnerError: there is no such file or set, or :func:`read_side` refuses it.
    """
    mentions: Mentions = Counter()
    for file in [path] if path.is_file() else [folder / entities_file for folder in find_sets(path)]:
        if not file.is_file():
            raise SpnerError(f"{file}: is missing (expected the set's entities); {made_by(file)} makes it")
        mentions += count_mentions(read_side(file, rules, role="ref"))
    return mentions


def compute_overlap(*, source: Mentions, target: Mentions, order: Sequence[str], top: int) -> dict[str, Any]:
    """Return what one source and the target share, by label and in all, and examples."""
    labels = sort_labels((label for label, _ in [*source, *target]), order=order)
    by_label = {label: (select_label(source, label), select_label(target, label)) for label in labels}
    shared = Counter({entity: count for entity, count in target.items() if entity in source})
    return {
        "all": _both_ways(source, target),
        "labels": {label: _both_ways(*sides) for label, sides in by_label.items()},
        "shared": _examples(shared, source, top),
        "unshared": _examples(target - shared, source, top),
    }


def count_shared(mentions: Mentions, *, within: Mentions) -> dict[str, Any]:
    """Return the share of the mentions, and of the distinct entities, that occur in ``within``."""
    shared = [count for entity, count in mentions.items() if entity in within]
    return {"mentions": _share(sum(shared), mentions.total()), "entities": _share(len(shared), len(mentions))}


def _both_ways(source: Mentions, target: Mentions) -> dict[str, Any]:
    return {"target": count_shared(target, within=source), "source": count_shared(source, within=target)}


def _share(shared: int, num: int) -> dict[str, Any]:
    return {"share": shared / num if num else None, "shared": shared, "num": num}


def _examples(mentions: Mentions, source: Mentions, top: int) -> list[dict[str, Any]]:
    return [
        {"label": entity[0], "phrase": entity[1], "target": count, "source": source[entity]}
        for entity, count in most_frequent(mentions, top)
    ]


def format_overlaps(overlaps: dict[str, Any]) -> str:
    """Return the shares as a table, rounded to four places, ``-`` where undefined, and the examples under it."""
    width = 2 + max(len(label) for overlap in overlaps["sources"] for label in ("all", *overlap["labels"]))
    titles = f"{'mentions':>10}{'of':>8}{'entities':>10}{'of':>8}"
    lines = [
        f"target {overlaps['target']}",
        "shares of the mentions, and of the distinct entities (label and phrase); of: how many there are",
        "",
        " " * (width + 2) + f"{'of the target, in the source':40}of the source, in the target",
        " " * width + f"{titles}    {titles}",
    ]
    for overlap in overlaps["sources"]:
        lines.append(_name(overlap))
        for label, group in {"all": overlap["all"], **overlap["labels"]}.items():
            lines.append(f"  {label}".ljust(width) + f"{_cells(group['target'])}    {_cells(group['source'])}")
    lines += ["", "the target's most frequent entities: mentions in the target / in the source"]
    for overlap in overlaps["sources"]:
        lines.append(_name(overlap))
        lines += [format_list(title, map(_example, overlap[title])) for title in ("shared", "unshared")]
    return "\n".join(lines)


def _name(overlap: dict[str, Any]) -> str:
    *_, last = names = overlap["source"]
    return f"source {last}" if len(names) == 1 else f"the {len(names)} sources together"


def _cells(shared: dict[str, Any]) -> str:
    return "".join(
        ("-" if one["share"] is None else f"{one['share']:.4f}").rjust(10) + f"{one['num']:8}"
        for one in (shared["mentions"], shared["entities"])
    )


def _example(one: dict[str, Any]) -> str:
    return f"{one['label']} {one['phrase']} {one['target']}" + (f" / {one['source']}" if one["source"] else "")
