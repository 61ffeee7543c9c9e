"""Models in transformers' format, made here: tiny, random, of the true shape."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spner.core.errors import SpnerError
from spner.tag.load import TagOptions, load_transcriber
from spner.tag.tagged import Tagged
from tests.tag.models import RATE_HZ

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

NOISE = np.random.default_rng(0).normal(size=RATE_HZ).astype(np.float32) * np.linspace(
    0, 0.1, RATE_HZ, dtype=np.float32
)
SPECIALS = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|nl|>", "<|translate|>", "<|transcribe|>"]
SPECIALS += ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
SIZES = {"encoder_layers": 1, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2}


def make_whisper(folder: Path, **settings: Any) -> Path:
    """Write a model that writes bytes at random."""
    from tokenizers import AddedToken
    from tokenizers.pre_tokenizers import ByteLevel

    vocabulary = {char: row for row, char in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = transformers.WhisperTokenizer(vocab=vocabulary, merges=[])
    times = [f"<|{place * 0.02:.2f}|>" for place in range(1501)]
    tokenizer.add_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIALS])
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in times])
    rows = dict(zip(SPECIALS, tokenizer.convert_tokens_to_ids(SPECIALS), strict=True))
    ends = {f"{name}_token_id": rows["<|endoftext|>"] for name in ("eos", "pad", "bos")}
    ends["decoder_start_token_id"] = rows["<|startoftranscript|>"]
    config = transformers.WhisperConfig(
        vocab_size=len(tokenizer), d_model=16, encoder_ffn_dim=16, decoder_ffn_dim=16, **SIZES, **ends
    )
    model = transformers.WhisperForConditionalGeneration(config)
    model.generation_config = transformers.GenerationConfig(
        is_multilingual=True,
        lang_to_id={text: rows[text] for text in ("<|en|>", "<|nl|>")},
        task_to_id={name: rows[f"<|{name}|>"] for name in ("translate", "transcribe")},
        no_timestamps_token_id=rows["<|notimestamps|>"],
        prev_sot_token_id=rows["<|startofprev|>"],
        max_length=20,
        **ends,
        **settings,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    transformers.WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    return folder


def load(folder: Path, lang: str | None = "nl") -> Any:
    return load_transcriber(str(folder), TagOptions(asr=str(folder), lang=lang, device="cpu", vad=False))


def test_whisper_in_transformers_format_has_words_with_times(tmp_path: Path) -> None:
    from spner.tag.audio import from_waveform

    transcriber = load(make_whisper(tmp_path / "whisper", alignment_heads=[[1, 0], [1, 1]]))
    ((_, tagged),) = transcriber.transcribe([from_waveform(NOISE, RATE_HZ)], lambda _seconds: None)
    assert isinstance(tagged, Tagged)
    assert tagged.text
    assert all(0 <= word.start_s <= word.end_s <= tagged.duration_s for word in tagged.words)
    with pytest.raises(SpnerError, match='--lang "tlh"'):
        load(tmp_path / "whisper", lang="tlh")


def test_what_gives_no_times_of_words_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpnerError, match="has no alignment_heads"):
        load(make_whisper(tmp_path / "whisper"))
    (tmp_path / "s2t").mkdir()
    (tmp_path / "s2t/config.json").write_text(json.dumps({"model_type": "speech_to_text"}))
    with pytest.raises(
        SpnerError, match=r"sequence-to-sequence model \(speech_to_text\), which gives no times of words"
    ):
        load(tmp_path / "s2t")


@pytest.fixture
def ctc(tmp_path: Path) -> Path:
    """A CTC model in wav2vec 2.0's shape, upper case."""
    tokens = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    (tmp_path / "vocab.json").write_text(json.dumps({token: row for row, token in enumerate(tokens)}))
    transformers.Wav2Vec2CTCTokenizer(str(tmp_path / "vocab.json")).save_pretrained(tmp_path / "ctc")
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(tmp_path / "ctc")
    config = transformers.Wav2Vec2Config(
        vocab_size=len(tokens),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        pad_token_id=0,
    )
    transformers.Wav2Vec2ForCTC(config).save_pretrained(tmp_path / "ctc")
    return tmp_path / "ctc"


def test_a_ctc_model_hears_waveforms_normalised_one_by_one(ctc: Path) -> None:
    recogniser = load(ctc).model.recogniser
    assert recogniser.token_list[:6] == ("<blank>", "<unk>", "<unk>", "<unk>", "<space>", "a")
    soft, loud, both = recogniser.log_probs([0.01 * NOISE, 10 * NOISE, np.tile(NOISE, 2)])
    np.testing.assert_allclose(soft, loud, atol=0.01)
    assert (len(soft), len(both)) == (49, 99)


def test_a_ctc_model_without_trained_output_is_refused(ctc: Path) -> None:
    config = transformers.Wav2Vec2Config.from_pretrained(ctc)
    transformers.Wav2Vec2ForPreTraining(config).save_pretrained(ctc)
    with pytest.raises(SpnerError, match=r"has no weights for \['lm_head.bias', 'lm_head.weight'\]"):
        load(ctc)
