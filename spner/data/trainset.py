"""The utterances to train on: all or a fraction of a recipe's train set, and other recipes' train sets.

Files are streamed side by side, in C order: memory does not grow with the corpus.
"""

import hashlib
import math
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import chain, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from spner.core import paths
from spner.core.datatypes import Transcript
from spner.core.errors import SpnerError
from spner.data.datadir import read_labels, stream_entities, stream_table

ALL = 2**64  # limit that no rank exceeds
LAST = chr(0x10FFFF)  # behind every utterance id


Value = TypeVar("Value")
Other = TypeVar("Other")
Row = TypeVar("Row", bound=tuple[Any, ...])
Utterance = tuple[str, Value, float]
"""Utterance id, transcript in some form, and seconds of the clip."""
Read = Callable[[Path], Iterator[tuple[str, Value]]]
"""Yields a set's utterance ids with their transcripts, in C order."""


def choose_labels(data: Path, others: Sequence[Path]) -> list[str]:
    """Return the labels of a data folder, which folders that are joined must have, too.

    Raises:
        SpnerError: one has others.
    """
    names = read_labels(data).names
    for other in others:
        found = read_labels(other).names
        if set(found) != set(names):
            raise SpnerError(
                f"--join {other}: has the labels {', '.join(found)} (expected those of {data}, {', '.join(names)}); "
                "rerun stage 2 of either with the other's --labels"
            )
    return list(names)


def stream_labelled(folder: Path, labels: Collection[str]) -> Iterator[tuple[str, Transcript]]:
    """Yield the words of a set's utterances with their pseudo-labels, in the order of its transcripts, which is C's.

    Raises:
        SpnerError: stage 1 or 2 has not finished, the entities are those of other words, or one has none of the labels.
    """
    for utt_id, text, transcript in _pair(stream_texts(folder), stream_entities(folder / paths.ENTITIES)):
        if transcript is None or " ".join(transcript.words) != text:
            raise SpnerError(
                f'{folder / paths.ENTITIES}: words of utterance "{utt_id}" are not those of '
                f"{folder / paths.TEXT}; rerun stage 2"
            )
        for entity in transcript.entities:
            if entity.label not in labels:
                raise SpnerError(
                    f'{folder / paths.ENTITIES}: utterance "{utt_id}" has an entity {entity.label} (expected '
                    f"{', '.join(labels)}); rerun stage 2 with other --labels, or add it to "
                    f"{folder.parent / paths.LABEL_LIST}"
                )
        yield utt_id, transcript


def stream_texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield a set's transcripts.

    Raises:
        SpnerError: stage 1 has not finished, or they are not in C order.
    """
    last = ""
    for utt_id, text in stream_table(folder / paths.TEXT):
        if utt_id < last:
            raise SpnerError(f'{folder / paths.TEXT}: "{utt_id}" stands behind "{last}" (expected C order); sort it')
        last = utt_id
        yield utt_id, text


def stream_set(folder: Path, read: Read[Value]) -> Iterator[Utterance[Value]]:
    """Yield a set's utterances with their durations.

    Raises:
        SpnerError: one has no duration, or what ``read`` raises.
    """
    file = folder / paths.UTT2DUR
    for utt_id, value, duration_s in _pair(read(folder), stream_table(file)):
        if duration_s is None:
            raise SpnerError(f'{file}: lacks utterance "{utt_id}"; rerun stage 1')
        yield utt_id, value, float(duration_s)


def _pair(
    rows: Iterable[tuple[str, Value]], others: Iterator[tuple[str, Other]]
) -> Iterator[tuple[str, Value, Other | None]]:
    """Yield each row with the other one of its id, None where there is none; both come in C order."""
    other_id, other = "", None
    for utt_id, value in rows:
        while other_id < utt_id:
            other_id, other = next(others, (LAST, None))
        yield utt_id, value, other if other_id == utt_id else None


@dataclass(frozen=True)
class TrainSet:
    """The utterances of one or several data folders to train on: a part of the first one's train set, all of others'.

    Attributes:
        folders: the data folders.
        limits: of each the largest rank of its utterances that is taken.
        counts: of each the utterances and hours that are taken, and those of its whole train set.
    """

    folders: tuple[Path, ...]
    limits: tuple[int, ...]
    counts: list[dict[str, Any]]

    def stream_parts(self, read: Read[Value]) -> Iterator[Utterance[Value]]:
        """Yield the utterances, folder by folder."""
        return chain.from_iterable(self._list_parts(read))

    def stream(self, read: Read[Value]) -> Iterator[Utterance[Value]]:
        """Yield the utterances in C order."""
        return merge(*self._list_parts(read), key=itemgetter(0))

    def _list_parts(self, read: Read[Value]) -> list[Iterator[Utterance[Value]]]:
        return [
            _take(stream_set(data / paths.TRAIN, read), limit)
            for data, limit in zip(self.folders, self.limits, strict=True)
        ]


def _take(rows: Iterator[Row], limit: int) -> Iterator[Row]:
    """Yield the rows whose utterances, of which their first value is the id, have a rank within the limit."""
    return (row for row in rows if limit == ALL or rank(row[0]) <= limit)


def choose_trainset(folders: Sequence[Path], percent: float) -> TrainSet:
    """Choose from the train sets of data folders: ``percent`` of the first, all of the others.

    Raises:
        SpnerError: stage 1 has not finished, or two folders share an utterance id.
    """
    _refuse_shared_ids(folders)
    limits, counts = [], []
    for number, data in enumerate(folders):
        limit = find_limit((utt_id for utt_id, _ in stream_texts(data / paths.TRAIN)), 100.0 if number else percent)
        whole = _count(data / paths.TRAIN, ALL)
        chosen = whole if limit == ALL else _count(data / paths.TRAIN, limit)
        counts.append({"data": str(data), "chosen": chosen, "whole": whole})
        limits.append(limit)
    return TrainSet(tuple(folders), tuple(limits), counts)


def _refuse_shared_ids(folders: Sequence[Path]) -> None:
    def list_ids(number: int, data: Path) -> Iterator[tuple[str, int]]:
        return ((utt_id, number) for utt_id, _ in stream_texts(data / paths.TRAIN))

    for (utt_id, first), (other_id, second) in pairwise(merge(*map(list_ids, range(len(folders)), folders))):
        if utt_id == other_id:
            raise SpnerError(
                f'{folders[second] / paths.TRAIN / paths.TEXT}: utterance "{utt_id}" is in {folders[first]}, too '
                "(expected ids that no joined folder shares); rename the clips of one corpus"
            )


def _count(folder: Path, limit: int) -> dict[str, float]:
    """Count the utterances of a train set up to a rank, and their hours."""
    num_utts = 0

    def seconds() -> Iterator[float]:
        nonlocal num_utts
        for _, _, duration_s in _take(stream_set(folder, stream_texts), limit):
            num_utts += 1
            yield duration_s

    hours = math.fsum(seconds()) / 3600
    return {"utterances": num_utts, "hours": hours}


def rank(utt_id: str) -> int:
    """Return an utterance's place among all possible ones, the same on every machine: 64 bits of a hash of its id."""
    return int.from_bytes(hashlib.sha256(utt_id.encode()).digest()[:8], "big")


def find_limit(utt_ids: Iterable[str], percent: float) -> int:
    """Return the largest :func:`rank` of ``percent`` of the utterances, 0 < percent <= 100; of one at least.

    They are those of the lowest ranks: a smaller fraction lies within a larger one, in whatever order the ids come.
    """
    if percent == 100:
        return ALL
    ranks = sorted(array("Q", map(rank, utt_ids)))
    return ranks[max(1, round(len(ranks) * percent / 100)) - 1] if ranks else -1


def find_data(path: Path, *, like: Path) -> Path:
    """Return ``path`` if it is a data folder; if it is a recipe, its data folder named like ``like``, or its only one.

    Raises:
        SpnerError: there is none, or there are several to choose from.
    """
    if (path / paths.REPORT).exists():
        return path
    found = sorted(report.parent for report in path.glob(f"data/*/{paths.REPORT}"))
    fitting = [data for data in found if data.name == like.name] or found
    if len(fitting) != 1:
        advice = "give one of them" if found else "stages 1 and 2 of its recipe make one"
        raise SpnerError(
            f"--join {path}: holds finished data in {', '.join(map(str, found)) or 'no folder'} (expected "
            f"a data folder, or a recipe with one); {advice}"
        )
    return fitting[0]


def stream_audio(trainset: TrainSet) -> Iterator[tuple[str, str]]:
    """Yield each utterance's ``wav.scp`` value, valid where the data folders' paths are, in C order.

    Raises:
        SpnerError: a location is neither absolute nor in the data folder's own audio store, or is missing.
    """

    def locate(data: Path, limit: int) -> Iterator[tuple[str, str]]:
        file = data / paths.TRAIN / paths.WAV_SCP
        taken = _take(stream_texts(data / paths.TRAIN), limit)
        for utt_id, _, found in _pair(taken, stream_table(file)):
            if found is None:
                raise SpnerError(f'{file}: lacks utterance "{utt_id}", or is not in C order; rerun stage 1')
            yield utt_id, _seen_from_here(found, data)

    parts = (locate(data, limit) for data, limit in zip(trainset.folders, trainset.limits, strict=True))
    return merge(*parts, key=itemgetter(0))


def _seen_from_here(location: str, data: Path) -> str:
    """Return a location in another recipe's table as it is from here: a store lies in its data folder."""
    _, store, clip = location.rpartition(f"/{paths.AUDIO_STORE}/")
    if not store and not location.startswith("/"):
        raise SpnerError(
            f'{data / paths.TRAIN / paths.WAV_SCP}: "{location}" does not lie in the folder\'s own '
            f"{paths.AUDIO_STORE}, from where it could be found; rerun stage 1"
        )
    return location if location.startswith("/") else str(data / paths.AUDIO_STORE / clip)


def format_counts(counts: list[dict[str, Any]]) -> str:
    """Return a line about the training data: ``data/mini: 179 of 893 utterances, 0.18 of 0.89 h (20 %)``."""
    return " and ".join(f"{one['data']}: {_format_part(one['chosen'], one['whole'])}" for one in counts)


def _format_part(chosen: dict[str, float], whole: dict[str, float]) -> str:
    if chosen == whole:
        return f"{whole['utterances']} utterances, {whole['hours']:.2f} h"
    share = chosen["utterances"] / whole["utterances"]
    return (
        f"{chosen['utterances']} of {whole['utterances']} utterances, {chosen['hours']:.2f} of "
        f"{whole['hours']:.2f} h ({share:.0%})"
    )
