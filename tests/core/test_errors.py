"""The nearest known name, text from outside in a message, and an error that travels between processes."""

import pickle

import pytest

from spner.core.errors import MAX_QUOTED, SpnerError, nearest, quote


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("corpsu", ["lang", "corpus"], '; did you mean "corpus"?'),
        ("sentense", ("path", "sentence"), '; did you mean "sentence"?'),
        ("xyz", ["lang", "corpus"], ""),
        ("xyz", [], ""),
        ("", ["lang"], ""),
    ],
)
def test_nearest(name: str, known: list[str], expected: str) -> None:
    assert nearest(name, known) == expected


def test_nearest_takes_any_iterable() -> None:
    assert nearest("lnag", (name for name in ("lang", "nj"))) == '; did you mean "lang"?'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("café.mp3", '"café.mp3"'),
        ('a "b"', r'"a \"b\""'),
        ("a\nb\x1b[2J", r'"a\nb\u001b[2J"'),
        ("\ud800", r'"\ud800"'),
        ("\u2028", r'"\u2028"'),
        ("x" * MAX_QUOTED, f'"{"x" * MAX_QUOTED}"'),
        ("x" * 1000, f'"{"x" * MAX_QUOTED}…"'),
    ],
)
def test_text_from_outside_stays_on_its_line(text: str, expected: str) -> None:
    assert quote(text) == expected
    assert len(quote(text).splitlines()) == 1 and quote(text).encode("utf-8")


def test_message_survives_the_way_from_a_worker() -> None:
    error = pickle.loads(pickle.dumps(SpnerError("data/text:3: is wrong; mend it")))
    assert type(error) is SpnerError and str(error) == "data/text:3: is wrong; mend it"
