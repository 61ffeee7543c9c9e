"""An experiment folder -> its model with the search that decoded its dev set: nothing has to be said twice.

The search, the language model and the weights are those that ``decode/<search>/dev/decode.json`` tells of, and
``calibration.json`` beside it says how confident to be. Where dev is not decoded, the search is greedy and
confidences are raw.
"""

import logging
import tempfile
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.errors import SpnerError
from spner.core.files import fingerprint, read_json
from spner.core.searches import GREEDY, LM
from spner.core.training import beside_recipe, read_pipeline, read_training
from spner.decode.beam_options import find_arpa
from spner.decode.beam_search import Search, has_flashlight, search_greedily
from spner.decode.biasing import boost_lm
from spner.decode.config import DecodeConfig, make_decode_config
from spner.decode.parallel_search import make_plan
from spner.decode.plan import build_search, forget_searches
from spner.scoring.calibration import TimingCalibration
from spner.tag.models import SpeechModel
from spner.tag.pipeline import make_pipeline
from spner.tagger.model import load_tagger
from spner.text.labels import LabelSet

log = logging.getLogger(__name__)


def is_experiment(path: Path) -> bool:
    """Whether a folder holds a training, or a pipeline."""
    return (path / paths.CONFIG).exists() or read_pipeline(path)[0] is not None


def load_experiment(exp: Path, *, device: str, boost: Path | None = None, lang: str | None = None) -> SpeechModel:
    """Load an experiment's model, search and calibration.

    Args:
        exp: experiment folder of stage 4, or of a pipeline, decoded at least on dev.
        device: torch device; ``auto`` takes a GPU if there is one.
        boost: list of names, see :mod:`spner.decode.biasing`; the search must be a beam search.
        lang: of the speech; by default that of the data that the model was trained on.

    Raises:
        SpnerError: nothing is trained there, or a file does not fit it.
    """
    tagger, asr = read_pipeline(exp)
    lang = lang or find_lang(asr)
    name = choose_search(exp)
    search = make_search(asr, name, boost=boost, lang=lang)  # before the model, which takes longer to load
    calibration, tag_text = read_calibration(exp, name), None
    if tagger:
        labels = LabelSet.from_json(_read_record(exp, name)["labels"])
        tag_text = make_pipeline(load_tagger(tagger, labels=labels, device=device), labels, calibration)
        calibration = None
    from spner.decode.recogniser import load_recogniser

    return SpeechModel(load_recogniser(asr, device=device), search, calibration, lang, tag_text=tag_text)


def find_lang(exp: Path) -> str | None:
    """Return the language of the data that an experiment was trained on; None where the data is gone.

    Raises:
        SpnerError: the training has not finished.
    """
    for part in read_training(exp)["train"]:
        report = beside_recipe(Path(part["data"]), exp) / paths.REPORT
        if report.exists():
            return read_json(report)["settings"]["lang"]
    return None


def choose_search(exp: Path) -> str:
    """Return the search to tag with, among those that have decoded dev: the recipe's default, else the first by name.

    Searches with lists of names are passed over: ``--boost`` gives one. Without any, greedy search.
    """
    found = sorted(
        path.parent.parent.name for path in (exp / paths.DECODE).glob(f"*/{paths.DEV}/{paths.DECODE_RECORD}")
    )
    plain = [name for name in found if name != GREEDY and not _read_record(exp, name)["decoded"].get("names")]
    return LM if LM in plain else (plain or [GREEDY])[0]


def make_search(exp: Path, name: str, *, boost: Path | None = None, lang: str | None = None) -> Search:
    """Return a search that decoded an experiment's dev set.

    Args:
        exp: experiment folder.
        name: of :func:`choose_search`.
        boost: list of names.
        lang: normalises the names.

    Raises:
        SpnerError: ``boost`` is given and the search is greedy, or a file is broken or gone.
    """
    if name != GREEDY and not has_flashlight():
        log.warning("%s was decoded with a beam search, which this Python lacks; the search is greedy", exp)
        name = GREEDY
    if name == GREEDY:
        if boost:
            raise SpnerError(f"--boost {boost}: needs a beam search, but {exp} decodes greedily; decode dev with one")
        return search_greedily
    record = _read_record(exp, name)
    config = make_decode_config(record["search"]["config"], where=_record_file(exp, name))
    lm = record["decoded"]["lm"]
    with tempfile.TemporaryDirectory(prefix="spner-") as folder:
        work = Path(folder)
        folder_or_file = beside_recipe(Path(lm), exp) if lm else None
        if boost:
            arpa: Path | None = _boost(exp, boost, folder_or_file, lang, work / "boost")
        else:
            arpa = _find_lm(folder_or_file, record["search"]["lm"], config)
        try:
            return build_search(make_plan(exp, arpa, config, work=work))
        finally:
            forget_searches()  # the next search may lie in a folder of the same name


def _boost(exp: Path, names: Path, lm: Path | None, lang: str | None, out: Path) -> Path:
    if lang is None:
        raise SpnerError(f"--boost {names}: the language decides how names are normalised; give --lang")
    arpa, _ = boost_lm(names, lm, exp, lang=lang, out=out)
    return arpa


def _find_lm(lm: Path | None, wanted: str | None, config: DecodeConfig) -> Path | None:
    """Return the file of the language model with which dev was decoded.

    Raises:
        SpnerError: it is gone, or another now.
    """
    arpa = find_arpa(lm, config)
    if arpa and fingerprint([arpa]) != wanted:
        raise SpnerError(f"{arpa}: is not the language model that dev was decoded with; rerun stage 5")
    return arpa


def _record_file(exp: Path, name: str) -> Path:
    return paths.decode_dir(exp, name, paths.DEV) / paths.DECODE_RECORD


def _read_record(exp: Path, name: str) -> dict[str, Any]:
    return read_json(_record_file(exp, name))


def read_calibration(exp: Path, name: str) -> TimingCalibration | None:
    """Return the calibration of a search that was fitted on dev, None without one."""
    file = paths.calibration_file(exp, name)
    return TimingCalibration.from_record(read_json(file)) if file.exists() else None
