"""Read and write manifests of NVIDIA NeMo: one JSON object a line, entities beside the text.

::

    <corpus>/{train,dev,test}_manifest.json
        {"audio_filepath": "clips/a.flac", "duration": 2.57, "text": "bij ster werken", …}

NeMo reads ``audio_filepath`` (relative ones from the manifest's folder), ``duration`` in seconds and ``text`` and
passes over the rest (looked up in the documentation of NeMo's ASR datasets). Ours, any of which may be missing:
``utt_id``, ``speaker_id``, ``sentence`` (cased), ``entities`` (``{"label": "ORG", "start": 1, "end": 2}``, words),
``annotation`` (``gold`` or ``silver``) and ``synthetic``. Without entities, stage 2 tags the set.
Files that lie outside of the manifest's folder need ``--clips``; ``offset`` is refused: cut such recordings first.
"""

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

from spner.core.datatypes import GOLD, SILVER, Transcript, Utterance
from spner.core.errors import SpnerError, quote
from spner.core.files import atomic_text, read_lines
from spner.core.paths import SETS
from spner.corpora.annotated import Annotated, make_set
from spner.corpora.corpus import UNUSUAL, Corpus, CorpusSet, Wanted, refuse_split, without_space

FORM = "a folder of NeMo's manifests"
TWO_ANNOTATIONS = False
EXPECTED = '{"audio_filepath": …, "duration": …, "text": …}'
KINDS = (GOLD, SILVER)


def manifest(corpus: Path, set_name: str) -> Path:
    """Return the file of a set."""
    return corpus / f"{set_name}_manifest.json"


def recognises(corpus: Path) -> bool:
    """Whether a path is a folder with a manifest."""
    return any(manifest(corpus, name).is_file() for name in SETS)


def list_inputs(corpus: Path, wanted: Wanted) -> list[Path]:
    """Return the manifests.

    Raises:
        SpnerError: the corpus is to be split.
    """
    refuse_split(corpus, wanted)
    return [file for name in SETS if (file := manifest(corpus, name)).is_file()]


def find_clips(corpus: Path) -> Path:
    """Return the folder that relative names begin in."""
    return corpus


def read(corpus: Path, wanted: Wanted) -> Corpus:
    """Read every manifest.

    Raises:
        SpnerError: a line is malformed, or has no entities where others have some; the message gives the line.
    """
    sets: dict[str, CorpusSet] = {}
    synthetic = False
    for file in list_inputs(corpus, wanted):
        records = list(_read_records(file, wanted.clips or corpus))
        synthetic = synthetic or any(record.get("synthetic") is True for _, record in records)
        sets[file.name.removesuffix("_manifest.json")] = _read_set(records, wanted.lang)
    return Corpus(sets, synthetic)


def write_manifest(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write the lines that :func:`make_record` returns."""
    with atomic_text(path) as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def make_record(
    utterance: Utterance, transcript: Transcript, *, duration_s: float, kind: str, synthetic: bool
) -> dict[str, Any]:
    """Return a line; the name of the utterance's clip is relative to the manifest."""
    return {
        "audio_filepath": utterance.clip,
        "duration": duration_s,
        "text": " ".join(transcript.words),
        "utt_id": utterance.utt_id,
        "speaker_id": utterance.spk_id,
        "sentence": utterance.sentence,
        "entities": [{"label": e.label, "start": e.start, "end": e.end} for e in transcript.entities],
        "annotation": kind,
        **({"synthetic": True} if synthetic else {}),
    }


Records = list[tuple[str, dict[str, Any]]]


def _read_records(file: Path, clips: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where each line is and what it holds, the audio file's name relative to the folder of clips."""
    root = clips.absolute()
    for number, line in enumerate(read_lines(file), start=1):
        where = f"{file}:{number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SpnerError(f"{where}: is not JSON ({error}); expected {EXPECTED}, one a line") from error
        _require_fields(record, where)
        path = Path(os.path.normpath(root / record["audio_filepath"]))
        if not path.is_relative_to(root) or path == root or UNUSUAL.search(str(path)):
            raise SpnerError(
                f"{where}: audio_filepath {quote(record['audio_filepath'])} lies outside of {root}; give --clips with "
                "the folder that holds it"
            )
        yield where, {**record, "audio_filepath": str(path.relative_to(root))}


def _require_fields(record: Any, where: str) -> None:
    """Refuse a line that is not what the module describes."""
    texts = ("audio_filepath", "text")
    if not isinstance(record, dict) or not all(isinstance(record.get(key), str) for key in texts):
        raise SpnerError(f"{where}: has no audio_filepath or no text (expected {EXPECTED})")
    if record.get("offset"):
        raise SpnerError(f"{where}: is a piece of a recording (offset {record['offset']}); cut it into files first")
    for key in ("utt_id", "speaker_id", "sentence"):
        if not isinstance(record.get(key, ""), str):
            raise SpnerError(f"{where}: {key} is no text; correct it or leave it out")
    duration = record.get("duration", 0)
    if isinstance(duration, bool) or not isinstance(duration, int | float) or not 0 <= duration < math.inf:
        raise SpnerError(f"{where}: duration {quote(str(duration))} is none (expected seconds)")
    if record.get("annotation", SILVER) not in KINDS:
        raise SpnerError(f"{where}: annotation {quote(str(record['annotation']))} (expected {' or '.join(KINDS)})")


def _read_set(records: Records, lang: str) -> CorpusSet:
    labelled = [where for where, record in records if "entities" in record]
    if labelled and len(labelled) < len(records):
        bare = next(where for where, record in records if "entities" not in record)
        raise SpnerError(f"{bare}: has no entities, as {labelled[0]} has (expected all or none); write [] for none")
    kinds = {record.get("annotation", SILVER) for _, record in records}
    if len(kinds) > 1:
        raise SpnerError(f"{records[0][0]}: its set is partly gold and partly silver (expected one); make two of it")
    found = [_annotate(where, record) for where, record in records]
    durations_s = [float(record.get("duration", 0)) for _, record in records]
    stated_s = {without_space(one.utt_id): duration_s for one, duration_s in zip(found, durations_s, strict=True)}
    whole = make_set(found, lang=lang, gold=kinds == {GOLD}, stated_s=stated_s)
    # Without entities nothing vouches for the set: it is cleaned as any other, and stage 2 tags it.
    return whole if labelled else CorpusSet(whole.utterances, whole.empty, notes=whole.notes, stated_s=whole.stated_s)


def _annotate(where: str, record: Mapping[str, Any]) -> Annotated:
    """Return an utterance; its id is the audio file's name where it has none."""
    clip = record["audio_filepath"]
    utt_id = record.get("utt_id") or str(Path(clip).with_suffix("")).replace("/", "_")
    words = record["text"].split()
    ends = [end + place for place, end in enumerate(accumulate(map(len, words)))]
    spans = []
    for entity in record.get("entities", ()):
        try:
            label, start, end = str(entity["label"]), int(entity["start"]), int(entity["end"])
        except (TypeError, KeyError, ValueError) as error:
            raise SpnerError(f"{where}: an entity is {entity!r} (expected label, start and end)") from error
        if not label or not 0 <= start < end <= len(words):
            raise SpnerError(f"{where}: entity {entity!r} lies outside of the {len(words)} words of its text")
        spans.append((ends[start] - len(words[start]), ends[end - 1], without_space(label)))
    speaker, sentence = record.get("speaker_id", ""), record.get("sentence", "")
    return Annotated(where, utt_id, speaker, clip, " ".join(words), tuple(spans), sentence)
