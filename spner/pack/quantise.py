"""A quantised copy of a pack's graph for CPUs, and what it costs on dev.

Weights and activations are unsigned bytes (U8U8): signed weights saturate on x86 processors without VNNI. Filter banks
stay as they are: their sums span nine orders of magnitude.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.datatypes import Transcript
from spner.data.audio import read_stored
from spner.data.datadir import read_table
from spner.data.tokens import find_labels, tokens_to_words
from spner.decode.beam_search import Search
from spner.decode.calibrate import find_references, read_references
from spner.decode.onnx_model import OnnxModel, open_session
from spner.decode.posteriors import AcousticModel
from spner.pack.source import Source
from spner.scoring.f1 import MatchCounts, count_matches
from spner.scoring.transcripts import Pair
from spner.scoring.wer import ErrorCounts, count_errors
from spner.tag import pack_file
from spner.tag.models import SpeechModel
from spner.tag.pack_file import Pack
from spner.text.tags import text_to_spans

FRONTEND = "/frontend/"  # begins the names of the filter banks' nodes


def add_quantised(pack: Pack, source: Source, model: SpeechModel) -> dict[str, Any]:
    """Write the quantised graph beside the whole one; return dev's WER and F1 of both.

    Args:
        pack: folder to add to.
        source: whose dev set is decoded; it is judged by gold entities or, without any, by pseudo-labels.
        model: the whole graph with its search.
    """
    quantise(pack.folder / pack_file.MODEL, pack.folder / pack_file.MODEL_INT8)
    session = open_session(pack.folder / pack_file.MODEL_INT8, device="cpu")
    quantised = OnnxModel(session, model.recogniser.token_list, model.recogniser.grid)
    references = find_references(source.data / paths.DEV)
    refs = read_references(references)
    return {
        "references": references.name,
        "num_utts": len(refs),
        "whole": _score(model.recogniser, model.search, source, refs),
        "int8": _score(quantised, model.search, source, refs),
    }


def quantise(graph: Path, out: Path) -> None:
    """Write a graph with its matrix products in bytes; what they multiply is scaled anew for every input."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    names = [node.name for node in onnx.load(graph).graph.node if node.name.startswith(FRONTEND)]
    logging.disable(logging.WARNING)  # it advises a step that this graph does not need
    try:
        quantize_dynamic(
            graph, out, op_types_to_quantize=["MatMul"], weight_type=QuantType.QUInt8, nodes_to_exclude=names
        )
    finally:
        logging.disable(logging.NOTSET)


def _score(model: AcousticModel, search: Search, source: Source, refs: Mapping[str, Transcript]) -> dict[str, float]:
    """Return WER and entity F1 over dev."""
    errors, pairs, labels = ErrorCounts(), [], find_labels(model.token_list)
    for utt_id, location in read_table(source.data / paths.DEV / paths.WAV_SCP).items():
        (log_probs,) = model.log_probs([read_stored(source.find(location))])
        tokens = [model.token_list[i] for i in search(log_probs)[0].token_ids]
        pair = Pair(ref=refs[utt_id], hyp=text_to_spans(tokens_to_words(tokens), labels=labels).transcript)
        errors += count_errors(ref=pair.ref.words, hyp=pair.hyp.words)
        pairs.append(pair)
    return {"wer": errors.rate, "f1": sum(count_matches(pairs, matching="f1").values(), MatchCounts()).f1}
