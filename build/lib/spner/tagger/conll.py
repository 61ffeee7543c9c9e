"""CoNLL column files: one token a line, a blank line after each sentence, a tag in one of the columns.

CoNLL-2002 (``token POS tag``, UTF-8 or Latin-1, IOB2), CoNLL-2003 (``token POS chunk tag``, German Latin-1, IOB1)
and WikiNEuRal (``index<TAB>token<TAB>tag``) are read alike, and so are BIOES and BILOU tags. Labels are those of the
file; :func:`spner.text.labels.adopt` makes them a recipe's.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from spner.core.datatypes import Transcript
from spner.core.errors import SpnerError
from spner.text.labels import LabelSet, adopt
from spner.text.tags import TAG, bio_to_spans


def read_conll(path: Path, *, encoding: str = "utf-8", token_column: int = 0, tag_column: int = -1) -> list[Transcript]:
    """Read the sentences of a column file; words are its tokens.

    Args:
        path: columns separated by tabs, or by runs of spaces where a line has no tab. ``-DOCSTART-`` lines are
            skipped, and ``#`` lines where the token is not the first column (CoNLL-U comments).
        encoding: any name Python knows, as ``latin-1``.
        token_column: 0 is the first column.
        tag_column: counted as Python indexes; its tags are IOB1, IOB2, BIOES or BILOU.

    Raises:
        SpnerError: the file is missing, empty or not in ``encoding``, a line has too few columns, or a tag is none.
    """
    sentences: list[Transcript] = []
    words: list[str] = []
    tags: list[str] = []
    for line_number, line in enumerate([*_lines(path, encoding), ""], start=1):
        if line.startswith("-DOCSTART-") or (token_column > 0 and line.startswith("#")):
            continue
        if line.strip():
            word, tag = _columns(line, token_column, tag_column, f"{path}:{line_number}")
            words.append(word)
            tags.append(tag)
        elif words:
            sentences.append(Transcript(tuple(words), bio_to_spans(tags)))
            words, tags = [], []
    if not sentences:
        raise SpnerError(f"{path}: holds no sentence (expected one token and its tag a line)")
    return sentences


def read_sentences(
    files: Sequence[Path], *, labels: LabelSet, encoding: str = "utf-8", token_column: int = 0
) -> list[Transcript]:
    """Return the sentences of column files with entities of these labels."""
    sentences: list[Transcript] = []
    for path in files:
        found = read_conll(path, encoding=encoding, token_column=token_column)
        sentences += adopt(found, labels, where=str(path))
    return sentences


def _lines(path: Path, encoding: str) -> Iterator[str]:
    # str.splitlines() and file iteration in bytes are both wrong here: the first also breaks at U+2028 and U+0085,
    # which Latin-1 files hold as characters, the second cannot read UTF-16.
    try:
        data = path.read_bytes()
        text = data.decode(encoding)
    except OSError as error:
        raise SpnerError(f"{path}: cannot be read ({error.strerror})") from error
    except LookupError as error:
        raise SpnerError(f'encoding "{encoding}" is unknown; try utf-8 or latin-1') from error
    except UnicodeDecodeError as error:
        line_number = data.count(b"\n", 0, error.start) + 1
        raise SpnerError(
            f"{path}:{line_number}: is not valid {encoding} ({error.reason}); "
            "name the file's encoding, for example --encoding latin-1"
        ) from error
    yield from text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")


def _columns(line: str, token_column: int, tag_column: int, where: str) -> tuple[str, str]:
    # Not str.split(): it would also split at a no-break space inside a token.
    columns = line.split("\t") if "\t" in line else re.split(" +", line.strip(" "))
    num_columns = len(columns)
    if token_column >= num_columns or not -num_columns <= tag_column < num_columns or num_columns < 2:
        raise SpnerError(
            f"{where}: {num_columns} column(s) (expected a token in column {token_column} and a tag "
            f"in column {tag_column}, counted from 0); correct the line or name the columns"
        )
    word, tag = columns[token_column].strip(" "), columns[tag_column].strip(" ")
    if not word or not TAG.fullmatch(tag):
        raise SpnerError(
            f'{where}: token "{word}", tag "{tag}" (expected a token, and O or a label behind B-, I-, E-, S-, L-, U-); '
            "correct the line or name the columns"
        )
    return word, tag
