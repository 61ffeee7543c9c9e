"""References and hypotheses are read from files into canonical form (docs/metrics.md, sections 1 and 2).

A side is one of

- a folder with ``text`` and ``entities.jsonl``: a data or a decode folder;
- a Kaldi ``text`` file with entity symbols: ``u1 <PER> jan </NE> slaapt``;
- JSON lines, an utterance a line, with words and spans as in ``entities.jsonl``, or with phrases whose positions are
  not known: ``{"utt_id": "u1", "text": "jan slaapt", "entities": [{"label": "PER", "phrase": "jan"}]}``.
"""

import functools
import logging
import re
import unicodedata
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from spner.core.datatypes import LABELS, Transcript
from spner.core.errors import SpnerError
from spner.core.files import read_lines
from spner.core.paths import ENTITIES, TEXT, made_by
from spner.data.datadir import (
    parse_transcript,
    read_entities,
    read_records,
    read_table,
    refuse_twice,
    require_keys,
    split_row,
)
from spner.scoring.errors import NO_LABEL
from spner.text.tags import CLOSE, entity_symbols, open_symbol, spans_to_text, text_to_spans
from spner.text.textnorm import normalise_transcript, normalise_word, require_language

log = logging.getLogger(__name__)

FORMS = "a folder with text and entities.jsonl, a Kaldi text with entity symbols, or JSON lines"
# No transcript holds one, so it is a symbol even where its label is not configured; but <UNK> is Kaldi's unknown word.
ANY_OPEN = "<(?!UNK>)[A-Z][A-Z0-9_-]*>"


@dataclass(frozen=True, slots=True)
class Phrases:
    """The words of one utterance and its mentions, ``(label, phrase)``, whose positions are not known."""

    words: tuple[str, ...]
    mentions: tuple[tuple[str, str], ...] = ()


AnyTranscript = Transcript | Phrases


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
            named = ((self.mapping.get(label, label), phrase) for label, phrase in transcript.mentions)
            mentions = (
                (label, " ".join(p for w in phrase.split() for p in self.normalise(w))) for label, phrase in named
            )
            return Phrases(words, tuple(m for m in mentions if m[1] and m[0] not in self.discard))
        if transcript.entities and (self.mapping or self.discard):
            renamed = (replace(e, label=self.mapping.get(e.label, e.label)) for e in transcript.entities)
            transcript = Transcript(transcript.words, tuple(e for e in renamed if e.label not in self.discard))
        if self.lang is not None:
            return normalise_transcript(transcript, self.lang)
        if all(map(str.isascii, transcript.words)):
            return transcript
        return Transcript(tuple(unicodedata.normalize("NFC", word) for word in transcript.words), transcript.entities)

    def normalise(self, word: str) -> tuple[str, ...]:
        """Return the words that one word becomes."""
        return (unicodedata.normalize("NFC", word),) if self.lang is None else normalise_word(word, self.lang)


@dataclass(frozen=True)
class Side:
    """The utterances of one side by id, in the order of their file.

    Attributes:
        file: file that error messages name.
        utterances: in canonical form.
        tagged: words and entity symbols of the utterances whose symbols are illegal; the others' follow from them.
        illegal: illegal events by kind.
    """

    file: Path
    utterances: dict[str, AnyTranscript]
    tagged: dict[str, list[str]]
    illegal: Counter[str]

    def tagged_words(self, utt_id: str) -> list[str]:
        """Return words and entity symbols, the illegal ones too."""
        if utt_id in self.tagged:
            return self.tagged[utt_id]
        utterance = self.utterances[utt_id]
        assert isinstance(utterance, Transcript), "phrases have no place among the words"
        return spans_to_text(utterance).split()

    def where(self, utt_id: str) -> str:
        """Return file and line of an utterance: every line of a file is one."""
        return f"{self.file}:{1 + list(self.utterances).index(utt_id)}"


@dataclass(frozen=True, slots=True)
class _Read:
    """One utterance as its file has it; where its symbols are illegal, all its tokens in canonical form, too."""

    utt_id: str
    where: str
    transcript: AnyTranscript
    tokens: list[str] | None = None
    illegal: Counter[str] | None = None


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


def count_mentions(side: Side) -> Counter[tuple[str, str]]:
    """Return how often each ``(label, phrase)`` is mentioned."""
    return Counter(mention for transcript in side.utterances.values() for mention in mentions_of(transcript))


def read_side(path: Path, rules: Rules, *, role: str) -> Side:
    """Read one side.

    Args:
        path: a folder or a file; the forms are in the module's docstring.
        rules: how to read it.
        role: ``ref`` or ``hyp``. A label that is not configured is refused in references; in hypotheses it
            counts as an error, with a warning.

    Raises:
        SpnerError: a file is missing, malformed or without any utterance, an utterance occurs twice, or a label is
            not configured; the message gives file and line.
    """
    file, found = _open_side(path, rules)
    side = Side(file, {}, {}, Counter())
    unknown: Counter[str] = Counter()
    first_unknown = ""
    for read in found:
        refuse_twice(read.utt_id, side.utterances, read.where)
        transcript = side.utterances[read.utt_id] = rules.apply(read.transcript)
        if read.tokens is not None:
            side.tagged[read.utt_id] = read.tokens
            side.illegal.update(read.illegal)
        others = [label for label in _labels_of(read, transcript) if label not in rules.labels]
        if others and role == "ref":
            raise SpnerError(_unknown_labels(read.where, others[0], rules))
        if others:
            unknown.update(others)
            first_unknown = first_unknown or read.where
    if not side.utterances:
        raise SpnerError(f"{file}: holds no utterance (expected at least one to score)")
    if unknown:
        counts = ", ".join(f"{label} {count}" for label, count in sorted(unknown.items()))
        log.warning(
            "%s: the first of %d entities whose labels are not configured (%s; expected %s); each counts as an error",
            first_unknown,
            unknown.total(),
            counts,
            ", ".join(rules.labels),
        )
    return side


def require_same_utterances(*, ref: Side, hyp: Side) -> None:
    """Refuse to score a part of the utterances: both sides must hold the same ids.

    Raises:
        SpnerError: an utterance has no hypothesis or no reference; the message gives file and line.
    """
    _require_same_ids(ref.file, ref.utterances, hyp.file, hyp.utterances)


def _labels_of(read: _Read, transcript: AnyTranscript) -> list[str]:
    """Return the labels of an utterance, including those of illegal symbols that make no entity."""
    if read.tokens is None:
        return labels_of(transcript)
    return [token[1:-1] for token in read.tokens if re.fullmatch(ANY_OPEN, token)]


def _unknown_labels(where: str, label: str, rules: Rules) -> str:
    return (
        f'{where}: label "{label}" is not configured (expected {", ".join(rules.labels)}); add it to --labels, '
        f"rename it with --map {label}=NEW or leave it out with --discard {label}"
    )


def _open_side(path: Path, rules: Rules) -> tuple[Path, Iterator[_Read]]:
    """Return the file that errors about an utterance point to, and what its form's reader yields."""
    try:
        if path.is_dir():
            return path / TEXT, _read_folder(path, rules)
        if path.is_file():
            return path, _read_json(path) if _starts_json(path) else _read_tagged(path, rules)
    except OSError as error:
        raise SpnerError(f"{path}: cannot be read ({error.strerror}; expected {FORMS})") from error
    raise SpnerError(f"{path}: no such file or folder (expected {FORMS})")


def _starts_json(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(len(BOM_UTF8) + 1).removeprefix(BOM_UTF8)[:1] == b"{"


def _read_folder(folder: Path, rules: Rules) -> Iterator[_Read]:
    """Read ``text`` and ``entities.jsonl``; a text without any symbol is tagged by its entities."""
    text_file, entities_file = folder / TEXT, folder / ENTITIES
    texts = read_table(text_file)
    entities = read_entities(entities_file)
    _require_same_ids(text_file, texts, entities_file, entities)
    lines = {utt_id: number for number, utt_id in enumerate(entities, start=1)}
    for number, (utt_id, text) in enumerate(texts.items(), start=1):
        read = _read_text(utt_id, f"{text_file}:{number}", text, rules)
        from_entities = entities[utt_id]
        if read.transcript.words != from_entities.words:
            raise SpnerError(
                f'{text_file}:{number}: the words of "{utt_id}" are not those of '
                f"{entities_file}:{lines[utt_id]} (expected the same words in both files); "
                f"rerun {made_by(entities_file)}"
            )
        tagged = read.tokens is not None or bool(mentions_of(read.transcript))
        yield read if tagged else _Read(utt_id, f"{entities_file}:{lines[utt_id]}", from_entities)


def _read_tagged(path: Path, rules: Rules) -> Iterator[_Read]:
    for number, line in enumerate(read_lines(path), start=1):
        utt_id, text = split_row(line)
        if not utt_id:
            raise SpnerError(f"{path}:{number}: no utterance id (expected <utt_id> <tagged text>)")
        yield _read_text(utt_id, f"{path}:{number}", text, rules)


def _read_text(utt_id: str, where: str, text: str, rules: Rules) -> _Read:
    if "<" not in text:
        return _Read(utt_id, where, Transcript(tuple(text.split())))
    symbol = _symbols((*rules.labels, *rules.mapping, *rules.discard))
    # Symbols are split from the words first, so that no word index can drift.
    tokens = symbol.sub(r" \g<0> ", text).split()
    label_of = {token: token[1:-1] for token in tokens if token != CLOSE and symbol.fullmatch(token)}
    reading = text_to_spans(tokens, labels=list(label_of.values()), policy=rules.policy)
    if not reading.illegal:
        return _Read(utt_id, where, reading.transcript)
    return _Read(utt_id, where, reading.transcript, _canonical_tokens(tokens, label_of, rules), reading.illegal)


@functools.cache
def _symbols(labels: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join([*map(re.escape, entity_symbols(labels)), ANY_OPEN]))


def _canonical_tokens(tokens: Iterable[str], label_of: Mapping[str, str], rules: Rules) -> list[str]:
    """Normalise words, rename symbols, and leave out those of discarded labels, each with its close."""
    canonical: list[str] = []
    closes_discarded = False
    for token in tokens:
        if token in label_of:
            label = rules.mapping.get(label_of[token], label_of[token])
            closes_discarded = label in rules.discard
            canonical += [] if closes_discarded else [open_symbol(label)]
        elif token == CLOSE:
            canonical += [] if closes_discarded else [CLOSE]
            closes_discarded = False
        else:
            canonical += rules.normalise(token)
    return canonical


def _read_json(path: Path) -> Iterator[_Read]:
    for number, record in read_records(path):
        where = f"{path}:{number}"
        if isinstance(record, dict) and "text" in record:
            transcript: AnyTranscript = _parse_phrases(record, where)
        else:
            transcript = parse_transcript(record, where)
        yield _Read(record["utt_id"], where, transcript)


def _parse_phrases(record: dict[str, Any], where: str) -> Phrases:
    require_keys(record, {"utt_id": str, "text": str, "entities": list}, where)
    for entity in record["entities"]:
        require_keys(entity, {"label": str, "phrase": str}, where)
        if not entity["label"] or not entity["phrase"].split():
            raise SpnerError(f"{where}: an entity has no label or no words (expected both)")
    mentions = ((entity["label"], " ".join(entity["phrase"].split())) for entity in record["entities"])
    return Phrases(tuple(record["text"].split()), tuple(mentions))


def _require_same_ids(file: Path, ids: Collection[str], other_file: Path, other_ids: Collection[str]) -> None:
    for here, known, there, expected in ((file, ids, other_file, other_ids), (other_file, other_ids, file, ids)):
        extra = [(number, utt_id) for number, utt_id in enumerate(known, start=1) if utt_id not in expected]
        if extra:
            number, utt_id = extra[0]
            others = f", nor are {len(extra) - 1} more" if extra[1:] else ""
            raise SpnerError(
                f'{here}:{number}: utterance "{utt_id}" is not in {there}{others} (expected the same '
                "utterances in both, an empty line for an empty hypothesis)"
            )
