"""Training of a text tagger on CoNLL column files: a given checkpoint fine-tuned, or a small model from nothing.

What comes out is an ordinary transformers folder with two files of ours: ``train.json`` (what it was trained on)
and ``scores.json`` (seqeval, IOB2, strict).
"""

import logging
import math
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spner.datatypes import Annotated
from spner.errors import SpnerError
from spner.files import atomic_path, fingerprint, read_json, remove, write_json
from spner.tagger.conll import read_conll
from spner.tagger.model import (
    BIO_TAGS,
    Encoder,
    Tagger,
    Window,
    batches,
    choose_device,
    from_pretrained,
    load_tokenizer,
    make_encoder,
    quiet_transformers,
)
from spner.tagger.small import coarser_encoders, small_config, train_tokenizer
from spner.tags import bio_to_spans, spans_to_bio

if TYPE_CHECKING:
    from torch import Tensor

SCORES = "scores.json"
TRAIN_RECORD = "train.json"
IGNORED = -100
"""The target that torch's cross entropy leaves out: special tokens, padding, a word's later subwords."""
BUCKET = 64
"""Batches that are sorted by length together; the larger, the less padding and the less mixing."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: passes over the training sentences.
        learning_rate: its peak, after a tenth of the steps; a cosine brings it to 0.
        weight_decay: AdamW's.
        label_smoothing: share of the target spread over all tags.
        swap: share of mentions replaced by another mention of the same label.
        coarse: share of words that a coarser encoder splits.
        mask: share of words hidden behind the mask token.
        average: decay of the running average of the weights, which is what is kept; 0 keeps the last weights.
    """

    epochs: int
    learning_rate: float
    weight_decay: float = 0.01
    label_smoothing: float = 0.0
    swap: float = 0.0
    coarse: float = 0.0
    mask: float = 0.0
    average: float = 0.0


FROM_NOTHING = Recipe(15, 1e-3, 0.05, label_smoothing=0.05, swap=0.3, coarse=0.15, mask=0.1, average=0.998)
FINE_TUNING = Recipe(3, 3e-5)


def train_tagger(
    out: Path,
    *,
    train: Sequence[Path],
    dev: Path | None = None,
    test: Path | None = None,
    model: str | None = None,
    encoding: str = "utf-8",
    token_column: int = 0,
    epochs: int | None = None,
    learning_rate: float | None = None,
    batch_tokens: int = 1024,
    seed: int = 0,
    num_threads: int | None = None,
    device: str = "auto",
) -> dict[str, Any]:
    """Train a tagger into ``out``, which appears only when complete; the same call again returns its scores at once.

    Args:
        out: a new folder, or one that this function made.
        train: CoNLL column files.
        dev: the epoch with the best micro F1 on it is kept; without it, the last.
        test: scored once, at the end.
        model: hub name or local folder to fine-tune; None trains a small model from nothing.
        encoding: of all files.
        token_column: of all files; the tag is in the last column.
        epochs: None is 15 from nothing, 3 for fine-tuning.
        learning_rate: None is 1e-3 from nothing, 3e-5 for fine-tuning.
        batch_tokens: subwords of a batch, padding included.
        seed: decides everything on one machine with one number of threads.
        num_threads: CPU threads; None leaves torch's choice.
        device: as torch names it; ``auto`` takes a GPU where there is one.

    Returns:
        ``{"best_epoch": …, "dev": …, "test": …}``, each set as :func:`score` gives it, or null.

    Raises:
        SpnerError: a file or the model cannot be used, or ``out`` holds something else.
    """
    default = FINE_TUNING if model else FROM_NOTHING
    recipe = Recipe(**asdict(default) | _given(epochs=epochs, learning_rate=learning_rate))
    record = {
        "model": model,
        "columns": {"encoding": encoding, "token_column": token_column},
        "recipe": asdict(recipe),
        "batch_tokens": batch_tokens,
        "seed": seed,
    }
    files = {"train": list(train), "dev": [dev] if dev else [], "test": [test] if test else []}
    sets = {name: _read(paths, encoding, token_column) for name, paths in files.items()}
    record["files"] = {name: fingerprint(paths) for name, paths in files.items()}
    if _is_trained(out, record):
        log.info("%s: already trained on these files", out)
        return read_json(out / SCORES)
    _set_up(num_threads, seed)
    tagger, coarse = _make_tagger(model, sets["train"], choose_device(device))
    with atomic_path(out) as temporary:
        trainer = _Trainer(tagger, coarse, recipe, batch_tokens, random.Random(seed))
        scores = trainer.train(sets, temporary)
        write_json(temporary / SCORES, scores)
        write_json(temporary / TRAIN_RECORD, record)
        remove(out)
    return scores


def score(*, ref: Sequence[Annotated], hyp: Sequence[Annotated]) -> dict[str, Any]:
    """Return seqeval's strict IOB2 precision, recall, F1 and support: ``micro``, and each label that occurs.

    Where there is no entity at all, ``micro`` is 0 with support 0.
    """
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    if not any(sentence.entities for sentence in [*ref, *hyp]):
        return {"micro": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}}
    report = classification_report(
        [spans_to_bio(sentence) for sentence in ref],
        [spans_to_bio(sentence) for sentence in hyp],
        mode="strict",
        scheme=IOB2,
        output_dict=True,
        zero_division=0,
    )
    return {
        name.removesuffix(" avg"): {
            "precision": float(row["precision"]),
            "recall": float(row["recall"]),
            "f1": float(row["f1-score"]),
            "support": int(row["support"]),
        }
        for name, row in report.items()
        if name not in ("macro avg", "weighted avg")
    }


def swap_mentions(
    sentence: Annotated, mentions: dict[str, list[tuple[str, ...]]], share: float, rng: random.Random
) -> Annotated:
    """Replace about ``share`` of the mentions by others of their label, so that names must be told by their place."""
    words: list[str] = []
    bio: list[str] = []
    position = 0
    for entity in sentence.entities:
        words += sentence.words[position : entity.start]
        bio += ["O"] * (entity.start - position)
        own = sentence.words[entity.start : entity.end]
        mention = rng.choice(mentions[entity.label]) if rng.random() < share else own
        words += mention
        bio += [f"B-{entity.label}", *[f"I-{entity.label}"] * (len(mention) - 1)]
        position = entity.end
    words += sentence.words[position:]
    bio += ["O"] * (len(sentence.words) - position)
    return Annotated(tuple(words), bio_to_spans(bio))


class _Trainer:
    """One training run; its state is the optimizer's, the running average's and the random generator's."""

    def __init__(
        self, tagger: Tagger, coarse: list[Encoder], recipe: Recipe, batch_tokens: int, rng: random.Random
    ) -> None:
        import torch

        self.tagger = tagger
        self.coarse = coarse
        self.recipe = recipe
        self.batch_tokens = batch_tokens
        self.rng = rng
        self.average = Tagger(deepcopy(tagger.model), tagger.encoder, tagger.tags)
        self.step = 0
        self.optimizer = torch.optim.AdamW(
            tagger.model.parameters(), betas=(0.9, 0.98), weight_decay=recipe.weight_decay
        )

    def train(self, sets: dict[str, list[Annotated]], out: Path) -> dict[str, Any]:
        """Train, write the best epoch's model into ``out`` and return the scores."""
        mentions: dict[str, dict[tuple[str, ...], None]] = defaultdict(dict)
        for sentence in sets["train"]:
            for entity in sentence.entities:
                mentions[entity.label][sentence.words[entity.start : entity.end]] = None
        choices = {label: list(distinct) for label, distinct in mentions.items()}
        best: dict[str, Any] = {}
        for epoch in range(1, self.recipe.epochs + 1):
            start_s = time.monotonic()
            loss = self._epoch(sets["train"], choices, epoch)
            dev = self._score(sets["dev"])
            log.info("epoch %d/%d: loss %.4f%s (%.0f s)", epoch, self.recipe.epochs, loss,
                     f", dev F1 {dev['micro']['f1']:.4f}" if dev else "", time.monotonic() - start_s)
            if not best or not dev or dev["micro"]["f1"] > best["dev"]["micro"]["f1"]:
                best = {"best_epoch": epoch, "dev": dev}
                self.average.model.save_pretrained(out)
        self.tagger.encoder.tokenizer.save_pretrained(out)
        if sets["test"]:
            kept = type(self.average.model).from_pretrained(out).to(self.average.model.device)
            self.average = Tagger(kept, self.tagger.encoder, self.tagger.tags)
        return {**best, "test": self._score(sets["test"])}

    def _score(self, sentences: list[Annotated]) -> dict[str, Any] | None:
        if not sentences:
            return None
        bio = self.average.predict([s.words for s in sentences], batch_tokens=8 * self.batch_tokens)
        hyp = [Annotated(s.words, bio_to_spans(tags)) for s, tags in zip(sentences, bio, strict=True)]
        return score(ref=sentences, hyp=hyp)

    def _epoch(self, sentences: list[Annotated], mentions: dict[str, list[tuple[str, ...]]], epoch: int) -> float:
        """Train on every sentence once; return the mean loss of the batches."""
        import torch

        self.tagger.model.train()
        drawn = [swap_mentions(s, mentions, self.recipe.swap, self.rng) for s in sentences]
        targets = [[self.tagger.tags.index(tag) for tag in spans_to_bio(s)] for s in drawn]
        shuffled = self._shuffled_batches(drawn)
        total = 0.0
        for index, batch in enumerate(shuffled):
            progress = (epoch - 1 + index / len(shuffled)) / self.recipe.epochs
            for group in self.optimizer.param_groups:
                group["lr"] = self.recipe.learning_rate * _schedule(progress)
            loss = self._loss(batch, targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.tagger.model.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()
            self._update_average()
            total += loss.item()
        return total / len(shuffled)

    def _shuffled_batches(self, sentences: list[Annotated]) -> list[list[Window]]:
        """Return the epoch's batches: of sentences of like length, in random order."""
        windows = [w for i, s in enumerate(sentences) for w in self.tagger.encoder.windows(i, self._pieces(s.words))]
        self.rng.shuffle(windows)
        shuffled: list[list[Window]] = []
        mean_pieces = max(1, sum(window.num_pieces for window in windows) // len(windows))
        bucket = BUCKET * max(1, self.batch_tokens // mean_pieces)
        for start in range(0, len(windows), bucket):
            by_length = sorted(windows[start : start + bucket], key=lambda window: window.num_pieces)
            shuffled += batches(by_length, self.batch_tokens)
        self.rng.shuffle(shuffled)
        return shuffled

    def _pieces(self, words: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the words' subwords after subword regularisation and word masking."""
        pieces = self.tagger.encoder.pieces(words)
        if not self.coarse:
            return pieces
        for position in range(len(words)):
            draw = self.rng.random()
            if draw < self.recipe.mask:
                pieces[position] = (self.tagger.encoder.tokenizer.mask_token_id,)
            elif draw < self.recipe.mask + self.recipe.coarse:
                pieces[position] = self.rng.choice(self.coarse).pieces([words[position]])[0]
        return pieces

    def _loss(self, batch: list[Window], targets: list[list[int]]) -> "Tensor":
        import torch

        input_ids, attention_mask, first = self.tagger.encoder.pad(batch)
        target = torch.full_like(input_ids, IGNORED)  # (B, T)
        for row, (window, columns) in enumerate(zip(batch, first, strict=True)):
            for word, column in enumerate(columns, start=window.first_word):
                if column is not None:
                    target[row, column] = targets[window.sentence][word]
        device = next(self.tagger.model.parameters()).device
        with torch.autocast(device.type, torch.bfloat16, enabled=_has_bfloat16(device.type)):
            logits = self.tagger.model(
                input_ids=input_ids.to(device), attention_mask=attention_mask.to(device)
            ).logits  # (B, T, tags)
        return torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1),
            target.to(device).flatten(),
            ignore_index=IGNORED,
            label_smoothing=self.recipe.label_smoothing,
        )

    def _update_average(self) -> None:
        """Move the averaged weights towards the weights; early steps count for more than ``average`` says."""
        import torch

        self.step += 1
        decay = min(self.recipe.average, self.step / (self.step + 10))
        with torch.no_grad():
            pairs = zip(self.average.model.parameters(), self.tagger.model.parameters(), strict=True)
            for averaged, parameter in pairs:
                averaged.lerp_(parameter, 1 - decay)


def _schedule(progress: float) -> float:
    """Return the learning rate's share of its peak after a share of the training."""
    warm_up = 0.1
    return progress / warm_up if progress < warm_up else 0.5 + 0.5 * math.cos(
        math.pi * (progress - warm_up) / (1 - warm_up)
    )


def _make_tagger(name: str | None, sentences: list[Annotated], device: str) -> tuple[Tagger, list[Encoder]]:
    """Return the classifier to train, and the coarser encoders of one from nothing."""
    from transformers import AutoModelForTokenClassification

    quiet_transformers()
    if name is None:
        tokenizer = train_tokenizer(word for sentence in sentences for word in sentence.words)
        model = AutoModelForTokenClassification.from_config(small_config(tokenizer))
        coarse = coarser_encoders(tokenizer, model.config)
    else:
        tokenizer = load_tokenizer(name)
        labels = {"id2label": dict(enumerate(BIO_TAGS)), "label2id": {tag: i for i, tag in enumerate(BIO_TAGS)}}
        model = from_pretrained(AutoModelForTokenClassification, name, ignore_mismatched_sizes=True, **labels)
        coarse = []
    return Tagger(model.to(device), make_encoder(tokenizer, model.config), BIO_TAGS), coarse


def _set_up(num_threads: int | None, seed: int) -> None:
    import torch

    if num_threads:
        torch.set_num_threads(num_threads)
    torch.manual_seed(seed)


def _has_bfloat16(device_type: str) -> bool:
    """Whether the device multiplies bfloat16 in hardware; without, autocast on a CPU is slower than float32."""
    import torch

    cpu = torch.cpu.get_capabilities()
    return device_type == "cuda" or bool(cpu.get("avx512_bf16") or cpu.get("amx_bf16"))


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _read(paths: Sequence[Path], encoding: str, token_column: int) -> list[Annotated]:
    return [s for path in paths for s in read_conll(path, encoding=encoding, token_column=token_column)]


def _is_trained(out: Path, record: dict[str, Any]) -> bool:
    """Whether ``out`` already holds this very run.

    Raises:
        SpnerError: ``out`` holds something that is not ours to replace.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if not (out / TRAIN_RECORD).is_file():
        raise SpnerError(f"{out}: is there already and was not made by spner train-tagger; choose another --out")
    return read_json(out / TRAIN_RECORD) == record
