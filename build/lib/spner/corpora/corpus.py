"""The reader of a kind of corpus, and what it returns; one module is one reader."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from spner.core.datatypes import Transcript, Utterance, WordTimes
from spner.core.errors import SpnerError, quote

UNUSUAL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, and halves of characters
MAX_NAME_BYTES = 255  # of Linux's file systems


@dataclass(frozen=True)
class CorpusSet:
    """One set as its corpus has it.

    Attributes:
        utterances: those with a sentence, in the corpus's order.
        empty: those without one.
        ragged_lines: line numbers of rows that cannot be read; they are left out.
        transcripts: words and pseudo-labels by utterance id, if the corpus brings them. Such a set is
            already clean; in any other one, sentences are normalised and duplicates are removed.
        notes: counts of what had to be changed, by kind.
        stated_s: seconds of a clip by utterance id, where the corpus says how long it is.
    """

    utterances: tuple[Utterance, ...]
    empty: tuple[Utterance, ...] = ()
    ragged_lines: tuple[int, ...] = ()
    transcripts: Mapping[str, Transcript] | None = None
    notes: Mapping[str, int] = field(default_factory=dict)
    stated_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Corpus:
    """A corpus without its audio.

    Attributes:
        sets: by our names of them, train first.
        synthetic: whether its speech is synthetic.
        gold: words and gold entities by utterance id, if it has any.
        word_times: times of the words, by utterance id, if known.
    """

    sets: Mapping[str, CorpusSet]
    synthetic: bool
    gold: Mapping[str, Transcript] | None = None
    word_times: Mapping[str, WordTimes] | None = None


class Reader(Protocol):
    """A module that reads one kind of corpus; :data:`spner.corpora.prepare.READERS` lists them."""

    FORM: str
    """A phrase for such a corpus, for the message that a path holds none."""

    def recognises(self, corpus: Path) -> bool:
        """Whether a path holds a corpus of this kind."""

    def list_inputs(self, corpus: Path, *, split_validated: int | None) -> list[Path]:
        """Return the files that decide what a corpus holds, without its clips.

        Raises:
            SpnerError: it has none, or ``split_validated`` is given and it has no set of that kind.
        """

    def find_clips(self, corpus: Path) -> Path:
        """Return the corpus's own folder of clips.

        Raises:
            SpnerError: it has none.
        """

    def read(self, corpus: Path, *, lang: str, split_validated: int | None) -> Corpus:
        """Read a corpus of a language; with the seed ``split_validated``, sets made of its one set ``validated``.

        Raises:
            SpnerError: a file is missing or malformed; the message gives the line or the utterance.
        """


def without_space(name: str) -> str:
    """Replace white space of every kind: it would end an id in Kaldi's tables."""
    return re.sub(r"\s", "_", name)


def require_clip_name(name: str, where: str) -> None:
    """Refuse a clip's name that leads out of the folder of clips, or that no file can have.

    Raises:
        SpnerError: it is one.
    """
    unusual = UNUSUAL.search(name) or len(name.encode()) > MAX_NAME_BYTES
    if name in ("", "..") or name != Path(name).name or unusual:
        raise SpnerError(f"{where}: clip {quote(name)} is not a plain file name inside clips/")
