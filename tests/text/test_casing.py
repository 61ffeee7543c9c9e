"""Capitals that training sentences teach."""

from pathlib import Path

import pytest

from spner.core.datatypes import LABELS, Entity, Transcript
from spner.core.errors import SpnerError
from spner.text.casing import Casing, count_casing, read_casing, write_casing
from spner.text.tags import text_to_spans
from spner.text.textnorm import project

SENTENCES = [  # cased, with the name in it and its label
    ("De Bank van Nederland zegt niets.", "Bank van Nederland", "ORG"),
    ("Zij zit op de bank in Nederland! Op de bank.", "Nederland", "LOC"),
    ("Maandag spreekt McDonald's in Den Haag.", "McDonald's", "ORG"),
    ("In Den Haag.", "Den Haag", "LOC"),
]


@pytest.fixture(scope="module")
def casing() -> Casing:
    sentences = []
    for sentence, name, label in SENTENCES:
        start = sentence.index(name)
        sentences.append((sentence, project(sentence, [(start, start + len(name), label)], "nl")))
    return count_casing(sentences, "nl")


@pytest.mark.parametrize(
    ("tagged", "written"),
    [
        pytest.param("op de bank", "Op de bank", id="outside names, and a sentence's beginning"),
        pytest.param("de <ORG> bank van nederland </NE>", "De Bank van Nederland", id="in names"),
        pytest.param("zij zit in <LOC> den haag </NE>", "Zij zit in Den Haag", id="every word of a name"),
        pytest.param("<PER> jan de boer </NE> zit", "Jan de Boer zit", id="a small word inside an unknown name"),
        pytest.param("in <LOC> ijmuiden </NE>", "In IJmuiden", id="Dutch ij"),
        pytest.param("", "", id="no words"),
    ],
)
def test_words_are_written_as_in_training(casing: Casing, tagged: str, written: str) -> None:
    transcript = text_to_spans(tagged.split(), labels=LABELS).transcript
    assert " ".join(casing.write(transcript, lang="nl")) == written


def test_the_first_word_of_a_sentence_teaches_nothing_outside_names(casing: Casing) -> None:
    assert "maandag" not in casing.elsewhere and casing.elsewhere["op"] == "op"
    assert casing.elsewhere["bank"] == "bank" and casing.in_names["bank"] == "Bank"


def test_the_most_frequent_form_wins() -> None:
    sentences = ["x iPhone", "x iPhone", "x iphone", "x IPHONE"]
    casing = count_casing([(one, project(one, [], "en")) for one in sentences], "en")
    assert casing.elsewhere == {"iphone": "iPhone"}


def test_words_of_other_letters_are_left_out() -> None:
    """A transliterated word, or one without its apostrophe, is not its form in lower case."""
    casing = count_casing([("x Москва foto's Rome", Transcript(("x", "moskva", "fotos", "rome")))], "nl")
    assert casing.elsewhere == {"rome": "Rome"}


def test_reads_what_it_writes(casing: Casing, tmp_path: Path) -> None:
    write_casing(tmp_path / "casing.tsv", casing)
    assert read_casing(tmp_path / "casing.tsv") == casing


@pytest.mark.parametrize("line", ["bank\tBank\tBANK", "bank\tBoot"])
def test_malformed_lines_are_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "casing.tsv").write_text(f"is\n{line}\n", encoding="utf-8")
    with pytest.raises(SpnerError, match=r"casing\.tsv:2: expected the forms of one word"):
        read_casing(tmp_path / "casing.tsv")


def test_words_without_any_training_are_names_with_capitals() -> None:
    transcript = Transcript(("hier", "is", "rome"), (Entity(2, 3, "LOC"),))
    assert Casing().write(transcript, lang=None) == ("Hier", "is", "Rome")
