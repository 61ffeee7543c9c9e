"""Print what scoring takes, from two files to every score, beside jiwer's WER and seqeval's F1 on the same utterances.

    python tools/speed/score_speed.py [number of utterances of ten words]

Processor seconds (one core; other programs hardly lengthen them), utterances a second, and the process's peak memory,
measured before the other tools run.
"""

import os

# numpy reads these when it is imported.
os.environ |= {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}

import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from spner.core.datatypes import LABELS, Entity, Transcript
from spner.data.datadir import write_entities
from spner.scoring.corpus import count_sides
from spner.scoring.inputs import read_seen, read_side
from spner.scoring.options import NUM_DRAWS, Options
from spner.scoring.rules import Rules
from spner.scoring.score import score
from spner.scoring.significance import compute_intervals
from spner.text.tags import spans_to_bio

VOCABULARY_SIZE = 20_000
WORD_ERROR_RATE = 0.15
LABEL_ERROR_RATE = 0.1


def make_utterances(num_utts: int) -> tuple[dict[str, Transcript], dict[str, Transcript]]:
    """Return references of ten words with an entity of two, and hypotheses with wrong words and wrong labels."""
    rng = random.Random(1)
    words = [f"word{number}" for number in range(VOCABULARY_SIZE)]
    refs, hyps = {}, {}
    for number in range(num_utts):
        ref = rng.choices(words, k=10)
        hyp = [rng.choice(words) if rng.random() < WORD_ERROR_RATE else word for word in ref]
        entity = Entity(2, 4, rng.choice(LABELS))
        wrong = rng.random() < LABEL_ERROR_RATE
        refs[f"u{number:08}"] = Transcript(tuple(ref), (entity,))
        hyps[f"u{number:08}"] = Transcript(tuple(hyp), (replace(entity, label="PER") if wrong else entity,))
    return refs, hyps


def measure(name: str, num_utts: int, function: Callable[[], Any]) -> tuple[float, Any]:
    """Print how long ``function`` takes; return that, in seconds, and what it returns."""
    start_s = time.process_time()
    result = function()
    duration_s = time.process_time() - start_s
    print(f"{name:44}{duration_s:8.2f} s {num_utts / duration_s:12,.0f} utterances/s", flush=True)
    return duration_s, result


def main() -> None:
    """Measure each once, the slow ones last."""
    num_utts = int(sys.argv[1]) if sys.argv[1:] else 100_000
    refs, hyps = make_utterances(num_utts)
    with tempfile.TemporaryDirectory() as folder:
        ref, hyp = Path(folder, "ref.jsonl"), Path(folder, "hyp.jsonl")
        write_entities(ref, refs)
        write_entities(hyp, hyps)
        texts = [[" ".join(utterance.words) for utterance in side.values()] for side in (refs, hyps)]
        bio = [[spans_to_bio(utterance) for utterance in side.values()] for side in (refs, hyps)]
        del refs, hyps
        options = Options(Rules("en"), seen=ref, num_draws=0)
        plain_s, scores = measure("spner: every score, files read", num_utts, lambda: score(ref, hyp, options))
        sides = {role: read_side(path, options.rules, role=role) for role, path in (("ref", ref), ("hyp", hyp))}
        seen = read_seen(ref, options.rules)
        table, _ = count_sides(ref=sides["ref"], hyp=sides["hyp"], options=options, labels=LABELS, seen=seen)
        title = f"spner: {NUM_DRAWS} bootstrap draws"
        measure(title, num_utts, lambda: compute_intervals([table], num_draws=NUM_DRAWS))
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{'peak memory, the strings for the others too':44}{peak_mb:8.0f} MB")
    compare_others(texts, bio, scores, plain_s)


def compare_others(texts: list[list[str]], bio: list[list[list[str]]], scores: dict[str, Any], plain_s: float) -> None:
    """Measure jiwer and seqeval on strings in memory, and check that the numbers are the same."""
    import jiwer
    from seqeval.metrics import f1_score
    from seqeval.scheme import IOB2

    num_utts = len(texts[0])
    refs, hyps = texts
    words_s, wer = measure("jiwer: WER", num_utts, lambda: jiwer.wer(refs, hyps))
    chars_s, cer = measure("jiwer: CER", num_utts, lambda: jiwer.cer(refs, hyps))
    spans_s, f1 = measure("seqeval: F1, strict", num_utts, lambda: f1_score(*bio, mode="strict", scheme=IOB2))
    others_s = words_s + chars_s + spans_s
    print(f"{'spner, every score / those three':44}{plain_s / others_s:8.2f} times the time")
    for name, ours, theirs in (
        ("WER", scores["wer"]["rate"], wer),
        ("CER", scores["cer"]["rate"], cer),
        ("span F1", scores["f1_span"]["micro"]["f1"], f1),
    ):
        if abs(ours - theirs) > 1e-9:
            raise SystemExit(f"our {name} {ours} is not {theirs}")


if __name__ == "__main__":
    main()
