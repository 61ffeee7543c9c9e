"""Times of the normalised transcript's words, from the times of the synthesiser's words.

The two count words differently. A year is one word of the transcript and several of the synthesiser: it lasts from
the first to the last. ``Noord-Holland`` is two and one: the two share its time by their letters, as do words that
the synthesiser runs together (``of the``).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from spner.core.datatypes import WordTimes
from spner.mini.clips import Clip
from spner.mini.espeak import SpokenWord, time_words
from spner.mini.rows import CORRUPT, SILENT
from spner.text.textnorm import Word, normalise_words


@dataclass(frozen=True)
class SpokenTimes:
    """The times of a clip's words.

    Attributes:
        times: (start, end) of each normalised word, seconds from the first sample of the clip; None where the clip is
            silent or corrupt.
        num_shared: words whose time is a share, by letters, of what the synthesiser takes for one word.
    """

    times: WordTimes | None
    num_shared: int = 0


def time_clip(clip: Clip, *, lang: str) -> SpokenTimes:
    """Return the times of the normalised words of a clip."""
    if clip.defect in (CORRUPT, SILENT):
        return SpokenTimes(None)
    words = normalise_words(clip.text, lang)
    spoken = share_times(words, time_words(clip.text, clip.voice))
    before_s = round(clip.pauses_s[0] * clip.rate_hz) / clip.rate_hz
    times = tuple((before_s + start_s, before_s + end_s) for start_s, end_s in spoken.times or ())
    return SpokenTimes(times, spoken.num_shared)


def share_times(words: Sequence[Word], spoken: Sequence[SpokenWord]) -> SpokenTimes:
    """Return the times of the normalised words of a text from those of the synthesiser's words of the same text.

    Args:
        words: normalised words with their places in the text.
        spoken: the synthesiser's words, in order; at least one where there are words.
    """
    own: list[list[SpokenWord]] = [[] for _ in words]
    for one in spoken if words else ():
        # A sign outside words, such as a currency sign, is spoken with the word that follows, or with the last word.
        own[next((i for i, word in enumerate(words) if one.position < word.end), -1)].append(one)
    # Words that share: a word without a time of its own joins the one before it, or the first that has one.
    groups: list[tuple[list[int], list[SpokenWord]]] = []  # letters of each word, and their common time
    for word, spoken_words in zip(words, own, strict=True):
        if not groups or (spoken_words and groups[-1][1]):
            groups.append(([], []))
        groups[-1][0].append(len(word.text))
        groups[-1][1].extend(spoken_words)
    times: list[tuple[float, float]] = []
    for letters, spoken_words in groups:
        duration_s = spoken_words[-1].end_s - spoken_words[0].start_s
        marks_s = [
            spoken_words[0].start_s + duration_s * n / sum(letters) for n in itertools.accumulate(letters, initial=0)
        ]
        times += itertools.pairwise(marks_s)
    return SpokenTimes(tuple(times), sum(len(letters) for letters, _ in groups if len(letters) > 1))
