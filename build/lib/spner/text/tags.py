"""The entity codec: spans <-> tagged text <-> BIO.

Tagged text is the paper's scheme (arXiv 2307.01310, section 3): one opening symbol a label, one shared
closing symbol, each a token of its own: ``<PER> angela merkel </NE> reist naar <LOC> amsterdam </NE>``.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spner.core.datatypes import Entity, Transcript

CLOSE = "</NE>"
POLICIES = ("discard", "repair")
TAG = re.compile(r"O|[BIESLU]-\S+")
"""A tag of IOB1, IOB2, BIOES or BILOU."""
CONTINUING, ENDING = frozenset("IEL"), frozenset("ELSU")


def open_symbol(label: str) -> str:
    """Return the symbol that opens an entity: ``PER`` -> ``<PER>``."""
    return f"<{label}>"


def entity_symbols(labels: Sequence[str]) -> list[str]:
    """Return every entity symbol in token-list order: one opening symbol a label, then the close."""
    return [*map(open_symbol, labels), CLOSE]


def symbol_labels(symbols: Sequence[str]) -> tuple[str, ...]:
    """Return the labels whose symbols :func:`entity_symbols` gave."""
    return tuple(symbol[1:-1] for symbol in symbols if symbol != CLOSE)


def spans_to_text(transcript: Transcript) -> str:
    """Return the tagged text. ``text_to_spans(spans_to_text(x).split()).transcript == x``."""
    tokens: list[str] = []
    position = 0
    for entity in transcript.entities:
        tokens += transcript.words[position : entity.start]
        tokens += [open_symbol(entity.label), *transcript.words[entity.start : entity.end], CLOSE]
        position = entity.end
    return " ".join([*tokens, *transcript.words[position:]])


@dataclass(frozen=True)
class Reading:
    """The transcript that was read, and counts of the illegal events by kind."""

    transcript: Transcript
    illegal: Counter[str]


def text_to_spans(tokens: Iterable[str], *, labels: Sequence[str], policy: str = "discard") -> Reading:
    """Read tagged text. Any token sequence can be read; nothing raises (docs/metrics.md, section 2).

    Illegal events are ``open_inside``, ``stray_close``, ``unclosed`` and ``empty``. Words are always kept.

    Args:
        tokens: words and entity symbols, each symbol a token of its own.
        labels: the labels whose symbols are read as symbols.
        policy: ``discard``: a new opening symbol, or the end of the utterance, drops the open entity;
            ``repair``: both close it.
    """
    label_of = {open_symbol(label): label for label in labels}
    words: list[str] = []
    entities: list[Entity] = []
    illegal: Counter[str] = Counter()
    label: str | None = None
    start = 0

    def finish(label: str, kind: str | None) -> None:
        if kind:
            illegal[kind] += 1
        if start == len(words):
            illegal["empty"] += 1
        elif kind is None or policy == "repair":
            entities.append(Entity(start, len(words), label))

    for token in tokens:
        if token in label_of:
            if label is not None:
                finish(label, "open_inside")
            label, start = label_of[token], len(words)
        elif token != CLOSE:
            words.append(token)
        elif label is None:
            illegal["stray_close"] += 1
        else:
            finish(label, None)
            label = None
    if label is not None:
        finish(label, "unclosed")
    return Reading(Transcript(tuple(words), tuple(entities)), illegal)


def bio_tags(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the tags of IOB2."""
    return ("O", *(f"{prefix}-{label}" for label in labels for prefix in "BI"))


def spans_to_bio(transcript: Transcript) -> list[str]:
    """Return one IOB2 tag a word."""
    bio = ["O"] * len(transcript.words)
    for entity in transcript.entities:
        bio[entity.start : entity.end] = [f"I-{entity.label}"] * (entity.end - entity.start)
        bio[entity.start] = f"B-{entity.label}"
    return bio


def bio_to_spans(tags: Sequence[str]) -> tuple[Entity, ...]:
    """Read tags of IOB1, IOB2, BIOES or BILOU, the way ``conlleval`` reads the first two.

    An entity begins at ``B-``, ``S-`` and ``U-``, and wherever a tag does not continue an entity of its own label. It
    ends behind ``E-``, ``L-``, ``S-`` and ``U-``.
    """
    entities: list[Entity] = []
    label, start = None, 0
    for position, tag in enumerate([*tags, "O"]):
        prefix, _, tag_label = tag.partition("-")
        if label is not None and (prefix not in CONTINUING or tag_label != label):
            entities.append(Entity(start, position, label))
            label = None
        if label is None and prefix != "O":
            label, start = tag_label, position
        if label is not None and prefix in ENDING:
            entities.append(Entity(start, position + 1, label))
            label = None
    return tuple(entities)
