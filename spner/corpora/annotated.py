"""Utterances with entities that came with a corpus, as labelled stretches of text -> a set.

Such a set stays as it is: no duplicates are removed, so that scores can stand beside those of others. The entities are
projected onto the words of the normalised text (:func:`spner.text.textnorm.project`), and what that costs is counted.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from spner.core.datatypes import Transcript, Utterance
from spner.core.errors import SpnerError, quote
from spner.corpora.corpus import CorpusSet, without_space
from spner.text.textnorm import normalise, project

WITHOUT_WORDS, OVERLAPPING, OTHER_WORDS = NOTES = (
    "entities without a word of their own, dropped",
    "entities that overlap another, whose words go to the first",
    "sentences with other words than their transcripts, replaced by them",
)


@dataclass(frozen=True)
class Annotated:
    """An utterance as its corpus has it.

    Attributes:
        where: file and line, for messages.
        utt_id: its name, with white space perhaps.
        spk_id: its speaker's; empty where the corpus names none: then it counts as a speaker of its own.
        clip: its audio, below the folder of clips.
        text: what was said; the spans are places in it.
        spans: ``(start, end, label)``, half-open, in characters of ``text``.
        sentence: cased and punctuated; empty where ``text`` is.
    """

    where: str
    utt_id: str
    spk_id: str
    clip: str
    text: str
    spans: tuple[tuple[int, int, str], ...]
    sentence: str = ""


def make_set(
    found: Iterable[Annotated], *, lang: str, gold: bool, stated_s: Mapping[str, float] | None = None
) -> CorpusSet:
    """Return a set of annotated utterances.

    Args:
        found: the utterances.
        lang: language code; selects the normalisation.
        gold: whether people have made the labels.
        stated_s: seconds of the clips by utterance id, where the corpus says how long they are.

    Raises:
        SpnerError: two utterances have the same id, or a span does not lie in its text.
    """
    utterances: list[Utterance] = []
    empty: list[Utterance] = []
    transcripts: dict[str, Transcript] = {}
    places: dict[str, str] = {}
    notes: Counter[str] = Counter(dict.fromkeys(NOTES, 0))
    for one in found:
        utt_id = without_space(one.utt_id)
        if utt_id in places:
            raise SpnerError(
                f"{one.where}: utterance {quote(utt_id)} is also in {places[utt_id]} (expected each once); remove one"
            )
        places[utt_id] = one.where
        transcript = _project(one, lang, notes)
        sentence = _choose_sentence(one, transcript, lang, notes)
        utterance = Utterance(utt_id, without_space(one.spk_id) or utt_id, one.clip, sentence)
        if transcript.words:
            utterances.append(utterance)
            transcripts[utt_id] = transcript
        else:
            empty.append(utterance)
    seconds = tuple(stated_s.get(utterance.utt_id, 0.0) for utterance in utterances) if stated_s else ()
    return CorpusSet(
        tuple(utterances), tuple(empty), transcripts=transcripts, gold=gold, notes=dict(notes), stated_s=seconds
    )


def _project(one: Annotated, lang: str, notes: Counter[str]) -> Transcript:
    spans = sorted(one.spans)
    for start, end, label in spans:
        if not 0 <= start < end <= len(one.text):
            raise SpnerError(
                f"{one.where}: entity {quote(label)} lies at {start} to {end} (expected characters of its text, which "
                f"has {len(one.text)})"
            )
    notes[OVERLAPPING] += sum(after[0] < before[1] for before, after in pairwise(spans))
    text = unicodedata.normalize("NFC", one.text)
    if text != one.text:
        spans = [(_nfc_length(one.text[:start]), _nfc_length(one.text[:end]), label) for start, end, label in spans]
    transcript = project(text, spans, lang)
    notes[WITHOUT_WORDS] += len(spans) - len(transcript.entities)
    return transcript


def _nfc_length(text: str) -> int:
    return len(unicodedata.normalize("NFC", text))


def _choose_sentence(one: Annotated, transcript: Transcript, lang: str, notes: Counter[str]) -> str:
    """Return the cased sentence, which must have the transcript's words; numbers in digits, for example, differ."""
    text = " ".join(unicodedata.normalize("NFC", one.text).split())
    sentence = " ".join(unicodedata.normalize("NFC", one.sentence).split()) or text
    if normalise(sentence, lang) == " ".join(transcript.words):
        return sentence
    notes[OTHER_WORDS] += 1
    return text
