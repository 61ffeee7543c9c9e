"""``spner redact``: a recording -> the same recording with names under a beep or silence, its transcript, a report.

An aid, not a guarantee: what the model does not find stays.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from spner.archive.cuts import Cut, find_cuts, join_spans, redact_transcript
from spner.archive.samples import OUTPUTS, choose_subtype, open_samples
from spner.archive.verify import require_unheard
from spner.core.errors import SpnerError, nearest
from spner.core.files import atomic_path, write_json
from spner.data.tokens import find_labels
from spner.tag.audio import RecordingError
from spner.tag.ctc import CtcTranscriber
from spner.tag.formats import output_path, save
from spner.tag.tagger import Tagger
from spner.tag.transcriber import Transcriber

BEEP, SILENCE = SOUNDS = ("beep", "silence")
BEEP_HZ, BEEP_LEVEL, RAMP_S = 1000.0, 0.1, 0.005
NOTE = "An aid, not a guarantee: names that the model did not find are still there. Listen before you publish."


@dataclass(frozen=True)
class Redaction:
    """How a recording is redacted.

    Attributes:
        labels: of the names to take out.
        pad_s: more to cover before and after each.
        sound: ``beep`` or ``silence``.
        min_confidence: names of a lower one stay.
        formats: of the transcript.
        verifier: name of the recogniser that listens to the result; None: none does.

    Raises:
        SpnerError: no label.
    """

    labels: tuple[str, ...]
    pad_s: float = 0.25
    sound: str = BEEP
    min_confidence: float = 0.0
    formats: tuple[str, ...] = ("txt",)
    verifier: str | None = None

    def __post_init__(self) -> None:
        if not self.labels:
            raise SpnerError("--labels: names no label (expected such as PER)")


def redact(
    audio: Path, output: Path, tagger: Tagger, how: Redaction, load_verifier: Callable[[], Transcriber]
) -> list[Cut]:
    """Write a redacted recording, its transcript and ``<output>.report.json``; return what was taken out.

    Args:
        audio: the recording.
        output: ``.flac`` or ``.wav``; it appears when all is well, and holds no metadata of the recording.
        tagger: finds the names.
        how: labels and sound.
        load_verifier: loads the recogniser that verifies, if one does.

    Raises:
        SpnerError: the recording cannot be read, the output's format cannot hold it, times are missing, a file cannot
            be written, or a name is still heard.
    """
    require_labels(tagger, how.labels)
    if output.resolve() == audio.resolve():
        raise SpnerError(f"{output}: is the recording itself; give another -o")
    with open_samples(audio) as (form, _):
        choose_subtype(form, output)  # before anything is tagged
    verifier = load_verifier() if how.verifier else None
    tagged = tagger.tag(audio)
    cuts = find_cuts(tagged, how.labels, min_confidence=how.min_confidence)
    with atomic_path(output) as temporary:
        cover(audio, temporary, join_spans(cuts, pad_s=how.pad_s), sound=how.sound)
        if verifier:
            require_unheard(temporary, cuts, verifier, name=str(how.verifier))
        transcript = redact_transcript(tagged, cuts, audio=str(output))
        for name in how.formats:
            save(transcript, output_path(output.with_suffix(""), name), name)
        write_json(output.with_suffix(".report.json"), _report(audio, output, cuts, how))
    return cuts


def require_labels(tagger: Tagger, labels: Sequence[str]) -> None:
    """Refuse labels that a model does not write: a misspelt one would take out nothing.

    Raises:
        SpnerError: the model does not have one.
    """
    transcriber = tagger.transcriber
    if isinstance(transcriber, CtcTranscriber) and transcriber.writes_entities:
        known = find_labels(transcriber.model.recogniser.token_list)
        for label in labels:
            if label not in known:
                raise SpnerError(
                    f'--labels "{label}": is none of the model\'s ({" ".join(known)}){nearest(label, known)}'
                )


def cover(audio: Path, output: Path, spans: Sequence[tuple[float, float]], *, sound: str) -> None:
    """Copy a recording sample by sample, except in spans of seconds.

    Raises:
        SpnerError: it cannot be read, or the output's format cannot hold it.
    """
    with open_samples(audio) as (form, blocks):
        subtype = choose_subtype(form, output)
        frames = [(int(np.floor(start * form.rate_hz)), int(np.ceil(end * form.rate_hz))) for start, end in spans]
        kind = OUTPUTS[output.suffix.lower()]
        try:
            with soundfile.SoundFile(output, "w", form.rate_hz, form.num_channels, subtype, format=kind) as file:
                first = 0
                for block in blocks:
                    file.write(_cover_block(block, first, frames, form.rate_hz, sound))
                    first += len(block)
        except soundfile.SoundFileError as error:
            raise SpnerError(f"{output}: cannot be written ({error}); make room or check the permissions") from error
    if not first:
        raise RecordingError(f"{audio}: holds no sound")


def _cover_block(
    block: np.ndarray, first: int, frames: Sequence[tuple[int, int]], rate_hz: int, sound: str
) -> np.ndarray:
    """Return a block (num_samples, num_channels), which begins at sample ``first``, with spans of samples covered."""
    covered = block.copy()
    full = 2.0**31 if block.dtype == np.int32 else 1.0
    for start, end in frames:
        low, high = max(start, first), min(end, first + len(block))
        if low < high:
            covered[low - first : high - first] = 0
            if sound == BEEP:
                tone = full * _beep(np.arange(low, high), start, end, rate_hz)
                covered[low - first : high - first] = tone.astype(block.dtype)[:, None]
    return covered


def _beep(samples: np.ndarray, start: int, end: int, rate_hz: int) -> np.ndarray:
    """Return the tone (num_samples,) at samples of a span; it swells and fades, for a step would click."""
    edge = np.minimum(samples - start, end - 1 - samples) / (RAMP_S * rate_hz)
    return BEEP_LEVEL * np.minimum(1.0, edge) * np.sin(2 * np.pi * BEEP_HZ * samples / rate_hz)


def _report(audio: Path, output: Path, cuts: Sequence[Cut], how: Redaction) -> dict[str, object]:
    return {
        "note": NOTE,
        "recording": str(audio),
        "output": str(output),
        "labels": how.labels,
        "min_confidence": how.min_confidence,
        "pad_s": how.pad_s,
        "sound": how.sound,
        "verified_by": how.verifier,
        "taken_out": [
            {
                "start": round(cut.start_s, 3),
                "end": round(cut.end_s, 3),
                "label": cut.label,
                "name": cut.text,
                "score": None if cut.confidence is None else round(cut.confidence, 4),
                "tagged": cut.tagged,
            }
            for cut in cuts
        ],
    }
