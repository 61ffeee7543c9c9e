"""The folder of an experiment's hypotheses: whose they are, and the files of each set.

``exp/<tag>/decode/<search>/<set>/`` has the references' formats: tagged ``text``, and ``entities.jsonl`` with times and
confidences. The confidences as decoded, which :mod:`spner.decode.calibrate` starts from, stand in
``raw_confidences.jsonl``, not rounded::

    {"utt_id": "…", "words": [0.98213, 0.87031], "entities": [0.91344]}

Where a search keeps several hypotheses, ``nbest.jsonl`` has them.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from operator import itemgetter
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.datatypes import Timing, Transcript
from spner.core.errors import SpnerError
from spner.core.files import atomic_text, read_json, read_lines
from spner.core.resume import once
from spner.data.datadir import (
    json_line,
    read_records,
    read_timed_entities,
    refuse_twice,
    require_keys,
    split_row,
    write_entities,
    write_table,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hypotheses:
    """A set's hypotheses, by utterance.

    Attributes:
        texts: words and entity symbols.
        transcripts: words and entities.
        timings: times and raw confidences, of the utterances that have some.
        nbest: an utterance's hypotheses with their scores, the best first; written where they are asked for.
    """

    texts: dict[str, str]
    transcripts: dict[str, Transcript]
    timings: dict[str, Timing]
    nbest: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def write_once(
    folder: Path,
    identity: Mapping[str, Any],
    decode: Callable[[], Hypotheses],
    *,
    decoded: Mapping[str, Any],
    nbest: bool = False,
) -> None:
    """Write a set's hypotheses, unless hypotheses of this identity are there.

    Args:
        folder: the set's, of :func:`spner.core.paths.decode_dir`.
        identity: what decides them: the system that writes them, and under ``audio`` what it hears.
        decode: makes them.
        decoded: what tables say of them, see :mod:`spner.core.searches`.
        nbest: whether several hypotheses of an utterance are among them.

    Raises:
        SpnerError: hypotheses of other audio are there.
    """
    _once(folder, identity, lambda: _write(folder, decode(), nbest=nbest), decoded, nbest=nbest)


def join_once(
    folder: Path,
    identity: Mapping[str, Any],
    decode: Callable[[], Sequence[Path]],
    *,
    decoded: Mapping[str, Any],
    nbest: bool = False,
) -> None:
    """Do :func:`write_once` with hypotheses that lie in several folders; they are joined line by line.

    Args:
        folder, identity, decoded, nbest: as there.
        decode: makes the folders, each with the hypotheses of some of the utterances, and returns them.
    """
    _once(folder, identity, lambda: _join(folder, decode(), nbest=nbest), decoded, nbest=nbest)


def _once(
    folder: Path, identity: Mapping[str, Any], write: Callable[[], int], decoded: Mapping[str, Any], *, nbest: bool
) -> None:
    """Call ``write``, which returns the number of utterances, unless hypotheses of this identity are there."""
    record = folder / paths.DECODE_RECORD
    if record.exists():
        _look_at_found(folder, read_json(record), identity, decoded)

    def make() -> dict[str, Any]:
        (folder / paths.NBEST).unlink(missing_ok=True)
        return {"decoded": {**decoded, "num_utts": write()}}

    once(record, identity, make, outputs=[folder / name for name in _list_files(nbest=nbest)])


def _list_files(*, nbest: bool) -> list[str]:
    return [paths.TEXT, paths.RAW_CONFIDENCES, paths.ENTITIES, *([paths.NBEST] if nbest else [])]


def _look_at_found(
    folder: Path, found: Mapping[str, Any], identity: Mapping[str, Any], decoded: Mapping[str, Any]
) -> None:
    """Refuse to replace hypotheses of other audio; tell of others that are replaced."""
    if found.get("audio") != identity["audio"]:
        there = found.get("decoded") or {}
        raise SpnerError(
            f"{folder}: holds hypotheses of other audio ({there.get('num_utts', 'unknown')} utterances of "
            f"{there.get('audio', 'an unknown folder')}; expected {decoded['audio']}, as it is now); decode into "
            f"another folder (--exp exp/NAME --model {folder.parents[2]}), or remove this one"
        )
    if changed := [key for key in identity if found.get(key) != json.loads(json.dumps(identity[key]))]:
        log.warning("%s: decodes anew, in place of hypotheses of another %s", folder, " and ".join(changed))


def _write(folder: Path, hyps: Hypotheses, *, nbest: bool) -> int:
    write_table(folder / paths.TEXT, hyps.texts)
    confidences = {
        utt_id: {"words": list(timing.word_confidences), "entities": list(timing.entity_confidences)}
        for utt_id, timing in hyps.timings.items()
    }
    _write_lines(folder / paths.RAW_CONFIDENCES, confidences)
    write_entities(folder / paths.ENTITIES, hyps.transcripts, hyps.timings)
    if nbest:
        _write_lines(folder / paths.NBEST, {utt_id: {"nbest": several} for utt_id, several in hyps.nbest.items()})
    return len(hyps.texts)


def _join(folder: Path, parts: Sequence[Path], *, nbest: bool) -> int:
    """Write the lines of the parts' files, each in C order, in C order; a line is held of each part, not more."""
    num_texts = 0
    for name in _list_files(nbest=nbest):
        rows = merge(*(_stream_lines(part / name) for part in parts), key=itemgetter(0))
        with atomic_text(folder / name) as file:
            for _, line in rows:
                file.write(f"{line}\n")
                num_texts += name == paths.TEXT
    return num_texts


def _stream_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the utterance id and the line of each utterance of a table or of a JSON lines file."""
    for line in read_lines(path):
        yield split_row(line)[0] if path.name == paths.TEXT else json.loads(line)["utt_id"], line


def _write_lines(path: Path, records: Mapping[str, Mapping[str, Any]]) -> None:
    with atomic_text(path) as file:
        file.writelines(json_line({"utt_id": utt_id, **records[utt_id]}) for utt_id in sorted(records))


def read_hypotheses(folder: Path) -> tuple[dict[str, Transcript], dict[str, Timing]]:
    """Return the words and entities of a set's hypotheses, and their timings with raw confidences.

    Raises:
        SpnerError: they are missing, malformed, or those of other hypotheses.
    """
    path, hyps = folder / paths.RAW_CONFIDENCES, folder / paths.ENTITIES
    transcripts, written = read_timed_entities(hyps)
    raw: dict[str, Timing] = {}
    for line_number, record in read_records(path):
        where = f"{path}:{line_number}"
        require_keys(record, {"utt_id": str, "words": list, "entities": list}, where)
        utt_id, words, entities = record["utt_id"], tuple(record["words"]), tuple(record["entities"])
        refuse_twice(utt_id, raw, where)
        if utt_id not in written or len(entities) != len(written[utt_id].entity_confidences):
            raise _other_hypotheses(path, hyps)
        try:
            raw[utt_id] = Timing(written[utt_id].word_times, words, entities)
        except (TypeError, ValueError) as error:
            raise SpnerError(f"{where}: {error} (expected confidences of 0 to 1); rerun {paths.STAGE_5}") from error
    if raw.keys() != written.keys():
        raise _other_hypotheses(path, hyps)
    return transcripts, raw


def _other_hypotheses(path: Path, hyps: Path) -> SpnerError:
    return SpnerError(f"{path}: its words and entities are not those of {hyps}; remove both and rerun {paths.STAGE_5}")


def refuse_other_system(exp: Path, system: Mapping[str, str] | None) -> None:
    """Refuse a folder that holds another system's hypotheses, or a training where none is expected.

    Args:
        exp: experiment folder.
        system: what ``system.json`` says of a folder without a training of its own: ``model``, and a pipeline's
            ``tagger``; None where the folder's own training decodes.

    Raises:
        SpnerError: it does.
    """
    if system and (exp / paths.CONFIG).exists():
        raise SpnerError(
            f"{exp}: holds a training of its own (expected a folder for hypotheses of {system['model']} alone); "
            "give another --tag"
        )
    if (exp / paths.SYSTEM).exists():
        found = read_json(exp / paths.SYSTEM)
        if not system or found["model"] != system["model"] or found.keys() != system.keys():
            option = "--asr" if "tagger" in found else "--model"
            raise SpnerError(f"{exp}: holds hypotheses of {option} {found['model']}; give that, or another --tag")
