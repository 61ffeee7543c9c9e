"""Dev calibrates every decoded set: what is fitted, what is written, and when confidences stay as they are."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from spner.core import paths
from spner.core.datatypes import Entity, Timing, Transcript
from spner.core.errors import SpnerError
from spner.core.files import read_json, write_json
from spner.data.datadir import read_timed_entities, write_entities
from spner.decode.calibrate import calibrate_searches, calibrate_sets, format_fitted
from spner.decode.hypotheses import Hypotheses, write_once
from spner.text.tags import spans_to_text

REFS = {f"u{i}": Transcript(("in", "delft"), (Entity(1, 2, "LOC"),)) for i in range(40)}
# Every second utterance is wrong, and less sure.
HYPS = {u: REFS[u] if i % 2 else Transcript(("in", "elf"), (Entity(1, 2, "LOC"),)) for i, u in enumerate(REFS)}
RAW = {u: Timing(((0.0, 0.2), (0.2, 0.8)), (0.9, 0.9), (0.9 if i % 2 else 0.6,)) for i, u in enumerate(REFS)}
SEARCH = "lm"
SYSTEM = {"model": "m", "search": {"beam_size": 10}}


def write_set(
    exp: Path, set_name: str, raw: dict[str, Timing] = RAW, *, hyps: dict[str, Transcript] = HYPS, **record: Any
) -> Path:
    """Write the hypotheses of a set as decoding does, and return its folder."""
    decoded = Hypotheses({utt_id: spans_to_text(one) for utt_id, one in hyps.items()}, hyps, raw)
    folder = paths.decode_dir(exp, SEARCH, set_name)
    (folder / paths.DECODE_RECORD).unlink(missing_ok=True)
    write_once(folder, {**SYSTEM, "audio": set_name, **record}, lambda: decoded, decoded={})
    return folder


def read_confidences(exp: Path, set_name: str) -> dict[str, Timing]:
    return read_timed_entities(paths.decode_dir(exp, SEARCH, set_name) / paths.ENTITIES)[1]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_entities(tmp_path / "data" / paths.DEV / paths.GOLD_ENTITIES, REFS)
    return tmp_path / "data"


@pytest.fixture
def exp(tmp_path: Path) -> Path:
    """An experiment with decoded dev and test."""
    for set_name in (paths.DEV, paths.TEST):
        write_set(tmp_path / "exp", set_name)
    return tmp_path / "exp"


def test_dev_fits_and_every_set_gets_chances_of_being_right(data: Path, exp: Path) -> None:
    fitted = calibrate_sets(data, exp, SEARCH)
    for set_name in (paths.DEV, paths.TEST):
        found = read_confidences(exp, set_name)
        assert found["u0"].word_times == RAW["u0"].word_times
        assert found["u0"].entity_confidences[0] < 0.1 and found["u1"].entity_confidences[0] > 0.9
        assert found["u0"].word_confidences[0] == pytest.approx(0.75, abs=0.01)  # three of four words are right
    assert fitted == read_json(paths.calibration_file(exp, SEARCH))
    assert fitted["references"] == paths.GOLD_ENTITIES and fitted["num_utts"] == 40
    assert (fitted["words"]["num"], fitted["words"]["right"]) == (80, 60)
    assert (fitted["entities"]["num"], fitted["entities"]["right"]) == (40, 20)
    assert fitted["entities"]["ece"] < fitted["entities"]["ece_raw"]
    assert format_fitted(fitted).startswith("calibrated on dev, 40 utterances, gold_entities.jsonl: calibration error")
    assert format_fitted({**fitted, "words": {"num": 0}, "entities": {"num": 0}}).endswith("of no words")


def test_a_second_run_and_one_after_a_stopped_run_change_nothing(data: Path, exp: Path) -> None:
    calibrate_sets(data, exp, SEARCH)
    finished = {path: path.read_bytes() for path in exp.rglob("*") if path.is_file()}
    calibrate_sets(data, exp, SEARCH)
    assert {path: path.read_bytes() for path in exp.rglob("*") if path.is_file()} == finished
    write_set(exp, paths.TEST)  # as a run that was stopped after dev leaves it
    paths.calibration_file(exp, SEARCH).unlink()
    calibrate_sets(data, exp, SEARCH)
    assert {path: path.read_bytes() for path in exp.rglob("*") if path.is_file()} == finished


def test_raw_confidences_are_fitted_as_they_were_decoded_not_as_they_were_rounded(data: Path, exp: Path) -> None:
    folder = write_set(exp, paths.DEV, {u: Timing(t.word_times, (1 - 2e-5, 0.5), (0.5,)) for u, t in RAW.items()})
    assert read_confidences(exp, paths.DEV)["u0"].word_confidences == (1.0, 0.5)
    first = json.loads((folder / paths.RAW_CONFIDENCES).read_text().splitlines()[0])
    assert first == {"utt_id": "u0", "words": [1 - 2e-5, 0.5], "entities": [0.5]}
    rounded = {u: Timing(t.word_times, (1.0, 0.5), (0.5,)) for u, t in RAW.items()}
    exact = calibrate_sets(data, exp, SEARCH)
    write_set(exp, paths.DEV, rounded)
    assert calibrate_sets(data, exp, SEARCH)["words"]["slope"] != pytest.approx(exact["words"]["slope"], rel=0.01)


def test_pseudo_labels_judge_dev_where_there_is_no_gold(data: Path, exp: Path) -> None:
    gold = data / paths.DEV / paths.GOLD_ENTITIES
    gold.rename(gold.with_name(paths.ENTITIES))
    assert calibrate_sets(data, exp, SEARCH)["references"] == paths.ENTITIES


def test_gold_entities_judge_dev_where_pseudo_labels_lie_beside_them(data: Path, exp: Path) -> None:
    write_entities(data / paths.DEV / paths.ENTITIES, HYPS)
    fitted = calibrate_sets(data, exp, SEARCH)
    assert fitted["references"] == paths.GOLD_ENTITIES and fitted["entities"]["right"] == 20


def test_the_hypotheses_are_judged_and_not_the_references(data: Path, exp: Path) -> None:
    """A word and an entity too many are wrong ones; one that is missing is none."""
    more = Transcript(("in", "het", "delft"), (Entity(0, 1, "PER"), Entity(2, 3, "LOC")))
    less = Transcript(("in",))
    hyps = {u: more if i % 2 else less for i, u in enumerate(REFS)}
    times = ((0.0, 0.2), (0.2, 0.4), (0.4, 0.8))
    raw = {
        u: Timing(times[: len(hyp.words)], (0.9, 0.3, 0.9)[: len(hyp.words)], (0.3, 0.9)[: len(hyp.entities)])
        for u, hyp in hyps.items()
    }
    write_set(exp, paths.DEV, raw, hyps=hyps)
    fitted = calibrate_sets(data, exp, SEARCH)
    assert (fitted["words"]["num"], fitted["words"]["right"]) == (20 * 3 + 20, 20 * 2 + 20)
    assert (fitted["entities"]["num"], fitted["entities"]["right"]) == (20 * 2, 20)
    found = read_confidences(exp, paths.DEV)["u1"]
    assert found.word_confidences[1] < 0.1 < 0.9 < found.word_confidences[2]
    assert found.entity_confidences[0] < 0.1 < 0.9 < found.entity_confidences[1]


def test_changed_references_of_dev_calibrate_every_set_anew(data: Path, exp: Path) -> None:
    calibrate_sets(data, exp, SEARCH)
    write_entities(data / paths.DEV / paths.GOLD_ENTITIES, HYPS)  # now every word is right
    calibrate_sets(data, exp, SEARCH)
    for set_name in (paths.DEV, paths.TEST):
        assert read_confidences(exp, set_name)["u0"].word_confidences[0] > 0.98


@pytest.mark.parametrize(
    "record", [{"model": "n"}, {"search": None}, {"search": {"beam_size": 20}}, {"tagger": "t"}, {"weights": "w"}]
)
def test_a_set_of_another_system_than_devs_gets_its_raw_confidences(
    data: Path, exp: Path, caplog: pytest.LogCaptureFixture, record: dict[str, Any]
) -> None:
    calibrate_sets(data, exp, SEARCH)
    record_file = paths.decode_dir(exp, SEARCH, paths.TEST) / paths.DECODE_RECORD
    write_json(record_file, read_json(record_file) | record)
    with caplog.at_level(logging.WARNING):
        calibrate_sets(data, exp, SEARCH)
    assert caplog.messages == [
        "test: another model or search than dev's decoded it; its confidences are raw until both are decoded alike"
    ]
    assert read_confidences(exp, paths.TEST) == RAW and read_confidences(exp, paths.DEV) != RAW


def test_without_dev_confidences_stay_as_they_are(data: Path, exp: Path, caplog: pytest.LogCaptureFixture) -> None:
    (paths.decode_dir(exp, SEARCH, paths.DEV) / paths.DECODE_RECORD).unlink()
    with caplog.at_level(logging.WARNING):
        assert calibrate_sets(data, exp, SEARCH) is None
    assert caplog.messages == [
        f"{exp}/decode/lm: dev is not decoded, which calibrates the confidences; they stay as they are"
    ]
    assert read_confidences(exp, paths.TEST) == RAW


def test_a_set_whose_decoding_was_stopped_is_left_alone(data: Path, exp: Path) -> None:
    folder = paths.decode_dir(exp, SEARCH, paths.TEST)
    (folder / paths.DECODE_RECORD).unlink()
    (folder / paths.RAW_CONFIDENCES).write_text("{")
    assert calibrate_sets(data, exp, SEARCH)
    assert read_confidences(exp, paths.TEST) == RAW


def test_hypotheses_without_times_fit_nothing_and_keep_none(data: Path, exp: Path) -> None:
    write_set(exp, paths.DEV, {u: timing for u, timing in RAW.items() if u != "u0"})
    assert calibrate_sets(data, exp, SEARCH)["num_utts"] == 39
    assert read_confidences(exp, paths.DEV).keys() == RAW.keys() - {"u0"}


def test_every_search_is_calibrated_by_its_own_dev(data: Path, exp: Path) -> None:
    greedy = exp / "decode" / "greedy"
    shutil.copytree(exp / "decode" / SEARCH, greedy)
    surer = {u: Timing(t.word_times, (0.99, 0.99), t.entity_confidences) for u, t in RAW.items()}
    for set_name in (paths.DEV, paths.TEST):
        write_set(exp, set_name, surer)
    fitted = calibrate_searches(data, exp)
    assert fitted.keys() == {"greedy", SEARCH} and fitted["greedy"] != fitted[SEARCH]
    assert read_json(paths.calibration_file(exp, "greedy")) == fitted["greedy"]
    before = (greedy / paths.DEV / paths.ENTITIES).read_bytes()
    assert calibrate_searches(data, exp, SEARCH).keys() == {SEARCH}
    assert (greedy / paths.DEV / paths.ENTITIES).read_bytes() == before


def refusal(data: Path, exp: Path) -> str:
    with pytest.raises(SpnerError) as error:
        calibrate_searches(data, exp)
    return str(error.value)


def test_missing_input_names_the_stage(data: Path, exp: Path, tmp_path: Path) -> None:
    decode = "stage 5 (spner decode, spner pipeline)"
    assert refusal(data, tmp_path / "no") == f"{tmp_path / 'no'}: holds no finished hypotheses; {decode} makes them"
    assert refusal(tmp_path, exp) == (
        f"{tmp_path / 'dev'}: holds no references (expected gold_entities.jsonl or entities.jsonl to judge dev's "
        "hypotheses by); stage 2 makes them"
    )
    raw = paths.decode_dir(exp, SEARCH, paths.TEST) / paths.RAW_CONFIDENCES
    raw.unlink()
    assert refusal(data, exp) == f"{raw}: cannot be read (No such file or directory); {decode} makes it"


def test_references_of_other_utterances_are_refused(data: Path, exp: Path) -> None:
    references = data / paths.DEV / paths.GOLD_ENTITIES
    write_entities(references, {"u0": REFS["u0"]})
    assert refusal(data, exp) == (
        f"{references}: its utterances are not those of {paths.decode_dir(exp, SEARCH, 'dev') / paths.ENTITIES}; "
        "rerun the stages 1, 2 and 5"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"utt_id": "u0", "words": [0.9, 0.9], "entities": []}', "are not those of"),
        ('{"utt_id": "v", "words": [0.9, 0.9], "entities": [0.9]}', "are not those of"),
        ('{"utt_id": "u0", "words": [0.9], "entities": [0.9]}', "jsonl:1: 2 word times and 1 confidences"),
        ('{"utt_id": "u0", "words": [0.9, 2], "entities": [0.9]}', "jsonl:1: a confidence is not 0 to 1"),
        ('{"utt_id": "u0", "words": [0.9, "x"], "entities": [0.9]}', "jsonl:1: "),
        ('{"utt_id": "u0", "words": [0.9, 0.9]}', 'jsonl:1: no list under "entities"'),
        ("", "are not those of"),
    ],
)
def test_raw_confidences_that_do_not_fit_the_hypotheses_are_one_line(
    data: Path, exp: Path, line: str, message: str
) -> None:
    folder = write_set(exp, paths.TEST, {"u0": RAW["u0"]}, hyps={"u0": HYPS["u0"]})
    (folder / paths.RAW_CONFIDENCES).write_text(line and f"{line}\n")
    assert message in refusal(data, exp) and "\n" not in refusal(data, exp)
