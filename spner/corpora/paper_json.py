"""Read and write the paper's authors' format for labels and splits (Zenodo record 8104278).

::

    {"meta": …, "data": {"train": [utterance, …], "valid": [utterance, …], "test": [utterance, …]}}
    [[tokens], [BIO labels], "original transcription", "file.mp3", sampling rate in Hz, seconds]   an utterance

Labels belong to tokens, so the transcript is made from the tokens, normalised like any other, and the original
transcription is the sentence. Sentence and transcript must have the same words: if the transcription has other words
than the tokens, the tokens become the sentence, too. Of ``meta`` only our own ``"synthetic": true`` is read. Rate and
seconds are ignored, because the clips are measured.
"""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.datatypes import Transcript, Utterance
from spner.core.errors import SpnerError, nearest, quote
from spner.core.files import atomic_text, read_json
from spner.corpora.corpus import Corpus, CorpusSet, Wanted, refuse_split, require_clip_name, without_space
from spner.text.tags import TAG, bio_to_spans, spans_to_bio
from spner.text.textnorm import normalise, normalise_transcript

FORM = "a JSON file of the paper's authors"
TWO_ANNOTATIONS = False
PUBLISHED_NAMES = {paths.TRAIN: "train", paths.DEV: "valid", paths.TEST: "test"}
EXPECTED = '{"meta": …, "data": {"train": […], "valid": […], "test": […]}}'
WITHOUT_WORDS, OTHER_WORDS = NOTES = (
    "entities without a word, dropped",
    "transcriptions with other words than their tokens",
)


def recognises(corpus: Path) -> bool:
    """Whether a path is a JSON file."""
    return corpus.suffix == ".json" and corpus.is_file()


def list_inputs(corpus: Path, wanted: Wanted) -> list[Path]:
    """Return the file.

    Raises:
        SpnerError: it is to be split.
    """
    refuse_split(corpus, wanted)
    return [corpus]


def find_clips(corpus: Path) -> Path:
    """Refuse to look for clips.

    Raises:
        SpnerError: always; the file holds none.
    """
    raise SpnerError(
        f"{corpus}: names clips but holds none (expected --clips with their folder); give the folder clips/ of the "
        "Common Voice release that it was made from"
    )


def read(corpus: Path, wanted: Wanted) -> Corpus:
    """Read a file; utterance ids are the clips' names, and every utterance counts as a speaker of its own.

    Raises:
        SpnerError: the file is missing or not of this format; the message names the utterance.
    """
    content = read_json(corpus)
    sets = content.get("data") if isinstance(content, dict) else None
    if not isinstance(sets, dict):
        raise SpnerError(f'{corpus}: holds no object "data" (expected {EXPECTED})')
    for name in sets:
        if name not in PUBLISHED_NAMES.values():
            near = nearest(name, PUBLISHED_NAMES.values())
            raise SpnerError(f"{corpus}: unknown set {quote(name)} (expected {EXPECTED}){near}")
    if not sets:
        raise SpnerError(f"{corpus}: holds no set (expected {EXPECTED})")
    meta = content.get("meta")
    found = {
        # Popped: a set's lists are many times as large as what is made of them.
        ours: _read_set(sets.pop(published), f"{corpus}: data.{published}", wanted.lang)
        for ours, published in PUBLISHED_NAMES.items()
        if published in sets
    }
    return Corpus(found, isinstance(meta, dict) and meta.get("synthetic") is True)


def write_paper_json(path: Path, sets: Mapping[str, Iterable[list[Any]]], *, meta: dict[str, Any]) -> None:
    """Write a file, an utterance a line.

    Args:
        path: the file.
        sets: utterances as :func:`make_record` makes them, by our names of the sets.
        meta: about the whole.
    """
    with atomic_text(path) as file:
        file.write('{"meta": ' + json.dumps(meta, ensure_ascii=False) + ', "data": {')
        for number, (name, records) in enumerate(sets.items()):
            file.write(("," if number else "") + f'\n"{PUBLISHED_NAMES[name]}": [')
            for position, record in enumerate(records):
                file.write((",\n" if position else "\n") + json.dumps(record, ensure_ascii=False))
            file.write("]")
        file.write("}}\n")


def make_record(transcript: Transcript, sentence: str, clip: str, rate_hz: int, duration_s: float) -> list[Any]:
    """Return an utterance as the file has it."""
    return [list(transcript.words), spans_to_bio(transcript), sentence, clip, rate_hz, duration_s]


def _read_set(records: Any, where: str, lang: str) -> CorpusSet:
    if not isinstance(records, list):
        raise SpnerError(f"{where}: is no list of utterances (expected {EXPECTED})")
    utterances: list[Utterance] = []
    empty: list[Utterance] = []
    transcripts: dict[str, Transcript] = {}
    position_of: dict[str, int] = {}
    notes: Counter[str] = Counter(dict.fromkeys(NOTES, 0))
    for position, record in enumerate(records):
        utterance, words = _read_utterance(record, f"{where}[{position}]", lang, notes)
        utt_id = utterance.utt_id
        if utt_id in position_of:
            raise SpnerError(
                f"{where}[{position}]: clip {quote(utterance.clip)} gives the utterance id that "
                f"[{position_of[utt_id]}] has (expected one utterance per clip); remove one of them"
            )
        position_of[utt_id] = position
        if words.words:
            utterances.append(utterance)
            transcripts[utt_id] = words
        else:
            empty.append(utterance)
    return CorpusSet(tuple(utterances), tuple(empty), transcripts=transcripts, notes=dict(notes))


def _read_utterance(record: Any, where: str, lang: str, notes: Counter[str]) -> tuple[Utterance, Transcript]:
    """Return an utterance with the sentence that its words come from, and its words and entities."""
    tokens, labels, transcription, clip = _check_record(record, where)
    utt_id = without_space(Path(clip).stem)
    entities = bio_to_spans(labels)
    transcript = normalise_transcript(Transcript(tuple(tokens), entities), lang)
    notes[WITHOUT_WORDS] += len(entities) - len(transcript.entities)
    text = " ".join(transcript.words)
    sentence = " ".join(unicodedata.normalize("NFC", transcription).split())
    if normalise(sentence, lang) != text:
        notes[OTHER_WORDS] += 1
        sentence = text
    return Utterance(utt_id, utt_id, clip, sentence), transcript


def _check_record(record: Any, where: str) -> tuple[list[str], list[str], str, str]:
    """Return tokens, labels, transcription and clip of a record that is what the module describes.

    Raises:
        SpnerError: it is not.
    """
    if not isinstance(record, list) or len(record) != 6:
        raise SpnerError(f"{where}: is no list of six (expected [tokens, labels, transcription, file, rate, seconds])")
    tokens, labels, transcription, clip, _rate_hz, _duration_s = record
    if not isinstance(clip, str):
        raise SpnerError(f"{where}: the fourth is no text (expected the clip's file name)")
    require_clip_name(clip, where)
    where = f"{where} {quote(clip)}"
    if not isinstance(transcription, str):
        raise SpnerError(f"{where}: the third is no text (expected the original transcription)")
    for name, texts in (("tokens", tokens), ("labels", labels)):
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise SpnerError(f"{where}: {name} are no list of texts (expected one text a token)")
    if len(tokens) != len(labels):
        raise SpnerError(f"{where}: {len(labels)} labels for {len(tokens)} tokens (expected a label for each token)")
    wrong = next((label for label in labels if not TAG.fullmatch(label)), None)
    if wrong is not None:
        raise SpnerError(
            f"{where}: label {quote(wrong)} is no tag (expected O, or a label behind B-, I-, E-, S-, L-, U-)"
        )
    try:
        transcription.encode("utf-8")
    except UnicodeEncodeError as error:
        raise SpnerError(f"{where}: its transcription holds half of a character ({error.reason})") from error
    return tokens, labels, transcription, clip
