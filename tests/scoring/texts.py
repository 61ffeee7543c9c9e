"""Tagged texts in the place of two sides: what the tests of scores write, read and draw."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st

from spner.core.datatypes import LABELS, Entity, Transcript
from spner.scoring.corpus import Account, count_sides, find_labels
from spner.scoring.counts import Table, sum_counts
from spner.scoring.f1 import Key, MatchCounts
from spner.scoring.inputs import read_side
from spner.scoring.options import Options
from spner.scoring.rules import Rules
from spner.text.tags import CLOSE, open_symbol

ALL_LABELS = (*LABELS, "MISC")
RULES = Rules(labels=ALL_LABELS)
WORDS = ("new", "york", "rom", "promise", "'")


def write_texts(folder: Path, *, ref: Sequence[str], hyp: Sequence[str]) -> tuple[Path, Path]:
    """Write tagged texts, an utterance each, as two Kaldi files; return their paths."""
    for name, texts in (("ref", ref), ("hyp", hyp)):
        lines = (f"u{number:05} {text}\n" for number, text in enumerate(texts))
        (folder / name).write_text("".join(lines), encoding="utf-8")
    return folder / "ref", folder / "hyp"


def count_texts(
    *, ref: Sequence[str], hyp: Sequence[str], rules: Rules = RULES, seen: frozenset[Key] | None = None
) -> tuple[Table, Account]:
    """Write tagged texts, an utterance each, read them as two sides, and count.

    Both are read as hypotheses: references with illegal symbols are refused, but what is counted holds for them, too.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = write_texts(Path(folder), ref=ref, hyp=hyp)
        sides = [read_side(path, rules, role="hyp") for path in paths]
    table, account = count_sides(
        ref=sides[0], hyp=sides[1], options=Options(rules), labels=find_labels(sides, rules), seen=seen
    )
    assert account is not None
    return table, account


def micro(table: Table, name: str) -> MatchCounts:
    """Return the counts of one of the scores that match entities, over the corpus and all labels."""
    return sum_counts(table.columns.matches(table.totals(), name))


def count_labels(utterances: Sequence[Transcript]) -> Counter[str]:
    """Return how often each label occurs."""
    return Counter(entity.label for utterance in utterances for entity in utterance.entities)


# Words and entity symbols in any order, so that most texts hold illegal symbols, among well-formed entities.
SCRAPS = st.sampled_from([*WORDS, *map(open_symbol, ALL_LABELS), CLOSE])
ENTITIES = st.builds(
    "{} {} {}".format, st.sampled_from(["<PER>", "<LOC>"]), st.sampled_from(["rom", "new york"]), st.just(CLOSE)
)
TEXTS = st.lists(st.one_of(SCRAPS, ENTITIES), max_size=8).map(" ".join)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4)
"""Tagged texts ``(ref, hyp)`` of some utterances."""


@st.composite
def taggings(draw: st.DrawFn, words: Sequence[str]) -> Transcript:
    """Entities on given words, adjacent ones included."""
    cuts = sorted(draw(st.sets(st.integers(0, len(words)))))
    labels = st.sampled_from([*ALL_LABELS, None])
    spans = [(start, end, draw(labels)) for start, end in zip(cuts, cuts[1:], strict=False)]
    return Transcript(tuple(words), tuple(Entity(*span) for span in spans if span[2]))
