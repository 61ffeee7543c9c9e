"""The compact form of the utterances, and what is refused."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from spner.core.errors import SpnerError
from spner.report.utterances import pack_utterances

WORDS = ("de", "trein", "naar", "utrecht", "rijdt", "vandaag", "niet", "verder", "dan", "amersfoort")


def write(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def utterance(ref: str, hyp: str, **changes: Any) -> dict[str, Any]:
    sides = {role: {"words": text.split(), "entities": []} for role, text in (("ref", ref), ("hyp", hyp))}
    return {"utt_id": "u", **sides, "errors": [], **changes}


def packed(path: Path, *records: Any) -> Any:
    return json.loads(pack_utterances(write(path, *records)).json)


@pytest.mark.parametrize(
    ("ref", "hyp", "expected"),
    [
        pytest.param("a b", "a b", ["u", "a b", 0, 0, [], []], id="equal"),
        pytest.param("", "", ["u", "", 0, 0, [], []], id="both empty"),
        pytest.param("a b c", "a x c", ["u", "a b c", "a x c", "=s=", [], []], id="substituted"),
        pytest.param("a b c", "a c", ["u", "a b c", "a c", "=d=", [], []], id="deleted"),
        pytest.param("a c", "a b c", ["u", "a c", "a b c", "=i=", [], []], id="inserted"),
        pytest.param("a b", "", ["u", "a b", "", "dd", [], []], id="empty hypothesis"),
        pytest.param("", "a", ["u", "", "a", "i", [], []], id="empty reference"),
    ],
)
def test_words(tmp_path: Path, ref: str, hyp: str, expected: list[Any]) -> None:
    assert packed(tmp_path / "x", utterance(ref, hyp))["utts"] == [expected]


def test_entities_carry_label_span_and_kind(tmp_path: Path) -> None:
    record = utterance("jan naar ede", "jan naar ede")
    record["ref"]["entities"] = [{"label": "PER", "start": 0, "end": 1}, {"label": "LOC", "start": 2, "end": 3}]
    record["hyp"]["entities"] = [{"label": "LOC", "start": 0, "end": 1}, {"label": "ORG", "start": 1, "end": 2}]
    record["errors"] = [
        {"kind": "wrong_label", "ref": 0, "hyp": 0},
        {"kind": "missed", "ref": 1, "hyp": None},
        {"kind": "spurious", "ref": None, "hyp": 1},
    ]
    assert packed(tmp_path / "x", record) == {
        "labels": ["PER", "LOC", "ORG"],
        "utts": [["u", "jan naar ede", 0, 0, [0, 0, 1, 1, 1, 2, 3, 4], [1, 0, 1, 1, 2, 1, 2, 5]]],
    }


def test_phrases_without_positions(tmp_path: Path) -> None:
    record = utterance("jan loopt", "jan loopt")
    record["hyp"]["entities"] = [{"label": "PER", "phrase": "jan"}]
    assert packed(tmp_path / "x", record)["utts"] == [["u", "jan loopt", 0, 0, [], [0, "jan", -1, -1]]]


def test_nothing_in_it_ends_a_script_element(tmp_path: Path) -> None:
    hostile = "</script><!--<script>"
    text = pack_utterances(write(tmp_path / "x", utterance(hostile, "x", utt_id=hostile))).json
    assert "<" not in text
    assert json.loads(text)["utts"][0][:2] == [hostile, hostile]


def test_references_are_told_apart_by_words_and_entities_not_by_hypotheses(tmp_path: Path) -> None:
    with_entity = utterance("a b", "a b")
    with_entity["ref"]["entities"] = [{"label": "PER", "start": 0, "end": 1}]
    hashes = [
        pack_utterances(write(tmp_path / "x", record)).references
        for record in (utterance("a b", "a b"), utterance("a b", "c"), utterance("a c", "a b"), with_entity)
    ]
    assert hashes[0] == hashes[1] and len(set(hashes)) == 3


def span(start: int, end: int) -> dict[str, Any]:
    record = utterance("a b", "a b")
    record["ref"]["entities"] = [{"label": "X", "start": start, "end": end}]
    return record


@pytest.mark.parametrize(
    ("record", "what"),
    [
        pytest.param({"utt_id": "u"}, "KeyError: 'ref'", id="no reference"),
        pytest.param([], "list indices", id="a list"),
        pytest.param(utterance("a", "a") | {"ref": None}, "TypeError", id="null"),
        pytest.param(utterance("a", "a") | {"ref": {"words": [1], "entities": []}}, "TypeError", id="numbers"),
        pytest.param(
            utterance("a", "a") | {"hyp": {"words": ["a b"], "entities": []}}, "empty or holds a space", id="space"
        ),
        pytest.param(
            utterance("a", "a") | {"hyp": {"words": [""], "entities": []}}, "empty or holds a space", id="empty word"
        ),
        pytest.param(span(1, 3), "entity [1, 3) lies outside 2 words", id="entity too long"),
        pytest.param(span(-1, 1), "entity [-1, 1) lies outside 2 words", id="entity before the first word"),
        pytest.param(span(1, 1), "entity [1, 1) lies outside 2 words", id="empty entity"),
        pytest.param(utterance("a", "a", errors=[{"kind": "odd", "ref": 0, "hyp": 0}]), "ValueError", id="kind"),
        pytest.param(utterance("a", "a", utt_id="\ud800"), "surrogates not allowed", id="lone surrogate"),
    ],
)
def test_malformed_lines_are_refused(tmp_path: Path, record: Any, what: str) -> None:
    file = write(tmp_path / "x.utts.jsonl", utterance("a", "a"), record)
    with pytest.raises(SpnerError) as error:
        pack_utterances(file)
    assert str(error.value).startswith(f"{file}:2: is no scored utterance (") and what in str(error.value)
    assert str(error.value).endswith("expected utt_id, ref, hyp and errors); score again")


def test_20000_utterances_are_small(tmp_path: Path) -> None:
    draw = random.Random(0)
    records = []
    for number in range(20_000):
        ref = draw.sample(WORDS, 10)
        hyp = [word for word in ref if draw.random() > 0.1]
        records.append(utterance(" ".join(ref), " ".join(hyp), utt_id=f"common_voice_nl_{number}"))
    text = pack_utterances(write(tmp_path / "x", *records)).json
    assert len(text) < 4e6
    assert len(json.loads(text)["utts"]) == 20_000
