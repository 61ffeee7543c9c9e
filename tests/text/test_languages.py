import pytest

from spner.core.errors import SpnerError
from spner.text.languages import base_language, is_spaceless, own_scripts, require_language, writing_system


@pytest.mark.parametrize(
    ("lang", "found"),
    [
        ("nl", "Latn"),
        ("ml", "Mlym"),
        ("dv", "Thaa"),
        ("pa-IN", "Guru"),
        ("pa-PK", "Arab"),
        ("sr", "Cyrl"),
        ("sr-Latn", "Latn"),
        ("uz_Cyrl_UZ", "Cyrl"),
        ("zh-CN", "Hans"),
        ("zh-TW", "Hant"),
        ("yue", "Hant"),
        ("kmr", "Latn"),
        ("mhr", "Cyrl"),
        ("rm-sursilv", "Latn"),
        ("zgh", "Tfng"),
    ],
)
def test_writing_system(lang: str, found: str) -> None:
    require_language(lang)
    assert writing_system(lang) == found


def test_some_languages_have_letters_of_several_scripts() -> None:
    assert own_scripts("ja") == {"Hani", "Hira", "Kana"}
    assert own_scripts("nan-tw") == {"Hani", "Bopo", "Latn"}


@pytest.mark.parametrize("lang", ["zh-CN", "yue", "ja", "th", "lo", "km", "my", "nan-tw"])
def test_languages_without_spaces(lang: str) -> None:
    assert is_spaceless(lang)


@pytest.mark.parametrize("lang", ["ko", "vi", "bo", "hi", "nl"])
def test_languages_with_spaces(lang: str) -> None:
    assert not is_spaceless(lang)


@pytest.mark.parametrize(
    ("lang", "message"),
    [
        ("rus", 'lang "rus" is unknown (expected a code such as nl, de or en); did you mean "ru"?'),
        ("Russian", 'lang "Russian" is unknown (expected a code such as nl, de or en); did you mean "ru"?'),
        ("nll", 'lang "nll" is unknown (expected a code such as nl, de or en); did you mean "nl"?'),
        ("", 'lang "" is unknown (expected a code such as nl, de or en)'),
        ("und", 'lang "und" is unknown (expected a code such as nl, de or en)'),
        ("nl-Latm", 'lang "nl-Latm": script "Latm" is unknown (expected an ISO 15924 code such as Latn or Cyrl)'),
    ],
)
def test_unknown_languages(lang: str, message: str) -> None:
    with pytest.raises(SpnerError) as error:
        require_language(lang)
    assert str(error.value).startswith(message)


def test_a_country_does_not_change_the_language() -> None:
    assert base_language("nl-BE") == base_language("NL_be") == "nl"
