"""Names of models on the command line -> a tagger."""

from dataclasses import dataclass
from pathlib import Path

from spner.core import paths
from spner.core.errors import SpnerError
from spner.tag.ctc import CtcTranscriber
from spner.tag.experiment import load_experiment
from spner.tag.models import SpeechModel
from spner.tag.pack_file import is_pack
from spner.tag.packed import load_pack
from spner.tag.speakers import read_rttm
from spner.tag.tagger import Tagger


@dataclass(frozen=True)
class TagOptions:
    """How recordings are tagged, from the command line.

    Attributes:
        model: experiment folder or pack that writes words and names.
        device: torch device; ``auto`` takes a GPU if there is one.
        batch_size: windows in a batch at most.
        boost: list of names to expect.
        lang: ISO 639-1 code; None takes the model's.
        vad: whether a voice activity detector decides where speech is; None where the model needs it.
        min_confidence: names of a lower confidence are left out.
        speakers: RTTM file.
        lower_case: leave the words of models that know no capitals as they are.
    """

    model: Path | None
    device: str = "auto"
    batch_size: int = 8
    boost: Path | None = None
    lang: str | None = None
    vad: bool | None = None
    min_confidence: float = 0.0
    speakers: Path | None = None
    lower_case: bool = False


def load_tagger(options: TagOptions) -> Tagger:
    """Load what the options name.

    Raises:
        SpnerError: a model cannot be loaded, or the options do not fit each other.
    """
    turns = read_rttm(options.speakers) if options.speakers else None
    if options.model is None:
        raise SpnerError("--model: is missing; give the experiment folder of a trained model, or a pack")
    model = load_model(options.model, options)
    if not model.writes_entities:
        raise SpnerError(f"{options.model}: writes words without names; give it as --asr, with a --tagger")
    transcriber = CtcTranscriber(model, options.batch_size, vad=bool(options.vad))
    casing = None if options.lower_case else model.casing
    return Tagger(transcriber, min_confidence=options.min_confidence, turns=turns, casing=casing)


def load_model(path: Path, options: TagOptions) -> SpeechModel:
    """Load an acoustic model with its search.

    Raises:
        SpnerError: there is none of that name.
    """
    if not path.exists():
        raise SpnerError(f"{path}: no such model (expected an experiment folder of stage 4, or a pack)")
    if path.is_file() or is_pack(path):
        return load_pack(path, device=options.device)
    if not (path / paths.CONFIG).exists():
        raise SpnerError(f"{path}: is no model (expected an experiment folder of stage 4, or a pack)")
    return load_experiment(path, device=options.device, boost=options.boost, lang=options.lang)
