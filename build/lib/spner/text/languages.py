"""Languages: which codes are known, in which scripts a language is written, and its spelling's own rules.

A code is a language, with or without a script and a country: ``nl``, ``nl-BE``, ``sr-Latn``, ``zh-TW``. The script
is CLDR's likely one (through Babel); where Common Voice writes a language that CLDR lacks, or in another script, the
table here says so. The letters that a language writes for an apostrophe are those of CLDR's exemplar characters,
where it has the language.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from babel import Locale
from babel.core import get_global

from spner.core.errors import SpnerError, nearest, quote

HAN = frozenset({"Hani", "Bopo"})
# ISO 15924 code of a writing system -> the scripts (Unicode's property) of its letters; any other is one script.
WRITING_SYSTEMS = {
    "Hans": HAN,
    "Hant": HAN,
    "Jpan": frozenset({"Hani", "Hira", "Kana"}),
    "Kore": frozenset({"Hang", "Hani"}),
}
# Scripts whose words stand without spaces: Unicode breaks their lines between any two characters (class ID), or
# only with a dictionary (class SA).
SPACELESS = frozenset({"Hani", "Bopo", "Hira", "Kana", "Thai", "Laoo", "Khmr", "Mymr", "Lana", "Talu", "Tavt"})
# Languages that Common Voice has and CLDR's likely subtags lack, or for which CLDR names another script than that of
# Common Voice's sentences: romanised Min and Hakka beside Han, the Latin orthographies of Cameroon.
SCRIPTS = {
    "cdo": "Hant",
    "bax": "Latn",
    "fub": "Latn",
    "gya": "Latn",
    "hak": "Hant",
    "ipk": "Latn",
    "kmr": "Latn",
    "mhr": "Cyrl",
    "nan": "Hant",
    "ssi": "Arab",
    "tw": "Latn",
}
ROMANISED = frozenset({"cdo", "hak", "nan"})  # written in Latin letters, too


@dataclass(frozen=True)
class Spelling:
    """How a language spells what is more than letters.

    Attributes:
        apostrophe: what an apostrophe between two letters becomes; empty where it vanishes.
        turned: letters after which that is ʻ.
        edges: an apostrophe at the begin or the end of a word stays, too: it is a letter.
        elided: words that lose their last letter to an apostrophe (``l``, ``dell``), in lower case.
        before_vowel: those of them that are elided before a vowel or an h only: elsewhere the apostrophe is a name's
            (``N'Djamena``).
        dotless: I is the capital letter of ı, and İ that of i.
        middle_dot: · stands inside words (``col·lecció``).
        joiner: ZERO WIDTH NON-JOINER stands inside words.
        geresh: an apostrophe after a letter is a geresh, a quotation mark between letters is a gershayim.
        final_sigma: σ at the end of a word is ς.
        letters: signs that are letters here.
        variants: letters typed for others.
        silent: marks inside words that are not written: accents of intonation.
    """

    apostrophe: str = ""
    turned: frozenset[str] = frozenset()
    edges: bool = False
    elided: frozenset[str] = frozenset()
    before_vowel: frozenset[str] = frozenset()
    dotless: bool = False
    middle_dot: bool = False
    joiner: bool = False
    geresh: bool = False
    final_sigma: bool = False
    letters: frozenset[str] = frozenset()
    variants: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    silent: frozenset[str] = frozenset()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LETTER_APOSTROPHE, OKINA = "ʼ", "ʻ"
_FRENCH = _words("l d j n s t m c ç qu jusqu lorsqu puisqu quoiqu")
_CATALAN = _words("l d n s m t qu")
_ITALIAN = _words(
    "l d un dell all dall nell sull coll quest quell bell sant c s m t v n ch gl anch neanch com dov quand cos tutt "
    "nient mezz senz sott sopr dev po mo be"
)
_BANTU = _words("n y w z b g k s bw by cy gw gy jw kw ky lw ly mw nk rw ry tw vy")
_SINGLE = _words("d j n s t m c ç b k v w y z g")

_ENGLISH = Spelling("'")
_AS_FRENCH = Spelling("'", elided=_FRENCH, before_vowel=_FRENCH & _SINGLE)
_AS_CATALAN = Spelling(
    "'",
    elided=_CATALAN,
    before_vowel=_CATALAN & _SINGLE,
    middle_dot=True,
    variants=MappingProxyType({"ŀ": "l·", "Ŀ": "l·"}),
)
_AS_ITALIAN = Spelling("'", elided=_ITALIAN, before_vowel=_ITALIAN & _SINGLE)
_AS_RWANDA = Spelling("'", elided=_BANTU, before_vowel=_BANTU)
_LETTER = Spelling(LETTER_APOSTROPHE)
_EDGE_LETTER = Spelling(LETTER_APOSTROPHE, edges=True)
_OKINA = Spelling(OKINA, edges=True)
_DOTLESS = Spelling(dotless=True)
_JOINER = Spelling(joiner=True)
_GERESH = Spelling(geresh=True)
_PALOCHKA = Spelling(variants=MappingProxyType({"I": "ӏ"}))
_PERSIAN = MappingProxyType({"ي": "ی", "ك": "ک"})

_SPELLINGS: dict[str, Spelling] = {
    **dict.fromkeys(_words("en sco pcm cy kw gv ht"), _ENGLISH),
    **dict.fromkeys(_words("fr wa frp pcd"), _AS_FRENCH),
    **dict.fromkeys(_words("ca oc an ast"), _AS_CATALAN),
    **dict.fromkeys(_words("it co fur lij lmo nap pms sc scn vec rm"), _AS_ITALIAN),
    **dict.fromkeys(_words("rw rn lg"), _AS_RWANDA),
    "br": Spelling(LETTER_APOSTROPHE, elided=_words("d n m s")),
    "eo": Spelling("'", elided=_words("l")),
    **dict.fromkeys(_words("ga gd"), Spelling("'", elided=_words("d m b"))),
    **dict.fromkeys(_words("gsw lb"), Spelling("'", elided=_words("d s t z"))),
    "mt": Spelling("'", elided=_words("f b x m t ta ma sa bla")),
    "sq": Spelling("'", elided=_words("s ç c t m")),
    "tw": Spelling("'", elided=_words("n m w"), before_vowel=_words("n m w")),
    "yo": Spelling("'", elided=_words("l n t s b k"), before_vowel=_words("l n t s b k")),
    **dict.fromkeys(
        _words("be uk rue mk cad lkt mgo nnh jgo bbj byv sw so om aa sid luo kln dav dag ff fub fue"), _LETTER
    ),
    **dict.fromkeys(_words("gn vot olo krl vep izh liv esu yaq mau zoc cut cux tay trv pwn szy bnn"), _LETTER),
    **dict.fromkeys(_words("ay jqr qu quy qup qur qus qux qva qvi qvj qvl qwa qws qxa qxp qxt qxu qxw"), _LETTER),
    **dict.fromkeys(_words("cic ha mic moh mus nv tli quc cak kek mam tzh tzo yua"), _EDGE_LETTER),
    **dict.fromkeys(_words("haw to sm ty"), _OKINA),
    "uz": Spelling(LETTER_APOSTROPHE, turned=frozenset("og"), edges=True),
    **dict.fromkeys(_words("tr az crh gag kaa tly zza diq kiu"), _DOTLESS),
    **dict.fromkeys(_words("ps ckb ur bn as hi kn ks ml mr ne or pa ta te gu si"), _JOINER),
    "fa": Spelling(joiner=True, variants=_PERSIAN),
    **dict.fromkeys(_words("he yi"), _GERESH),
    **dict.fromkeys(_words("el grc"), Spelling(final_sigma=True)),
    **dict.fromkeys(_words("hy hyw"), Spelling(silent=frozenset("՛՜՞՟"))),
    **dict.fromkeys(_words("ady av ce dar inh kbd lbe lez"), _PALOCHKA),
    "kab": Spelling(letters=frozenset("ʷ"), variants=MappingProxyType({"ε": "ɛ", "Σ": "ɛ", "γ": "ɣ", "Γ": "ɣ"})),
    "tzm": Spelling(letters=frozenset("ʷⵯ")),
    **dict.fromkeys(_words("shi zgh"), Spelling(letters=frozenset("ⵯ"))),
    "my": Spelling(letters=frozenset("၌၍၎၏")),
    **dict.fromkeys(ROMANISED, Spelling(letters=frozenset("ⁿ"))),
    "ab": Spelling(variants=MappingProxyType({"ə": "ә", "Ə": "ә"})),
    "cv": Spelling(variants=MappingProxyType(dict(zip("ăĂĕĔçÇÿŸ", "ӑӑӗӗҫҫӳӳ", strict=True)))),
    "ro": Spelling(variants=MappingProxyType({"ş": "ș", "ţ": "ț", "Ş": "ș", "Ţ": "ț"})),
}


_PLAIN = Spelling()


def base_language(lang: str) -> str:
    """Return the language of a code: ``en`` of ``en-US``."""
    return _parts(lang)[0]


def _parts(lang: str) -> tuple[str, str, str]:
    """Return language, script and country of a code; empty where it names none."""
    first, *others = lang.replace("_", "-").split("-")
    script = next((part.title() for part in others if len(part) == 4 and part.isalpha()), "")
    country = next((part.upper() for part in others if len(part) == 2), "")
    return first.lower(), script, country


def require_language(lang: str) -> None:
    """Refuse an unknown language code.

    Raises:
        SpnerError: neither CLDR nor Common Voice knows the language, or Unicode the script.
    """
    language, script, _ = _parts(lang)
    if language not in _known():
        raise SpnerError(f"lang {quote(lang)} is unknown (expected a code such as nl, de or en){_suggest(lang)}")
    scripts = Locale("en").scripts
    if script and script not in scripts:
        raise SpnerError(
            f'lang {quote(lang)}: script "{script}" is unknown (expected an ISO 15924 code such as Latn or Cyrl)'
            f"{nearest(script, scripts)}"
        )


@functools.cache
def _known() -> frozenset[str]:
    codes = {code for code in get_global("likely_subtags") if "_" not in code and code != "und"}
    return frozenset(codes | SCRIPTS.keys())


def _suggest(lang: str) -> str:
    """Return ``; did you mean "ru"?`` for another standard's code or an English name, else for the nearest code."""
    names = Locale("en").languages
    wanted = lang.strip().lower()
    code = get_global("language_aliases").get(wanted, "")
    code = code or next((code for code, name in names.items() if name.lower() == wanted), "")
    return f'; did you mean "{code}"?' if code in _known() else nearest(wanted, sorted(_known() & names.keys()))


def writing_system(lang: str) -> str:
    """Return the ISO 15924 code of a language's writing system, such as ``Latn`` or ``Jpan``."""
    language, script, country = _parts(lang)
    likely = get_global("likely_subtags")
    found = likely.get(f"{language}_{country}") or likely.get(language) or "und_Latn_ZZ"
    return script or SCRIPTS.get(language) or found.split("_")[1]


@functools.cache
def own_scripts(lang: str) -> frozenset[str]:
    """Return Unicode's codes of the scripts of a language's letters."""
    system = writing_system(lang)
    romanised = {"Latn"} if base_language(lang) in ROMANISED else set()
    return WRITING_SYSTEMS.get(system, frozenset({system})) | romanised


def is_spaceless(lang: str) -> bool:
    """Whether words stand without spaces, so that each character of these scripts is a word."""
    return writing_system(lang) != "Kore" and bool(own_scripts(lang) & SPACELESS)


@functools.cache
def spelling(lang: str) -> Spelling:
    """Return what a language's spelling asks for."""
    return _SPELLINGS.get(base_language(lang), _PLAIN)
