"""Sentences of templates, and the French elisions in them."""

import random
import re

import pytest

from spner.core.datatypes import LABELS
from spner.mini.names import DEFAULT_POOLS, draw_pools
from spner.mini.phrasebook import read_phrasebook
from spner.mini.sentences import Sentence, draw_sentences, fill
from spner.mini.tagger_text import make_tagger_text
from spner.text.tags import bio_to_spans
from spner.text.textnorm import normalise, project

ELIDED = r"[ldnsmjtc]|qu|jusqu|lorsqu|puisqu"
VOWEL = "aàâeéèêëiîoôuûhyæœ"


@pytest.fixture(scope="module")
def french() -> list[Sentence]:
    """Sentences of the French mini corpus, every template many times."""
    phrasebook = read_phrasebook("fr")
    pools = draw_pools(phrasebook, DEFAULT_POOLS, seed=1, unseen=0.15)
    drawn = draw_sentences(phrasebook, pools, rng=random.Random(1), unseen=0.5)
    return [next(drawn) for _ in range(3000)]


@pytest.mark.parametrize(
    ("template", "filler", "text"),
    [
        ("Le train de {LOC}", "Amiens", "Le train d'Amiens"),
        ("Le train de {LOC}", "Évreux", "Le train d'Évreux"),
        ("Le train de {LOC}", "Paris", "Le train de Paris"),
        ("De {LOC} on voit la mer", "Oslo", "D'Oslo on voit la mer"),
        ("Le monde {LOC}", "Oslo", "Le monde Oslo"),
        ("{LOC} dort", "Oslo", "Oslo dort"),
    ],
)
def test_a_word_is_elided_before_a_vowel(template: str, filler: str, text: str) -> None:
    sentence = fill(read_phrasebook("fr"), template, lambda slot: filler)
    assert sentence.text == text
    assert [text[start:end] for start, end, _ in sentence.spans] == [filler]


def test_french_is_elided_wherever_it_must_be_and_nowhere_else(french: list[Sentence]) -> None:
    for sentence in french:
        assert not re.search(rf"\b(?:de|que|le|la|je|ne|se|me|te) [{VOWEL}]", sentence.text, re.IGNORECASE), sentence
        for name in re.findall(rf"\b(?:{ELIDED})['’](\w)", re.sub(r"N'(?:Golo|Djamena)", "", sentence.text)):
            assert name.lower() in VOWEL, sentence


def test_french_elided_words_are_words_of_their_own_beside_the_name(french: list[Sentence]) -> None:
    num_before_names = 0
    for sentence in french:
        transcript = project(sentence.text, sentence.spans, "fr")
        phrases = [normalise(sentence.text[start:end], "fr") for start, end, _ in sentence.spans]
        assert [transcript.phrase(entity) for entity in transcript.entities] == phrases
        for word in transcript.words:
            assert "'" not in word or re.fullmatch(rf"(?:{ELIDED})'|aujourd'hui|quelqu'un|n'golo|n'djamena", word), word
        before = {transcript.words[entity.start - 1] for entity in transcript.entities if entity.start}
        num_before_names += bool(before & {"d'", "qu'", "lorsqu'"})
    assert num_before_names > 200


def test_the_french_tagger_learns_the_same_words() -> None:
    names = set()
    for tokens, tags in make_tagger_text("fr", num_sentences=2000):
        for token in tokens:
            assert "'" not in token[:-1] or token in ("aujourd'hui", "Quelqu'un", "N'Golo", "N'Djamena"), tokens
        names |= {tokens[entity.start - 1] for entity in bio_to_spans(tags) if entity.start}
    assert "d'" in names and set(LABELS) == {"PER", "ORG", "LOC"}
