"""Hypotheses through a tagger: words stay, entities and their times come."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from spner.core import paths
from spner.core.datatypes import Entity, Timing, Transcript
from spner.core.errors import SpnerError
from spner.core.files import read_json, write_json
from spner.data.datadir import read_entities, read_records, read_table, read_timed_entities, write_entities, write_table
from spner.decode import pipeline
from spner.decode.calibrate import calibrate_sets
from spner.decode.pipeline import tag_sets, time_entities
from spner.report.experiment import score_experiment
from spner.text.labels import LabelSet
from spner.text.tags import spans_to_text

TAGS = {"anna": "B-PER", "den": "B-LOC", "haag": "I-LOC", "pasen": "B-MISC"}
DECODED = {"search": "greedy", "kind": "greedy", "audio": "data/test", "num_utts": 3}
WORDS = {"a": "anna reist naar den haag", "b": "met pasen", "c": ""}
TIMES = {"a": [0.1, 0.5, 0.9, 1.2, 1.4, 2.0], "b": [0.0, 0.3, 1.0], "c": [0.0]}
CONFIDENCES = {"a": (0.9, 0.8, 0.7, 0.9, 0.4), "b": (0.5, 0.5), "c": ()}


class Lookup:
    """A tagger that knows its words by heart."""

    def predict(self, sentences: Sequence[Sequence[str]], *, batch_tokens: int) -> list[list[str]]:
        return [[TAGS.get(word, "O") for word in words] for words in sentences]


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The taggers that were loaded."""
    names: list[str] = []
    monkeypatch.setattr(pipeline, "load_tagger", lambda name, *, labels, device: names.append(name) or Lookup())
    monkeypatch.setattr(pipeline, "fingerprint_model", lambda name: f"weights of {name}")
    return names


def timing(utt_id: str) -> Timing:
    starts = TIMES[utt_id]
    return Timing(tuple(zip(starts[:-1], starts[1:], strict=True)), CONFIDENCES[utt_id], ())


def write_decoded(asr: Path, set_name: str, **record: Any) -> None:
    folder = paths.decode_dir(asr, "greedy", set_name)
    transcript = {utt_id: Transcript(tuple(text.split())) for utt_id, text in WORDS.items()}
    write_entities(folder / paths.ENTITIES, transcript, {u: timing(u) for u in ("a", "b")})  # c has too few frames
    fixed = {"model": "m", "search": None, "audio": None, "decoded": DECODED}
    write_json(folder / paths.DECODE_RECORD, {**fixed, **record})


@pytest.fixture
def asr(tmp_path: Path) -> Path:
    for set_name in ("dev", "test"):
        write_decoded(tmp_path / "exp" / "mini_asr", set_name)
    return tmp_path / "exp" / "mini_asr"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """References in which Anna is right, and Den Haag an ORG."""
    refs = {
        "a": Transcript(tuple(WORDS["a"].split()), (Entity(0, 1, "PER"), Entity(3, 5, "ORG"))),
        "b": Transcript(("met", "pasen")),
        "c": Transcript(("ja",)),
    }
    for set_name in ("dev", "test"):
        folder = tmp_path / "data" / set_name
        write_table(folder / paths.TEXT, {u: " ".join(a.words) for u, a in refs.items()})
        write_entities(folder / paths.ENTITIES, refs)
        write_json(folder / paths.ANNOTATE_RECORD, {})
    write_json(
        tmp_path / "data" / paths.REPORT, {"settings": {"lang": "nl", "corpus": "c"}, "synthetic": False, "sets": {}}
    )
    return tmp_path / "data"


def test_entities_come_with_their_words_times(asr: Path, tmp_path: Path) -> None:
    exp = tmp_path / "exp" / "mini_pipeline"
    tag_sets(asr, exp, ["test", "dev"], tagger="t", labels=LabelSet())
    folder = paths.decode_dir(exp, "greedy", "test")
    expected = Transcript(tuple(WORDS["a"].split()), (Entity(0, 1, "PER"), Entity(3, 5, "LOC")))
    assert read_entities(folder / paths.ENTITIES) == {
        "a": expected,
        "b": Transcript(("met", "pasen")),
        "c": Transcript(()),
    }
    assert read_table(folder / paths.TEXT) == {"a": spans_to_text(expected), "b": "met pasen", "c": ""}
    records = {record["utt_id"]: record for _, record in read_records(folder / paths.ENTITIES)}
    assert [(e["start_s"], e["end_s"]) for e in records["a"]["entities"]] == [(0.1, 0.5), (1.2, 2.0)]
    assert "word_times" not in records["c"]
    found = read_timed_entities(folder / paths.ENTITIES)[1]
    assert [found[u].word_times for u in ("a", "b")] == [timing(u).word_times for u in ("a", "b")]
    assert not paths.calibration_file(exp, "greedy").exists(), "tagging looks at no reference"
    assert read_json(exp / paths.SYSTEM) == {"model": str(asr), "tagger": "t"}


def test_an_entity_is_as_sure_as_the_geometric_mean_of_its_words() -> None:
    transcript = Transcript(tuple(WORDS["a"].split()), (Entity(0, 1, "PER"), Entity(3, 5, "LOC")))
    assert time_entities(transcript, timing("a")).entity_confidences == pytest.approx((0.9, 0.6))
    surely_wrong = Timing(((0.0, 1.0),), (0.0,), ())
    assert time_entities(Transcript(("a",), (Entity(0, 1, "PER"),)), surely_wrong).entity_confidences == (0.0,)


def test_what_is_tagged_already_is_left(asr: Path, tmp_path: Path, loaded: list[str]) -> None:
    exp = tmp_path / "exp" / "mini_pipeline"

    def tag(tagger: str) -> dict[Path, bytes]:
        tag_sets(asr, exp, ["dev", "test"], tagger=tagger, labels=LabelSet())
        return {path: path.read_bytes() for path in exp.rglob("*") if path.is_file()}

    assert tag("t") == tag("t")
    assert loaded == ["t"]
    tag("another")
    assert loaded == ["t", "another"]
    write_table(paths.decode_dir(asr, "greedy", "test") / paths.TEXT, {})  # not what is read
    tag("another")
    write_entities(paths.decode_dir(asr, "greedy", "test") / paths.ENTITIES, {"a": Transcript(("anna",))})
    tag("another")
    assert loaded == ["t", "another", "another"]
    assert read_table(paths.decode_dir(exp, "greedy", "test") / paths.TEXT) == {"a": "<PER> anna </NE>"}


def test_confidences_are_calibrated_where_recogniser_search_and_tagger_are_devs(
    data: Path, asr: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exp = tmp_path / "exp" / "mini_pipeline"
    tag_sets(asr, exp, ["dev", "test"], tagger="t", labels=LabelSet())
    caplog.clear()
    calibrate_sets(data, exp, "greedy")
    assert caplog.messages == []
    changes: list[dict[str, Any]] = [{"model": "n"}, {"search": {"beam_size": 10}}]
    for change in changes:
        write_decoded(asr, "test", **change)
        tag_sets(asr, exp, ["test"], tagger="t", labels=LabelSet())
        calibrate_sets(data, exp, "greedy")
    tag_sets(asr, exp, ["dev"], tagger="another", labels=LabelSet())
    write_decoded(asr, "test")
    tag_sets(asr, exp, ["test"], tagger="t", labels=LabelSet())
    calibrate_sets(data, exp, "greedy")
    assert [message.split(":")[0] for message in caplog.messages if "raw" in message] == ["test"] * 3


def refusal(asr: Path, exp: Path) -> str:
    with pytest.raises(SpnerError) as error:
        tag_sets(asr, exp, ["dev"], tagger="t", labels=LabelSet())
    return str(error.value)


def test_a_folder_of_something_else_is_refused(asr: Path, tmp_path: Path) -> None:
    exp = tmp_path / "exp" / "x"
    write_json(exp / paths.SYSTEM, {"model": "../cv_de/exp/x"})
    assert refusal(asr, exp) == f"{exp}: holds hypotheses of --model ../cv_de/exp/x; give that, or another --tag"


def test_a_set_that_is_not_decoded_names_the_stage(asr: Path, tmp_path: Path) -> None:
    (paths.decode_dir(asr, "greedy", "dev") / paths.DECODE_RECORD).unlink()
    assert refusal(asr, tmp_path / "exp" / "x") == (
        f"{asr}/decode/greedy/dev: holds no finished hypotheses; stage 5 (spner decode) makes them"
    )


def write_training(exp: Path, *, tokens: Sequence[str] = (), **record: Any) -> None:
    epoch = {"epoch": 1, "train_loss": 9.0, "dev_loss": 5.0, "dev_wer": 0.5, "dev_f1": 0.3}
    base = {"commit": "abc1234", "versions": {}, "configs": ["conf/a.yaml"], "history": [epoch]}
    write_json(exp / paths.TRAINING, base | record)
    config = {
        "best_model_criterion": [["valid", "wer", "min"]],
        "keep_nbest_models": 1,
        "seed": 1,
        "token_list": ["<blank>", *tokens],
    }
    (exp / paths.CONFIG).write_text(yaml.safe_dump(config))


def test_results_tell_model_and_tagger(data: Path, asr: Path, tmp_path: Path) -> None:
    """The recogniser of the pipeline was itself trained elsewhere, from another one, on a part of its data."""
    german = tmp_path / "cv_de" / "exp" / "mini_asr"
    part = {"data": "data/mini", "chosen": {"utterances": 2, "hours": 0.5}, "whole": {"utterances": 8, "hours": 2.0}}
    write_training(german, train=[part], init="../cv_en/exp/mini_asr")
    write_json(asr / paths.SYSTEM, {"model": str(german)})
    exp = tmp_path / "exp" / "mini_pipeline"
    tag_sets(asr, exp, ["dev", "test"], tagger="t", labels=LabelSet())
    score_experiment(data, exp, ["test"])
    table = (exp / paths.RESULTS).read_text().split("| made with |")[1]
    for row in (
        "system | pipeline",
        f"model | {german}",
        "tagger | t",
        "tagger learnt from | not known: no train.json of spner train-tagger",
        "began with | ../cv_en/exp/mini_asr",
        "trained on | data/mini: 2 of 8 utterances, 0.50 of 2.00 h (25%)",
    ):
        assert f"| {row} |" in table
    scores = read_json(paths.score_file(exp, "greedy", "test"))
    assert scores["f1"]["micro"]["tp"] == 1
    assert scores["made_with"]["experiment"]["facts"]["tagger"] == "t"


def test_results_of_a_zero_shot_decoding_tell_the_model(data: Path, asr: Path, tmp_path: Path) -> None:
    german = tmp_path / "cv_de" / "exp" / "mini_e2e"
    write_training(german, tokens=["</NE>"])
    write_json(asr / paths.SYSTEM, {"model": str(german)})
    write_table(paths.decode_dir(asr, "greedy", "test") / paths.TEXT, WORDS)
    score_experiment(data, asr, ["test"])
    table = (asr / paths.RESULTS).read_text().split("| made with |")[1]
    assert f"| model | {german} |" in table and "| system | e2e |" in table and "tagger" not in table
