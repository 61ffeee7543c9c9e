"""Rows of counts: what an utterance adds to each score, and scores of sums, as numbers and as arrays of draws."""

import numpy as np
import pytest

from spner.core.datatypes import LABELS
from spner.scoring.counts import MATCHES, MISSES, WORD_RATES, Columns, compute_scores
from spner.scoring.eer import EntityErrors
from spner.scoring.f1 import MatchCounts
from spner.scoring.rules import Rules
from spner.scoring.wer import ErrorCounts
from tests.scoring.texts import count_texts, micro

REF = ["<PER> jan </NE> ziet <LOC> new york </NE>", "", "<LOC> rom </NE>"]
HYP = ["<PER> jan </NE> ziet <LOC> york </NE>", "o", ""]


def test_columns_do_not_overlap_and_fill_the_row() -> None:
    columns = Columns(["PER", "LOC"])
    row = np.arange(columns.width)
    taken = [columns.word_errors(row, name) for name in WORD_RATES] + [columns.missed(row, name) for name in MISSES]
    taken += [counts for name in MATCHES for counts in columns.matches(row, name).values()]
    assert sorted(number for counts in taken for number in vars(counts).values()) == list(range(columns.width))


def test_row_of_each_utterance() -> None:
    table, account = count_texts(ref=REF, hyp=HYP, rules=Rules())
    columns, (first, second, third) = table.columns, table.rows
    assert table.rows.dtype == np.int32
    assert columns.word_errors(first, "wer") == ErrorCounts(0, 1, 0, 4)
    assert columns.word_errors(first, "entity_wer") == ErrorCounts(0, 1, 0, 3)
    assert columns.matches(first, "f1") == {
        "PER": MatchCounts(1, 0, 0),
        "ORG": MatchCounts(),
        "LOC": MatchCounts(0, 1, 1),
    }
    assert columns.matches(first, "label_f1")["LOC"] == MatchCounts(1, 0, 0)
    assert columns.matches(first, "f1_aligned")["LOC"] == MatchCounts(0, 1, 1)
    assert columns.missed(first, "eer") == EntityErrors(1, 2)
    assert columns.word_errors(second, "wer") == ErrorCounts(0, 0, 1, 0)
    assert columns.word_errors(third, "cer") == ErrorCounts(0, 3, 0, 3)
    assert columns.missed(third, "eer_substr") == EntityErrors(1, 1)
    assert account.kinds == {"correct": 1, "wrong_boundary": 1, "missed": 1}


# ref, hyp -> tp, fp, fn after the hypothesis's entities are carried over to the reference's words.
ALIGNED = {
    "a word inserted before": ("ik zie <PER> jan </NE>", "o ik zie <PER> jan </NE>", (1, 0, 0)),
    "a word deleted before": ("ik zie <PER> jan </NE>", "ik <PER> jan </NE>", (1, 0, 0)),
    "other words in its place": ("ik zie <PER> jan </NE>", "ik zie <PER> hans </NE>", (1, 0, 0)),
    "another label": ("ik zie <PER> jan </NE>", "ik zie <LOC> jan </NE>", (0, 1, 1)),
    "a word of it deleted": ("<LOC> new york </NE> is", "<LOC> york </NE> is", (0, 1, 1)),
    "a word inserted inside": ("<LOC> new york </NE> is", "<LOC> new o york </NE> is", (1, 0, 0)),
    "made of inserted words": ("ik", "ik <PER> jan </NE>", (0, 1, 0)),
}


@pytest.mark.parametrize("case", ALIGNED)
def test_aligned_f1(case: str) -> None:
    ref, hyp, expected = ALIGNED[case]
    table, _ = count_texts(ref=[ref], hyp=[hyp])
    assert micro(table, "f1_aligned") == MatchCounts(*expected)


def test_names_are_the_scores_that_are_defined() -> None:
    every = {*WORD_RATES, *MATCHES, *MISSES}
    assert count_texts(ref=REF, hyp=HYP)[0].names == every - {"seen", "unseen"}
    assert count_texts(ref=REF, hyp=HYP, seen=frozenset())[0].names == every


def test_scores_of_sums_by_hand() -> None:
    table, _ = count_texts(ref=REF, hyp=HYP, rules=Rules())
    scores = compute_scores(table.columns, table.totals(), table.names)
    assert scores == {
        "wer": 3 / 5,
        "cer": 8 / 20,
        "wer_tagged": 5 / 11,
        "entity_wer": 2 / 4,
        "eer": 2 / 3,
        "eer_substr": 2 / 3,
        "f1": 2 / 5,
        "precision": 1 / 2,
        "recall": 1 / 3,
        "f1.PER": 1.0,
        "f1.ORG": 0.0,
        "f1.LOC": 0.0,
        "macro_f1": 0.5,
        "label_f1": 4 / 5,
        "f1_span": 2 / 5,
        "f1_span_text": 2 / 5,
        "f1_aligned": 2 / 5,
    }


def test_scores_of_many_draws_are_those_of_each() -> None:
    table, _ = count_texts(ref=REF, hyp=HYP)
    draws = np.stack([table.totals(), table.rows[0], table.rows[2], 2 * table.totals()])
    many = compute_scores(table.columns, draws.astype(np.float64), table.names)
    for number, totals in enumerate(draws):
        expected = compute_scores(table.columns, totals, table.names)
        drawn = {name: values[number] for name, values in many.items() if not np.isnan(values[number])}
        assert drawn == {name: expected[name] for name in drawn}
        assert {expected[name] for name in expected.keys() - drawn} <= {0.0, None}  # 0/0


def test_a_draw_of_nothing_defines_no_score() -> None:
    columns = Columns(LABELS)
    nothing = compute_scores(columns, np.zeros((1, columns.width)), frozenset({*WORD_RATES, *MATCHES, *MISSES}))
    assert all(np.isnan(values[0]) for values in nothing.values())


def test_macro_f1_of_draws_is_the_mean_over_the_labels_that_each_draw_has() -> None:
    table, _ = count_texts(ref=["<PER> a </NE>", "<LOC> b </NE>"], hyp=["<PER> a </NE>", "b"])
    draws = np.stack([table.rows[0], table.rows[1], table.totals()]).astype(np.float64)
    assert compute_scores(table.columns, draws, table.names)["macro_f1"].tolist() == [1.0, 0.0, 0.5]
