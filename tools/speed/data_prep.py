"""Print how fast stage 1 makes its audio store of MP3 clips, beside one ffmpeg process a clip, and the decode floor.

    python tools/speed/data_prep.py [--clips 400] [--nj 2]

The floor decodes the MP3 files with libsndfile and does nothing else, on one core; stage 1 also resamples, looks for
silence, and writes FLAC. The clips are made on the spot, at Common Voice's rate.
"""

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from spner.core.parallel import Processes, count_cpus
from spner.data.audio import SAMPLE_RATE_HZ, store_clips

CLIP_RATE_HZ = 32000
CLIP_S = 5.0


def make_clips(folder: Path, num_clips: int) -> list[Path]:
    """Write MP3 clips of tones in noise, 3 to 7 s long."""
    rng = np.random.default_rng(1)
    files = []
    for number in range(num_clips):
        times_s = np.arange(int(CLIP_RATE_HZ * CLIP_S * rng.uniform(0.6, 1.4))) / CLIP_RATE_HZ
        waveform = 0.2 * np.sin(2 * np.pi * rng.uniform(100, 400) * times_s) + 0.02 * rng.standard_normal(len(times_s))
        files.append(folder / f"{number:06d}.mp3")
        soundfile.write(files[-1], waveform, CLIP_RATE_HZ, format="MP3")
    return files


def run_ffmpeg(files: list[Path], out: Path, num_workers: int) -> None:
    """Decode, resample and write each clip as FLAC by a process of its own, as many at once as there are workers."""

    def convert(file: Path) -> None:
        command = [
            "ffmpeg",
            "-v",
            "error",
            "-y",
            "-threads",
            "1",
            "-i",
            str(file),
            "-ac",
            "1",
            "-ar",
            str(SAMPLE_RATE_HZ),
        ]
        subprocess.run([*command, str(out / f"{file.stem}.flac")], check=True)

    with ThreadPoolExecutor(num_workers) as pool:
        list(pool.map(convert, files))


def measure(name: str, num_clips: int, run: Callable[[], object]) -> float:
    """Print and return the clips a second."""
    begin = time.perf_counter()
    run()
    speed = num_clips / (time.perf_counter() - begin)
    print(f"{name:44s} {speed:8.1f} clips a second", flush=True)
    return speed


def store(files: list[Path], folder: Path, num_workers: int) -> None:
    """Make stage 1's audio store of the clips."""
    clips = [(file.stem, file) for file in files]
    for _ in store_clips(folder, clips, workers=Processes(num_workers), what="clips"):
        pass


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Speed of stage 1, beside ffmpeg.")
    parser.add_argument("--clips", type=int, default=400, help="number of clips (default: %(default)s)")
    parser.add_argument("--own", type=Path, help="folder of MP3 clips to take in place of made ones")
    parser.add_argument("--nj", type=int, default=count_cpus(), help="processes (default: the machine's processors)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = sorted(args.own.glob("*.mp3"))[: args.clips] if args.own else make_clips(folder, args.clips)
        print(f"{len(files)} MP3 clips")
        floor = measure("MP3 decoding alone, one core", len(files), lambda: [soundfile.read(file) for file in files])
        for num_workers in sorted({1, args.nj}):
            ours, theirs = folder / f"store{num_workers}", folder / f"flac{num_workers}"
            title = f"spner's store, processes: {num_workers}"
            speed = measure(title, len(files), partial(store, files, ours, num_workers))
            line = f"{floor / speed:.2f} times the floor's time"
            if shutil.which("ffmpeg"):
                theirs.mkdir()
                title = f"ffmpeg, processes: {num_workers}"
                other = measure(title, len(files), partial(run_ffmpeg, files, theirs, num_workers))
                line += f", {speed / other:.1f} times ffmpeg's speed"
            print(f"{'':44s} {line}")


if __name__ == "__main__":
    main()
