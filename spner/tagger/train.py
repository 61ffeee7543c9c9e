"""Training of a text tagger: a given checkpoint fine-tuned, or a small model from scratch.

It learns from CoNLL column files, or from the pseudo-labelled utterances of data folders
(:mod:`spner.tagger.labelled`).

The result is an ordinary transformers folder with two more files: ``train.json`` (what it was trained on)
and ``scores.json`` (seqeval, IOB2, strict).
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spner.core.datatypes import Transcript
from spner.core.devices import choose_device, use_threads
from spner.core.errors import SpnerError
from spner.core.files import atomic_path, fingerprint, read_json, remove, write_json
from spner.core.resume import find_record
from spner.tagger.conll import read_sentences
from spner.tagger.encoder import Encoder
from spner.tagger.labelled import Labelled
from spner.tagger.model import (
    Tagger,
    fingerprint_model,
    from_pretrained,
    load_tagger,
    load_tokenizer,
    make_encoder,
    quiet_transformers,
)
from spner.tagger.score import format_scores, score_tagger
from spner.tagger.small import coarser_encoders, small_config, train_tokenizer
from spner.tagger.speech_form import match_speech
from spner.tagger.trainer import Trainer, TrainingOptions
from spner.text.labels import LabelSet
from spner.text.split import find_runs
from spner.text.tags import bio_tags

SCORES = "scores.json"
TRAIN_RECORD = "train.json"
FILES = (SCORES, "config.json", "model.safetensors", "tokenizer.json")
log = logging.getLogger(__name__)

FROM_SCRATCH = TrainingOptions(15, 1.5e-3, 0.05, label_smoothing=0.05, swap=0.3, coarse=0.15, mask=0.1, average=0.998)
FINE_TUNING = TrainingOptions(3, 3e-5)


def train_tagger(
    out: Path,
    *,
    train: Sequence[Path] = (),
    dev: Path | None = None,
    test: Path | None = None,
    utterances: Labelled | None = None,
    labels: LabelSet,
    model: str | None = None,
    encoding: str = "utf-8",
    token_column: int = 0,
    speech_lang: str | None = None,
    noise: float = 0.0,
    epochs: int | None = None,
    learning_rate: float | None = None,
    batch_tokens: int = 1024,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Train a tagger into ``out``, which appears only when complete; the same call again returns its scores at once.

    Args:
        out: a new folder, or one that this function made.
        train: CoNLL column files.
        dev: the epoch with the best micro F1 on it is kept; without it, the last.
        test: scored at the end.
        utterances: what is learnt from in place of files.
        labels: what the tagger learns, and the other names that mean it.
        model: hub name or local folder to fine-tune; None trains a small model from scratch.
        encoding: of all files.
        token_column: of all files; the tag is in the last column.
        speech_lang: language code: train and score on text as a recogniser of the language writes it; None leaves the
            text as it is.
        noise: probability of a simulated recognition error at each word of ``train``, with ``speech_lang`` only; see
            :mod:`spner.tagger.speech_form`.
        epochs: None is 15 from scratch, 3 for fine-tuning.
        learning_rate: None is 1.5e-3 from scratch, 3e-5 for fine-tuning.
        batch_tokens: subwords of a batch, padding included.
        seed: random seed; results are the same on one machine, of fine-tuning with one number of threads.
        device: torch device; ``auto`` takes a GPU if there is one.

    Returns:
        ``{"best_epoch": …, "dev": …, "test": …}``, each set as :func:`spner.tagger.score.score` gives it, or null.

    Raises:
        SpnerError: a file or the model cannot be used, or ``out`` holds something else.
    """
    import torch

    default = FINE_TUNING if model else FROM_SCRATCH
    options = TrainingOptions(**asdict(default) | _given(epochs=epochs, learning_rate=learning_rate))
    record = {
        "labels": labels.as_json(),
        "model": model,
        "weights": fingerprint_model(model) if model else None,
        "columns": None if utterances else {"encoding": encoding, "token_column": token_column},
        "utterances": utterances and utterances.counts,
        "speech": {"lang": speech_lang, "noise": noise} if speech_lang else None,
        "recipe": asdict(options),
        "batch_tokens": batch_tokens,
        "seed": seed,
    }
    if utterances:
        files, sets = utterances.files, dict(utterances.sets)
    else:
        files = {"train": list(train), "dev": [dev] if dev else [], "test": [test] if test else []}
        sets = {
            name: read_sentences(paths, labels=labels, encoding=encoding, token_column=token_column)
            for name, paths in files.items()
        }
    record["files"] = {name: fingerprint(paths) for name, paths in files.items()}
    _refuse_other_folder(out)
    if find_record(out / TRAIN_RECORD, record, [out / name for name in FILES]):
        log.info("%s: already trained on these files", out)
        return read_json(out / SCORES)
    if speech_lang:
        sets = {
            name: match_speech(sentences, speech_lang, noise=noise if name == "train" else 0.0, seed=seed)
            for name, sentences in sets.items()
        }
    use_threads(None if model else 1)  # as conf/train_mini.yaml: the small model's operations are small
    torch.manual_seed(seed)
    tagger, coarse, tokenizer = _make_tagger(model, sets["train"], bio_tags(labels.names), choose_device(device))
    rng = random.Random(seed)
    trainer = Trainer(tagger, sets["train"], options, coarse=coarse, batch_tokens=batch_tokens, rng=rng)
    with atomic_path(out) as temporary:
        scores = _train(trainer, options.epochs, sets["dev"], labels, temporary)
        tokenizer.save_pretrained(temporary)
        scores["test"] = None
        if sets["test"]:
            scores["test"] = score_tagger(
                load_tagger(str(temporary), labels=labels, device=device), sets["test"], labels
            )
        write_json(temporary / SCORES, scores)
        write_json(temporary / TRAIN_RECORD, record)
        remove(out)
    return scores


def _train(trainer: Trainer, epochs: int, dev: list[Transcript], labels: LabelSet, out: Path) -> dict[str, Any]:
    """Run the epochs; leave the best epoch's tagger in ``out`` and return its number and scores."""
    best: dict[str, Any] = {}
    for epoch in range(1, epochs + 1):
        loss = trainer.run_epoch(epoch)
        scores = score_tagger(trainer.averaged, dev, labels) if dev else None
        found = f", dev {format_scores(scores)}" if scores else ""
        log.info("epoch %d of %d: loss %.3f%s", epoch, epochs, loss, found)
        is_better = epoch == epochs if scores is None else not best or _f1(scores) > _f1(best["dev"])
        if is_better:
            best = {"best_epoch": epoch, "dev": scores}
            trainer.averaged.model.save_pretrained(out)
    return best


def _f1(scores: dict[str, Any]) -> float:
    return scores["micro"]["f1"]


def _make_tagger(
    name: str | None, sentences: list[Transcript], tags: tuple[str, ...], device: str
) -> tuple[Tagger, list[Encoder], Any]:
    """Return the classifier to train, the coarser encoders of one from scratch, and its transformers tokenizer."""
    from transformers import AutoModelForTokenClassification

    quiet_transformers()
    if name is None:
        tokenizer = train_tokenizer(
            "".join(sentence.words[start:end]) for sentence in sentences for start, end in find_runs(sentence.words)
        )
        model = AutoModelForTokenClassification.from_config(small_config(tokenizer, tags))
        coarse = coarser_encoders(tokenizer, model.config)
    else:
        tokenizer = load_tokenizer(name)
        outputs = {"id2label": dict(enumerate(tags)), "label2id": {tag: i for i, tag in enumerate(tags)}}
        model = from_pretrained(AutoModelForTokenClassification, name, ignore_mismatched_sizes=True, **outputs)
        coarse = []
    return Tagger(model.to(device), make_encoder(tokenizer, model.config), tags), coarse, tokenizer


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _refuse_other_folder(out: Path) -> None:
    """Refuse to replace a folder that this module did not make."""
    is_empty = not out.exists() or (out.is_dir() and not any(out.iterdir()))
    if not is_empty and not (out / TRAIN_RECORD).is_file():
        raise SpnerError(f"{out}: is there already and was not made by spner train-tagger; choose another --out")
