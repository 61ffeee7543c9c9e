"""The confidences of decoded sets: decoding dev fits the calibration, decoding any set applies it.

``exp/<tag>/decode/calibration.json``::

    {"model": "<fingerprint>", "references": "gold_entities.jsonl", "num_utts": 80,
     "words": {"slope": 1.9, "intercept": -0.6, "num": 665, "right": 628, "ece_raw": 0.04, "ece": 0.01},
     "entities": {…}}

The errors ``ece`` are those on dev itself, so the calibrated one flatters.
"""

import logging
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.datatypes import Timing, Transcript
from spner.core.errors import SpnerError
from spner.core.files import fingerprint, read_json, write_json
from spner.data.datadir import read_entities
from spner.scoring.calibration import (
    Calibration,
    TimingCalibration,
    compute_ece,
    fit_calibration,
    judge_entities,
    judge_words,
)
from spner.scoring.ner import Pair

log = logging.getLogger(__name__)


def calibration_identity(data: Path, exp: Path, set_name: str, *, model: str) -> str | None:
    """Return a digest of what a set's confidences are calibrated with; None where they are raw."""
    calibration = paths.calibration_file(exp)
    if not calibration.exists() or read_json(calibration)["model"] != model:
        return None
    if set_name != paths.DEV:
        return fingerprint([calibration])
    references = _find_references(data / paths.DEV)
    return fingerprint([calibration, references]) if references else None


def calibrate(
    transcript: dict[str, Transcript], raw: dict[str, Timing], data: Path, exp: Path, set_name: str, *, model: str
) -> dict[str, Timing]:
    """Return the timings with calibrated confidences; those of dev are fitted first.

    Without a calibration for the model the confidences stay raw, and the log says so.

    Args:
        annotated: words and entities of every hypothesis.
        raw: the timings of those that have one.
        data: data folder; dev is judged by its gold entities or, without any, by its pseudo-labels.
        exp: experiment folder.
        set_name: whose hypotheses these are.
        model: fingerprint of the model that wrote them.

    Raises:
        SpnerError: dev's references are not of these utterances, or the file of the calibration is malformed.
    """
    if len(raw) < len(transcript):
        log.warning(
            "%s: %d of %d hypotheses need more frames than their clips have; they carry no times",
            set_name,
            len(transcript) - len(raw),
            len(transcript),
        )
    path = paths.calibration_file(exp)
    references = _find_references(data / paths.DEV) if set_name == paths.DEV else None
    if references:
        write_json(path, {"model": model, **_fit(transcript, raw, references)})
    if calibration_identity(data, exp, set_name, model=model) is None:
        log.warning("%s: confidences are raw: dev, which calibrates them, is not decoded with this model", set_name)
        return raw
    calibration = _read(path)
    return {utt_id: calibration.apply(timing) for utt_id, timing in raw.items()}


def _find_references(folder: Path) -> Path | None:
    return next((folder / n for n in (paths.GOLD_ENTITIES, paths.ENTITIES) if (folder / n).exists()), None)


def _fit(transcript: dict[str, Transcript], raw: dict[str, Timing], references: Path) -> dict[str, Any]:
    refs = read_entities(references, made_by="stage 2")
    if refs.keys() != transcript.keys():
        raise SpnerError(
            f"{references}: its utterances are not those of {references.with_name(paths.WAV_SCP)}; rerun stages 1 and 2"
        )
    pairs = {utt_id: Pair(ref=refs[utt_id], hyp=transcript[utt_id]) for utt_id in raw}
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


def _read(path: Path) -> TimingCalibration:
    record = read_json(path)
    try:
        kinds = [Calibration(float(record[k]["slope"]), float(record[k]["intercept"])) for k in ("words", "entities")]
    except (KeyError, TypeError, ValueError) as error:
        raise SpnerError(f"{path}: is no calibration ({error}); remove it and rerun stage 5 on dev") from error
    return TimingCalibration(*kinds)
