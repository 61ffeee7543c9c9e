from pathlib import Path

import pytest

from spner.core.datatypes import LABELS
from spner.core.errors import SpnerError
from spner.mini.phrasebook import read_phrasebook, slots

SMALL = """\
espeak: it
faker: it_IT
persons: Sophia Loren
surnames: Rossi, Bianchi
places: Roma, Nuova  York,
territories: NO, DE
organisations: Fiat
words:
  giorno: lunedì, martedì
sentences: |
  {PER} arriva {giorno}.

  Oggi piove.
"""


def _write(folder: Path, text: str) -> Path:
    (folder / "it.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("lang", ["nl", "de", "en", "fr"])
def test_our_languages_have_enough_of_everything(lang: str) -> None:
    phrasebook = read_phrasebook(lang)
    assert len(set(phrasebook.sentences)) == len(phrasebook.sentences) >= 60
    labels = [[slot for slot in slots(sentence) if slot in LABELS] for sentence in phrasebook.sentences]
    assert 0.3 < sum(not found for found in labels) / len(labels) < 0.4
    assert {label for found in labels for label in found} == set(LABELS)
    assert max(map(len, labels)) == 3 and sum(len(found) == 2 for found in labels) >= 5
    used = {slot for sentence in phrasebook.sentences for slot in slots(sentence)}
    assert used == {*LABELS, *phrasebook.words}
    for names in (phrasebook.persons, phrasebook.surnames, phrasebook.places, phrasebook.organisations):
        assert len(set(names)) == len(names) >= 20


@pytest.mark.parametrize(
    ("lang", "name", "sentence"),
    [
        ("nl", "Bakker", "De bakker verkoopt"),
        ("nl", "Bergen", "In de bergen"),
        ("nl", "Hoek", "op de hoek"),
        ("nl", "de Wit", " wit"),
        ("de", "Halle", "großen Halle singen"),
        ("en", "Baker", "The baker"),
        ("en", "Bath", "a hot bath"),
        ("fr", "Boulanger", "Le boulanger"),
        ("fr", "Orange", " orange"),
    ],
)
def test_some_names_are_ordinary_words_of_the_sentences(lang: str, name: str, sentence: str) -> None:
    phrasebook = read_phrasebook(lang)
    assert name in phrasebook.surnames + phrasebook.places
    words = [f" {word}" for slot in phrasebook.words.values() for word in slot]
    assert any(sentence in text for text in [*phrasebook.sentences, *words])


def test_reads_lists_words_and_sentences(tmp_path: Path) -> None:
    phrasebook = read_phrasebook("it", folder=_write(tmp_path, SMALL))
    assert phrasebook.places == ("Roma", "Nuova York")
    assert phrasebook.territories == ("NO", "DE")
    assert phrasebook.words == {"giorno": ("lunedì", "martedì")}
    assert phrasebook.sentences == ("{PER} arriva {giorno}.", "Oggi piove.")


def test_a_language_without_templates_names_those_that_have_some() -> None:
    with pytest.raises(SpnerError, match=r'--lang "xx": .*one of de, en, fr, nl\); add .*xx\.yaml'):
        read_phrasebook("xx")


def test_a_country_has_its_languages_templates() -> None:
    assert read_phrasebook("nl-BE") == read_phrasebook("nl")


def test_elisions_may_be_left_out(tmp_path: Path) -> None:
    assert read_phrasebook("it", folder=_write(tmp_path, SMALL)).elisions == {}
    folder = _write(tmp_path, f"elisions: di d', la l'\n{SMALL}")
    assert read_phrasebook("it", folder=folder).elisions == {"di": "d'", "la": "l'"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("persons:", "person:", r'it\.yaml: unknown key "person"; did you mean "persons"\?'),
        ("espeak: it\n", "", r'it\.yaml: "espeak" is missing'),
        ("places: Roma, Nuova  York,", "places: [Roma]", r'"places" is missing or no text'),
        ("lunedì, martedì", "[1]", r'"giorno" is missing or no text'),
        ("{giorno}", "{giomo}", r'unknown slot \{giomo\} in "\{PER\} arriva \{giomo\}\."; did you mean "giorno"'),
        ("Oggi piove.", "", "no sentence without an entity"),
        ("{PER}", "Mario", "no sentence with one"),
        ("espeak: it", "espeak: [", "is not YAML"),
        ("espeak: it", "espeak: it\nelisions: di", 'elisions: "di" .expected a word and its elided form'),
        ("espeak: it", "espeak: it\nelisions: [di]", '"elisions" is missing or no text'),
        ("espeak: it", "espeak: it\nelision: di d'", 'unknown key "elision"; did you mean "elisions"'),
    ],
)
def test_mistakes_in_a_templates_file(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in SMALL
    with pytest.raises(SpnerError, match=message):
        read_phrasebook("it", folder=_write(tmp_path, SMALL.replace(old, new)))
