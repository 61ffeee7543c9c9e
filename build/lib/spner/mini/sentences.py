"""Cased, punctuated sentences from a phrasebook and names, with the character spans of their entities."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from spner.core.datatypes import LABELS
from spner.mini.names import Pool
from spner.mini.phrasebook import SLOT, Phrasebook, slots
from spner.text.textnorm import sounds_as_vowel

ENTITY_FREE = 1 / 3
"""Share of the sentences without any entity."""


@dataclass(frozen=True)
class Sentence:
    """An NFC sentence and its entities as ``(start, end, label)``, half-open, in characters."""

    text: str
    spans: tuple[tuple[int, int, str], ...] = ()


def fill(phrasebook: Phrasebook, template: str, choose: Callable[[str], str]) -> Sentence:
    """Return the template with each slot replaced by ``choose(slot)``, after an elided word where the language asks."""
    text = ""
    spans: list[tuple[int, int, str]] = []
    position = 0
    for match in SLOT.finditer(template):
        text += template[position : match.start()]
        filler = choose(match[1])
        text = _elide(phrasebook, text, filler)
        if match[1] in LABELS:
            spans.append((len(text), len(text) + len(filler), match[1]))
        text += filler
        position = match.end()
    return Sentence(text + template[position:], tuple(spans))


def _elide(phrasebook: Phrasebook, text: str, following: str) -> str:
    """Return the text with its last word elided if it is one of those and a vowel follows."""
    word = text[:-1].rpartition(" ")[2]
    elided = phrasebook.elisions.get(word.lower())
    if not text.endswith(" ") or elided is None or not sounds_as_vowel(following[0], phrasebook.lang):
        return text
    return text[: -len(word) - 1] + (elided.capitalize() if word[0].isupper() else elided)


def draw_sentences(
    phrasebook: Phrasebook, pools: Mapping[str, Pool], *, rng: random.Random, unseen: float
) -> Iterator[Sentence]:
    """Yield random sentences without end; one may come again.

    Args:
        phrasebook: templates and words.
        pools: names a label.
        rng: where the randomness comes from.
        unseen: chance, 0 to 1, that a mention is one of the pool's unseen names, if it has any.
    """
    entity_free = [t for t in phrasebook.sentences if not set(LABELS) & set(slots(t))]
    with_entities = [t for t in phrasebook.sentences if set(LABELS) & set(slots(t))]
    while True:
        template = rng.choice(entity_free if rng.random() < ENTITY_FREE else with_entities)
        yield fill(phrasebook, template, choose_fillers(phrasebook, pools, rng, unseen))


def choose_fillers(
    phrasebook: Phrasebook, pools: Mapping[str, Pool], rng: random.Random, unseen: float
) -> Callable[[str], str]:
    """Return a function from a slot to a word or name, for one sentence: it repeats none while there are others.

    Args:
        phrasebook: words by slot.
        pools: names by label.
        rng: where the randomness comes from.
        unseen: chance, 0 to 1, of one of a pool's unseen names.
    """
    used: set[str] = set()

    def choose(slot: str) -> str:
        if slot in pools:
            pool = pools[slot]
            fillers = pool.unseen if pool.unseen and rng.random() < unseen else pool.train
        else:
            fillers = phrasebook.words[slot]
        filler = rng.choice([f for f in fillers if f not in used] or fillers)
        used.add(filler)
        return filler

    return choose
