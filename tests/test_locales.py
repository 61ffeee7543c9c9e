"""Every locale of Common Voice: the documents' table, and no letter of a language is lost."""

import unicodedata

import pytest
import regex
from babel import Locale, UnknownLocaleError

from spner.text.languages import base_language, is_spaceless, own_scripts, require_language, spelling
from spner.text.textnorm import INVISIBLE, is_foreign, normalise
from tools.locales import LOCALES, TABLE, make_table

# CLDR names the language otherwise, or has no names of months in it.
IN_CLDR = {"kmr": "ku", "nan-tw": "zh", "zh-HK": "zh_Hant", "zh-TW": "zh_Hant", "pa-IN": "pa", "tw": "ak"}
# Letters of languages that Babel has no text in, or that its names do not show.
LETTERS = {
    "ady": "къоджэ ӏэ шъхьаф",
    "ba": "ҡ ғ ҙ ҫ ң ү ө һ ә",
    "bas": "ɓ ɛ ŋ ɔ ǹ",
    "br": "cʼh ñ ù",
    "cv": "ӑ ӗ ҫ ӳ",
    "dar": "хӏ гъ къ",
    "dv": "މާލެ ދިވެހި",
    "gn": "ã ẽ g̃ ĩ ñ õ ũ ỹ mbaʼe",
    "ha": "ɓ ɗ ƙ ƴ ʼyanci",
    "kab": "ɛ ɣ č ǧ ḍ ḥ ṛ ṣ ṭ ẓ agʷ",
    "mdf": "шачемань эръхть",
    "mhr": "ҥ ӧ ӱ",
    "nan-tw": "tâi uân ô͘ a̍h saⁿ",
    "sah": "ҕ ҥ ө һ ү",
    "sat": "ᱥᱟᱱᱛᱟᱲᱤ ᱚᱞ",
    "skr": "سرائیکی ٻ ڄ ݙ ڳ ݨ",
    "tt": "ә ө ү җ ң һ",
    "ug": "ئۇيغۇرچە",
    "uz": "oʻzbekiston gʻisht maʼno",
    "vot": "čülä sõn maʼa",
    "yi": "ייִדיש ײַ",
    "zgh": "ⵜⴰⵎⴰⵣⵉⵖⵜ ⴳⵯ",
}


def names_of_months_days_and_countries(locale: str) -> list[str]:
    """Return text in the language of a locale, as CLDR has it; none where CLDR has no names in it.

    Where it has some, others are English (Mon) or placeholders (M01).
    """
    try:
        found = Locale.parse(IN_CLDR.get(locale, locale).replace("-", "_"))
    except UnknownLocaleError:
        return []
    months, days = (names["format"]["wide"].values() for names in (found.months, found.days))
    texts = [*months, *days, *list(found.territories.values())[:60]]
    return [text for text in texts if "Latn" in own_scripts(locale) or not text.isascii()]


def test_the_table_is_up_to_date() -> None:
    assert len(LOCALES) == len(set(LOCALES)) > 280
    assert TABLE.read_text(encoding="utf-8") == make_table(), "run: python tools/locales.py"


@pytest.mark.parametrize("locale", LOCALES)
def test_text_of_a_language_keeps_its_letters(locale: str) -> None:
    require_language(locale)
    texts = [*names_of_months_days_and_countries(locale), LETTERS.get(locale, "")]
    foreign = [sign for text in texts for sign in text if is_foreign(sign, locale)]
    assert not foreign
    for text in texts:  # each letter, in lower case
        kept = normalise(text, locale)
        letters = [spelling(locale).variants.get(sign, sign) for sign in unicodedata.normalize("NFC", text).lower()]
        assert all(sign in kept for sign in letters if unicodedata.category(sign) in ("Ll", "Lo", "Mc", "Mn")), text


@pytest.mark.parametrize("locale", sorted(LETTERS))
def test_letters_that_only_a_few_languages_have(locale: str) -> None:
    text = unicodedata.normalize("NFC", LETTERS[locale])
    assert normalise(text, locale) == text


@pytest.mark.parametrize("scripts", sorted({tuple(sorted(own_scripts(locale))) for locale in LOCALES}), ids=" ".join)
def test_every_letter_of_a_script_stays(scripts: tuple[str, ...]) -> None:
    """All lower-case letters of a script, whatever the language, but those that only look otherwise."""
    locale = next(one for one in LOCALES if tuple(sorted(own_scripts(one))) == scripts)
    own = regex.compile("[" + "".join(rf"\p{{sc={script}}}" for script in scripts if script != "Hani") + "一-龥]")
    signs = [chr(code) for code in range(0x250, 0x10000) if own.match(chr(code))]
    letters = [
        sign
        for sign in signs
        if unicodedata.category(sign) in ("Ll", "Lo")
        and not unicodedata.decomposition(sign)
        and not INVISIBLE.match(sign)
        and sign not in spelling(locale).variants
    ]
    assert not [sign for sign in letters if not regex.match(r"\p{sc=Hani}", sign) and normalise(sign, locale) != sign]


def test_common_voice_has_languages_without_spaces() -> None:
    assert {one for one in LOCALES if is_spaceless(one)} == {
        "ja",
        "lo",
        "nan-tw",
        "th",
        "yue",
        "zh-CN",
        "zh-HK",
        "zh-TW",
    }


def test_a_country_changes_no_rule() -> None:
    assert all(spelling(locale) == spelling(base_language(locale)) for locale in LOCALES)
