"""CoNLL column files: tag schemes, encodings, columns, and each mistake with its place."""

from pathlib import Path

import pytest

from spner.core.datatypes import Entity, Transcript
from spner.core.errors import SpnerError
from spner.tagger.conll import read_conll


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("name", "tags", "entities"),
    [
        ("IOB2", ["B-PER", "I-PER", "B-PER"], (Entity(0, 2, "PER"), Entity(2, 3, "PER"))),
        ("IOB1", ["I-PER", "I-PER", "B-PER"], (Entity(0, 2, "PER"), Entity(2, 3, "PER"))),
        ("label changes inside", ["B-PER", "I-LOC", "I-LOC"], (Entity(0, 1, "PER"), Entity(1, 3, "LOC"))),
        ("stray I-", ["O", "I-ORG", "O"], (Entity(1, 2, "ORG"),)),
        ("any label", ["B-MISC", "I-MISC", "B-PER.NAM"], (Entity(0, 2, "MISC"), Entity(2, 3, "PER.NAM"))),
        ("BIOES", ["B-PER", "E-PER", "S-PER"], (Entity(0, 2, "PER"), Entity(2, 3, "PER"))),
        ("BILOU", ["U-PER", "B-PER", "L-PER"], (Entity(0, 1, "PER"), Entity(1, 3, "PER"))),
    ],
)
def test_both_tag_schemes(tmp_path: Path, name: str, tags: list[str], entities: tuple[Entity, ...]) -> None:
    lines = [f"{word} N {tag}" for word, tag in zip(("a", "b", "c"), tags, strict=True)]
    assert read_conll(write(tmp_path / "x", "\n".join(lines))) == [Transcript(("a", "b", "c"), entities)], name


def test_sentences_documents_and_line_ends(tmp_path: Path) -> None:
    path = write(tmp_path / "x", "\ufeff-DOCSTART- -DOCSTART- O\n\nJan N B-PER\r\n\r\n\n \n# N O\n$  N\t O\n\n")
    assert read_conll(path) == [Transcript(("Jan",), (Entity(0, 1, "PER"),)), Transcript(("#", "$  N"))]


def test_wikineural_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "x", "# sent 1\n0\tIn\tO\n1\t#\tO\n2\tNew York\tB-LOC\n")
    assert read_conll(path, token_column=1) == [Transcript(("In", "#", "New York"), (Entity(2, 3, "LOC"),))]


def test_no_break_space_and_next_line_stay_inside_a_token(tmp_path: Path) -> None:
    path = write(tmp_path / "x", "10\xa0000 O\na\x85b O\n", "latin-1")
    assert read_conll(path, encoding="latin-1") == [Transcript(("10\xa0000", "a\x85b"))]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-16"])
def test_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "x", "Köln N I-LOC\n", encoding)
    assert read_conll(path, encoding=encoding)[0].words == ("Köln",)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("Jan O\nKöln O\n", {}, r"x:2: is not valid utf-8 .*--encoding latin-1"),
        ("Jan O\n", {"encoding": "utf8x"}, 'encoding "utf8x" is unknown'),
        ("Jan O\n\nPiet\n", {}, r"x:3: 1 column\(s\) \(expected a token in column 0"),
        ("0\tJan\tO\n1\tPiet\n", {"token_column": 2}, r"x:2: 2 column\(s\)"),
        ("Jan PER\n", {}, r'x:1: token "Jan", tag "PER" \(expected a token, and O or a label behind B-'),
        ("0\t\tO\n", {"token_column": 1}, r'x:1: token "", tag "O"'),
        ("-DOCSTART- O\n\n\n", {}, "x: holds no sentence"),
    ],
)
def test_mistakes_are_located(tmp_path: Path, text: str, options: dict, message: str) -> None:
    with pytest.raises(SpnerError, match=message):
        read_conll(write(tmp_path / "x", text, "latin-1"), **options)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SpnerError, match="x: cannot be read"):
        read_conll(tmp_path / "x")


def test_conll2002_counts(shared_data: Path) -> None:
    folder = shared_data / "text_ner" / "conll2002_nl"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    sentences = read_conll(folder / "ned.testa")
    labels = [entity.label for sentence in sentences for entity in sentence.entities]
    # The published counts of the shared task's Dutch development set.
    assert {label: labels.count(label) for label in sorted(set(labels))} == {
        "LOC": 479,
        "MISC": 748,
        "ORG": 686,
        "PER": 703,
    }
