"""Names of models on the command line -> a tagger."""

from dataclasses import dataclass
from pathlib import Path

from spner.core.datatypes import LABELS
from spner.core.errors import SpnerError
from spner.tag.ctc import CtcTranscriber
from spner.tag.experiment import is_experiment, load_experiment
from spner.tag.models import SpeechModel
from spner.tag.pack_file import is_pack
from spner.tag.packed import load_pack
from spner.tag.speakers import read_rttm
from spner.tag.tagger import Tagger
from spner.tag.transcriber import Transcriber


@dataclass(frozen=True)
class TagOptions:
    """How recordings are tagged, from the command line.

    Attributes:
        model: experiment folder or pack that writes words and names.
        device: torch device; ``auto`` takes a GPU if there is one.
        batch_size: windows in a batch at most.
        boost: list of names to expect.
        lang: ISO 639-1 code; None takes the model's.
        vad: whether a voice activity detector decides where speech is; None: for Whisper only.
        min_confidence: names of a lower confidence are left out.
        speakers: RTTM file.
        lower_case: leave the words of models that know no capitals as they are.
        asr: a recogniser of words, in place of ``model``: experiment or pack of ``--system asr``, a Whisper model, or a
            CTC model of transformers.
        tagger: finds the names in its words; None takes the language's default.
        labels: to find with a tagger.
    """

    model: Path | None = None
    device: str = "auto"
    batch_size: int = 8
    boost: Path | None = None
    lang: str | None = None
    vad: bool | None = None
    min_confidence: float = 0.0
    speakers: Path | None = None
    lower_case: bool = False
    asr: str | None = None
    tagger: str | None = None
    labels: tuple[str, ...] = LABELS

    def __post_init__(self) -> None:
        if (self.model is None) == (self.asr is None):
            raise SpnerError(
                "--model, --asr: give one of them: a model that writes words and names, or a recogniser whose words a "
                "--tagger reads"
            )
        if self.tagger and self.model:
            raise SpnerError("--tagger: is for --asr; the names of --model are its own")


def load_tagger(options: TagOptions) -> Tagger:
    """Load what the options name.

    Raises:
        SpnerError: a model cannot be loaded, or the options do not fit each other.
    """
    turns = read_rttm(options.speakers) if options.speakers else None
    if options.model:
        model = load_model(options.model, options)
        if not model.writes_entities:
            raise SpnerError(f"{options.model}: writes words without names; give it as --asr, with a --tagger")
        transcriber: Transcriber = CtcTranscriber(model, options.batch_size, vad=bool(options.vad))
        casing = None if options.lower_case else model.casing
        return Tagger(transcriber, model.tag_text, options.min_confidence, turns, casing)
    from spner.tag.text_tagger import load_text_tagger
    from spner.tagger.annotate import default_tagger

    transcriber = load_transcriber(str(options.asr), options)
    lang = options.lang or transcriber.lang
    name = options.tagger or default_tagger(lang)
    tag_text = load_text_tagger(name, labels=options.labels, lang=lang, device=options.device)
    return Tagger(transcriber, tag_text, options.min_confidence, turns)


def load_model(path: Path, options: TagOptions) -> SpeechModel:
    """Load an acoustic model with its search.

    Raises:
        SpnerError: there is none of that name.
    """
    if not path.exists():
        raise SpnerError(f"{path}: no such model (expected an experiment folder of stage 4, or a pack)")
    if path.is_file() or is_pack(path):
        return load_pack(path, device=options.device)
    if not is_experiment(path):
        raise SpnerError(f"{path}: is no model (expected an experiment folder of stage 4, or a pack)")
    return load_experiment(path, device=options.device, boost=options.boost, lang=options.lang)


def load_transcriber(name: str, options: TagOptions) -> Transcriber:
    """Load a recogniser of words: ours, Whisper, or a CTC model of transformers.

    Raises:
        SpnerError: it cannot be loaded.
    """
    from spner.tag.whisper import WhisperTranscriber, is_whisper

    path = Path(name)
    if path.is_file() or is_pack(path) or is_experiment(path):
        return CtcTranscriber(load_model(path, options), options.batch_size, vad=bool(options.vad))
    if options.boost:
        raise SpnerError(f"--boost: is for models of ours; --asr {name} takes no list of names")
    if is_whisper(name):
        return WhisperTranscriber(name, lang=options.lang, device=options.device, vad=options.vad is not False)
    from spner.tag.hub_ctc import load_hub_ctc

    model = load_hub_ctc(name, device=options.device, lang=options.lang)
    return CtcTranscriber(model, options.batch_size, vad=bool(options.vad))
