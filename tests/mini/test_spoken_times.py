import pytest

from spner.mini.clips import Clip
from spner.mini.espeak import SpokenWord, Voice, time_words
from spner.mini.rows import CORRUPT, SILENT
from spner.mini.spoken_times import share_times, time_clip
from spner.text.textnorm import normalise, normalise_words

CASES = {
    # text: (position, start, end) of the synthesiser's words; expected times; words that share
    "one to one": ("een twee", [(0, 1, 2), (4, 2, 4)], [(1, 2), (2, 4)], 0),
    "a pause between": ("een, twee", [(0, 1, 2), (5, 3, 4)], [(1, 2), (3, 4)], 0),
    "a number in parts": ("in 1995", [(0, 0, 1), (3, 1, 2), (4, 2, 5)], [(0, 1), (1, 5)], 0),
    "a hyphen": ("oud-hoek is", [(0, 1, 8), (9, 8, 9)], [(1, 4), (4, 8), (8, 9)], 2),
    "run together": ("ab cd e", [(0, 1, 5), (6, 5, 6)], [(1, 3), (3, 5), (5, 6)], 2),
    "first word without a time": ("ab cd e", [(3, 1, 5), (6, 5, 6)], [(1, 3), (3, 5), (5, 6)], 2),
    "a sign before a word": ("nu €5", [(0, 0, 1), (3, 1, 2), (4, 2, 3)], [(0, 1), (1, 3)], 0),
    "a sign at the end": ("5 €", [(0, 0, 1), (2, 1, 2)], [(0, 2)], 0),
    "an apostrophe that joins": ("foto's", [(0, 0, 1), (5, 1, 2)], [(0, 2)], 0),
    "no word": ("€", [(0, 0, 1)], [], 0),
    "nothing": ("", [], [], 0),
}


@pytest.mark.parametrize("case", CASES)
def test_share_times(case: str) -> None:
    text, spoken, expected, num_shared = CASES[case]
    shared = share_times(normalise_words(text, "nl"), [SpokenWord(*one) for one in spoken])
    assert shared.times == tuple(expected)
    assert shared.num_shared == num_shared


def make_clip(text: str, defect: str = "") -> Clip:
    return Clip(text, Voice("nl"), 40.0, -3.0, (0.25, 0.1), 48_000, 1, defect)


def test_times_of_a_clip_count_the_silence_before_the_speech() -> None:
    text = "In Noord-Holland woont Angela Merkel's vriend."
    timed = time_clip(make_clip(text), lang="nl")
    assert len(timed.times) == len(normalise(text, "nl").split()) == 7
    assert timed.num_shared == 2
    assert timed.times[0][0] == 0.25 + time_words(text, Voice("nl"))[0].start_s


@pytest.mark.parametrize("defect", [SILENT, CORRUPT])
def test_a_clip_that_says_nothing_has_no_times(defect: str) -> None:
    assert time_clip(make_clip("Hallo.", defect), lang="nl").times is None
