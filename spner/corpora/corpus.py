"""The reader of a kind of corpus, and what it returns; one module is one reader."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from spner.core.datatypes import Transcript, Utterance, WordTimes
from spner.core.errors import SpnerError, quote
from spner.core.streams import Stream

UNUSUAL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, and halves of characters
MAX_NAME_BYTES = 255  # of Linux's file systems


@dataclass(frozen=True)
class CorpusSet:
    """One set as its corpus has it.

    Attributes:
        utterances: those with a sentence, in the corpus's order.
        empty: those without one.
        ragged_lines: line numbers of rows that cannot be read; they are left out.
        transcripts: words and entities by utterance id, if the corpus brings them. Such a set is
            already clean; in any other one, sentences are normalised and duplicates are removed.
        gold: whether people have made these entities; those of a tagger are silver.
        notes: counts of what had to be changed, by kind.
        stated_s: seconds of each utterance's clip, 0 where the corpus does not say how long it is; empty where it says
            it of none.
    """

    utterances: Stream[Utterance]
    empty: tuple[Utterance, ...] = ()
    ragged_lines: tuple[int, ...] = ()
    transcripts: Mapping[str, Transcript] | None = None
    gold: bool = False
    notes: Mapping[str, int] = field(default_factory=dict)
    stated_s: Sequence[float] = ()


@dataclass(frozen=True)
class Corpus:
    """A corpus without its audio.

    Attributes:
        sets: by our names of them, train first.
        synthetic: whether its speech is synthetic.
        gold: words and gold entities by utterance id, if it has any that are not its sets' own.
        word_times: times of the words, by utterance id, if known.
    """

    sets: Mapping[str, CorpusSet]
    synthetic: bool
    gold: Mapping[str, Transcript] | None = None
    word_times: Mapping[str, WordTimes] | None = None


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a corpus.

    Attributes:
        lang: language code; selects the normalisation, and of several languages one.
        split_validated: seed with which train, dev and test are made of its one set ``validated``, if they are.
        combined: whether SLUE's 7 labels are wanted, of a corpus that was annotated with them and with OntoNotes' 18.
        clips: folder of the clips that was given, None for the corpus's own.
    """

    lang: str
    split_validated: int | None = None
    combined: bool = False
    clips: Path | None = None


class Reader(Protocol):
    """A module that reads one kind of corpus; :data:`spner.corpora.readers.READERS` lists them."""

    FORM: str
    """A phrase for such a corpus, for the message that a path holds none."""

    TWO_ANNOTATIONS: bool
    """Whether such a corpus was annotated with SLUE's 7 labels and with OntoNotes' 18."""

    def recognises(self, corpus: Path) -> bool:
        """Whether a path holds a corpus of this kind."""

    def list_inputs(self, corpus: Path, wanted: Wanted) -> list[Path]:
        """Return the files that decide what a corpus holds, without its clips.

        Raises:
            SpnerError: it has none, or has no set ``validated`` that is to be split.
        """

    def find_clips(self, corpus: Path) -> Path:
        """Return the corpus's own folder of clips.

        Raises:
            SpnerError: it has none.
        """

    def read(self, corpus: Path, wanted: Wanted) -> Corpus:
        """Read a corpus.

        Raises:
            SpnerError: a file is missing or malformed; the message gives the line or the utterance.
        """


def without_space(name: str) -> str:
    """Replace white space of every kind: it would end an id in Kaldi's tables."""
    return re.sub(r"\s", "_", name)


def refuse_split(corpus: Path, wanted: Wanted) -> None:
    """Refuse to split a corpus that has sets of its own.

    Raises:
        SpnerError: it is to be split.
    """
    if wanted.split_validated is not None:
        raise SpnerError(f"--split_validated: {corpus} has sets of its own; leave the option out")


def require_english(corpus: Path, wanted: Wanted) -> None:
    """Refuse another language for a corpus of English.

    Raises:
        SpnerError: another one is asked for.
    """
    if wanted.lang.split("-")[0] != "en":
        raise SpnerError(f"--lang {wanted.lang}: {corpus} is English (expected en)")


def require_clip_name(name: str, where: str) -> None:
    """Refuse a clip's name that leads out of the folder of clips, or that no file can have.

    Raises:
        SpnerError: it is one.
    """
    unusual = UNUSUAL.search(name) or len(name.encode()) > MAX_NAME_BYTES
    if name in ("", "..") or name != Path(name).name or unusual:
        raise SpnerError(f"{where}: clip {quote(name)} is not a plain file name inside clips/")
