"""Cased, punctuated sentence -> the words a recogniser writes, each with its place in the sentence.

The paper's cleaning: NFC, lower case, punctuation stripped (English keeps the apostrophe), letters of foreign
scripts transliterated to Latin; letters of the language's own script are never touched, so ä ö ü ß ë ï é stay. Signs
inside a word follow the language's spelling (:mod:`spner.text.languages`): an apostrophe that is not kept vanishes
(``foto's`` -> ``fotos``), and an elided word is a word of its own (``dell'ONU`` -> ``dell' onu``). Every other mark
becomes a space (``Noord-Holland`` -> ``noord holland``); invisible characters vanish. Where words stand without spaces
(Chinese, Japanese, Thai …), each character is a word: a grapheme cluster, so that vowel signs stay with their letter.
"""

import functools
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

import regex
from anyascii import anyascii

from spner.core.datatypes import Entity, Transcript
from spner.text.languages import OKINA, SPACELESS, base_language, is_spaceless, own_scripts, spelling

APOSTROPHES = frozenset("'’ʼ‘`´ʻ＇՚")
GERESH, GERSHAYIM = "׳", "״"
GERESH_LETTERS = frozenset("גזצץתד")  # a geresh at the end of a word makes them another sound
QUOTES = frozenset('"״“”„')
MIDDLE_DOTS = frozenset("·•∙⋅‧")
ZWNJ = "\u200c"
SIGNS = APOSTROPHES | QUOTES | MIDDLE_DOTS | {GERESH, ZWNJ}
"""What may stand inside a word without being a letter everywhere."""
APART = re.compile(r"[sS](?=[\s.,;:!?]|$)")  # behind the apostrophe of an English 's that stands alone
VOWELS = frozenset("aeiouyhœæ")
# Format characters (soft hyphen, zero width space, joiners, marks of direction), variation selectors, fillers, and the
# Arabic tatweel, which only stretches a word.
INVISIBLE = regex.compile(r"[\p{Cf}\p{Default_Ignorable_Code_Point}\u0640]")
# What stands without spaces: letters and punctuation of these scripts, not their digits.
NO_SPACES = regex.compile(r"(?!\p{Nd})[" + "".join(rf"\p{{scx={script}}}" for script in sorted(SPACELESS)) + "]")
# Compatibility forms that are the same letters: wide, narrow and raised ones, and Arabic letters by position.
OTHER_FORMS = ("<wide>", "<narrow>", "<super>", "<initial>", "<medial>", "<final>", "<isolated>")


@dataclass(frozen=True)
class Word:
    """A normalised word and the half-open character span ``[start, end)`` of the sentence it came from."""

    text: str
    start: int
    end: int


@functools.cache
def _own_letters(lang: str, of_marks: bool) -> "regex.Pattern[str]":
    """Return what matches a letter, or a mark, of the language's scripts.

    A letter that several scripts share (the Japanese ー) is each one's; a mark that they share is nobody's.
    """
    name = "sc" if of_marks else "scx"
    return regex.compile("[" + "".join(rf"\p{{{name}={script}}}" for script in sorted(own_scripts(lang))) + "]")


@functools.lru_cache(maxsize=65536)
def _is_own(char: str, lang: str) -> bool:
    """Whether the character belongs to the language's script."""
    pattern = _own_letters(lang, unicodedata.category(char).startswith("M"))
    return pattern.match(char) is not None or char in spelling(lang).letters


def is_foreign(char: str, lang: str) -> bool:
    """Whether the character is a letter of a script that is not the language's, and so is transliterated."""
    if unicodedata.category(char)[0] != "L" or char in APOSTROPHES or char in spelling(lang).variants:
        return False
    return not _is_own(char, lang) and not regex.match(r"[\p{sc=Zyyy}\p{sc=Zinh}\p{DI}]", char)


def _latin(char: str) -> str:
    """Return the Latin letters and digits of a foreign character; may be none, may be several."""
    return "".join(c for c in anyascii(char).lower() if c.isalnum())


def _lower(char: str, lang: str) -> str:
    if char == "İ":
        return "i"
    return "ı" if char == "I" and spelling(lang).dotless else char.lower()


@functools.lru_cache(maxsize=65536)
def _normalise_char(char: str, lang: str) -> str:
    """Return what one character becomes: letters, digits or marks; a space where it separates."""
    rules = spelling(lang)
    if char in rules.letters:
        return char
    if char in rules.variants:
        return rules.variants[char]
    kind = unicodedata.category(char)[0]
    if kind not in "LMN":
        return "" if char in rules.silent else " "
    if kind == "N":
        return char.lower()
    if _is_own(char, lang):
        is_form = unicodedata.decomposition(char).startswith(OTHER_FORMS)
        return unicodedata.normalize("NFKC", char).lower() if is_form else _lower(char, lang)
    if kind == "M":  # of all scripts, or shared with one of the language's
        return char if _own_letters(lang, of_marks=False).match(char) or regex.match(r"\p{scx=Zinh}", char) else ""
    return _latin(char)


def normalise_words(sentence: str, lang: str) -> list[Word]:
    """Return the words of an NFC sentence with their character spans.

    The joined texts are a fixed point: normalising them again changes nothing.
    """
    visible, places = _visible(sentence, lang)
    words: list[Word] = []
    pieces: list[str] = []  # what the characters of the current word become
    starts: list[int] = []  # their places in the sentence
    end = 0
    foreign = False  # whether the last letter was transliterated: its accents go with it
    for position, char in enumerate([*visible, " "]):
        kind = unicodedata.category(char)[0]
        if char in SIGNS:
            piece = _normalise_sign(visible, position, "".join(pieces), lang)
        elif kind == "M" and foreign and not _is_own(char, lang):
            piece = _latin(char)
        else:
            piece = _normalise_char(char, lang)
            foreign = foreign if kind == "M" else kind == "L" and not _is_own(char, lang)
        if piece != " ":
            end = places[position] + 1
            if kept := piece.rstrip(" "):
                pieces.append(kept)
                starts.append(places[position])
        if piece.endswith(" ") and pieces:
            words += _cut(pieces, starts, end, lang)
            pieces, starts = [], []
    return [word for word in words if any(c.isalnum() or c in spelling(lang).letters for c in word.text)]


def _visible(sentence: str, lang: str) -> tuple[str, Sequence[int]]:
    """Return the sentence without invisible characters, and the place of each character that is left."""
    if not INVISIBLE.search(sentence):
        return sentence, range(len(sentence))
    kept = ZWNJ if spelling(lang).joiner else ""
    places = [place for place, char in enumerate(sentence) if char in kept or not INVISIBLE.match(char)]
    return "".join(sentence[place] for place in places), places


def _normalise_sign(sentence: str, position: int, word: str, lang: str) -> str:
    """Return what a sign that may stand inside words becomes, with a space behind it where it ends an elided word.

    Args:
        sentence: without invisible characters.
        position: the sign's.
        word: what the current word has become so far.
        lang: language code.
    """
    rules, sign = spelling(lang), sentence[position]
    following = sentence[position + 1 : position + 2]
    before, after = (bool(c) and _is_inside(c, lang) for c in (sentence[position - 1 : position], following))
    if sign in QUOTES:
        return GERSHAYIM if rules.geresh and before and after else " "
    if sign in MIDDLE_DOTS:
        return "·" if rules.middle_dot and before and after else " "
    if sign == ZWNJ:
        return ZWNJ if before and after else ""
    if rules.geresh:
        return GERESH if before and (after or word[-1:] in GERESH_LETTERS) else ""
    if sign == GERESH:
        return " "
    if is_elided(word, following, lang):
        return f"{rules.apostrophe} "
    if not word and base_language(lang) == "en" and APART.match(sentence, position + 1):
        return rules.apostrophe
    if not (before and after or rules.edges and (before or after)):
        return ""
    return OKINA if word[-1:] in rules.turned else rules.apostrophe


def _is_inside(char: str, lang: str) -> bool:
    """Whether a word goes on over the character."""
    return char not in SIGNS and (_normalise_char(char, lang).isalnum() or unicodedata.category(char)[0] == "M")


def is_elided(word: str, following: str, lang: str) -> bool:
    """Whether a word before an apostrophe is an elided article or the like, and so a word of its own.

    Args:
        word: what stands before the apostrophe, in lower case.
        following: the character behind the apostrophe; empty at the end.
        lang: language code.
    """
    rules = spelling(lang)
    if word not in rules.elided or word not in rules.before_vowel or not following or not _is_inside(following, lang):
        return word in rules.elided
    return sounds_as_vowel(following, lang)


def sounds_as_vowel(char: str, lang: str) -> bool:
    """Whether words are elided before a letter or digit: a vowel, an h, or a number, whose reading is not known."""
    first = unicodedata.normalize("NFD", _normalise_char(char, lang))[0]
    return first in VOWELS or first.isdigit()


def _cut(pieces: Sequence[str], starts: Sequence[int], end: int, lang: str) -> Iterator[Word]:
    """Yield the words of what stands between two spaces: one, or where words stand without spaces each character.

    Letters of other scripts, and numbers, stay together.

    Args:
        pieces: what the characters become.
        starts: their places in the sentence.
        end: behind the last of them.
        lang: language code.
    """
    text = "".join(pieces)
    if not is_spaceless(lang):
        yield Word(_finish(text, lang), starts[0], end)
        return
    place_of = [start for start, piece in zip(starts, pieces, strict=True) for _ in piece]
    for first, last in cut_characters(text):
        behind = end if last == len(text) else place_of[last - 1] + 1
        yield Word(_finish(text[first:last], lang), place_of[first], behind)


def cut_characters(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of what is a word in text without spaces: a character, or a run of letters of other scripts.

    A character is a grapheme cluster, with the Myanmar vowel signs that Unicode counts apart.
    """
    first = 0
    for cluster in regex.finditer(r"\X\p{M}*", text):
        if cluster.start() > first and (NO_SPACES.match(cluster[0]) or NO_SPACES.match(text[first])):
            yield first, cluster.start()
            first = cluster.start()
    if text:
        yield first, len(text)


def _finish(word: str, lang: str) -> str:
    """Return a word in NFC, with what its end or its signs ask for."""
    rules = spelling(lang)
    word = unicodedata.normalize("NFC", word)
    if rules.final_sigma and len(word) > 1 and word.endswith("σ"):
        word = f"{word[:-1]}ς"
    return word.strip(f"·{ZWNJ}") if rules.middle_dot or rules.joiner else word


@functools.lru_cache(maxsize=8192)
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
    return replace_words(transcript, [normalise_word(word, lang) for word in transcript.words])


def replace_words(transcript: Transcript, pieces: Sequence[Sequence[str]]) -> Transcript:
    """Return the words that the transcript's words become, none or several each, and the entities that are left."""
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
