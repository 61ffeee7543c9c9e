"""The file of international names: who and what is known in several languages, in each language's spelling.

Its keys; lists are separated by commas::

    languages: nl, de, en
    persons:                    full names
      - Marie Curie, …          spelt so in each of the languages
      - {nl: Johan Cruijff, de: Johan Cruyff, en: Johan Cruyff}
    places:                     cities and regions; a language that is missing in a row cannot share it
      - {nl: Keulen, de: Köln, en: Cologne}
    organisations:
      - Philips, …
    own:                        what a corpus with shared names has for itself, besides what else its templates list
      nl:
        territories: BE, …      instead of the templates' territories, which are those of other languages, too
        organisations: Hema, …
"""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from spner.core.errors import SpnerError, nearest, quote
from spner.mini.phrasebook import parse_yaml, split_list

INTERNATIONAL = files("spner.mini") / "international.yaml"
KINDS = {"PER": "persons", "ORG": "organisations", "LOC": "places"}
"""The key of each label's names."""

KEYS = ("languages", *KINDS.values(), "own")
OWN_KEYS = ("territories", "organisations")


@dataclass(frozen=True)
class International:
    """The file; every text is NFC.

    Attributes:
        file: where it lies.
        languages: their codes.
        names: a label's names, each by language.
        own: by language and key, what only this language's corpora mention.
        fingerprint: of the file's text.
    """

    file: str
    languages: tuple[str, ...]
    names: dict[str, tuple[dict[str, str], ...]]
    own: dict[str, dict[str, tuple[str, ...]]]
    fingerprint: str

    def spellings(self, label: str) -> set[str]:
        """Return every language's spelling of every name with this label."""
        return {spelling for name in self.names[label] for spelling in name.values()}


def read_international(file: Traversable = INTERNATIONAL) -> International:
    """Read the file.

    Raises:
        SpnerError: it is not what the module describes.
    """
    text = unicodedata.normalize("NFC", file.read_text(encoding="utf-8"))
    entries = parse_yaml(text, str(file))
    _validate_keys(entries, KEYS, str(file))
    languages = _list(entries["languages"], f"{file}: languages")
    names = {}
    for label, kind in KINDS.items():
        names[label] = tuple(_read_names(entries[kind], languages, f"{file}: {kind}"))
        _refuse_repetitions(names[label], languages, f"{file}: {kind}")
    _validate_keys(entries["own"], languages, f"{file}: own")
    own = {}
    for lang, lists in entries["own"].items():
        _validate_keys(lists, OWN_KEYS, f"{file}: own: {lang}")
        own[lang] = {key: _list(value, f"{file}: own: {lang}: {key}") for key, value in lists.items()}
    return International(str(file), languages, names, own, hashlib.sha256(text.encode()).hexdigest())


def _validate_keys(entries: Any, keys: Sequence[str], where: str) -> None:
    """Refuse anything but a mapping with exactly these keys."""
    found = list(entries) if isinstance(entries, dict) else []
    for key in found:
        if key not in keys:
            raise SpnerError(f'{where}: unknown key "{key}"{nearest(str(key), keys)} (expected {", ".join(keys)})')
    for key in keys:
        if key not in found:
            raise SpnerError(f'{where}: "{key}" is missing (expected {", ".join(keys)})')


def _list(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, str):
        raise SpnerError(f"{where}: is no text (expected a list separated by commas)")
    return split_list(value)


def _read_names(rows: Any, languages: Sequence[str], where: str) -> Iterator[dict[str, str]]:
    """Yield names by language; a row of text is a list of names that all languages spell alike."""
    if not isinstance(rows, list):
        raise SpnerError(f"{where}: is no list (expected rows that begin with a hyphen)")
    for row in rows:
        if isinstance(row, str):
            yield from (dict.fromkeys(languages, name) for name in split_list(row))
        elif isinstance(row, dict) and all(lang in languages and isinstance(row[lang], str) for lang in row):
            yield row
        else:
            raise SpnerError(
                f"{where}: {quote(str(row))} is no name (expected text, or spellings by language: "
                f"{', '.join(languages)})"
            )


def _refuse_repetitions(names: Sequence[dict[str, str]], languages: Sequence[str], where: str) -> None:
    for lang in languages:
        for spelling, num in Counter(name[lang] for name in names if lang in name).items():
            if num > 1:
                raise SpnerError(f"{where}: {lang} has {quote(spelling)} {num} times (expected each name once)")
