"""Data folders: what is written is read again, and every malformed line is named."""

from pathlib import Path

import pytest

from spner.core.datatypes import Entity, Timing, Transcript
from spner.core.errors import SpnerError
from spner.data.datadir import (
    find_sets,
    read_entities,
    read_labels,
    read_sentences,
    read_table,
    read_word_times,
    stream_entities,
    stream_table,
    write_entities,
    write_labels,
    write_sentences,
    write_table,
    write_word_times,
)
from spner.text.labels import LabelSet

ANNOTATED = {
    "u2": Transcript(("ië", "straße"), (Entity(0, 1, "LOC"), Entity(1, 2, "PER"))),
    "u10": Transcript((), ()),
}


def _error(path: Path, text: str, read: object = read_entities) -> str:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpnerError) as error:
        read(path)  # type: ignore[operator]
    return str(error.value).removeprefix(str(path))


def test_sets_are_found_in_their_order(tmp_path: Path) -> None:
    for name, file in {
        "test": "text",
        "audio": "0.ark",
        "dev": "entities.jsonl",
        "zz": "text",
        "train": "text",
        "aa": "gold_entities.jsonl",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / file).touch()
    assert [path.name for path in find_sets(tmp_path)] == ["train", "dev", "test", "aa", "zz"]
    assert find_sets(tmp_path / "dev") == [tmp_path / "dev"]


@pytest.mark.parametrize("folder", ["", "missing"])
def test_folder_without_a_set(tmp_path: Path, folder: str) -> None:
    with pytest.raises(SpnerError) as error:
        find_sets(tmp_path / folder)
    assert str(error.value) == (
        f"{tmp_path / folder}: holds no set (expected text or entities.jsonl in it, or in a folder of it such as "
        "train); stage 1 makes data folders"
    )


def test_streams_yield_a_line_before_they_read_the_next(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("u1 a\nu1 b\n")
    (tmp_path / "e.jsonl").write_text('{"utt_id": "u1", "words": ["a"], "entities": []}\n{\n')
    assert next(stream_table(tmp_path / "text")) == ("u1", "a")
    assert next(stream_entities(tmp_path / "e.jsonl")) == ("u1", Transcript(("a",)))


def test_table_is_written_in_c_order_and_read_again(tmp_path: Path) -> None:
    rows = {"b": "x y", "B": "", "é": "ß", "a": "1", "𝒳": "astral", "\uffee": "last of the plane"}
    write_table(tmp_path / "text", rows)
    assert read_table(tmp_path / "text") == rows
    lines = (tmp_path / "text").read_bytes().splitlines()
    assert lines[:2] == [b"B", b"a 1"]
    assert lines == sorted(lines)


def test_spaces_and_tabs_separate_id_and_value(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a\tx y\nb  \t z\tz\nc\t\n")
    assert read_table(tmp_path / "text") == {"a": "x y", "b": "z\tz", "c": ""}


def test_table_line_without_id(tmp_path: Path) -> None:
    assert _error(tmp_path / "text", "u1 a\n\n", read_table) == (
        ":2: no utterance id (expected <utt_id> <value>); rerun stage 1 (spner data)"
    )


def test_table_with_an_utterance_twice(tmp_path: Path) -> None:
    assert _error(tmp_path / "text", "u1 a\nu2 b\nu1 c\n", read_table) == (
        ':3: utterance "u1" occurs twice; utterance ids must be unique'
    )


def test_an_utterance_twice_is_found_in_any_order(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("b x\nc x\na x\nd x\nc x\n")
    with pytest.raises(SpnerError, match='text:5: utterance "c" occurs twice'):
        read_table(tmp_path / "text")
    (tmp_path / "text").write_text("b x\nc x\na x\nd x\n")
    assert list(read_table(tmp_path / "text")) == ["b", "c", "a", "d"]


def test_missing_table_names_the_stage_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(SpnerError) as error:
        read_table(tmp_path / "text")
    assert (
        str(error.value)
        == f"{tmp_path / 'text'}: cannot be read (No such file or directory); stage 1 (spner data) makes it"
    )


def test_sentences_are_read_again(tmp_path: Path) -> None:
    sentences = {"u2": 'Zij zei: "Café!"', "u1": ""}
    write_sentences(tmp_path / "s.jsonl", sentences)
    assert read_sentences(tmp_path / "s.jsonl") == sentences
    assert (tmp_path / "s.jsonl").read_text(encoding="utf-8").startswith('{"utt_id": "u1", "sentence": ""}\n')


def test_sentence_that_is_no_string(tmp_path: Path) -> None:
    message = _error(tmp_path / "s.jsonl", '{"utt_id": "u1", "sentence": 3}\n', read_sentences)
    assert message == ":1: no str under \"sentence\" (expected ['sentence', 'utt_id'])"


def test_sentences_with_an_utterance_twice(tmp_path: Path) -> None:
    line = '{"utt_id": "u1", "sentence": ""}\n'
    assert _error(tmp_path / "s.jsonl", line * 2, read_sentences) == (
        ':2: utterance "u1" occurs twice; utterance ids must be unique'
    )


def test_entities_have_the_designs_form_and_are_read_again(tmp_path: Path) -> None:
    write_entities(tmp_path / "e.jsonl", ANNOTATED)
    assert (tmp_path / "e.jsonl").read_text(encoding="utf-8") == (
        '{"utt_id": "u10", "words": [], "entities": []}\n'
        '{"utt_id": "u2", "words": ["ië", "straße"], "entities": '
        '[{"label": "LOC", "start": 0, "end": 1}, {"label": "PER", "start": 1, "end": 2}]}\n'
    )
    assert read_entities(tmp_path / "e.jsonl") == ANNOTATED


def test_decoded_entities_may_carry_more_keys_and_any_order(tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_text(
        '{"utt_id": "u", "words": ["a", "b"], "entities": [{"label": "PER", "start": 1, "end": 2, "start_s": 0.5},'
        ' {"label": "LOC", "start": 0, "end": 1, "confidence": 0.9}]}\n'
    )
    expected = {"u": Transcript(("a", "b"), (Entity(0, 1, "LOC"), Entity(1, 2, "PER")))}
    assert read_entities(tmp_path / "e.jsonl") == expected


def test_times_and_confidences_are_written_beside_words_and_entities(tmp_path: Path) -> None:
    transcript = {"u": Transcript(("in", "den", "haag"), (Entity(1, 3, "LOC"),)), "v": Transcript(("ja",))}
    timing = Timing(((0.1, 0.25), (0.25, 0.3333333), (0.4, 1.0)), (1.0, 0.123456, 0.5), (0.25,))
    write_entities(tmp_path / "e.jsonl", transcript, {"u": timing})
    assert (tmp_path / "e.jsonl").read_text(encoding="utf-8") == (
        '{"utt_id": "u", "words": ["in", "den", "haag"], "entities": [{"label": "LOC", "start": 1, "end": 3, '
        '"start_s": 0.25, "end_s": 1.0, "confidence": 0.25}], "word_times": [[0.1, 0.25], [0.25, 0.333], [0.4, 1.0]], '
        '"word_confidences": [1.0, 0.1235, 0.5]}\n'
        '{"utt_id": "v", "words": ["ja"], "entities": []}\n'
    )
    assert read_entities(tmp_path / "e.jsonl") == transcript


def _line(words: str = '["a", "b"]', *entities: str) -> str:
    return f'{{"utt_id": "u", "words": {words}, "entities": [{", ".join(entities)}]}}\n'


STRINGS = "(expected strings that are not empty and hold no spaces)"
INSIDE = "(expected entities with label, start, end inside the words, without overlap)"
KEYS = "(expected ['end', 'label', 'start'])"
MALFORMED = {
    "not JSON": ("{\n", ":1: is not JSON (Expecting property name enclosed in double quotes"),
    "blank line": (_line() + "\n", ":2: is not JSON (Expecting value"),
    "not an object": ("[]\n", ":1: no str under \"utt_id\" (expected ['entities', 'utt_id', 'words'])"),
    "no words": (
        '{"utt_id": "u", "entities": []}\n',
        ":1: no list under \"words\" (expected ['entities', 'utt_id', 'words'])",
    ),
    "twice": (_line() * 2, ':2: utterance "u" occurs twice; utterance ids must be unique'),
    "word with a space": (_line('["a b"]'), f':1: words are ["a b"] {STRINGS}'),
    "empty word": (_line('[""]'), f':1: words are [""] {STRINGS}'),
    "word that is a number": (_line("[1]"), f":1: words are [1] {STRINGS}"),
    "entity that is no object": (_line('["a"]', "1"), f':1: no str under "label" {KEYS}'),
    "no label": (_line('["a"]', '{"start": 0, "end": 1}'), f':1: no str under "label" {KEYS}'),
    "start is a fraction": (
        _line('["a"]', '{"label": "PER", "start": 0.0, "end": 1}'),
        f':1: no int under "start" {KEYS}',
    ),
    "empty label": (_line('["a"]', '{"label": "", "start": 0, "end": 1}'), f":1: entity label is empty {INSIDE}"),
    "empty span": (
        _line('["a"]', '{"label": "PER", "start": 1, "end": 1}'),
        f":1: entity span [1, 1) is not 0 <= start < end {INSIDE}",
    ),
    "outside the words": (
        _line('["a", "b"]', '{"label": "PER", "start": 1, "end": 3}'),
        f":1: Entity(start=1, end=3, label='PER') ends after the last of 2 words {INSIDE}",
    ),
    "overlap": (
        _line('["a", "b"]', '{"label": "PER", "start": 0, "end": 2}', '{"label": "LOC", "start": 1, "end": 2}'),
        f":1: Entity(start=1, end=2, label='LOC') overlaps the entity before it, or is out of order {INSIDE}",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_entities(tmp_path: Path, case: str) -> None:
    text, expected = MALFORMED[case]
    message = _error(tmp_path / "e.jsonl", text)
    if "is not JSON" in expected:
        assert message.startswith(expected)
    else:
        assert message == expected
    assert "\n" not in message


def test_word_times_are_written_in_c_order_and_read_again(tmp_path: Path) -> None:
    times = {"u2": ((0.25, 0.5), (0.5, 1.0)), "u10": ()}
    write_word_times(tmp_path / "t.jsonl", {**times, "u2": ((0.25001, 0.5), (0.5, 1.0))})
    assert (tmp_path / "t.jsonl").read_text(encoding="utf-8") == (
        '{"utt_id": "u10", "times_s": []}\n{"utt_id": "u2", "times_s": [[0.25, 0.5], [0.5, 1.0]]}\n'
    )
    assert read_word_times(tmp_path / "t.jsonl") == times


@pytest.mark.parametrize(
    "pair", ["[0.5, 0.25]", "[-0.1, 0.5]", "[0.5]", '["0", 1]', "[false, true]", "1", "[0, Infinity]", "[NaN, NaN]"]
)
def test_malformed_word_times(tmp_path: Path, pair: str) -> None:
    (tmp_path / "word_times.jsonl").write_text(f'{{"utt_id": "u", "times_s": [[0, 1], {pair}]}}\n')
    with pytest.raises(SpnerError) as raised:
        read_word_times(tmp_path / "word_times.jsonl")
    assert str(raised.value) == (
        f"{tmp_path / 'word_times.jsonl'}:1: {pair} is no [start, end] in seconds (expected 0 <= start <= end); "
        "rerun stage 1 (spner data) of a corpus with word times"
    )


# Labels


def test_labels_are_written_and_read(tmp_path: Path) -> None:
    labels = LabelSet(("PER", "LOC", "DATE"), {"FAC": "LOC", "GPE": "LOC", "ORG": "O"})
    write_labels(tmp_path / "data", labels)
    assert (tmp_path / "data" / "labels").read_text() == "PER\nLOC FAC GPE\nDATE\nO ORG\n"
    assert read_labels(tmp_path / "data") == read_labels(tmp_path / "data" / "dev") == labels


def test_without_a_list_the_labels_are_the_papers(tmp_path: Path) -> None:
    assert read_labels(tmp_path / "data").names == ("PER", "ORG", "LOC")


def test_a_list_of_labels_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "labels").write_text("PER\n\nPER\n")
    with pytest.raises(SpnerError, match=f'^{tmp_path}/labels: found "PER" in "PER PER" .expected different labels'):
        read_labels(tmp_path)
