"""Stage 5: a trained model and a set's audio -> hypotheses in the references' formats."""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

import numpy as np
import torch

from spner import paths
from spner.asr.alignment import FrameGrid, time_hypothesis
from spner.asr.confidence import calibrate, calibration_identity
from spner.asr.ctc import greedy_search
from spner.asr.train import chosen_checkpoint, read_config
from spner.audio import SAMPLE_RATE_HZ, read_stored
from spner.datadir import read_table, write_entities, write_table
from spner.datatypes import Timing
from spner.devices import choose_device
from spner.errors import SpnerError
from spner.files import fingerprint, locked, read_json, write_json
from spner.progress import Progress
from spner.tags import CLOSE, text_to_spans
from spner.tokens import require_symbols, tokens_to_words

if TYPE_CHECKING:
    from espnet2.asr.espnet_model import ESPnetASRModel

RECORD = "decode.json"
MAX_BATCH_S = 320.0
MIN_SAMPLES = SAMPLE_RATE_HZ // 5  # shorter clips are padded: no encoder takes less than seven frames


@dataclass(frozen=True)
class Recogniser:
    """A model in evaluation mode, its tokens, and where its frames lie."""

    model: "ESPnetASRModel"
    token_list: tuple[str, ...]
    grid: FrameGrid
    device: torch.device


@dataclass(frozen=True)
class Hypothesis:
    """Words and entity symbols; times and raw confidences, None where the tokens need more frames than there are."""

    tokens: list[str]
    timing: Timing | None


def load_recogniser(exp: Path, *, device: str) -> Recogniser:
    """Load the checkpoint that ``exp``'s configuration chooses.

    Raises:
        SpnerError: nothing is trained there, or checkpoint, token list and entity symbols do not fit each other.
    """
    from spner.asr.padding import locate_frames
    from spner.asr.task import SpnerTask  # ESPnet takes 17 s to import, and a set that is decoded already needs none

    checkpoint = chosen_checkpoint(exp)
    args = Namespace(**read_config(exp))
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, UnpicklingError) as error:
        reason = str(error).splitlines()[0]
        raise SpnerError(f"{checkpoint}: is no readable checkpoint ({reason}); rerun stage 4") from error
    rows = state["ctc.ctc_lo.weight"].shape[0]
    if rows != len(args.token_list):
        raise SpnerError(f"{checkpoint}: writes {rows} tokens, but the token list in {exp / paths.CONFIG} has "
                         f"{len(args.token_list)}; take both from one training")
    if CLOSE in args.token_list:
        require_symbols(args.token_list, where=exp / paths.CONFIG)
    model = SpnerTask.build_model(args)
    model.load_state_dict(state)
    chosen = torch.device(choose_device(device))
    return Recogniser(model.to(chosen).eval(), tuple(args.token_list), locate_frames(model), chosen)


@torch.no_grad()
def transcribe(recogniser: Recogniser, waveforms: Sequence[np.ndarray]) -> list[Hypothesis]:
    """Return each waveform's words and entity symbols, by greedy CTC search, with their times and raw confidences.

    Args:
        recogniser: the model.
        waveforms: B arrays (num_samples,) float32 at 16 kHz; they are batched as they are.
    """
    padded = [np.pad(w, (0, max(0, MIN_SAMPLES - len(w)))) for w in waveforms]
    lengths = torch.tensor([len(waveform) for waveform in padded], device=recogniser.device)
    speech = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(w) for w in padded], batch_first=True)  # (B, samples)
    encoded, num_frames = recogniser.model.encode(speech.to(recogniser.device), lengths)
    log_probs = recogniser.model.ctc.log_softmax(encoded).float().cpu()  # (B, T, V)
    token_ids = greedy_search(log_probs, num_frames.cpu())
    hyps = []
    for row, ids in enumerate(token_ids):
        timing = time_hypothesis(
            log_probs[row, : num_frames[row]], ids, recogniser.token_list, grid=recogniser.grid,
            duration_s=len(waveforms[row]) / SAMPLE_RATE_HZ,
        )  # fmt: skip
        hyps.append(Hypothesis(tokens_to_words(recogniser.token_list[i] for i in ids), timing))
    return hyps


def decode_sets(data: Path, exp: Path, set_names: Sequence[str], *, device: str, batch_size: int) -> None:
    """Write ``exp/decode/<set>/{text,entities.jsonl}`` of each set: tagged text, and words with entities.

    A set that was decoded with this model before is not decoded again. Entities and words carry times and confidences;
    decoding dev, which comes first, calibrates the confidences of every set.

    Args:
        data: data folder of stage 1.
        exp: ``exp/<tag>`` of stage 4.
        set_names: which sets.
        device: as torch names it; ``auto`` takes a GPU where there is one.
        batch_size: utterances in a batch at most; they are of like length and hold ``MAX_BATCH_S`` of audio at most.

    Raises:
        SpnerError: stage 1 or 4 has not finished, or the model does not fit its tokens.
    """
    checkpoint = chosen_checkpoint(exp)
    with locked(exp / "decode"):
        recogniser = None
        model = fingerprint([exp / paths.CONFIG, checkpoint])
        for set_name in sorted(set_names, key=lambda name: name != paths.DEV):
            identity = calibration_identity(data, exp, set_name, model=model)
            record = {"model": model, "audio": _audio_identity(data / set_name), "calibration": identity}
            done = paths.decode_dir(exp, set_name) / RECORD
            if done.exists() and read_json(done) == record:
                continue
            recogniser = recogniser or load_recogniser(exp, device=device)
            done.unlink(missing_ok=True)
            hyps = _decode(recogniser, data / set_name, batch_size=batch_size, what=f"decode {set_name}")
            write_table(done.with_name(paths.TEXT), {utt_id: " ".join(hyp.tokens) for utt_id, hyp in hyps.items()})
            annotated = {utt_id: text_to_spans(hyp.tokens).annotated for utt_id, hyp in hyps.items()}
            raw = {utt_id: hyp.timing for utt_id, hyp in hyps.items() if hyp.timing}
            timings = calibrate(annotated, raw, data, exp, set_name, model=model)
            write_entities(done.with_name(paths.ENTITIES), annotated, timings)
            identity = calibration_identity(data, exp, set_name, model=model)
            write_json(done, {**record, "calibration": identity})


def _audio_identity(folder: Path) -> str:
    if not (folder / paths.WAV_SCP).exists():
        raise SpnerError(f"{folder / paths.WAV_SCP}: is missing; stage 1 makes it")
    return fingerprint([folder / paths.WAV_SCP, folder / paths.UTT2DUR])


def _decode(recogniser: Recogniser, folder: Path, *, batch_size: int, what: str) -> dict[str, Hypothesis]:
    """Return every utterance's hypothesis; the next batch is read while one is decoded."""
    wav_scp = read_table(folder / paths.WAV_SCP, made_by="stage 1")
    durations_s = {u: float(d) for u, d in read_table(folder / paths.UTT2DUR, made_by="stage 1").items()}
    batches = list(make_batches(durations_s, batch_size=batch_size, max_batch_s=MAX_BATCH_S))
    hyps: dict[str, Hypothesis] = {}
    with ThreadPoolExecutor(1) as reader, Progress(len(wav_scp), what=what, unit="utterances") as progress:

        def read(batch: list[str]) -> list[np.ndarray]:
            return [read_stored(wav_scp[utt_id]) for utt_id in batch]

        ahead = [reader.submit(read, batch) for batch in batches[:1]]
        for number, batch in enumerate(batches):
            waveforms = ahead.pop().result()
            if number + 1 < len(batches):
                ahead.append(reader.submit(read, batches[number + 1]))
            hyps.update(zip(batch, transcribe(recogniser, waveforms), strict=True))
            progress.update(len(batch))
    return hyps


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
