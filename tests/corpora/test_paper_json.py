"""The authors' JSON: what is taken as it stands, what is counted, what is refused with its place, and stages 1 to 3."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from spner.core import paths, resume
from spner.core.datatypes import Entity, Transcript, Utterance
from spner.core.errors import SpnerError
from spner.corpora.corpus import CorpusSet, Wanted
from spner.corpora.paper_json import NOTES, make_record, read, write_paper_json
from spner.corpora.prepare import format_report, prepare_data
from spner.data.datadir import read_entities, read_sentences, read_table
from spner.data.tokens import make_tokens
from spner.tagger import annotate as tagger_room
from spner.tagger.annotate import annotate_data_dir
from spner.text.labels import LabelSet
from spner.text.textnorm import normalise

MERKEL = [
    ["angela", "merkel", "reist", "naar", "amsterdam"],
    ["B-PER", "I-PER", "O", "O", "B-LOC"],
    "Angela Merkel reist naar Amsterdam.",
    "common_voice_nl_1.mp3",
    48000,
    3.2,
]


def record(**changes: Any) -> list[Any]:
    """Return MERKEL with some of its six values changed."""
    names = ("tokens", "labels", "transcription", "clip", "rate", "seconds")
    assert changes.keys() <= set(names)
    return [changes.get(name, value) for name, value in zip(names, MERKEL, strict=True)]


def write(path: Path, **sets: Any) -> Path:
    path.write_text(json.dumps({"meta": {"licence": "CC0"}, "data": sets}), encoding="utf-8")
    return path


def read_one(tmp_path: Path, *records: list[Any], lang: str = "nl") -> CorpusSet:
    return read(write(tmp_path / "cv.json", train=list(records)), Wanted(lang)).sets[paths.TRAIN]


def refusal(path: Path) -> str:
    with pytest.raises(SpnerError) as error:
        read(path, Wanted("nl"))
    assert len(str(error.value).splitlines()) == 1
    return str(error.value).removeprefix(f"{path}: ")


def mentions(transcript: Transcript) -> list[tuple[str, str]]:
    return [(entity.label, transcript.phrase(entity)) for entity in transcript.entities]


# What is read


def test_an_utterance(tmp_path: Path) -> None:
    one = read_one(tmp_path, MERKEL)
    utt_id = "common_voice_nl_1"
    assert one.utterances == (Utterance(utt_id, utt_id, "common_voice_nl_1.mp3", MERKEL[2]),)
    assert one.transcripts == {utt_id: Transcript(tuple(MERKEL[0]), (Entity(0, 2, "PER"), Entity(4, 5, "LOC")))}
    assert one.empty == () and one.notes == dict.fromkeys(NOTES, 0)


def test_valid_is_dev_and_the_sets_are_in_our_order(tmp_path: Path) -> None:
    sets = {"test": [record(clip="3.mp3")], "valid": [record(clip="2.mp3")], "train": [record(clip="1.mp3")]}
    corpus = read(write(tmp_path / "cv.json", **sets), Wanted("nl"))
    assert {name: [u.utt_id for u in one.utterances] for name, one in corpus.sets.items()} == {
        "train": ["1"],
        "dev": ["2"],
        "test": ["3"],
    }
    assert list(corpus.sets) == list(paths.SETS)


@pytest.mark.parametrize(
    ("name", "lang", "changes", "text", "found"),
    [
        (
            "cased, punctuated tokens",
            "nl",
            {"tokens": ["Angela", "Merkel", ",", "in", "Amsterdam."]},
            "angela merkel in amsterdam",
            [("PER", "angela merkel"), ("LOC", "amsterdam")],
        ),
        (
            "a token of two words",
            "nl",
            {"tokens": ["Angela", "Merkel", "reist", "naar", "Noord-Holland"]},
            "angela merkel reist naar noord holland",
            [("PER", "angela merkel"), ("LOC", "noord holland")],
        ),
        (
            "apostrophe",
            "en",
            {"tokens": ["angela", "merkel", "doesn't", "leave", "rome"]},
            "angela merkel doesn't leave rome",
            [("PER", "angela merkel"), ("LOC", "rome")],
        ),
        (
            "I- that begins an entity",
            "nl",
            {"labels": ["I-PER", "I-PER", "O", "O", "I-LOC"]},
            "angela merkel reist naar amsterdam",
            [("PER", "angela merkel"), ("LOC", "amsterdam")],
        ),
        (
            "two entities side by side",
            "nl",
            {"labels": ["B-PER", "B-PER", "O", "O", "O"]},
            "angela merkel reist naar amsterdam",
            [("PER", "angela"), ("PER", "merkel")],
        ),
    ],
)
def test_labels_follow_the_tokens(
    tmp_path: Path, name: str, lang: str, changes: dict[str, Any], text: str, found: list[tuple[str, str]]
) -> None:
    (transcript,) = read_one(tmp_path, record(**changes), lang=lang).transcripts.values()
    assert (" ".join(transcript.words), mentions(transcript)) == (text, found), name


def test_what_is_not_taken_as_it_stands_is_counted(tmp_path: Path) -> None:
    one = read_one(
        tmp_path,
        record(clip="a.mp3", labels=["B-PER", "I-PER", "O", "B-MISC", "B-LOC"]),
        record(clip="b.mp3", tokens=["angela", "merkel", "reist", "naar", "…"], transcription="Angela reist naar"),
        record(clip="c.mp3", transcription="Angela Dorothea Merkel reist naar Amsterdam."),
        record(clip="d.mp3", transcription=""),
        record(clip="e.mp3", tokens=["?", "!"], labels=["O", "B-PER"]),
        record(clip="f.mp3", tokens=[], labels=[], transcription=""),
    )
    assert one.notes == dict(zip(NOTES, (2, 4), strict=True))
    assert [u.utt_id for u in one.empty] == ["e", "f"]
    assert mentions(one.transcripts["a"]) == [("PER", "angela merkel"), ("MISC", "naar"), ("LOC", "amsterdam")]
    assert mentions(one.transcripts["b"]) == [("PER", "angela merkel")]


def test_a_sentence_has_the_words_of_its_transcript(tmp_path: Path) -> None:
    """Else a tagger's words would not be those that stage 3 looks for."""
    records = [
        record(clip="a.mp3", transcription="Angela\tMerkel  reist\nnaar Amsterdam !"),
        record(clip="b.mp3", transcription="Heel iets anders."),
        record(clip="c.mp3", tokens=["E\u0301e\u0301n"], labels=["O"], transcription="E\u0301e\u0301n!"),
    ]
    one = read_one(tmp_path, *records)
    assert [u.sentence for u in one.utterances] == [
        "Angela Merkel reist naar Amsterdam !",
        "angela merkel reist naar amsterdam",
        "Één!",
    ]
    assert all(normalise(u.sentence, "nl").split() == list(one.transcripts[u.utt_id].words) for u in one.utterances)


@pytest.mark.parametrize(
    ("meta", "synthetic"),
    [({"synthetic": True}, True), ({"synthetic": "no"}, False), ({}, False), (None, False), ("of theirs", False)],
)
def test_synthetic_speech_stays_so(tmp_path: Path, meta: Any, synthetic: bool) -> None:
    path = tmp_path / "cv.json"
    path.write_text(json.dumps({"meta": meta, "data": {"train": [MERKEL]}}))
    assert read(path, Wanted("nl")).synthetic is synthetic


# What is refused


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("an object", {}, " is no list of six (expected [tokens, labels, transcription, file, rate, seconds])"),
        ("five", MERKEL[:5], " is no list of six (expected [tokens, labels, transcription, file, rate, seconds])"),
        ("no file", record(clip=None), " the fourth is no text (expected the clip's file name)"),
        (
            "a label too few",
            record(labels=["O"] * 4),
            ' "common_voice_nl_1.mp3": 4 labels for 5 tokens (expected a label for each token)',
        ),
        (
            "no BIO",
            record(labels=["O", "O", "O", "O", "LOC"]),
            ' "common_voice_nl_1.mp3": label "LOC" is no tag (expected O, or a label behind B-, I-, E-, S-, L-, U-)',
        ),
        (
            "begins with O",
            record(labels=["O", "O", "O", "O", "ORG"]),
            ' "common_voice_nl_1.mp3": label "ORG" is no tag (expected O, or a label behind B-, I-, E-, S-, L-, U-)',
        ),
        (
            "another scheme",
            record(labels=["O", "O", "O", "O", "M-LOC"]),
            ' "common_voice_nl_1.mp3": label "M-LOC" is no tag (expected O, or a label behind B-, I-, E-, S-, L-, U-)',
        ),
        (
            "a line end in a label",
            record(labels=["O", "O", "O", "O", "B-\nLOC"]),
            ' "common_voice_nl_1.mp3": label "B-\\nLOC" is no tag (expected O, or a label behind B-, I-, E-, S-, L-, '
            "U-)",
        ),
        (
            "tokens in one text",
            record(tokens="angela"),
            ' "common_voice_nl_1.mp3": tokens are no list of texts (expected one text a token)',
        ),
        (
            "labels of numbers",
            record(labels=[0, 0, 0, 0, 0]),
            ' "common_voice_nl_1.mp3": labels are no list of texts (expected one text a token)',
        ),
        (
            "no transcription",
            record(transcription=None),
            ' "common_voice_nl_1.mp3": the third is no text (expected the original transcription)',
        ),
        (
            "half of a character",
            record(transcription="\ud800"),
            ' "common_voice_nl_1.mp3": its transcription holds half of a character (surrogates not allowed)',
        ),
    ],
)
def test_a_wrong_utterance_is_named(tmp_path: Path, name: str, changed: Any, message: str) -> None:
    path = write(tmp_path / "cv.json", train=[], valid=[record(clip="fine.mp3"), changed])
    assert refusal(path) == f"data.valid[1]{'' if message[1] == chr(34) else ':'}{message}", name


@pytest.mark.parametrize(
    "clip", ["../x.mp3", "/etc/passwd", "a/x.mp3", "..", ".", "", "x/", "a\nb.mp3", "a\0b.mp3", "\ud800.mp3", "x" * 256]
)
def test_a_clip_outside_the_folder(tmp_path: Path, clip: str) -> None:
    message = refusal(write(tmp_path / "cv.json", test=[record(clip=clip)]))
    shown = json.dumps(clip) if len(clip) < 80 else f'"{clip[:80]}…"'
    assert message == f"data.test[0]: clip {shown} is not a plain file name inside clips/"


@pytest.mark.parametrize("again", ["common_voice_nl_1.mp3", "common_voice_nl_1.wav"])
def test_a_clip_that_occurs_twice(tmp_path: Path, again: str) -> None:
    path = write(tmp_path / "cv.json", train=[MERKEL, record(clip="2.mp3"), record(clip=again)])
    assert refusal(path) == (
        f'data.train[2]: clip "{again}" gives the utterance id that [0] has (expected one utterance per clip); '
        "remove one of them"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not JSON (Expecting value: line 1 column 1 (char 0))"),
        ('{"data": {"train": [', "is not JSON (Expecting value: line 1 column 21 (char 20))"),
        ("[" * 100_000, "is not JSON (maximum recursion depth exceeded"),
        ("[]", 'holds no object "data" (expected {"meta": …, "data": {"train": […], "valid": […], "test": […]}})'),
        ('{"data": []}', 'holds no object "data" (expected {"meta": …'),
        ('{"data": {}}', 'holds no set (expected {"meta": …'),
        ('{"data": {"dev": []}}', 'unknown set "dev" (expected {"meta": …'),
        ('{"data": {"tests": []}}', '"test": […]}}); did you mean "test"?'),
        ('{"data": {"train": {}}}', 'data.train: is no list of utterances (expected {"meta": …'),
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "cv.json"
    path.write_text(content, encoding="utf-8")
    assert message in refusal(path)


def test_a_file_that_is_no_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "cv.json"
    path.write_bytes(b'{"data": "\xff"}')
    assert refusal(path).startswith("is not JSON ('utf-8' codec can't decode byte 0xff in position 10")


# What is written


LABELLED = st.builds(
    lambda words, cuts: Transcript(
        tuple(words),
        tuple(Entity(a, b, label) for a, b, label in cuts if b <= len(words)),
    ),
    st.lists(st.sampled_from(["anna", "één", "ß", "o", "x9"]), min_size=1, max_size=6),
    st.sampled_from([(), ((0, 1, "PER"),), ((0, 1, "PER"), (1, 2, "PER")), ((1, 3, "LOC"), (3, 4, "ORG"))]),
)


@given(st.lists(LABELLED, max_size=4))
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, utterances: list[Transcript]) -> None:
    path = tmp_path_factory.mktemp("written") / "cv.json"
    records = [make_record(a, f"{' '.join(a.words)} ?", f"{n}.mp3", 16000, 0.5) for n, a in enumerate(utterances)]
    write_paper_json(path, {"dev": records, "test": []}, meta={"synthetic": True})
    assert list(json.loads(path.read_text(encoding="utf-8"))) == ["meta", "data"]
    corpus = read(path, Wanted("nl"))
    assert corpus.synthetic and corpus.sets["test"].utterances == ()
    assert list(corpus.sets["dev"].transcripts.values()) == utterances
    assert [u.sentence for u in corpus.sets["dev"].utterances] == [record[2] for record in records]


# Stages 1 to 3


def write_clip(path: Path, *, amplitude: float = 0.3) -> None:
    soundfile.write(path, amplitude * np.sin(np.arange(4000) / 10), 16_000, format="WAV")


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A file of six utterances, one of them without a clip, one silent, one without a word, two alike."""
    clips = tmp_path / "clips"
    clips.mkdir()
    for name in ("a", "b", "c", "empty", "test"):
        write_clip(clips / f"{name}.mp3")
    write_clip(clips / "silent.mp3", amplitude=0.0001)
    return write(
        tmp_path / "cv_nl_dataset.json",
        train=[
            record(clip="b.mp3"),
            record(clip="a.mp3", tokens=["ook", "in", "test"], labels=["O", "O", "B-A"], transcription="Ook de test"),
            record(clip="gone.mp3"),
            record(clip="silent.mp3"),
            record(clip="empty.mp3", tokens=["?"], labels=["O"], transcription="?"),
        ],
        valid=[record(clip="c.mp3", tokens=["naar", "rome"], labels=["O", "B-LOC"], transcription="Naar Rome")],
        test=[record(clip="test.mp3", tokens=["ook", "in", "test"], labels=["O"] * 3, transcription="Ook in test.")],
    )


def prepare(published: Path, **options: Any) -> dict[str, Any]:
    settings = {"lang": "nl", "max_broken": 0.5, "num_workers": 1, "clips": published.parent / "clips", **options}
    return prepare_data(published, published.parent / "data", **settings)


def test_the_sets_stay_as_they_are_but_for_unusable_clips(published: Path) -> None:
    report = prepare(published)
    removed = {
        name: {rule: counts["utterances"] for rule, counts in one["removed"].items() if counts["utterances"]}
        for name, one in report["sets"].items()
    }
    assert removed == {"train": {"missing_clip": 1, "silent_clip": 1, "empty_sentence": 1}, "dev": {}, "test": {}}
    assert {name: one["rows"] for name, one in report["sets"].items()} == {"train": 5, "dev": 1, "test": 1}
    train = published.parent / "data" / "train"
    assert read_table(train / paths.TEXT) == {"a": "ook in test", "b": "angela merkel reist naar amsterdam"}
    assert read_table(train / paths.UTT2SPK) == {"a": "a", "b": "b"}
    assert read_sentences(train / paths.SENTENCES)["b"] == "Angela Merkel reist naar Amsterdam."
    *_, kept, note, kinds = format_report(report).splitlines()
    assert kept.startswith("kept ") and note == f"{NOTES[1]}: 1 in train"
    assert kinds == "entities: silver in train, dev, test"


def test_a_file_without_clips(published: Path) -> None:
    with pytest.raises(SpnerError) as error:
        prepare(published, clips=None)
    assert str(error.value) == (
        f"{published}: names clips but holds none (expected --clips with their folder); give the folder clips/ of the "
        "Common Voice release that it was made from"
    )
    with pytest.raises(SpnerError, match="nowhere: no such folder of clips; paths are relative"):
        prepare(published, clips=Path("nowhere"))
    with pytest.raises(SpnerError, match="no such corpus .expected a JSON file of the paper's authors"):
        prepare(published.with_name("other.json"))
    assert not (published.parent / "data").exists()


def test_a_changed_file_is_prepared_and_labelled_anew(published: Path) -> None:
    data = published.parent / "data"
    for old, new in (("rome", "rome"), ("rome", "parijs"), ("B-LOC", "B-ORG")):
        published.write_text(published.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
        prepare(published)
        annotate_data_dir(data, tagger=None, lang="nl", labels=LabelSet())
    assert read_table(data / "dev" / paths.TEXT) == {"c": "naar parijs"}
    assert mentions(read_entities(data / "dev" / paths.ENTITIES)["c"]) == [("ORG", "parijs")]


def test_stage_2_takes_the_labels_of_the_file_and_calls_them_pseudo_labels(
    published: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a tagger is loaded")

    monkeypatch.setattr(tagger_room, "load_tagger", refuse)
    prepare(published)
    data = published.parent / "data"
    assert annotate_data_dir(data, tagger=None, lang="nl", labels=LabelSet()) == dict.fromkeys(("dev", "test", "train"))
    assert f"{data}/dev: takes the silver labels that came with {published}; --tagger would make others" in caplog.text
    found = read_entities(data / "train" / paths.ENTITIES)
    assert {utt_id: mentions(one) for utt_id, one in found.items()} == {
        "a": [],
        "b": [("PER", "angela merkel"), ("LOC", "amsterdam")],
    }
    assert json.loads((data / "train" / paths.ANNOTATE_RECORD).read_text())["corpus"] == str(published)
    make_tokens(data, published.parent / "dump")
    assert "<PER>angela merkel</NE> reist" in (published.parent / "dump/train/text").read_text()


def test_labels_of_the_file_are_those_of_the_recipe(published: Path) -> None:
    prepare(published)
    data = published.parent / "data"
    annotate_data_dir(data, tagger=None, lang="nl", labels=LabelSet(("A", "PERSON"), {"LOC": "A"}))
    found = read_entities(data / "train" / paths.ENTITIES)
    assert {utt_id: mentions(one) for utt_id, one in found.items()} == {
        "a": [("A", "test")],
        "b": [("PERSON", "angela merkel"), ("A", "amsterdam")],
    }
    with pytest.raises(SpnerError) as error:
        annotate_data_dir(data, tagger=None, lang="nl", labels=LabelSet(("DATE",)))
    assert str(error.value) == (
        f"{data}: has entities A, LOC, PER (expected DATE); say which is which, such as --map A=DATE, or give other "
        "--labels"
    )
    assert read_entities(data / "train" / paths.ENTITIES) == found


def test_a_tagger_that_is_asked_for_labels_anew_and_the_labels_of_the_file_come_back(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Everything:
        def predict(self, sentences: list[list[str]], **_: Any) -> list[list[str]]:
            return [["B-ORG"] * len(words) for words in sentences]

    monkeypatch.setattr(tagger_room, "load_tagger", lambda name, *, labels, device, fast: Everything())
    prepare(published)
    data = published.parent / "data"
    ours = data / "dev" / paths.ENTITIES
    for tagger, expected in (
        (None, [("LOC", "rome")]),
        ("a", [("ORG", "naar"), ("ORG", "rome")]),
        (None, [("LOC", "rome")]),
    ):
        annotate_data_dir(data, tagger=tagger, lang="nl", labels=LabelSet())
        assert mentions(read_entities(ours)["c"]) == expected
        record = json.loads((data / "dev" / paths.ANNOTATE_RECORD).read_text())
        assert (record["tagger"], "corpus" in record) == (tagger, tagger is None)
        make_tokens(data, published.parent / "dump")  # the words are those of the transcripts


@pytest.mark.parametrize("call", ["atomic_text", "write_json"])
def test_labels_of_the_file_that_are_interrupted(published: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    prepare(published)
    data = published.parent / "data"
    holder = tagger_room if call == "atomic_text" else resume
    real: Callable[..., Any] = getattr(holder, call)

    def killed(path: Path, *arguments: Any) -> Any:
        if path.parent.name == "test":
            raise KeyboardInterrupt
        return real(path, *arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(holder, call, killed)
        annotate_data_dir(data, tagger=None, lang="nl", labels=LabelSet())
    assert not (data / "test" / paths.ANNOTATE_RECORD).exists()
    annotate_data_dir(data, tagger=None, lang="nl", labels=LabelSet())
    assert all((data / name / paths.ANNOTATE_RECORD).exists() for name in paths.SETS)
    times = {name: os.stat(data / name / paths.ENTITIES).st_mtime_ns for name in paths.SETS}
    annotate_data_dir(data, tagger=None, lang="nl", labels=LabelSet())
    assert {name: os.stat(data / name / paths.ENTITIES).st_mtime_ns for name in paths.SETS} == times
