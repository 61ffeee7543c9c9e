"""Whether a recogniser still hears names in a redacted recording; another one than the one that found them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rapidfuzz.distance import OSA

from spner.archive.cuts import Cut
from spner.archive.fold import fold
from spner.core.errors import SpnerError
from spner.core.files import fingerprint
from spner.tag.audio import open_recording
from spner.tag.tagged import Tagged, Word
from spner.tag.transcriber import Transcriber

NEAR_S = 1.0  # a single word of a name counts this near to where the name was
MIN_LETTERS = 5  # of a single word, and of a name that may be a letter wrong


def require_other(verifier: str, recogniser: str) -> None:
    """Refuse the recogniser that found the names: what it missed once it misses again.

    Raises:
        SpnerError: both are the same.
    """
    one, other = Path(verifier), Path(recogniser)
    same = verifier == recogniser or one.resolve() == other.resolve()
    if same or (one.is_file() and other.is_file() and fingerprint([one]) == fingerprint([other])):
        raise SpnerError(f"--verify {verifier}: is the recogniser that finds the names; give another one")


def require_unheard(redacted: Path, cuts: Sequence[Cut], listen: Transcriber, *, name: str) -> None:
    """Listen to a redacted recording.

    Args:
        redacted: the file.
        cuts: what was taken out.
        listen: another recogniser.
        name: its name.

    Raises:
        SpnerError: it hears a name; the message has the times only, for messages are logged.
    """
    ((_, found),) = listen.transcribe([open_recording(redacted)], lambda _seconds: None)
    if not isinstance(found, Tagged):
        raise found
    places = sorted(set(find_heard(found, cuts)))
    if places:
        seconds = ", ".join(f"{place:.1f}" for place in places[:10])
        raise SpnerError(
            f"{name} still hears names at {seconds} s{' and later' if places[10:] else ''}; nothing is written: listen "
            "there, and raise --pad, lower --min_confidence, or tag with another model"
        )


def find_heard(heard: Tagged, cuts: Sequence[Cut]) -> Iterator[float]:
    """Yield when names are heard: a whole name anywhere, nearly one or a long word of it where it was."""
    words = [word for word in heard.words if fold(word.text)]
    for name in {_join(cut.text) for cut in cuts}:
        yield from _find_phrase(words, name)
    for cut in cuts:
        parts = {_join(cut.text), *(part for part in fold(cut.text).split() if len(part) >= MIN_LETTERS)}
        for word in words:
            near = word.start_s < cut.end_s + NEAR_S and cut.start_s - NEAR_S < word.end_s
            if near and any(_is_like(_join(word.text), part) for part in parts):
                yield word.start_s


def _join(text: str) -> str:
    return fold(text).replace(" ", "")


def _find_phrase(words: Sequence[Word], name: str) -> Iterator[float]:
    """Yield where words are a name, however they are joined."""
    for first, word in enumerate(words):
        said = ""
        for follower in words[first:]:
            said += _join(follower.text)
            if said == name:
                yield word.start_s
            if len(said) >= len(name):
                break


def _is_like(said: str, name: str) -> bool:
    wrong = (len(name) >= MIN_LETTERS) + (len(name) >= 12)
    return bool(OSA.distance(said, name, score_cutoff=wrong) <= wrong)
