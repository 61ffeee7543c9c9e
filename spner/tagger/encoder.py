"""Words -> the subwords that a token classifier reads, in windows that it can take; its outputs -> a tag for each word.

Needs no torch: a pack's tagger is read by the same functions as one in training.

Words are encoded one by one, and a sentence is the sequence of their subwords, as in CoNLL training on pre-split words.
A word's tag is that of its first subword. Character offsets of the tokenizer are used only inside text without spaces:
SentencePiece, byte-level and WordPiece tokenizers treat the space before a word differently.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from spner.core.datatypes import Transcript
from spner.core.progress import Progress
from spner.text.labels import LabelSet, rename_entities
from spner.text.split import find_runs
from spner.text.tags import bio_to_spans

BATCH_TOKENS = 4096
"""Subwords of a batch that is tagged, padding included."""
ComputeLogits = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""input_ids (B, T) and attention_mask (B, T), int64 -> logits (B, T, tags)."""


class WordTagger(Protocol):
    """What gives every word a tag."""

    def predict(self, sentences: Sequence[Sequence[str]], *, batch_tokens: int) -> list[list[str]]:
        """Return one tag a word; ``batch_tokens``: subwords of a batch, padding included."""
        ...


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
    """Words to subword ids; each distinct word is encoded once.

    Words that are written without spaces between them (:func:`spner.text.split.find_runs`) are encoded together, so
    that the model sees no space that the text has not; a subword is then its first character's.

    Attributes:
        tokenizer: ``tokenizers.Tokenizer``, without padding or truncation of its own.
        prefix, suffix: ids of the special tokens around a sentence.
        max_pieces: subwords of a window at most, without those.
        pad_id: what stands behind the shorter windows of a batch.
        cache: subword ids of words that were encoded.
    """

    tokenizer: Any
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    max_pieces: int
    pad_id: int
    cache: dict[tuple[str, ...], list[tuple[int, ...]]] = field(default_factory=dict)

    def encode(self, sentences: Iterable[Sequence[str]]) -> None:
        """Encode the words, and the runs of words without spaces, that are new."""
        runs = (tuple(words[start:end]) for words in sentences for start, end in find_runs(words))
        new = [run for run in dict.fromkeys(runs) if run not in self.cache]
        texts = [["".join(run)] for run in new]
        encoded = self.tokenizer.encode_batch(texts, is_pretokenized=True, add_special_tokens=False)
        for run, one in zip(new, encoded, strict=True):
            self.cache[run] = [tuple(one.ids)] if len(run) == 1 else _share_pieces(run, one.ids, one.offsets)

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

    def pad(self, windows: Sequence[Window]) -> tuple[np.ndarray, np.ndarray, list[list[int | None]]]:
        """Return a batch and where each word begins in it.

        Returns:
            input_ids: (B, T) int64, padded on the right.
            attention_mask: (B, T) int64, 1 where there is a token.
            first: each window's column of each word's first subword, None for a word without any.
        """
        width = max(window.num_pieces for window in windows) + len(self.prefix) + len(self.suffix)
        input_ids = np.full((len(windows), width), self.pad_id, np.int64)
        attention_mask = np.zeros_like(input_ids)
        first: list[list[int | None]] = []
        for row, window in enumerate(windows):
            ids, columns = list(self.prefix), []
            for word in window.pieces:
                columns.append(len(ids) if word else None)
                ids += word
            ids += self.suffix
            input_ids[row, : len(ids)] = ids
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


def predict_tags(
    compute_logits: ComputeLogits,
    encoder: Encoder,
    tags: Sequence[str],
    sentences: Sequence[Sequence[str]],
    *,
    batch_tokens: int,
) -> list[list[str]]:
    """Return one tag a word.

    Windows go through the model longest first: a batch that is too large fails at once, and padding is least.

    Args:
        compute_logits: the model.
        encoder: words to the model's input.
        tags: what its outputs stand for.
        sentences: the words of each; no words give no tags.
        batch_tokens: subwords of a batch, padding included.
    """
    encoder.encode(sentences)
    pieces = [encoder.pieces(words) for words in sentences]
    bio = [["O"] * len(words) for words in sentences]
    windows = [window for i, one in enumerate(pieces) for window in encoder.windows(i, one)]
    windows.sort(key=lambda window: -window.num_pieces)
    with Progress(len(windows), what="tag", unit="sentences") as progress:
        for batch in batches(windows, batch_tokens):
            input_ids, attention_mask, first = encoder.pad(batch)
            best = compute_logits(input_ids, attention_mask).argmax(axis=-1).tolist()
            for window, columns, ids in zip(batch, first, best, strict=True):
                found = ["O" if column is None else tags[ids[column]] for column in columns]
                bio[window.sentence][window.first_word : window.first_word + len(found)] = found
            progress.update(len(batch))
    for words, one, marks in zip(sentences, pieces, bio, strict=True):
        for start, end in find_runs(words):
            for position in range(start + 1, end):
                if not one[position]:  # inside the subword of the character before it
                    marks[position] = marks[position - 1].replace("B-", "I-", 1)
    return bio


def find_entities(
    tagger: WordTagger, sentences: Sequence[Sequence[str]], *, labels: LabelSet, batch_tokens: int = BATCH_TOKENS
) -> list[Transcript]:
    """Return the words of each sentence with the entities that a tagger finds in them, under the recipe's labels."""
    tagged = tagger.predict(sentences, batch_tokens=batch_tokens)
    found = (Transcript(tuple(words), bio_to_spans(tags)) for words, tags in zip(sentences, tagged, strict=True))
    return rename_entities(found, labels, where="tagger")
