"""Print how fast sentences are annotated, beside transformers' own pipeline, and how many labels are the same.

    python tools/speed/annotate.py --tagger egs/cv_nl/exp/tagger_mini --text egs/cv_nl/downloads/mini_text.txt

Speed is that of a model of XLM-R base's shape with random weights, whose labels would mean nothing; labels are compared
on the trained tagger, computed in the same precision as the large one.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, XLMRobertaConfig, XLMRobertaForTokenClassification, pipeline

from spner.core.datatypes import LABELS
from spner.core.devices import has_bfloat16
from spner.tagger.conll import read_sentences
from spner.tagger.encoder import BATCH_TOKENS
from spner.tagger.model import Tagger, load_tagger, make_encoder, quiet_transformers
from spner.text.labels import LabelSet

Sentences = Sequence[Sequence[str]]


def parse() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description="Speed of annotation, beside transformers' pipeline.")
    parser.add_argument("--tagger", required=True, help="trained tagger: its tokenizer, and labels to compare")
    parser.add_argument("--text", type=Path, required=True, help="CoNLL column file with sentences")
    parser.add_argument("--sentences", type=int, default=200, help="that many of them (default: %(default)s)")
    parser.add_argument("--compared", type=int, default=2000, help="whose labels are compared (default: %(default)s)")
    return parser.parse_args()


def make_large(name: str) -> Tagger:
    """Return a tagger of XLM-R base's shape with the tokenizer of another."""
    tokenizer = AutoTokenizer.from_pretrained(name)
    torch.manual_seed(0)
    config = XLMRobertaConfig(vocab_size=250_002, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5)
    config.num_labels = 9
    model = XLMRobertaForTokenClassification(config).eval()
    return Tagger(model, make_encoder(tokenizer, config), tuple(f"I-{number}" for number in range(9)))


def run_pipeline(model: Any, name: str, sentences: Sentences, batch_size: int) -> list[list[str]]:
    """Return the tag of each word's first subword, by transformers' pipeline."""
    tag = pipeline("token-classification", model=model, tokenizer=AutoTokenizer.from_pretrained(name), device="cpu")
    found: Any = tag([" ".join(words) for words in sentences], batch_size=batch_size)
    tags = []
    for words, tokens in zip(sentences, found, strict=True):
        begins = {begin: token["entity"] for token in tokens for begin in (token["start"], token["start"] + 1)}
        starts = accumulate((len(word) + 1 for word in words[:-1]), initial=0)
        tags.append([begins.get(start, "O") for start in starts])
    return tags


def measure(name: str, num: int, run: Callable[[], object]) -> float:
    """Print and return the sentences a second."""
    begin = time.perf_counter()
    run()
    speed = num / (time.perf_counter() - begin)
    print(f"{name:40s} {speed:8.1f} sentences a second", flush=True)
    return speed


def main() -> None:
    """Measure and print."""
    args = parse()
    quiet_transformers()
    sentences = [one.words for one in read_sentences([args.text], labels=LabelSet(LABELS))]
    few, many = sentences[: args.sentences], sentences[: args.compared]
    print(f"{len(few)} sentences of {sum(map(len, few)) / len(few):.1f} words, {torch.get_num_threads()} threads")
    large = make_large(args.tagger)
    alone = measure("pipeline, one by one", len(few), lambda: run_pipeline(large.model, args.tagger, few, 1))
    speeds: dict[str, Callable[[], object]] = {
        "pipeline, batches of 16": partial(run_pipeline, large.model, args.tagger, few, 16)
    }
    for precision in (False, True)[: 1 + has_bfloat16("cpu")]:
        tagger = replace(large, bfloat16=precision)
        title = f"spner annotate, {'bfloat16' if precision else 'float32'}"
        speeds[title] = partial(tagger.predict, few, batch_tokens=BATCH_TOKENS)
    for title, run in speeds.items():
        print(f"{'':40s} {measure(title, len(few), run) / alone:8.2f} times one by one")
    trained = load_tagger(args.tagger, labels=LabelSet(LABELS), device="cpu")
    ours = replace(trained, bfloat16=has_bfloat16("cpu")).predict(many, batch_tokens=BATCH_TOKENS)
    theirs = run_pipeline(trained.model, args.tagger, many, 16)
    pairs = [pair for one, other in zip(ours, theirs, strict=True) for pair in zip(one, other, strict=True)]
    same, entities = sum(a == b for a, b in pairs), sum(b != "O" for _, b in pairs)
    print(f"labels: {same} of {len(pairs)} words the same ({same / len(pairs):.2%}); {entities} are of entities")


if __name__ == "__main__":
    main()
