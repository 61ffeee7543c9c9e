"""Read SLUE-NEL: sentences of SLUE-VoxPopuli's dev and test sets with the time of every word and of every entity.

As asapp/slue-phase-2 has it on the hub (Shon et al. 2023); what its columns hold was looked up in slue-toolkit
(``slue_toolkit/prepare/prepare_voxpopuli_nel.py``)::

    <corpus>/vp_nel/{validation,test}-*.parquet      columns id, audio, text,
        word_timestamps {word: [eu, , …], start_sec: [0.33, …], end_sec: [0.61, …]}      an empty word is a silence
        ne_timestamps {ne_label: [PLACE, …], start_sec: [0.33, …], end_sec: [0.61, …], …}

There is no training set: models are those of SLUE-VoxPopuli. A word belongs to an entity in whose time its middle lies.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from spner.core.datatypes import Entity, Transcript, Utterance, WordTimes
from spner.core.errors import SpnerError
from spner.core.paths import DEV, TEST
from spner.corpora.corpus import Corpus, CorpusSet, Wanted, refuse_split, require_english
from spner.data.parquet import name_row, read_rows
from spner.text.textnorm import normalise_word

FORM = "SLUE-NEL's folder"
TWO_ANNOTATIONS = False
SPLITS = {DEV: "validation", TEST: "test"}
ID, WORDS, ENTITIES = COLUMNS = ("id", "word_timestamps", "ne_timestamps")
TIMES = ("start_sec", "end_sec")

Timed = tuple[str, float, float]
"""A word or a label, and its start and end in seconds."""


def recognises(corpus: Path) -> bool:
    """Whether a path is a folder with its tables."""
    return any(_list_files(corpus).values())


def list_inputs(corpus: Path, wanted: Wanted) -> list[Path]:
    """Return the tables, which hold the clips, too.

    Raises:
        SpnerError: the corpus is to be split, or the language is not English.
    """
    refuse_split(corpus, wanted)
    require_english(corpus, wanted)
    return [file for files in _list_files(corpus).values() for file in files]


def find_clips(corpus: Path) -> Path:
    """Return the folder that the names of the clips begin in."""
    return corpus


def read(corpus: Path, wanted: Wanted) -> Corpus:
    """Read both sets; speakers are not named.

    Raises:
        SpnerError: a table is malformed; the message gives the row.
    """
    sets: dict[str, CorpusSet] = {}
    times: dict[str, WordTimes] = {}
    for name, files in _list_files(corpus).items():
        if files:
            sets[name] = _read_set(corpus, files, wanted.lang, times)
    return Corpus(sets, synthetic=False, word_times=times)


def _list_files(corpus: Path) -> dict[str, list[Path]]:
    return {name: sorted(corpus.glob(f"vp_nel/{split}-*.parquet")) for name, split in SPLITS.items()}


def _read_set(corpus: Path, files: Sequence[Path], lang: str, times: dict[str, WordTimes]) -> CorpusSet:
    """Return a set, and add the times of its words."""
    utterances: list[Utterance] = []
    empty: list[Utterance] = []
    transcripts: dict[str, Transcript] = {}
    for file in files:
        for row, fields in enumerate(read_rows(file, COLUMNS)):
            where, utt_id = f"{file}: row {row}", fields[ID]
            if not isinstance(utt_id, str) or len(utt_id.split()) != 1 or utt_id in times:
                raise SpnerError(f"{where}: id {utt_id!r} is no new name without spaces; restore the table")
            words, times[utt_id] = _place_words(_read_timed(fields[WORDS], "word", where), lang)
            entities = _find_entities(times[utt_id], _read_timed(fields[ENTITIES], "ne_label", where))
            clip = name_row(str(file.relative_to(corpus)), row)
            utterance = Utterance(utt_id, utt_id, clip, " ".join(words))
            if words:
                utterances.append(utterance)
                transcripts[utt_id] = Transcript(words, entities)
            else:
                empty.append(utterance)
    return CorpusSet(tuple(utterances), tuple(empty), transcripts=transcripts, gold=True)


def _read_timed(column: Any, name: str, where: str) -> list[Timed]:
    """Return what a column of lists holds.

    Raises:
        SpnerError: its lists are not of one length, or a time is none.
    """
    try:
        found = list(zip(column[name], *(column[key] for key in TIMES), strict=True))
        if not all(isinstance(text, str) and 0 <= start <= end for text, start, end in found):
            raise ValueError("a start or an end is none")
    except (KeyError, TypeError, ValueError) as error:
        raise SpnerError(
            f"{where}: {name} has no times ({error}; expected a start and an end in seconds each); restore the table"
        ) from error
    return found


def _place_words(spoken: Sequence[Timed], lang: str) -> tuple[tuple[str, ...], WordTimes]:
    """Return the normalised words and their times; a word that becomes several gives each the same share of its own."""
    words: list[str] = []
    times: list[tuple[float, float]] = []
    for text, start_s, end_s in spoken:
        pieces = normalise_word(text, lang)
        share_s = (end_s - start_s) / max(1, len(pieces))
        words += pieces
        times += ((start_s + n * share_s, start_s + (n + 1) * share_s) for n in range(len(pieces)))
    return tuple(words), tuple(times)


def _find_entities(times: WordTimes, spoken: Sequence[Timed]) -> tuple[Entity, ...]:
    """Return the entities on the words in whose time they lie; a word belongs to the first that claims it."""

    def own_words(start_s: float, end_s: float) -> Iterator[int]:
        return (n for n, (a, b) in enumerate(times) if start_s <= (a + b) / 2 < end_s)

    entities: list[Entity] = []
    for label, start_s, end_s in sorted(spoken, key=lambda one: one[1:]):
        free = [n for n in own_words(start_s, end_s) if not entities or n >= entities[-1].end]
        if free:
            entities.append(Entity(free[0], free[-1] + 1, label))
    return tuple(entities)
