"""Error kinds: each by name, which partner of several is taken, and the confusion table's cells."""

import pytest

from spner.core.datatypes import LABELS, Transcript
from spner.scoring.alignment import align
from spner.scoring.errors import EntityError, find_errors, label_pairs, match_mentions
from spner.scoring.transcripts import labels_of
from spner.text.tags import text_to_spans


def account(ref: str, hyp: str) -> list[tuple[str, str | None, str | None]]:
    """Return each error as kind, and the phrases of the reference and the predicted entity."""
    ref_utt, hyp_utt = read(ref), read(hyp)
    errors = find_errors(align(ref=ref_utt.words, hyp=hyp_utt.words), ref=ref_utt, hyp=hyp_utt)
    return [
        (
            error.kind,
            None if error.ref is None else ref_utt.phrase(ref_utt.entities[error.ref]),
            None if error.hyp is None else hyp_utt.phrase(hyp_utt.entities[error.hyp]),
        )
        for error in errors
    ]


def read(text: str) -> Transcript:
    return text_to_spans(text.split(), labels=LABELS).transcript


CASES = {
    "nothing": ("", "", []),
    "correct": ("<PER> jan </NE> slaapt", "o <PER> jan </NE> slaapt", [("correct", "jan", "jan")]),
    "correct elsewhere in the utterance": (
        "<PER> jan </NE> en piet",
        "en piet en <PER> jan </NE>",
        [("correct", "jan", "jan")],
    ),
    "wrong label on the same words": (
        "<LOC> parijs </NE>",
        "<PER> parijs </NE>",
        [("wrong_label", "parijs", "parijs")],
    ),
    "wrong label on the same place, other words": (
        "in <LOC> parijs </NE>",
        "in <PER> paris </NE>",
        [("wrong_label", "parijs", "paris")],
    ),
    "wrong boundary, shorter": (
        "<LOC> new york city </NE>",
        "<LOC> new york </NE> city",
        [("wrong_boundary", "new york city", "new york")],
    ),
    "wrong boundary, longer": ("<LOC> york </NE> is", "<LOC> york is </NE>", [("wrong_boundary", "york", "york is")]),
    "wrong boundary comes before misspelt": (
        "<LOC> new york city </NE>",
        "<LOC> new york </NE> cyty",
        [("wrong_boundary", "new york city", "new york")],
    ),
    "wrong boundary and label": (
        "<LOC> new york </NE>",
        "new <PER> york </NE>",
        [("wrong_boundary", "new york", "york")],
    ),
    "a deleted word is a wrong boundary": (
        "<LOC> new york </NE> is",
        "<LOC> york </NE> is",
        [("wrong_boundary", "new york", "york")],
    ),
    "misspelt": ("in <LOC> amsterdam </NE>", "in <LOC> amsterdom </NE>", [("misspelt", "amsterdam", "amsterdom")]),
    "misspelt in two words": (
        "in <LOC> amsterdam </NE> is",
        "in <LOC> amster dam </NE> is",
        [("misspelt", "amsterdam", "amster dam")],
    ),
    "just similar enough: 3 of 8 letters": (
        "<LOC> abcdefgh </NE>",
        "<LOC> abcdexyz </NE>",
        [("misspelt", "abcdefgh", "abcdexyz")],
    ),
    "not similar enough: 2 of 5 letters": (
        "<LOC> abcde </NE>",
        "<LOC> abcxy </NE>",
        [("missed", "abcde", None), ("spurious", None, "abcxy")],
    ),
    "misspelt with another label is not misspelt": (
        "<LOC> amsterdam </NE> is hier ook",
        "hier is <PER> amsterdom </NE>",
        [("missed", "amsterdam", None), ("spurious", None, "amsterdom")],
    ),
    "missed": ("<PER> jan </NE> slaapt", "jan slaapt", [("missed", "jan", None)]),
    "missed, empty hypothesis": ("<PER> jan </NE>", "", [("missed", "jan", None)]),
    "spurious": ("jan slaapt", "<PER> jan </NE> slaapt", [("spurious", None, "jan")]),
    "spurious among inserted words": ("", "<PER> jan </NE>", [("spurious", None, "jan")]),
    "missed and spurious share no word": (
        "<PER> jan </NE> ziet rome",
        "jan ziet <LOC> rome </NE>",
        [("missed", "jan", None), ("spurious", None, "rome")],
    ),
    "the same mention twice, found once": (
        "<LOC> rome </NE> en <LOC> rome </NE>",
        "<LOC> rome </NE> en rome",
        [("correct", "rome", "rome"), ("missed", "rome", None)],
    ),
    "adjacent entities found as one: the first is its partner": (
        "<PER> jan </NE> <PER> piet </NE>",
        "<PER> jan piet </NE>",
        [("wrong_boundary", "jan", "jan piet"), ("missed", "piet", None)],
    ),
    "of two that overlap, the one that shares more words": (
        "<PER> a b c </NE> <PER> d </NE>",
        "<PER> a </NE> <PER> b c d </NE>",
        [("wrong_boundary", "a b c", "b c d"), ("missed", "d", None), ("spurious", None, "a")],
    ),
    "of two that share as many words, the one of the same label": (
        "<PER> a b </NE>",
        "<LOC> a </NE> <PER> b </NE>",
        [("wrong_boundary", "a b", "b"), ("spurious", None, "a")],
    ),
    "correct is found before a partner that overlaps": (
        "<PER> a b </NE> c <PER> a </NE>",
        "<PER> a </NE> b c o",
        [("correct", "a", "a"), ("missed", "a b", None)],
    ),
    "labels in exchange are correct elsewhere, not wrong labels": (
        "<LOC> parijs </NE> en <PER> parijs </NE>",
        "<PER> parijs </NE> en <LOC> parijs </NE>",
        [("correct", "parijs", "parijs"), ("correct", "parijs", "parijs")],
    ),
    "of two misspelt, the nearer in letters": (
        "<LOC> amsterdam </NE> x y",
        "z q <LOC> amsterdaam </NE> o <LOC> amsterdamam </NE>",
        [("misspelt", "amsterdam", "amsterdaam"), ("spurious", None, "amsterdamam")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_account(case: str) -> None:
    ref, hyp, expected = CASES[case]
    assert account(ref, hyp) == expected


def test_of_equal_mentions_the_nearest_are_partners() -> None:
    ref, hyp = read("<LOC> rome </NE> en <LOC> rome </NE>"), read("rome en <LOC> rome </NE>")
    errors = find_errors(align(ref=ref.words, hyp=hyp.words), ref=ref, hyp=hyp)
    assert errors == [EntityError("correct", 1, 0), EntityError("missed", 0, None)]


def test_cells_of_the_confusion_table() -> None:
    ref = read("<LOC> parijs </NE> <PER> jan </NE> ziet rome")
    hyp = read("<PER> parijs </NE> jan ziet <LOC> rome </NE>")
    errors = find_errors(align(ref=ref.words, hyp=hyp.words), ref=ref, hyp=hyp)
    labels = {"ref": labels_of(ref), "hyp": labels_of(hyp)}
    assert list(label_pairs(errors, **labels)) == [("LOC", "PER"), ("PER", "O"), ("O", "LOC")]


def test_mentions_without_positions_have_equal_ones_as_partners() -> None:
    ref = [("PER", "jan"), ("LOC", "rome"), ("PER", "jan")]
    hyp = [("LOC", "jan"), ("PER", "jan"), ("LOC", "rome"), ("LOC", "rome")]
    assert match_mentions(ref=ref, hyp=hyp) == [
        EntityError("correct", 0, 1),
        EntityError("correct", 1, 2),
        EntityError("missed", 2, None),
        EntityError("spurious", None, 0),
        EntityError("spurious", None, 3),
    ]
