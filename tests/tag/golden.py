"""Makes the packs of schema 1 that every later spner must read: run it only for a new schema.

The graph hears what :func:`tests.tag.models.speak` writes into the samples; ``golden_1.zip`` writes entities itself,
``golden_pipeline_1.zip`` has a tagger that knows two names. Usage: python -m tests.tag.golden
"""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from spner.core.datatypes import LABELS
from spner.decode.grammar import write_search_model
from tests.decode.models import SETTINGS
from tests.tag.models import HOP, RATE_HZ, TOKENS

GOLDEN = Path(__file__).with_name("golden_1.zip")
GOLDEN_PIPELINE = Path(__file__).with_name("golden_pipeline_1.zip")
TAGS = ("O", "B-PER", "B-LOC")
WORDS = ("<s>", "</s>", "<pad>", "<unk>", "anna", "gouda")
TAG_OF_WORD = (0, 0, 0, 0, 1, 2)


def make_graph() -> bytes:
    """Return a graph that takes the middle sample of each ``HOP``, a hundredth of a token's number, for the token."""
    from onnx import TensorProto, helper, numpy_helper

    middle = np.zeros((1, 1, HOP), np.float32)
    middle[0, 0, HOP // 2] = 100
    numbers = np.arange(len(TOKENS), dtype=np.float32)
    constants = {
        "middle": middle,
        "numbers": numbers,
        "steep": np.float32(-9.0),
        "hop": np.int64(HOP),
        "channel": np.array([1]),
        "last": np.array([2]),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["speech", "channel"], ["channels"]),
        helper.make_node("Conv", ["channels", "middle"], ["heard"], strides=[HOP]),
        helper.make_node("Squeeze", ["heard", "channel"], ["values"]),
        helper.make_node("Unsqueeze", ["values", "last"], ["columns"]),
        helper.make_node("Sub", ["columns", "numbers"], ["off"]),
        helper.make_node("Abs", ["off"], ["distance"]),
        helper.make_node("Mul", ["distance", "steep"], ["scores"]),
        helper.make_node("LogSoftmax", ["scores"], ["log_probs"], axis=-1),
        helper.make_node("Div", ["lengths", "hop"], ["num_frames"]),
    ]
    inputs = [
        helper.make_tensor_value_info("speech", TensorProto.FLOAT, ["B", "num_samples"]),
        helper.make_tensor_value_info("lengths", TensorProto.INT64, ["B"]),
    ]
    outputs = [
        helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, ["B", "T", len(TOKENS)]),
        helper.make_tensor_value_info("num_frames", TensorProto.INT64, ["B"]),
    ]
    values = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "golden", inputs, outputs, values)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()


def make_tagger_graph() -> bytes:
    """Return a graph that looks every word's tag up in a table."""
    from onnx import TensorProto, helper, numpy_helper

    table = np.eye(len(TAGS), dtype=np.float32)[list(TAG_OF_WORD)]
    sizes = ["B", "T"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, sizes) for name in ("input_ids", "attention_mask")]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [*sizes, len(TAGS)])
    node = helper.make_node("Gather", ["table", "input_ids"], ["logits"])
    graph = helper.make_graph([node], "tagger", inputs, [output], [numpy_helper.from_array(table, "table")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()


def make_tokenizer() -> bytes:
    """Return a tokenizer that knows two words."""
    from tokenizers import Tokenizer, models

    words = {word: number for number, word in enumerate(WORDS)}
    return Tokenizer(models.WordLevel(words, unk_token="<unk>")).to_str().encode()


def main() -> None:
    """Write the packs."""
    arpa = GOLDEN.with_suffix(".arpa")
    write_search_model(arpa, None, TOKENS)
    files = {
        "model.onnx": make_graph(),
        "tokens.txt": "".join(f"{token}\n" for token in TOKENS).encode(),
        "search.arpa": arpa.read_bytes(),
        "calibration.json": json.dumps({k: {"slope": 0.0, "intercept": 1.0} for k in ("words", "entities")}).encode(),
        "casing.tsv": b"is\n\tGouda\n",
        "README.md": b"# golden\n\nFor tests.\n",
    }
    arpa.unlink()
    meta = {
        "schema": 1,
        "name": "golden",
        "lang": "nl",
        "token_type": "char",
        "frames": {"hop_s": HOP / RATE_HZ, "first_s": HOP / RATE_HZ / 2},
        "search": {**SETTINGS, "lm_weight": 1.0},
        "made_from": {"labels": list(LABELS)},
    }
    write_pack(GOLDEN, meta, files)
    labels = {"names": ["PERSON", "LOC"], "map": {"PER": "PERSON"}}
    sizes = {"prefix": [0], "suffix": [1], "max_pieces": 3, "pad_id": 2}
    meta["tagger"] = {"tags": list(TAGS), **sizes, "labels": labels}
    write_pack(GOLDEN_PIPELINE, meta, {**files, "tagger.onnx": make_tagger_graph(), "tokenizer.json": make_tokenizer()})


def write_pack(path: Path, meta: dict[str, Any], files: dict[str, bytes]) -> None:
    """Write a zip file."""
    contents = {n: {"size": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in files.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {"meta.yaml": yaml.safe_dump({**meta, "files": contents}).encode(), **files}.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main()
