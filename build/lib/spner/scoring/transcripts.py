"""What is compared: transcripts with entities, or with phrases whose positions are not known."""

from dataclasses import dataclass

from spner.core.datatypes import Transcript


@dataclass(frozen=True, slots=True)
class Phrases:
    """The words of one utterance and its mentions, ``(label, phrase)``, whose positions are not known."""

    words: tuple[str, ...]
    mentions: tuple[tuple[str, str], ...] = ()


AnyTranscript = Transcript | Phrases


@dataclass(frozen=True)
class Pair:
    """Reference and hypothesis of one utterance, both in canonical form."""

    ref: Transcript
    hyp: Transcript


def mentions_of(transcript: AnyTranscript) -> list[tuple[str, str]]:
    """Return ``(label, phrase)`` of each entity."""
    if isinstance(transcript, Phrases):
        return list(transcript.mentions)
    return [(entity.label, transcript.phrase(entity)) for entity in transcript.entities]


def labels_of(transcript: AnyTranscript) -> list[str]:
    """Return the label of each entity."""
    if isinstance(transcript, Phrases):
        return [label for label, _ in transcript.mentions]
    return [entity.label for entity in transcript.entities]
