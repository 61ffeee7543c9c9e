"""Print how time and memory of the stages grow with the corpus: each stage in a process of its own.

    python tools/speed/scale.py --exp egs/cv_nl/exp/mini_e2e --tagger egs/cv_nl/exp/tagger_mini --sizes 1000 10000

A corpus of so many utterances in Common Voice's layout is made on the spot, a stand-in for a release: sentences of five
invented words differ, clips are links to a few of a quarter of a second of noise, so that audio costs little and what
is counted is the rest. Stage 5 searches greedily, over the train set; stage 6 scores its hypotheses.

Memory is that of the largest process of a stage. A process that is started counts what the one that starts it had, so
this one stays small: the corpus is made by another.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

NUM_CLIPS, CLIP_S, RATE_HZ = 20, 0.25, 32000
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
    import numpy as np
    import soundfile

    rng = random.Random(1)
    (folder / "clips").mkdir(parents=True)
    noise = np.random.default_rng(1)
    for number in range(NUM_CLIPS):
        waveform = 0.1 * noise.standard_normal(int(CLIP_S * RATE_HZ))
        soundfile.write(folder / "clips" / f"clip{number}.mp3", waveform, RATE_HZ, format="MP3")
    vocabulary = ["".join(rng.choices("abcdefghijklmnoprstuvwz", k=rng.randint(3, 9))) for _ in range(20_000)]
    sizes = {"train": num_utts - 2 * (num_utts // 10), "dev": num_utts // 10, "test": num_utts // 10}
    with open(folder / "clip_durations.tsv", "w", encoding="utf-8") as durations:
        print("clip\tduration[ms]", file=durations)
        for set_name, size in sizes.items():
            durations.writelines(f"{name_clip(set_name, number)}\t{1000 * CLIP_S:.0f}\n" for number in range(size))
    for set_name, size in sizes.items():
        with open(folder / f"{set_name}.tsv", "w", encoding="utf-8") as table:
            print(*COLUMNS, sep="\t", file=table)
            for number in range(size):
                clip = name_clip(set_name, number)
                os.link(folder / "clips" / f"clip{number % NUM_CLIPS}.mp3", folder / "clips" / clip)
                sentence = " ".join(rng.choices(vocabulary, k=WORDS)).capitalize() + "."
                print(f"{number % 997:064x}", clip, sentence, 2, 0, "", "", "", "nl", "", sep="\t", file=table)


def name_clip(set_name: str, number: int) -> str:
    """Return the name of a set's clip."""
    return f"{set_name}_{number:07d}.mp3"


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
    """Run a command of spner; return its seconds and the peak memory, in MB, of the largest of its processes.

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
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as maker:
                maker.submit(make_corpus, Path(name) / "corpus", num_utts).result()
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
