"""The utterances to train on: all or a fraction of a recipe's train set, and other recipes' train sets."""

import hashlib
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.datatypes import Transcript
from spner.core.errors import SpnerError
from spner.data.datadir import read_entities, read_labels, read_table


@dataclass(frozen=True)
class TrainSet:
    """Utterances of one or several data folders.

    Attributes:
        texts: transcript of each.
        homes: the data folder that each comes from.
        durations_s: of each clip.
        counts: for each data folder the utterances and hours that are chosen, and those of its whole train set.
    """

    texts: dict[str, str]
    homes: dict[str, Path]
    durations_s: dict[str, float]
    counts: list[dict[str, Any]]


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


def read_labelled(folder: Path, labels: Collection[str]) -> dict[str, Transcript]:
    """Return the words of a set's utterances with their pseudo-labels, in the order of its transcripts.

    Raises:
        SpnerError: stage 1 or 2 has not finished, the entities are those of other words, or one has none of the labels.
    """
    text, transcripts = read_table(folder / paths.TEXT), read_entities(folder / paths.ENTITIES)
    for utt_id in text:
        if utt_id not in transcripts or " ".join(transcripts[utt_id].words) != text[utt_id]:
            raise SpnerError(
                f'{folder / paths.ENTITIES}: words of utterance "{utt_id}" are not those of '
                f"{folder / paths.TEXT}; rerun stage 2"
            )
        for entity in transcripts[utt_id].entities:
            if entity.label not in labels:
                raise SpnerError(
                    f'{folder / paths.ENTITIES}: utterance "{utt_id}" has an entity {entity.label} (expected '
                    f"{', '.join(labels)}); rerun stage 2 with other --labels, or add it to "
                    f"{folder.parent / paths.LABEL_LIST}"
                )
    return {utt_id: transcripts[utt_id] for utt_id in text}


def choose_trainset(whole: dict[Path, dict[str, str]], percent: float) -> TrainSet:
    """Choose from the train sets of data folders: ``percent`` of the first, all of the others.

    Raises:
        SpnerError: two folders share an utterance id.
    """
    chosen = TrainSet({}, {}, {}, [])
    for number, (data, texts) in enumerate(whole.items()):
        taken = choose_fraction(texts, 100.0 if number else percent)
        durations_s = read_durations(data / paths.TRAIN)
        for utt_id in sorted(taken):
            if utt_id in chosen.homes:
                raise SpnerError(
                    f'{data / paths.TRAIN / paths.TEXT}: utterance "{utt_id}" is in '
                    f"{chosen.homes[utt_id]}, too (expected ids that no joined folder shares); rename the "
                    "clips of one corpus"
                )
            chosen.texts[utt_id], chosen.homes[utt_id] = texts[utt_id], data
            chosen.durations_s[utt_id] = durations_s[utt_id]
        counts = {name: _count(durations_s[u] for u in utts) for name, utts in (("chosen", taken), ("whole", texts))}
        chosen.counts.append({"data": str(data), **counts})
    return chosen


def choose_fraction(utt_ids: Iterable[str], percent: float) -> set[str]:
    """Return ``percent`` of the utterances, 0 < percent <= 100; at least one, if there are any.

    Those whose ids have the lowest hashes: a smaller fraction lies within a larger one, in whatever order the ids come.
    """
    ranked = sorted(utt_ids, key=lambda utt_id: hashlib.sha256(utt_id.encode()).digest())
    return set(ranked[: max(1, round(len(ranked) * percent / 100))])


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


def locate_audio(trainset: TrainSet) -> dict[str, str]:
    """Return each utterance's ``wav.scp`` value, valid where the data folders' paths are.

    Raises:
        SpnerError: a location is neither absolute nor in the data folder's own audio store.
    """
    tables = {data: read_table(data / paths.TRAIN / paths.WAV_SCP) for data in dict.fromkeys(trainset.homes.values())}
    located: dict[str, str] = {}
    for utt_id, data in trainset.homes.items():
        location = tables[data][utt_id]
        # A store lies in its data folder; the other recipe has another path to it than this one.
        _, store, clip = location.rpartition(f"/{paths.AUDIO_STORE}/")
        if not store and not location.startswith("/"):
            raise SpnerError(
                f'{data / paths.TRAIN / paths.WAV_SCP}: "{location}" does not lie in the folder\'s own '
                f"{paths.AUDIO_STORE}, from where it could be found; rerun stage 1"
            )
        located[utt_id] = location if location.startswith("/") else str(data / paths.AUDIO_STORE / clip)
    return located


def read_durations(folder: Path) -> dict[str, float]:
    """Return the duration of each utterance of a set, in seconds."""
    return {u: float(duration_s) for u, duration_s in read_table(folder / paths.UTT2DUR).items()}


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


def _count(durations_s: Iterable[float]) -> dict[str, float]:
    seconds = list(durations_s)
    return {"utterances": len(seconds), "hours": math.fsum(seconds) / 3600}
