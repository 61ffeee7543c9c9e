"""A trained model in torch, and the posteriors that it computes from a set's audio."""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
from spner.decode.posteriors import Posteriors, pad_batch
from spner.text.tags import CLOSE

if TYPE_CHECKING:
    from espnet2.asr.espnet_model import ESPnetASRModel

Batch = list[tuple[str, str]]
"""Utterances, and where the audio of each lies."""
MAX_BATCH_S = 320.0
MAX_BATCH_CPU_S = 50.0  # with batches of 120 s a small model's activations leave the caches: a quarter slower


@dataclass(frozen=True)
class Recogniser:
    """A model in evaluation mode, its tokens, where its frames lie, and whether it was trained with ``use_amp``."""

    model: "ESPnetASRModel"
    token_list: tuple[str, ...]
    grid: FrameGrid
    device: torch.device
    use_amp: bool

    @torch.no_grad()
    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return each waveform's log posteriors, (T, V) float32, without frames of padding.

        Args:
            waveforms: (num_samples,) float32 at 16 kHz each; they are batched as they are.
        """
        speech, lengths = (torch.from_numpy(one).to(self.device) for one in pad_batch(waveforms))
        with training_precision(self.device, use_amp=self.use_amp):
            encoded, num_frames = self.model.encode(speech, lengths)
            found = self.model.ctc.log_softmax(encoded).float().cpu().numpy()  # (B, T, V)
        return [one[:frames] for one, frames in zip(found, num_frames.tolist(), strict=True)]


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


def compute_posteriors(recogniser: Recogniser, folder: Path, *, batch_size: int, what: str) -> Iterator[Posteriors]:
    """Yield a set's posteriors, batch by batch.

    Args:
        recogniser: the model.
        folder: ``data/<set>`` of stage 1.
        batch_size: utterances in a batch at most; they are of like length, and their audio is limited as well.
        what: the progress bar's title.

    Raises:
        SpnerError: stage 1 has not finished.
    """
    batches = list_batches(folder, recogniser.device.type, batch_size=batch_size)
    return compute_batches(recogniser, batches, what=what)


def list_batches(folder: Path, device_type: str, *, batch_size: int) -> list[Batch]:
    """Return the batches of a set, see :func:`make_batches`; a GPU takes more audio at a time than a CPU.

    Raises:
        SpnerError: stage 1 has not finished.
    """
    located, durations_s = read_locations(folder), find_durations(folder)
    max_batch_s = MAX_BATCH_CPU_S if device_type == "cpu" else MAX_BATCH_S
    batches = make_batches(durations_s, batch_size=batch_size, max_batch_s=max_batch_s)
    return [[(utt_id, located[utt_id]) for utt_id in batch] for batch in batches]


def compute_batches(recogniser: Recogniser, batches: Sequence[Batch], *, what: str) -> Iterator[Posteriors]:
    """Yield the posteriors of batches; the next batch is read while one is computed.

    Args:
        recogniser: the model.
        batches: as :func:`list_batches` gives them.
        what: the progress bar's title.
    """
    with ThreadPoolExecutor(1) as reader, Progress(sum(map(len, batches)), what=what, unit="utterances") as progress:

        def read(batch: Batch) -> list[np.ndarray]:
            return [read_stored(location) for _, location in batch]

        ahead = [reader.submit(read, batch) for batch in batches[:1]]
        for number, batch in enumerate(batches):
            waveforms = ahead.pop().result()
            if number + 1 < len(batches):
                ahead.append(reader.submit(read, batches[number + 1]))
            durations = [len(waveform) / SAMPLE_RATE_HZ for waveform in waveforms]
            yield Posteriors([utt_id for utt_id, _ in batch], durations, recogniser.log_probs(waveforms))
            progress.update(len(batch))


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
