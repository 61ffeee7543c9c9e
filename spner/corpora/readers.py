"""Which reader takes a path: one module a kind of corpus, and what to do about a path that none takes."""

import shlex
import tarfile
import zipfile
from pathlib import Path

from spner.core.errors import SpnerError
from spner.corpora import common_voice, msner, nemo, paper_json, slue, slue_nel
from spner.corpora.corpus import Reader

READERS: tuple[Reader, ...] = (paper_json, slue, slue_nel, msner, nemo, common_voice)
"""The first that recognises a path reads it."""


def choose_reader(corpus: Path) -> Reader:
    """Return the reader of a corpus.

    Raises:
        SpnerError: there is nothing, or a file that no reader takes; of an archive, the message says how to unpack it.
    """
    for reader in READERS:
        if reader.recognises(corpus):
            return reader
    *forms, last = (reader.FORM for reader in READERS)
    expected = f"(expected {', '.join(forms)}, or {last})"
    if not corpus.is_file():
        raise SpnerError(f"{corpus}: no such corpus {expected}; paths are relative to the recipe's folder")
    name, folder = shlex.quote(str(corpus)), shlex.quote(str(corpus.parent))
    if tarfile.is_tarfile(corpus):
        advice = f"unpack it (tar -xf {name} -C {folder}), then give the folder in it that holds its tables"
    elif zipfile.is_zipfile(corpus):
        advice = f"unpack it (unzip {name} -d {folder}), then give the folder in it that holds its tables"
    else:
        advice = "give the corpus that it belongs to"
    raise SpnerError(f"{corpus}: is a file {expected}; {advice}")
