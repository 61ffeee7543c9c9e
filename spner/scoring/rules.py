"""The rules by which both sides are brought to canonical form (docs/metrics.md, section 1)."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from spner.core.datatypes import LABELS, Entity, Transcript
from spner.core.errors import SpnerError
from spner.core.paths import ENTITIES
from spner.data.datadir import stream_entities
from spner.scoring.errors import NO_LABEL
from spner.scoring.transcripts import AnyTranscript, Phrases
from spner.text.labels import LabelSet
from spner.text.languages import require_language
from spner.text.textnorm import normalise_transcript, normalise_word, replace_words

POSSESSIVE = re.compile("(?<=.)(?=['’]s)")
"""Where SLUE puts a space: before every ``'s`` (slue-toolkit, ``slue_toolkit/text_ner/reformat_pipeline.py``)."""


@dataclass(frozen=True)
class Rules:
    """Rules for reading both sides.

    Attributes:
        lang: language whose normalisation both sides get; None leaves the words as they are, in NFC.
        labels: the configured labels.
        mapping: old label -> new label, applied first.
        discard: labels, after mapping, that are left out on both sides; their words stay.
        policy: how illegal tagged text is read; see :func:`spner.text.tags.text_to_spans`.
        split_s: whether ``'s`` is a word of its own, as SLUE has it; see :func:`split_possessives`.

    Raises:
        SpnerError: the language is unknown, two labels are the same, one cannot be a symbol, or none is left to score.
    """

    lang: str | None = None
    labels: tuple[str, ...] = LABELS
    mapping: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    discard: frozenset[str] = frozenset()
    policy: str = "discard"
    split_s: bool = False

    def __post_init__(self) -> None:
        if self.lang is not None:
            require_language(self.lang)
        for label in self.labels:
            if self.labels.count(label) > 1 or label == NO_LABEL or re.search("[<>,]", label):
                raise SpnerError(
                    f'--labels: found "{label}" in "{" ".join(self.labels)}" (expected different labels '
                    f"with spaces between them, without < > or comma; {NO_LABEL} stands for no entity)"
                )
        if not self.scored_labels:
            raise SpnerError(
                f'--discard: no label is left to score of "{" ".join(self.labels)}" (expected at least '
                "one; see --labels)"
            )

    @property
    def scored_labels(self) -> tuple[str, ...]:
        """The configured labels that are not left out."""
        return tuple(label for label in self.labels if label not in self.discard)

    def apply(self, transcript: AnyTranscript) -> AnyTranscript:
        """Bring an utterance to canonical form."""
        if isinstance(transcript, Phrases):
            words = tuple(piece for word in transcript.words for piece in self.normalise(word))
            mentions = ((self.mapping.get(label, label), self._phrase(phrase)) for label, phrase in transcript.mentions)
            return Phrases(words, tuple(m for m in mentions if m[1] and m[0] not in self.discard))
        transcript = self.relabel(transcript)
        if self.split_s:
            transcript = split_possessives(transcript)
        if self.lang is not None:
            return normalise_transcript(transcript, self.lang)
        if all(map(str.isascii, transcript.words)):
            return transcript
        return Transcript(tuple(unicodedata.normalize("NFC", word) for word in transcript.words), transcript.entities)

    def relabel(self, transcript: Transcript) -> Transcript:
        """Rename labels and leave out the discarded; words stay as they are."""
        if not transcript.entities or not (self.mapping or self.discard):
            return transcript
        renamed = (replace(e, label=self.mapping.get(e.label, e.label)) for e in transcript.entities)
        return Transcript(transcript.words, tuple(e for e in renamed if e.label not in self.discard))

    def _phrase(self, phrase: str) -> str:
        words = tuple(phrase.split())
        if self.split_s:
            split = split_possessives(Transcript(words, (Entity(0, len(words), NO_LABEL),)))
            words = split.words[: split.entities[0].end]
        return " ".join(piece for word in words for piece in self.normalise(word))

    def normalise(self, word: str) -> tuple[str, ...]:
        """Return the words that one word becomes."""
        pieces = POSSESSIVE.split(word) if self.split_s else (word,)
        if self.lang is None:
            return tuple(unicodedata.normalize("NFC", piece) for piece in pieces)
        return tuple(normalised for piece in pieces for normalised in normalise_word(piece, self.lang))


def split_possessives(transcript: Transcript) -> Transcript:
    """Make ``'s`` a word of its own, as SLUE does: ``europe's`` is ``europe 's``.

    One that is split from the last word of an entity does not belong to it: SLUE's annotators mark ``europe``.
    """
    pieces = [POSSESSIVE.split(word) for word in transcript.words]
    split = replace_words(transcript, pieces)
    entities = (
        replace(after, end=after.end - (len(last) > 1 and len(last[-1]) == len("'s")))
        for after, last in zip(split.entities, (pieces[e.end - 1] for e in transcript.entities), strict=True)
    )
    return Transcript(split.words, tuple(entities))


def choose_rules(lang: str | None, labels: LabelSet, sides: Sequence[Path]) -> Rules:
    """Return the rules that bring true entities, or those of a model of other labels, to the labels of a data folder.

    Args:
        lang: as :class:`Rules` has it.
        labels: of the data folder.
        sides: folders with entities, or files of entities; those that are not there are passed over.
    """
    files = [side / ENTITIES if side.is_dir() else side for side in sides]
    found = {e.label for file in files if file.is_file() for _, one in stream_entities(file) for e in one.entities}
    means = {name: labels.find(name) for name in sorted(found)}
    renamed = {name: label for name, label in means.items() if label and label != name}
    return Rules(lang, labels.names, renamed, frozenset(name for name, label in means.items() if label is None))
