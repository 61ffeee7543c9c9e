"""A pack -> its model with its search: what :mod:`spner.tag.experiment` gives, without torch."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spner.core.errors import SpnerError
from spner.core.files import read_json, read_lines
from spner.data.tokens import BLANK, SOS_EOS
from spner.decode.beam_search import Search, has_flashlight, search_greedily
from spner.decode.onnx_model import OnnxModel, open_session
from spner.decode.plan import SearchPlan, build_search, forget_searches
from spner.scoring.calibration import TimingCalibration
from spner.tag import pack_file
from spner.tag.models import SpeechModel
from spner.tag.pack_file import AGAIN, Pack, open_pack
from spner.tag.packed_tagger import load_packed_tagger
from spner.tag.pipeline import make_pipeline
from spner.text.casing import Casing, read_casing

log = logging.getLogger(__name__)


def load_pack(path: Path, *, device: str) -> SpeechModel:
    """Load the model, search and calibration of a pack.

    Args:
        path: folder or zip file.
        device: as of :func:`spner.decode.onnx_model.open_session`.

    Raises:
        SpnerError: it is no pack, or a file in it is broken.
    """
    with open_pack(path) as pack:
        return load_opened(pack, device=device)


def load_opened(pack: Pack, *, device: str) -> SpeechModel:
    """Load the model of an opened pack; the pack's files are not needed afterwards."""
    token_list = _read_tokens(pack)
    # The quantised model was asked for when the pack was made, and is for CPUs.
    graph = (device != "cuda" and pack.find(pack_file.MODEL_INT8)) or pack.folder / pack_file.MODEL
    session = open_session(graph, device=device)
    _require_outputs(graph, session, {"log_probs": len(token_list), "num_frames": None})
    recogniser = OnnxModel(session, token_list, pack.meta.grid)
    casing = pack.find(pack_file.CASING)
    calibration = _read_calibration(pack)
    tag_text = None
    if pack.meta.tagger:
        tagger = load_packed_tagger(pack.folder, pack.meta.tagger, device=device)
        _require_outputs(pack.folder / pack_file.TAGGER, tagger.session, {"logits": len(tagger.tags)})
        tag_text, calibration = make_pipeline(tagger, pack.meta.tagger.labels, calibration), None
    return SpeechModel(
        recogniser,
        _make_search(pack, token_list),
        calibration,
        pack.meta.lang,
        read_casing(casing) if casing else Casing(),
        tag_text,
    )


def _require_outputs(graph: Path, session: Any, sizes: Mapping[str, int | None]) -> None:
    """Refuse a graph without the outputs of a pack's, or of another number of tokens or tags (None: whatever)."""
    found = {one.name: one.shape[-1] for one in session.get_outputs()}
    if any(
        name not in found or (size and isinstance(found[name], int) and found[name] != size)
        for name, size in sizes.items()
    ):
        raise SpnerError(f"{graph.name}: has the outputs {found} (expected {dict(sizes)}); {AGAIN}")


def _read_tokens(pack: Pack) -> tuple[str, ...]:
    token_list = tuple(read_lines(pack.folder / pack_file.TOKENS))
    if token_list[:1] != (BLANK,) or token_list[-1:] != (SOS_EOS,) or len(set(token_list)) != len(token_list):
        raise SpnerError(f"{pack.meta.name}: {pack_file.TOKENS} is no token list (expected {BLANK} first, none twice)")
    return token_list


def _make_search(pack: Pack, token_list: tuple[str, ...]) -> Search:
    arpa = pack.find(pack_file.SEARCH)
    if pack.meta.search is None or arpa is None:
        return search_greedily
    if not has_flashlight():
        log.warning("%s has a beam search, which this Python has not; the search is greedy", pack.meta.name)
        return search_greedily
    plan = SearchPlan(
        pack.meta.search, arpa, pack.folder, token_list, pack.meta.token_type, pack.find(pack_file.PIECES)
    )
    try:
        return build_search(plan)
    finally:
        forget_searches()  # the next pack may lie in a folder of the same name


def _read_calibration(pack: Pack) -> TimingCalibration | None:
    file = pack.find(pack_file.CALIBRATION)
    if file is None:
        return None
    fitted = read_json(file)
    try:
        return TimingCalibration.from_record(fitted)
    except (KeyError, TypeError, ValueError) as error:
        raise SpnerError(f"{pack.meta.name}: {pack_file.CALIBRATION} is malformed ({error}); {AGAIN}") from error
