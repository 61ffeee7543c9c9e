"""The nearest known name, and an error that travels between processes."""

import pickle

import pytest

from spner.errors import SpnerError, nearest


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


def test_message_survives_the_way_from_a_worker() -> None:
    error = pickle.loads(pickle.dumps(SpnerError("data/text:3: is wrong; mend it")))
    assert type(error) is SpnerError and str(error) == "data/text:3: is wrong; mend it"
