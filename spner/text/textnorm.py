"""Cased, punctuated sentence -> the words a recogniser writes, each with its place in the sentence.

The paper's cleaning: NFC, lower case, punctuation stripped (English keeps the apostrophe), letters of
foreign scripts transliterated to Latin; letters of the language's own script are never touched, so
ä ö ü ß ë ï é stay. An apostrophe that is not kept vanishes (``foto's`` -> ``fotos``); every other mark
becomes a space (``Noord-Holland`` -> ``noord holland``).
"""

import functools
import sys
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, chain

from anyascii import anyascii
from babel.core import get_global

from spner.core.datatypes import Entity, Transcript
from spner.core.errors import SpnerError

KEEPS_APOSTROPHE = frozenset({"en"})
APOSTROPHES = frozenset("'’ʼ‘`´")
# ISO 15924 script -> first words of its letters' Unicode names. Scripts not listed count as Latin.
SCRIPT_NAMES = {
    "Latn": ("LATIN",),
    "Cyrl": ("CYRILLIC",),
    "Grek": ("GREEK",),
    "Arab": ("ARABIC",),
    "Hebr": ("HEBREW",),
    "Armn": ("ARMENIAN",),
    "Geor": ("GEORGIAN",),
    "Deva": ("DEVANAGARI",),
    "Beng": ("BENGALI",),
    "Taml": ("TAMIL",),
    "Telu": ("TELUGU",),
    "Thai": ("THAI",),
    "Kore": ("HANGUL",),
    "Ethi": ("ETHIOPIC",),
    "Jpan": ("CJK", "HIRAGANA", "KATAKANA"),
    "Hans": ("CJK",),
    "Hant": ("CJK",),
}


@dataclass(frozen=True)
class Word:
    """A normalised word and the half-open character span ``[start, end)`` of the sentence it came from."""

    text: str
    start: int
    end: int


def _language(lang: str) -> str:
    """Return the language of a code with or without a country: ``en`` of ``en-US``."""
    return lang.replace("_", "-").partition("-")[0].lower()


def require_language(lang: str) -> None:
    """Refuse an unknown language code.

    Raises:
        SpnerError: CLDR does not know it.
    """
    if _language(lang) not in get_global("likely_subtags"):
        raise SpnerError(f'lang "{lang}" is unknown (expected a code such as nl, de or en)')


@functools.cache
def _own_script(lang: str) -> tuple[str, ...]:
    """Return the first words of the Unicode names of the language's letters, from CLDR's likely subtags."""
    likely = get_global("likely_subtags").get(_language(lang), "und_Latn_ZZ")
    return SCRIPT_NAMES.get(likely.split("_")[1], ("LATIN",))


def _is_own(char: str, lang: str) -> bool:
    """Whether the character belongs to the language's script."""
    return unicodedata.name(char, "").split(" ")[0].split("-")[0] in _own_script(lang)


def _latin(char: str) -> str:
    """Return the Latin letters and digits of a foreign character; may be none, may be several."""
    return "".join(c for c in anyascii(char).lower() if c.isalnum())


@functools.lru_cache(maxsize=65536)
def _normalise_char(char: str, lang: str) -> str:
    """Return what one character becomes: letters, digits or marks; a space where it separates."""
    kind = unicodedata.category(char)[0]
    if kind not in "LMN":
        return " "
    if kind == "N" or _is_own(char, lang) or unicodedata.name(char, "").startswith("COMBINING"):
        return char.lower()
    return _latin(char)


def normalise_words(sentence: str, lang: str) -> list[Word]:
    """Return the words of an NFC sentence with their character spans.

    The joined texts are a fixed point: normalising them again changes nothing.
    """
    words: list[Word] = []
    text, start, end = "", 0, 0
    foreign = False  # whether the last letter was transliterated: its accents go with it
    for position, char in enumerate([*sentence, " "]):
        kind = unicodedata.category(char)[0]
        if char in APOSTROPHES:
            piece = "'" if _keeps(sentence, position, lang) else ""
        elif kind == "M" and foreign and not _is_own(char, lang):
            piece = _latin(char)
        else:
            piece = _normalise_char(char, lang)
            foreign = foreign if kind == "M" else kind == "L" and not _is_own(char, lang)
        if piece != " ":
            if not text:
                start = position
            text, end = text + piece, position + 1
        elif text:
            words.append(Word(unicodedata.normalize("NFC", text), start, end))
            text = ""
    return [word for word in words if any(c.isalnum() for c in word.text)]


def _keeps(sentence: str, position: int, lang: str) -> bool:
    """Whether the apostrophe stays: the language keeps it and it stands between two letters or digits."""
    if _language(lang) not in KEEPS_APOSTROPHE:
        return False
    beside = (sentence[position - 1 : position], sentence[position + 1 : position + 2])
    return all(char and _normalise_char(char, lang).isalnum() for char in beside)


@functools.lru_cache(maxsize=131072)
def normalise(sentence: str, lang: str) -> str:
    """Return the normalised transcript, words joined by single spaces; may be empty."""
    return " ".join(word.text for word in normalise_words(unicodedata.normalize("NFC", sentence), lang))


@functools.lru_cache(maxsize=262144)
def normalise_word(word: str, lang: str) -> tuple[str, ...]:
    """Return the words that one word becomes: none, one or several; equal words share one string in memory."""
    return tuple(map(sys.intern, normalise(word, lang).split()))


def normalise_transcript(transcript: Transcript, lang: str) -> Transcript:
    """Bring words and entities to the canonical form of docs/metrics.md, section 1.

    A word may vanish or become several; entities follow their words, and one left without any vanishes.
    """
    pieces = [normalise_word(word, lang) for word in transcript.words]
    words = tuple(chain.from_iterable(pieces))
    if len(words) == len(pieces) and all(pieces):  # the usual case, one word for each: no span moves
        return Transcript(words, transcript.entities)
    first_word = [0, *accumulate(map(len, pieces))]
    spans = ((first_word[e.start], first_word[e.end], e.label) for e in transcript.entities)
    return Transcript(words, tuple(Entity(*span) for span in spans if span[0] < span[1]))


def project(sentence: str, spans: Iterable[tuple[int, int, str]], lang: str) -> Transcript:
    """Return the normalised words of a sentence and the entities on them, from labelled character spans.

    A word belongs to an entity when at least half of the word's letters and digits are the entity's
    characters: ``Merkel's`` (English ``merkel's``, Dutch ``merkels``) stays a PER though only ``Merkel`` was
    marked, because the word is the smallest thing a transcript can mark; a few marked letters inside a
    longer word do not count. A word that two entities claim goes to the first.
    An entity left without any word vanishes.

    Args:
        sentence: cased and punctuated, NFC.
        spans: ``(start, end, label)``, half-open, in characters of ``sentence``.
        lang: ISO 639-1 code; selects the normalisation.
    """
    words = normalise_words(sentence, lang)
    entities: list[Entity] = []
    position = 0
    for start, end, label in sorted(spans):
        own = [i for i, word in enumerate(words) if i >= position and _mostly_inside(word, sentence, start, end)]
        if own:
            position = own[-1] + 1
            entities.append(Entity(own[0], position, label))
    return Transcript(tuple(word.text for word in words), tuple(entities))


def _mostly_inside(word: Word, sentence: str, start: int, end: int) -> bool:
    """Whether at least half of the word's letters and digits lie in ``[start, end)``, and one of them does."""
    letters = [i for i in range(word.start, word.end) if sentence[i] not in APOSTROPHES]
    inside = sum(start <= i < end for i in letters)
    return 0 < len(letters) <= 2 * inside
