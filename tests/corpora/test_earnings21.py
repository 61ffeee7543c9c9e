"""Calls in Earnings-21's layout: sentences, entities that overlap, tokens that are no words."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from spner.core.datatypes import LABELS
from spner.core.errors import SpnerError
from spner.corpora.earnings21 import NOTES, find_audio, list_calls, read_call
from spner.text.label_sets import choose_labels
from spner.text.labels import LabelSet
from spner.text.tags import spans_to_text, text_to_spans

HEADER = "token|speaker|ts|endTs|punctuation|case|tags|wer_tags"
# As the README of the corpus shows them: a YEAR and a CARDINAL inside a DATE, a label in the column tags alone.
LINES = (
    "Good|0||||UC|[]|[]",
    "morning|0|||,|LC|[]|['5']",
    "NexGEn|0||||MC|[]|['7']",
    "Europe's|0||||UC|[]|['8']",
    "board|0|||.|LC|[]|[]",
    "<laugh>|0||||LC|[]|[]",
    "We've|1||||UC|['3:CONTRACTION']|['3']",
    "seen|1||||LC|[]|[]",
    "the|1||||LC|['6:DATE']|['6']",
    "first|1||||LC|[]|['6']",
    "quarter|1|||.|LC|[]|['6']",
    "2020|1||||CA|['0:YEAR']|['0', '1', '6']",
    "in|1||||LC|[]|[]",
    "St|1|||.|UC|[]|['9']",
    "Jo |1||||UC|[]|['9']",
    "Thanks|2||||UC|[]|['99']",
    "|2|||.|CA|['2:CARDINAL']|['2']",
)
ENTITIES = {"0": "YEAR", "1": "CARDINAL", "5": "TIME", "6": "DATE", "7": "ORG", "8": "GPE", "9": "GPE"}


def write_call(corpus: Path, name: str, lines: Sequence[str] = LINES, entities: dict[str, str] = ENTITIES) -> Path:
    """Write a call in the corpus's layout, without its recording; return the file of tokens."""
    nlp = corpus / "transcripts" / "nlp_references" / f"{name}.nlp"
    tags = corpus / "transcripts" / "wer_tags" / f"{name}.wer_tag.json"
    for path in (nlp, tags):
        path.parent.mkdir(parents=True, exist_ok=True)
    nlp.write_text("".join(f"{line}\n" for line in (HEADER, *lines)), encoding="utf-8", newline="\r\n")
    tags.write_text(json.dumps({number: {"entity_type": label} for number, label in entities.items()}, indent=4))
    return nlp


def read(corpus: Path, labels: str = "PER ORG LOC") -> tuple[dict[str, str], dict[str, int]]:
    call = read_call(corpus, "4320211", labels=choose_labels(labels, {}, where="--labels"))
    return {utt_id: spans_to_text(one) for utt_id, one in call.utterances.items()}, dict(call.notes)


def test_sentences_end_with_their_mark_or_turn_and_never_inside_an_entity(tmp_path: Path) -> None:
    write_call(tmp_path, "4320211")
    found, notes = read(tmp_path)
    assert found == {
        "4320211-00001": "good morning <ORG> nexgen </NE> <LOC> europe's </NE> board",
        "4320211-00003": "we've seen the first quarter",
        "4320211-00004": "2020 in <LOC> st jo </NE>",
        "4320211-00005": "thanks",
    }
    assert notes == dict(zip(NOTES, (2, 1, 6, 0, 0), strict=True))


def test_of_entities_that_overlap_the_longest_is_taken(tmp_path: Path) -> None:
    write_call(tmp_path, "4320211")
    found, notes = read(tmp_path, "ontonotes")
    assert found["4320211-00003"] == "we've seen <DATE> the first quarter 2020 </NE> in <GPE> st jo </NE>"
    assert list(notes.values()) == [2, 1, 2, 1, 1]  # CONTRACTION, YEAR; CARDINAL in the DATE; the empty token's


def test_neighbours_of_other_numbers_are_two_entities_and_a_gap_makes_two(tmp_path: Path) -> None:
    lines = ["Ann|0||||UC|[]|['1']", "Bo|0||||UC|[]|['2']", "and|0||||LC|[]|[]", "Ann|0||||UC|[]|['1']"]
    write_call(tmp_path, "4320211", lines, {"1": "PERSON", "2": "PERSON"})
    assert read(tmp_path)[0] == {"4320211-00001": "<PER> ann </NE> <PER> bo </NE> and <PER> ann </NE>"}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("a|0||||LC|[]", ":2: is no token with its entities"),
        ("a|0||||LC|[]|[]|x", ":2: is no token with its entities"),
        ("a b|0||||LC|[]|[]", ":2: is no token with its entities"),
        ("a|0||||LC|[]|__import__('os')", ":2: is no token with its entities"),
        ("a|0||||LC|[]|['1', 2]", ":2: is no token with its entities"),
    ],
)
def test_malformed_line_is_refused(tmp_path: Path, line: str, found: str) -> None:
    write_call(tmp_path, "4320211", [line])
    with pytest.raises(SpnerError, match=f"4320211.nlp{found}"):
        read(tmp_path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpnerError, match=r"holds no transcripts/nlp_references/\*\.nlp"):
        list_calls(tmp_path)
    nlp = write_call(tmp_path, "4320211", entities={})
    with pytest.raises(SpnerError, match=r"media: holds no 4320211\.mp3"):
        find_audio(tmp_path, "4320211")
    nlp.write_text("token|speaker\na|0\n")
    with pytest.raises(SpnerError, match=r"4320211\.nlp:1: has columns token\|speaker \(expected token\|speaker\|punc"):
        read(tmp_path)
    write_call(tmp_path, "4320211")
    (tmp_path / "transcripts" / "wer_tags" / "4320211.wer_tag.json").write_text('{"1": "ORG"}')
    with pytest.raises(SpnerError, match=r'4320211\.wer_tag\.json: entity "1" has no label'):
        read(tmp_path)


def test_canonical_form_is_that_of_the_scorer(tmp_path: Path) -> None:
    write_call(tmp_path, "4320211")
    call = read_call(tmp_path, "4320211", labels=LabelSet())
    for one in call.utterances.values():
        assert text_to_spans(spans_to_text(one).split(), labels=LABELS).transcript == one
