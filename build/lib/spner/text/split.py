"""Cased sentence -> the words that a text tagger labels, cut as in the CoNLL files that taggers are trained on.

Punctuation is a word of its own; hyphens and apostrophes inside a word, initials (``J.``) and decimals stay. English
splits ``Merkel 's``, and languages with elision the elided word: ``dell' ONU``. Where words stand without spaces,
each character is a word, as in the CoNLL files of these languages.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

import regex

from spner.text.languages import base_language, is_spaceless, spelling
from spner.text.textnorm import APOSTROPHES, INVISIBLE, NO_SPACES, cut_characters, is_elided

# A run of characters that are not always a word of their own, or one that is.
CHUNK = re.compile(r"""[^\s"“”„«»‹›()\[\]{}…/;!?–—]+|\S""")
INITIALS = re.compile(r"(?:[^\W\d_]\.)+")
# 's-Hertogenbosch, 't, '98: the apostrophe belongs to the word.
LEADING = re.compile(r"['’](?:[A-Za-z]\b|\d\d)")
ENGLISH_CLITIC = re.compile(r"['’](?:s|S|re|ve|ll|d|m)$")
STANDS_CLOSE = regex.compile(rf"{NO_SPACES.pattern}|[\uff01-\uff0f\uff1a-\uff20]")  # the latter: ！（）， …
APOSTROPHE = re.compile(f"[{re.escape(''.join(sorted(APOSTROPHES)))}]")


def split_words(sentence: str, lang: str, *, clitics: bool = True) -> Iterator[tuple[int, int]]:
    """Yield the character spans of a sentence's words.

    Args:
        sentence: cased and punctuated, NFC.
        lang: language code.
        clitics: whether English splits ``Merkel 's``.
    """
    for chunk in CHUNK.finditer(sentence):
        start, end = chunk.span()
        while start < end and not _begins_word(sentence, start, end, lang):
            yield start, start + 1
            start += 1
        tail = end
        while start < end and not _ends_word(sentence, start, end, lang):
            end -= 1
        yield from _split_inside(sentence, start, end, lang, clitics)
        yield from ((position, position + 1) for position in range(end, tail))


def _begins_word(sentence: str, start: int, end: int, lang: str) -> bool:
    """Whether the first character of ``[start, end)`` belongs to its word."""
    if sentence[start] in APOSTROPHES and spelling(lang).edges:
        return True
    return sentence[start].isalnum() or LEADING.match(sentence, start, end) is not None


def _ends_word(sentence: str, start: int, end: int, lang: str) -> bool:
    """Whether the last character of ``[start, end)`` belongs to its word."""
    last = sentence[end - 1]
    if last in APOSTROPHES:
        return spelling(lang).edges or is_elided(sentence[start : end - 1].lower(), "", lang)
    is_mark = unicodedata.category(last).startswith("M")  # the vowel signs of many scripts
    return last.isalnum() or is_mark or INITIALS.fullmatch(sentence, start, end) is not None


def _split_inside(sentence: str, start: int, end: int, lang: str, clitics: bool) -> Iterator[tuple[int, int]]:
    """Yield the words of a chunk that begins and ends with a word's character."""
    if is_spaceless(lang):
        cut = ((start + a, start + b) for a, b in cut_characters(sentence[start:end]))
        yield from ((a, b) for a, b in cut if not INVISIBLE.fullmatch(sentence, a, b))
        return
    for apostrophe in APOSTROPHE.finditer(sentence, start, end):
        following = sentence[apostrophe.end() : end][:1]
        if is_elided(sentence[start : apostrophe.start()].lower(), following, lang):
            yield start, apostrophe.end()
            start = apostrophe.end()
    clitic = ENGLISH_CLITIC.search(sentence, start, end) if clitics and base_language(lang) == "en" else None
    middle = clitic.start() if clitic else end
    yield from ((a, b) for a, b in ((start, middle), (middle, end)) if a < b)


def find_runs(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the half-open ranges of words that are written without spaces between them.

    Those are characters of scripts without spaces, and their punctuation; any other word is a range of its own.
    """
    if not NO_SPACES.search("".join(words)):
        yield from ((position, position + 1) for position in range(len(words)))
        return
    first = 0
    for position in range(1, len(words)):
        if not (STANDS_CLOSE.match(words[position - 1]) and STANDS_CLOSE.match(words[position])):
            yield first, position
            first = position
    yield first, len(words)
