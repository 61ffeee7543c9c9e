"""Two folders -> scores: hand-worked numbers, pairing by id, the JSON's shape and the printed table."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from spner.datadir import write_entities, write_table
from spner.datatypes import LABELS, Annotated
from spner.errors import SpnerError
from spner.paths import ENTITIES, GOLD_ENTITIES, TEXT
from spner.scoring.score import format_table, score_folders
from spner.tags import text_to_spans

REF = {
    "u1": "<PER> angela merkel </NE> reist naar <LOC> new york </NE>",
    "u2": "het is koud",
    "u3": "<ORG> de bank </NE> in <LOC> york </NE>",
}
HYP = {
    "u1": "<PER> angela merkel </NE> reist <LOC> new york </NE>",
    "u2": "het is <LOC> koud",
    "u3": "<LOC> de bank </NE> in",
}


def read(texts: dict[str, str], labels: tuple[str, ...] = (*LABELS, "MISC")) -> dict[str, Annotated]:
    return {utt_id: text_to_spans(text.split(), labels=labels).annotated for utt_id, text in texts.items()}


def write(folder: Path, ref: dict[str, str], hyp: dict[str, str]) -> dict[str, Any]:
    """Write both folders; return the arguments that name them."""
    write_entities(folder / "ref" / ENTITIES, read(ref))
    write_entities(folder / "hyp" / ENTITIES, read(hyp))
    write_table(folder / "hyp" / TEXT, hyp)
    return {"ref": folder / "ref", "hyp": folder / "hyp", "gold": False, "lang": "nl"}


def score(folder: Path, ref: dict[str, str], hyp: dict[str, str], **options: Any) -> dict[str, Any]:
    return score_folders(**write(folder, ref, hyp) | options)


def test_scores_by_hand(tmp_path: Path) -> None:
    scores = score(tmp_path, REF, HYP)
    assert scores == {
        "num_utts": 3,
        "gold": False,
        "wer": {"rate": 2 / 13, "sub": 0, "del": 2, "ins": 0, "num_ref": 13},
        "cer": {"rate": 10 / 59, "sub": 0, "del": 10, "ins": 0, "num_ref": 59},
        # del: naar, <LOC> york </NE>; <ORG> -> <LOC>; ins: the unclosed <LOC>
        "wer_tagged": {"rate": 6 / 21, "sub": 1, "del": 4, "ins": 1, "num_ref": 21},
        "f1": {
            "micro": {"precision": 2 / 3, "recall": 0.5, "f1": 4 / 7, "tp": 2, "fp": 1, "fn": 2},
            "macro_f1": 0.5,
            "labels": {
                "PER": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "tp": 1, "fp": 0, "fn": 0},
                "ORG": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "tp": 0, "fp": 0, "fn": 1},
                "LOC": {"precision": 0.5, "recall": 0.5, "f1": 0.5, "tp": 1, "fp": 1, "fn": 1},
            },
        },
        "label_f1": {
            "micro": {"precision": 1.0, "recall": 0.75, "f1": 6 / 7, "tp": 3, "fp": 0, "fn": 1},
            "macro_f1": 2 / 3,
            "labels": {
                "PER": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "tp": 1, "fp": 0, "fn": 0},
                "ORG": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "tp": 0, "fp": 0, "fn": 1},
                "LOC": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "tp": 2, "fp": 0, "fn": 0},
            },
        },
        "f1_span": {
            "micro": {"precision": 1 / 3, "recall": 0.25, "f1": 2 / 7, "tp": 1, "fp": 2, "fn": 3},
            "macro_f1": 1 / 3,
            "labels": {
                "PER": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "tp": 1, "fp": 0, "fn": 0},
                "ORG": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "tp": 0, "fp": 0, "fn": 1},
                "LOC": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "tp": 0, "fp": 2, "fn": 2},
            },
        },
        "f1_span_text": scores["f1_span"],
        "eer": {"rate": 0.25, "errors": 1, "num_entities": 4},
        "eer_substr": {"rate": 0.25, "errors": 1, "num_entities": 4},
        "illegal_symbols": {"hyp": {"unclosed": 1, "per_100_utts": 100 / 3}},
    }
    assert json.loads(json.dumps(scores)) == scores


def test_table_is_exact(tmp_path: Path) -> None:
    assert format_table(score(tmp_path, REF, HYP)) == """\
3 utterances, references: pseudo-labels (agreement with the tagger, not accuracy)

                   rate      sub      del      ins       of
WER              0.1538        0        2        0       13
CER              0.1695        0       10        0       59
tagged WER       0.2857        1        4        1       21

                   rate   missed       of
EER              0.2500        1        4
EER, substring   0.2500        1        4

                      P        R       F1       TP       FP       FN
F1               0.6667   0.5000   0.5714        2        1        2
  PER            1.0000   1.0000   1.0000        1        0        0
  ORG            0.0000   0.0000   0.0000        0        0        1
  LOC            0.5000   0.5000   0.5000        1        1        1
label-F1         1.0000   0.7500   0.8571        3        0        1
span F1          0.3333   0.2500   0.2857        1        2        3

illegal entity symbols per 100 hypotheses: 33.3"""


def test_table_says_gold_and_shows_undefined_as_a_dash(tmp_path: Path) -> None:
    table = format_table(score(tmp_path, {"u": ""}, {"u": "een"}, gold=True)).splitlines()
    assert table[0] == "1 utterances, references: gold"
    assert table[3] == "WER                   -        0        0        1        0"
    assert table[8] == "EER                   -        0        0"


def test_hypothesis_that_equals_the_reference_is_perfect(tmp_path: Path) -> None:
    scores = score(tmp_path, REF, REF)
    assert [scores[key]["rate"] for key in ("wer", "cer", "wer_tagged", "eer", "eer_substr")] == [0.0] * 5
    assert [scores[key]["micro"]["f1"] for key in ("f1", "label_f1", "f1_span", "f1_span_text")] == [1.0] * 4
    assert scores["f1"]["macro_f1"] == 1.0


def test_gold_file_is_scored_instead_of_the_pseudo_labels(tmp_path: Path) -> None:
    folders = write(tmp_path, {"u": "jan"}, {"u": "<PER> jan </NE>"})
    write_entities(tmp_path / "ref" / GOLD_ENTITIES, read({"u": "<PER> jan </NE>"}))
    assert score_folders(**folders)["f1"]["micro"]["tp"] == 0
    gold = score_folders(**folders | {"gold": True, "ref_entities": GOLD_ENTITIES})
    assert (gold["gold"], gold["f1"]["micro"]["tp"]) == (True, 1)


def test_empty_hypothesis_counts(tmp_path: Path) -> None:
    scores = score(tmp_path, {"a": "<PER> jan </NE> slaapt", "b": ""}, {"a": "", "b": ""})
    assert scores["wer"] == {"rate": 1.0, "sub": 0, "del": 2, "ins": 0, "num_ref": 2}
    assert scores["eer"] == {"rate": 1.0, "errors": 1, "num_entities": 1}
    assert scores["f1"]["micro"]["f1"] == 0.0


def test_both_empty_contribute_nothing(tmp_path: Path) -> None:
    scores = score(tmp_path, {"a": ""}, {"a": ""})
    assert (scores["wer"]["rate"], scores["f1"]["micro"]["f1"], scores["eer"]["rate"]) == (0.0, 0.0, None)


def test_both_sides_are_brought_to_the_same_form(tmp_path: Path) -> None:
    ref = {"u": "' <PER> Zoe\u0308 Weiß </NE> , <LOC> Noord-Holland </NE> ij"}
    hyp = {"u": "<PER> zoë weiß </NE> <LOC> noord holland </NE> ij"}
    scores = score(tmp_path, ref, hyp)
    assert [scores[key]["rate"] for key in ("wer", "cer", "wer_tagged", "eer")] == [0.0] * 4
    assert scores["f1_span_text"]["micro"]["f1"] == 1.0
    assert score(tmp_path, ref, hyp, lang=None)["wer"]["rate"] > 0


def test_umlaut_is_not_its_base_letter(tmp_path: Path) -> None:
    assert score(tmp_path, {"u": "<LOC> köln </NE>"}, {"u": "<LOC> koln </NE>"}, lang="de")["f1"]["micro"]["tp"] == 0


def test_untagged_hypothesis_is_tagged_from_its_entities(tmp_path: Path) -> None:
    folders = write(tmp_path, REF, REF)
    write_table(tmp_path / "hyp" / TEXT, {utt_id: " ".join(each.words) for utt_id, each in read(REF).items()})
    assert score_folders(**folders)["wer_tagged"]["rate"] == 0.0


def test_discarded_label_vanishes_on_both_sides(tmp_path: Path) -> None:
    ref = {"u": "<PER> jan </NE> ziet <LOC> rome </NE>"}
    hyp = {"u": "<LOC> jan </NE> ziet <PER> rome </NE>"}
    scores = score(tmp_path, ref, hyp, discard=["LOC"])
    assert list(scores["f1"]["labels"]) == ["PER", "ORG"]
    assert scores["f1"]["micro"] | {"precision": 0, "recall": 0} == {
        "precision": 0, "recall": 0, "f1": 0.0, "tp": 0, "fp": 1, "fn": 1,
    }  # fmt: skip
    assert scores["eer"]["num_entities"] == 1


def test_unknown_label_is_a_false_positive_and_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        scores = score(tmp_path, {"u": "jan <PER> piet </NE>"}, {"u": "<MISC> jan </NE> <PER> piet </NE>"})
    assert scores["f1"]["labels"]["MISC"]["fp"] == 1
    assert (scores["f1"]["micro"]["fp"], scores["f1"]["macro_f1"]) == (1, 1.0)
    assert scores["wer"]["rate"] == 0.0
    assert caplog.messages == [
        f"{tmp_path}/hyp/text: 1 entities have labels that are not configured (MISC 1); "
        "expected PER, ORG, LOC; each counts as an error"
    ]


def test_order_of_lines_does_not_matter(tmp_path: Path) -> None:
    folders = write(tmp_path, REF, HYP)
    expected = score_folders(**folders)
    for path in (tmp_path / "ref" / ENTITIES, tmp_path / "hyp" / ENTITIES, tmp_path / "hyp" / TEXT):
        path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
        assert score_folders(**folders) == expected


SAME = "(expected the same utterances in both, an empty line for an empty hypothesis); rerun stage 5"


def error_of(folders: dict[str, Any]) -> str:
    with pytest.raises(SpnerError) as error:
        score_folders(**folders)
    return str(error.value).replace(str(folders["ref"].parent), "")


def test_missing_utterance(tmp_path: Path) -> None:
    folders = write(tmp_path, REF, {"u1": ""})
    assert error_of(folders) == f'/ref/entities.jsonl:2: utterance "u2" is not in /hyp/text, nor are 1 more {SAME}'


def test_extra_utterance(tmp_path: Path) -> None:
    folders = write(tmp_path, REF, HYP | {"u10": ""})
    assert error_of(folders) == f'/hyp/text:2: utterance "u10" is not in /ref/entities.jsonl {SAME}'


def test_utterance_without_entities_line(tmp_path: Path) -> None:
    folders = write(tmp_path, REF, HYP)
    write_table(tmp_path / "hyp" / TEXT, HYP | {"u4": ""})
    assert error_of(folders) == f'/hyp/text:4: utterance "u4" is not in /hyp/entities.jsonl {SAME}'


def test_duplicate_utterance(tmp_path: Path) -> None:
    folders = write(tmp_path, REF, HYP)
    with open(tmp_path / "hyp" / TEXT, "a") as file:
        file.write("u1 nog eens\n")
    assert error_of(folders) == '/hyp/text:4: utterance "u1" occurs twice; utterance ids must be unique'


def test_text_that_disagrees_with_words(tmp_path: Path) -> None:
    folders = write(tmp_path, REF, HYP)
    write_table(tmp_path / "hyp" / TEXT, HYP | {"u2": "iets anders"})
    assert error_of(folders) == (
        '/hyp/text:2: the words of "u2" are not those of /hyp/entities.jsonl '
        "(expected the same words in both files); rerun stage 5"
    )


def test_missing_files_name_their_stage(tmp_path: Path) -> None:
    folders = write(tmp_path, REF, HYP)
    for name, stage in (("hyp/text", 5), ("hyp/entities.jsonl", 5), ("ref/entities.jsonl", 2)):
        (tmp_path / name).rename(tmp_path / "away")
        assert error_of(folders) == f"/{name}: cannot be read (No such file or directory); stage {stage} makes it"
        (tmp_path / "away").rename(tmp_path / name)


def test_set_without_utterances(tmp_path: Path) -> None:
    assert error_of(write(tmp_path, {}, {})) == (
        "/ref/entities.jsonl: holds no utterance (expected at least one to score); rerun stages 1 and 2"
    )
