"""Text of CoNLL files in the form of transcripts: normalised words, with simulated recognition errors if asked for.

Tokens are joined to a sentence, which is normalised like a transcript (:mod:`spner.text.textnorm`): lower case, no
punctuation, ``Merkel`` ``'s`` one word. With noise, every word gets an error with that probability, one of six kinds
that are equally likely: a letter or the word is substituted, deleted, or another is inserted. Inserted letters and
words are drawn from the text. Entities stay on the words that are left of them.
"""

import random
import re
from collections.abc import Sequence

from spner.core.datatypes import Transcript
from spner.core.errors import SpnerError
from spner.text.languages import base_language, require_language
from spner.text.tags import bio_to_spans, spans_to_bio
from spner.text.textnorm import project

CLITIC = re.compile(r"(['’](s|S|re|ve|ll|d|m)|n['’]t)")
"""What CoNLL's English files cut off a word, and every language's files a name: ``Merkel`` ``'s``."""


def speech_language(*, match_speech: bool, lang: str | None, noise: float) -> str | None:
    """Return the language whose transcripts' form the command line asks for; None for text as it is.

    Raises:
        SpnerError: the options do not fit each other, or the language is unknown.
    """
    if bool(lang) != match_speech or (noise and not match_speech):
        raise SpnerError(
            "--match_speech, --lang, --noise: --match_speech needs --lang; --lang and --noise need --match_speech"
        )
    if lang:
        require_language(lang)
    return lang


def match_speech(sentences: Sequence[Transcript], lang: str, *, noise: float = 0.0, seed: int = 0) -> list[Transcript]:
    """Return the sentences as a recogniser would write them; those without any word are left out.

    Args:
        sentences: tokens and entities, cased, marks as tokens of their own.
        lang: language code; selects the normalisation.
        noise: probability of an error at each word, 0 to 1.
        seed: of the errors.
    """
    spoken = [one for one in (_normalise(sentence, lang) for sentence in sentences) if one.words]
    if not noise:
        return spoken
    rng = random.Random(f"noise {seed}")
    words = [word for one in spoken for word in one.words]
    noisy = (_add_errors(one, noise, rng, words) for one in spoken)
    return [one for one in noisy if one.words]


def _normalise(sentence: Transcript, lang: str) -> Transcript:
    ends = {entity.end for entity in sentence.entities}
    text = ""
    places: list[tuple[int, int]] = []
    for position, token in enumerate(sentence.words):
        glued = position and CLITIC.fullmatch(token) and (base_language(lang) == "en" or position in ends)
        text += "" if glued or not text else " "
        places.append((len(text), len(text) + len(token)))
        text += token
    spans = [(places[e.start][0], places[e.end - 1][1], e.label) for e in sentence.entities]
    return project(text, spans, lang)


def _add_errors(sentence: Transcript, noise: float, rng: random.Random, words: Sequence[str]) -> Transcript:
    """Return the sentence with errors; a word that comes in after one of an entity's, but its last, is the entity's."""
    bio = spans_to_bio(sentence)
    found: list[tuple[str, str]] = []
    for position, (word, tag) in enumerate(zip(sentence.words, bio, strict=True)):
        if rng.random() >= noise:
            found.append((word, tag))
            continue
        unit, kind = rng.choice(("letter", "word")), rng.choice(("replaced", "left out", "put in"))
        other = rng.choice(words)
        if unit == "letter":
            found.append((_hit_letter(word, kind, rng.choice(other), rng), tag))
        elif kind == "replaced":
            found.append((other, tag))
        elif kind == "put in":
            following = bio[position + 1] if position + 1 < len(bio) else "O"
            found += [(word, tag), (other, following if following.startswith("I-") else "O")]
        else:
            found.append(("", tag))
    for position, (word, tag) in enumerate(found[:-1]):
        following, following_tag = found[position + 1]
        if not word and tag.startswith("B-") and following_tag.startswith("I-"):
            found[position + 1] = following, tag  # else it would continue the entity before it
    left = [(word, tag) for word, tag in found if word]
    return Transcript(tuple(word for word, _ in left), bio_to_spans([tag for _, tag in left]))


def _hit_letter(word: str, kind: str, letter: str, rng: random.Random) -> str:
    place = rng.randrange(len(word) + (kind == "put in"))
    rest = word[place + (kind != "put in") :]
    return word[:place] + ("" if kind == "left out" else letter) + rest
