"""Miniatures of corpora that hubs serve, in exactly their layouts: the mini corpus's speech and gold entities.

Columns, types and file names are those of asapp/slue and qmeeus/MSNER on the Hugging Face hub, of slue-toolkit's
archives, of MSNER's repository and of VoxPopuli's scripts; the readers' modules say where each was looked up.
"""

import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import soundfile

from spner.core.datatypes import Transcript
from spner.corpora.common_voice import read
from spner.corpora.corpus import Wanted
from spner.data.audio import SAMPLE_RATE_HZ, read_clip
from spner.mini.make import make_mini_corpus
from spner.text.label_sets import MSNER_NAMES, SLUE_COMBINED
from spner.text.textnorm import normalise_words

RAW = {"PER": "PERSON", "ORG": "ORG", "LOC": "GPE"}  # the mini corpus's labels in OntoNotes' words
SPELT = {label: name for name, label in MSNER_NAMES.items()}
SPLITS = {"train": ("fine-tune", "train"), "dev": ("dev", "validation"), "test": ("test", "test")}
ROWS_PER_GROUP = 5
LANGUAGES = "en de fr es pl it ro hu cs nl fi hr sk sl et lt en_accented".split()
SILVER = {"train": "train-ann", "dev": "validation-ann"}


@dataclass(frozen=True)
class Spoken:
    """An utterance: what was said, with its entities, and its audio, (num_samples,) float32 at 16 kHz."""

    utt_id: str
    speaker: str
    sentence: str
    transcript: Transcript
    waveform: np.ndarray

    @property
    def spans(self) -> list[tuple[int, int, str]]:
        """The entities in characters of the sentence, as OntoNotes calls them."""
        words = normalise_words(self.sentence, self.utt_id.split("-")[4][:2])
        return [(words[e.start].start, words[e.end - 1].end, RAW[e.label]) for e in self.transcript.entities]

    @property
    def word_spans(self) -> list[tuple[int, int, str]]:
        """The same in characters of the transcript."""
        ends = [end + place for place, end in enumerate(accumulate(map(len, self.transcript.words)))]
        words = self.transcript.words
        return [(ends[e.start] - len(words[e.start]), ends[e.end - 1], RAW[e.label]) for e in self.transcript.entities]


def speak(mini: Path, lang: str) -> dict[str, list[Spoken]]:
    """Return the sets of a mini corpus, but its unusable clips, with ids as VoxPopuli has them in a language."""
    corpus = read(mini, Wanted(lang))
    assert corpus.gold is not None
    sets: dict[str, list[Spoken]] = {}
    for name, one in corpus.sets.items():
        usable = [u for u in one.utterances if _is_sound(mini / "clips" / u.clip)]
        sets[name] = [
            Spoken(
                f"20{10 + place * 4 % 9}0530-0900-PLENARY-{len(sets)}-{lang}_20180530-20:01:{place:02d}_{place}",
                "None" if place % 3 == 0 else f"{119435 + place % 2}",
                utterance.sentence,
                corpus.gold[utterance.utt_id],
                read_clip(mini / "clips" / utterance.clip),
            )
            for place, utterance in enumerate(usable)
        ]
    return sets


def _is_sound(clip: Path) -> bool:
    try:
        return bool(read_clip(clip).std() > 0.01)
    except Exception:  # the mini corpus has corrupt clips
        return False


def encode(one: Spoken, form: str) -> bytes:
    content = io.BytesIO()
    soundfile.write(content, one.waveform, SAMPLE_RATE_HZ, format=form)
    return content.getvalue()


def write_slue_archive(folder: Path, sets: dict[str, list[Spoken]]) -> Path:
    """Write what slue-voxpopuli_v0.2.zip unpacks to."""
    for name, spoken in sets.items():
        split = SPLITS[name][0]
        (folder / split).mkdir(parents=True)
        lines = ["id\traw_text\tnormalized_text\tspeaker_id\tsplit\traw_ner\tnormalized_ner\n"]
        for one in spoken:
            (folder / split / f"{one.utt_id}.ogg").write_bytes(encode(one, "OGG"))
            text = " ".join(one.transcript.words) + "."
            marked = (mark_without_s(one.sentence, one.spans), mark_without_s(text, one.word_spans))
            raw, normalised = (str([[label, a, b - a] for a, b, label in spans] or None) for spans in marked)
            lines.append("\t".join((one.utt_id, one.sentence, text, one.speaker, split, raw, normalised)) + "\n")
        (folder / f"slue-voxpopuli_{split}.tsv").write_text("".join(lines), encoding="utf-8")
    return folder


def write_slue_hub(folder: Path, sets: dict[str, list[Spoken]]) -> Path:
    """Write what a clone of asapp/slue holds of SLUE-VoxPopuli."""
    entities = {"type": "string", "start": "int32", "length": "int32"}
    parts = {key: {"dtype": kind, "_type": "Value"} for key, kind in entities.items()}
    feature = {"feature": parts, "_type": "Sequence"}
    names = ("raw_ner", "normalized_ner", "raw_combined_ner", "normalized_combined_ner")
    features: dict[str, Any] = {
        "index": {"dtype": "int32", "_type": "Value"},
        "id": {"dtype": "string", "_type": "Value"},
        "audio": {"sampling_rate": 16000, "_type": "Audio"},
        **{key: {"dtype": "string", "_type": "Value"} for key in ("speaker_id", "normalized_text", "raw_text")},
        **dict.fromkeys(names, feature),
    }
    lists = pyarrow.struct([("type", pyarrow.list_(pyarrow.string())), ("start", _INTS), ("length", _INTS)])
    types = {"index": pyarrow.int32(), "audio": _AUDIO, **dict.fromkeys(names, lists)}
    for name, spoken in sets.items():
        rows = []
        for place, one in enumerate(spoken):
            text = " ".join(one.transcript.words) + "."
            marked = (mark_without_s(one.sentence, one.spans), mark_without_s(text, one.word_spans))
            kinds = (*marked, *map(_combine, marked))
            rows.append(
                {
                    "index": place,
                    "id": one.utt_id,
                    "audio": {"bytes": encode(one, "OGG"), "path": f"{one.utt_id}.ogg"},
                    "speaker_id": one.speaker,
                    "normalized_text": text,
                    "raw_text": one.sentence,
                    **{key: _columns(spans) for key, spans in zip(names, kinds, strict=True)},
                }
            )
        _write_shards(folder / "voxpopuli", SPLITS[name][1], rows, features, types)
    return folder


def mark_without_s(text: str, spans: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Return spans as SLUE's annotators set them: of "Europe's" they mark Europe."""
    return [(start, start + len(text[start:end].removesuffix("'s")), label) for start, end, label in spans]


def _combine(spans: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    return [(start, end, SLUE_COMBINED[label]) for start, end, label in spans if SLUE_COMBINED[label] != "O"]


def _columns(spans: Sequence[tuple[int, int, str]]) -> dict[str, list[Any]]:
    return {"type": [s[2] for s in spans], "start": [s[0] for s in spans], "length": [s[1] - s[0] for s in spans]}


def cut_tokens(sentence: str) -> list[tuple[int, int]]:
    """Return the places of the sentence's tokens: words, and punctuation apart, as MSNER cuts them."""
    from spner.corpora.msner import TOKEN

    return [match.span() for match in TOKEN.finditer(sentence)]


def _token_spans(one: Spoken) -> list[tuple[list[int], str]]:
    tokens = cut_tokens(one.sentence)
    return [
        ([place for place, (a, b) in enumerate(tokens) if start <= a and b <= end], label)
        for start, end, label in one.spans
    ]


def write_msner_lines(folder: Path, audio: Path, sets: dict[str, list[Spoken]], lang: str) -> Path:
    """Write the lines of MSNER's repository, and beside them VoxPopuli's audio by year."""
    folder.mkdir(parents=True)
    for name, spoken in sets.items():
        for one in spoken:
            clip = audio / one.utt_id[:4] / f"{one.utt_id}.ogg"
            clip.parent.mkdir(parents=True, exist_ok=True)
            clip.write_bytes(encode(one, "OGG"))
        gold = {"test-ann-ontonotes-v1": SPELT.get, "test-ann-combined-v1": lambda label: SPELT[SLUE_COMBINED[label]]}
        # Names of silver labels have spaces, those of gold ones underscores.
        silver = {SILVER.get(name, ""): lambda label: SPELT[label].replace("_", " ")}
        more = {"probability": [0.99]} if name in SILVER else {}
        for stem, spell in (silver if name in SILVER else gold).items():
            lines = [json.dumps(_msner_line(one, spell, more)) for one in spoken]
            (folder / f"transcript-{lang}-{stem}.jsonl").write_text("\n".join([*lines, ""]), encoding="utf-8")
    return folder


def _msner_line(one: Spoken, spell: Callable[[str], str | None], more: dict[str, Any]) -> dict[str, Any]:
    ends = [end for _, end in cut_tokens(one.sentence)]
    tokens = [one.sentence[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    annotation = []
    for position, label in _token_spans(one):
        annotation.append({"type": spell(label), "entity": [tokens[p] for p in position], "position": position, **more})
    return {"id": one.utt_id, "input": tokens, "annotation": annotation}


def write_msner_hub(folder: Path, spoken: Sequence[Spoken], lang: str) -> Path:
    """Write what a clone of qmeeus/MSNER holds of a language: its test set."""
    names = {
        "unified_entities": [f"{prefix}-{name}" for name in sorted(MSNER_NAMES) for prefix in "BI"] + ["O"],
        "raw_entities": [f"{prefix}-{SPELT[label]}" for label in SLUE_COMBINED for prefix in "BI"] + ["O"],
    }
    names["unified_entities"] = [n for n in names["unified_entities"] if n[2:] not in ("place", "quant", "when")]
    features: dict[str, Any] = {
        "audio_id": {"dtype": "string", "_type": "Value"},
        "language": {"names": LANGUAGES, "_type": "ClassLabel"},
        "audio": {"sampling_rate": 16000, "_type": "Audio"},
        "sentence": {"dtype": "string", "_type": "Value"},
        **{key: {"feature": {"names": n, "_type": "ClassLabel"}, "_type": "Sequence"} for key, n in names.items()},
    }
    rows = []
    for one in spoken:
        tags = ["O"] * len(cut_tokens(one.sentence))
        for position, label in _token_spans(one):
            for place in position:
                tags[place] = f"{'B' if place == position[0] else 'I'}-{SPELT[label]}"
        rows.append(
            {
                "audio_id": one.utt_id,
                "language": LANGUAGES.index(lang),
                "audio": {"bytes": encode(one, "WAV"), "path": f"{one.utt_id}.wav"},
                "sentence": one.sentence,
                **{key: [n.index(tag) for tag in tags] for key, n in names.items()},
            }
        )
    longs = pyarrow.list_(pyarrow.int64())
    types = {"language": pyarrow.int64(), "audio": _AUDIO, "unified_entities": longs, "raw_entities": longs}
    _write_shards(folder / "data", lang, rows, features, types, digest="-3c0a8f5a1d2b4e6f")
    return folder


_AUDIO = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
_INTS = pyarrow.list_(pyarrow.int32())


def _write_shards(
    folder: Path,
    split: str,
    rows: list[dict[str, Any]],
    features: dict[str, Any],
    types: dict[str, Any],
    digest: str = "",
) -> None:
    """Write rows as two files, five rows a group, with the metadata of ``datasets``."""
    folder.mkdir(parents=True, exist_ok=True)
    schema = pyarrow.schema([(name, types.get(name, pyarrow.string())) for name in features])
    schema = schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    half = len(rows) // 2
    for number, part in enumerate((rows[:half], rows[half:])):
        table = pyarrow.Table.from_pylist(part, schema=schema)
        file = folder / f"{split}-{number:05d}-of-00002{digest}.parquet"
        pyarrow.parquet.write_table(table, file, row_group_size=ROWS_PER_GROUP)


@pytest.fixture(scope="session")
def english(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Spoken]]:
    """A tiny English mini corpus: 16 clips to train on, 8 of dev, 12 of test."""
    return make_spoken(tmp_path_factory.mktemp("english"), "en")


@pytest.fixture(scope="session")
def dutch(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Spoken]]:
    """The same in Dutch."""
    return make_spoken(tmp_path_factory.mktemp("dutch"), "nl")


def make_spoken(folder: Path, lang: str, *, voice: str = "") -> dict[str, list[Spoken]]:
    """Make a tiny mini corpus in a folder, of another language if ``voice`` names one; return its usable utterances."""
    make_mini_corpus(folder / "mini", lang=voice or lang, num_train=16, num_dev=8, num_test=12)
    return speak(folder / "mini", lang)
