"""What may be scored: the forms, and the one line with file and line number that each fault of a file gives."""

import json
from collections import Counter
from pathlib import Path

import pytest

from spner.cli import main
from spner.core import paths
from spner.core.datatypes import Entity, Transcript
from spner.core.errors import SpnerError
from spner.core.files import read_json
from spner.core.paths import ENTITIES, TEXT
from spner.data.datadir import write_entities, write_labels, write_table
from spner.scoring.inputs import count_mentions, read_side, require_same_utterances
from spner.scoring.rules import Rules
from spner.scoring.transcripts import Phrases
from spner.text.labels import LabelSet
from spner.text.tags import spans_to_text

JAN = Transcript(("jan", "en", "piet"), (Entity(0, 1, "PER"), Entity(2, 3, "PER")))
ROME = Transcript(("naar", "rome"), (Entity(1, 2, "LOC"),))
ENTITIES_LINE = '{"utt_id": "u", "words": ["a", "b"], "entities": [%s]}\n'
PHRASES_LINE = '{"utt_id": "u", "text": "a b", "entities": [%s]}\n'


def write_folder(folder: Path, utterances: dict[str, Transcript], *, tagged: bool) -> Path:
    texts = {u: spans_to_text(a) if tagged else " ".join(a.words) for u, a in utterances.items()}
    write_table(folder / TEXT, texts)
    write_entities(folder / ENTITIES, utterances)
    return folder


def write_file(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def refusal(path: Path, *, role: str = "ref") -> str:
    with pytest.raises(SpnerError) as error:
        read_side(path, Rules(), role=role)
    return str(error.value).replace(str(path.parent), "")


@pytest.mark.parametrize("form", ["data folder", "decode folder", "entities", "tagged text"])
def test_forms_with_positions_read_alike(tmp_path: Path, form: str) -> None:
    utterances = {"u1": JAN, "u2": ROME, "u3": Transcript(())}
    path = write_folder(tmp_path / "x", utterances, tagged=form in ("decode folder", "tagged text"))
    path = {"entities": path / ENTITIES, "tagged text": path / TEXT}.get(form, path)
    side = read_side(path, Rules(), role="ref")
    assert side.utterances == utterances
    assert (side.tagged, side.illegal) == ({}, Counter())
    assert side.tagged_words("u2") == ["naar", "<LOC>", "rome", "</NE>"]
    assert count_mentions(side) == {("PER", "jan"): 1, ("PER", "piet"): 1, ("LOC", "rome"): 1}


def test_phrases(tmp_path: Path) -> None:
    entities = '{"label": "PER", "phrase": " Jan  Smit "}, {"label": "LOC", "phrase": "..."}'
    path = write_file(tmp_path / "x", (PHRASES_LINE % entities).replace("a b", "Jan Smit, hoi"))
    assert read_side(path, Rules("nl"), role="ref").utterances == {
        "u": Phrases(("jan", "smit", "hoi"), (("PER", "jan smit"),))  # a phrase without any word vanishes
    }
    assert read_side(path, Rules(), role="ref").utterances["u"].mentions == (("PER", "Jan Smit"), ("LOC", "..."))


def test_symbols_need_no_spaces(tmp_path: Path) -> None:
    path = write_file(tmp_path / "x", "u naar <LOC>den haag</NE>,<PER>jan</NE>\n")
    side = read_side(path, Rules("nl"), role="ref")
    assert side.utterances["u"] == Transcript(
        ("naar", "den", "haag", "jan"), (Entity(1, 3, "LOC"), Entity(3, 4, "PER"))
    )


def test_labels_may_be_of_any_letters(tmp_path: Path) -> None:
    path = write_file(tmp_path / "x", "u <place> rome </NE> <b>\n")
    side = read_side(path, Rules(labels=("place",)), role="ref")
    assert side.utterances["u"] == Transcript(("rome", "<b>"), (Entity(0, 1, "place"),))


def test_illegal_symbols_are_counted_and_kept_for_the_tagged_words(tmp_path: Path) -> None:
    path = write_file(tmp_path / "x", "a <PER> Jan <LOC> Rome </NE> </NE>\nb <ORG> </NE>\nc x <PER> y\n")
    side = read_side(path, Rules("nl"), role="hyp")
    assert side.illegal == {"open_inside": 1, "stray_close": 1, "empty": 1, "unclosed": 1}
    assert side.tagged == {
        "a": ["<PER>", "jan", "<LOC>", "rome", "</NE>", "</NE>"],
        "b": ["<ORG>", "</NE>"],
        "c": ["x", "<PER>", "y"],
    }
    assert side.utterances["a"].entities == (Entity(1, 2, "LOC"),)


def test_labels_are_renamed_then_left_out(tmp_path: Path) -> None:
    path = write_file(tmp_path / "x", "u <GPE> rome </NE> <DATE> nu </NE> <TIME> dan </NE> <GPE> <TIME> </NE>\n")
    rules = Rules(mapping={"GPE": "LOC", "TIME": "DATE"}, discard=frozenset(["DATE"]))
    side = read_side(path, rules, role="hyp")
    assert side.utterances["u"] == Transcript(("rome", "nu", "dan"), (Entity(0, 1, "LOC"),))
    assert side.tagged["u"] == ["<LOC>", "rome", "</NE>", "nu", "dan", "<LOC>"]
    assert Rules(labels=("LOC", "DATE"), discard=frozenset(["DATE"])).scored_labels == ("LOC",)


def test_a_close_may_carry_its_label_and_be_glued_to_words(tmp_path: Path) -> None:
    path = write_file(tmp_path / "x", "u <PER>jan janssen</PER>zei ja in <place>rome</place>\n")
    for role in ("ref", "hyp"):
        side = read_side(path, Rules(labels=("PER", "place")), role=role)
        assert side.utterances["u"] == Transcript(
            ("jan", "janssen", "zei", "ja", "in", "rome"), (Entity(0, 2, "PER"), Entity(5, 6, "place"))
        )
        assert not side.illegal


def test_a_close_of_another_label_closes_and_is_counted(tmp_path: Path) -> None:
    path = write_file(tmp_path / "x", "a <PER> jan </LOC> in </ORG>\nb <PER> jan <LOC> rome </LOC> </PER>\n")
    side = read_side(path, Rules(), role="hyp")
    assert side.illegal == {"other_close": 1, "stray_close": 2, "open_inside": 1}
    assert side.utterances["a"].entities == (Entity(0, 1, "PER"),)
    assert side.tagged["a"] == ["<PER>", "jan", "</NE>", "in", "</NE>"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<PER> jan </LOC>", "other_close 1"),
        ("<PER> jan", "unclosed 1"),
        ("jan </NE>", "stray_close 1"),
        ("<PER> jan <LOC> rome </NE>", "open_inside 1"),
        ("jan <PER> </NE>", "empty 1"),
    ],
)
def test_references_with_illegal_symbols_are_refused(tmp_path: Path, text: str, found: str) -> None:
    path = write_file(tmp_path / "x", f"a ja\nb {text}\n")
    with pytest.raises(SpnerError) as error:
        read_side(path, Rules(), role="ref")
    assert str(error.value) == (
        f"{path}:2: a reference with illegal entity symbols ({found}; expected <LABEL> words </NE>, none inside "
        "another); mend the line"
    )
    assert read_side(path, Rules(), role="hyp").illegal.total() == 1


def test_sclites_trn_has_its_ids_at_the_end(tmp_path: Path) -> None:
    path = write_file(tmp_path / "x.trn", "<PER> jan </PER> slaapt (spk-u1)\n(spk-u2)\nuh (lacht) ja (u3)\n")
    assert read_side(path, Rules(), role="ref").utterances == {
        "spk-u1": Transcript(("jan", "slaapt"), (Entity(0, 1, "PER"),)),
        "spk-u2": Transcript(()),
        "u3": Transcript(("uh", "(lacht)", "ja")),
    }


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.trn", "jan (u1)\njan\n", ":2: no id in brackets at the end (expected <tagged text> (<utt_id>))"),
        (
            "x.trn",
            "jan {a / b} (u1)\n",
            ":1: holds alternatives in braces (expected one transcript); choose one of them",
        ),
        (
            "x.txt",
            "jan slaapt (spk-u1)\npiet wandelt (spk-u2)\n",
            ": every line ends in an id in brackets, as in sclite's .trn (expected <utt_id> <tagged text>); give the "
            "file a name that ends in .trn",
        ),
    ],
)
def test_ids_at_the_end_are_read_or_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = write_file(tmp_path / name, content)
    with pytest.raises(SpnerError) as error:
        read_side(path, Rules(), role="hyp")
    assert str(error.value) == f"{path}{message}"


def test_a_remark_after_every_sentence_is_no_id(tmp_path: Path) -> None:
    path = write_file(tmp_path / "x", "u1 jan (lacht)\nu2 piet (lacht)\n")
    assert list(read_side(path, Rules(), role="ref").utterances) == ["u1", "u2"]


@pytest.mark.parametrize("content", ['[{"utt_id": "u1", "text": "a", "entities": []}]', "[\n  {", " [ ]", "\ufeff[{"])
def test_a_json_array_is_refused_by_name(tmp_path: Path, content: str) -> None:
    path = write_file(tmp_path / "x.json", content)
    with pytest.raises(SpnerError) as error:
        read_side(path, Rules(), role="hyp")
    assert str(error.value) == (
        f"{path}: holds a JSON array (expected JSON lines, an object of an utterance each); jq -c '.[]' {path} writes "
        "them"
    )


def test_an_id_may_begin_with_a_bracket(tmp_path: Path) -> None:
    path = write_file(tmp_path / "x", "[u1] jan\n")
    assert list(read_side(path, Rules(), role="ref").utterances) == ["[u1]"]


def test_phrases_are_renamed_and_left_out(tmp_path: Path) -> None:
    entities = '{"label": "GPE", "phrase": "a"}, {"label": "DATE", "phrase": "b"}'
    path = write_file(tmp_path / "x", PHRASES_LINE % entities)
    rules = Rules(mapping={"GPE": "LOC"}, discard=frozenset(["DATE"]))
    assert read_side(path, rules, role="ref").utterances["u"].mentions == (("LOC", "a"),)


# Form, content, role -> message; "/x" is the file.
FAULTS = {
    "utterance twice, tagged": ("u a\nu b\n", '/x:2: utterance "u" occurs twice; utterance ids must be unique'),
    "utterance twice, entities": (
        ENTITIES_LINE % "" * 2,
        '/x:2: utterance "u" occurs twice; utterance ids must be unique',
    ),
    "utterance twice, phrases": (
        PHRASES_LINE % "" * 2,
        '/x:2: utterance "u" occurs twice; utterance ids must be unique',
    ),
    "no utterance id": ("u a\n b\n", "/x:2: no utterance id (expected <utt_id> <tagged text>)"),
    "empty line": ("u a\n\n", "/x:2: no utterance id (expected <utt_id> <tagged text>)"),
    "empty file": ("", "/x: holds no utterance (expected at least one to score)"),
    "label that is not configured": (
        "t b\nu <GPE> a </NE>\n",
        '/x:2: label "GPE" is not configured (expected PER, ORG, LOC); add it to --labels, rename it with --map '
        "GPE=NEW or leave it out with --discard GPE",
    ),
    "label that is not configured, entities": (
        ENTITIES_LINE % '{"label": "x", "start": 0, "end": 1}',
        '/x:1: label "x" is not configured (expected PER, ORG, LOC); add it to --labels, rename it with --map x=NEW '
        "or leave it out with --discard x",
    ),
    "symbol of a label that is not configured, though it makes no entity": (
        "t b\nu a <GPE>\n",
        '/x:2: label "GPE" is not configured (expected PER, ORG, LOC); add it to --labels, rename it with --map '
        "GPE=NEW or leave it out with --discard GPE",
    ),
    "entities overlap": (
        ENTITIES_LINE % '{"label": "PER", "start": 0, "end": 2}, {"label": "LOC", "start": 1, "end": 2}',
        "/x:1: Entity(start=1, end=2, label='LOC') overlaps the entity before it, or is out of order (expected "
        "entities with label, start, end inside the words, without overlap)",
    ),
    "entity outside the words": (
        ENTITIES_LINE % '{"label": "PER", "start": 1, "end": 3}',
        "/x:1: Entity(start=1, end=3, label='PER') ends after the last of 2 words (expected entities with label, "
        "start, end inside the words, without overlap)",
    ),
    "neither words nor text": (
        '{"utt_id": "u"}\n',
        "/x:1: no list under \"words\" (expected ['entities', 'utt_id', 'words'])",
    ),
    "phrase that is no string": (
        PHRASES_LINE % '{"label": "PER", "phrase": 1}',
        "/x:1: no str under \"phrase\" (expected ['label', 'phrase'])",
    ),
    "phrase without words": (
        PHRASES_LINE % '{"label": "PER", "phrase": " "}',
        "/x:1: an entity has no label or no words (expected both)",
    ),
    "no object": (
        '{"utt_id": "t", "text": "", "entities": []}\n7\n',
        "/x:2: no str under \"utt_id\" (expected ['entities', 'utt_id', 'words'])",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults_are_one_line_with_file_and_line_number(tmp_path: Path, case: str) -> None:
    content, expected = FAULTS[case]
    assert refusal(write_file(tmp_path / "x", content)) == expected


def test_invalid_utf8(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"u a\nv \xff\n")
    assert refusal(tmp_path / "x") == "/x:2: is not valid UTF-8 (invalid start byte); convert the file to UTF-8"
    write_folder(tmp_path / "y", {"u": JAN}, tagged=True)
    (tmp_path / "y" / TEXT).write_bytes(b"u jan \xff\n")
    assert refusal(tmp_path / "y").startswith("/y/text:1: is not valid UTF-8")


def test_broken_json(tmp_path: Path) -> None:
    message = refusal(write_file(tmp_path / "x", PHRASES_LINE % "" + "{\n"))
    assert message.startswith("/x:2: is not JSON (") and message.endswith("; one object a line is expected")


def test_half_of_a_surrogate_pair_is_no_text(tmp_path: Path) -> None:
    message = refusal(write_file(tmp_path / "x", (PHRASES_LINE % "").replace("a b", "\\uD800")))
    assert message.startswith("/x:1: is not JSON ('utf-8' codec can't encode character '\\ud800'")
    path = write_file(tmp_path / "x", (PHRASES_LINE % "").replace("a b", "\\ud83d\\udE00"))
    assert read_side(path, Rules(), role="ref").utterances["u"].words == ("\U0001f600",)


@pytest.mark.parametrize("content", ["u\t<PER>\tjan </NE> ziet\n", "\ufeffu <PER> jan </NE> ziet\r\n"])
def test_files_of_other_programs(tmp_path: Path, content: str) -> None:
    path = write_file(tmp_path / "x", content)
    assert read_side(path, Rules(), role="ref").utterances == {"u": Transcript(("jan", "ziet"), (Entity(0, 1, "PER"),))}


def test_byte_order_mark_hides_no_json(tmp_path: Path) -> None:
    path = write_file(tmp_path / "x", "\ufeff" + PHRASES_LINE % "")
    assert read_side(path, Rules(), role="ref").utterances == {"u": Phrases(("a", "b"))}


def test_path_that_cannot_be_looked_at(tmp_path: Path) -> None:
    assert refusal(tmp_path / ("x" * 300)) == (
        f"/{'x' * 300}: cannot be read (File name too long; expected a folder with text and entities.jsonl, a Kaldi "
        "text with entity symbols, JSON lines, or sclite's .trn)"
    )


# Labels and what of them is left out -> message.
WRONG_LABELS = {
    "twice": (("PER", "PER"), (), '--labels: found "PER" in "PER PER"'),
    "commas between them": (("PER,LOC",), (), '--labels: found "PER,LOC" in "PER,LOC"'),
    "the sign of no entity": (("PER", "O"), (), '--labels: found "O" in "PER O"'),
    "symbols": (("<PER>",), (), '--labels: found "<PER>" in "<PER>"'),
    "none": ((), (), '--discard: no label is left to score of "" (expected at least one; see --labels)'),
    "all left out": (
        ("PER",),
        ("PER",),
        '--discard: no label is left to score of "PER" (expected at least one; see --labels)',
    ),
}
EXPECTED_LABELS = " (expected different labels with spaces between them, without < > or comma; O stands for no entity)"


@pytest.mark.parametrize("case", WRONG_LABELS)
def test_labels_that_cannot_be_scored(case: str) -> None:
    labels, discard, expected = WRONG_LABELS[case]
    with pytest.raises(SpnerError) as error:
        Rules(labels=labels, discard=frozenset(discard))
    assert str(error.value) == (expected + EXPECTED_LABELS if expected.startswith("--labels") else expected)


def test_symbols_that_make_no_entity_are_warned_of_in_hypotheses(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_file(tmp_path / "x", "t a\nu <PER> jan <GPE> </NE> <GPE>\n")
    read_side(path, Rules(), role="hyp")
    assert caplog.messages == [
        f"{path}:2: the first of 2 entities whose labels are not configured (GPE 2; expected PER, ORG, LOC); each "
        "counts as an error"
    ]


def test_the_unknown_word_of_kaldi_is_a_word(tmp_path: Path) -> None:
    side = read_side(write_file(tmp_path / "x", "u <PER> jan <UNK> </NE> <UNK>\n"), Rules("nl"), role="ref")
    assert side.utterances["u"] == Transcript(("jan", "unk", "unk"), (Entity(0, 2, "PER"),))


def test_without_a_language_words_are_composed_and_else_as_they_are(tmp_path: Path) -> None:
    path = write_file(tmp_path / "x", "u <PER> Zoe\u0308! </NE>\n")
    assert read_side(path, Rules(), role="ref").utterances["u"] == Transcript(("Zoë!",), (Entity(0, 1, "PER"),))
    path = write_file(tmp_path / "y", '{"utt_id": "u", "text": "Zoe\u0308!", "entities": []}\n')
    assert read_side(path, Rules(), role="ref").utterances["u"].words == ("Zoë!",)


@pytest.mark.parametrize("lang", ["klingon", ""])
def test_language_that_is_unknown(lang: str) -> None:
    with pytest.raises(SpnerError, match=f'lang "{lang}" is unknown'):
        Rules(lang)


def test_nothing_there(tmp_path: Path) -> None:
    assert refusal(tmp_path / "x") == (
        "/x: no such file or folder (expected a folder with text and entities.jsonl, a Kaldi text with entity symbols, "
        "JSON lines, or sclite's .trn)"
    )


@pytest.mark.parametrize(
    ("folder", "name", "stage"),
    [
        ("data/dev", TEXT, "stage 1 (spner data)"),
        ("data/dev", ENTITIES, "stage 2 (spner annotate)"),
        ("decode/lm/dev", TEXT, "stage 5 (spner decode, spner pipeline)"),
        ("decode/lm/dev", ENTITIES, "stage 5 (spner decode, spner pipeline)"),
    ],
)
def test_missing_file_of_a_folder_names_its_stage(tmp_path: Path, folder: str, name: str, stage: str) -> None:
    (write_folder(tmp_path / folder, {"u": JAN}, tagged=True) / name).unlink()
    expected = f"/{name}: cannot be read (No such file or directory); {stage} makes it"
    assert refusal(tmp_path / folder) == f"/{Path(folder).name}{expected}"


SAME = "(expected the same utterances in both, an empty line for an empty hypothesis)"


def test_folder_whose_files_hold_other_utterances(tmp_path: Path) -> None:
    write_folder(tmp_path / "x", {"u1": JAN, "u2": ROME}, tagged=True)
    write_table(tmp_path / "x" / TEXT, {"u1": spans_to_text(JAN)})
    assert refusal(tmp_path / "x") == f'/x/entities.jsonl:2: utterance "u2" is not in /x/text {SAME}'


def test_text_that_disagrees_with_words(tmp_path: Path) -> None:
    write_folder(tmp_path / "x", {"u1": JAN, "u2": ROME}, tagged=True)
    write_table(tmp_path / "x" / TEXT, {"u1": spans_to_text(JAN), "u2": "naar <LOC> room </NE>"})
    assert refusal(tmp_path / "x") == (
        '/x/text:2: the words of "u2" are not those of /x/entities.jsonl:2 (expected the same words in both files); '
        "rerun stage 2 (spner annotate)"
    )


def test_label_that_is_not_configured_in_a_folder_points_to_its_line(tmp_path: Path) -> None:
    odd = Transcript(("a",), (Entity(0, 1, "MISC"),))
    write_folder(tmp_path / "x", {"u1": JAN, "u2": odd}, tagged=False)
    assert refusal(tmp_path / "x").startswith('/x/entities.jsonl:2: label "MISC" is not configured')


def test_sides_with_other_utterances(tmp_path: Path) -> None:
    sides = [
        read_side(write_file(tmp_path / name, content), Rules(), role="hyp")
        for name, content in (("r", "a x\nb x\nc x\n"), ("h", "a x\n"), ("i", "a x\nb x\nc x\nd x\n"))
    ]
    for hyp, expected in (
        (sides[1], f'{tmp_path}/r:2: utterance "b" is not in {tmp_path}/h, nor are 1 more {SAME}'),
        (sides[2], f'{tmp_path}/i:4: utterance "d" is not in {tmp_path}/r {SAME}'),
    ):
        with pytest.raises(SpnerError) as error:
            require_same_utterances(ref=sides[0], hyp=hyp)
        assert str(error.value) == expected


def test_entities_of_a_folder_are_read_from_its_tagged_text_by_the_policy(tmp_path: Path) -> None:
    write_table(tmp_path / "x" / TEXT, {"u": "<PER> jan"})
    write_entities(tmp_path / "x" / ENTITIES, {"u": Transcript(("jan",))})
    read = {policy: read_side(tmp_path / "x", Rules(policy=policy), role="hyp") for policy in ("discard", "repair")}
    assert [len(side.utterances["u"].entities) for side in read.values()] == [0, 1]


def test_words_of_a_million_utterances_are_one_string_each(tmp_path: Path) -> None:
    lines = (json.dumps({"utt_id": f"u{n}", "words": ["Jan"], "entities": []}) + "\n" for n in range(2))
    side = read_side(write_file(tmp_path / "x", "".join(lines)), Rules("nl"), role="ref")
    first, second = (transcript.words[0] for transcript in side.utterances.values())
    assert first is second


@pytest.mark.parametrize(
    ("references", "options", "labels"),
    [
        ("data/test", [], ["DATE", "PER"]),
        ("data/test/gold_entities.jsonl", [], ["DATE", "PER"]),
        ("data/test", ["--labels", "PER DATE"], ["PER", "DATE"]),
        ("data/ref.txt", ["--discard", "ORG"], ["PER", "ORG", "LOC"]),
    ],
)
def test_labels_are_those_of_the_references_data_folder(
    tmp_path: Path, references: str, options: list[str], labels: list[str]
) -> None:
    """A list of labels beside some text says nothing about it."""
    utterances = {"u": Transcript(("jan", "kwam"), (Entity(0, 1, "PER"),))}
    folder = tmp_path / "data" / "test"
    write_table(folder / paths.TEXT, {"u": "jan kwam"})
    for name in (paths.ENTITIES, paths.GOLD_ENTITIES):
        write_entities(folder / name, utterances)
    write_table(tmp_path / "data" / "ref.txt", {"u": "<PER> jan </NE> kwam"})
    write_labels(tmp_path / "data", LabelSet(("DATE", "PER")))
    out = tmp_path / "scores.json"
    main(["score", "--ref", str(tmp_path / references), "--hyp", str(folder), "--out", str(out), *options])
    scores = read_json(out)
    assert scores["made_with"]["labels"] == labels and scores["f1"]["micro"]["f1"] == 1.0
