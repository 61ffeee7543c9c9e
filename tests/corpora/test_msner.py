"""MSNER in both layouts, the published files in full, and what is refused."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from spner.core import paths
from spner.core.datatypes import Entity, Transcript
from spner.core.errors import SpnerError
from spner.corpora.annotated import NOTES
from spner.corpora.corpus import Wanted
from spner.corpora.msner import list_inputs, read, recognises
from spner.corpora.prepare import format_report, prepare_data
from spner.data.datadir import read_entities, read_table
from spner.tagger.annotate import annotate_data_dir
from spner.text.label_sets import MSNER_NAMES, ONTONOTES, SLUE, choose_labels
from tests.hubs import Spoken, encode, write_msner_hub, write_msner_lines

NL = Wanted("nl")
GOLD = "transcript-nl-test-ann-ontonotes-v1.jsonl"
# shared/data/README.md
COMBINED = {"ORG": 622, "PLACE": 403, "WHEN": 319, "QUANT": 275, "NORP": 239, "PERSON": 123, "LAW": 64}


def write(folder: Path, *records: Any, name: str = GOLD) -> Path:
    folder.mkdir(exist_ok=True)
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    (folder / name).write_text("\n".join([*lines, ""]), encoding="utf-8")
    return folder


def refusal(corpus: Path, wanted: Wanted = NL) -> str:
    with pytest.raises(SpnerError) as error:
        list_inputs(corpus, wanted)
        read(corpus, wanted)
    assert "\n" not in str(error.value)
    return str(error.value)


def labels_of(transcripts: Any) -> Counter[str]:
    return Counter(e.label for t in transcripts.values() for e in t.entities)


@pytest.fixture
def lines(tmp_path: Path, dutch: dict[str, list[Spoken]]) -> Path:
    return write_msner_lines(tmp_path / "MSNER/data", tmp_path / "transcribed_data/nl", dutch, "nl")


def test_the_lines_say_which_set_is_gold(lines: Path, dutch: dict[str, list[Spoken]]) -> None:
    clips = lines.parents[1] / "transcribed_data/nl"
    corpus = read(lines, Wanted("nl", clips=clips))
    assert {name: one.gold for name, one in corpus.sets.items()} == {"train": False, "dev": False, "test": True}
    for name, spoken in dutch.items():
        one = corpus.sets[name]
        assert {u.utt_id: u.sentence for u in one.utterances} == {s.utt_id: s.sentence for s in spoken}
        assert {u: t.words for u, t in one.transcripts.items()} == {s.utt_id: s.transcript.words for s in spoken}
        spans = {u: [(e.start, e.end) for e in t.entities] for u, t in one.transcripts.items()}
        assert spans == {s.utt_id: [(e.start, e.end) for e in s.transcript.entities] for s in spoken}
        assert all((clips / u.clip).is_file() and u.spk_id == u.utt_id for u in one.utterances)
        assert dict(one.notes) == dict.fromkeys(NOTES, 0)
    assert labels_of(corpus.sets["train"].transcripts).keys() == {"PERSON", "ORG", "GPE"}
    combined = read(lines, Wanted("nl", combined=True, clips=clips)).sets
    assert labels_of(combined["test"].transcripts).keys() <= {"PERSON", "ORG", "PLACE"}
    assert combined["train"].transcripts == corpus.sets["train"].transcripts, "silver labels are OntoNotes'"


def test_stages_1_and_2_of_the_lines(lines: Path) -> None:
    data, clips = lines.parents[1] / "data", lines.parents[1] / "transcribed_data/nl"
    report = prepare_data(lines, data, lang="nl", max_broken=0, num_workers=2, clips=clips, labels=SLUE)
    assert format_report(report).splitlines()[-1] == "entities: gold in test; silver in train, dev"
    annotate_data_dir(data, tagger=None, lang="nl", labels=choose_labels("slue", {}, where=""))
    assert (data / "test" / paths.GOLD_ENTITIES).is_file() and not (data / "dev" / paths.GOLD_ENTITIES).exists()
    assert labels_of(read_entities(data / "test" / paths.GOLD_ENTITIES)).keys() <= set(SLUE)
    assert labels_of(read_entities(data / "train" / paths.ENTITIES)).keys() <= set(SLUE)
    # Other labels: the other annotation of the test set.
    report = prepare_data(lines, data, lang="nl", max_broken=0, num_workers=2, clips=clips, labels=ONTONOTES)
    assert report["settings"]["inputs"].keys() >= {GOLD}
    assert labels_of(read_entities(data / "test" / paths.GOLD_ENTITIES)).keys() <= set(ONTONOTES)


def test_audio_of_the_hubs_archives_and_clips_that_are_missing(lines: Path, dutch: dict[str, list[Spoken]]) -> None:
    clips = lines.parents[1] / "voxpopuli"
    (clips / "test_part_0").mkdir(parents=True)
    first, *_ = dutch["test"]
    (clips / "test_part_0" / f"{first.utt_id}.wav").write_bytes(encode(first, "WAV"))
    for silver in lines.glob("*-t*n-ann.jsonl"):
        silver.unlink()
    for silver in lines.glob("*validation*"):
        silver.unlink()
    data = lines.parents[1] / "data"
    report = prepare_data(lines, data, lang="nl", max_broken=1, num_workers=1, clips=clips)
    assert list(read_table(data / "test" / paths.WAV_SCP)) == [first.utt_id]
    assert report["sets"]["test"]["removed"]["missing_clip"]["utterances"] == len(dutch["test"]) - 1
    assert f"{clips}/{dutch['test'][1].utt_id[:4]}/" in (data / paths.BROKEN_CLIPS).read_text()
    with pytest.raises(SpnerError, match="holds no audio .expected --clips with VoxPopuli's of the language"):
        prepare_data(lines, data, lang="nl", max_broken=1, num_workers=1)


def test_the_hubs_tables_hold_the_test_set(tmp_path: Path, dutch: dict[str, list[Spoken]]) -> None:
    corpus = write_msner_hub(tmp_path / "MSNER", dutch["test"], "nl")
    sets = read(corpus, NL).sets
    assert list(sets) == ["test"] and sets["test"].gold
    lines = write_msner_lines(tmp_path / "lines", tmp_path / "audio", {"test": dutch["test"]}, "nl")
    assert sets["test"].transcripts == read(lines, NL).sets["test"].transcripts
    data = tmp_path / "data"
    prepare_data(corpus, data, lang="nl", max_broken=0, num_workers=2)
    assert list(read_table(data / "test" / paths.WAV_SCP)) == sorted(s.utt_id for s in dutch["test"])
    durations = read_table(data / "test" / paths.UTT2DUR)
    assert durations == {s.utt_id: f"{len(s.waveform) / 16000:.7f}" for s in dutch["test"]}


@pytest.mark.parametrize(("combined", "num_entities", "num_with"), [(True, 2045, 1112), (False, 2061, 1120)])
def test_the_published_files_in_full(shared_data: Path, combined: bool, num_entities: int, num_with: int) -> None:
    folder = shared_data / "spoken_ner_gold/msner_de"
    assert recognises(folder)
    test = read(folder, Wanted("de", combined=combined)).sets["test"]
    (file,) = list_inputs(folder, Wanted("de", combined=combined))
    listed = [one["type"] for line in file.read_text("utf-8").splitlines() for one in json.loads(line)["annotation"]]
    found = labels_of(test.transcripts)
    assert (len(test.utterances), len(test.empty), found.total()) == (1966, 0, num_entities)
    assert found == Counter(MSNER_NAMES[name] for name in listed)
    assert found == COMBINED if combined else len(found) == 18
    assert sum(bool(t.entities) for t in test.transcripts.values()) == num_with
    assert dict(test.notes) == dict.fromkeys(NOTES, 0)


def test_the_lines_with_hypotheses_are_the_same_annotation(shared_data: Path) -> None:
    """``msner_de_hyps`` has more fields in every line."""
    with_hyps, plain = (shared_data / "spoken_ner_gold" / name for name in ("msner_de_hyps", "msner_de"))
    for combined in (False, True):
        wanted = Wanted("de", combined=combined)
        ours, theirs = (read(folder, wanted).sets["test"].transcripts for folder in (with_hyps, plain))
        assert ours == theirs


def test_tokens_carry_their_spaces(tmp_path: Path) -> None:
    record = {
        "id": "20090422-nl_1",
        "input": ["Señora", " Nápoles", ",", " d'", "Europa", "'s", " SIS", "II"],
        "annotation": [
            {"type": "person", "entity": ["Nápoles"], "position": [1]},
            {"type": "geopolitical area", "entity": ["Europa"], "position": [4], "partial": True},
            {"type": "product", "entity": [" SIS", " II"], "position": [6, 7], "probability": [0.9, 0.8]},
            {"type": "cell line", "entity": [","], "position": [2]},
        ],
    }
    test = read(write(tmp_path / "c", record), NL).sets["test"]
    assert test.transcripts["20090422-nl_1"] == Transcript(
        ("señora", "nápoles", "deuropas", "sis", "ii"),
        (Entity(1, 2, "PERSON"), Entity(2, 3, "GPE"), Entity(3, 5, "PRODUCT")),
    )
    assert dict(test.notes) == {**dict.fromkeys(NOTES, 0), NOTES[0]: 1}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("{", "v1.jsonl:1: is not what MSNER's lines are ("),
        ('{"id": "a", "input": ["x"]}', "v1.jsonl:1: is not what MSNER's lines are ('annotation'; expected"),
        ({"id": 1, "input": ["x"], "annotation": []}, "is not what MSNER's lines are (expected"),
        ({"id": "../a", "input": ["x"], "annotation": []}, 'clip "../a" is not a plain file name'),
        (
            {"id": "a", "input": ["x", " y", " z"], "annotation": [{"type": "person", "position": [0, 2]}]},
            'v1.jsonl:1: entity "person" has the tokens [0, 2] (expected neighbours among 3)',
        ),
        ({"id": "a", "input": ["x"], "annotation": [{"type": "person", "position": [-1]}]}, "has the tokens [-1]"),
        ({"id": "a", "input": ["x"], "annotation": [{"type": "person", "position": []}]}, "has the tokens []"),
    ],
)
def test_a_broken_line_is_one_line(tmp_path: Path, record: Any, message: str) -> None:
    assert message in refusal(write(tmp_path / "c", record))


def test_what_is_no_such_corpus(tmp_path: Path) -> None:
    record = {"id": "a", "input": ["x"], "annotation": []}
    assert 'v1.jsonl:2: utterance "a" is also in' in refusal(write(tmp_path / "c", record, record))
    assert refusal(tmp_path / "c", Wanted("de")).endswith("has no such language (found nl)")
    assert "has sets of its own; leave the option out" in refusal(tmp_path / "c", Wanted("nl", split_validated=1))


def test_labels_that_do_not_fit_their_sentence(tmp_path: Path, dutch: dict[str, list[Spoken]]) -> None:
    corpus = write_msner_hub(tmp_path / "hub", dutch["test"], "nl")
    file = max(corpus.glob("data/*"))
    table = pyarrow.parquet.read_table(file)
    sentences = pyarrow.array(["Twee woorden", *table["sentence"].to_pylist()[1:]])
    place = table.schema.get_field_index("sentence")
    pyarrow.parquet.write_table(table.set_column(place, "sentence", sentences), file)
    assert f"{file}: row 0: " in refusal(corpus)
    assert "do not fit its sentence (expected one for each of its 2 tokens or 2 words" in refusal(corpus)
