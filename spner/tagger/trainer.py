"""The training loop of a token classifier: regularised epochs over annotated sentences, and averaged weights."""

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spner.core.datatypes import Transcript
from spner.core.devices import has_bfloat16
from spner.core.progress import Progress
from spner.tagger.encoder import Encoder, Window, batches
from spner.tagger.model import Tagger
from spner.tagger.small import MASK
from spner.text.split import find_runs
from spner.text.tags import bio_to_spans, spans_to_bio

if TYPE_CHECKING:
    from torch import Tensor

IGNORED = -100
"""The target that torch's cross entropy leaves out: special tokens, padding, a word's later subwords."""
BUCKET = 64
"""Batches that are sorted by length together; the larger, the less padding and the less mixing."""


@dataclass(frozen=True)
class TrainingOptions:
    """Options of training.

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


class Trainer:
    """One training run; its state is the weights, their running average, the optimizer and the random generator.

    Attributes:
        averaged: the tagger to keep; shares its encoder with the one that is trained.
    """

    def __init__(
        self,
        tagger: Tagger,
        sentences: Sequence[Transcript],
        options: TrainingOptions,
        *,
        coarse: Sequence[Encoder],
        batch_tokens: int,
        rng: random.Random,
    ) -> None:
        import torch

        self._tagger = tagger
        self._sentences = sentences
        self._mentions = _distinct_mentions(sentences)
        self._options = options
        self._coarse = coarse
        self._batch_tokens = batch_tokens
        self._rng = rng
        self._step = 0
        self._optimizer = torch.optim.AdamW(
            tagger.model.parameters(), betas=(0.9, 0.98), weight_decay=options.weight_decay
        )
        self.averaged = Tagger(deepcopy(tagger.model), tagger.encoder, tagger.tags) if options.average else tagger

    def run_epoch(self, epoch: int) -> float:
        """Train on every sentence once; ``epoch`` counts from 1. Return the mean loss of the batches."""
        import torch

        self._tagger.model.train()
        drawn = [swap_mentions(s, self._mentions, self._options.swap, self._rng) for s in self._sentences]
        targets = [[self._tagger.tags.index(tag) for tag in spans_to_bio(s)] for s in drawn]
        shuffled = self._shuffled_batches(drawn)
        total = 0.0
        with Progress(len(shuffled), what=f"epoch {epoch}", unit="batches") as progress:
            for index, batch in enumerate(shuffled):
                share = (epoch - 1 + index / len(shuffled)) / self._options.epochs
                for group in self._optimizer.param_groups:
                    group["lr"] = self._options.learning_rate * _schedule(share)
                loss = self._loss(batch, targets)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self._tagger.model.parameters(), 1.0)
                self._optimizer.step()
                self._optimizer.zero_grad()
                self._update_average()
                total += loss.item()
                progress.update()
        return total / len(shuffled)

    def _shuffled_batches(self, sentences: list[Transcript]) -> list[list[Window]]:
        """Return the epoch's batches: of sentences of like length, in random order."""
        windows = [w for i, s in enumerate(sentences) for w in self._tagger.encoder.windows(i, self._pieces(s.words))]
        self._rng.shuffle(windows)
        shuffled: list[list[Window]] = []
        mean_pieces = max(1, sum(window.num_pieces for window in windows) // len(windows))
        bucket = BUCKET * max(1, self._batch_tokens // mean_pieces)
        for start in range(0, len(windows), bucket):
            by_length = sorted(windows[start : start + bucket], key=lambda window: window.num_pieces)
            shuffled += batches(by_length, self._batch_tokens)
        self._rng.shuffle(shuffled)
        return shuffled

    def _pieces(self, words: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the words' subwords after subword regularisation and word masking."""
        pieces = self._tagger.encoder.pieces(words)
        if not self._coarse:
            return pieces
        together = {i for start, end in find_runs(words) if end - start > 1 for i in range(start, end)}
        for position in range(len(words)):
            draw = self._rng.random()
            if draw < self._options.mask:
                pieces[position] = (self._tagger.encoder.tokenizer.token_to_id(MASK),)
            elif draw < self._options.mask + self._options.coarse and position not in together:
                pieces[position] = self._rng.choice(self._coarse).pieces([words[position]])[0]
        return pieces

    def _loss(self, batch: list[Window], targets: list[list[int]]) -> "Tensor":
        import torch

        ids, mask, first = self._tagger.encoder.pad(batch)
        input_ids, attention_mask = torch.from_numpy(ids), torch.from_numpy(mask)
        target = torch.full_like(input_ids, IGNORED)  # (B, T)
        for row, (window, columns) in enumerate(zip(batch, first, strict=True)):
            for word, column in enumerate(columns, start=window.first_word):
                if column is not None:
                    target[row, column] = targets[window.sentence][word]
        device = next(self._tagger.model.parameters()).device
        with torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device.type)):
            logits = self._tagger.model(
                input_ids=input_ids.to(device), attention_mask=attention_mask.to(device)
            ).logits  # (B, T, tags)
        return torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1),
            target.to(device).flatten(),
            ignore_index=IGNORED,
            label_smoothing=self._options.label_smoothing,
        )

    def _update_average(self) -> None:
        """Move the averaged weights towards the weights, faster in the first steps."""
        import torch

        if self.averaged is self._tagger:
            return
        self._step += 1
        decay = min(self._options.average, self._step / (self._step + 10))
        with torch.no_grad():
            pairs = zip(self.averaged.model.parameters(), self._tagger.model.parameters(), strict=True)
            for averaged, parameter in pairs:
                averaged.lerp_(parameter, 1 - decay)


def _distinct_mentions(sentences: Sequence[Transcript]) -> dict[str, list[tuple[str, ...]]]:
    """Return each label's mentions, in order of appearance."""
    mentions: dict[str, dict[tuple[str, ...], None]] = defaultdict(dict)
    for sentence in sentences:
        for entity in sentence.entities:
            mentions[entity.label][sentence.words[entity.start : entity.end]] = None
    return {label: list(distinct) for label, distinct in mentions.items()}


def swap_mentions(
    sentence: Transcript, mentions: dict[str, list[tuple[str, ...]]], share: float, rng: random.Random
) -> Transcript:
    """Replace about ``share`` of the mentions by others of their label, so that contexts are learnt, not names."""
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
    return Transcript(tuple(words), bio_to_spans(bio))


def _schedule(progress: float) -> float:
    """Return the learning rate's share of its peak after a share of the training."""
    warm_up = 0.1
    return (
        progress / warm_up
        if progress < warm_up
        else 0.5 + 0.5 * math.cos(math.pi * (progress - warm_up) / (1 - warm_up))
    )
