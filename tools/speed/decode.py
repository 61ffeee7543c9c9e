"""Print how fast decoding is, beside ESPnet's: the same model, audio and machine, medians of several runs.

    python tools/speed/decode.py --data egs/cv_nl/data/mini --exp egs/cv_nl/exp/mini_e2e --lm egs/cv_nl/exp/mini_e2e/lm

Ours read the audio from its store and give times and confidences, too; ESPnet and the encoder alone find the audio in
memory. Loading models and starting the processes of a beam search count for nobody. With ``--device cuda`` posteriors
come from a GPU, as in ``spner decode``. With ``--no_espnet`` only the encoder, greedy search and one beam search are
measured; each runs once more than ``--repeats``.
ESPnet 202511 takes one utterance at a time; from 202611 on its search takes batches, of which the best size is shown.
Run it on a quiet machine, OMP_NUM_THREADS set to the processors it can spare.
"""

import argparse
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spner.core import paths
from spner.core.parallel import count_cpus
from spner.core.training import chosen_checkpoint
from spner.data.audio import read_stored
from spner.data.datadir import read_table, write_table
from spner.decode.beam_options import BeamOptions
from spner.decode.parallel_search import BeamSearch, open_search
from spner.decode.transcribe import decode

if TYPE_CHECKING:  # torch is imported in functions: the processes of a beam search import this file
    from spner.decode.recogniser import Recogniser

ROOT = Path(__file__).resolve().parents[2]
BEAM_SIZE = 10
ESPNET_BATCH_SIZES = (1, 8, 16, 32)


def parse() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description="Decoding speed, beside ESPnet's.")
    parser.add_argument("--data", type=Path, required=True, help="data folder of stage 1")
    parser.add_argument("--exp", type=Path, required=True, help="experiment folder of stage 4")
    parser.add_argument("--lm", type=Path, help="folder of spner lm --unit token; none: that row is left out")
    parser.add_argument("--set", default=paths.TEST, help="set to decode (default: %(default)s)")
    parser.add_argument("--num_utts", type=int, default=60, help="utterances, evenly picked (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda, for posteriors (default: %(default)s)")
    parser.add_argument("--nj", type=int, help="processes of a beam search (default: 1; beside a GPU all processors)")
    parser.add_argument("--no_espnet", action="store_true", help="leave ESPnet out, and rows that are only for it")
    args = parser.parse_args()
    args.nj = args.nj or (1 if args.device == "cpu" else count_cpus())
    return args


def pick(source: Path, folder: Path, num_utts: int) -> Path:
    """Write a data folder with some utterances of a set, and return it."""
    for name in (paths.WAV_SCP, paths.UTT2DUR):
        rows = read_table(source / name)
        utt_ids = sorted(rows)[:: max(1, len(rows) // num_utts)][:num_utts]
        write_table(folder / name, {utt_id: rows[utt_id] for utt_id in utt_ids})
    return folder


def measure(decode: Callable[[], object], repeats: int) -> float:
    """Return the median time of a run in seconds; one run before them warms up."""
    times_s = []
    for _ in range(repeats + 1):
        start_s = time.perf_counter()
        decode()
        times_s.append(time.perf_counter() - start_s)
    return statistics.median(times_s[1:])


def read_batches(folder: Path, recogniser: "Recogniser") -> list[list[np.ndarray]]:
    """Return the waveforms of the batches that decoding makes."""
    from spner.decode.recogniser import list_batches

    batches = list_batches(folder, recogniser.device.type, batch_size=None)
    return [[read_stored(location) for _, location in batch] for batch in batches]


def encode(recogniser: "Recogniser", batches: Sequence[Sequence[np.ndarray]]) -> None:
    """Run the encoder alone, features included."""
    import torch

    from spner.asr.precision import training_precision

    with torch.no_grad():
        for waveforms in batches:
            speech, lengths = (one.to(recogniser.device, non_blocking=True) for one in recogniser.pad(waveforms))
            with training_precision(recogniser.device, use_amp=recogniser.use_amp):
                encoded, _ = recogniser.model.encode(speech, lengths)
        float(encoded.sum())  # waits for the device


def decode_all(recogniser: "Recogniser", folder: Path, search: BeamSearch | None) -> None:
    """Decode as stage 5 does, from the audio store to words with times and confidences."""
    from spner.decode.recogniser import compute_posteriors

    batches = compute_posteriors(recogniser, folder, batch_size=None, what="decode")
    decode(recogniser, batches, search, num_utts=len(read_table(folder / paths.WAV_SCP)), what="search")


def beam_rows(
    args: argparse.Namespace, lm: Path | None, recogniser: "Recogniser", folder: Path
) -> list[tuple[str, float]]:
    """Return the times of our beam search with 10 hypotheses and, beside ESPnet's, of its search alone."""
    from spner.decode.recogniser import compute_posteriors

    name = f"beam {BEAM_SIZE}" + (", language model" if lm else "")
    config = ROOT / "conf" / "decode_lm.yaml"
    with open_search(args.data, args.exp, BeamOptions((config,), lm, num_workers=args.nj), work=folder) as search:
        if search.plan.config.beam_size != BEAM_SIZE:
            raise SystemExit(f"{config}: is of beam_size {search.plan.config.beam_size}, not {BEAM_SIZE}")
        rows = [(f"ours, {name}", measure(lambda: decode_all(recogniser, folder, search), args.repeats))]
        if not args.no_espnet:
            batches = list(compute_posteriors(recogniser, folder, batch_size=None, what=name))
            num_utts = sum(len(batch.utt_ids) for batch in batches)

            def search_alone() -> None:
                list(search.decode(batches, recogniser.grid, num_utts=num_utts, what=name))

            rows.append((f"    its search alone ({name})", measure(search_alone, args.repeats)))
    return rows


def espnet_row(args: argparse.Namespace, beam_size: int, waveforms: Sequence[np.ndarray]) -> tuple[str, float]:
    """Return the time of ESPnet's asr_inference, with its best batch size."""
    from espnet2.bin.asr_inference import Speech2Text

    batched = hasattr(Speech2Text, "batch_decode")
    model = str(args.exp / paths.CONFIG), str(chosen_checkpoint(args.exp))

    def measure_batches(batch_size: int) -> float:
        recognise = Speech2Text(*model, beam_size=beam_size, ctc_weight=1.0, batch_size=batch_size)
        batches = [list(waveforms[first : first + batch_size]) for first in range(0, len(waveforms), batch_size)]
        return measure(lambda: [recognise(b if batch_size > 1 else b[0]) for b in batches], args.repeats)

    times_s = {batch_size: measure_batches(batch_size) for batch_size in (ESPNET_BATCH_SIZES if batched else (1,))}
    best = min(times_s, key=times_s.__getitem__)
    return f"asr_inference, beam {beam_size}" + (f", batches of {best}" if batched else ""), times_s[best]


def main() -> None:
    """Measure everything and print the table."""
    import torch

    from spner.decode.recogniser import load_recogniser

    warnings.simplefilter("ignore")
    args = parse()
    recogniser = load_recogniser(args.exp, device=args.device)
    with tempfile.TemporaryDirectory() as folder:
        data = pick(args.data / args.set, Path(folder), args.num_utts)
        batches = read_batches(data, recogniser)
        audio_s = sum(len(w) for batch in batches for w in batch) / 16000
        num_utts = sum(map(len, batches))
        print(
            f"{num_utts} utterances, {audio_s:.0f} s of audio, {args.device}, {torch.get_num_threads()} threads, "
            f"{os.cpu_count()} processors, {args.nj} processes of a beam search, medians of {args.repeats} runs"
        )
        rows = [("encoder alone", measure(lambda: encode(recogniser, batches), args.repeats))]
        rows.append(("ours, greedy", measure(lambda: decode_all(recogniser, data, None), args.repeats)))
        if not (args.no_espnet and args.lm):
            rows += beam_rows(args, None, recogniser, data)
        if args.lm:
            rows += beam_rows(args, args.lm, recogniser, data)
        waveforms = [waveform for batch in batches for waveform in batch]
        espnet = [] if args.no_espnet else [espnet_row(args, beam_size, waveforms) for beam_size in (1, BEAM_SIZE)]
    for name, time_s in [*rows, *espnet]:
        print(f"{name:50} {time_s:8.2f} s {audio_s / time_s:8.0f} times real time")
    times_s = dict(rows)
    greedy_s = times_s["ours, greedy"]
    print(f"greedy decodes at {audio_s / greedy_s:.0f} times real time")
    print(f"greedy takes {greedy_s / times_s['encoder alone']:.2f} times the encoder's time")
    for name in (name for name in times_s if name.startswith("ours, beam")):
        print(f"{name}: takes {times_s[name] / greedy_s:.2f} times greedy's time")
    for their_name, their_s in espnet:
        for name in (name for name in times_s if name.startswith("ours")):
            print(f"{name}: {their_s / times_s[name]:.1f} times as fast as {their_name}")


if __name__ == "__main__":
    main()
