"""``spner calibrate``: maps raw confidences of hypotheses to chances of being right, fitted on dev.

Calibration judges dev's hypotheses by dev's references and writes the confidences in ``entities.jsonl`` of every
decoded set anew, always from the raw ones: a second run changes nothing, and a run after a stopped one ends the same.
``exp/<tag>/decode/<search>/calibration.json`` tells what was fitted::

    {"references": "gold_entities.jsonl", "num_utts": 80,
     "words": {"slope": 1.9, "intercept": -0.6, "num": 665, "right": 628, "ece_raw": 0.04, "ece": 0.01},
     "entities": {…}}

The errors ``ece`` are those on dev itself, so the calibrated one flatters.
"""

import logging
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.datatypes import Transcript
from spner.core.errors import SpnerError
from spner.core.files import locked, read_json, write_json
from spner.core.searches import find_searches
from spner.data.datadir import read_entities, read_labels, write_entities
from spner.decode.hypotheses import read_hypotheses
from spner.scoring.calibration import (
    TimingCalibration,
    compute_ece,
    fit_calibration,
    judge_entities,
    judge_words,
)
from spner.scoring.transcripts import Pair

SYSTEM_KEYS = ("model", "search", "tagger", "weights")  # of a set's record: what decides how hypotheses err

log = logging.getLogger(__name__)


def calibrate_searches(data: Path, exp: Path, search: str | None = None) -> dict[str, dict[str, Any]]:
    """Calibrate the confidences of every search, or of one; return what was fitted, by search, where dev is decoded.

    Args:
        data: see :func:`calibrate_sets`.
        exp: experiment folder with hypotheses.
        search: the one; None for all.

    Raises:
        SpnerError: nothing is decoded, or as :func:`calibrate_sets`.
    """
    fitted = {name: calibrate_sets(data, exp, name) for name in find_searches(exp, search)}
    return {name: one for name, one in fitted.items() if one}


def calibrate_sets(data: Path, exp: Path, search: str) -> dict[str, Any] | None:
    """Calibrate the confidences of every set that a search decoded; return what was fitted, None without dev.

    A set that another model or search than dev's decoded gets its raw confidences, and the log says so.

    Args:
        data: data folder; its dev set is judged by gold entities or, without any, by pseudo-labels.
        exp: experiment folder with hypotheses.
        search: its name.

    Raises:
        SpnerError: dev has no references or those of other utterances, or a file does not fit its
            hypotheses.
    """
    folder = paths.search_dir(exp, search)
    records = {path.parent.name: read_json(path) for path in sorted(folder.glob(f"*/{paths.DECODE_RECORD}"))}
    if paths.DEV not in records:
        log.warning("%s: dev is not decoded, which calibrates the confidences; they stay as they are", folder)
        return None
    with locked(exp / paths.DECODE):
        fitted = _fit(folder / paths.DEV, find_references(data / paths.DEV))
        write_json(paths.calibration_file(exp, search), fitted)
        calibration = TimingCalibration.from_record(fitted)
        for set_name, record in records.items():
            alike = _identify_system(record) == _identify_system(records[paths.DEV])
            if not alike:
                log.warning(
                    "%s: another model or search than dev's decoded it; its confidences are raw until both are "
                    "decoded alike",
                    set_name,
                )
            _write_confidences(folder / set_name, calibration if alike else None)
    return fitted


def format_fitted(fitted: dict[str, Any]) -> str:
    """Return one line to print."""
    errors = [
        f"{kind} {100 * fitted[kind]['ece_raw']:.1f}% -> {100 * fitted[kind]['ece']:.1f}%"
        for kind in ("words", "entities")
        if fitted[kind]["num"]
    ]
    found = ", ".join(errors) or "no words"
    return f"calibrated on dev, {fitted['num_utts']} utterances, {fitted['references']}: calibration error of {found}"


def _identify_system(record: dict[str, Any]) -> list[Any]:
    return [record.get(key) for key in SYSTEM_KEYS]


def find_references(folder: Path) -> Path:
    """Return the file that judges a set's hypotheses: gold entities or, without any, pseudo-labels.

    Raises:
        SpnerError: there is neither.
    """
    for name in (paths.GOLD_ENTITIES, paths.ENTITIES):
        if (folder / name).exists():
            return folder / name
    raise SpnerError(
        f"{folder}: holds no references (expected {paths.GOLD_ENTITIES} or {paths.ENTITIES} to judge dev's hypotheses "
        "by); stage 2 makes them"
    )


def read_references(file: Path) -> dict[str, Transcript]:
    """Read what :func:`find_references` found; gold entities may have other names for the data folder's labels."""
    labels = read_labels(file.parent)
    return {utt_id: labels.rename(one) for utt_id, one in read_entities(file).items()}


def _fit(folder: Path, references: Path) -> dict[str, Any]:
    """Return what the hypotheses in a folder, judged by the references, say about their confidences."""
    refs = read_references(references)
    hyps, raw = read_hypotheses(folder)
    if refs.keys() != hyps.keys():
        raise SpnerError(
            f"{references}: its utterances are not those of {folder / paths.ENTITIES}; rerun the stages 1, 2 and 5"
        )
    pairs = {utt_id: Pair(ref=refs[utt_id], hyp=hyps[utt_id]) for utt_id in raw}
    return {
        "references": references.name,
        "num_utts": len(pairs),
        "words": _fit_kind(
            [c for timing in raw.values() for c in timing.word_confidences],
            [right for pair in pairs.values() for right in judge_words(pair)],
        ),
        "entities": _fit_kind(
            [c for timing in raw.values() for c in timing.entity_confidences],
            [right for pair in pairs.values() for right in judge_entities(pair)],
        ),
    }


def _fit_kind(raw: list[float], right: list[bool]) -> dict[str, Any]:
    calibration = fit_calibration(raw, right)
    return {
        "slope": calibration.slope,
        "intercept": calibration.intercept,
        "num": len(raw),
        "right": sum(right),
        "ece_raw": compute_ece(raw, right),
        "ece": compute_ece(calibration.apply(raw), right),
    }


def _write_confidences(folder: Path, calibration: TimingCalibration | None) -> None:
    """Write a set's entities file anew, with its raw confidences or with calibrated ones."""
    transcripts, timings = read_hypotheses(folder)
    if calibration:
        timings = {utt_id: calibration.apply(timing) for utt_id, timing in timings.items()}
    write_entities(folder / paths.ENTITIES, transcripts, timings)
