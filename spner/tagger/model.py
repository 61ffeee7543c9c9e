"""A transformers token classifier, from words to BIO tags.

Words are encoded one by one, and a sentence is the sequence of their subwords, as in CoNLL training on pre-split words.
A word's tag is that of its first subword. Character offsets of the tokenizer are used only inside text without spaces:
SentencePiece, byte-level and WordPiece tokenizers treat the space before a word differently.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spner.core.datatypes import Transcript
from spner.core.devices import choose_device
from spner.core.errors import SpnerError
from spner.core.files import fingerprint
from spner.core.progress import Progress
from spner.text.labels import LabelSet, rename_entities, require_labels
from spner.text.split import find_runs
from spner.text.tags import TAG, bio_to_spans

if TYPE_CHECKING:
    from torch import Tensor
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

MAX_TOKENS = 512
"""Subwords of one window at most, whatever the model takes: the models we name are trained up to here."""

BATCH_TOKENS = 4096
"""Subwords of a batch that is tagged, padding included."""


@dataclass(frozen=True)
class Window:
    """Consecutive words of one sentence that fit the model at once.

    Attributes:
        sentence: index of the sentence.
        first_word: index of the window's first word in it.
        pieces: each word's subword ids; a word the tokenizer deletes has none.
    """

    sentence: int
    first_word: int
    pieces: tuple[tuple[int, ...], ...]

    @property
    def num_pieces(self) -> int:
        """Number of subwords without the special tokens."""
        return sum(map(len, self.pieces))


@dataclass(frozen=True)
class Encoder:
    """Words to subword ids through a transformers tokenizer; each distinct word is encoded once.

    Words that are written without spaces between them (:func:`spner.text.split.find_runs`) are encoded together, so
    that the model sees no space that the text has not; a subword is then its first character's.
    """

    tokenizer: Any
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    max_pieces: int
    cache: dict[tuple[str, ...], list[tuple[int, ...]]] = field(default_factory=dict)

    def encode(self, sentences: Iterable[Sequence[str]]) -> None:
        """Encode the words, and the runs of words without spaces, that are new."""
        runs = (tuple(words[start:end]) for words in sentences for start, end in find_runs(words))
        new = [run for run in dict.fromkeys(runs) if run not in self.cache]
        alone, joined = ([run for run in new if (len(run) > 1) is several] for several in (False, True))
        if alone:
            encoded = self.tokenizer([list(run) for run in alone], **self._options)
            for run, ids in zip(alone, encoded["input_ids"], strict=True):
                self.cache[run] = [tuple(ids)]
        if joined:
            texts = [["".join(run)] for run in joined]
            encoded = self.tokenizer(texts, **self._options, return_offsets_mapping=True)
            for run, ids, offsets in zip(joined, encoded["input_ids"], encoded["offset_mapping"], strict=True):
                self.cache[run] = _share_pieces(run, ids, offsets)

    @property
    def _options(self) -> dict[str, bool]:
        return {"is_split_into_words": True, "add_special_tokens": False}

    def pieces(self, words: Sequence[str]) -> list[tuple[int, ...]]:
        """Return each word's subword ids; a word too long for any window keeps its first ones."""
        self.encode([words])
        found = [ids for start, end in find_runs(words) for ids in self.cache[tuple(words[start:end])]]
        return [ids[: self.max_pieces] for ids in found]

    def windows(self, sentence: int, pieces: Sequence[tuple[int, ...]]) -> Iterator[Window]:
        """Split a sentence between words so that every window fits the model."""
        first, length = 0, 0
        for position, word in enumerate(pieces):
            if length + len(word) > self.max_pieces:
                yield Window(sentence, first, tuple(pieces[first:position]))
                first, length = position, 0
            length += len(word)
        if length:
            yield Window(sentence, first, tuple(pieces[first:]))

    def pad(self, windows: Sequence[Window]) -> tuple["Tensor", "Tensor", list[list[int | None]]]:
        """Return a batch and where each word begins in it.

        Returns:
            input_ids: (B, T) int64, padded on the right.
            attention_mask: (B, T) int64, 1 where there is a token.
            first: each window's column of each word's first subword, None for a word without any.
        """
        import torch

        width = max(window.num_pieces for window in windows) + len(self.prefix) + len(self.suffix)
        input_ids = torch.full((len(windows), width), self.tokenizer.pad_token_id or 0)
        attention_mask = torch.zeros_like(input_ids)
        first: list[list[int | None]] = []
        for row, window in enumerate(windows):
            ids, columns = list(self.prefix), []
            for word in window.pieces:
                columns.append(len(ids) if word else None)
                ids += word
            ids += self.suffix
            input_ids[row, : len(ids)] = torch.tensor(ids)
            attention_mask[row, : len(ids)] = 1
            first.append(columns)
        return input_ids, attention_mask, first


def _share_pieces(run: Sequence[str], ids: Sequence[int], offsets: Sequence[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Return each word's subwords of the words' joined text, by the character at which a subword begins."""
    owners = [position for position, word in enumerate(run) for _ in word]
    pieces: list[list[int]] = [[] for _ in run]
    for piece, (start, _) in zip(ids, offsets, strict=True):
        pieces[owners[min(start, len(owners) - 1)]].append(piece)
    return [tuple(one) for one in pieces]


def make_encoder(tokenizer: Any, config: Any) -> Encoder:
    """Return the encoder of a fast tokenizer, with the special tokens it puts around a sentence."""
    probe = tokenizer(["a"], is_split_into_words=True, return_special_tokens_mask=True)
    ids, special = probe["input_ids"], probe["special_tokens_mask"]
    num_prefix = special.index(0)
    num_suffix = special[::-1].index(0)
    # RoBERTa counts positions from pad_token_id + 1, so two of its max_position_embeddings are never used.
    positions = getattr(config, "max_position_embeddings", None)
    limit = min(MAX_TOKENS, tokenizer.model_max_length, positions - 2 if positions and positions > 0 else MAX_TOKENS)
    return Encoder(
        tokenizer,
        tuple(ids[:num_prefix]),
        tuple(ids[len(ids) - num_suffix :]),
        limit - num_prefix - num_suffix,
    )


def batches(windows: Sequence[Window], batch_tokens: int) -> Iterator[list[Window]]:
    """Group neighbouring windows; a batch, padding included, has at most ``batch_tokens`` subwords, or one window."""
    batch: list[Window] = []
    longest = 0
    for window in windows:
        longest = max(longest, window.num_pieces)
        if batch and longest * (len(batch) + 1) > batch_tokens:
            yield batch
            batch, longest = [], window.num_pieces
        batch.append(window)
    if batch:
        yield batch


@dataclass(frozen=True)
class Tagger:
    """A token classifier with its encoder, ready on a device.

    Attributes:
        model: the classifier.
        encoder: words to its input.
        tags: what its outputs stand for, in any scheme that :func:`spner.text.tags.bio_to_spans` reads.
    """

    model: "PreTrainedModel"
    encoder: Encoder
    tags: tuple[str, ...]

    def predict(self, sentences: Sequence[Sequence[str]], *, batch_tokens: int) -> list[list[str]]:
        """Return one tag a word.

        Windows go through the model longest first: a batch that is too large fails at once, and padding is least.

        Args:
            sentences: the words of each; no words give no tags.
            batch_tokens: subwords of a batch, padding included.
        """
        import torch

        self.encoder.encode(sentences)
        pieces = [self.encoder.pieces(words) for words in sentences]
        bio = [["O"] * len(words) for words in sentences]
        windows = [window for i, one in enumerate(pieces) for window in self.encoder.windows(i, one)]
        windows.sort(key=lambda window: -window.num_pieces)
        device = next(self.model.parameters()).device
        self.model.eval()
        with torch.inference_mode(), Progress(len(windows), what="tag", unit="sentences") as progress:
            for batch in batches(windows, batch_tokens):
                input_ids, attention_mask, first = self.encoder.pad(batch)
                logits = self.model(input_ids=input_ids.to(device), attention_mask=attention_mask.to(device)).logits
                best = logits.argmax(-1).tolist()  # (B, T)
                for window, columns, ids in zip(batch, first, best, strict=True):
                    tags = ["O" if column is None else self.tags[ids[column]] for column in columns]
                    bio[window.sentence][window.first_word : window.first_word + len(tags)] = tags
                progress.update(len(batch))
        for words, one, tags in zip(sentences, pieces, bio, strict=True):
            for start, end in find_runs(words):
                for position in range(start + 1, end):
                    if not one[position]:  # inside the subword of the character before it
                        tags[position] = tags[position - 1].replace("B-", "I-", 1)
        return bio


def find_entities(
    tagger: Tagger, sentences: Sequence[Sequence[str]], *, labels: LabelSet, batch_tokens: int = BATCH_TOKENS
) -> list[Transcript]:
    """Return the words of each sentence with the entities that a tagger finds in them, under the recipe's labels."""
    tagged = tagger.predict(sentences, batch_tokens=batch_tokens)
    found = (Transcript(tuple(words), bio_to_spans(tags)) for words, tags in zip(sentences, tagged, strict=True))
    return rename_entities(found, labels, where="tagger")


def load_tagger(name: str, *, labels: LabelSet, device: str = "auto") -> Tagger:
    """Load a trained token classifier.

    Args:
        name: hub name, or a local folder.
        labels: the recipe's, of which it must know one.
        device: torch device; ``auto`` takes a GPU if there is one.

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
    return Tagger(model.to(choose_device(device)).eval(), make_encoder(tokenizer, model.config), tags)


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
            raise SpnerError(f"{name}: transformers cannot load it ({reason}); give a token classifier") from error
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
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
