"""A Whisper model in transformers' format, such as a fine-tuned one, as a model of chunks."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from spner.core.devices import choose_device
from spner.core.errors import SpnerError
from spner.data.audio import SAMPLE_RATE_HZ
from spner.tag.whisper import Piece, require_language
from spner.tagger.model import from_pretrained, quiet_transformers

WHISPER = "whisper"  # transformers' model_type


class HubWhisper:
    """A model with its tokenizer and feature extractor; it gives no confidences."""

    def __init__(self, name: str, *, lang: str | None, device: str) -> None:
        """Load it.

        Args:
            name: folder or hub name.
            lang: ISO 639-1 code; None lets Whisper tell.
            device: torch device; ``auto`` takes a GPU if there is one.

        Raises:
            SpnerError: it cannot be loaded, does not say which of its attention heads follow the speech, or knows no
                such language.
        """
        from transformers import AutoFeatureExtractor, AutoModelForSpeechSeq2Seq, AutoTokenizer, pipeline

        quiet_transformers()
        model = from_pretrained(AutoModelForSpeechSeq2Seq, name)
        settings = model.generation_config
        if not getattr(settings, "alignment_heads", None):
            raise SpnerError(
                f"--asr {name}: its generation_config.json has no alignment_heads, which give words their times; copy "
                "that file from the model that it was fine-tuned from"
            )
        self._generate: dict[str, Any] = {}
        if getattr(settings, "is_multilingual", False):
            require_language(lang, [token.strip("<|>") for token in settings.lang_to_id], name=name)
            self._generate = {"language": lang, "task": "transcribe"}
        else:
            require_language(lang, ["en"], name=name)
        self._pipeline: Any = pipeline(
            "automatic-speech-recognition",
            model=model,
            tokenizer=from_pretrained(AutoTokenizer, name),
            feature_extractor=from_pretrained(AutoFeatureExtractor, name),
            device=choose_device(device),
        )

    def hear(self, waveform: np.ndarray) -> Iterator[list[Piece]]:
        """Yield the words of a chunk of speech as one segment; a word without an end lasts as long as the chunk."""
        inputs = {"raw": waveform, "sampling_rate": SAMPLE_RATE_HZ}
        found = self._pipeline(inputs, return_timestamps="word", generate_kwargs=dict(self._generate))
        end_s = len(waveform) / SAMPLE_RATE_HZ
        times = [(one["text"], *one["timestamp"]) for one in found["chunks"]]
        yield [(text, start or 0.0, end_s if end is None else end, None) for text, start, end in times]


def is_hub_whisper(name: str) -> bool:
    """Whether a folder or hub name is a Whisper model.

    Raises:
        SpnerError: it cannot be loaded, or is another sequence-to-sequence model: those give no times of words.
    """
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES

    quiet_transformers()
    kind = from_pretrained(AutoConfig, name).model_type
    if kind != WHISPER and kind in MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES:
        raise SpnerError(
            f"--asr {name}: is a sequence-to-sequence model ({kind}), which gives no times of words; give Whisper or a "
            "CTC model"
        )
    return kind == WHISPER
