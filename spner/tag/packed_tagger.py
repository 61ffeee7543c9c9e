"""The text tagger of a pack: ONNX Runtime and the tokenizers library, without torch and transformers.

The graph::

    input_ids (B, T), attention_mask (B, T) int64 -> logits (B, T, tags) float32
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spner.core.errors import SpnerError
from spner.decode.onnx_model import open_session
from spner.tag import pack_file
from spner.tag.pack_file import AGAIN, TaggerMeta
from spner.tagger.encoder import Encoder, predict_tags


@dataclass(frozen=True)
class OnnxTagger:
    """A token classifier in ONNX Runtime; encoder and tags as of :class:`spner.tagger.model.Tagger`."""

    session: Any
    encoder: Encoder
    tags: tuple[str, ...]

    def predict(self, sentences: Sequence[Sequence[str]], *, batch_tokens: int) -> list[list[str]]:
        """Return one tag a word, see :func:`spner.tagger.encoder.predict_tags`."""
        return predict_tags(self.compute_logits, self.encoder, self.tags, sentences, batch_tokens=batch_tokens)

    def compute_logits(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        """Return the logits (B, T, tags) of input_ids and attention_mask, (B, T) int64 each."""
        return self.session.run(["logits"], {"input_ids": input_ids, "attention_mask": attention_mask})[0]


def load_packed_tagger(folder: Path, meta: TaggerMeta, *, device: str) -> OnnxTagger:
    """Load the tagger of an opened pack, whose files are in a folder.

    Raises:
        SpnerError: its tokenizer is broken, or its graph is none.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(folder / pack_file.TOKENIZER))
    except Exception as error:  # the library has no class of its own
        reason = " ".join(str(error).split())
        raise SpnerError(f"{folder / pack_file.TOKENIZER}: is no tokenizer ({reason}); {AGAIN}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    encoder = Encoder(tokenizer, meta.prefix, meta.suffix, meta.max_pieces, meta.pad_id)
    return OnnxTagger(open_session(folder / pack_file.TAGGER, device=device), encoder, meta.tags)
