"""Read MSNER: VoxPopuli's Dutch, French, German and Spanish speeches with entities (Meeus et al. 2024).

The test sets are gold, marked by people, once with OntoNotes' 18 labels and once with SLUE's 7; training and
validation sets are silver, a tagger's, with the 18. Two layouts. The repository's (qmeeus/MSNER, ``data/``)::

    <corpus>/transcript-<lang>-{train,validation}-ann.jsonl             silver
    <corpus>/transcript-<lang>-test-ann-{ontonotes,combined}-v1.jsonl   gold
        {"id": …, "input": ["Zijn", " recht", …], "annotation": [{"type": "person", "entity": [" Weber"],
         "position": [4]}, …]}     tokens with their leading spaces, those of each entity

without audio: ``--clips`` names the folder of VoxPopuli's own, in which ``<folder>/<id>.<ogg, wav, …>`` lies:
``<year>/`` as ``python -m voxpopuli.get_asr_data`` makes it (``transcribed_data/<lang>``), or ``test_part_0/`` as the
hub's archives (facebook/voxpopuli, ``data/<lang>``) unpack to. And the hub's (qmeeus/MSNER, its card of March 2024),
test sets with audio::

    <corpus>/data/<lang>-00000-of-0000N-<digest>.parquet     columns audio_id, language, audio, sentence,
                                                             unified_entities, raw_entities: lists of class labels

The card does not say what the lists count. They are read where they have one label for each token of the sentence as
the repository's files cut it, or for each word between spaces; a row where they do not is an error.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from spner.core.errors import SpnerError, quote
from spner.core.files import read_lines
from spner.core.paths import DEV, TEST, TRAIN
from spner.corpora.annotated import Annotated, make_set
from spner.corpora.corpus import Corpus, Wanted, refuse_split, require_clip_name
from spner.data.parquet import name_row, read_class_names, read_rows
from spner.text.label_sets import MSNER_NAMES, are_combined
from spner.text.tags import bio_to_spans

FORM = "MSNER's folder"
TWO_ANNOTATIONS = True
LINES = re.compile(r"transcript-([a-z]{2})-.+\.jsonl")
TABLE = re.compile(r"([a-z]{2})-\d{5}-of-\d{5}.*\.parquet")
SILVER = {TRAIN: "train", DEV: "validation"}
EXPECTED = '{"id": …, "input": […], "annotation": [{"type": …, "position": […]}, …]}'
ID, LANGUAGE, TEXT, UNIFIED, RAW = COLUMNS = ("audio_id", "language", "sentence", "unified_entities", "raw_entities")
TOKEN = re.compile(r"\w+|[^\w\s]")
SPACED = re.compile(r"\S+")


def recognises(corpus: Path) -> bool:
    """Whether a path is a folder of either layout."""
    return bool(_languages(corpus))


def list_inputs(corpus: Path, wanted: Wanted) -> list[Path]:
    """Return the files of the language, of its test set those with the wanted labels; the hub's hold the clips, too.

    Raises:
        SpnerError: the corpus is to be split, or lacks the language.
    """
    refuse_split(corpus, wanted)
    files = [file for there in _list_files(corpus, wanted).values() for file in there]
    if not files:
        found = ", ".join(sorted(_languages(corpus)))
        raise SpnerError(f"--lang {wanted.lang}: {corpus} has no such language (found {found})")
    return files


def find_clips(corpus: Path) -> Path:
    """Return the folder that the names of the clips begin in, of the hub's layout.

    Raises:
        SpnerError: it is the repository's, which has none.
    """
    if _list_tables(corpus):
        return corpus
    raise SpnerError(
        f"{corpus}: holds no audio (expected --clips with VoxPopuli's of the language, such as "
        "transcribed_data/nl); voxpopuli.get_asr_data makes it"
    )


def read(corpus: Path, wanted: Wanted) -> Corpus:
    """Read the sets of a language; speakers are not known.

    Raises:
        SpnerError: a file is malformed; the message gives the line or row.
    """
    sets = {}
    for name, files in _list_files(corpus, wanted).items():
        if files:
            rows = (row for file in files for row in _read_file(file, corpus, wanted))
            sets[name] = make_set(rows, lang=wanted.lang, gold=name == TEST)
    return Corpus(sets, synthetic=False)


def _languages(corpus: Path) -> set[str]:
    lines = (LINES.fullmatch(path.name) for path in corpus.glob("transcript-*.jsonl"))
    tables = (TABLE.fullmatch(path.name) for path in _list_tables(corpus))
    return {match[1] for match in (*lines, *tables) if match}


def _list_tables(corpus: Path) -> list[Path]:
    return sorted(path for path in corpus.glob("data/*.parquet") if TABLE.fullmatch(path.name))


def _list_files(corpus: Path, wanted: Wanted) -> dict[str, list[Path]]:
    """Return the files of each set of a language."""
    lang = wanted.lang.split("-")[0]
    tables = [path for path in _list_tables(corpus) if path.name.startswith(f"{lang}-")]
    if tables:
        return {TEST: tables}
    silver = {name: corpus / f"transcript-{lang}-{split}-ann.jsonl" for name, split in SILVER.items()}
    kinds = ("combined", "ontonotes") if wanted.combined else ("ontonotes", "combined")
    gold = [corpus / f"transcript-{lang}-test-ann-{kind}-v1.jsonl" for kind in kinds]
    there = {name: [path] if path.is_file() else [] for name, path in silver.items()}
    return {**there, TEST: [path for path in gold if path.is_file()][:1]}


def _read_file(file: Path, corpus: Path, wanted: Wanted) -> Iterator[Annotated]:
    return _read_table(file, corpus, wanted) if file.suffix == ".parquet" else _read_json_lines(file, wanted.clips)


def _read_json_lines(file: Path, clips: Path | None) -> Iterator[Annotated]:
    audio = {path.stem: f"{path.parent.name}/{path.name}" for path in sorted(clips.glob("*/*"))} if clips else {}
    for number, line in enumerate(read_lines(file), start=1):
        where = f"{file}:{number}"
        utt_id, tokens, found = _parse_line(line, where)
        text, places = _join(tokens)
        spans = ((places[start][0], places[behind - 1][1], label) for start, behind, label in found)
        clip = audio.get(utt_id, f"{utt_id[:4]}/{utt_id}.ogg")  # where it would be, for the list of missing ones
        yield Annotated(where, utt_id, "", clip, text, tuple(spans))


def _parse_line(line: str, where: str) -> tuple[str, list[str], list[tuple[int, int, str]]]:
    """Return id, tokens and entities of a line: first token, behind the last, label.

    Raises:
        SpnerError: the line is not what the module describes.
    """
    try:
        record = json.loads(line)
        utt_id, tokens, annotation = record["id"], record["input"], record["annotation"]
        entities = [(one["type"], one["position"]) for one in annotation]
        positions = [position for _, place in entities for position in place]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SpnerError(f"{where}: is not what MSNER's lines are ({error}; expected {EXPECTED})") from error
    texts = (utt_id, *tokens, *(name for name, _ in entities))
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(p, int) for p in positions):
        raise SpnerError(f"{where}: is not what MSNER's lines are (expected {EXPECTED})")
    require_clip_name(utt_id, where)
    for name, place in entities:
        if (
            not place
            or place != list(range(place[0], place[0] + len(place)))
            or not 0 <= place[0] <= place[-1] < len(tokens)
        ):
            raise SpnerError(
                f"{where}: entity {quote(name)} has the tokens {place} (expected neighbours among {len(tokens)})"
            )
    return utt_id, tokens, [(place[0], place[-1] + 1, _label(name)) for name, place in entities]


def _label(name: str) -> str:
    """Return OntoNotes' or SLUE's name of a label; one that is neither's stays, without spaces."""
    name = name.replace(" ", "_")
    return MSNER_NAMES.get(name, name)


def _join(tokens: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """Return the tokens' text, and their places in it in characters.

    Where the space between two words was lost (``EuropäischeWeltraumstrategie``), the tokens still tell them apart.
    """
    text, places = "", []
    for token in tokens:
        word = token.strip()
        if text and (token[:1].isspace() or text[-1].isalnum() and word[:1].isalnum()):
            text += " "
        places.append((len(text), len(text) + len(word)))
        text += word
    return text, places


def _read_table(file: Path, corpus: Path, wanted: Wanted) -> Iterator[Annotated]:
    names = {column: read_class_names(file, column) for column in (UNIFIED, RAW)}
    combined = {column: are_combined([_label(name[2:]) for name in names[column]]) for column in names}
    column = next((column for column in names if combined[column] == wanted.combined), UNIFIED)
    table = str(file.relative_to(corpus))
    for row, fields in enumerate(read_rows(file, COLUMNS)):
        where = f"{file}: row {row}"
        if not isinstance(fields[ID], str) or not isinstance(fields[TEXT], str):
            raise SpnerError(f"{where}: has no {ID} or no {TEXT} (expected texts); restore the file")
        spans = _read_tags(fields[TEXT], fields[column] or [], names[column], where)
        yield Annotated(where, fields[ID], "", name_row(table, row), fields[TEXT], tuple(spans))


def _read_tags(text: str, numbers: Sequence[int], names: Sequence[str], where: str) -> Iterator[tuple[int, int, str]]:
    """Yield the entities that a list of class labels marks, with their places in the sentence, in characters."""
    cuts = [list(pattern.finditer(text)) for pattern in (TOKEN, SPACED)]
    words = next((words for words in cuts if len(words) == len(numbers)), None)
    if words is None or not all(0 <= number < len(names) for number in numbers):
        raise SpnerError(
            f"{where}: {len(numbers)} labels of {len(names)} kinds do not fit its sentence (expected one for each of "
            f"its {len(cuts[0])} tokens or {len(cuts[1])} words between spaces)"
        )
    for entity in bio_to_spans([names[number] for number in numbers]):
        yield words[entity.start].start(), words[entity.end - 1].end(), _label(entity.label)
