"""Make what a measurement with XLS-R's real shape needs, on the spot and without a network: gpu.sh uses it.

    python tools/speed/real_shape.py inputs FOLDER      # FOLDER/weights/random.pt and a corpus, FOLDER/corpus
    python tools/speed/real_shape.py sharpen EXP        # posteriors of a training's model like those of a trained one

The weights are random, and the audio is noise of 3 to 7 s. Random weights give flat posteriors, which no search is
made for; sharpening scales the output layer until they are as sure as a trained model's, most frames blank.
"""

import argparse
import itertools
import json
import random
from pathlib import Path

import numpy as np
import soundfile
import torch
from train_step import SHAPES, write_checkpoint

from spner.core.files import atomic_path
from spner.core.training import chosen_checkpoint
from spner.decode.recogniser import load_recogniser

RATE_HZ = 16000
NUM_CLIPS = 40  # different ones; utterances share them
WORDS_S = 2.2  # of read speech
BLANK_SHARE, SURE = 0.7, 0.97  # of the frames; mean probability of a frame's best token


def parse() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description="Inputs for measurements with XLS-R's real shape.")
    commands = parser.add_subparsers(dest="command", required=True)
    inputs = commands.add_parser("inputs", help="write random weights and a corpus")
    inputs.add_argument("folder", type=Path)
    inputs.add_argument("--num_utts", type=int, default=2000, help="utterances of the test set (default: %(default)s)")
    sharpen = commands.add_parser("sharpen", help="scale a trained model's output layer")
    sharpen.add_argument("exp", type=Path)
    return parser.parse_args()


def write_corpus(folder: Path, num_utts: int) -> None:
    """Write NeMo's manifests: a test set, and train and dev sets of a tenth of it."""
    rng, noise = random.Random(1), np.random.default_rng(1)
    (folder / "clips").mkdir(parents=True)
    durations_s = np.linspace(3.0, 7.0, NUM_CLIPS)
    for number, duration_s in enumerate(durations_s):
        waveform = 0.1 * noise.standard_normal(int(duration_s * RATE_HZ))
        soundfile.write(folder / "clips" / f"{number}.flac", waveform, RATE_HZ)
    vocabulary = ["".join(rng.choices("abcdefghijklmnoprstuvwz", k=rng.randint(2, 8))) for _ in range(2000)]
    for set_name, size in {"train": num_utts // 10, "dev": num_utts // 10, "test": num_utts}.items():
        with open(folder / f"{set_name}_manifest.json", "w", encoding="utf-8") as manifest:
            for utt in range(size):
                clip = utt % NUM_CLIPS
                words = rng.choices(vocabulary, k=int(durations_s[clip] * WORDS_S))
                entities = [{"label": rng.choice(["PER", "ORG", "LOC"]), "start": 1, "end": 2}]
                line = {
                    "audio_filepath": f"clips/{clip}.flac",
                    "duration": float(durations_s[clip]),
                    "text": " ".join(words),
                }
                print(json.dumps({**line, "utt_id": f"{set_name}{utt:06d}", "entities": entities}), file=manifest)


def sharpen(exp: Path) -> None:
    """Scale the output layer of the model that decodes, and raise its blank."""
    recogniser = load_recogniser(exp, device="cpu")
    noise = np.random.default_rng(2)
    waveforms = [0.1 * noise.standard_normal(3 * RATE_HZ).astype(np.float32) for _ in range(4)]
    logits = np.concatenate(recogniser.log_probs(waveforms))  # (T, V), up to a constant for each frame
    for scale in (2.0**power for power in itertools.count()):
        raised = float(np.quantile(scale * (logits[:, 1:].max(1) - logits[:, 0]), BLANK_SHARE))
        scaled = scale * logits
        scaled[:, 0] += raised
        sure = float(np.mean(1 / np.exp(scaled - scaled.max(1, keepdims=True)).sum(1)))
        if sure >= SURE:
            break
    checkpoint = chosen_checkpoint(exp)
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    state["ctc.ctc_lo.weight"] *= scale
    state["ctc.ctc_lo.bias"] *= scale
    state["ctc.ctc_lo.bias"][0] += raised
    with atomic_path(checkpoint) as path:
        torch.save(state, path)
    print(f"{checkpoint}: output layer times {scale:g}; a frame's best token has {sure:.3f} on average")


def main() -> None:
    """Do what is asked for."""
    args = parse()
    if args.command == "sharpen":
        sharpen(args.exp)
        return
    (args.folder / "weights").mkdir(parents=True)
    write_checkpoint(args.folder / "weights", SHAPES["xls_r_300m"])
    write_corpus(args.folder / "corpus", args.num_utts)


if __name__ == "__main__":
    main()
