"""Print how fast recordings are tagged: a pack, the experiment it was made from, and Whisper with a text tagger.

    OMP_NUM_THREADS=1 python tools/speed/tag.py recordings/ --pack nl.zip --exp exp/mini_e2e --asr whisper_base/ \
        --tagger exp/tagger_conll --lang nl

Each row is the median of several runs over all recordings, from files to names with times; ``x real time`` is seconds
of audio a second. Loading is apart, imports of what was not imported before included. "Encoder alone" is the pack's
graph on the windows that tagging gives it, batched as tagging batches them: nothing that uses the graph is faster.
Run it on a quiet machine, OMP_NUM_THREADS set to the processors it can spare.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from spner.core.datatypes import FrameGrid
from spner.decode.posteriors import AcousticModel
from spner.tag.audio import open_recording
from spner.tag.ctc import CtcTranscriber
from spner.tag.files import find_jobs
from spner.tag.load import TagOptions, load_tagger
from spner.tag.tagged import Tagged
from spner.tag.tagger import Tagger


@dataclass(frozen=True)
class Recorder:
    """An acoustic model that remembers what it heard."""

    model: AcousticModel
    token_list: tuple[str, ...]
    grid: FrameGrid
    batches: list[Sequence[np.ndarray]] = field(default_factory=list)

    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return each waveform's log posteriors (T, V)."""
        self.batches.append(waveforms)
        return self.model.log_probs(waveforms)


def parse() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description="Speed of tagging, beside Whisper with a text tagger.")
    parser.add_argument("audio", type=Path, nargs="+", help="recordings, or folders of them")
    parser.add_argument("--pack", type=Path, required=True, help="pack of spner pack")
    parser.add_argument("--exp", type=Path, help="the experiment it was made from; none: that row is left out")
    parser.add_argument("--asr", help="Whisper, as of spner tag; none: that row is left out")
    parser.add_argument("--tagger", help="for --asr, as of spner tag")
    parser.add_argument("--lang", help="for --asr, as of spner tag")
    parser.add_argument("--num_recordings", type=int, default=60, help="evenly picked (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each (default: %(default)s)")
    return parser.parse_args()


def measure(run: Callable[[], object], repeats: int) -> float:
    """Return the median time of a run in seconds; one run before them warms up."""
    times_s = []
    for _ in range(repeats + 1):
        start_s = time.perf_counter()
        run()
        times_s.append(time.perf_counter() - start_s)
    return statistics.median(times_s[1:])


def tag_all(tagger: Tagger, files: Sequence[Path]) -> list[Tagged]:
    """Tag the files, batched together."""
    found = [one for _, one in tagger.tag_all(open_recording(file) for file in files)]
    return [one for one in found if isinstance(one, Tagged)]


def load(options: TagOptions) -> tuple[Tagger, float]:
    """Return a tagger, and the seconds that loading it took."""
    start_s = time.perf_counter()
    return load_tagger(options), time.perf_counter() - start_s


def record(tagger: Tagger, files: Sequence[Path]) -> Recorder:
    """Return the pack's model with the batches that tagging the files gives it."""
    transcriber = tagger.transcriber
    assert isinstance(transcriber, CtcTranscriber)
    heard = transcriber.model.recogniser
    recorder = Recorder(heard, tuple(heard.token_list), heard.grid)
    listening = replace(transcriber, model=replace(transcriber.model, recogniser=recorder))
    tag_all(replace(tagger, transcriber=listening), files)
    return recorder


def show(what: str, load_s: float, run_s: float, audio_s: float) -> None:
    """Print a row."""
    print(f"| {what} | {f'{load_s:.1f} s' if load_s else ''} | {run_s:.2f} s | {audio_s / run_s:.1f} |", flush=True)


def main() -> None:
    """Measure and print."""
    given = parse()
    files = [job.audio for job in find_jobs(given.audio)]
    files = files[:: max(1, len(files) // given.num_recordings)][: given.num_recordings]
    tagger, load_s = load(TagOptions(given.pack, device="cpu"))
    found = tag_all(tagger, files)
    audio_s = sum(one.duration_s for one in found)
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    print(f"{len(found)} recordings, {audio_s / 60:.1f} minutes; threads: {threads}\n")
    print("| what | loading | tagging | x real time |\n|---|---|---|---|")
    recorder = record(tagger, files)
    encoder_s = measure(lambda: [recorder.model.log_probs(batch) for batch in recorder.batches], given.repeats)
    show("the pack's encoder alone", 0.0, encoder_s, audio_s)
    pack_s = measure(lambda: tag_all(tagger, files), given.repeats)
    show(f"pack {given.pack.name}", load_s, pack_s, audio_s)
    if given.exp:
        torch_path, load_s = load(TagOptions(given.exp, device="cpu"))
        show(
            f"experiment {given.exp.name}, torch",
            load_s,
            measure(lambda: tag_all(torch_path, files), given.repeats),
            audio_s,
        )
    if given.asr:
        options = TagOptions(asr=given.asr, tagger=given.tagger, lang=given.lang, device="cpu")
        whisper, load_s = load(options)
        show(
            "Whisper (int8) and a text tagger", load_s, measure(lambda: tag_all(whisper, files), given.repeats), audio_s
        )
    print(f"\nthe pack takes {pack_s / encoder_s:.2f} times its encoder's own time")


if __name__ == "__main__":
    main()
