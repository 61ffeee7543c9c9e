"""docs/metrics.md, section 8: every case that scorers get wrong, by its name there, and the laws that all scores keep.

Everything goes the way of a user's files: two Kaldi texts with entity symbols, read, paired and counted.
"""

import json
import logging
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spner.core.datatypes import LABELS, Transcript
from spner.core.errors import SpnerError
from spner.core.paths import utterances_file
from spner.scoring.counts import compute_scores
from spner.scoring.errors import NO_LABEL
from spner.scoring.f1 import MATCHINGS, MatchCounts
from spner.scoring.inputs import read_side
from spner.scoring.options import Options
from spner.scoring.rules import Rules
from spner.scoring.score import score
from spner.text.tags import POLICIES, spans_to_text, text_to_spans
from tests.scoring.texts import (
    ALL_LABELS,
    PAIRS,
    TEXTS,
    WORDS,
    count_labels,
    count_texts,
    micro,
    taggings,
    write_texts,
)

HEADLINES = ("wer", "f1", "label_f1", "f1_span", "eer", "eer_substr")

# ref, hyp -> WER, F1, label-F1, span F1, EER, EER by substring.
CASES = {
    "empty hypothesis": ("<PER> jan </NE> slaapt", "", (1.0, 0.0, 0.0, 0.0, 1.0, 1.0)),
    "both empty (contributes 0, not 1)": ("", "", (0.0, 0.0, 0.0, 0.0, None, None)),
    "0/0 is 0.0": ("het is koud", "het is koud", (0.0, 0.0, 0.0, 0.0, None, None)),
    "the same mention twice, tagged once": (
        "<LOC> rome </NE> en <LOC> rome </NE>",
        "<LOC> rome </NE> en rome",
        (0.0, 2 / 3, 2 / 3, 2 / 3, 0.0, 0.0),
    ),
    "the same mention twice, predicted once": (
        "<LOC> rome </NE> en <LOC> rome </NE>",
        "<LOC> rome </NE> en",
        (1 / 3, 2 / 3, 2 / 3, 2 / 3, 0.5, 0.0),
    ),
    "the same mention twice, never found": (
        "<LOC> rome </NE> en <LOC> rome </NE>",
        "<PER> rome </NE> en",
        (1 / 3, 0.0, 0.0, 0.0, 0.5, 0.0),
    ),
    "two labels on one phrase": (
        "<LOC> parijs </NE> en <PER> parijs </NE>",
        "<PER> parijs </NE> en <LOC> parijs </NE>",
        (0.0, 1.0, 1.0, 0.0, 0.0, 0.0),
    ),
    "two labels on one phrase, predicted as one": (
        "<LOC> parijs </NE> en <PER> parijs </NE>",
        "<LOC> parijs </NE> en <LOC> parijs </NE>",
        (0.0, 0.5, 0.5, 0.5, 0.0, 0.0),
    ),
    '"new york" and "york"': (
        "<LOC> new york </NE> en <LOC> york </NE>",
        "<LOC> new york </NE> en",
        (0.25, 2 / 3, 2 / 3, 2 / 3, 0.5, 0.0),
    ),
    '"york" and "new york" in the other order': (
        "<LOC> york </NE> en <LOC> new york </NE>",
        "<LOC> new york </NE> <LOC> york </NE>",
        (0.75, 1.0, 1.0, 0.0, 0.0, 0.0),
    ),
    '"rom" inside "promise" (not a mention)': ("<LOC> rom </NE> is", "promise is", (0.5, 0.0, 0.0, 0.0, 1.0, 0.0)),
    "two different PER in one utterance (label count 2)": (
        "<PER> jan </NE> ziet <PER> piet </NE>",
        "<PER> jan </NE> ziet <PER> klaas </NE>",
        (1 / 3, 0.5, 1.0, 1.0, 0.5, 0.5),
    ),
    "adjacent same-label entities": (
        "<PER> jan </NE> <PER> piet </NE>",
        "<PER> jan piet </NE>",
        (0.0, 0.0, 2 / 3, 0.0, 0.0, 0.0),
    ),
    "a new open inside an open one": (
        "<PER> jan </NE> <LOC> rome </NE>",
        "<PER> jan <LOC> rome </NE>",
        (0.0, 2 / 3, 2 / 3, 2 / 3, 0.0, 0.0),
    ),
    "unclosed at the end": ("ik zie <PER> jan </NE>", "ik zie <PER> jan", (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)),
    "an empty entity": ("<PER> jan </NE>", "<PER> </NE> jan", (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)),
    "a stray close": (
        "<LOC> boston </NE> was founded by <PER> john </NE>",
        "<LOC> boston </NE> </NE> was founded by john </NE>",
        (0.0, 2 / 3, 2 / 3, 2 / 3, 0.0, 0.0),
    ),
    "a lone apostrophe token (must not shift labels)": (
        "' <PER> jan </NE> is <LOC> hier </NE>",
        "<PER> jan </NE> ' is <LOC> hier </NE> '",
        (0.0, 1.0, 1.0, 1.0, 0.0, 0.0),
    ),
    "ß, ë, ij stay": (
        "<LOC> belgië </NE> <PER> weiß </NE> ij",
        "<LOC> belgie </NE> <PER> weiss </NE> y",
        (1.0, 0.0, 1.0, 1.0, 1.0, 1.0),
    ),
    "combining accents are composed": (
        "<LOC> België </NE> <PER> Zoë </NE>",
        "<LOC> belgie\u0308 </NE> <PER> zoe\u0308 </NE>",
        (0.0, 1.0, 1.0, 1.0, 0.0, 0.0),
    ),
    "hyp = ref": (
        "<LOC> rome </NE> <LOC> rome </NE> en <PER> jan smit </NE>",
        "<LOC> rome </NE> <LOC> rome </NE> en <PER> jan smit </NE>",
        (0.0, 1.0, 1.0, 1.0, 0.0, 0.0),
    ),
}


def score_lines(folder: Path, *, ref: list[str], hyp: list[str], **rules: Any) -> dict[str, Any]:
    return score(*write_texts(folder, ref=ref, hyp=hyp), Options(Rules("nl", **rules), num_draws=0))


def headlines(scores: dict[str, Any]) -> tuple[float | None, ...]:
    return tuple(scores[name]["micro"]["f1"] if "f1" in name else scores[name]["rate"] for name in HEADLINES)


@pytest.mark.parametrize("case", CASES)
def test_case(tmp_path: Path, case: str) -> None:
    ref, hyp, expected = CASES[case]
    assert headlines(score_lines(tmp_path, ref=[ref], hyp=[hyp])) == expected


def test_the_same_mention_twice_counts_twice(tmp_path: Path) -> None:
    twice = "<LOC> rome </NE> en <LOC> rome </NE>"
    for ref, hyp, counts in ((twice, "rome", (0, 0, 2)), ("rome", twice, (0, 2, 0)), (twice, twice, (2, 0, 0))):
        scores = score_lines(tmp_path, ref=[ref], hyp=[hyp])
        for name in MATCHINGS:
            assert tuple(scores[name]["micro"][kind] for kind in ("tp", "fp", "fn")) == counts


def test_both_empty_changes_nothing_beside_others(tmp_path: Path) -> None:
    ref, hyp, expected = CASES['"new york" and "york"']
    assert headlines(score_lines(tmp_path, ref=["", ref, ""], hyp=["", hyp, ""])) == expected


def test_empty_reference_adds_its_insertions_to_the_wer_and_0_to_its_words(tmp_path: Path) -> None:
    scores = score_lines(tmp_path, ref=["", "a b"], hyp=["a <PER> jan </NE>", "a b"])
    assert scores["wer"] == {"rate": 1.0, "sub": 0, "del": 0, "ins": 2, "num_ref": 2}
    assert scores["f1"]["micro"]["fp"] == 1


ILLEGAL = {
    "a new open inside an open one": {"open_inside": 1},
    "unclosed at the end": {"unclosed": 1},
    "an empty entity": {"empty": 1},
    "a stray close": {"stray_close": 2},
    "hyp = ref": {},
}


@pytest.mark.parametrize("case", ILLEGAL)
def test_illegal_symbols_are_counted(tmp_path: Path, case: str) -> None:
    ref, hyp, _ = CASES[case]
    found = score_lines(tmp_path, ref=[ref, ""], hyp=[hyp, ""])["illegal_symbols"]["hyp"]
    assert found == ILLEGAL[case] | {"per_100_utts": 50.0 * sum(ILLEGAL[case].values())}


def test_discarded_label_type_vanishes_on_both_sides(tmp_path: Path) -> None:
    ref, hyp = "<PER> jan </NE> ziet <LOC> rome </NE>", "<LOC> jan </NE> ziet <PER> rome </NE> <LOC> </NE>"
    scores = score_lines(tmp_path, ref=[ref], hyp=[hyp], discard=frozenset(["LOC"]))
    # PER jan stands against PER rome: a false negative, a false positive; the words of LOC stay
    assert headlines(scores) == (0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
    assert scores["f1"]["labels"].keys() == {"PER", "ORG"}
    assert scores["eer"]["num_entities"] == 1
    assert scores["confusion"].keys() == {"PER", "ORG", "O"}
    assert scores["wer_tagged"] == {"rate": 4 / 5, "sub": 2, "del": 1, "ins": 1, "num_ref": 5}


def test_unknown_label_in_hypotheses_is_a_false_positive_and_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ref, hyp = "<PER> piet </NE> jan", "<PER> piet </NE> <MISC> jan </NE>"
    scores = score_lines(tmp_path, ref=["", ref], hyp=["", hyp])
    assert headlines(scores) == (0.0, 2 / 3, 2 / 3, 2 / 3, 0.0, 0.0)
    assert scores["f1"]["micro"]["precision"] == 0.5
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (
            logging.WARNING,
            f"{tmp_path}/hyp:2: the first of 1 entities whose labels are not configured (MISC 1; "
            "expected PER, ORG, LOC); each counts as an error",
        ),
    ]


def test_unknown_label_in_references_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpnerError) as error:
        score_lines(tmp_path, ref=["", "<MISC> jan </NE>"], hyp=["", ""])
    assert str(error.value) == (
        f'{tmp_path}/ref:2: label "MISC" is not configured (expected PER, ORG, LOC); add it to --labels, rename it '
        "with --map MISC=NEW or leave it out with --discard MISC"
    )


def test_swapping_ref_and_hyp_exchanges_precision_and_recall_and_leaves_f1(tmp_path: Path) -> None:
    ref, hyp = "<PER> jan </NE> ziet <LOC> rome </NE> en rome", "<PER> jan </NE> ziet rome en rome"
    there, back = score_lines(tmp_path, ref=[ref], hyp=[hyp]), score_lines(tmp_path, ref=[hyp], hyp=[ref])
    for name in MATCHINGS:
        one, other = there[name]["micro"], back[name]["micro"]
        assert (one["precision"], one["recall"]) == (1.0, 0.5)
        assert (other["precision"], other["recall"], other["f1"]) == (0.5, 1.0, one["f1"])


# Laws, on tagged texts whose symbols are mostly illegal.


@given(PAIRS)
def test_label_f1_is_at_least_f1(pairs: list[tuple[str, str]]) -> None:
    table, _ = count_texts(ref=[ref for ref, _ in pairs], hyp=[hyp for _, hyp in pairs])
    found = {name: micro(table, name).f1 for name in MATCHINGS}
    assert found["label_f1"] >= found["f1"] >= found["f1_span_text"]
    assert found["label_f1"] >= found["f1_span"] >= found["f1_span_text"]


@given(PAIRS)
@example([("<PER> new york </NE> <LOC> york </NE>", "new york promise")])
def test_eer_is_at_least_eer_substr(pairs: list[tuple[str, str]]) -> None:
    table, _ = count_texts(ref=[ref for ref, _ in pairs], hyp=[hyp for _, hyp in pairs])
    eer, eer_substr = (table.columns.missed(table.totals(), name) for name in ("eer", "eer_substr"))
    assert eer.num_errors >= eer_substr.num_errors
    assert (eer.rate is None) is (eer_substr.rate is None) is (eer.num_entities == 0)


@given(PAIRS)
def test_swap_exchanges_precision_and_recall(pairs: list[tuple[str, str]]) -> None:
    refs, hyps = zip(*pairs, strict=True)
    there, back = count_texts(ref=refs, hyp=hyps)[0], count_texts(ref=hyps, hyp=refs)[0]
    for name in MATCHINGS:
        one, other = micro(there, name), micro(back, name)
        assert (other.precision, other.recall, other.f1) == (one.recall, one.precision, one.f1)


@given(PAIRS, st.randoms(use_true_random=False))
def test_order_of_utterances_does_not_matter(pairs: list[tuple[str, str]], random: Random) -> None:
    table, account = count_texts(ref=[ref for ref, _ in pairs], hyp=[hyp for _, hyp in pairs])
    names = {name: compute_scores(table.columns, table.totals(), table.names)[name] for name in ("wer", "f1", "eer")}
    shuffled = random.sample(pairs, len(pairs))
    other, other_account = count_texts(ref=[ref for ref, _ in shuffled], hyp=[hyp for _, hyp in shuffled])
    assert names == {name: compute_scores(other.columns, other.totals(), other.names)[name] for name in names}
    assert (other.totals() == table.totals()).all()
    assert other_account == account


def test_order_of_lines_changes_no_byte_and_no_hash_seed_does(tmp_path: Path, repo_root: Path) -> None:
    refs, hyps = zip(*(case[:2] for case in CASES.values()), strict=True)
    paths = write_texts(tmp_path, ref=refs, hyp=[*hyps[:-1], "".join(f"<{label}> rome </NE>" for label in "VWXYZ")])
    out = tmp_path / "s.json"
    command = [sys.executable, "-m", "spner", "score", "--ref", paths[0], "--hyp", paths[1], "--out", out]
    found = set()
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run(command, env=environment, cwd=repo_root, check=True, capture_output=True)
        found.add((out.read_text(), utterances_file(out).read_text()))
        for path in paths:
            path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    ((scores, _),) = found
    low, high = json.loads(scores)["ci95"]["f1"]
    assert 0 < low < high < 1


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=12)
SCRAPS = st.lists(st.one_of(ANY_TEXT, TEXTS, st.sampled_from(["<PER>", "</NE>", "<", "<PER", "<X-1>"]))).map("".join)


@given(st.lists(st.one_of(st.text(), st.sampled_from(["<PER>", "<LOC>", "</NE>"]))), st.sampled_from(POLICIES))
def test_parse_never_raises_on_any_token_sequence(tokens: list[str], policy: str) -> None:
    reading = text_to_spans(tokens, labels=LABELS, policy=policy)
    assert list(reading.transcript.words) == [t for t in tokens if t not in ("<PER>", "<ORG>", "<LOC>", "</NE>")]


@given(st.lists(SCRAPS, min_size=1, max_size=4), st.sampled_from(POLICIES), st.sampled_from([None, "nl", "en"]))
def test_any_text_may_be_scored_as_a_hypothesis(texts: list[str], policy: str, lang: str | None) -> None:
    table, _ = count_texts(ref=["a <PER> jan </NE>"] * len(texts), hyp=texts, rules=Rules(lang, policy=policy))
    assert table.columns.word_errors(table.totals(), "wer").num_ref == 2 * len(texts)


@given(st.lists(TEXTS, min_size=1))
def test_policies_and_files_keep_every_word(texts: list[str]) -> None:
    for policy in POLICIES:
        table, _ = count_texts(ref=texts, hyp=texts, rules=Rules(labels=ALL_LABELS, policy=policy))
        num_words = sum(token in WORDS for text in texts for token in text.split())
        assert table.columns.word_errors(table.totals(), "wer").num_ref == num_words


WORD = ANY_TEXT.filter(lambda text: len(text.split()) == 1 and "<" not in text).map(str.strip)


@given(st.lists(WORD, max_size=6).flatmap(taggings), st.sampled_from(POLICIES))
def test_text_to_spans_undoes_spans_to_text(
    tmp_path_factory: pytest.TempPathFactory, ref: Transcript, policy: str
) -> None:
    text = spans_to_text(ref)
    assert text_to_spans(text.split(), labels=ALL_LABELS, policy=policy).transcript == ref
    path = tmp_path_factory.getbasetemp() / "round_trip"
    path.write_text(f"u {text}\n", encoding="utf-8", newline="\n")
    side = read_side(path, Rules(labels=ALL_LABELS, policy=policy), role="ref")
    assert side.utterances == {"u": ref}
    assert not side.illegal and not side.tagged


@given(PAIRS)
def test_account_of_errors_holds_each_entity_once(pairs: list[tuple[str, str]]) -> None:
    refs, hyps = zip(*pairs, strict=True)
    table, account = count_texts(ref=refs, hyp=hyps)
    ref, hyp = (
        count_labels([text_to_spans(text.split(), labels=ALL_LABELS).transcript for text in texts])
        for texts in (refs, hyps)
    )
    f1, kinds = micro(table, "f1"), account.kinds
    num_pairs = kinds.total() - kinds["missed"] - kinds["spurious"]
    assert kinds["correct"] == f1.tp
    assert num_pairs + kinds["missed"] == ref.total() == f1.tp + f1.fn
    assert num_pairs + kinds["spurious"] == hyp.total() == f1.tp + f1.fp
    rows, columns = Counter(), Counter()
    for (ref_label, hyp_label), count in account.labels.items():
        rows[ref_label] += count
        columns[hyp_label] += count
    assert (rows.pop(NO_LABEL, 0), columns.pop(NO_LABEL, 0)) == (kinds["spurious"], kinds["missed"])
    assert (rows, columns) == (ref, hyp)
    assert account.labels[NO_LABEL, NO_LABEL] == 0
    assert sum(account.labels[label, label] for label in ALL_LABELS) >= kinds["correct"] + kinds["misspelt"]


SEEN = st.frozensets(st.tuples(st.sampled_from(ALL_LABELS), st.sampled_from([*WORDS, "new york"])))


@given(PAIRS, SEEN)
def test_seen_and_unseen_entities_are_all_entities(pairs: list[tuple[str, str]], seen: frozenset[Any]) -> None:
    table, _ = count_texts(ref=[ref for ref, _ in pairs], hyp=[hyp for _, hyp in pairs], seen=seen)
    for label in ALL_LABELS:
        f1, known, new = (table.columns.matches(table.totals(), name)[label] for name in ("f1", "seen", "unseen"))
        assert (known.tp + new.tp, known.fn + new.fn, known.fp + new.fp) == (f1.tp, f1.fn, f1.fp)


@given(st.lists(st.sampled_from(WORDS), max_size=7).flatmap(lambda words: st.tuples(taggings(words), taggings(words))))
def test_aligned_f1_is_span_f1_on_identical_words(pair: tuple[Transcript, Transcript]) -> None:
    ref, hyp = map(spans_to_text, pair)
    table, _ = count_texts(ref=[ref], hyp=[hyp])
    assert micro(table, "f1_aligned") == micro(table, "f1_span") == micro(table, "f1_span_text")


@given(st.lists(TEXTS, min_size=1))
@example(["<PER> rom new </NE> <LOC> new york rom </NE>"])
@example(["rom new <PER> york ' </NE> <LOC> rom new york </NE>"])
def test_hypothesis_that_equals_the_reference_is_perfect(texts: list[str]) -> None:
    table, account = count_texts(ref=texts, hyp=texts)
    scores = compute_scores(table.columns, table.totals(), table.names)
    num_entities = micro(table, "f1").tp
    assert [scores[name] for name in ("wer", "cer", "wer_tagged")] == [0.0] * 3
    assert {scores[name] for name in ("eer", "eer_substr", "entity_wer")} == {0.0 if num_entities else None}
    assert {micro(table, name) for name in (*MATCHINGS, "f1_aligned")} == {MatchCounts(tp=num_entities)}
    assert {kind for kind, count in account.kinds.items() if count} <= {"correct"}
    assert scores["macro_f1"] == (1.0 if num_entities else 0.0)


@given(PAIRS)
def test_f1_equals_a_brute_force_count_of_the_multisets(pairs: list[tuple[str, str]]) -> None:
    def mentions(text: str) -> list[tuple[str, str]]:
        """Close at every ``</NE>`` what the last symbol opened; nothing else makes an entity."""
        found, label, words = [], None, []
        for token in text.split():
            if token == "</NE>":
                found += [(label, " ".join(words))] if label and words else []
                label = None
            elif token.startswith("<"):
                label, words = token[1:-1], []
            else:
                words.append(token)
        return found

    tp = fp = fn = 0
    for ref, hyp in pairs:
        left = mentions(ref)
        for mention in mentions(hyp):
            if mention in left:
                left.remove(mention)
                tp += 1
            else:
                fp += 1
        fn += len(left)
    table, _ = count_texts(ref=[ref for ref, _ in pairs], hyp=[hyp for _, hyp in pairs])
    assert micro(table, "f1") == MatchCounts(tp, fp, fn)
