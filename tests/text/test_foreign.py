import logging

import pytest

from spner.core.errors import SpnerError
from spner.text.foreign import count_letters, refuse_most, warn_of_foreign


def test_counts_letters_and_those_of_other_scripts() -> None:
    num, foreign = count_letters(["Naar Москва!", "Αθήνα, 5 km"], "nl")
    assert num == 4 + 6 + 5 + 2
    assert foreign == {"CYRILLIC": 6, "GREEK": 5}


def test_a_few_are_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    warn_of_foreign(*count_letters(["Naar Москва en verder"], "nl"), "nl", where="here")
    assert caplog.messages == [
        'here: 6 of 18 letters are not Latin, the script of lang "nl": transliterated (6 Cyrillic)'
    ]


def test_none_are_not_told(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_foreign(*count_letters(["Één ĳsje", "5"], "nl"), "nl", where="here")
    warn_of_foreign(*count_letters([], "nl"), "nl", where="here")
    refuse_most(*count_letters([], "nl"), "nl", where="here")
    assert not caplog.messages


@pytest.mark.parametrize(
    ("sentence", "lang", "message"),
    [
        (
            "Москва красивый город.",
            "nl",
            "here: 100% of its letters are of other scripts, most of them Cyrillic (expected Latin, the script of lang "
            '"nl"); give the corpus\'s language, or its script as in nl-Cyrl',
        ),
        ("Beograd je grad, Ниш", "sr", "here: 81% .*most of them Latin .expected Cyrillic.*as in sr-Latn"),
    ],
)
def test_most_are_refused(sentence: str, lang: str, message: str) -> None:
    with pytest.raises(SpnerError, match=message.replace("(", ".").replace(")", ".")):
        refuse_most(*count_letters([sentence], lang), lang, where="here")
