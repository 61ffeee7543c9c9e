"""A transformers token classifier, from words to tags."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spner.core.devices import choose_device, has_bfloat16
from spner.core.errors import SpnerError
from spner.core.files import fingerprint
from spner.tagger.encoder import Encoder, predict_tags
from spner.text.labels import LabelSet, require_labels
from spner.text.tags import TAG

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
    "vocab.txt",
    "vocab.json",
)
log = logging.getLogger(__name__)

LARGE = 50_000_000  # parameters, of which bfloat16 doubles the speed; small models gain nothing
MAX_TOKENS = 512
"""Subwords of one window at most, whatever the model takes: the models we name are trained up to here."""


@dataclass(frozen=True)
class Tagger:
    """A token classifier with its encoder, ready on a device.

    Attributes:
        model: the classifier.
        encoder: words to its input.
        tags: what its outputs stand for, in any scheme that :func:`spner.text.tags.bio_to_spans` reads.
        lower_case: whether it reads all text in lower case.
        bfloat16: whether its matrices are multiplied in bfloat16.
    """

    model: "PreTrainedModel"
    encoder: Encoder
    tags: tuple[str, ...]
    lower_case: bool = False
    bfloat16: bool = False

    def predict(self, sentences: Sequence[Sequence[str]], *, batch_tokens: int) -> list[list[str]]:
        """Return one tag a word, see :func:`spner.tagger.encoder.predict_tags`."""
        self.model.eval()
        return predict_tags(self.compute_logits, self.encoder, self.tags, sentences, batch_tokens=batch_tokens)

    def compute_logits(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        """Return the logits (B, T, tags) of input_ids and attention_mask, (B, T) int64 each."""
        import torch

        device = next(self.model.parameters()).device
        inputs = {"input_ids": torch.from_numpy(input_ids), "attention_mask": torch.from_numpy(attention_mask)}
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=self.bfloat16):
            logits = self.model(**{name: one.to(device) for name, one in inputs.items()}).logits  # (B, T, tags)
        return logits.detach().float().cpu().numpy()


def make_encoder(tokenizer: Any, config: Any) -> Encoder:
    """Return the encoder of a fast tokenizer, with the special tokens it puts around a sentence."""
    probe = tokenizer(["a"], is_split_into_words=True, return_special_tokens_mask=True)
    ids, special = probe["input_ids"], probe["special_tokens_mask"]
    num_prefix = special.index(0)
    num_suffix = special[::-1].index(0)
    # RoBERTa counts positions from pad_token_id + 1, so two of its max_position_embeddings are never used.
    positions = getattr(config, "max_position_embeddings", None)
    limit = min(MAX_TOKENS, tokenizer.model_max_length, positions - 2 if positions and positions > 0 else MAX_TOKENS)
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.no_truncation()
    return Encoder(
        backend,
        tuple(ids[:num_prefix]),
        tuple(ids[len(ids) - num_suffix :]),
        limit - num_prefix - num_suffix,
        tokenizer.pad_token_id or 0,
    )


def load_tagger(name: str, *, labels: LabelSet, device: str = "auto", fast: bool = False) -> Tagger:
    """Load a trained token classifier.

    Args:
        name: hub name, or a local folder.
        labels: the recipe's, of which it must know one.
        device: torch device; ``auto`` takes a GPU if there is one.
        fast: compute in bfloat16, if the model is large and the device has units for it: a label in some hundreds is
            another one then.

    Raises:
        SpnerError: there is no such model, it has no (fast) tokenizer or no trained classifier, or none of its labels
            is one of the recipe's.
    """
    from transformers import AutoModelForTokenClassification

    quiet_transformers()
    tokenizer = load_tokenizer(name)
    model, info = from_pretrained(AutoModelForTokenClassification, name, output_loading_info=True)
    if info["missing_keys"]:
        raise SpnerError(
            f"{name}: has no weights for {sorted(info['missing_keys'])} (expected a trained token "
            "classifier); train one with spner train-tagger"
        )
    outputs = [model.config.id2label[index] for index in range(model.config.num_labels)]
    # Where words are labelled without a scheme, a label continues an entity as I- does.
    tags = tuple(tag if TAG.fullmatch(tag) else f"I-{tag}" for tag in outputs)
    known = {tag[2:] for tag in tags if tag != "O"}
    require_labels(known, labels, where=name)
    if lacking := set(labels.names).difference(map(labels.find, known)):
        log.warning("%s: knows no %s", name, ", ".join(sorted(lacking)))
    lower_case = bool(getattr(tokenizer, "do_lower_case", False))
    model = model.to(choose_device(device)).eval()
    bfloat16 = fast and model.num_parameters() >= LARGE and has_bfloat16(model.device.type)
    return Tagger(model, make_encoder(tokenizer, model.config), tags, lower_case, bfloat16)


def load_tokenizer(name: str) -> Any:
    """Load the fast tokenizer of a model.

    Raises:
        SpnerError: the model cannot be loaded, or has no tokenizer.
    """
    from transformers import AutoTokenizer

    folder = Path(name)
    # AutoTokenizer makes an empty tokenizer of such a folder, and every word would be unknown.
    if folder.is_dir() and not any((folder / file).is_file() for file in TOKENIZER_FILES):
        raise SpnerError(
            f"{name}: has no tokenizer (expected one of {', '.join(TOKENIZER_FILES)}); "
            "save the model's tokenizer into the folder"
        )
    tokenizer = from_pretrained(AutoTokenizer, name, add_prefix_space=True)
    if not tokenizer.is_fast:
        raise SpnerError(f"{name}: its tokenizer has no fast form (expected tokenizer.json); convert it first")
    return tokenizer


def from_pretrained(auto_class: Any, name: str, **options: Any) -> Any:
    """Call ``auto_class.from_pretrained`` without running foreign code.

    Files in a folder or in the hub's cache are used as they are; only missing ones are downloaded, so that a rerun
    needs no network and gets the same weights.

    Raises:
        SpnerError: the model cannot be loaded.
    """
    from safetensors import SafetensorError

    options["trust_remote_code"] = False
    is_local = _is_local(name)
    try:
        try:
            return auto_class.from_pretrained(name, local_files_only=True, **options)
        except OSError:
            if is_local:
                raise
            return auto_class.from_pretrained(name, **options)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().partition("\n")[0]
        if is_local:
            raise SpnerError(f"{name}: transformers cannot load it ({reason}); give another model") from error
        raise SpnerError(
            f"{name}: no such folder, and cannot be downloaded from the Hugging Face hub ({reason}); download it "
            "on a connected machine and set HF_HOME, or give a local folder"
        ) from error


def _is_local(name: str) -> bool:
    """Whether the name means a folder; a hub name is ``<owner>/<model>`` with no folder ``<owner>`` here.

    Raises:
        SpnerError: it means a folder that is not there.
    """
    path = Path(name)
    if path.is_dir():
        return True
    parts = path.parts
    if path.is_absolute() or name.startswith(".") or len(parts) > 2 or (len(parts) == 2 and path.parent.is_dir()):
        raise SpnerError(
            f"{name}: no such folder (expected a tagger); train it with spner train-tagger, "
            "or give the name of a model on the Hugging Face hub"
        )
    return False


def fingerprint_model(name: str) -> str | None:
    """Return a fingerprint of a local folder's files; None for a hub name."""
    files = sorted(path for path in Path(name).glob("*") if path.is_file() and not path.name.startswith("."))
    return fingerprint(files) if files else None


def quiet_transformers() -> None:
    """Let transformers report only errors: its notices about unused weights and optional packages would mislead."""
    from transformers.utils import logging as notices

    notices.set_verbosity_error()
    notices.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # without a network it tells of every try
