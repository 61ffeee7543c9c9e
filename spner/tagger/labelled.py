"""The utterances of data folders as what a tagger of recognised words learns from.

They have the form in which a recogniser writes, and carry the pseudo-labels of stage 2. Fraction and joined folders are
chosen as stage 3 chooses them, so the tagger learns from the very utterances that the E2E system of these settings has.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.datatypes import Transcript
from spner.core.errors import SpnerError
from spner.core.files import read_json
from spner.data.trainset import choose_labels, choose_trainset, find_data, stream_labelled
from spner.tagger.annotate import DEFAULT_TAGGERS, UNTAGGED
from spner.text.languages import base_language

OF_FILES = {"dev", "test", "encoding", "token_column", "match_speech", "noise", "lang", "labels", "mapping"}
OF_UTTERANCES = {"fraction", "joined", "from_scratch"}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Labelled:
    """Utterances with their pseudo-labels.

    Attributes:
        sets: ``train`` and ``dev``; dev is empty where nothing in it is labelled, for it could select no epoch.
        files: what each set was read from.
        counts: what each data folder's train set gave, as :class:`spner.data.trainset.TrainSet` counts it.
    """

    sets: dict[str, list[Transcript]]
    files: dict[str, list[Path]]
    counts: list[dict[str, Any]]


def read_utterances(data: Path, *, joined: Sequence[Path] = (), fraction: float = 100.0) -> Labelled:
    """Read the utterances to train a tagger on.

    Args:
        data: data folder of stages 1 and 2.
        joined: other data folders, or recipes with one, whose train sets are added.
        fraction: percent of ``data``'s train set; joined ones are used whole.

    Raises:
        SpnerError: stage 1 or 2 has not finished, or joined folders share an utterance id or have other
            labels.
    """
    folders = [data, *(find_data(path, like=data) for path in joined)]
    labels = choose_labels(data, folders[1:])
    read = partial(stream_labelled, labels=labels)
    chosen = choose_trainset(folders, fraction)
    train = [transcript for _, transcript, _ in chosen.stream_parts(read)]
    dev_set = data / paths.DEV
    dev = [transcript for _, transcript in read(dev_set)] if dev_set.is_dir() else []
    if not any(transcript.entities for transcript in dev):
        log.info("%s: nothing is labelled, so the last epoch is kept", dev_set)
        dev = []
    files = {paths.TRAIN: [folder / paths.TRAIN / paths.ENTITIES for folder in folders]}
    files[paths.DEV] = [dev_set / paths.ENTITIES] if dev else []
    return Labelled({paths.TRAIN: train, paths.DEV: dev, paths.TEST: []}, files, chosen.counts)


def require_one_source(given: Collection[str]) -> None:
    """Refuse options of ``spner train-tagger`` that do not fit what is learnt from.

    Args:
        given: names of the options that stand on the command line.

    Raises:
        SpnerError: not one of ``--train`` and ``--data`` is given, or options are that go with the other.
    """
    if {"model", "from_scratch"} <= set(given):
        raise SpnerError("--model, --from_scratch: exclude each other")
    if ("train_files" in given) == ("data" in given):
        raise SpnerError("--train, --data: expected one of them: column files, or a data folder of stages 1 and 2")
    here, there, unfit = ("--data", "--train", OF_FILES) if "data" in given else ("--train", "--data", OF_UTTERANCES)
    if found := sorted(unfit & set(given)):
        options = ", ".join(f"--{name.removesuffix('ed').removesuffix('ping')}" for name in found)
        raise SpnerError(f"{options}: cannot be given with {here}; leave out, or give {there}")


def choose_start(data: Path, model: str | None, *, from_scratch: bool) -> str | None:
    """Return the model to fine-tune on a data folder's utterances; None for a small one from scratch.

    Without a model it is the tagger that made the folder's pseudo-labels; where they came with the corpus, the
    language's default tagger, or the network that the default taggers were fine-tuned from.

    Raises:
        SpnerError: stage 2 has not finished.
    """
    if model or from_scratch:
        return model
    tagger = read_json(data / paths.TRAIN / paths.ANNOTATE_RECORD)["tagger"]
    if tagger:
        return str(tagger)
    lang = base_language(read_json(data / paths.REPORT)["settings"]["lang"])
    return DEFAULT_TAGGERS.get(lang, UNTAGGED)
