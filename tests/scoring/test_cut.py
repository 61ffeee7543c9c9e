"""Hypotheses of whole recordings are cut where they align; words lose and gain no error by it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spner.core.datatypes import LABELS, Transcript
from spner.core.errors import SpnerError
from spner.scoring.cut import cut_hypothesis
from spner.scoring.options import Options, sign
from spner.scoring.score import score
from spner.scoring.wer import ErrorCounts, count_errors
from spner.text.tags import spans_to_text, text_to_spans


def read(text: str) -> Transcript:
    return text_to_spans(text.split(), labels=LABELS).transcript


def cut(refs: Sequence[str], hyp: str) -> list[str]:
    return [spans_to_text(piece) for piece in cut_hypothesis([read(ref) for ref in refs], read(hyp))]


@pytest.mark.parametrize(
    ("refs", "hyp", "pieces"),
    [
        pytest.param(["a b", "c d"], "a b c d", ["a b", "c d"], id="equal"),
        pytest.param(["a b", "c d"], "a b x c d", ["a b x", "c d"], id="an insertion goes with the word before"),
        pytest.param(["a b", "c d"], "a d", ["a", "d"], id="deletions"),
        pytest.param(["a b", "", "c d"], "a b c d", ["a b", "", "c d"], id="an utterance without words"),
        pytest.param(["a b", "c d"], "", ["", ""], id="nothing recognised"),
        pytest.param([""], "a b", ["a b"], id="no word in the reference"),
        pytest.param(["a b"], "x y z", ["x y z"], id="one utterance"),
        pytest.param(
            ["jan <LOC> rome </NE>", "<LOC> rome </NE> jan"],
            "jan <LOC> rome </NE> <LOC> rome </NE> jan",
            ["jan <LOC> rome </NE>", "<LOC> rome </NE> jan"],
            id="entities stay with their words",
        ),
        pytest.param(["a b", "c d e"], "a <PER> b c d </NE> e", ["a", "<PER> b c d </NE> e"], id="nearer edge: start"),
        pytest.param(["a b c", "d e"], "a <PER> b c d </NE> e", ["a <PER> b c d </NE>", "e"], id="nearer edge: end"),
        pytest.param(["a", "b", "c"], "<PER> a b c </NE>", ["", "<PER> a b c </NE>", ""], id="over three utterances"),
    ],
)
def test_cuts_by_hand(refs: list[str], hyp: str, pieces: list[str]) -> None:
    assert cut(refs, hyp) == pieces


SENTENCES = st.lists(st.sampled_from("a b c d e"), max_size=6)


@given(st.lists(SENTENCES, min_size=1, max_size=6), st.lists(st.sampled_from("a b c d e"), max_size=30))
def test_words_have_the_errors_of_the_uncut_recording(refs: list[list[str]], hyp: list[str]) -> None:
    pieces = cut_hypothesis([Transcript(tuple(ref)) for ref in refs], Transcript(tuple(hyp)))
    assert [word for piece in pieces for word in piece.words] == hyp
    each = (count_errors(ref=ref, hyp=list(piece.words)) for ref, piece in zip(refs, pieces, strict=True))
    total, whole = sum(each, ErrorCounts()), count_errors(ref=[word for ref in refs for word in ref], hyp=hyp)
    assert total.num_ref == whole.num_ref
    assert total.num_sub + total.num_del + total.num_ins == whole.num_sub + whole.num_del + whole.num_ins


TEXTS = {"r1-1": "<LOC> rome </NE> lonkt", "r1-2": "ja <LOC> rome </NE>", "r2-1": "<PER> jan </NE> slaapt"}
HYPS = {"r1": "rome lonkt ja <LOC> rome </NE>", "r2": "jan slaapt"}


def write(folder: Path, refs: dict[str, str] = TEXTS, hyps: dict[str, str] = HYPS, **table: str) -> dict[str, Any]:
    for name, texts in (("ref", refs), ("hyp", hyps), ("utt2reco", table or {u: u[:2] for u in refs})):
        (folder / name).write_text("".join(f"{utt_id} {text}\n" for utt_id, text in texts.items()), encoding="utf-8")
    options = Options(num_draws=0, utt2reco=folder / "utt2reco")
    return {"ref": folder / "ref", "hyp": folder / "hyp", "options": options}


def test_an_entity_is_scored_in_its_place(tmp_path: Path) -> None:
    """As one utterance each, the recordings would have "rome" once of two times, wherever it was."""
    scores = score(**write(tmp_path))
    assert (scores["num_utts"], scores["wer"]["rate"]) == (3, 0)
    assert (scores["f1"]["micro"]["tp"], scores["f1"]["micro"]["fn"], scores["f1"]["micro"]["fp"]) == (1, 2, 0)
    assert scores["made_with"]["recordings"] == str(tmp_path / "utt2reco")
    assert "|cut:aligned|" in scores["signature"] and "cut" not in sign(Options())


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpnerError, match='utt2reco: recording "r9" of "r2-1" is not in .*hyp'):
        score(**write(tmp_path, **{"r1-1": "r1", "r1-2": "r1", "r2-1": "r9"}))
    with pytest.raises(SpnerError, match='utt2reco: utterance "r2-1" of .*ref:3 is missing'):
        score(**write(tmp_path, **{"r1-1": "r1", "r1-2": "r1"}))
    with pytest.raises(SpnerError, match='hyp:3: recording "r3" has no utterance in .*utt2reco'):
        score(**write(tmp_path, hyps=HYPS | {"r3": "ja"}))
    given = write(tmp_path)
    phrases = [{"utt_id": name, "text": "ja", "entities": [{"label": "PER", "phrase": "ja"}]} for name in HYPS]
    given["hyp"].write_text("".join(json.dumps(record) + "\n" for record in phrases))
    with pytest.raises(SpnerError, match="hyp:1: its entities are phrases without a place"):
        score(**given)
