"""Whether two experiments differ: p-values of a paired bootstrap, from the utterances that were scored.

Scores that need the training entities (seen, unseen) have none here; ``spner compare --seen`` tests them.
"""

import functools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spner.core.datatypes import Entity, Transcript
from spner.core.files import read_lines
from spner.core.paths import utterances_file
from spner.report.scored import Scored
from spner.scoring.corpus import count_sides, find_labels
from spner.scoring.counts import Table
from spner.scoring.inputs import Side
from spner.scoring.options import NUM_DRAWS, Options
from spner.scoring.rules import Rules
from spner.scoring.significance import compare_systems, p_value
from spner.scoring.transcripts import AnyTranscript, Phrases


class PairedTests:
    """Tests between any two experiments on one set, whose references are the same."""

    def __init__(self, group: Sequence[Scored]) -> None:
        self._tables = _count(group)

    def p(self, a: int, b: int, score: str) -> float | None:
        """Return the p-value of "no difference" between two experiments, by their numbers; None where undefined."""
        return self._compare(*sorted((a, b))).get(score)

    @functools.cache  # noqa: B019 - a page has few of these, and they end with it
    def _compare(self, a: int, b: int) -> dict[str, float | None]:
        first, second = self._tables[a], self._tables[b]
        systems = {"a": [first.rows], "b": [second.rows]}
        draws = compare_systems(first.columns, systems, first.names & second.names, num_draws=NUM_DRAWS)
        return {name: p_value(np.asarray(two - one)) for name, (one, two) in draws.items()}


def _count(group: Sequence[Scored]) -> list[Table]:
    rules = Rules(labels=tuple(dict.fromkeys(label for one in group for label in one.labels)))
    sides = [_read_sides(utterances_file(one.file)) for one in group]
    labels = find_labels([hyp for _, hyp in sides], rules)
    return [
        count_sides(
            ref=ref,
            hyp=hyp,
            options=Options(rules, drop_empty_hyp=bool(one.made_with.get("drop_empty_hyp"))),
            labels=labels,
            seen=None,
        )[0]
        for one, (ref, hyp) in zip(group, sides, strict=True)
    ]


def _read_sides(file: Path) -> tuple[Side, Side]:
    """Return both sides as ``spner score`` wrote them beside the scores; illegal symbols are not among them."""
    records: Iterator[dict[str, Any]] = map(json.loads, read_lines(file))
    sides = Side(file, {}, {}, Counter()), Side(file, {}, {}, Counter())
    for record in records:
        for side, role in zip(sides, ("ref", "hyp"), strict=True):
            side.utterances[record["utt_id"]] = _make_transcript(record[role])
    return sides


def _make_transcript(side: dict[str, Any]) -> AnyTranscript:
    words, entities = tuple(side["words"]), side["entities"]
    if any("phrase" in entity for entity in entities):
        return Phrases(words, tuple((entity["label"], entity["phrase"]) for entity in entities))
    return Transcript(words, tuple(Entity(e["start"], e["end"], e["label"]) for e in entities))
