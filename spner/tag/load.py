"""Names of models on the command line -> a tagger."""

from dataclasses import dataclass, replace
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
from spner.tag.whisper import FasterWhisper, Whisper, WhisperTranscriber, is_whisper

BATCH_SIZE = 8


@dataclass(frozen=True)
class TagOptions:
    """How recordings are tagged, from the command line.

    Attributes:
        model: experiment folder or pack that writes words and names.
        device: torch device; ``auto`` takes a GPU if there is one.
        batch_size: windows in a batch at most; None: :data:`BATCH_SIZE`.
        boost: list of names to expect.
        lang: ISO 639-1 code; None takes the model's.
        vad: whether a voice activity detector decides where speech is; None: for Whisper only.
        min_confidence: names of a lower confidence are left out.
        speakers: RTTM file.
        lower_case: leave the words of models that know no capitals as they are.
        asr: a recogniser of words, in place of ``model``: experiment or pack of ``--system asr``, a Whisper model, or a
            CTC model of transformers.
        tagger: finds the names in its words; None takes the language's default.
        labels: to find with a tagger; None: the paper's.
    """

    model: Path | None = None
    device: str = "auto"
    batch_size: int | None = None
    boost: Path | None = None
    lang: str | None = None
    vad: bool | None = None
    min_confidence: float = 0.0
    speakers: Path | None = None
    lower_case: bool = False
    asr: str | None = None
    tagger: str | None = None
    labels: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if (self.model is None) == (self.asr is None):
            raise SpnerError(
                "--model, --asr: give one of them: a model that writes words and names, or a recogniser whose words a "
                "--tagger reads"
            )
        if self.model and (self.tagger or self.labels):
            raise SpnerError("--tagger, --labels: are for --asr; the names of --model are its own")
        if self.asr and self.lower_case:
            raise SpnerError("--lower_case: is for --model; the words of --asr stay as they are written")


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
        transcriber: Transcriber = _make_transcriber(model, options)
        casing = None if options.lower_case else model.casing
        return Tagger(transcriber, model.tag_text, options.min_confidence, turns, casing)
    from spner.tag.text_tagger import load_text_tagger
    from spner.tagger.annotate import default_tagger

    transcriber = load_transcriber(str(options.asr), options)
    lang = options.lang or transcriber.lang
    name = options.tagger or default_tagger(lang)
    tag_text = load_text_tagger(name, labels=options.labels or LABELS, lang=lang, device=options.device)
    return Tagger(transcriber, tag_text, options.min_confidence, turns)


def load_model(path: Path, options: TagOptions) -> SpeechModel:
    """Load an acoustic model with its search.

    Raises:
        SpnerError: there is none of that name.
    """
    if not path.exists():
        raise SpnerError(f"{path}: no such model (expected an experiment folder of stage 4, or a pack)")
    if path.is_file() or is_pack(path):
        if options.boost:
            raise SpnerError(
                f"--boost {options.boost}: {path} is a pack, which holds no sentences for the names to be mentioned "
                "in; give the experiment folder that it was made from"
            )
        model = load_pack(path, device=options.device)
        return replace(model, lang=options.lang or model.lang)
    if not is_experiment(path):
        raise SpnerError(f"{path}: is no model (expected an experiment folder of stage 4, or a pack)")
    return load_experiment(path, device=options.device, boost=options.boost, lang=options.lang)


def load_transcriber(name: str, options: TagOptions) -> Transcriber:
    """Load a recogniser of words: ours, Whisper, or a CTC model of transformers.

    Raises:
        SpnerError: it cannot be loaded.
    """
    path = Path(name)
    if path.is_file() or is_pack(path) or is_experiment(path):
        model = load_model(path, options)
        if model.tag_text:
            raise SpnerError(f"--asr {name}: is a pipeline with a tagger of its own; give it as --model")
        return _make_transcriber(model, options)
    for option, value in (("--boost", options.boost), ("--batch_size", options.batch_size)):
        if value:
            raise SpnerError(f"{option}: is for models of ours; --asr {name} has no use for it")
    whisper = _load_whisper(name, options)
    if whisper:
        return WhisperTranscriber(whisper, lang=options.lang, vad=options.vad is not False)
    from spner.tag.hub_ctc import load_hub_ctc

    return _make_transcriber(load_hub_ctc(name, device=options.device, lang=options.lang), options)


def _load_whisper(name: str, options: TagOptions) -> Whisper | None:
    if is_whisper(name):
        return FasterWhisper(name, lang=options.lang, device=options.device)
    from spner.tag.hub_whisper import HubWhisper, is_hub_whisper

    return HubWhisper(name, lang=options.lang, device=options.device) if is_hub_whisper(name) else None


def _make_transcriber(model: SpeechModel, options: TagOptions) -> CtcTranscriber:
    return CtcTranscriber(model, options.batch_size or BATCH_SIZE, vad=bool(options.vad))
