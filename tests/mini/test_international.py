from pathlib import Path

import pytest

from spner.core.errors import SpnerError
from spner.mini.international import read_international
from spner.mini.names import MAX_NAME_WORDS
from spner.text.textnorm import normalise

SMALL = """\
languages: nl, it
persons:
  - Marie Curie, Sophia  Loren
places:
  - {nl: Rome, it: Roma}
  - {nl: Den Haag}
organisations: []
own:
  nl: {territories: "BE, NO", organisations: Hema}
  it: {territories: "", organisations: Fiat}
"""


def _write(folder: Path, text: str) -> Path:
    (folder / "names.yaml").write_text(text, encoding="utf-8")
    return folder / "names.yaml"


def test_reads_spellings_by_language(tmp_path: Path) -> None:
    international = read_international(_write(tmp_path, SMALL))
    assert international.languages == ("nl", "it")
    assert international.names == {
        "PER": ({"nl": "Marie Curie", "it": "Marie Curie"}, {"nl": "Sophia Loren", "it": "Sophia Loren"}),
        "ORG": (),
        "LOC": ({"nl": "Rome", "it": "Roma"}, {"nl": "Den Haag"}),
    }
    assert international.own["nl"] == {"territories": ("BE", "NO"), "organisations": ("Hema",)}
    assert international.own["it"] == {"territories": (), "organisations": ("Fiat",)}
    assert international.spellings("LOC") == {"Rome", "Roma", "Den Haag"}


def test_letters_are_composed(tmp_path: Path) -> None:
    file = _write(tmp_path, SMALL.replace("Roma", "Roma\u0300"))
    assert "Rom\u00e0" in read_international(file).spellings("LOC")


def test_our_file_has_enough_names_in_each_language() -> None:
    international = read_international()
    assert international.languages == ("nl", "de", "en")
    for label, least in {"PER": 40, "LOC": 40, "ORG": 30}.items():
        for lang in international.languages:
            names = [name[lang] for name in international.names[label] if lang in name]
            assert len({normalise(name, lang) for name in names}) == len(names) >= least
            assert all(1 <= len(name.split()) <= MAX_NAME_WORDS for name in names)
            assert not set(names) & set(international.own[lang]["organisations"])
    assert {"nl": "Keulen", "de": "Köln", "en": "Cologne"} in international.names["LOC"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "persons:",
            "person:",
            ': unknown key "person"; did you mean "persons"? (expected languages, persons, organisations, places, own)',
        ),
        (
            "organisations: []\n",
            "",
            ': "organisations" is missing (expected languages, persons, organisations, places, own)',
        ),
        ("languages: nl, it", "languages: [nl, it]", ": languages: is no text (expected a list separated by commas)"),
        (
            "organisations: []",
            "organisations: Fiat",
            ": organisations: is no list (expected rows that begin with a hyphen)",
        ),
        (
            "it: Roma",
            "ti: Roma",
            ": places: \"{'nl': 'Rome', 'ti': 'Roma'}\" is no name (expected text, or spellings by language: nl, it)",
        ),
        (
            "it: Roma",
            "it: 7",
            ": places: \"{'nl': 'Rome', 'it': 7}\" is no name (expected text, or spellings by language: nl, it)",
        ),
        ("Den Haag", "Rome", ': places: nl has "Rome" 2 times (expected each name once)'),
        ("  it: {terr", "  ti: {terr", ': own: unknown key "ti" (expected nl, it)'),
        (
            "organisations: Hema",
            "places: Delft",
            ': own: nl: unknown key "places" (expected territories, organisations)',
        ),
        (
            "organisations: Hema",
            "organisations: [Hema]",
            ": own: nl: organisations: is no text (expected a list separated by commas)",
        ),
    ],
)
def test_mistakes_in_the_file(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in SMALL
    file = _write(tmp_path, SMALL.replace(old, new))
    with pytest.raises(SpnerError) as error:
        read_international(file)
    assert str(error.value) == f"{file}{message}"


def test_not_yaml(tmp_path: Path) -> None:
    with pytest.raises(SpnerError, match=r"names\.yaml: is not YAML"):
        read_international(_write(tmp_path, "languages: ["))


def test_a_list_is_no_file_of_names(tmp_path: Path) -> None:
    with pytest.raises(SpnerError, match='"languages" is missing'):
        read_international(_write(tmp_path, "- nl"))
