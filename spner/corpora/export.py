"""A data folder in the formats of other programs.

- ``paper_json``: ``dataset.json`` as :mod:`spner.corpora.paper_json` describes it, and ``clips/<utt_id>.flac``.
- ``conll``: ``<set>.conll``: token, tab, IOB2 tag; a blank line after each utterance.
- ``slue``: ``<set>.tsv`` with SLUE-VoxPopuli's columns (Shon et al. 2022); an entity is ``['PER', 0, 13]``: label,
  offset and length in characters, in the cased sentence (``raw_ner``) and in the transcript (``normalized_ner``).
- ``nemo``: ``<set>_manifest.json`` as :mod:`spner.corpora.nemo` describes it, and ``clips/<utt_id>.flac``.
- ``huggingface``: a dataset to publish, as :mod:`spner.corpora.hub_dataset` describes it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from spner import __version__
from spner.core import paths
from spner.core.datatypes import GOLD, SILVER, Entity, Transcript, Utterance
from spner.core.errors import SpnerError
from spner.core.files import atomic_text, read_json, remove
from spner.core.progress import Progress
from spner.corpora import nemo
from spner.corpora.corpus import require_clip_name
from spner.corpora.hub_dataset import CARD, Row, Written, write_card, write_set
from spner.corpora.paper_json import PUBLISHED_NAMES, make_record, write_paper_json
from spner.data.audio import SAMPLE_RATE_HZ, copy_stored, encode_stored
from spner.data.datadir import find_sets, parse_seconds, read_entities, read_labels, read_sentences, read_table
from spner.data.kinds import is_gold
from spner.data.stats import sort_labels
from spner.text.tags import spans_to_bio
from spner.text.textnorm import normalise_words

DATASET, CLIPS = "dataset.json", "clips"
SLUE_COLUMNS = ("id", "raw_text", "normalized_text", "speaker_id", "split", "raw_ner", "normalized_ner")
FORMATS = PAPER_JSON, CONLL, SLUE, NEMO, HUGGINGFACE = ("paper_json", "conll", "slue", "nemo", "huggingface")
# The files that a format needs besides text and entities.
NEEDED = {
    PAPER_JSON: (paths.SENTENCES, paths.UTT2DUR, paths.WAV_SCP),
    CONLL: (),
    SLUE: (paths.SENTENCES, paths.UTT2SPK),
    **dict.fromkeys((NEMO, HUGGINGFACE), (paths.SENTENCES, paths.UTT2DUR, paths.WAV_SCP, paths.UTT2SPK)),
}


@dataclass(frozen=True)
class _Set:
    """The utterances of a set, in C order of their ids, and what each file that is needed has for them."""

    folder: Path
    transcripts: dict[str, Transcript]
    values: dict[str, dict[str, str]]

    @property
    def name(self) -> str:
        return self.folder.name


def export(data: Path, out: Path, *, format_name: str, entities_file: str = paths.ENTITIES) -> list[Path]:
    """Write every set of ``data`` below ``out`` and return the files; clips, and a dataset's tables, are not listed.

    Args:
        data: data folder of stages 1 and 2, or one of its sets.
        out: a folder; files of the same names are replaced.
        format_name: one of :data:`FORMATS`.
        entities_file: the pseudo-labels or the gold entities of each set.

    Raises:
        SpnerError: a file is missing, malformed, or does not fit the others, or the format cannot hold what is there.
    """
    sets = [_read_set(folder, entities_file, NEEDED[format_name]) for folder in find_sets(data)]
    if format_name == PAPER_JSON:
        return [_write_paper_json(sets, out, _describe(data, entities_file, sets))]
    if format_name == CONLL:
        return [_write_conll(one, out / f"{one.name}.conll") for one in sets]
    report = _read_report(data)
    if format_name == SLUE:
        return [_write_slue(one, out / f"{one.name}.tsv", report["settings"]["lang"]) for one in sets]
    gold = entities_file == paths.GOLD_ENTITIES
    kinds = {one.name: GOLD if gold or is_gold(report, one.folder) else SILVER for one in sets}
    if format_name == NEMO:
        return [_write_nemo(one, out, kinds[one.name], synthetic=report["synthetic"]) for one in sets]
    labels = _list_labels(data, sets)
    remove(out / CARD)
    done = [_write_tables(one, out, labels, kinds[one.name]) for one in sets]
    lang, synthetic = report["settings"]["lang"], report["synthetic"]
    return [write_card(out, done, lang=lang, labels=labels, synthetic=synthetic)]


def _read_set(folder: Path, entities_file: str, needed: Iterable[str]) -> _Set:
    transcripts = read_entities(folder / entities_file)
    values = {}
    for name in (paths.TEXT, *needed):
        read = read_sentences if name == paths.SENTENCES else read_table
        values[name] = read(folder / name)
        if values[name].keys() != transcripts.keys():
            raise SpnerError(
                f"{folder / name}: holds other utterances than {folder / entities_file} (expected the "
                "same in both); rerun stages 1 and 2"
            )
    for utt_id, utterance in transcripts.items():
        where = f'{folder / entities_file}: utterance "{utt_id}"'
        if " ".join(utterance.words) != values[paths.TEXT][utt_id]:
            raise SpnerError(f"{where} has other words than in {folder / paths.TEXT}; rerun stage 2")
    return _Set(folder, transcripts, values)


def _read_report(data: Path) -> dict[str, Any]:
    """Return stage 1's report; it is in the data folder, of which ``data`` may be a set."""
    reports = [folder / paths.REPORT for folder in (data, data.parent) if (folder / paths.REPORT).is_file()]
    if not reports:
        raise SpnerError(
            f"{data}: holds no {paths.REPORT}, nor does the folder above (expected the data folder of a "
            "corpus, or one of its sets); stage 1 makes it"
        )
    return read_json(reports[0])


def _describe(data: Path, entities_file: str, sets: Iterable[_Set]) -> dict[str, Any]:
    """Return the ``meta`` of the authors' format."""
    report = _read_report(data)
    return {
        "made_by": f"spner {__version__}",
        "lang": report["settings"]["lang"],
        "labels": _list_labels(data, sets),
        "entities": "gold" if entities_file == paths.GOLD_ENTITIES else "pseudo-labels",
        "synthetic": report["synthetic"],
    }


def _list_labels(data: Path, sets: Iterable[_Set]) -> list[str]:
    """Return the labels of the data folder, then others of its entities."""
    names = read_labels(data).names
    found = {entity.label for one in sets for utterance in one.transcripts.values() for entity in utterance.entities}
    return sort_labels({*names, *found}, order=names)


def _write_paper_json(sets: list[_Set], out: Path, meta: dict[str, Any]) -> Path:
    for one in sets:
        if one.name not in PUBLISHED_NAMES:
            raise SpnerError(
                f'set "{one.name}" has no place in paper_json (expected {", ".join(PUBLISHED_NAMES)}); '
                "give another --format"
            )
    with Progress(sum(len(one.transcripts) for one in sets), what="copy clips", unit="clip") as progress:
        records = {one.name: _copy_clips(one, out / CLIPS, progress) for one in sets}
        write_paper_json(out / DATASET, records, meta=meta)
    return out / DATASET


def _copy_clips(one: _Set, clips: Path, progress: Progress) -> Iterator[list[Any]]:
    """Copy the clips of a set, and yield each utterance as the authors' format has it."""
    sentences, utt2dur, wav_scp = (one.values[name] for name in NEEDED[PAPER_JSON])
    for utt_id, transcript in one.transcripts.items():
        clip, where = f"{utt_id}.flac", f'{one.folder}: utterance "{utt_id}"'
        require_clip_name(clip, where)
        copy_stored(wav_scp[utt_id], clips / clip)
        duration_s = parse_seconds(where, utt2dur[utt_id])
        yield make_record(transcript, sentences[utt_id], clip, SAMPLE_RATE_HZ, duration_s)
        progress.update()


def _write_nemo(one: _Set, out: Path, kind: str, *, synthetic: bool) -> Path:
    """Write a manifest; its lines come as the clips are copied, and it is there when all are."""

    def copy() -> Iterator[dict[str, Any]]:
        for utterance, transcript, duration_s in _stream(one, what=f"{one.name}: copy clips"):
            copy_stored(one.values[paths.WAV_SCP][utterance.utt_id], out / utterance.clip)
            yield nemo.make_record(utterance, transcript, duration_s=duration_s, kind=kind, synthetic=synthetic)

    path = nemo.manifest(out, one.name)
    nemo.write_manifest(path, copy())
    return path


def _write_tables(one: _Set, out: Path, labels: list[str], kind: str) -> Written:
    rows = (
        Row(utterance, transcript, encode_stored(one.values[paths.WAV_SCP][utterance.utt_id]), duration_s)
        for utterance, transcript, duration_s in _stream(one, what=f"{one.name}: tables")
    )
    return write_set(out, one.name, rows, len(one.transcripts), labels=labels, kind=kind)


def _stream(one: _Set, *, what: str) -> Iterator[tuple[Utterance, Transcript, float]]:
    """Yield the utterances of a set, each with words, entities and seconds; its clip is ``clips/<utt_id>.flac``."""
    with Progress(len(one.transcripts), what=what, unit="clip") as progress:
        for utt_id, transcript in one.transcripts.items():
            clip, where = f"{utt_id}.flac", f'{one.folder}: utterance "{utt_id}"'
            require_clip_name(clip, where)
            speaker, sentence = one.values[paths.UTT2SPK][utt_id], one.values[paths.SENTENCES][utt_id]
            utterance = Utterance(utt_id, speaker, f"{CLIPS}/{clip}", sentence)
            yield utterance, transcript, parse_seconds(where, one.values[paths.UTT2DUR][utt_id])
            progress.update()


def _write_conll(one: _Set, path: Path) -> Path:
    with atomic_text(path) as file:
        for transcript in one.transcripts.values():
            tags = spans_to_bio(transcript)
            file.writelines(f"{word}\t{tag}\n" for word, tag in zip(transcript.words, tags, strict=True))
            file.write("\n")
    return path


def _write_slue(one: _Set, path: Path, lang: str) -> Path:
    sentences, utt2spk = (one.values[name] for name in NEEDED[SLUE])
    with atomic_text(path) as file:
        file.write("\t".join(SLUE_COLUMNS) + "\n")
        for utt_id, transcript in one.transcripts.items():
            sentence, where = sentences[utt_id], f'{one.folder}: utterance "{utt_id}"'
            if re.search(r"[\t\n\r]", sentence):
                raise SpnerError(
                    f"{where}: its sentence holds a tab or a line end, which a table cannot (expected one line of text)"
                )
            raw, normalised = _raw_offsets(transcript, sentence, lang, where), _offsets(transcript)
            text = one.values[paths.TEXT][utt_id]
            file.write("\t".join((utt_id, sentence, text, utt2spk[utt_id], one.name, raw, normalised)) + "\n")
    return path


def _offsets(transcript: Transcript) -> str:
    """Return the entities with offsets in the transcript."""
    words = transcript.words
    ends = accumulate(len(word) + bool(position) for position, word in enumerate(words))
    return _format(transcript.entities, [(end - len(word), end) for end, word in zip(ends, words, strict=True)])


def _raw_offsets(transcript: Transcript, sentence: str, lang: str, where: str) -> str:
    """Return the entities with offsets in the sentence, from an entity's first word to its last."""
    words = normalise_words(sentence, lang)
    if tuple(word.text for word in words) != transcript.words:
        raise SpnerError(
            f"{where}: its sentence has other words than its transcript (expected the same once "
            "normalised); rerun stages 1 and 2"
        )
    return _format(transcript.entities, [(word.start, word.end) for word in words])


def _format(entities: tuple[Entity, ...], spans: list[tuple[int, int]]) -> str:
    found = [[e.label, spans[e.start][0], spans[e.end - 1][1] - spans[e.start][0]] for e in entities]
    return str(found or None)
