"""A small data folder in the formats of others, each read again by other means than ours wrote it with."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from spner.core import paths
from spner.core.datatypes import Transcript
from spner.core.errors import SpnerError
from spner.core.files import write_json
from spner.corpora import hub_dataset
from spner.corpora.corpus import Wanted
from spner.corpora.export import export
from spner.corpora.nemo import read as read_nemo
from spner.corpora.prepare import prepare_data
from spner.data.datadir import read_entities, read_sentences, read_table, write_entities, write_sentences, write_table
from spner.data.parquet import name_row, open_clips, read_class_names, read_rows
from spner.mini.make import make_mini_corpus
from spner.tagger.annotate import annotate_data_dir
from spner.tagger.conll import read_conll
from spner.text.labels import LabelSet
from spner.text.textnorm import project

SENTENCES = {
    "train": {
        "a": ("De Noord-Hollandse Angela Merkel's hond, zegt J. Jansen!", [(3, 18, "LOC"), (19, 35, "PER")]),
        "b": ("Een hond.", []),
    },
    "dev": {"c": ("„Ajax“ wint van Москва?", [(1, 5, "ORG"), (16, 22, "LOC")])},
    "test": {"d": ("Jan Piet", [(0, 3, "PER"), (4, 8, "PER")])},
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three sets with the clips as plain files."""
    folder = tmp_path / "data"
    for set_name, sentences in SENTENCES.items():
        home = folder / set_name
        home.mkdir(parents=True)
        transcript = {u: project(sentence, spans, "nl") for u, (sentence, spans) in sentences.items()}
        write_entities(home / paths.ENTITIES, transcript)
        write_json(home / paths.ANNOTATE_RECORD, {})
        write_table(home / paths.TEXT, {u: " ".join(a.words) for u, a in transcript.items()})
        write_sentences(home / paths.SENTENCES, {u: sentence for u, (sentence, _) in sentences.items()})
        write_table(home / paths.UTT2SPK, dict.fromkeys(sentences, "spk"))
        write_table(home / paths.UTT2DUR, dict.fromkeys(sentences, "0.0500000"))
        write_table(home / paths.WAV_SCP, {u: f"{home}/{u}.wav" for u in sentences})
        for utt_id in sentences:
            soundfile.write(home / f"{utt_id}.wav", 0.5 * np.sin(np.arange(800) / 10), 16_000)
    write_json(folder / paths.REPORT, {"settings": {"lang": "nl"}, "synthetic": False, "sets": {}})
    return folder


def mentions(transcript: Transcript) -> list[tuple[str, str]]:
    return [(entity.label, transcript.phrase(entity)) for entity in transcript.entities]


def refusal(data: Path, out: Path, format_name: str, **options: str) -> str:
    with pytest.raises(SpnerError) as error:
        export(data, out, format_name=format_name, **options)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def test_conll_is_what_a_reader_of_columns_expects(data: Path, tmp_path: Path) -> None:
    files = export(data, tmp_path / "out", format_name="conll")
    assert [file.name for file in files] == ["train.conll", "dev.conll", "test.conll"]
    assert files[0].read_text(encoding="utf-8") == (
        "de\tO\nnoord\tB-LOC\nhollandse\tI-LOC\nangela\tB-PER\nmerkels\tI-PER\nhond\tO\nzegt\tO\nj\tO\njansen\tO\n\n"
        "een\tO\nhond\tO\n\n"
    )
    for name, file in zip(SENTENCES, files, strict=True):
        assert read_conll(file) == list(read_entities(data / name / paths.ENTITIES).values())


def test_slue_offsets_cut_the_entities_out_of_both_texts(data: Path, tmp_path: Path) -> None:
    files = export(data, tmp_path / "out", format_name="slue")
    assert [file.name for file in files] == ["train.tsv", "dev.tsv", "test.tsv"]
    lines = [line.split("\t") for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    header = ["id", "raw_text", "normalized_text", "speaker_id", "split", "raw_ner", "normalized_ner"]
    assert lines.count(header) == 3
    rows = {line[0]: dict(zip(header, line, strict=True)) for line in lines if line != header}
    cut = {
        utt_id: [
            [(label, row[text][start : start + length]) for label, start, length in ast.literal_eval(row[ner]) or []]
            for text, ner in (("raw_text", "raw_ner"), ("normalized_text", "normalized_ner"))
        ]
        for utt_id, row in rows.items()
    }
    assert cut == {
        "a": [
            [("LOC", "Noord-Hollandse"), ("PER", "Angela Merkel's")],
            [("LOC", "noord hollandse"), ("PER", "angela merkels")],
        ],
        "b": [[], []],
        "c": [[("ORG", "Ajax"), ("LOC", "Москва")], [("ORG", "ajax"), ("LOC", "moskva")]],
        "d": [[("PER", "Jan"), ("PER", "Piet")], [("PER", "jan"), ("PER", "piet")]],
    }
    assert rows["a"]["raw_ner"] == "[['LOC', 3, 15], ['PER', 19, 15]]" and rows["b"]["raw_ner"] == "None"
    assert (rows["c"]["speaker_id"], rows["c"]["split"]) == ("spk", "dev")


def test_slue_has_the_columns_and_the_spelling_of_the_published_table(
    data: Path, tmp_path: Path, shared_data: Path
) -> None:
    published = (shared_data / "spoken_ner_gold/slue_voxpopuli/slue-voxpopuli_dev.tsv").read_text(encoding="utf-8")
    ours = export(data, tmp_path / "out", format_name="slue")[0].read_text(encoding="utf-8")
    assert ours.splitlines()[0] == published.splitlines()[0]
    for line in published.splitlines()[1:]:
        for cell in line.split("\t")[-2:]:  # our cells are spelt as theirs: Python's, a space after each comma
            assert str(ast.literal_eval(cell)) == cell


def test_paper_json_is_the_authors_format(data: Path, tmp_path: Path) -> None:
    (file,) = export(data, tmp_path / "out", format_name="paper_json")
    content = json.loads(file.read_text(encoding="utf-8"))
    assert list(content["data"]) == ["train", "valid", "test"]
    (utterance,) = content["data"]["valid"]
    assert utterance[:2] == [["ajax", "wint", "van", "moskva"], ["B-ORG", "O", "O", "B-LOC"]]
    assert utterance[2:] == ["„Ajax“ wint van Москва?", "c.flac", 16000, 0.05]
    assert content["meta"]["lang"] == "nl" and content["meta"]["entities"] == "pseudo-labels"
    assert sorted(path.name for path in (tmp_path / "out/clips").iterdir()) == ["a.flac", "b.flac", "c.flac", "d.flac"]


def test_paper_json_comes_back_as_the_same_sets(tmp_path: Path) -> None:
    """The mini corpus through stage 1, out with its gold entities, and through stages 1 and 2 again."""
    data, back = tmp_path / "data", tmp_path / "back"
    make_mini_corpus(tmp_path / "mini", lang="nl", num_train=30, num_dev=5, num_test=5, num_workers=1)
    settings = {"lang": "nl", "max_broken": 0.1, "num_workers": 1}
    prepare_data(tmp_path / "mini", data, **settings)
    (file,) = export(data, tmp_path / "out", format_name="paper_json", entities_file=paths.GOLD_ENTITIES)
    assert json.loads(file.read_text(encoding="utf-8"))["meta"]["entities"] == "gold"

    report = prepare_data(file, back, clips=tmp_path / "out" / "clips", **{**settings, "max_broken": 0})
    assert annotate_data_dir(back, tagger=None, lang="nl", labels=LabelSet()).keys() == set(paths.SETS)

    assert report["synthetic"]
    for name in paths.SETS:
        assert sum(rule["utterances"] for rule in report["sets"][name]["removed"].values()) == 0
        assert not any(report["sets"][name]["notes"].values())
        for same in (paths.TEXT, paths.SENTENCES, paths.UTT2DUR):
            assert (back / name / same).read_bytes() == (data / name / same).read_bytes()
        assert (back / name / paths.ENTITIES).read_bytes() == (data / name / paths.GOLD_ENTITIES).read_bytes()
    assert any(one.entities for one in read_entities(back / "train" / paths.ENTITIES).values())


def test_one_set_alone(data: Path, tmp_path: Path) -> None:
    for format_name, name in (("conll", "dev.conll"), ("slue", "dev.tsv"), ("paper_json", "dataset.json")):
        assert export(data / "dev", tmp_path / "out", format_name=format_name) == [tmp_path / "out" / name]
    assert list(json.loads((tmp_path / "out/dataset.json").read_text())["data"]) == ["valid"]


# What does not fit


def test_a_set_without_a_place_in_the_authors_format(data: Path, tmp_path: Path) -> None:
    (data / "dev").rename(data / "validated")
    assert refusal(data, tmp_path / "out", "paper_json") == (
        'set "validated" has no place in paper_json (expected train, dev, test); give another --format'
    )
    assert not (tmp_path / "out").exists()
    export(data, tmp_path / "out", format_name="conll")


def test_an_utterance_id_that_leads_out_of_the_folder(data: Path, tmp_path: Path) -> None:
    dev = data / "dev"
    for name in (paths.TEXT, paths.UTT2SPK, paths.UTT2DUR, paths.WAV_SCP):
        write_table(dev / name, {"../c": read_table(dev / name)["c"]})
    write_sentences(dev / paths.SENTENCES, {"../c": read_sentences(dev / paths.SENTENCES)["c"]})
    write_entities(dev / paths.ENTITIES, {"../c": read_entities(dev / paths.ENTITIES)["c"]})
    assert refusal(data, tmp_path / "out", "paper_json") == (
        f'{dev}: utterance "../c": clip "../c.flac" is not a plain file name inside clips/'
    )
    assert not (tmp_path / "out" / "c.flac").exists() and not (tmp_path / "out/dataset.json").exists()


def test_stage_2_comes_first(data: Path, tmp_path: Path) -> None:
    (data / "test" / paths.ENTITIES).unlink()
    assert "entities.jsonl: cannot be read (No such file or directory); stage 2 (spner annotate) makes it" in refusal(
        data, tmp_path / "out", "conll"
    )
    assert "gold_entities.jsonl: cannot be read" in refusal(
        data, tmp_path / "out", "conll", entities_file=paths.GOLD_ENTITIES
    )


def test_files_that_do_not_fit_each_other(data: Path, tmp_path: Path) -> None:
    dev, out = data / "dev", tmp_path / "out"
    words = read_entities(dev / paths.ENTITIES)["c"].words
    write_table(dev / paths.TEXT, {"c": "ajax wint"})
    assert refusal(data, out, "conll") == (
        f'{dev}/entities.jsonl: utterance "c" has other words than in {dev}/text; rerun stage 2'
    )
    write_table(dev / paths.TEXT, {"c": " ".join(words)})
    write_entities(dev / paths.ENTITIES, {"c": Transcript(words)})
    write_sentences(dev / paths.SENTENCES, {"c": "Iets anders."})
    assert refusal(data, out, "slue") == (
        f'{dev}: utterance "c": its sentence has other words than its transcript (expected the same once normalised); '
        "rerun stages 1 and 2"
    )
    write_sentences(dev / paths.SENTENCES, {"c": "Ajax wint\tvan Москва"})
    assert "its sentence holds a tab or a line end" in refusal(data, out, "slue")
    write_sentences(dev / paths.SENTENCES, {"c": SENTENCES["dev"]["c"][0]})
    for utt2dur, message in (
        (
            {},
            "/utt2dur: holds other utterances than {dev}/entities.jsonl (expected the same in both); rerun stages 1 "
            "and 2",
        ),
        ({"c": "long"}, ': utterance "c": the duration is "long" (expected seconds, 0 or more); rerun stage 1'),
    ):
        write_table(dev / paths.UTT2DUR, utt2dur)
        assert refusal(data, out, "paper_json") == f"{dev}{message.format(dev=dev)}"


def test_a_format_asks_for_no_more_files_than_it_needs(data: Path, tmp_path: Path) -> None:
    for name in (paths.SENTENCES, paths.UTT2DUR, paths.UTT2SPK, paths.WAV_SCP, paths.ANNOTATE_RECORD):
        (data / "dev" / name).unlink()
    assert export(data / "dev", tmp_path / "out", format_name="conll") == [tmp_path / "out" / "dev.conll"]
    assert "sentences.jsonl: cannot be read" in refusal(data, tmp_path / "out", "slue")


def test_without_the_report_of_stage_1(data: Path, tmp_path: Path) -> None:
    (data / paths.REPORT).unlink()
    for format_name in ("slue", "paper_json"):
        assert refusal(data, tmp_path / "out", format_name).startswith(f"{data}: holds no report.json, nor does")
    export(data, tmp_path / "out", format_name="conll")


def test_a_clip_that_is_gone(data: Path, tmp_path: Path) -> None:
    (data / "dev" / "c.wav").unlink()
    assert "c.wav: no audio can be read there (missing)" in refusal(data, tmp_path / "out", "paper_json")
    assert not (tmp_path / "out" / "dataset.json").exists()


def test_nemo_is_read_again(data: Path, tmp_path: Path) -> None:
    """Manifests with entities beside the text, whose clips are the stored samples."""
    files = export(data, tmp_path / "out", format_name="nemo")
    assert [file.name for file in files] == [f"{name}_manifest.json" for name in ("train", "dev", "test")]
    corpus = read_nemo(tmp_path / "out", Wanted("nl"))
    for name, sentences in SENTENCES.items():
        one = corpus.sets[name]
        assert one.transcripts == read_entities(data / name / paths.ENTITIES) and not one.gold
        assert {u.utt_id: u.sentence for u in one.utterances} == {u: sentence for u, (sentence, _) in sentences.items()}
        for utterance in one.utterances:
            written, _ = soundfile.read(tmp_path / "out" / utterance.clip, dtype="int16")
            assert (written == soundfile.read(data / name / f"{utterance.utt_id}.wav", dtype="int16")[0]).all()
    first = json.loads(files[1].read_text(encoding="utf-8"))
    assert first == {
        **{"audio_filepath": "clips/c.flac", "duration": 0.05, "text": "ajax wint van moskva", "utt_id": "c"},
        **{"speaker_id": "spk", "sentence": "„Ajax“ wint van Москва?", "annotation": "silver"},
        "entities": [{"label": "ORG", "start": 0, "end": 1}, {"label": "LOC", "start": 3, "end": 4}],
    }


def test_a_dataset_to_publish(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of two rows here, with what ``datasets`` needs to know; the card says what is in them."""
    monkeypatch.setattr(hub_dataset, "ROWS_PER_FILE", 1)
    (tmp_path / "out/data").mkdir(parents=True)
    for name in ("train-00002-of-00003.parquet", "train-notes.parquet"):
        (tmp_path / "out/data" / name).touch()
    (card,) = export(data, tmp_path / "out", format_name="huggingface")
    tables = sorted(path.name for path in (tmp_path / "out/data").iterdir())
    assert tables == [
        *("test-00000-of-00001.parquet", "train-00000-of-00002.parquet", "train-00001-of-00002.parquet"),
        *("train-notes.parquet", "validation-00000-of-00001.parquet"),
    ]
    (row,) = read_rows(tmp_path / "out/data/train-00000-of-00002.parquet", ["id", "sentence", "words", "ner_tags"])
    names = read_class_names(tmp_path / "out/data/train-00000-of-00002.parquet", "ner_tags")
    assert (row["id"], row["sentence"]) == ("a", SENTENCES["train"]["a"][0])
    assert [names[tag] for tag in row["ner_tags"]] == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER", "O", "O", "O", "O"]
    table = str(tmp_path / "out/data/train-00000-of-00002.parquet")
    (clip,) = open_clips([Path(name_row(table, 0))])
    assert (soundfile.read(clip, dtype="int16")[0] == soundfile.read(data / "train/a.wav", dtype="int16")[0]).all()
    _, head, text = card.read_text(encoding="utf-8").split("---\n", maxsplit=2)
    front = yaml.safe_load(head)
    assert front["language"] == ["nl"]
    assert front["configs"][0]["data_files"][1] == {"split": "validation", "path": "data/validation-*"}
    tags = front["dataset_info"]["features"][4]["sequence"]["class_label"]["names"]
    assert tuple(tags[str(number)] for number in range(len(tags))) == names
    assert [(one["name"], one["num_examples"]) for one in front["dataset_info"]["splits"]] == [
        *(("train", 2), ("validation", 1), ("test", 1)),
    ]
    assert "| train | 2 | 0.00 | silver | 1 | 0 | 1 |" in text and "Licence and source: state them" in text


def test_gold_entities_and_synthetic_speech_are_said(data: Path, tmp_path: Path) -> None:
    write_json(
        data / paths.REPORT, {"settings": {"lang": "nl"}, "synthetic": True, "sets": {"test": {"entities": "gold"}}}
    )
    write_json(data / "test" / paths.ANNOTATE_RECORD, {"tagger": None})
    export(data, tmp_path / "out", format_name="nemo")
    corpus = read_nemo(tmp_path / "out", Wanted("nl"))
    assert corpus.synthetic and {name: one.gold for name, one in corpus.sets.items()} == {
        **{"train": False, "dev": False, "test": True},
    }
    (card,) = export(data, tmp_path / "out", format_name="huggingface")
    assert (
        "**The speech is synthetic (eSpeak NG).**" in card.read_text()
        and "| test | 1 | 0.00 | gold |" in card.read_text()
    )
