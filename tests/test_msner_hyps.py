"""egs/msner_hyps: its reader, its folds, its texts, its tables, and the recipe with any tagger and with its own."""

import json
import os
import random
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from egs.msner_hyps.local.hyps import (
    NUM_FOLDS,
    Recording,
    assign_folds,
    both_forms,
    format_pipeline,
    format_quality,
    format_wer_without_digits,
    list_texts,
    parse_recording,
    prepare,
    read_msner,
    read_silver,
    tag,
    with_other_names,
    write_conll,
    write_fold,
)
from spner.core.datatypes import Entity, Transcript
from spner.core.errors import SpnerError
from spner.data.datadir import read_table
from spner.tagger.conll import read_conll
from spner.tagger.train import train_tagger
from spner.text.labels import LabelSet
from tests.recipes import copy_checkout

LINE = {
    "id": "20200131-0900-PLENARY-1-de_20200131-09:00:00_1",
    "input": ["Frau", " Zoe\u0308", " Beispiel", ",", " die", " EU", " hat", " 27", " Länder", "."],
    "annotation": [
        {"type": "quant", "entity": [" 27"], "position": [7]},
        {"type": "organization", "entity": [" EU"], "position": [5]},
        {"type": "person", "entity": [" Zoe\u0308", " Beispiel"], "position": [1, 2]},
    ],
    "hyps": {"loud_1b": "Frau Zoë Beispiel, die EU hat 27 Länder.", "low-2.0": "frau zoe beispiel die eu hat"},
    "match": 1.0,
    "voxpopuli_reference": "is not read",
}


def line(**changes: Any) -> dict[str, Any]:
    """Return ``LINE`` with other values; None takes a key away."""
    return {key: value for key, value in (LINE | changes).items() if value is not None}


def annotation(**changes: Any) -> dict[str, Any]:
    return {"type": "place", "entity": ["x"], "position": [0], **changes}


def recording(session: str, number: int = 1) -> Recording:
    return Recording(f"{session}-0900-PLENARY-{number}", Transcript(("a",)), {}, True)


def write_lines(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in lines), encoding="utf-8")
    return path


def test_line_gives_cased_tokens_our_entities_and_normalised_reference() -> None:
    read = parse_recording(LINE)
    words = ("Frau", "Zoë", "Beispiel", ",", "die", "EU", "hat", "27", "Länder", ".")
    assert read.gold == Transcript(words, (Entity(1, 3, "PER"), Entity(5, 6, "ORG")))
    assert read.ref == Transcript(
        ("frau", "zoë", "beispiel", "die", "eu", "hat", "27", "länder"), (Entity(1, 3, "PER"), Entity(4, 5, "ORG"))
    )
    assert (read.session, read.is_certain) == ("20200131", True)
    assert not parse_recording(line(match=0.99)).is_certain


@pytest.mark.parametrize(
    ("record", "message"),
    [
        pytest.param([], 'no str under "id"', id="not an object"),
        pytest.param(line(hyps=None), 'no dict under "hyps"', id="no hypotheses"),
        pytest.param(line(match="1.0"), 'no number under "match"', id="match is text"),
        pytest.param(line(id="../x"), 'id "../x" does not begin with a date', id="id without a date"),
        pytest.param(line(id="20200131-a b"), 'id "20200131-a b" does not begin with a date', id="id with a space"),
        pytest.param(line(input=["a", " "]), '"input" has a token that is not one word', id="blank token"),
        pytest.param(line(input=["a b"]), '"input" has a token that is not one word', id="two words in a token"),
        pytest.param(line(hyps={"../up": "a"}), 'hypothesis of "../up" is not a text under', id="path in a name"),
        pytest.param(line(hyps={"low": 1}), 'hypothesis of "low" is not a text under', id="hypothesis is a number"),
        pytest.param(
            line(annotation=[annotation(type="ship")]),
            'entity type "ship" is none of cardinal_number, date, event',
            id="unknown type",
        ),
        pytest.param(line(annotation=[annotation(position=[])]), "positions [] are not", id="no position"),
        pytest.param(line(annotation=[annotation(position=[0, 2])]), "positions [0, 2] are not", id="gap"),
        pytest.param(line(annotation=[annotation(position=["0"])]), "positions ['0'] are not", id="position is text"),
        pytest.param(line(annotation=[annotation(position=[-1])]), "entity span [-1, 0)", id="before the words"),
        pytest.param(line(annotation=[annotation(position=[10])]), "ends after the last of 10 words", id="after them"),
        pytest.param(line(annotation=[annotation(), annotation()]), "overlaps the entity before it", id="overlap"),
    ],
)
def test_malformed_line_is_refused(record: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_recording(record)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        pytest.param([LINE, LINE], f':2: utterance "{LINE["id"]}" occurs twice', id="twice"),
        pytest.param([LINE, line(id="20200131-2", hyps={})], ":2: recognisers [] are not those of line 1", id="hyps"),
        pytest.param([LINE, 3], ':2: no str under "id"', id="number"),
    ],
)
def test_bad_file_is_one_line_with_its_place(tmp_path: Path, lines: list[Any], found: str) -> None:
    path = write_lines(tmp_path / "x.jsonl", lines)
    with pytest.raises(SpnerError) as error:
        read_msner(path)
    assert str(error.value) == (
        f"{path}{found} (expected one utterance of MSNER with its hypotheses as a JSON object); get the file anew"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "holds no utterance", id="empty"),
        pytest.param(b"{\n", ":1: Expecting property name", id="no JSON"),
        pytest.param(b"[" * 100_000 + b"\n", ":1: maximum recursion depth", id="too deep"),
        pytest.param(b"\xff\n", ":1: is not valid UTF-8", id="no UTF-8"),
    ],
)
def test_file_that_is_not_json_lines_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(SpnerError, match=re.escape(message)):
        read_msner(path)


def test_folds_are_whole_sessions_of_about_equal_size() -> None:
    sizes = {"20200101": 5, "20200102": 3, "20200103": 2, "20200104": 2}
    recordings = [recording(session, number) for session, size in sizes.items() for number in range(size)]
    assert assign_folds(recordings, 2) == {"20200101": 0, "20200102": 1, "20200103": 1, "20200104": 0}
    assert assign_folds(reversed(recordings), 2) == assign_folds(recordings, 2)


@pytest.fixture
def ten_sessions() -> list[Recording]:
    """Return two utterances in each of ten sessions; their only word is the session's own."""
    sessions = [f"202001{day:02}" for day in range(1, 11)]
    gold = {session: Transcript((f"W{session}",)) for session in sessions}
    return [Recording(f"{session}-{number}", gold[session], {}, True) for session in sessions for number in (1, 2)]


@pytest.mark.parametrize("fold", range(NUM_FOLDS))
def test_fold_is_trained_and_its_epoch_chosen_without_its_sessions(
    tmp_path: Path, ten_sessions: list[Recording], fold: int
) -> None:
    write_fold(fold, ten_sessions, [], tmp_path)
    texts = [read_conll(tmp_path / f"fold{fold}_{name}.conll") for name in ("train", "dev")]
    train, dev = ({word.lower() for sentence in text for word in sentence.words} for text in texts)
    fold_of = assign_folds(ten_sessions)
    held_out = {f"w{session}" for session in fold_of if fold_of[session] == fold}
    assert (len(train), len(dev), len(held_out)) == (6, 2, 2)
    assert len(train | dev | held_out) == 10


@pytest.mark.parametrize("num_taggers", [1, NUM_FOLDS])
def test_held_out_utterances_are_tagged_by_the_tagger_of_their_fold(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, num_taggers: int
) -> None:
    records = [line(id=f"202001{day:02}-{n}", match=float(n == 1)) for day in range(1, 11) for n in (1, 2)]
    prepare(write_lines(tmp_path / "x.jsonl", records), None, tmp_path / "data")
    monkeypatch.setattr("egs.msner_hyps.local.hyps.load_tagger", lambda name, labels: name)

    def tag_sentences(tagger: str, texts: dict[str, str], **_: Any) -> dict[str, Transcript]:
        return {utt_id: Transcript((tagger,)) for utt_id in texts}

    monkeypatch.setattr("egs.msner_hyps.local.hyps.tag_sentences", tag_sentences)
    tag(tmp_path / "data", [f"t{fold}" for fold in range(num_taggers)], tmp_path / "out")
    fold_of = assign_folds(read_msner(tmp_path / "x.jsonl"))
    everyone = {r["id"]: f"t{fold_of[r['id'][:8]] if num_taggers > 1 else 0}" for r in records}
    for source in ("transcript_cased", "low-2.0"):
        assert read_table(tmp_path / "out" / "all" / source / "text") == everyone
        certain = {utt_id: name for utt_id, name in everyone.items() if utt_id.endswith("-1")}
        assert read_table(tmp_path / "out" / "certain" / source / "text") == certain


def test_a_number_of_taggers_that_fits_no_fold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpnerError, match=re.escape("--tagger: 2 are given (expected one, or 5: one for each fold)")):
        tag(tmp_path, ["a", "b"], tmp_path)


def test_silver_text_without_a_label_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.conllu").write_text("0\tAnna\tB-PER\n1\tWien\tB-LOC\n\n")
    with pytest.raises(SpnerError, match=r"x.conllu: has no entity of ORG \(expected PER, ORG, LOC\); give more text"):
        read_silver(tmp_path / "x.conllu")


def test_both_forms_normalises_words_and_moves_entities() -> None:
    cased = Transcript(("„", "Rhein-Main", "!"), (Entity(1, 2, "LOC"),))
    marks = Transcript(("!",))
    assert both_forms([cased, marks]) == [cased, marks, Transcript(("rhein", "main"), (Entity(0, 2, "LOC"),))]


def test_other_names_are_the_silver_texts_of_the_same_label() -> None:
    gold = [Transcript(("Herr", "Alt", "in", "Wien"), (Entity(1, 2, "PER"), Entity(3, 4, "LOC")))] * 50
    silver = [Transcript(("Jo", "Neu", "Bonn"), (Entity(0, 2, "PER"), Entity(2, 3, "LOC")))]
    swapped = with_other_names(gold, silver, random.Random(1))
    assert {s.phrase(e) for s in swapped for e in s.entities if e.label == "PER"} == {"Alt", "Jo Neu"}
    assert {s.phrase(e) for s in swapped for e in s.entities if e.label == "LOC"} == {"Wien", "Bonn"}


def test_conll_file_reads_back(tmp_path: Path) -> None:
    sentences = [Transcript(("Wien", ","), (Entity(0, 1, "LOC"),)), Transcript(("ja",))]
    assert read_conll(write_conll(tmp_path / "x.conll", sentences)) == sentences


def test_sources_are_both_forms_of_the_transcript_and_every_recogniser() -> None:
    assert {name: list(texts.values()) for name, texts in list_texts([parse_recording(LINE)]).items()} == {
        "transcript_cased": ["Frau Zoë Beispiel , die EU hat 27 Länder ."],
        "transcript_speech_form": ["frau zoë beispiel die eu hat 27 länder"],
        "loud_1b": ["Frau Zoë Beispiel, die EU hat 27 Länder."],
        "low-2.0": ["frau zoe beispiel die eu hat"],
    }


def test_utterances_with_digits_are_left_out(tmp_path: Path) -> None:
    hyps = {"loud_1b": "Ja.", "low-2.0": "ja gut"}
    without = line(input=["Ja", " gut"], annotation=[], hyps=hyps)
    in_hyp = line(id="20200131-2", input=["Ja", " zwei"], annotation=[], hyps=hyps | {"loud_1b": "Ja, 2"})
    in_ref = line(id="20200131-3", input=["Ja", " 2"], annotation=[], hyps=hyps)
    uncertain = line(id="20200131-4", input=["Ja", " drei"], annotation=[], hyps=hyps, match=0.9)
    records = [in_hyp, without, in_ref, uncertain]
    prepare(write_lines(tmp_path / "x.jsonl", records), None, tmp_path / "data")
    assert format_wer_without_digits(tmp_path / "data") == (
        "WER of the 1 utterances without digits on either side: loud_1b 50.0, low-2.0 0.0"
    )


def scores_of_a_system() -> dict[str, Any]:
    prf = {"precision": 0.75, "recall": 0.5, "f1": 0.6}
    return {
        "wer": {"rate": 0.123},
        "cer": {"rate": 0.05},
        "eer": {"rate": 0.4},
        "f1": {"micro": prf, "labels": {"PER": {"f1": 0.1}, "ORG": {"f1": 0.2}, "LOC": {"f1": 0.3}}},
        "label_f1": {"micro": {"f1": 0.7}},
        "ci95": {"wer": [0.11, 0.1349], "f1": [0.5, 0.7]},
    }


def test_pipeline_table() -> None:
    assert format_pipeline({"low-2.0": scores_of_a_system()}) == [
        "| recogniser | WER [95 %] | CER | EER | F1 [95 %] | P | R | label-F1 |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        "| low-2.0 | 12.3 [11.0, 13.5] | 5.0 | 40.0 | 60.0 [50.0, 70.0] | 75.0 | 50.0 | 70.0 |",
    ]


def test_quality_table() -> None:
    both = {"transcript_cased": scores_of_a_system(), "transcript_speech_form": scores_of_a_system()}
    header, rule, cased, speech = format_quality({"silver": both})
    assert header == "| tagger | text | F1 [95 %] | P | R | label-F1 | PER | ORG | LOC |"
    assert rule.count("|") == header.count("|") == cased.count("|") == speech.count("|")
    assert cased == (
        "| silver text only | transcript_cased | 60.0 [50.0, 70.0] | 75.0 | 50.0 | 70.0 | 10.0 | 20.0 | 30.0 |"
    )


def run_recipe(recipe: Path, *options: str, environment: str = sys.prefix) -> str:
    """Run the recipe and return what it prints."""
    variables = {**os.environ, "VIRTUAL_ENV": environment}
    done = subprocess.run([recipe / "run.sh", *options], env=variables, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.espnet
def test_one_command_tags_and_scores_with_any_tagger(repo_root: Path, tmp_path: Path) -> None:
    recipe = copy_checkout(repo_root, tmp_path).parent / "msner_hyps"
    hyps = {"loud_1b": LINE["hyps"]["loud_1b"], "low-2.0": "frau"}
    records = [line(id=f"202001{day:02}-1", hyps=hyps, match=float(day < 4)) for day in range(1, 6)]
    sentence = Transcript(
        ("Anna", "vom", "TÜV", "Wien"), (Entity(0, 1, "PER"), Entity(2, 3, "ORG"), Entity(3, 4, "LOC"))
    )
    columns = write_conll(tmp_path / "x.conll", [sentence] * 20)
    train_tagger(tmp_path / "my_tagger", train=[columns], labels=LabelSet(), epochs=1)
    given = ("--hyps", str(write_lines(tmp_path / "x.jsonl", records)), "--tagger", str(tmp_path / "my_tagger"))
    printed = run_recipe(recipe, *given)
    tables = (recipe / "exp" / "RESULTS.md").read_text(encoding="utf-8")
    assert tables.removeprefix("# exp\n\n") in printed
    assert "Taggers on the true transcripts, 5 utterances:" in tables and "| my_tagger | transcript_cased | " in tables
    assert "Pipelines, 3 utterances, tagger: my_tagger" in tables
    rates = ("0.0", "0.0", "0.0", "87.5")  # "frau" alone: 7 of 8 words are missing
    rows = re.findall(r"^\| (\S+) \| ([\d.]+) \[", tables, re.MULTILINE)
    assert rows == list(zip(("transcript_cased", "transcript_speech_form", "loud_1b", "low-2.0"), rates, strict=True))
    assert not (recipe / "data" / "conll").exists()


def test_the_own_tagger_is_trained_as_the_results_say(
    repo_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10 epochs on silver, and 5 at 5e-4 from there on each fold's gold, on one thread; no training runs here."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    recipe = copy_checkout(repo_root, tmp_path).parent / "msner_hyps"
    for name, text in {
        "tools/setup.sh": 'echo "$(dirname "$0")/../bin"',
        "bin/python": "echo threads: $OMP_NUM_THREADS",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    printed = run_recipe(recipe, "--hyps", "h.jsonl", "--silver", "s.conllu")
    commands = [shlex.split(line)[1:] for line in printed.splitlines() if line.startswith("+ ")]
    assert printed.splitlines().count("threads: 1") == len(commands)
    trainings = [words[2:] for words in commands if words[1] == "train-tagger"]
    text = ["--train", "data/conll/{}_train.conll", "--dev", "data/conll/{}_dev.conll", "--out", "exp/tagger/{}"]
    first = [word.format("silver") for word in text] + ["--epochs", "10", "--seed", "1"]
    own = ["--model", "exp/tagger/silver", "--epochs", "5", "--learning_rate", "5e-4", "--seed", "1"]
    assert trainings == [first, *([word.format(f"fold{fold}") for word in text] + own for fold in range(5))]
    folds = [word for fold in range(5) for word in ("--tagger", f"exp/tagger/fold{fold}")]
    assert ["hyps.py", "tag", "--data", "data", *folds, "--out", "exp/crossval"] in commands
    assert commands[-1] == ["hyps.py", "score", "--data", "data", "--exp", "exp", "silver", "crossval"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "--hyps is missing: JSON lines of MSNER's German test set with hypotheses"),
        (("--hyps", "h"), "--silver is missing: text for --tagger own to learn from"),
        (("--hyp", "h"), "no option --hyp; --help lists them"),
        (("--hyps", "--silver", "s"), "option --hyps needs a value"),
        (("--stage", "all"), "--stage all --stop_stage 4: expected 1 to 9"),
    ],
)
def test_wrong_options_are_one_line(repo_root: Path, options: tuple[str, ...], message: str) -> None:
    command, variables = (
        [repo_root / "egs" / "msner_hyps" / "run.sh", *options],
        {**os.environ, "VIRTUAL_ENV": sys.prefix},
    )
    done = subprocess.run(command, env=variables, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"msner_hyps/run.sh: error: {message}\n")


def test_counts_of_the_german_test_set(shared_data: Path) -> None:
    recordings = read_msner(
        shared_data / "spoken_ner_gold" / "msner_de_hyps" / "transcript-de-test-ann-combined-v1.jsonl"
    )
    assert len(recordings) == 1966
    assert sum(recording.is_certain for recording in recordings) == 1747
    for side in ("gold", "ref"):
        labels = Counter(entity.label for recording in recordings for entity in getattr(recording, side).entities)
        assert labels == {"PER": 123, "ORG": 622, "LOC": 403}
    assert all(len(recording.hyps) == 8 for recording in recordings)
    sizes = Counter(assign_folds(recordings)[recording.session] for recording in recordings)
    assert set(sizes.values()) <= {393, 394}
