"""A transformers CTC model (wav2vec 2.0, HuBERT, MMS, …) as an acoustic model of this room."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spner.core.datatypes import FrameGrid
from spner.core.devices import choose_device
from spner.core.errors import SpnerError
from spner.data.audio import SAMPLE_RATE_HZ
from spner.data.tokens import BLANK, SPACE, UNKNOWN
from spner.decode.beam_search import NEVER, search_greedily
from spner.tag.models import SpeechModel
from spner.tagger.model import from_pretrained, quiet_transformers

FIRST_FRAME = 200  # samples: the middle of what wav2vec 2.0's convolutions see of the first frame
MASKED = "masked_spec_embed"  # serves training only


@dataclass(frozen=True)
class HubCtc:
    """A model and its feature extractor.

    Attributes:
        model: ``AutoModelForCTC``.
        extractor: normalises waveforms as the model was trained.
        columns: (V,) rows of the model's output, in the order of ``token_list``.
        token_list: ``<blank>`` first; the model's word delimiter is ``<space>``.
        grid: where its frames lie.
    """

    model: Any
    extractor: Any
    columns: np.ndarray
    token_list: tuple[str, ...]
    grid: FrameGrid

    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return each waveform's log posteriors (T, V); special tokens but the blank are never written.

        Waveforms go through the model one by one: many such models were trained without a mask for padding.
        """
        return [self._compute(waveform) for waveform in waveforms]

    def _compute(self, waveform: np.ndarray) -> np.ndarray:
        import torch

        longer = np.pad(waveform, (0, max(0, SAMPLE_RATE_HZ // 5 - len(waveform))))
        inputs = self.extractor(longer, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")
        with torch.inference_mode():
            logits = self.model(inputs.input_values.to(self.model.device)).logits[0]
        found = logits.float().log_softmax(-1).cpu().numpy()[:, self.columns]
        found[:, [i for i, token in enumerate(self.token_list) if token == UNKNOWN]] = NEVER
        return found


def load_hub_ctc(name: str, *, device: str, lang: str | None) -> SpeechModel:
    """Load a model with greedy search.

    Raises:
        SpnerError: it cannot be loaded, or is no trained CTC model over 16 kHz waveforms.
    """
    from transformers import AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer

    quiet_transformers()
    model, info = from_pretrained(AutoModelForCTC, name, output_loading_info=True)
    if missing := sorted(key for key in info["missing_keys"] if not key.endswith(MASKED)):
        raise SpnerError(f"--asr {name}: has no weights for {missing} (expected a trained CTC model); give another")
    model.to(choose_device(device)).eval()
    tokenizer = from_pretrained(AutoTokenizer, name)
    extractor = from_pretrained(AutoFeatureExtractor, name)
    hop = getattr(model.config, "inputs_to_logits_ratio", None)
    if not hop or extractor.sampling_rate != SAMPLE_RATE_HZ:
        raise SpnerError(f"--asr {name}: is no CTC model over waveforms of 16 kHz; give another")
    columns, token_list = order_tokens(tokenizer, model.config.vocab_size)
    grid = FrameGrid(hop_s=hop / SAMPLE_RATE_HZ, first_s=FIRST_FRAME / SAMPLE_RATE_HZ)
    return SpeechModel(HubCtc(model, extractor, columns, token_list, grid), search_greedily, lang=lang)


def order_tokens(tokenizer: Any, num_rows: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the rows of a model's output, blank first, and our tokens for them; specials are ``<unk>``.

    Upper-case letters become lower-case ones where the model writes no others.
    """
    vocabulary = {row: token for token, row in tokenizer.get_vocab().items() if row < num_rows}
    letters = "".join(token for token in vocabulary.values() if len(token) == 1)
    upper = letters == letters.upper() and letters != letters.lower()
    delimiter = getattr(tokenizer, "word_delimiter_token", None) or "|"
    specials = {*tokenizer.all_special_tokens} - {delimiter}

    def rename(row: int) -> str:
        token = vocabulary.get(row, UNKNOWN)
        if token == delimiter:
            return SPACE
        return UNKNOWN if token in specials else token.lower() if upper else token

    blank = tokenizer.pad_token_id
    rows = [row for row in range(num_rows) if row != blank]
    return np.array([blank, *rows]), (BLANK, *map(rename, rows))
