"""Writes docs/locales.md: the locales of Common Voice, and how ``spner`` writes each.

::

    python tools/locales.py
"""

from pathlib import Path

from babel import Locale

from spner.text.languages import Spelling, base_language, is_spaceless, own_scripts, spelling, writing_system

TABLE = Path(__file__).parents[1] / "docs" / "locales.md"
# The keys of "locales" in datasets/scripted-speech/cv-corpus-25.0-2026-03-09.json of common-voice/cv-dataset on GitHub:
# every locale with clips in any release from 1 to 25.0.
LOCALES = """
ab abb ady af ajg am an ar as ast az ba bag bas bax bba bbj bbl bce bci be beb bfd bft bg bgp bkh bkm bn bnm bnn br
brh bri bsh bsk btv bum byv ca cjk ckb cnh cpy cs cut cux cv cy da dag dar dav de dmk dml dru dsb dua dv dyu ebr eko
el en eo es esu et eto eu ewo fa fan fi fmp fr fub fue fy-NL ga-IE gej ggg gid gig giz gjk gju gl gn gsw gv gwc gwt
gya ha haz he hem hi hno hr hsb ht hu hux hy-AM ia ibb id ig ipk is it ja jgo jqr ka kab kbd kdh khw kk kln kls kmr
ko ksf kvx kw kxp ky lg lij lo lrk lss lt ltg lua luo lv lzz mau mbo mcf mcn mcx mdd mdf mgg mhk mhr mk mki ml mn mr
mrj ms mse mt mua mug mve mvy mxu myv nan-tw nb-NO ncx ne-NP nhi nl nla nlv nmg nmz nn-NO nnh nr nso nyu oc odk or
oru os pa-IN pcm phl phr pl plk prq ps pt pua pwn qup qur qus qux quy qva qvi qvj qvl qwa qws qxa qxp qxt qxu qxw
rm-sursilv rm-vallader ro rof ru rup rw sah sat sbn sc scl sd sei sk skr sl sq sr ss ssi st sv-SE sva sw szy ta tar
tay te tg th ti tig tk tli tn tok tr trv trw ts tt tui tvu tw udl ug uk ur ush uz var ve vi vot wbl wes xh xhe xka
xmf yaq yav ydg yi yo yue zgh zh-CN zh-HK zh-TW zoc zu zza
""".split()
HEAD = """# Common Voice's locales

`tools/locales.py` writes this page; `tests/test_locales.py` checks that it is up to date and that no locale loses
letters. The locales are those of the release statistics that Common Voice publishes (`common-voice/cv-dataset` on
GitHub, release 25.0 of 9 March 2026, which has every locale of earlier releases: 137 until 22.0, {num} now).

Scripts are CLDR's likely ones, through Babel, but for those that `SCRIPTS` of `spner/text/languages.py` lists. Letters
of a locale's scripts stay; letters of others are transliterated to Latin ones (`anyascii`), and stage 1 counts them.
Stage 1 stops where most letters are of another script: then give the script with the language, as in `--lang sr-Latn`.

A language's own rules are in `_SPELLINGS` of the same file. They come from CLDR's exemplar characters where it has the
language, else from its grammars; speakers have not checked them all. Without a rule an apostrophe vanishes (`foto's`
is `fotos`).

| locale | language | script | rules of its own |
|---|---|---|---|
"""


def describe(rules: Spelling, *, spaceless: bool) -> str:
    """Return a language's own rules in words."""
    found = []
    if spaceless:
        found.append("each character is a word")
    if rules.apostrophe:
        kind = "letter" if rules.apostrophe.isalpha() else "apostrophe"
        found.append(f"{kind} {rules.apostrophe}")
    if rules.elided:
        found.append(" ".join(f"{word}'" for word in sorted(rules.elided)[:4]) + " … are words")
    if rules.dotless:
        found.append("I is ı, İ is i")
    if rules.middle_dot:
        found.append("· inside words")
    if rules.joiner:
        found.append("zero width non-joiner stays")
    if rules.geresh:
        found.append("geresh ׳ and gershayim ״ stay")
    if rules.final_sigma:
        found.append("ς at the end of a word")
    if rules.letters:
        found.append(f"{' '.join(sorted(rules.letters))} stays")
    if rules.variants:
        found.append(", ".join(f"{typed} is {letter}" for typed, letter in sorted(rules.variants.items())))
    if rules.silent:
        found.append(f"{' '.join(sorted(rules.silent))} vanish")
    return "; ".join(found)


def make_table() -> str:
    """Return the page."""
    names, scripts = Locale("en").languages, Locale("en").scripts
    rows = []
    for locale in LOCALES:
        written = [scripts.get(writing_system(locale), writing_system(locale))]
        if "Latn" in own_scripts(locale) and written != ["Latin"]:
            written.append("Latin")
        language = names.get(locale.replace("-", "_"), names.get(base_language(locale), ""))
        rules = describe(spelling(locale), spaceless=is_spaceless(locale))
        rows.append(f"| `{locale}` | {language} | {', '.join(written)} | {rules} |\n")
    return HEAD.format(num=len(LOCALES)) + "".join(rows)


if __name__ == "__main__":
    TABLE.write_text(make_table(), encoding="utf-8")
