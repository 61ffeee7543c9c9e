"""The templates file of a language: sentences and names of the mini corpus, and the language's voice.

``templates/<lang>.yaml`` is all that another language needs. Its keys; lists are separated by commas::

    espeak: nl                  the language's name in eSpeak NG
    elisions: de d', que qu'    words that are elided before a slot filled with a vowel; may be left out
    faker: nl_NL                the Faker locale that first names and surnames come from
    persons: Marie Curie, …     full names
    surnames: de Wit, …         besides Faker's, with any of its first names
    places: Berlijn, …          cities and regions, in the language's own spelling
    territories: BE, NO, …      ISO 3166 codes; Babel names them. Leave out the ones that need an article
    organisations: Philips, …
    words:                      word slots of the sentences: any name of lower-case letters
      dag: maandag, dinsdag, …
    sentences: |                one a line; {PER} {ORG} {LOC} are entities, {dag} is a word
      {PER} reist op {dag} naar {LOC}.
"""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from spner.core.datatypes import LABELS
from spner.core.errors import SpnerError, nearest
from spner.text.languages import base_language

TEMPLATES = files("spner.mini") / "templates"
SLOT = re.compile(r"\{(\w*)\}")
TEXTS = ("espeak", "faker", "sentences")
LISTS = ("persons", "surnames", "places", "territories", "organisations")


@dataclass(frozen=True)
class Phrasebook:
    """A language's templates file; every text is NFC."""

    file: str
    lang: str
    espeak: str
    faker: str
    persons: tuple[str, ...]
    surnames: tuple[str, ...]
    places: tuple[str, ...]
    territories: tuple[str, ...]
    organisations: tuple[str, ...]
    words: dict[str, tuple[str, ...]]
    sentences: tuple[str, ...]
    elisions: dict[str, str]
    fingerprint: str


def read_phrasebook(lang: str, *, folder: Traversable = TEMPLATES) -> Phrasebook:
    """Read ``<folder>/<language>.yaml``; a country does not change the language.

    Raises:
        SpnerError: there is no such file (the message names the languages that have one), or it is not what
            the module describes.
    """
    language = base_language(lang)
    languages = sorted(file.name[:-5] for file in folder.iterdir() if file.name.endswith(".yaml"))
    if language not in languages:
        raise SpnerError(
            f'--lang "{lang}": the mini corpus has no templates for it '
            f"(expected one of {', '.join(languages)}); add {folder / f'{language}.yaml'}"
        )
    file = folder / f"{language}.yaml"
    text = unicodedata.normalize("NFC", file.read_text(encoding="utf-8"))
    entries = _read_entries(text, str(file))
    sentences = tuple(line.strip() for line in entries["sentences"].splitlines() if line.strip())
    words = {slot: split_list(words) for slot, words in entries["words"].items()}
    _validate_slots(sentences, [*LABELS, *words], str(file))
    return Phrasebook(
        file=str(file),
        lang=language,
        espeak=entries["espeak"],
        faker=entries["faker"],
        words=words,
        sentences=sentences,
        elisions=_read_elisions(entries.get("elisions", ""), str(file)),
        fingerprint=hashlib.sha256(text.encode()).hexdigest(),
        **{key: split_list(entries[key]) for key in LISTS},
    )


def slots(sentence: str) -> list[str]:
    """Return the names of a template's slots, in order."""
    return SLOT.findall(sentence)


def split_list(text: str) -> tuple[str, ...]:
    """Return the items of a list that is separated by commas."""
    return tuple(" ".join(item.split()) for item in text.split(",") if item.strip())


def parse_yaml(text: str, file: str) -> Any:
    """Return the value of a YAML text; ``file`` is where it was read."""
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SpnerError(f"{file}: is not YAML ({' '.join(str(error).split())})") from error


def _read_entries(text: str, file: str) -> dict[str, Any]:
    """Parse the YAML and check that every key is there, known, and text."""
    entries = parse_yaml(text, file)
    keys = [*TEXTS, *LISTS, "words"]
    optional = ["elisions"]
    found = list(entries) if isinstance(entries, dict) else []
    for key in found:
        if key not in keys + optional:
            known = keys + optional
            raise SpnerError(f'{file}: unknown key "{key}"{nearest(str(key), known)} (expected {", ".join(known)})')
    for key in [*keys, *(key for key in optional if key in found)]:
        words = entries[key] if key in found else None
        if key == "words" and isinstance(words, dict):
            wrong = [slot for slot, value in words.items() if not isinstance(value, str)]
        else:
            wrong = [] if isinstance(words, str) else [key]
        if wrong:
            raise SpnerError(f'{file}: "{wrong[0]}" is missing or no text (expected text, lists separated by commas)')
    return entries


def _read_elisions(text: str, file: str) -> dict[str, str]:
    """Return the elided form of each word that has one."""
    pairs = [item.split() for item in split_list(text)]
    for pair in pairs:
        if len(pair) != 2:
            raise SpnerError(
                f'{file}: elisions: "{" ".join(pair)}" (expected a word and its elided form, as in de d\')'
            )
    return {word: elided for word, elided in pairs}


def _validate_slots(sentences: tuple[str, ...], known: list[str], file: str) -> None:
    for sentence in sentences:
        for slot in slots(sentence):
            if slot not in known:
                raise SpnerError(
                    f'{file}: unknown slot {{{slot}}} in "{sentence}"{nearest(slot, known)} '
                    f"(expected {', '.join(known)})"
                )
    for kind, wanted in (("without an entity", False), ("with one", True)):
        if not any(bool(set(LABELS) & set(slots(sentence))) is wanted for sentence in sentences):
            raise SpnerError(f"{file}: no sentence {kind} (expected about a third without any entity); add some")
