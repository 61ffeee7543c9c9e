"""Two folders -> scores: hand-worked numbers, pairing by id, the JSON's shape and the printed table."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from spner import __version__
from spner.core.datatypes import LABELS, Transcript
from spner.core.errors import SpnerError
from spner.core.paths import ENTITIES, GOLD_ENTITIES, TEXT, utterances_file
from spner.data.datadir import write_entities, write_table
from spner.scoring.options import Options
from spner.scoring.rules import Rules
from spner.scoring.score import score, write_scores
from spner.scoring.table import format_table
from spner.text.tags import text_to_spans

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


def read(texts: dict[str, str], labels: tuple[str, ...] = (*LABELS, "MISC")) -> dict[str, Transcript]:
    return {utt_id: text_to_spans(text.split(), labels=labels).transcript for utt_id, text in texts.items()}


def write(folder: Path, ref: dict[str, str], hyp: dict[str, str]) -> tuple[Path, Path]:
    """Write a data and a decode folder; return both."""
    write_entities(folder / "ref" / ENTITIES, read(ref))
    write_table(folder / "ref" / TEXT, {utt_id: " ".join(each.words) for utt_id, each in read(ref).items()})
    write_entities(folder / "hyp" / ENTITIES, read(hyp))
    write_table(folder / "hyp" / TEXT, hyp)
    return folder / "ref", folder / "hyp"


def score_texts(
    folder: Path, ref: dict[str, str], hyp: dict[str, str], *, lang: str | None = "nl", **options: Any
) -> dict[str, Any]:
    rules = {name: options.pop(name) for name in ("labels", "mapping", "discard", "policy") if name in options}
    return score(*write(folder, ref, hyp), Options(Rules(lang, **rules), num_draws=0, **options))


SIGNATURE = f"spner|v:{__version__}|norm:nl|labels:PER,ORG,LOC|policy:discard|refs:unstated|boot:0"


def test_scores_by_hand(tmp_path: Path) -> None:
    scores = score_texts(tmp_path, REF, HYP)
    assert scores == {
        "schema": 1,
        "signature": SIGNATURE,
        "num_utts": 3,
        "gold": None,
        "wer": {"rate": 2 / 13, "sub": 0, "del": 2, "ins": 0, "num_ref": 13},
        "cer": {"rate": 10 / 59, "sub": 0, "del": 10, "ins": 0, "num_ref": 59},
        # del: naar, <LOC> york </NE>; <ORG> -> <LOC>; ins: the unclosed <LOC>
        "wer_tagged": {"rate": 6 / 21, "sub": 1, "del": 4, "ins": 1, "num_ref": 21},
        "entity_wer": {"rate": 1 / 7, "sub": 0, "del": 1, "ins": 0, "num_ref": 7},
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
        # "naar" is deleted, so that "new york" is where it was only through the alignment
        "f1_aligned": scores["f1"],
        "seen": None,
        "unseen": None,
        "eer": {"rate": 0.25, "errors": 1, "num_entities": 4},
        "eer_substr": {"rate": 0.25, "errors": 1, "num_entities": 4},
        "errors": {"correct": 2, "wrong_label": 1, "wrong_boundary": 0, "misspelt": 0, "missed": 1, "spurious": 0},
        "confusion": {
            "PER": {"PER": 1, "ORG": 0, "LOC": 0, "O": 0},
            "ORG": {"PER": 0, "ORG": 0, "LOC": 1, "O": 0},
            "LOC": {"PER": 0, "ORG": 0, "LOC": 1, "O": 1},
            "O": {"PER": 0, "ORG": 0, "LOC": 0},
        },
        "illegal_symbols": {"ref": {"per_100_utts": 0.0}, "hyp": {"unclosed": 1, "per_100_utts": 100 / 3}},
        "times": None,
        "ci95": None,
        "made_with": scores["made_with"],
    }
    assert json.loads(json.dumps(scores)) == scores


def test_scores_say_what_they_were_made_with(tmp_path: Path) -> None:
    made_with = score_texts(tmp_path, REF, HYP)["made_with"]
    assert made_with["versions"].keys() == {"python", "jiwer", "numpy", "rapidfuzz"}
    assert {name: value for name, value in made_with.items() if name not in ("commit", "versions")} == {
        "lang": "nl",
        "labels": ["PER", "ORG", "LOC"],
        "map": {},
        "discard": [],
        "policy": "discard",
        "split_s": False,
        "seen": None,
        "bootstrap": 0,
        "bootstrap_seed": 1,
        "by_speaker": None,
        "recordings": None,
        "drop_empty_hyp": False,
        "ref": str(tmp_path / "ref"),
        "hyp": str(tmp_path / "hyp"),
        "hyp_fingerprint": made_with["hyp_fingerprint"],
        "decoded": None,
    }


TABLE = f"""\
3 utterances, references: not stated; say --references gold or pseudo

                   rate      sub      del      ins       of
WER              0.1538        0        2        0       13
CER              0.1695        0       10        0       59
tagged WER       0.2857        1        4        1       21
entity WER       0.1429        0        1        0        7

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
aligned F1       0.6667   0.5000   0.5714        2        1        2

entities: correct 2, wrong label 1, wrong boundary 0, misspelt 0, missed 1, spurious 0

illegal entity symbols per 100 hypotheses: 33.3

{SIGNATURE}"""


def test_table_is_exact(tmp_path: Path) -> None:
    assert format_table(score_texts(tmp_path, REF, HYP)) == TABLE


@pytest.mark.parametrize(
    ("gold", "head", "refs"),
    [
        (True, "gold", "gold"),
        (False, "pseudo-labels (agreement with the tagger, not accuracy)", "pseudo"),
        (None, "not stated; say --references gold or pseudo", "unstated"),
    ],
)
def test_references_are_what_was_said_of_them(tmp_path: Path, gold: bool | None, head: str, refs: str) -> None:
    scores = score_texts(tmp_path, REF, HYP, gold=gold)
    assert scores["gold"] is gold
    first, *_, last = format_table(scores).splitlines()
    assert first == f"3 utterances, references: {head}"
    assert last == scores["signature"] and f"|refs:{refs}|" in last


def test_table_shows_intervals_seen_entities_and_what_was_left_out(tmp_path: Path) -> None:
    folders = write(tmp_path, {"u": "<PER> jan </NE>"}, {"u": "<PER> jan </NE>"})
    scores = score(*folders, Options(seen=folders[0], num_draws=10, drop_empty_hyp=True))
    table = format_table(scores).splitlines()
    assert table[1:3] == [
        "words as they are; --lang brings both sides to one form",
        "utterances with an empty hypothesis are left out of F1 and EER (--drop_empty_hyp)",
    ]
    assert table[4:6] == [
        "                   rate      sub      del      ins       of  95 % interval",
        "WER              0.0000        0        0        0        1  0.0000-0.0000",
    ]
    assert "  seen           1.0000   1.0000   1.0000        1        0        0  1.0000-1.0000" in table
    assert "  unseen         0.0000   0.0000   0.0000        0        0        0" in table


def test_each_character_is_a_word_in_a_language_without_spaces(tmp_path: Path) -> None:
    folders = write(tmp_path, {"u": "<LOC> 東京 </NE> へ行く"}, {"u": "<LOC> 東 京 </NE> に行く。"})
    scores = score(*folders, Options(Rules("ja"), num_draws=10))
    assert (scores["wer"]["sub"], scores["wer"]["num_ref"], scores["f1"]["micro"]["tp"]) == (1, 5, 1)
    note = "each character is a word (no spaces in this language): WER is a character error rate"
    assert format_table(scores).splitlines()[1] == note


def test_table_shows_undefined_as_a_dash(tmp_path: Path) -> None:
    table = format_table(score_texts(tmp_path, {"u": ""}, {"u": "een"})).splitlines()
    assert table[3] == "WER                   -        0        0        1        0"
    assert table[9] == "EER                   -        0        0"


def test_hypothesis_that_equals_the_reference_is_perfect(tmp_path: Path) -> None:
    scores = score_texts(tmp_path, REF, REF)
    assert [scores[key]["rate"] for key in ("wer", "cer", "wer_tagged", "eer", "eer_substr")] == [0.0] * 5
    assert [scores[key]["micro"]["f1"] for key in ("f1", "label_f1", "f1_span", "f1_span_text")] == [1.0] * 4
    assert scores["f1"]["macro_f1"] == 1.0


def test_a_file_in_a_folder_stands_for_its_own_entities(tmp_path: Path) -> None:
    ref, hyp = write(tmp_path, {"u": "jan"}, {"u": "<PER> jan </NE>"})
    write_entities(ref / GOLD_ENTITIES, read({"u": "<PER> jan </NE>"}))
    for path, tp in ((ref, 0), (ref / ENTITIES, 0), (ref / GOLD_ENTITIES, 1)):
        assert score(path, hyp, Options(num_draws=0))["f1"]["micro"]["tp"] == tp


def test_empty_hypothesis_counts(tmp_path: Path) -> None:
    scores = score_texts(tmp_path, {"a": "<PER> jan </NE> slaapt", "b": ""}, {"a": "", "b": ""})
    assert scores["wer"] == {"rate": 1.0, "sub": 0, "del": 2, "ins": 0, "num_ref": 2}
    assert scores["eer"] == {"rate": 1.0, "errors": 1, "num_entities": 1}
    assert scores["f1"]["micro"]["f1"] == 0.0


def test_both_empty_contribute_nothing(tmp_path: Path) -> None:
    scores = score_texts(tmp_path, {"a": ""}, {"a": ""})
    assert (scores["wer"]["rate"], scores["f1"]["micro"]["f1"], scores["eer"]["rate"]) == (0.0, 0.0, None)


def test_both_sides_are_brought_to_the_same_form(tmp_path: Path) -> None:
    ref = {"u": "' <PER> Zoe\u0308 Weiß </NE> , <LOC> Noord-Holland </NE> ij"}
    hyp = {"u": "<PER> zoë weiß </NE> <LOC> noord holland </NE> ij"}
    scores = score_texts(tmp_path, ref, hyp)
    assert [scores[key]["rate"] for key in ("wer", "cer", "wer_tagged", "eer")] == [0.0] * 4
    assert scores["f1_span_text"]["micro"]["f1"] == 1.0
    assert score_texts(tmp_path, ref, hyp, lang=None)["wer"]["rate"] > 0


def test_umlaut_is_not_its_base_letter(tmp_path: Path) -> None:
    scores = score_texts(tmp_path, {"u": "<LOC> köln </NE>"}, {"u": "<LOC> koln </NE>"}, lang="de")
    assert scores["f1"]["micro"]["tp"] == 0


def test_untagged_hypothesis_is_tagged_from_its_entities(tmp_path: Path) -> None:
    folders = write(tmp_path, REF, REF)
    write_table(tmp_path / "hyp" / TEXT, {utt_id: " ".join(each.words) for utt_id, each in read(REF).items()})
    assert score(*folders)["wer_tagged"]["rate"] == 0.0


def test_discarded_label_vanishes_on_both_sides(tmp_path: Path) -> None:
    ref = {"u": "<PER> jan </NE> ziet <LOC> rome </NE>"}
    hyp = {"u": "<LOC> jan </NE> ziet <PER> rome </NE>"}
    scores = score_texts(tmp_path, ref, hyp, discard=["LOC"])
    assert list(scores["f1"]["labels"]) == ["PER", "ORG"]
    assert scores["f1"]["micro"] | {"precision": 0, "recall": 0} == {
        "precision": 0,
        "recall": 0,
        "f1": 0.0,
        "tp": 0,
        "fp": 1,
        "fn": 1,
    }
    assert scores["eer"]["num_entities"] == 1


def test_unknown_label_is_a_false_positive_and_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        scores = score_texts(tmp_path, {"u": "jan <PER> piet </NE>"}, {"u": "<MISC> jan </NE> <PER> piet </NE>"})
    assert scores["f1"]["labels"]["MISC"]["fp"] == 1
    assert (scores["f1"]["micro"]["fp"], scores["f1"]["macro_f1"]) == (1, 1.0)
    assert scores["wer"]["rate"] == 0.0
    assert caplog.messages == [
        f"{tmp_path}/hyp/text:1: the first of 1 entities whose labels are not configured (MISC 1; expected PER, ORG, "
        "LOC); each counts as an error"
    ]


def test_order_of_lines_does_not_matter(tmp_path: Path) -> None:
    folders = write(tmp_path, REF, HYP)
    expected = score(*folders)
    for path in (tmp_path / "ref" / ENTITIES, tmp_path / "hyp" / ENTITIES, tmp_path / "hyp" / TEXT):
        path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
        assert score(*folders) == expected


def test_renamed_labels(tmp_path: Path) -> None:
    ref = {"u": "<GPE> rome </NE> <DATE> vandaag </NE>"}
    hyp = {"u": "<LOC> rome </NE> <DATE> vandaag"}
    write_table(tmp_path / "ref", ref)
    write_table(tmp_path / "hyp", hyp)
    rules = Rules("nl", mapping={"GPE": "LOC"}, discard=frozenset(["DATE"]))
    scores = score(tmp_path / "ref", tmp_path / "hyp", Options(rules, num_draws=0))
    assert scores["f1"]["micro"]["f1"] == 1.0
    assert (scores["wer"]["rate"], scores["wer_tagged"]["rate"]) == (0.0, 0.0)
    assert scores["illegal_symbols"]["hyp"] == {"unclosed": 1, "per_100_utts": 100.0}


def test_policy_decides_how_illegal_symbols_are_read(tmp_path: Path) -> None:
    ref, hyp = {"u": "<PER> jan </NE>"}, {"u": "<PER> jan"}
    found = {p: score_texts(tmp_path, ref, hyp, policy=p)["f1"]["micro"]["tp"] for p in ("discard", "repair")}
    assert found == {"discard": 0, "repair": 1}


def test_seen_and_unseen_entities_are_all_entities(tmp_path: Path) -> None:
    (tmp_path / "train").write_text("t <PER> Angela Merkel </NE> <ORG> york </NE>\n")
    scores = score_texts(tmp_path, REF, HYP, seen=tmp_path / "train")
    assert scores["seen"]["micro"] | {"precision": 1, "recall": 1} == {
        "precision": 1,
        "recall": 1,
        "f1": 1.0,
        "tp": 1,
        "fp": 0,
        "fn": 0,
    }
    assert [scores["unseen"]["micro"][kind] for kind in ("tp", "fp", "fn")] == [1, 1, 2]


def test_a_misspelt_known_name_is_an_error_on_known_names(tmp_path: Path) -> None:
    (tmp_path / "train").write_text("t <ORG> philips </NE>\n")
    ref = {"u": "bij <ORG> philips </NE> in <LOC> rome </NE>"}
    hyp = {"u": "bij <ORG> philps </NE> in <LOC> roma </NE> <LOC> philips </NE> <ORG> philips </NE>"}
    scores = score_texts(tmp_path, ref | {"v": ""}, hyp | {"v": "<ORG> philips </NE>"}, seen=tmp_path / "train")
    counts = {n: [scores[n]["micro"][kind] for kind in ("tp", "fp", "fn")] for n in ("seen", "unseen")}
    assert counts == {"seen": [1, 1, 0], "unseen": [0, 3, 1]}
    hyp = {"u": "bij <ORG> philps </NE> in <LOC> roma </NE>"}
    scores = score_texts(tmp_path, ref, hyp, seen=tmp_path / "train")
    counts = {n: [scores[n]["micro"][kind] for kind in ("tp", "fp", "fn")] for n in ("seen", "unseen")}
    assert counts == {"seen": [0, 1, 1], "unseen": [0, 1, 1]}


def test_seen_entities_without_positions_go_by_their_words(tmp_path: Path) -> None:
    (tmp_path / "train").write_text("t <ORG> philips </NE>\n")
    (tmp_path / "ref").write_text("u <ORG> philips </NE> <ORG> philips </NE> <LOC> rome </NE>\n")
    entities = [{"label": "ORG", "phrase": phrase} for phrase in ("philips", "philps")]
    (tmp_path / "hyp").write_text(json.dumps({"utt_id": "u", "text": "", "entities": entities}) + "\n")
    scores = score(tmp_path / "ref", tmp_path / "hyp", Options(seen=tmp_path / "train", num_draws=0))
    counts = {n: [scores[n]["micro"][kind] for kind in ("tp", "fp", "fn")] for n in ("seen", "unseen")}
    assert counts == {"seen": [1, 0, 1], "unseen": [0, 1, 1]}


def test_empty_hypotheses_may_be_left_out_of_entity_scores(tmp_path: Path) -> None:
    ref = {"a": "<PER> jan </NE>", "b": "<PER> piet </NE>"}
    scores = score_texts(tmp_path, ref, ref | {"b": ""}, drop_empty_hyp=True)
    assert (scores["f1"]["micro"]["f1"], scores["eer"]["num_entities"]) == (1.0, 1)
    assert (scores["wer"]["num_ref"], scores["made_with"]["drop_empty_hyp"]) == (2, True)
    assert (scores["errors"]["correct"], scores["errors"]["missed"]) == (1, 0)


def test_phrases_without_positions_leave_position_scores_undefined(tmp_path: Path) -> None:
    entities = [{"label": "PER", "phrase": "Jan"}, {"label": "LOC", "phrase": "?"}]
    record = {"utt_id": "u", "text": "Jan slaapt.", "entities": entities}
    (tmp_path / "hyp").write_text(json.dumps(record) + "\n")
    (tmp_path / "ref").write_text("u <PER> jan </NE> slaapt\n")
    for pair in ((tmp_path / "ref", tmp_path / "hyp"), (tmp_path / "hyp", tmp_path / "ref")):
        scores = score(*pair, Options(Rules("nl"), num_draws=10))
        assert (scores["wer"]["rate"], scores["f1"]["micro"]["f1"], scores["eer"]["rate"]) == (0.0, 1.0, 0.0)
        undefined = {name for name, value in scores.items() if value is None}
        assert undefined == {
            "gold",
            "wer_tagged",
            "entity_wer",
            "f1_span",
            "f1_span_text",
            "f1_aligned",
            "errors",
            "confusion",
            "seen",
            "unseen",
            "times",
        }
        assert not undefined & set(scores["ci95"])
        assert "span F1               -        -        -" in format_table(scores)


def test_phrases_of_references_are_found_in_text_order(tmp_path: Path) -> None:
    entities = [{"label": "PER", "phrase": "c d"}, {"label": "LOC", "phrase": "a b c"}]
    record = {"utt_id": "u", "text": "a b c d a b c", "entities": entities}
    (tmp_path / "x").write_text(json.dumps(record) + "\n")
    assert score(tmp_path / "x", tmp_path / "x", Options(num_draws=0))["eer"]["rate"] == 0.0


def test_an_interval_is_of_the_draws_that_hold_an_entity(tmp_path: Path) -> None:
    texts = {f"u{number:02}": "een" for number in range(20)} | {"u00": "<PER> jan </NE>"}
    scores = score(*write(tmp_path, texts, texts), Options(num_draws=100))
    assert (scores["ci95"]["f1"], scores["ci95"]["f1.LOC"]) == ([1.0, 1.0], None)


def test_utterances_are_written_beside_the_scores(tmp_path: Path) -> None:
    ref, hyp = write(tmp_path, REF, HYP)
    scores = write_scores(tmp_path / "s.json", ref=ref, hyp=hyp, options=Options(num_draws=0), experiment={"x": 1})
    assert json.loads((tmp_path / "s.json").read_text()) == scores
    assert scores["made_with"]["experiment"] == {"x": 1}
    *_, last = utterances_file(tmp_path / "s.json").read_text().splitlines()
    assert json.loads(last) == {
        "utt_id": "u3",
        "ref": {
            "words": ["de", "bank", "in", "york"],
            "entities": [{"label": "ORG", "start": 0, "end": 2}, {"label": "LOC", "start": 3, "end": 4}],
        },
        "hyp": {"words": ["de", "bank", "in"], "entities": [{"label": "LOC", "start": 0, "end": 2}]},
        "errors": [{"kind": "wrong_label", "ref": 0, "hyp": 0}, {"kind": "missed", "ref": 1, "hyp": None}],
    }


def test_utterances_without_positions_are_written_with_their_phrases(tmp_path: Path) -> None:
    record = {"utt_id": "u", "text": "jan slaapt", "entities": [{"label": "PER", "phrase": "jan"}]}
    (tmp_path / "hyp").write_text(json.dumps(record) + "\n")
    (tmp_path / "ref").write_text("u <PER> jan </NE> slaapt\n")
    write_scores(tmp_path / "s.json", ref=tmp_path / "ref", hyp=tmp_path / "hyp", options=Options(num_draws=0))
    (line,) = utterances_file(tmp_path / "s.json").read_text().splitlines()
    assert json.loads(line) == {
        "utt_id": "u",
        "ref": {"words": ["jan", "slaapt"], "entities": [{"label": "PER", "start": 0, "end": 1}]},
        "hyp": {"words": ["jan", "slaapt"], "entities": [{"label": "PER", "phrase": "jan"}]},
        "errors": [],
    }


def test_failed_scoring_writes_nothing(tmp_path: Path) -> None:
    ref, hyp = write(tmp_path, REF, {"u1": ""})
    with pytest.raises(SpnerError):
        write_scores(tmp_path / "out" / "s.json", ref=ref, hyp=hyp)
    assert list((tmp_path / "out").iterdir()) == []


def test_speakers_are_drawn_together(tmp_path: Path) -> None:
    ref = {f"u{number}": "a b" for number in range(8)}
    hyp = {utt_id: "a b" if utt_id < "u4" else "" for utt_id in ref}
    folders = write(tmp_path, ref, hyp)
    write_table(tmp_path / "utt2spk", {utt_id: "one" if utt_id < "u4" else "two" for utt_id in ref})
    assert score(*folders, Options(utt2spk=tmp_path / "utt2spk"))["ci95"]["wer"] == [0.0, 1.0]
    low, high = score(*folders)["ci95"]["wer"]
    assert 0.0 < low < 0.5 < high < 1.0


def test_every_utterance_needs_a_speaker(tmp_path: Path) -> None:
    folders = write(tmp_path, REF, HYP)
    write_table(tmp_path / "utt2spk", {"u1": "a", "u3": "a"})
    with pytest.raises(SpnerError) as error:
        score(*folders, Options(utt2spk=tmp_path / "utt2spk"))
    assert str(error.value) == (
        f'{tmp_path}/utt2spk: utterance "u2" of {tmp_path}/ref/text:2 is missing (expected <utt_id> <spk_id> of every '
        "utterance)"
    )
