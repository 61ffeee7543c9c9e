"""Print how time and memory of the stages grow with the corpus: each stage in a process of its own.

    python tools/speed/scale.py --exp egs/cv_nl/exp/mini_e2e --tagger egs/cv_nl/exp/tagger_mini --sizes 1000 10000

A corpus of so many utterances in Common Voice's layout is made on the spot: sentences differ, clips are links to a few
short ones, so that audio costs little and what is counted is the rest. Stage 6 scores the hypotheses of stage 5.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

NUM_CLIPS, CLIP_S, RATE_HZ = 20, 0.6, 32000
COLUMNS = "client_id path sentence up_votes down_votes age gender accents locale segment".split()
WORDS = 5  # of a sentence


def parse() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description="Growth of the stages with the corpus.")
    parser.add_argument("--exp", type=Path, required=True, help="finished E2E training, whose model decodes")
    parser.add_argument("--tagger", required=True, help="text tagger")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000], help="utterances")
    parser.add_argument("--stages", type=int, nargs="+", default=[1, 2, 3, 5, 6], help="stages to run")
    return parser.parse_args()


def make_corpus(folder: Path, num_utts: int) -> None:
    """Write a corpus: a tenth each in dev and test."""
    rng = random.Random(1)
    (folder / "clips").mkdir(parents=True)
    noise = np.random.default_rng(1)
    for number in range(NUM_CLIPS):
        waveform = 0.1 * noise.standard_normal(int(CLIP_S * RATE_HZ))
        soundfile.write(folder / "clips" / f"clip{number}.mp3", waveform, RATE_HZ, format="MP3")
    vocabulary = ["".join(rng.choices("abcdefghijklmnoprstuvwz", k=rng.randint(3, 9))) for _ in range(20_000)]
    sizes = {"train": num_utts - 2 * (num_utts // 10), "dev": num_utts // 10, "test": num_utts // 10}
    for set_name, size in sizes.items():
        with open(folder / f"{set_name}.tsv", "w", encoding="utf-8") as table:
            print(*COLUMNS, sep="\t", file=table)
            for number in range(size):
                clip = f"{set_name}_{number:07d}.mp3"
                os.link(folder / "clips" / f"clip{number % NUM_CLIPS}.mp3", folder / "clips" / clip)
                sentence = " ".join(rng.choices(vocabulary, k=WORDS)).capitalize() + "."
                print(f"{number % 997:064x}", clip, sentence, 2, 0, "", "", "", "nl", "", sep="\t", file=table)


def list_commands(folder: Path, args: argparse.Namespace) -> dict[int, list[str]]:
    """Return each stage's command."""
    data, dump, exp = folder / "data", folder / "dump", folder / "exp"
    return {
        1: ["data", f"--corpus={folder / 'corpus'}", "--lang=nl", f"--out={data}", "--nj=1"],
        2: ["annotate", f"--tagger={args.tagger}", "--lang=nl", f"--data={data}"],
        3: ["tokens", f"--data={data}", f"--out={dump}"],
        5: ["decode", f"--data={data}", f"--exp={exp}", f"--model={args.exp.resolve()}", "--sets=train"],
        6: ["score-exp", f"--data={data}", f"--exp={exp}", "--sets=train"],
    }


def run(command: list[str]) -> tuple[float, float]:
    """Run a command of spner; return its seconds and the peak memory of its process in MB.

    Raises:
        SystemExit: it failed.
    """
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "spner", *command], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    errors = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[0]}: exit status {status}\n{errors.decode()}")
    return time.perf_counter() - begin, usage.ru_maxrss / 1000


def main() -> None:
    """Measure and print."""
    args = parse()
    found: dict[int, list[tuple[float, float]]] = {stage: [] for stage in args.stages}
    for num_utts in args.sizes:
        with tempfile.TemporaryDirectory() as name:
            make_corpus(Path(name) / "corpus", num_utts)
            for stage, command in list_commands(Path(name), args).items():
                if stage in found:
                    found[stage].append(run(command))
                    time_s, memory_mb = found[stage][-1]
                    print(f"stage {stage}, {num_utts:8d} utterances {time_s:8.1f} s {memory_mb:8.0f} MB", flush=True)
    for stage, rows in found.items():
        for number, ((time_s, memory), (time2_s, memory2)) in enumerate(zip(rows, rows[1:], strict=False)):
            growth = args.sizes[number + 1] / args.sizes[number]
            print(f"stage {stage}: {growth:g} times the utterances, {time2_s / time_s:.1f} times the time, ", end="")
            print(f"{memory2 / memory:.2f} times the memory")


if __name__ == "__main__":
    main()
