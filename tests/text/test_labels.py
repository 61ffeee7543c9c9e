"""Labels by name: what is refused, which spellings mean what, and what is told about the others."""

import pytest

from spner.core.datatypes import Entity, Transcript
from spner.core.errors import SpnerError
from spner.text.labels import LabelSet, adopt, parse_labels

SLUE = ("LAW", "NORP", "ORG", "PERSON", "PLACE", "QUANT", "WHEN")


def test_labels_of_a_list() -> None:
    assert parse_labels(" PER  creative-work GPE_ORG 7x", where="--labels") == ("PER", "creative-work", "GPE_ORG", "7x")


@pytest.mark.parametrize(
    ("text", "found"),
    [("PER ORG PER", "PER"), ("PER NE", "NE"), ("unk", "unk"), ("O", "O"), ("PER,ORG", "PER,ORG"), ("<PER>", "<PER>")]
    + [("Sté", "Sté"), ("-x", "-x"), ("PER.NAM", "PER.NAM"), ("space", "space")],
)
def test_a_label_whose_symbol_would_not_be_its_own(text: str, found: str) -> None:
    with pytest.raises(SpnerError) as error:
        parse_labels(text, where="--labels")
    assert str(error.value) == (
        f'--labels: found "{found}" in "{text}" (expected different labels of letters a to z, digits, _ and -, none of '
        "blank, micro, ne, o, s, space, unk)"
    )


def test_no_label() -> None:
    with pytest.raises(SpnerError, match="--labels: holds no label"):
        parse_labels(" ", where="--labels")


@pytest.mark.parametrize(
    ("names", "means"),
    [
        (("PER", "ORG", "LOC"), {"PER": "PER", "PERS": "PER", "Person": "PER", "PER.NAM": "PER", "GPE": "LOC"}),
        (("PER", "ORG", "LOC"), {"GPE.NAM": "LOC", "organization": "ORG", "GPE_ORG": "ORG", "location": "LOC"}),
        (("PER", "ORG", "LOC"), {"MISC": None, "PER.NOM": None, "PERCENT": None, "LABEL_0": None}),
        (SLUE, {"PER": "PERSON", "GPE": "PLACE", "LOC": "PLACE", "ORGANISATION": "ORG", "NORP": "NORP", "FAC": None}),
        (("PERSON", "GPE", "LOC"), {"GPE": "GPE", "LOC": "LOC", "LOCATION": "LOC", "PER": "PERSON"}),
        (("person", "location"), {"PER": "person", "GPE": "location", "Person": "person", "person": "person"}),
        (("DATE",), {"date": "DATE", "PER": None}),
    ],
)
def test_names_that_mean_a_label(names: tuple[str, ...], means: dict[str, str | None]) -> None:
    assert {name: LabelSet(names).find(name) for name in means} == means


def test_what_the_user_says_comes_first() -> None:
    labels = LabelSet(("PER", "LOC"), {"FAC": "LOC", "GPE": "O", "PER": "O"})
    assert [labels.find(name) for name in ("FAC", "GPE", "PER", "PERSON", "LOC")] == ["LOC", None, None, "PER", "LOC"]
    with pytest.raises(SpnerError) as error:
        LabelSet(("PER", "LOC"), {"PERS": "PRE"})
    assert str(error.value) == (
        '--map PERS=PRE: expected one of the labels PER, LOC, or O to leave PERS out; did you mean "PER"?'
    )


SENTENCES = [
    Transcript(("jan", "in", "rome"), (Entity(0, 1, "PERS"), Entity(2, 3, "GPE"))),
    Transcript(("pasen", "kerst", "jan"), (Entity(0, 1, "EVENT"), Entity(1, 2, "EVENT"), Entity(2, 3, "PER"))),
]


def test_what_is_renamed_and_left_out_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        one, two = adopt(SENTENCES, LabelSet(), where="x.txt")
    assert one == Transcript(("jan", "in", "rome"), (Entity(0, 1, "PER"), Entity(2, 3, "LOC")))
    assert two == Transcript(("pasen", "kerst", "jan"), (Entity(2, 3, "PER"),))
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("INFO", "x.txt: reads GPE as LOC, PERS as PER; --map OLD=NEW says otherwise"),
        (
            "WARNING",
            "x.txt: entities left out, of labels that are not PER, ORG, LOC: 2 EVENT; --map OLD=NEW keeps them",
        ),
    ]


def test_labels_of_which_none_is_ours() -> None:
    with pytest.raises(SpnerError) as error:
        adopt([Transcript(("jan", "rome"), (Entity(0, 1, "name"), Entity(1, 2, "city")))], LabelSet(), where="x.txt")
    assert str(error.value) == (
        "x.txt: has entities city, name (expected PER, ORG, LOC); say which is which, such as --map city=PER, "
        "or give other --labels"
    )


def test_text_without_entities_needs_no_label(caplog: pytest.LogCaptureFixture) -> None:
    assert adopt([Transcript(("a",))], LabelSet(), where="x.txt") == [Transcript(("a",))]
    assert caplog.messages == []
