"""Who speaks: the turns of an RTTM file on words, segments and entities."""

from pathlib import Path

import pytest

from spner.core.errors import SpnerError
from spner.tag.speakers import Turn, label_speakers, read_rttm
from spner.tag.tagged import Tagged
from tests.tag.test_formats import make_segment


def test_turns_are_read_by_recording(tmp_path: Path) -> None:
    (tmp_path / "a.rttm").write_text(
        "SPKR-INFO talk 1 <NA> <NA> <NA> unknown bob <NA> <NA>\n"
        "SPEAKER talk 1 2.5 1.0 <NA> <NA> bob <NA> <NA>\n\n"
        "SPEAKER talk 1 0.0 2.5 <NA> <NA> anna <NA> <NA>\n"
        "SPEAKER other 1 0 1 <NA> <NA> anna\n"
    )
    assert read_rttm(tmp_path / "a.rttm") == {
        "talk": [Turn(0.0, 2.5, "anna"), Turn(2.5, 3.5, "bob")],
        "other": [Turn(0.0, 1.0, "anna")],
    }


@pytest.mark.parametrize(
    "line", ["SPEAKER talk 1 0.0", "SPEAKER talk 1 x 1 <NA> <NA> anna", "SPEAKER t 1 0 -1 a a anna"]
)
def test_a_malformed_turn_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.rttm").write_text(f"{line}\n")
    with pytest.raises(SpnerError, match=r"a\.rttm:1: is no turn"):
        read_rttm(tmp_path / "a.rttm")


def test_a_file_without_turns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.rttm").write_text("anna 0 1\n")
    with pytest.raises(SpnerError, match="holds no SPEAKER line"):
        read_rttm(tmp_path / "a.rttm")


def test_a_word_is_of_whoever_shares_most_of_its_time() -> None:
    segment = make_segment("ja dat zegt Jan Bakker niet", ("PER", "Jan Bakker"))  # half a second each
    turns = [Turn(0.0, 0.8, "anna"), Turn(0.8, 1.9, "bob"), Turn(1.2, 1.3, "anna"), Turn(1.95, 2.5, "anna")]
    (labelled,) = label_speakers(Tagged("talk.mp3", 3.0, (segment,)), turns).segments
    assert [word.speaker for word in labelled.words] == ["anna", "anna", "bob", "bob", "anna", None]
    assert [entity.speaker for entity in labelled.entities] == ["anna"]
    assert labelled.speaker == "anna"
