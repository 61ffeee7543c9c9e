"""Text as it is compared: without case, diacritics and punctuation, so that ``munchen`` is ``München``."""

import re
import unicodedata
from functools import lru_cache

DIACRITICS = range(0x300, 0x370)  # marks on Latin, Greek and Cyrillic letters; those of Indic scripts are vowels


@lru_cache(maxsize=2**16)  # names come again and again
def fold(text: str) -> str:
    """Return the words of a text, folded, with single spaces between them."""
    if text.isascii():
        return re.sub("[^a-z0-9]+", " ", text.lower()).strip()
    letters = (char for char in unicodedata.normalize("NFKD", text.casefold()) if ord(char) not in DIACRITICS)
    return " ".join("".join(char if _is_letter(char) else " " for char in letters).split())


def _is_letter(char: str) -> bool:
    return unicodedata.category(char)[0] in "LNM"
