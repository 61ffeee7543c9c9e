"""The Common Voice reader: a release's tables -> utterances, for every layout from 6.1 on.

::

    <corpus>/clips/*.mp3
    <corpus>/{train,dev,test,validated,…}.tsv   header; columns found by name

A mini corpus also has ``gold_entities.jsonl``, ``word_times.jsonl`` and ``summary.json``.
Fields are literal: there is no quoting. Real releases hold stray quote characters on which a CSV reader
silently joins rows.
"""

import unicodedata
from pathlib import Path

from spner.core.datatypes import Utterance
from spner.core.errors import SpnerError, nearest
from spner.core.files import read_json, read_lines
from spner.core.paths import GOLD_ENTITIES, SETS, WORD_TIMES
from spner.corpora.corpus import Corpus, CorpusSet, require_clip_name, without_space
from spner.data.datadir import read_entities, read_word_times

FORM = "an unpacked Common Voice release of one language, a folder with clips/ and *.tsv"
SUMMARY = "summary.json"  # the mini corpus's: it says that the speech is synthetic
CLIENT_ID, PATH, SENTENCE = "client_id", "path", "sentence"


def recognises(corpus: Path) -> bool:
    """Whether a path is a folder, as a release is."""
    return corpus.is_dir()


def list_inputs(corpus: Path) -> list[Path]:
    """Return the tables of the sets, and the files that a mini corpus has beside them."""
    names = [*(f"{name}.tsv" for name in list_sets(corpus)), GOLD_ENTITIES, WORD_TIMES, SUMMARY]
    return [corpus / name for name in names if (corpus / name).exists()]


def find_clips(corpus: Path) -> Path:
    """Return the folder of a release's clips."""
    return corpus / "clips"


def read(corpus: Path, *, lang: str) -> Corpus:
    """Read every table, and the gold entities and word times of a mini corpus; ``lang`` decides nothing here.

    Raises:
        SpnerError: as :func:`list_sets` and :func:`read_tsv` do, or a file beside the tables is malformed.
    """
    gold, word_times, summary = (corpus / name for name in (GOLD_ENTITIES, WORD_TIMES, SUMMARY))
    return Corpus(
        {name: read_tsv(corpus, name) for name in list_sets(corpus)},
        synthetic=summary.exists() and bool(read_json(summary).get("synthetic")),
        gold=read_entities(gold) if gold.exists() else None,
        word_times=read_word_times(word_times) if word_times.exists() else None,
    )


def make_utt_id(client_id: str, path: str) -> str:
    """Return the utterance id: speaker first, as Kaldi's sorting wants it, then the clip's name.

    16 of the 128 hexadecimal digits distinguish a million speakers (chance of a collision 3e-8).
    """
    return f"{make_spk_id(client_id)}-{without_space(Path(path).stem)}"


def make_spk_id(client_id: str) -> str:
    """Return the speaker id, ``unknown`` if the release names none."""
    return without_space(client_id[:16]) or "unknown"


def list_sets(corpus: Path) -> list[str]:
    """Return the sets a corpus has: of train, dev and test those with a table, else ``validated``.

    Raises:
        SpnerError: the folder has none of these tables.
    """
    found = [name for name in SETS if (corpus / f"{name}.tsv").is_file()]
    if not found and (corpus / "validated.tsv").is_file():
        return ["validated"]
    if not found:
        raise SpnerError(
            f"{corpus}: holds no train.tsv, dev.tsv, test.tsv or validated.tsv; "
            "give the folder of one language of an unpacked Common Voice release"
        )
    return found


def read_tsv(corpus: Path, set_name: str) -> CorpusSet:
    """Read ``<corpus>/<set_name>.tsv``.

    Raises:
        SpnerError: no table, no column of a needed name, a clip name that leaves ``clips/``, or a clip
            that occurs twice; the message gives the line.
    """
    table = corpus / f"{set_name}.tsv"
    lines = enumerate(read_lines(table), start=1)
    header = next((line for _, line in lines), "").removeprefix("\ufeff").split("\t")
    column = {name: _find_column(table, header, name) for name in (CLIENT_ID, PATH, SENTENCE)}
    utterances: list[Utterance] = []
    empty: list[Utterance] = []
    ragged: list[int] = []
    line_of: dict[str, int] = {}
    for line_number, line in lines:
        fields = line.split("\t")
        if len(fields) != len(header):
            ragged.append(line_number)
            continue
        utterance = _make_utterance(table, line_number, *(fields[at] for at in column.values()))
        if utterance.utt_id in line_of:
            raise SpnerError(
                f'{table}:{line_number}: clip "{utterance.clip}" is also in line '
                f"{line_of[utterance.utt_id]} (expected one line per clip); remove one of them"
            )
        line_of[utterance.utt_id] = line_number
        (utterances if utterance.sentence else empty).append(utterance)
    return CorpusSet(tuple(utterances), tuple(empty), tuple(ragged))


def _find_column(table: Path, header: list[str], name: str) -> int:
    if name not in header:
        raise SpnerError(
            f'{table}:1: no column "{name}" (found {", ".join(header)}){nearest(name, header)}; '
            "expected the header of a Common Voice table: client_id, path, sentence"
        )
    return header.index(name)


def _make_utterance(table: Path, line_number: int, client_id: str, path: str, sentence: str) -> Utterance:
    require_clip_name(path, f"{table}:{line_number}")
    sentence = unicodedata.normalize("NFC", sentence).strip()
    return Utterance(make_utt_id(client_id, path), make_spk_id(client_id), path, sentence)
