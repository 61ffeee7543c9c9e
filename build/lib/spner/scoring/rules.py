"""The rules by which both sides are brought to canonical form (docs/metrics.md, section 1)."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from spner.core.datatypes import LABELS, Transcript
from spner.core.errors import SpnerError
from spner.core.paths import ENTITIES
from spner.data.datadir import stream_entities
from spner.scoring.errors import NO_LABEL
from spner.scoring.transcripts import AnyTranscript, Phrases
from spner.text.labels import LabelSet
from spner.text.languages import require_language
from spner.text.textnorm import normalise_transcript, normalise_word


@dataclass(frozen=True)
class Rules:
    """Rules for reading both sides.

    Attributes:
        lang: language whose normalisation both sides get; None leaves the words as they are, in NFC.
        labels: the configured labels.
        mapping: old label -> new label, applied first.
        discard: labels, after mapping, that are left out on both sides; their words stay.
        policy: how illegal tagged text is read; see :func:`spner.text.tags.text_to_spans`.

    Raises:
        SpnerError: the language is unknown, two labels are the same, one cannot be a symbol, or none is left to score.
    """

    lang: str | None = None
    labels: tuple[str, ...] = LABELS
    mapping: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    discard: frozenset[str] = frozenset()
    policy: str = "discard"

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
        if transcript.entities and (self.mapping or self.discard):
            renamed = (replace(e, label=self.mapping.get(e.label, e.label)) for e in transcript.entities)
            transcript = Transcript(transcript.words, tuple(e for e in renamed if e.label not in self.discard))
        if self.lang is not None:
            return normalise_transcript(transcript, self.lang)
        if all(map(str.isascii, transcript.words)):
            return transcript
        return Transcript(tuple(unicodedata.normalize("NFC", word) for word in transcript.words), transcript.entities)

    def _phrase(self, phrase: str) -> str:
        return " ".join(piece for word in phrase.split() for piece in self.normalise(word))

    def normalise(self, word: str) -> tuple[str, ...]:
        """Return the words that one word becomes."""
        return (unicodedata.normalize("NFC", word),) if self.lang is None else normalise_word(word, self.lang)


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
