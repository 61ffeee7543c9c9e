"""Print sentences per second and peak memory of our estimation, from a text file to an ARPA file.

    python tools/speed/lm_speed.py [number of sentences of ten words]

Beside it NLTK's Kneser-Ney on one sentence of a hundred (it only counts them, and has one discount) and, where it is on
the PATH, KenLM's lmplz, whose n-grams must be as many as ours.
"""

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from spner.lm.arpa import write_arpa
from spner.lm.counts import read_corpus
from spner.lm.kneser_ney import estimate

VOCABULARY_SIZE = 100_000
WORDS_A_SENTENCE = 10
ORDER = 4
SENTENCES_AT_ONCE = 10_000


def write_text(path: Path, num_sentences: int) -> None:
    """Write sentences of independent words, drawn by Zipf's law: more distinct n-grams than any language has."""
    rng = np.random.default_rng(1)
    chances = 1 / np.arange(1, VOCABULARY_SIZE + 1)
    chances /= chances.sum()
    words = np.array([f"word{number}" for number in range(VOCABULARY_SIZE)], dtype=object)
    with open(path, "w", encoding="utf-8") as file:
        for start in range(0, num_sentences, SENTENCES_AT_ONCE):
            shape = min(SENTENCES_AT_ONCE, num_sentences - start), WORDS_A_SENTENCE
            drawn = words[rng.choice(VOCABULARY_SIZE, shape, p=chances)]
            file.writelines(" ".join(sentence) + "\n" for sentence in drawn)


def read_text(path: Path) -> Iterator[list[str]]:
    """Yield the words of each line."""
    with open(path, encoding="utf-8") as file:
        yield from (line.split() for line in file)


def measure(name: str, num_sentences: int, function: Callable[[], object]) -> float:
    """Print and return the sentences per second of ``function``."""
    start_s = time.perf_counter()
    function()
    speed = num_sentences / (time.perf_counter() - start_s)
    print(f"{name:8} {speed:10,.0f} sentences/s ({num_sentences:,} sentences)", flush=True)
    return speed


def make_arpa(text: Path, arpa: Path) -> None:
    """Do what the command does with a text."""
    write_arpa(arpa, estimate(read_corpus(read_text(text)), order=ORDER))


def fit_nltk(sentences: list[list[str]]) -> None:
    """Count n-grams as NLTK's tutorial does."""
    from nltk.lm import KneserNeyInterpolated
    from nltk.lm.preprocessing import padded_everygram_pipeline

    KneserNeyInterpolated(ORDER).fit(*padded_everygram_pipeline(ORDER, sentences))


def count_ngrams(arpa: Path) -> list[str]:
    """Return the ARPA file's lines that say how many n-grams it holds."""
    with open(arpa, encoding="utf-8") as file:
        return [next(file) for _ in range(1 + ORDER)][1:]


def main() -> None:
    """Run each estimator once on the same sentences."""
    num_sentences = int(sys.argv[1]) if sys.argv[1:] else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        text, ours, theirs = (Path(folder) / name for name in ("text", "ours.arpa", "theirs.arpa"))
        write_text(text, num_sentences)
        speed = measure("spner lm", num_sentences, lambda: make_arpa(text, ours))
        print(f"{'':8} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:10.2f} GiB peak", flush=True)
        if lmplz := shutil.which("lmplz"):
            command: list[str | Path] = [
                lmplz,
                "-o",
                str(ORDER),
                "-S",
                "2G",
                "-T",
                folder,
                "--text",
                text,
                "--arpa",
                theirs,
            ]

            def run_lmplz() -> None:
                subprocess.run(command, check=True, stderr=subprocess.DEVNULL)

            theirs_speed = measure("lmplz", num_sentences, run_lmplz)
            print(f"{'':8} {speed / theirs_speed:10.2f} times lmplz")
            if count_ngrams(ours) != count_ngrams(theirs):
                raise SystemExit("our n-grams are not as many as lmplz's")
        sample = list(read_text(text))[::100]
        nltk_speed = measure("NLTK", len(sample), lambda: fit_nltk(sample))
        print(f"{'':8} {speed / nltk_speed:10.1f} times NLTK")


if __name__ == "__main__":
    main()
