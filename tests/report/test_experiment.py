"""Scores and curves of a hand-made experiment folder, without ESPnet."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from spner.core import paths
from spner.core.datatypes import Entity, Transcript
from spner.core.errors import SpnerError
from spner.core.files import read_json, write_json
from spner.data.datadir import write_entities, write_labels, write_table
from spner.data.wav_scp import identify_audio
from spner.report.experiment import chosen_epochs, plot_training, score_experiment
from spner.text.label_sets import LABEL_SETS
from spner.text.labels import LabelSet
from spner.text.tags import spans_to_text

ANNA = Transcript(("anna", "slaapt"), (Entity(0, 1, "PER"),))
UTRECHT = Transcript(("naar", "utrecht"), (Entity(1, 2, "LOC"),))
UNTAGGED = Transcript(("naar", "utrecht"))
DECODED = {
    **{"search": "lm", "kind": "open", "config": "decode_lm.yaml", "beam_size": 10, "lm": "exp/mini_e2e/lm"},
    **{"lm_weight": 3.0, "word_score": 0.0, "tuned": True, "names": None, "audio": "data/mini/test", "num_utts": 2},
}
HISTORY = [
    {"epoch": 1, "train_loss": 9.0, "dev_loss": 5.0, "dev_wer": 0.5, "dev_f1": 0.3},
    {"epoch": 2, "train_loss": 6.0, "dev_loss": 4.0, "dev_wer": 0.3, "dev_f1": 0.6},
    {"epoch": 3, "train_loss": 4.0, "dev_loss": 4.5, "dev_wer": 0.3, "dev_f1": 0.5},
    {"epoch": 4, "train_loss": 3.0, "dev_loss": 4.9, "dev_wer": 0.2, "dev_f1": 0.6},
]


def config(key: str = "wer", mode: str = "min", kept: int | list[int] = 2, tokens: tuple[str, ...] = ("</NE>",)) -> Any:
    return {
        "best_model_criterion": [["valid", key, mode], ["valid", "loss", "min"]],
        "keep_nbest_models": kept,
        "seed": 7,
        "token_list": ["<blank>", *tokens, "<sos/eos>"],
    }


def write_side(folder: Path, utterances: dict[str, Transcript], *, entities: str = paths.ENTITIES) -> None:
    write_table(folder / paths.TEXT, {u: spans_to_text(a) for u, a in utterances.items()})
    write_entities(folder / entities, utterances)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Dev has pseudo-labels alone; test's miss a place that the gold entities have."""
    folder = tmp_path / "data"
    for set_name, utterances in {"dev": {"d": ANNA}, "test": {"a": ANNA, "u": UNTAGGED}}.items():
        write_side(folder / set_name, utterances)
        write_json(folder / set_name / paths.ANNOTATE_RECORD, {})
    write_entities(folder / "test" / paths.GOLD_ENTITIES, {"a": ANNA, "u": UTRECHT})
    settings = {"lang": "nl", "corpus": "corpora/mini"}
    write_json(folder / paths.REPORT, {"settings": settings, "synthetic": True, "sets": {}})
    return folder


@pytest.fixture
def exp(tmp_path: Path) -> Path:
    folder = tmp_path / "exp" / "mini_e2e"
    for set_name, hyps in {"dev": {"d": ANNA}, "test": {"a": ANNA, "u": UTRECHT}}.items():
        write_side(folder / "decode" / "lm" / set_name, hyps)
        write_json(folder / "decode" / "lm" / set_name / paths.DECODE_RECORD, {"decoded": DECODED})
    record = {
        "commit": "abc1234",
        "versions": {"espnet": "1.2"},
        "configs": ["/x/conf/a.yaml", "b.yaml"],
        "history": HISTORY,
    }
    write_json(folder / paths.TRAINING, record)
    (folder / paths.CONFIG).write_text(yaml.safe_dump(config()))
    return folder


def scores(exp: Path, name: str) -> dict[str, Any]:
    return json.loads((exp / "score" / "lm" / f"{name}.json").read_text())


def refusal(data: Path, exp: Path, sets: list[str]) -> str:
    with pytest.raises(SpnerError) as error:
        score_experiment(data, exp, sets)
    return str(error.value)


@pytest.mark.parametrize(
    ("key", "mode", "kept", "expected"),
    [
        ("wer", "min", 1, [4]),
        ("wer", "min", 2, [2, 4]),  # epochs 2 and 3 are equal: the earlier one
        ("wer", "min", 3, [2, 3, 4]),
        ("f1", "max", 1, [2]),  # epochs 2 and 4 are equal
        ("f1", "max", 3, [2, 3, 4]),
        ("loss", "min", 2, [2, 3]),
        ("wer", "min", [1, 2], [2, 4]),
        ("wer", "min", 10, [1, 2, 3, 4]),
    ],
)
def test_chosen_epochs(key: str, mode: str, kept: int | list[int], expected: list[int]) -> None:
    assert chosen_epochs(HISTORY, config(key, mode, kept)) == expected


def test_sets_are_scored_against_both_references(data: Path, exp: Path) -> None:
    printed = score_experiment(data, exp, ["dev", "test"])
    assert sorted(path.name for path in (exp / "score" / "lm").iterdir()) == [
        f"{name}{end}" for name in ("dev", "test", "test_gold") for end in (".json", ".utts.jsonl")
    ]
    pseudo, gold = scores(exp, "test"), scores(exp, "test_gold")
    assert (pseudo["num_utts"], pseudo["gold"], gold["gold"]) == (2, False, True)
    assert pseudo["f1"]["micro"] == {"precision": 0.5, "recall": 1.0, "f1": 2 / 3, "tp": 1, "fp": 1, "fn": 0}
    assert gold["f1"]["micro"]["f1"] == gold["label_f1"]["micro"]["f1"] == 1.0
    assert (gold["wer"]["rate"], gold["cer"]["rate"], gold["eer"]["rate"]) == (0.0, 0.0, 0.0)
    titles = [line for line in printed.splitlines() if line.startswith(("dev,", "test,"))]
    assert titles == ["dev, pseudo-labels", "test, pseudo-labels", "test, gold entities"]
    assert printed.endswith(f"\n\n{exp}/RESULTS.md")


def test_gold_entities_and_another_models_have_their_own_names_of_labels(data: Path, exp: Path) -> None:
    """Names that mean one of the labels are read as it, entities of others are left out; pseudo-labels as before."""
    plain = score_experiment(data, exp, ["test"])
    expected = read_json(exp / "score" / "lm" / "test_gold.json")
    here = Transcript(("naar", "utrecht"), (Entity(0, 1, "EVENT"), Entity(1, 2, "GPE")))
    write_entities(data / "test" / paths.GOLD_ENTITIES, {"a": ANNA, "u": here})
    person = Transcript(ANNA.words, (Entity(0, 1, "PERSON"),))
    write_side(exp / "decode" / "lm" / "test", {"a": person, "u": UTRECHT})
    assert score_experiment(data, exp, ["test"]) != plain
    scores = read_json(exp / "score" / "lm" / "test_gold.json")
    assert scores["f1"] == expected["f1"] and scores["confusion"] == expected["confusion"]
    assert scores["made_with"]["map"] == {"GPE": "LOC", "PERSON": "PER"} and scores["made_with"]["discard"] == ["EVENT"]
    write_labels(data, LabelSet(("PER",)))
    score_experiment(data, exp, ["test"])
    scores = read_json(exp / "score" / "lm" / "test_gold.json")
    assert scores["made_with"]["labels"] == ["PER"] and scores["made_with"]["discard"] == ["EVENT", "GPE", "LOC"]
    assert list(scores["f1"]["labels"]) == ["PER"]


def test_a_set_of_gold_entities_is_scored_against_them_alone(data: Path, exp: Path) -> None:
    """Where the corpus's own gold entities are those of stage 2; a tagger's are scored as before."""
    report = read_json(data / paths.REPORT)
    write_json(data / paths.REPORT, {**report, "sets": {"dev": {"entities": "silver"}, "test": {"entities": "gold"}}})
    write_json(data / "test" / paths.ANNOTATE_RECORD, {"tagger": None})
    printed = score_experiment(data, exp, ["dev", "test"])
    titles = [line for line in printed.splitlines() if line.startswith(("dev,", "test,"))]
    assert titles == ["dev, pseudo-labels", "test, gold entities"]
    results = (exp / "RESULTS.md").read_text(encoding="utf-8")
    assert "| entities of the corpus | gold in test; silver in dev |" in results
    # Silver entities of the train set tell which of the gold ones have been seen.
    write_side(data / "train", {"t": UTRECHT})
    score_experiment(data, exp, ["test"])
    assert scores(exp, "test_gold")["seen"]["labels"]["LOC"]["tp"] == 1
    write_json(data / "test" / paths.ANNOTATE_RECORD, {"tagger": "x"})
    assert "test, pseudo-labels" in score_experiment(data, exp, ["test"])


def test_a_preset_scores_the_labels_of_the_data_folder(data: Path, exp: Path) -> None:
    words = ("anna", "'s", "utrecht's")
    write_entities(data / "test" / paths.GOLD_ENTITIES, {"a": Transcript(words, (Entity(0, 1, "PER"),)), "u": UTRECHT})
    write_side(exp / "decode" / "lm" / "test", {"a": Transcript(("anna's", "utrecht", "'s")), "u": UTRECHT})
    write_labels(data, LABEL_SETS["slue"])
    score_experiment(data, exp, ["test"], preset="slue")
    gold = scores(exp, "test_gold")
    assert gold["made_with"]["labels"] == list(LABEL_SETS["slue"].names) and "split:'s" in gold["signature"]
    assert gold["wer"]["rate"] == 0 and gold["f1"]["labels"]["PLACE"]["tp"] == gold["f1"]["labels"]["PERSON"]["fn"] == 1


def test_entities_seen_in_training_are_told_apart(data: Path, exp: Path) -> None:
    score_experiment(data, exp, ["test"])
    assert scores(exp, "test")["seen"] is None
    write_side(data / "train", {"t": ANNA})
    write_entities(data / "train" / paths.GOLD_ENTITIES, {"t": UTRECHT})
    score_experiment(data, exp, ["test"])
    pseudo, gold = scores(exp, "test"), scores(exp, "test_gold")
    assert (pseudo["seen"]["micro"]["tp"], pseudo["unseen"]["micro"]["fp"]) == (1, 1)
    assert list(gold["seen"]["labels"]["LOC"].values())[3:] == [1, 0, 0]
    assert gold["unseen"]["labels"]["PER"]["tp"] == 1


def test_scores_carry_what_was_scored(data: Path, exp: Path) -> None:
    score_experiment(data, exp, ["dev"])
    made_with = scores(exp, "dev")["made_with"]
    assert (made_with["lang"], made_with["ref"]) == ("nl", str(data / "dev"))
    assert (made_with["experiment"]["synthetic"], made_with["experiment"]["commit"]) == (True, "abc1234")


def test_results_tell_what_made_them(data: Path, exp: Path) -> None:
    score_experiment(data, exp, ["dev", "test"])
    results = (exp / paths.RESULTS).read_text()
    assert "speech is synthetic" in results
    for fact in ("corpora/mini", "e2e", "a.yaml, b.yaml", "7", "abc1234", "espnet 1.2", "valid.wer.ave.pth"):
        assert f"{fact}" in results.split("| made with |")[1]
    assert "mean of the epochs with the lowest dev untagged WER: 2, 4" in results
    assert "test (gold): the references are true entities" in results
    assert "test (pseudo-labels): the references are a tagger's pseudo-labels" in results


def test_results_of_another_system(data: Path, exp: Path) -> None:
    (exp / paths.CONFIG).write_text(yaml.safe_dump(config("f1", "max", 1, tokens=())))
    score_experiment(data, exp, ["test"])
    results = (exp / paths.RESULTS).read_text()
    assert "highest dev entity F1: 2" in results and "| asr |" in results and "valid.f1.ave.pth" in results


def test_results_of_an_epoch_chosen_with_its_symbols(data: Path, exp: Path) -> None:
    """As the paper's training does: tagged WER chooses another epoch than untagged."""
    record = json.loads((exp / paths.TRAINING).read_text())
    for epoch, tagged in zip(record["history"], (0.6, 0.5, 0.4, 0.7), strict=True):
        epoch["dev_wer_tagged"] = tagged
    write_json(exp / paths.TRAINING, record)
    (exp / paths.CONFIG).write_text(yaml.safe_dump(config("wer_tagged", "min", 1)))
    plot_training(exp)
    score_experiment(data, exp, ["test"])
    assert "lowest dev tagged WER: 3" in (exp / paths.RESULTS).read_text()


def test_again_gives_the_same_bytes(data: Path, exp: Path) -> None:
    files = []
    for _ in range(2):
        score_experiment(data, exp, ["dev", "test"])
        files.append({path: path.read_bytes() for path in exp.rglob("*") if path.is_file()})
    assert files[0] == files[1]


def test_stages_before_are_named(data: Path, exp: Path, tmp_path: Path) -> None:
    (data / "dev" / paths.ENTITIES).unlink()
    assert refusal(data, exp, ["dev"]).endswith("stage 2 (spner annotate) makes it")
    (exp / "decode" / "lm" / "test" / paths.TEXT).unlink()
    assert refusal(data, exp, ["test"]).endswith("stage 5 (spner decode, spner pipeline) makes it")
    (exp / paths.TRAINING).unlink()
    assert refusal(data, exp, ["test"]) == f"{exp}: holds no finished training; stage 4 makes it"
    (data / paths.REPORT).unlink()
    assert refusal(data, exp, ["dev"]) == f"{data}: holds no finished data; stage 1 makes it"


def test_curves_of_a_training(exp: Path, tmp_path: Path) -> None:
    plot_training(exp)
    assert (exp / paths.CURVES).read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SpnerError, match="holds no finished training; stage 4 makes it"):
        plot_training(tmp_path)


def decode_greedily(exp: Path, hyps: dict[str, Transcript]) -> None:
    write_side(exp / "decode" / "greedy" / "test", hyps)
    record = {"decoded": {"search": "greedy", "kind": "greedy", "audio": "data/mini/test", "num_utts": 2}}
    write_json(exp / "decode" / "greedy" / "test" / paths.DECODE_RECORD, record)


def test_searches_have_scores_of_their_own_and_every_table_says_how_it_was_decoded(data: Path, exp: Path) -> None:
    score_experiment(data, exp, ["test"])
    before = (exp / "score" / "lm" / "test.json").read_bytes()
    decode_greedily(exp, {"a": ANNA, "u": UNTAGGED})
    printed = score_experiment(data, exp, ["test"], "greedy")
    assert "decoded by greedy search" in printed and "language model" not in printed
    assert (exp / "score" / "lm" / "test.json").read_bytes() == before
    results = (exp / paths.RESULTS).read_text()
    rows = [line.split(" | ")[:2] for line in results.splitlines() if line.startswith("| test")]
    assert rows == [[f"| test ({refs})", search] for refs in ("pseudo-labels", "gold") for search in ("greedy", "lm")]
    assert "- greedy: greedy search\n" in results
    assert (
        "- lm: open beam search of 10 (decode_lm.yaml), language model exp/mini_e2e/lm, lm_weight 3 (tuned on dev)\n"
    ) in results
    assert "open beam search" in score_experiment(data, exp, ["test"])


def test_scores_older_than_their_hypotheses_are_told(data: Path, exp: Path) -> None:
    decode_greedily(exp, {"a": ANNA, "u": UNTAGGED})
    score_experiment(data, exp, ["test"])
    assert "older" not in (exp / paths.RESULTS).read_text()
    write_side(exp / "decode" / "lm" / "test", {"a": ANNA, "u": UNTAGGED})
    score_experiment(data, exp, ["test"], "greedy")
    results = (exp / paths.RESULTS).read_text()
    older = "**these scores are older than the hypotheses that are there now; run stage 6.**"
    assert [line for line in results.splitlines() if "older" in line] == [
        f"- test ({refs}), lm: {older}" for refs in ("pseudo-labels", "gold")
    ]
    score_experiment(data, exp, ["test"])
    assert "older" not in (exp / paths.RESULTS).read_text()


def test_hypotheses_of_other_audio_than_the_references_are_not_scored(data: Path, exp: Path) -> None:
    """Stage 1 was run again, on another corpus: the ids differ, and no empty line would mend that."""
    write_table(data / "test" / paths.WAV_SCP, {"a": "a.ark:0", "u": "a.ark:9"})
    write_table(data / "test" / paths.UTT2DUR, {"a": "1.0", "u": "1.0"})
    record = exp / "decode" / "lm" / "test" / paths.DECODE_RECORD
    write_json(record, {"decoded": DECODED, "audio": identify_audio(data / "test")})
    assert score_experiment(data, exp, ["test"])
    write_table(data / "test" / paths.UTT2DUR, {"a": "1.0", "u": "2.0"})
    assert refusal(data, exp, ["test"]) == (
        f"{exp}/decode/lm/test: holds hypotheses of other audio than {data}/test holds now; remove the folder and "
        "rerun stage 5, or give the data folder that was decoded"
    )


def test_a_set_that_one_of_the_searches_lacks_is_named(data: Path, exp: Path) -> None:
    decode_greedily(exp, {"a": ANNA, "u": UNTAGGED})
    assert "decode/greedy/dev: no such file or folder" in refusal(data, exp, ["dev"])
    assert score_experiment(data, exp, ["dev"], "lm")
