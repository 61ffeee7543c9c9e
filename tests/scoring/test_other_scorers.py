"""The scores beside those of jiwer and seqeval, on the same files: equal wherever both define a number."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from spner.core.datatypes import LABELS, Entity, Transcript
from spner.scoring.counts import Table
from spner.scoring.rules import Rules
from spner.scoring.wer import ErrorCounts
from spner.text.tags import bio_to_spans, spans_to_bio, spans_to_text, text_to_spans
from tests.scoring.texts import ALL_LABELS, PAIRS, RULES, WORDS, count_texts, micro, taggings


def rates(output: jiwer.WordOutput | jiwer.CharacterOutput) -> ErrorCounts:
    num_ref = output.hits + output.substitutions + output.deletions
    return ErrorCounts(output.substitutions, output.deletions, output.insertions, num_ref)


def entity_errors(pairs: Sequence[tuple[Transcript, Transcript]]) -> ErrorCounts:
    """Count jiwer's errors inside entities, one edit after the other."""
    num_sub = num_del = num_ins = num_ref = 0
    for ref, hyp in pairs:
        inside = {position: entity for entity in ref.entities for position in range(entity.start, entity.end)}
        (chunks,) = jiwer.process_words(" ".join(ref.words), " ".join(hyp.words)).alignments
        for chunk in chunks:
            own = [position for position in range(chunk.ref_start_idx, chunk.ref_end_idx) if position in inside]
            before, after = inside.get(chunk.ref_start_idx - 1), inside.get(chunk.ref_start_idx)
            num_sub += len(own) * (chunk.type == "substitute")
            num_del += len(own) * (chunk.type == "delete")
            if chunk.type == "insert" and before == after is not None:
                num_ins += chunk.hyp_end_idx - chunk.hyp_start_idx
        num_ref += len(inside)
    return ErrorCounts(num_sub, num_del, num_ins, num_ref)


@given(PAIRS)
def test_word_and_character_errors_equal_jiwers(pairs: list[tuple[str, str]]) -> None:
    refs, hyps = zip(*pairs, strict=True)
    table, _ = count_texts(ref=refs, hyp=hyps)
    ref_utts, hyp_utts = (
        [text_to_spans(text.split(), labels=ALL_LABELS).transcript for text in texts] for texts in (refs, hyps)
    )
    ref_words, hyp_words = ([" ".join(each.words) for each in side] for side in (ref_utts, hyp_utts))
    expected = {
        "wer": rates(jiwer.process_words(ref_words, hyp_words)),
        "cer": rates(jiwer.process_characters(ref_words, hyp_words)),
        # The symbols are words of their own, the illegal ones too.
        "wer_tagged": rates(jiwer.process_words(list(refs), list(hyps))),
        "entity_wer": entity_errors(list(zip(ref_utts, hyp_utts, strict=True))),
    }
    assert {name: table.columns.word_errors(table.totals(), name) for name in expected} == expected


LETTERS = st.lists(st.text("abëß'ж", min_size=1, max_size=4), max_size=9).map(" ".join)


@given(st.lists(st.tuples(LETTERS, LETTERS), min_size=1, max_size=5))
def test_rates_of_random_strings_equal_jiwers(pairs: list[tuple[str, str]]) -> None:
    refs, hyps = map(list, zip(*pairs, strict=True))
    table, _ = count_texts(ref=refs, hyp=hyps, rules=Rules())
    words, characters = jiwer.process_words(refs, hyps), jiwer.process_characters(refs, hyps)
    for name, theirs, rate in (("wer", words, words.wer), ("cer", characters, characters.cer)):
        ours = table.columns.word_errors(table.totals(), name)
        assert ours == rates(theirs)
        # Where there is nothing but insertions jiwer gives their number, which is no rate.
        assert ours.rate == (pytest.approx(rate, abs=1e-12) if ours.num_ref or not ours.num_ins else None)


def assert_equals_seqeval(table: Table, refs: list[list[str]], hyps: list[list[str]], **mode: object) -> None:
    """Compare span F1 with seqeval's on the same tags, over all labels and for each that occurs."""
    options = {**mode, "zero_division": 0}
    found = micro(table, "f1_span")
    expected = [compute(refs, hyps, **options) for compute in (precision_score, recall_score, f1_score)]
    assert (found.precision, found.recall, found.f1) == pytest.approx(expected, abs=1e-12)
    if not any(tag != "O" for side in (refs, hyps) for tags in side for tag in tags):
        return  # seqeval's report fails without any entity
    report = classification_report(refs, hyps, output_dict=True, **options)
    by_label = table.columns.matches(table.totals(), "f1_span")
    occurring = {label: c for label, c in by_label.items() if c.tp + c.fp + c.fn}
    assert occurring.keys() == report.keys() - {"micro avg", "macro avg", "weighted avg"}
    for label, counts in occurring.items():
        theirs = report[label]
        expected = (theirs["precision"], theirs["recall"], theirs["f1-score"])
        assert (counts.precision, counts.recall, counts.f1) == pytest.approx(expected, abs=1e-12)
        assert counts.tp + counts.fn == theirs["support"]


STRICT = {"mode": "strict", "scheme": IOB2}
TWO_TAGGINGS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).flatmap(
    lambda words: st.tuples(taggings(words), taggings(words))
)


@given(st.lists(TWO_TAGGINGS, min_size=1, max_size=4))
def test_span_f1_on_identical_words_is_seqevals(pairs: list[tuple[Transcript, Transcript]]) -> None:
    refs, hyps = zip(*pairs, strict=True)
    table, _ = count_texts(ref=[*map(spans_to_text, refs)], hyp=[*map(spans_to_text, hyps)])
    assert_equals_seqeval(table, [*map(spans_to_bio, refs)], [*map(spans_to_bio, hyps)], **STRICT)
    assert micro(table, "f1_aligned") == micro(table, "f1_span")


# Tags of the kinds that conlleval's users meet: ref, hyp -> tp, fp, fn.
SEQUENCES = {
    "adjacent entities of one label": ("B-PER B-PER I-PER O", "B-PER I-PER I-PER O", (0, 1, 2)),
    "adjacent entities, found as they are": ("B-PER B-PER I-PER O", "B-PER B-PER I-PER O", (2, 0, 0)),
    "label change inside I-": ("B-PER I-PER I-LOC", "B-PER I-PER B-LOC", (2, 0, 0)),
    "label change at I- that should go on": ("B-PER I-PER I-PER", "B-PER I-PER I-LOC", (0, 2, 1)),
    "I- without a begin": ("O B-LOC I-LOC O", "O I-LOC I-LOC O", (1, 0, 0)),
    "I- at the start of the sentence": ("B-LOC O", "I-LOC O", (1, 0, 0)),
    "B- after B- of another label": ("B-PER B-LOC O", "B-PER B-ORG O", (1, 1, 1)),
    "entity at the end of the sentence": ("O O B-ORG I-ORG", "O O B-ORG I-ORG", (1, 0, 0)),
    "cut short": ("B-ORG I-ORG I-ORG", "B-ORG I-ORG O", (0, 1, 1)),
    "a gap inside": ("B-ORG I-ORG I-ORG", "B-ORG O I-ORG", (0, 2, 1)),
    "two as one": ("B-LOC O B-LOC", "B-LOC I-LOC I-LOC", (0, 1, 2)),
    "label alone differs": ("B-LOC I-LOC", "B-ORG I-ORG", (0, 1, 1)),
    "nothing found": ("B-LOC O", "O O", (0, 0, 1)),
    "nothing there": ("O O", "B-LOC O", (0, 1, 0)),
    "nothing at all": ("O O", "O O", (0, 0, 0)),
}


def tagged(bio: Sequence[str]) -> str:
    """Return tagged text of as many words, the entities read as conlleval does."""
    return spans_to_text(Transcript(tuple(f"w{position}" for position in range(len(bio))), bio_to_spans(bio)))


@pytest.mark.parametrize("case", SEQUENCES)
def test_conlleval_sequences(case: str) -> None:
    ref, hyp, (tp, fp, fn) = SEQUENCES[case]
    table, _ = count_texts(ref=[tagged(ref.split())], hyp=[tagged(hyp.split())])
    found = micro(table, "f1_span")
    assert (found.tp, found.fp, found.fn) == (tp, fp, fn)
    assert_equals_seqeval(table, [ref.split()], [hyp.split()])


TAGS = st.lists(st.sampled_from(["O", *(f"{prefix}-{label}" for prefix in "BI" for label in ALL_LABELS)]), min_size=1)


@given(TAGS, TAGS)
def test_random_tags_score_as_with_conlleval(ref: list[str], hyp: list[str]) -> None:
    shorter = min(len(ref), len(hyp))
    refs, hyps = [ref[:shorter]], [hyp[:shorter]]
    table, _ = count_texts(ref=[tagged(refs[0])], hyp=[tagged(hyps[0])])
    assert_equals_seqeval(table, refs, hyps)


def read_conll(path: Path) -> list[Transcript]:
    sentences, words, bio = [], [], []
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        if line and not line.startswith("-DOCSTART-"):
            word, _, tag = line.split(" ")
            words.append(word)
            bio.append(tag)
        elif words:
            sentences.append(Transcript(tuple(words), bio_to_spans(bio)))
            words, bio = [], []
    return sentences


def perturb(ref: Transcript, random: Random) -> Transcript:
    """Drop, relabel and shorten some entities, and make one up where the sentence begins without one."""
    entities = []
    if random.random() < 0.1 and ref.words and (not ref.entities or ref.entities[0].start > 0):
        entities.append(Entity(0, 1, random.choice(ALL_LABELS)))
    for entity in ref.entities:
        kind = random.random()
        label = random.choice(LABELS) if kind < 0.2 else entity.label
        end = max(entity.start + 1, entity.end - (kind > 0.9))
        entities += [] if 0.2 < kind < 0.3 else [Entity(entity.start, end, label)]
    return Transcript(ref.words, tuple(entities))


def test_conll_2002_scores_as_with_seqeval(shared_data: Path) -> None:
    refs = read_conll(shared_data / "text_ner" / "conll2002_nl" / "ned.testa")
    random = Random(1)
    hyps = [perturb(ref, random) for ref in refs]
    table, _ = count_texts(ref=[*map(spans_to_text, refs)], hyp=[*map(spans_to_text, hyps)], rules=RULES)
    assert_equals_seqeval(table, [*map(spans_to_bio, refs)], [*map(spans_to_bio, hyps)], **STRICT)
    assert micro(table, "f1_span").tp + micro(table, "f1_span").fn == 2616
    assert 0.7 < micro(table, "f1_span").f1 < 0.9
