"""The text tagger of a pipeline as an ONNX graph with its tokenizer: tags of words without torch and transformers."""

import warnings
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spner.core import paths
from spner.core.errors import SpnerError
from spner.core.logs import prints_logged
from spner.data.datadir import read_entities
from spner.pack.source import Source
from spner.tag import pack_file
from spner.tag.pack_file import TaggerMeta
from spner.tag.packed_tagger import OnnxTagger, load_packed_tagger
from spner.tagger.model import Tagger, load_tagger

if TYPE_CHECKING:
    from transformers import PreTrainedModel

OPSET = 18
INPUTS = ("input_ids", "attention_mask")
MAX_BYTES = 2_000_000_000  # of an ONNX file with its weights in it
MAX_DIFFERENCE = 1e-3  # of logits
NUM_COMPARED = 64  # hypotheses of dev


def add_tagger(folder: Path, source: Source) -> TaggerMeta:
    """Write the graph and the tokenizer of a pipeline's tagger; return how they are used.

    Raises:
        SpnerError: it cannot be loaded, is too large, or the graph's logits are others.
    """
    tagger = load_tagger(str(source.tagger), labels=source.labels, device="cpu")
    size = sum(one.numel() * 4 for one in tagger.model.parameters())
    if size > MAX_BYTES:
        raise SpnerError(
            f"{source.tagger}: has {size / 1e9:.1f} GB of weights (expected {MAX_BYTES / 1e9:.0f} GB at most, as ONNX "
            "files hold); give a smaller tagger, such as one of spner train-tagger"
        )
    export_tagger(tagger.model, folder / pack_file.TAGGER)
    tagger.encoder.tokenizer.save(str(folder / pack_file.TOKENIZER), pretty=False)
    encoder = tagger.encoder
    meta = TaggerMeta(tagger.tags, encoder.prefix, encoder.suffix, encoder.max_pieces, encoder.pad_id, source.labels)
    _compare(tagger, load_packed_tagger(folder, meta, device="cpu"), source)
    return meta


def export_tagger(model: "PreTrainedModel", path: Path) -> None:
    """Write the graph of a token classifier to ``path``; batches and sentences may have any size."""
    import torch

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model.float()

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return self.model(input_ids=input_ids, attention_mask=attention_mask).logits

    input_ids = torch.arange(1, 9).reshape(2, 4) % model.config.vocab_size
    attention_mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])  # padding, which models look for while they are traced
    with warnings.catch_warnings(), prints_logged(), torch.no_grad():
        warnings.simplefilter("ignore")  # shapes that decide nothing here, and that this exporter is the older one
        torch.onnx.export(
            Graph().eval(),
            (input_ids, attention_mask),
            path,
            input_names=INPUTS,
            output_names=("logits",),
            opset_version=OPSET,
            dynamo=False,  # as the acoustic model's
            dynamic_axes={name: {0: "B", 1: "T"} for name in (*INPUTS, "logits")},
        )


def _compare(tagger: Tagger, packed: OnnxTagger, source: Source) -> None:
    """Refuse a graph whose logits of dev's hypotheses are others than the model's."""
    hyps = read_entities(paths.decode_dir(source.asr, source.search, paths.DEV) / paths.ENTITIES)
    pieces = (tagger.encoder.pieces(one.words) for one in islice(hyps.values(), NUM_COMPARED))
    windows = [window for one in pieces for window in tagger.encoder.windows(0, one)]
    largest = 0.0
    for window in windows:
        input_ids, attention_mask, _ = tagger.encoder.pad([window, windows[0]])
        pair = [one.compute_logits(input_ids, attention_mask)[0, : window.num_pieces] for one in (tagger, packed)]
        largest = max(largest, float(np.abs(pair[0] - pair[1]).max()))
    if largest > MAX_DIFFERENCE:
        raise SpnerError(
            f"{source.tagger}: the ONNX graph's logits are {largest:.1e} off the model's (expected {MAX_DIFFERENCE} at "
            "most); this PyTorch, transformers or ONNX Runtime does not export it"
        )
