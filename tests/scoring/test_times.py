"""Scores of times against values worked by hand."""

import builtins
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spner.core import paths
from spner.core.datatypes import Entity, Timing, Transcript
from spner.core.errors import SpnerError
from spner.data.datadir import write_entities, write_table, write_word_times
from spner.scoring.options import Options
from spner.scoring.rules import Rules
from spner.scoring.schema import Scores
from spner.scoring.score import score
from spner.scoring.table import format_table
from spner.scoring.times import (
    OVERLAPS,
    BoundaryErrors,
    TimedPair,
    count_frames,
    count_words,
    entity_intervals,
    score_times,
    sum_boundary_errors,
)
from spner.scoring.transcripts import Pair

FRAMES = {
    # reference, hypothesis, (tp, fp, fn) in frames of 10 ms
    "equal": ([(0.29, 0.58)], [(0.29, 0.58)], (29, 0, 0)),
    "boundaries go to the nearest frame": ([(0.286, 0.574)], [], (0, 0, 28)),
    "early": ([(1.0, 2.0)], [(0.9, 1.9)], (90, 10, 10)),
    "apart": ([(0.0, 0.5)], [(0.5, 1.0)], (0, 50, 50)),
    "one over two and the gap": ([(0.0, 0.1), (0.2, 0.3)], [(0.0, 0.3)], (20, 10, 0)),
    "overlapping predictions count once": ([(0.0, 0.3)], [(0.0, 0.2), (0.1, 0.3)], (30, 0, 0)),
    "no prediction": ([(0.0, 0.25)], [], (0, 0, 25)),
    "no reference": ([], [(0.0, 0.25)], (0, 25, 0)),
    "nothing": ([], [], (0, 0, 0)),
    "shorter than a frame": ([(0.0, 0.004)], [], (0, 0, 0)),
}


@pytest.mark.parametrize("case", FRAMES)
def test_count_frames(case: str) -> None:
    ref, hyp, expected = FRAMES[case]
    counts = count_frames(ref=ref, hyp=hyp)
    assert (counts.tp, counts.fp, counts.fn) == expected
    swapped = count_frames(ref=hyp, hyp=ref)
    assert (swapped.tp, swapped.fn, swapped.fp) == expected


WORDS = [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 3.5)]
IN_ENTITY = [False, True, True, False]
COVERED = {
    # predicted entities, overlap, (tp, fp, fn) in words
    "exact": ([(1.0, 3.0)], 1.0, (2, 0, 0)),
    "a tenth short, perfect asked": ([(1.1, 3.0)], 1.0, (1, 0, 1)),
    "a tenth short, 0.9 asked": ([(1.1, 3.0)], 0.9, (2, 0, 0)),
    "half of the word after is no word at 0.6": ([(1.0, 3.25)], 0.6, (2, 0, 0)),
    "half of the word after is one at 0.5": ([(1.0, 3.25)], 0.5, (2, 1, 0)),
    "two parts of one word add up": ([(1.0, 1.5), (1.5, 2.0)], 1.0, (1, 0, 1)),
    "nothing found": ([], 0.5, (0, 0, 2)),
    "all of it": ([(0.0, 3.5)], 1.0, (2, 2, 0)),
}


@pytest.mark.parametrize("case", COVERED)
def test_count_words(case: str) -> None:
    hyp, overlap, expected = COVERED[case]
    counts = count_words(ref=WORDS, hyp=hyp, in_entity=IN_ENTITY, overlap=overlap)
    assert (counts.tp, counts.fp, counts.fn) == expected


def test_a_word_without_duration_is_not_covered_by_nothing() -> None:
    assert count_words(ref=[(1.0, 1.0)], hyp=[], in_entity=[True], overlap=0.5).fn == 1
    assert count_words(ref=[(1.0, 1.0)], hyp=[(0.0, 0.5)], in_entity=[False], overlap=0.5).fp == 0


def make_pair(ref: str, ref_entities: list[Entity], hyp: str, hyp_entities: list[Entity], shift_s: float) -> TimedPair:
    """Words of one second each; the hypothesis' are later."""
    pair = Pair(
        ref=Transcript(tuple(ref.split()), tuple(ref_entities)), hyp=Transcript(tuple(hyp.split()), tuple(hyp_entities))
    )
    return TimedPair(
        pair,
        tuple((float(i), i + 1.0) for i in range(len(pair.ref.words))),
        tuple((i + shift_s, i + 1 + 2 * shift_s) for i in range(len(pair.hyp.words))),
    )


def test_boundaries_are_those_of_entities_that_match_in_label_and_phrase() -> None:
    refs = [Entity(0, 2, "PER"), Entity(3, 4, "LOC"), Entity(4, 5, "LOC")]
    hyps = [Entity(0, 2, "PER"), Entity(3, 4, "ORG"), Entity(4, 5, "LOC")]
    one = make_pair("anna bos in delft breda", refs, "anna bos in delft breda", hyps, 0.25)
    assert sum_boundary_errors(one) == BoundaryErrors(0.5, 1.0, 2)
    scores = score_times([one])
    assert scores["boundary_mae_s"] == {"start": 0.25, "end": 0.5, "num_entities": 2}


def test_equal_mentions_pair_in_order() -> None:
    refs = [Entity(0, 1, "LOC"), Entity(2, 3, "LOC")]
    one = make_pair("delft naar delft", refs, "delft naar delft", refs, 0.0)
    assert sum_boundary_errors(one) == BoundaryErrors(0.0, 0.0, 2)


def test_entity_times_are_those_of_its_words() -> None:
    transcript = Transcript(("a", "b", "c"), (Entity(1, 3, "PER"),))
    assert entity_intervals(transcript, ((0.0, 0.1), (0.2, 0.3), (0.5, 0.75))) == [(0.2, 0.75)]


def test_scores_of_a_small_corpus() -> None:
    found = make_pair("naar delft", [Entity(1, 2, "LOC")], "naar delft", [Entity(1, 2, "LOC")], 0.0)
    missed = make_pair("bij anna", [Entity(1, 2, "PER")], "bij ana", [], 0.0)
    scores = score_times([found, missed])
    assert scores["frame_f1"] == {
        "precision": 1.0,
        "recall": 0.5,
        "f1": pytest.approx(2 / 3),
        "tp": 100,
        "fp": 0,
        "fn": 100,
    }
    assert list(scores["word_f1"]) == ["1.0", "0.9", "0.8", "0.7", "0.6", "0.5"]
    assert scores["word_f1"]["1.0"]["recall"] == 0.5


def test_no_utterance_scores_nothing() -> None:
    scores = score_times([])
    assert scores["frame_f1"]["f1"] == 0.0
    assert scores["boundary_mae_s"] == {"start": None, "end": None, "num_entities": 0}


def test_a_word_without_a_time_is_refused() -> None:
    pair = Pair(ref=Transcript(("a", "b")), hyp=Transcript(("a",)))
    with pytest.raises(ValueError, match="ref has 2 words and times of 1"):
        TimedPair(pair, ((0.0, 1.0),), ((0.0, 1.0),))


@given(st.floats(-1, 1))
def test_more_overlap_asked_never_finds_more_words(shift_s: float) -> None:
    entities = [Entity(1, 3, "PER"), Entity(4, 5, "LOC")]
    words = score_times([make_pair("a b c d e f", entities, "a b c d e f", entities, shift_s)])["word_f1"]
    found = [words[str(overlap)]["tp"] for overlap in OVERLAPS]
    assert found == sorted(found)


FOUND = Transcript(("naar", "delft"), (Entity(1, 2, "LOC"),))
MISSED = Transcript(("bij", "anna"), (Entity(1, 2, "PER"),))
TIMES = ((0.0, 1.0), (1.0, 2.0))


def write_side(folder: Path, utterances: dict[str, Transcript], timings: dict[str, Timing] | None = None) -> None:
    write_entities(folder / paths.ENTITIES, utterances, timings)
    write_table(folder / paths.TEXT, {utt_id: " ".join(each.words) for utt_id, each in utterances.items()})


def write_folders(folder: Path, timings: dict[str, Timing]) -> dict[str, Path]:
    write_side(folder / "ref", {"u1": FOUND, "u2": MISSED})
    write_word_times(folder / "ref" / paths.WORD_TIMES, {"u1": TIMES, "u2": TIMES})
    write_side(folder / "hyp", {"u1": FOUND, "u2": MISSED}, timings)
    return {"ref": folder / "ref", "hyp": folder / "hyp"}


def score_folders(ref: Path, hyp: Path, **rules: Any) -> Scores:
    return score(ref, hyp, Options(Rules(**rules), num_draws=0))


def lines_about_times(scores: Scores) -> str:
    """Return what the table says of times and confidences."""
    lines = format_table(scores).splitlines()
    return "\n".join(line for line in lines if line.startswith(("times: ", "expected calibration error: ")))


def test_folders_with_times_on_both_sides_are_scored(tmp_path: Path) -> None:
    sides = write_folders(tmp_path, {"u1": Timing(((0.0, 1.1), (1.1, 2.0)), (1.0, 0.8), (0.7,))})
    scores = score_folders(**sides)["times"]
    assert scores is not None
    assert scores["frame_f1"]["tp"] == 90 and scores["frame_f1"]["fn"] == 10 + 100  # u2 has no times: not found
    assert scores["boundary_mae_s"] == {"start": pytest.approx(0.1), "end": 0.0, "num_entities": 1}
    assert scores["ece"] == {"words": pytest.approx(0.1), "entities": pytest.approx(0.3)}
    assert lines_about_times(score_folders(**sides)) == (
        "times: frame F1 0.6207, word F1 at overlap 0.9 0.6667, mean error of start 100 ms, of end 0 ms\n"
        "expected calibration error: words 0.1000, entities 0.3000"
    )


def test_folders_are_not_scored_unless_both_have_times(tmp_path: Path) -> None:
    sides = write_folders(tmp_path, {})
    assert score_folders(**sides)["times"] is None
    sides = write_folders(tmp_path, {"u1": Timing(TIMES, (1.0, 1.0), (1.0,))})
    (sides["ref"] / paths.WORD_TIMES).unlink()
    assert score_folders(**sides)["times"] is None


def test_scores_without_any_entity_are_printed_as_undefined(tmp_path: Path) -> None:
    sides = write_folders(tmp_path, {"u1": Timing(TIMES, (1.0, 1.0), (1.0,))})
    write_side(sides["hyp"], {"u1": Transcript(()), "u2": MISSED}, {"u1": Timing((), (), ())})
    assert lines_about_times(score_folders(**sides)) == (
        "times: frame F1 0.0000, word F1 at overlap 0.9 0.0000, mean error of start -, of end -\n"
        "expected calibration error: words -, entities -"
    )


def test_a_discarded_label_has_no_times_on_either_side(tmp_path: Path) -> None:
    sides = write_folders(tmp_path, {"u1": Timing(TIMES, (1.0, 1.0), (0.5,)), "u2": Timing(TIMES, (1.0, 1.0), (1.0,))})
    scores = score_folders(**sides, mapping={"PER": "ORG"}, discard=frozenset({"LOC"}))["times"]
    assert scores is not None
    assert (scores["frame_f1"]["tp"], scores["frame_f1"]["fp"], scores["frame_f1"]["fn"]) == (100, 0, 0)
    assert scores["ece"]["entities"] == 0.0  # the confidence of the entity that is left, not the first one's


def test_times_belong_to_the_words_as_stored(tmp_path: Path) -> None:
    """In canonical form one word may be two; it has one time."""
    utterance = {"u": Transcript(("in", "Noord-Holland"), (Entity(1, 2, "LOC"),))}
    write_side(tmp_path / "ref", utterance)
    write_word_times(tmp_path / "ref" / paths.WORD_TIMES, {"u": TIMES})
    write_side(tmp_path / "hyp", utterance, {"u": Timing(TIMES, (1.0, 1.0), (1.0,))})
    scores = score_folders(tmp_path / "ref", tmp_path / "hyp", lang="nl")
    assert (scores["wer"]["num_ref"], scores["times"] and scores["times"]["frame_f1"]["tp"]) == (3, 100)


def test_every_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sides = write_folders(tmp_path, {"u1": Timing(TIMES, (1.0, 1.0), (1.0,))})
    opened: Counter[str] = Counter()

    def count(file: Any, *arguments: Any, **options: Any) -> Any:
        opened[str(file)] += str(file).startswith(str(tmp_path))
        return real_open(file, *arguments, **options)

    real_open = builtins.open
    monkeypatch.setattr(builtins, "open", count)
    assert score_folders(**sides)["times"] is not None
    names = ("hyp/text", "hyp/entities.jsonl", "ref/text", "ref/entities.jsonl", "ref/word_times.jsonl")
    assert +opened == {f"{tmp_path}/{name}": 1 for name in names}


def test_times_of_other_words_are_refused(tmp_path: Path) -> None:
    sides = write_folders(tmp_path, {"u1": Timing(TIMES, (1.0, 1.0), (1.0,))})
    write_word_times(sides["ref"] / paths.WORD_TIMES, {"u1": TIMES[:1], "u2": TIMES})
    with pytest.raises(SpnerError, match='utterance "u1" does not fit .* words and times of 1'):
        score_folders(**sides)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('"word_times": [[1, 0]], "word_confidences": [1]', r":1: \[1, 0\] is no \[start, end\] in seconds"),
        ('"word_times": [[0, 1]], "word_confidences": [2]', r":1: a confidence is not 0 to 1"),
        ('"word_times": [[0, 1]], "word_confidences": []', r":1: 1 word times and 0 confidences"),
        ('"word_times": [[0, 1]], "word_confidences": ["x"]', r":1: could not convert string to float"),
        ('"word_times": [[0, 1]]', r':1: no list under "word_confidences"'),
    ],
)
def test_malformed_decoded_times_are_named(tmp_path: Path, line: str, message: str) -> None:
    sides = write_folders(tmp_path, {})
    (sides["hyp"] / paths.ENTITIES).write_text(f'{{"utt_id": "u1", "words": ["a"], "entities": [], {line}}}\n')
    with pytest.raises(SpnerError, match=message):
        score_folders(**sides)
