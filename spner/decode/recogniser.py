"""A trained model in torch, and the posteriors that it computes from a set's audio."""

from argparse import Namespace
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from spner.asr.checkpoint import unreadable_refused
from spner.asr.precision import training_precision
from spner.core import paths
from spner.core.datatypes import FrameGrid
from spner.core.devices import choose_device, use_threads
from spner.core.errors import SpnerError
from spner.core.progress import Progress
from spner.core.training import chosen_checkpoint, read_config
from spner.data.audio import SAMPLE_RATE_HZ, read_stored
from spner.data.tokens import require_symbols
from spner.data.wav_scp import find_durations, read_locations
from spner.decode.posteriors import Posteriors, pad_batch, pad_into, padded_lengths
from spner.text.tags import CLOSE

if TYPE_CHECKING:
    from espnet2.asr.espnet_model import ESPnetASRModel

Batch = list[tuple[str, str]]
"""Utterances, and where the audio of each lies."""
Padded = tuple[torch.Tensor, torch.Tensor]
"""Waveforms (B, num_samples) float32 and their lengths (B,) int64, on the CPU."""
BATCH_SIZE, MAX_BATCH_S = 128, 320.0  # a GPU waits for its kernels to be started in smaller ones
BATCH_SIZE_CPU, MAX_BATCH_CPU_S = 32, 50.0  # a small model's activations of 120 s leave the caches: a quarter slower
READERS = 4
"""Threads that read audio for a GPU, and batches that are read ahead: one reads 5,000 times as fast as real time."""


@dataclass(frozen=True)
class Recogniser:
    """A model in evaluation mode, its tokens, where its frames lie, and whether it was trained with ``use_amp``."""

    model: "ESPnetASRModel"
    token_list: tuple[str, ...]
    grid: FrameGrid
    device: torch.device
    use_amp: bool

    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return each waveform's log posteriors, (T, V) float32, without frames of padding.

        Args:
            waveforms: (num_samples,) float32 at 16 kHz each; they are batched as they are.
        """
        return self.start(self.pad(waveforms))()

    def pad(self, waveforms: Sequence[np.ndarray]) -> Padded:
        """Return waveforms as :meth:`start` takes them, for a GPU in memory that it copies by itself."""
        if self.device.type != "cuda":
            speech, lengths = pad_batch(waveforms)
            return torch.from_numpy(speech), torch.from_numpy(lengths)
        num_samples = torch.from_numpy(padded_lengths(waveforms)).pin_memory()
        padded = torch.empty((len(waveforms), int(num_samples.max())), dtype=torch.float32, pin_memory=True)
        pad_into(padded.numpy(), waveforms)  # by this thread; PyTorch's copies start threads of their own
        return padded, num_samples

    @torch.no_grad()
    def start(self, padded: Padded) -> Callable[[], list[np.ndarray]]:
        """Start to compute log posteriors; return what waits for them and gives them as :meth:`log_probs` does.

        A GPU may still be at work on earlier batches then; a CPU has computed them.
        """
        on_gpu = self.device.type == "cuda"  # whose events say when a copy is there
        speech, lengths = (one.to(self.device, non_blocking=on_gpu) for one in padded)
        with training_precision(self.device, use_amp=self.use_amp):
            encoded, frames = self.model.encode(speech, lengths)
            found = self.model.ctc.log_softmax(encoded).float().to("cpu", non_blocking=on_gpu)  # (B, T, V)
        num_frames = frames.to("cpu", non_blocking=on_gpu)
        done = torch.cuda.current_stream(self.device).record_event() if on_gpu else None

        def finish() -> list[np.ndarray]:
            if done is not None:
                done.synchronize()
            return [one[:length] for one, length in zip(found.numpy(), num_frames.tolist(), strict=True)]

        return finish


def load_recogniser(exp: Path, *, device: str) -> Recogniser:
    """Load the checkpoint that ``exp``'s configuration chooses.

    Raises:
        SpnerError: nothing is trained there, or checkpoint, token list and entity symbols do not fit each other.
    """
    from spner.asr.padding import locate_frames
    from spner.asr.task import SpnerTask  # ESPnet takes 17 s to import, and a set that is decoded already needs none

    checkpoint = chosen_checkpoint(exp)
    args = Namespace(**read_config(exp))
    with unreadable_refused(checkpoint, advice="remove it and rerun stage 4"):
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    rows = state["ctc.ctc_lo.weight"].shape[0]
    if rows != len(args.token_list):
        raise SpnerError(
            f"{checkpoint}: writes {rows} tokens, but the token list in {exp / paths.CONFIG} has "
            f"{len(args.token_list)}; take both from one training"
        )
    if CLOSE in args.token_list:
        require_symbols(args.token_list, where=exp / paths.CONFIG)
    use_threads(getattr(args, "num_threads", None))  # those of its training: sums, and so bytes, depend on them
    model = SpnerTask.build_model(args)
    model.load_state_dict(state)
    chosen = torch.device(choose_device(device))
    return Recogniser(model.to(chosen).eval(), tuple(args.token_list), locate_frames(model), chosen, args.use_amp)


def compute_posteriors(
    recogniser: Recogniser, folder: Path, *, batch_size: int | None, what: str
) -> Iterator[Posteriors]:
    """Yield a set's posteriors, batch by batch.

    Args:
        recogniser: the model.
        folder: ``data/<set>`` of stage 1.
        batch_size: utterances in a batch at most, see :func:`list_batches`.
        what: the progress bar's title.

    Raises:
        SpnerError: stage 1 has not finished.
    """
    batches = list_batches(folder, recogniser.device.type, batch_size=batch_size)
    return compute_batches(recogniser, batches, what=what)


def list_batches(folder: Path, device_type: str, *, batch_size: int | None) -> list[Batch]:
    """Return the batches of a set, see :func:`make_batches`; a GPU takes more audio at a time than a CPU.

    Args:
        folder: ``data/<set>`` of stage 1.
        device_type: such as ``cpu`` or ``cuda``.
        batch_size: utterances in a batch at most, None for the device's; their audio is limited as well.

    Raises:
        SpnerError: stage 1 has not finished.
    """
    located, durations_s = read_locations(folder), find_durations(folder)
    limits = (BATCH_SIZE_CPU, MAX_BATCH_CPU_S) if device_type == "cpu" else (BATCH_SIZE, MAX_BATCH_S)
    batches = make_batches(durations_s, batch_size=batch_size or limits[0], max_batch_s=limits[1])
    return [[(utt_id, located[utt_id]) for utt_id in batch] for batch in batches]


def compute_batches(recogniser: Recogniser, batches: Sequence[Batch], *, what: str) -> Iterator[Posteriors]:
    """Yield the posteriors of batches; others are read and the next one is computed meanwhile.

    Args:
        recogniser: the model.
        batches: as :func:`list_batches` gives them.
        what: the progress bar's title.
    """
    with Progress(sum(map(len, batches)), what=what, unit="utterances") as progress:
        started = deque[tuple[list[str], list[float], Callable[[], list[np.ndarray]]]]()

        def finish() -> Posteriors:
            utt_ids, durations_s, wait = started.popleft()
            found = Posteriors(utt_ids, durations_s, wait())
            progress.update(len(utt_ids))
            return found

        for batch, durations_s, padded in _read_ahead(recogniser, batches):
            started.append(([utt_id for utt_id, _ in batch], durations_s, recogniser.start(padded)))
            if len(started) > 1:  # a GPU has the next batch to work on
                yield finish()
        while started:
            yield finish()


def _read_ahead(recogniser: Recogniser, batches: Sequence[Batch]) -> Iterator[tuple[Batch, list[float], Padded]]:
    """Yield each batch with the durations of its clips, seconds, and their waveforms; others are read meanwhile."""

    def read(batch: Batch) -> tuple[Batch, list[float], Padded]:
        waveforms = [read_stored(location) for _, location in batch]
        return batch, [len(waveform) / SAMPLE_RATE_HZ for waveform in waveforms], recogniser.pad(waveforms)

    num_readers = 1 if recogniser.device.type == "cpu" else READERS
    with ThreadPoolExecutor(num_readers) as readers:
        left = iter(batches)
        reading = deque(readers.submit(read, batch) for batch in islice(left, num_readers))
        while reading:
            done = reading.popleft().result()
            reading.extend(readers.submit(read, batch) for batch in islice(left, 1))
            yield done


def make_batches(durations_s: dict[str, float], *, batch_size: int, max_batch_s: float) -> Iterator[list[str]]:
    """Yield batches of utterances of like length, the longest first, so that a lack of memory shows at once.

    Args:
        durations_s: each utterance's duration.
        batch_size: utterances in a batch at most.
        max_batch_s: seconds in a batch at most, padding counted; a longer utterance is a batch of its own.
    """
    batch: list[str] = []
    for utt_id in sorted(durations_s, key=lambda utt_id: (-durations_s[utt_id], utt_id)):
        if batch and (len(batch) == batch_size or (len(batch) + 1) * durations_s[batch[0]] > max_batch_s):
            yield batch
            batch = []
        batch.append(utt_id)
    if batch:
        yield batch
