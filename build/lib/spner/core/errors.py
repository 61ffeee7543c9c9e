"""``SpnerError``, for mistakes that the user can fix.

Message order: where, what was found, what was expected, what to do::

    data/dev/text:41: utt_id "nl_17" is not in wav.scp (expected one line per utterance); rerun stage 1

``spner.cli`` turns a :class:`SpnerError` into that line and exit code 2, in one place.
Every other exception is a bug of ours and keeps its traceback.
"""

import json
from collections.abc import Iterable
from difflib import get_close_matches

MAX_QUOTED = 80


class SpnerError(Exception):
    """Wrong input from outside: a file, an option, a model, a full disk."""


def quote(text: str) -> str:
    """Return a text from outside for a message: quoted, on one line, cut after 80 characters."""
    cut = text if len(text) <= MAX_QUOTED else text[:MAX_QUOTED] + "…"
    return json.dumps(cut, ensure_ascii=not cut.isprintable())


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean "x"?`` for the closest known name, else the empty string."""
    close = get_close_matches(name, list(known), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""
