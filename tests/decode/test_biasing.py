"""Lists of names, and the sentences that mention them."""

import logging
from pathlib import Path

import pytest

from spner.core.datatypes import LABELS
from spner.core.errors import SpnerError
from spner.decode.biasing import MENTIONS, Name, mention, read_names
from spner.text.tags import text_to_spans
from tests.decode.models import TOKENS


def read(folder: Path, text: str) -> list[Name]:
    (folder / "names.txt").write_text(text, encoding="utf-8")
    return read_names(folder / "names.txt", lang="nl", tokens=TOKENS)


def test_names_are_normalised_and_may_have_a_label_and_a_weight(tmp_path: Path) -> None:
    text = "# my names\nOslo\tLOC\n\n  # places, and others\nDen  Haag \t LOC\t2\nAda de Oude\nInt-Hout\t\t0.5\n"
    assert read(tmp_path, text) == [
        Name(("oslo",), ("LOC",), 1.0),
        Name(("den", "haag"), ("LOC",), 2.0),
        Name(("ada", "de", "oude"), ("PER", "ORG", "LOC"), 1.0),
        Name(("int", "hout"), ("PER", "ORG", "LOC"), 0.5),
    ]


def test_names_of_letters_that_the_recogniser_lacks_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert read(tmp_path, "Xaver\nOslo\n!!!\n") == [Name(("oslo",), ("PER", "ORG", "LOC"), 1.0)]
    assert "names.txt: 2 names are left out: the recogniser lacks some of their letters" in caplog.text


ONE = " (expected one name a line, then a tab before a label); mend the line"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("Oslo\tLOK", 'label "LOK" (expected PER, ORG, LOC or none); did you mean "LOC"?'),
        ("Oslo\tLOC\tmuch", 'weight "much" (expected a number above 0)'),
        ("Oslo\tLOC\t0", 'weight "0" (expected a number above 0)'),
        ("Oslo\tLOC\tnan", 'weight "nan" (expected a number above 0)'),
        ("Oslo\tLOC\t1\t2", "more than name, label and weight; expected two tabs at most"),
        ("Ada de Oude, Shell", '"Ada de Oude, Shell" holds a separator' + ONE),
        ("Oslo;LOC", '"Oslo;LOC" holds a separator' + ONE),
        ("<LOC> Oslo </NE>", '"<LOC> Oslo </NE>" holds a separator' + ONE),
        ("Oslo LOC", '"Oslo LOC" holds a label after a space, "LOC"' + ONE),
        ("Ada PER 2", '"Ada PER 2" holds a label after a space, "PER"' + ONE),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, found: str) -> None:
    with pytest.raises(SpnerError) as raised:
        read(tmp_path, f"Ada\n{line}\n")
    assert str(raised.value) == f"{tmp_path}/names.txt:2: {found}"


@pytest.mark.parametrize("text", ["", "# Oslo\n\n", "Xaver\n"])
def test_a_list_without_a_name_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SpnerError) as raised:
        read(tmp_path, text)
    assert str(raised.value) == (
        f"{tmp_path}/names.txt: holds no name that the recogniser can spell (expected one a line); mend the list"
    )


def test_a_missing_list_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpnerError, match=r"names\.txt: no such file \(expected a list of names, one a line\)"):
        read_names(tmp_path / "names.txt", lang="nl", tokens=TOKENS)


def test_names_take_the_places_of_entities_of_their_label() -> None:
    sentences = ["<PER> ada </NE> reist naar <LOC> den haag </NE> en <LOC> gouda </NE>".split(), "zonder namen".split()]
    mentions = mention([Name(("oslo",), ("LOC",), 1.0)], sentences, labels=LABELS)
    assert set(mentions) == {
        "<PER> ada </NE> reist naar <LOC> oslo </NE> en <LOC> gouda </NE>",
        "<PER> ada </NE> reist naar <LOC> den haag </NE> en <LOC> oslo </NE>",
    }
    assert len(mentions) == MENTIONS and mentions == mention([Name(("oslo",), ("LOC",), 1.0)], sentences, labels=LABELS)


def test_a_weight_multiplies_the_mentions_and_a_name_without_a_label_gets_each() -> None:
    names = [Name(("ada", "de", "oude"), ("PER", "ORG", "LOC"), 2.0), Name(("oslo",), ("LOC",), 0.01)]
    mentions = mention(names, [["<LOC>", "gouda", "</NE>", "is", "ver"]], labels=LABELS)
    assert len(mentions) == 3 * 2 * MENTIONS + 1
    assert mentions[0] == "<PER> ada de oude </NE>", "no sentence has a person: the name stands alone"
    assert mentions[-1] == "<LOC> oslo </NE> is ver"
    assert not any(text_to_spans(sentence.split(), labels=LABELS).illegal for sentence in mentions)


def test_a_sentence_that_occurs_often_lends_its_words_no_more_often_than_others() -> None:
    common, rare = "naar <LOC> gouda </NE>".split(), "in <LOC> delft </NE>".split()
    mentions = mention([Name(("oslo",), ("LOC",), 40 / MENTIONS)], [common] * 200 + [rare], labels=LABELS)
    assert 10 < mentions.count("in <LOC> oslo </NE>") < 30
    assert len(mentions) == 40
