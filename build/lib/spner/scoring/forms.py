"""The forms in which a side may be given -> its utterances, one at a time (docs/metrics.md, section 2).

A side is one of

- a folder with ``text`` and ``entities.jsonl``: a data or a decode folder;
- a Kaldi ``text`` file with entity symbols: ``u1 <PER> jan </NE> slaapt``; ``</PER>`` closes as ``</NE>`` does;
- sclite's ``.trn``, the same with the id at the end: ``<PER> jan </NE> slaapt (u1)``;
- JSON lines, an utterance a line, with words and spans as in ``entities.jsonl``, or with phrases whose positions are
  not known: ``{"utt_id": "u1", "text": "jan slaapt", "entities": [{"label": "PER", "phrase": "jan"}]}``.
"""

import functools
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spner.core.datatypes import Timing, Transcript
from spner.core.errors import SpnerError
from spner.core.files import read_lines
from spner.core.paths import ENTITIES, TEXT, made_by
from spner.data.datadir import (
    parse_transcript,
    read_entities,
    read_records,
    read_table,
    read_timed_entities,
    require_keys,
    split_row,
)
from spner.scoring.rules import Rules
from spner.scoring.transcripts import AnyTranscript, Phrases, mentions_of
from spner.text.tags import CLOSE, entity_symbols, open_symbol, text_to_spans

FORMS = "a folder with text and entities.jsonl, a Kaldi text with entity symbols, JSON lines, or sclite's .trn"
# No transcript holds one, so it is a symbol even where its label is not configured; but <UNK> is Kaldi's unknown word.
ANY_OPEN = "<(?!UNK>)[A-Z][A-Z0-9_-]*>"
ANY_CLOSE = "</[A-Z][A-Z0-9_-]*>"
TRN = ".trn"
TRN_ID = re.compile(r"^(?P<text>.*?)\((?P<utt_id>[^()\s]+)\)\s*$")


@dataclass(frozen=True, slots=True)
class Read:
    """One utterance as its file has it.

    Attributes:
        utt_id: its id.
        where: file and line.
        transcript: its words and entities.
        tokens: where its symbols are illegal, all its words and symbols in canonical form.
        illegal: illegal events by kind, where there are any.
        stored: words and entities as the entities file has them, where times are asked for.
        timing: times and confidences of ``stored``, where times are asked for and it has any.
    """

    utt_id: str
    where: str
    transcript: AnyTranscript
    tokens: list[str] | None = None
    illegal: Counter[str] | None = None
    stored: Transcript | None = None
    timing: Timing | None = None


def open_side(path: Path, rules: Rules, *, with_times: bool = False) -> tuple[Path, Iterator[Read]]:
    """Return the file that errors about an utterance point to, and what its form's reader yields."""
    try:
        if path.is_dir():
            return path / TEXT, _read_folder(path, rules, with_times)
        if path.is_file():
            return path, _open_file(path, rules, with_times)
    except OSError as error:
        raise SpnerError(f"{path}: cannot be read ({error.strerror}; expected {FORMS})") from error
    raise SpnerError(f"{path}: no such file or folder (expected {FORMS})")


def _open_file(path: Path, rules: Rules, with_times: bool) -> Iterator[Read]:
    with open(path, "rb") as file:
        begin = file.read(1024).removeprefix(BOM_UTF8).lstrip()
    if re.match(rb"\[\s*[{\]]", begin):
        raise SpnerError(
            f"{path}: holds a JSON array (expected JSON lines, an object of an utterance each); "
            f"jq -c '.[]' {path} writes them"
        )
    if path.suffix == TRN:
        return _read_trn(path, rules)
    return _read_json(path, with_times) if begin.startswith(b"{") else _read_tagged(path, rules)


def _read_folder(folder: Path, rules: Rules, with_times: bool) -> Iterator[Read]:
    """Read ``text`` and ``entities.jsonl``; a text without any symbol is tagged by its entities."""
    text_file, entities_file = folder / TEXT, folder / ENTITIES
    texts = read_table(text_file)
    entities, timings = read_timed_entities(entities_file) if with_times else (read_entities(entities_file), {})
    require_same_ids(text_file, texts, entities_file, entities)
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
        if not tagged:
            read = Read(utt_id, f"{entities_file}:{lines[utt_id]}", from_entities)
        yield replace(read, stored=from_entities, timing=timings.get(utt_id)) if with_times else read


def _read_tagged(path: Path, rules: Rules) -> Iterator[Read]:
    ids_at_the_end: set[str] | None = set()
    for number, line in enumerate(read_lines(path), start=1):
        utt_id, text = split_row(line)
        if not utt_id:
            raise SpnerError(f"{path}:{number}: no utterance id (expected <utt_id> <tagged text>)")
        if ids_at_the_end is not None:
            found = TRN_ID.match(line)
            ids_at_the_end = ids_at_the_end | {found["utt_id"]} if found else None
            if found and ids_at_the_end and len(ids_at_the_end) < number:
                ids_at_the_end = None  # the same remark after every sentence
        yield _read_text(utt_id, f"{path}:{number}", text, rules)
    if ids_at_the_end:
        raise SpnerError(
            f"{path}: every line ends in an id in brackets, as in sclite's {TRN} (expected <utt_id> <tagged text>); "
            f"give the file a name that ends in {TRN}"
        )


def _read_trn(path: Path, rules: Rules) -> Iterator[Read]:
    for number, line in enumerate(read_lines(path), start=1):
        where, found = f"{path}:{number}", TRN_ID.match(line)
        if not found:
            raise SpnerError(f"{where}: no id in brackets at the end (expected <tagged text> (<utt_id>))")
        if "{" in found["text"]:
            raise SpnerError(f"{where}: holds alternatives in braces (expected one transcript); choose one of them")
        yield _read_text(found["utt_id"], where, found["text"], rules)


def _read_text(utt_id: str, where: str, text: str, rules: Rules) -> Read:
    if "<" not in text:
        return Read(utt_id, where, Transcript(tuple(text.split())))
    symbol = _symbols((*rules.labels, *rules.mapping, *rules.discard))
    # Symbols are split from the words first, so that no word index can drift.
    tokens = symbol.sub(r" \g<0> ", text).split()
    closes = {token for token in tokens if token.startswith("</") and symbol.fullmatch(token)}
    label_of = {token: token[1:-1] for token in tokens if token not in closes and symbol.fullmatch(token)}
    tokens, num_other = _unite_closes(tokens, closes, label_of)
    reading = text_to_spans(tokens, labels=list(label_of.values()), policy=rules.policy)
    illegal = reading.illegal + Counter(other_close=num_other)
    if not illegal:
        return Read(utt_id, where, reading.transcript)
    return Read(utt_id, where, reading.transcript, _canonical_tokens(tokens, label_of, rules), illegal)


@functools.cache
def _symbols(labels: tuple[str, ...]) -> re.Pattern[str]:
    closes = [f"</{label}>" for label in labels]
    return re.compile("|".join([*map(re.escape, [*entity_symbols(labels), *closes]), ANY_OPEN, ANY_CLOSE]))


def _unite_closes(tokens: list[str], closes: Collection[str], label_of: Mapping[str, str]) -> tuple[list[str], int]:
    """Write every close as the shared one; also return how many close an entity of another label than theirs."""
    united, num_other, opened = [], 0, ""
    for token in tokens:
        num_other += token in closes and token != CLOSE and opened not in ("", f"<{token[2:]}")
        opened = token if token in label_of else "" if token in closes else opened
        united.append(CLOSE if token in closes else token)
    return united, num_other


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


def _read_json(path: Path, with_times: bool) -> Iterator[Read]:
    for number, record in read_records(path):
        where = f"{path}:{number}"
        if isinstance(record, dict) and "text" in record:
            transcript: AnyTranscript = _parse_phrases(record, where)
        else:
            transcript = parse_transcript(record, where)
        stored = transcript if with_times and isinstance(transcript, Transcript) else None
        yield Read(record["utt_id"], where, transcript, stored=stored)


def _parse_phrases(record: dict[str, Any], where: str) -> Phrases:
    require_keys(record, {"utt_id": str, "text": str, "entities": list}, where)
    for entity in record["entities"]:
        require_keys(entity, {"label": str, "phrase": str}, where)
        if not entity["label"] or not entity["phrase"].split():
            raise SpnerError(f"{where}: an entity has no label or no words (expected both)")
    mentions = ((entity["label"], " ".join(entity["phrase"].split())) for entity in record["entities"])
    return Phrases(tuple(record["text"].split()), tuple(mentions))


def require_same_ids(file: Path, ids: Collection[str], other_file: Path, other_ids: Collection[str]) -> None:
    """Refuse two files that do not hold the same utterances.

    Raises:
        SpnerError: an utterance is in one file alone; the message gives file and line.
    """
    for here, known, there, expected in ((file, ids, other_file, other_ids), (other_file, other_ids, file, ids)):
        extra = [(number, utt_id) for number, utt_id in enumerate(known, start=1) if utt_id not in expected]
        if extra:
            number, utt_id = extra[0]
            others = f", nor are {len(extra) - 1} more" if extra[1:] else ""
            raise SpnerError(
                f'{here}:{number}: utterance "{utt_id}" is not in {there}{others} (expected the same '
                "utterances in both, an empty line for an empty hypothesis)"
            )
