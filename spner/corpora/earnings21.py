"""Read Earnings-21 (Del Rio et al. 2021, arXiv 2104.11348): 39 hours of earnings calls with labelled tokens.

As revdotcom/speech-datasets serves it (its ``earnings21/README.md`` says what each column is)::

    <corpus>/media/<call>.mp3
    <corpus>/transcripts/nlp_references/<call>.nlp
        token|speaker|ts|endTs|punctuation|case|tags|wer_tags
        NexGEn|0|||,|MC|[]|['7', '9']       no quoting; wer_tags: numbers of the entities that the token belongs to
        2020|0|||.|CA|['0:YEAR']|['0']      tags: labels of some of them
    <corpus>/transcripts/wer_tags/<call>.wer_tag.json
        {"7": {"entity_type": "ORG"}, …}    the label of each entity; a few are in the column tags alone

A call becomes utterances: sentences, which end with ``.``, ``?`` or ``!`` or with the speaker's turn, never inside an
entity. They have no times. Tokens such as ``<laugh>``, and a few empty ones, are no words. A token may belong to
several entities (a YEAR in a DATE): of those with a label that is wanted the longest is taken. ``normalizations/``,
spellings that count as equal in the authors' WER, is not read.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spner.core.datatypes import Transcript
from spner.core.errors import SpnerError
from spner.core.files import read_json, read_lines
from spner.text.labels import LabelSet
from spner.text.textnorm import project

REFERENCES, TAGS, MEDIA = Path("transcripts/nlp_references"), Path("transcripts/wer_tags"), Path("media")
TOKEN, SPEAKER, PUNCTUATION, LABELS, WER_TAGS = COLUMNS = ("token", "speaker", "punctuation", "tags", "wer_tags")
NUMBERS = re.compile(r"\[(?:'\d+'(?:, '\d+')*)?\]")
NUMBER_AND_LABEL = re.compile(r"'(\d+):(\w+)'")
NO_WORD = re.compile(r"(<[a-z_]+>)?")
SENTENCE_ENDS = (".", "?", "!")
NOTES = NO_WORDS, UNKNOWN, NO_LABEL, OVERLAPPED, WITHOUT_WORD = (
    "tokens such as <laugh>, and empty ones",
    "entities whose number has no label",
    "entities of other labels",
    "entities that overlap a longer one",
    "entities without a word",
)


@dataclass(frozen=True)
class Token:
    """One line: the word as it is written, what stands behind it, who says it, its entities' numbers, some labels."""

    text: str
    punctuation: str
    speaker: str
    numbers: tuple[str, ...]
    label_of: Mapping[str, str]


@dataclass(frozen=True, order=True)
class Span:
    """An entity on the tokens ``[start, end)``."""

    start: int
    end: int
    label: str


@dataclass
class Call:
    """The utterances of one call by id, in the order in which they are spoken, and counts of what was left out."""

    name: str
    utterances: dict[str, Transcript] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(NOTES, 0)))


def list_calls(corpus: Path) -> list[str]:
    """Return the names of the calls.

    Raises:
        SpnerError: there is none.
    """
    names = sorted(path.stem for path in (corpus / REFERENCES).glob("*.nlp"))
    if not names:
        raise SpnerError(f"{corpus}: holds no {REFERENCES}/*.nlp (expected Earnings-21's folder); get speech-datasets")
    return names


def find_audio(corpus: Path, call: str) -> Path:
    """Return the recording of a call.

    Raises:
        SpnerError: there is none.
    """
    found = sorted((corpus / MEDIA).glob(f"{call}.*"))
    if not found:
        raise SpnerError(f"{corpus / MEDIA}: holds no {call}.mp3 (expected a recording a call); git lfs pull gets them")
    return found[0]


def read_call(corpus: Path, name: str, *, labels: LabelSet, lang: str = "en") -> Call:
    """Read a call's references in canonical form.

    Args:
        corpus: its folder.
        name: of the call.
        labels: entities of others are left out and counted.
        lang: language code; selects the normalisation.

    Raises:
        SpnerError: a file is missing or malformed; the message gives the line.
    """
    nlp = corpus / REFERENCES / f"{name}.nlp"
    tokens = list(_read_tokens(nlp))
    label_of = {number: label for token in tokens for number, label in token.label_of.items()}
    label_of |= _read_labels(corpus / TAGS / f"{name}.wer_tag.json")
    call = Call(name)
    spans = _choose(list(_find_spans(tokens)), label_of, labels, call.notes)
    for number, (start, end) in enumerate(_cut(tokens, spans), start=1):
        own = [Span(one.start - start, one.end - start, one.label) for one in spans if start <= one.start < end]
        transcript = _make_transcript(tokens[start:end], own, lang)
        call.notes[WITHOUT_WORD] += len(own) - len(transcript.entities)
        call.notes[NO_WORDS] += sum(bool(NO_WORD.fullmatch(token.text)) for token in tokens[start:end])
        if transcript.words:
            call.utterances[f"{name}-{number:05}"] = transcript
    return call


def _read_tokens(nlp: Path) -> Iterator[Token]:
    lines = enumerate(read_lines(nlp), start=1)
    _, header = next(lines, (0, ""))
    columns = header.split("|")
    if not {*COLUMNS} <= {*columns}:
        raise SpnerError(f"{nlp}:1: has columns {header} (expected {'|'.join(COLUMNS)} among them); restore the file")
    for number, line in lines:
        row = dict(zip(columns, line.split("|"), strict=False))
        if line.count("|") != len(columns) - 1 or len(row[TOKEN].split()) > 1 or not NUMBERS.fullmatch(row[WER_TAGS]):
            raise SpnerError(
                f"{nlp}:{number}: is no token with its entities (expected {header}, the last as ['7', '9']); restore "
                "the file"
            )
        numbers = tuple(re.findall(r"\d+", row[WER_TAGS]))
        labels = dict(NUMBER_AND_LABEL.findall(row[LABELS]))
        yield Token(row[TOKEN].strip(), row[PUNCTUATION], row[SPEAKER], numbers, labels)


def _read_labels(path: Path) -> dict[str, str]:
    """Return the label of each entity by its number."""
    content: Any = read_json(path)
    if not isinstance(content, dict):
        raise SpnerError(f'{path}: is no object (expected {{"7": {{"entity_type": "ORG"}}, …}}); restore the file')
    for number, entry in content.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("entity_type"), str):
            raise SpnerError(
                f'{path}: entity "{number}" has no label (expected {{"entity_type": "ORG"}}); restore the file'
            )
    return {number: entry["entity_type"] for number, entry in content.items()}


def _find_spans(tokens: Sequence[Token]) -> Iterator[tuple[int, int, str]]:
    """Yield the entities, with their numbers as labels; one whose tokens are not all neighbours is several."""
    begun: dict[str, int] = {}
    for position in range(len(tokens) + 1):
        numbers = tokens[position].numbers if position < len(tokens) else ()
        for number in [number for number in begun if number not in numbers]:
            yield begun.pop(number), position, number
        for number in numbers:
            begun.setdefault(number, position)


def _choose(
    found: Sequence[tuple[int, int, str]], label_of: Mapping[str, str], labels: LabelSet, notes: Counter[str]
) -> list[Span]:
    """Return the entities of the wanted labels, without overlap: the longest first, then the first."""
    chosen: list[Span] = []
    taken: set[int] = set()
    for start, end, number in sorted(found, key=lambda one: (one[0] - one[1], one[0], int(one[2]))):
        label = labels.find(label_of[number]) if number in label_of else None
        if label is None:
            notes[NO_LABEL if number in label_of else UNKNOWN] += 1
        elif taken.isdisjoint(range(start, end)):
            chosen.append(Span(start, end, label))
            taken.update(range(start, end))
        else:
            notes[OVERLAPPED] += 1
    return sorted(chosen)


def _cut(tokens: Sequence[Token], spans: Sequence[Span]) -> Iterator[tuple[int, int]]:
    """Yield the token spans of the utterances."""
    inside = {position for span in spans for position in range(span.start + 1, span.end)}
    start = 0
    for end in range(1, len(tokens) + 1):
        token, following = tokens[end - 1], tokens[end] if end < len(tokens) else None
        ends = token.punctuation in SENTENCE_ENDS or following is None or following.speaker != token.speaker
        if ends and end not in inside:
            yield start, end
            start = end


def _make_transcript(tokens: Sequence[Token], spans: Sequence[Span], lang: str) -> Transcript:
    """Return the normalised words and entities of an utterance."""
    words = ["" if NO_WORD.fullmatch(token.text) else f"{token.text}{token.punctuation}" for token in tokens]
    starts, length = [], 0
    for word in words:
        starts.append(length)
        length += len(word) + 1
    places = ((starts[one.start], starts[one.end - 1] + len(words[one.end - 1]), one.label) for one in spans)
    return project(" ".join(words), places, lang)
