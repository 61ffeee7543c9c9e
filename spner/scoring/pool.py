"""Several seeds of one system: their hypotheses, counted on the same columns, as one (docs/metrics.md, section 7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spner.scoring.corpus import count_sides, find_labels
from spner.scoring.counts import Table, compute_scores
from spner.scoring.hyps import read_hyps
from spner.scoring.inputs import Side, read_seen, read_side, read_speakers
from spner.scoring.options import Options, sign
from spner.scoring.schema import Pooled
from spner.scoring.significance import compute_intervals


@dataclass(frozen=True)
class System:
    """One system: its hypotheses and their tables, one a seed; all tables have the same columns."""

    name: str
    sides: Sequence[Side]
    tables: Sequence[Table]

    @property
    def names(self) -> frozenset[str]:
        """The scores that every seed's table defines."""
        return frozenset.intersection(*(table.names for table in self.tables))

    @property
    def scores(self) -> dict[str, Any]:
        """Scores of all seeds' hypotheses pooled."""
        return compute_scores(
            self.tables[0].columns, np.sum([table.totals() for table in self.tables], axis=0), self.names
        )


def read_systems(ref: Side, systems: Mapping[str, Sequence[Path]], options: Options) -> list[System]:
    """Read each system's hypotheses, name -> one a seed, and count them; the tables of all have the same columns.

    Raises:
        SpnerError: as :func:`spner.scoring.score.score`.
    """
    hyps = {name: [read_hyps(ref, path, options) for path in paths] for name, paths in systems.items()}
    every = [side for sides in hyps.values() for side in sides]
    labels, seen = find_labels(every, options.rules), read_seen(options.seen, options.rules)
    return [
        System(
            name,
            sides,
            [count_sides(ref=ref, hyp=side, options=options, labels=labels, seen=seen)[0] for side in sides],
        )
        for name, sides in hyps.items()
    ]


def pool(ref: Path, hyps: Sequence[Path], options: Options) -> Pooled:
    """Score the seeds of one system together; draws of the bootstrap take utterances and seeds.

    Args:
        ref: the references, any form that :func:`spner.scoring.inputs.read_side` reads.
        hyps: the hypotheses of each seed.
        options: as :func:`spner.scoring.score.score` takes them; ``num_draws`` must be 1 or more.

    Raises:
        SpnerError: as :func:`spner.scoring.score.score`.
    """
    ref_side = read_side(ref, options.rules, role="ref")
    (system,) = read_systems(ref_side, {"": hyps}, options)
    speakers = read_speakers(options.utt2spk, ref_side) if options.utt2spk else None
    intervals = compute_intervals(system.tables, num_draws=options.num_draws, groups=speakers)
    alone = [compute_scores(table.columns, table.totals(), table.names) for table in system.tables]
    return {
        "signature": sign(options),
        "num_utts": len(ref_side.utterances),
        "gold": options.gold,
        "scores": {
            name: {"value": value, "ci95": intervals[name], "seeds": [scores[name] for scores in alone]}
            for name, value in system.scores.items()
        },
    }
