"""Tiny pre-trained networks with random weights, in the two formats; the larger kind is XLS-R's."""

from pathlib import Path
from typing import Any

import torch

HIDDEN, LAYERS, CHANNELS = 32, 2, 16
CONVOLUTIONS = f"[({CHANNELS}, 10, 5)] + [({CHANNELS}, 3, 2)] * 4 + [({CHANNELS},2,2)] + [({CHANNELS},2,2)]"
LARGE = {"extractor_mode": "layer_norm", "layer_norm_first": True, "conv_bias": True}  # XLS-R and the large models
BASE = {
    "extractor_mode": "default",
    "layer_norm_first": False,
    "conv_bias": False,
}  # the base models of 95 M parameters
SHAPE = {
    "encoder_layers": LAYERS,
    "encoder_embed_dim": HIDDEN,
    "encoder_ffn_embed_dim": 64,
    "encoder_attention_heads": 2,
    "final_dim": 16,
    "conv_feature_layers": CONVOLUTIONS,
    "conv_pos": 16,
    "conv_pos_groups": 4,
    "encoder_layerdrop": 0.1,
}


def make_s3prl_upstream(folder: Path, kind: dict[str, Any] = LARGE) -> Path:
    """Write a wav2vec 2.0 as S3PRL converts fairseq's; its ``xls_r_300m`` is such a file."""
    from s3prl.upstream.wav2vec2.wav2vec2_model import Wav2Vec2Config, Wav2Vec2Model

    cfg = SHAPE | kind | {"quantize_targets": True, "latent_vars": 8, "latent_groups": 2, "latent_dim": 16}
    return _save_s3prl(folder, Wav2Vec2Model(_seeded(Wav2Vec2Config(**cfg))), cfg, kind)


def make_s3prl_hubert(folder: Path, kind: dict[str, Any] = BASE) -> Path:
    """Write a HuBERT as S3PRL converts fairseq's."""
    from s3prl.upstream.hubert.hubert_model import HubertConfig, HubertModel, HubertPretrainingConfig

    cfg = SHAPE | kind | {"label_rate": 50.0}
    symbols = [[f"k{number}" for number in range(8)]]
    model = HubertModel(_seeded(HubertConfig(**cfg)), HubertPretrainingConfig(), symbols)
    return _save_s3prl(folder, model, cfg, kind, dictionaries_symbols=symbols)


def make_s3prl_wavlm(folder: Path, kind: dict[str, Any] = LARGE) -> Path:
    """Write a WavLM in its own format, which S3PRL reads as it is."""
    from s3prl.upstream.wavlm.WavLM import WavLM, WavLMConfig

    positions = {"relative_position_embedding": True, "num_buckets": 32, "max_distance": 80, "gru_rel_pos": True}
    cfg = SHAPE | kind | positions | {"normalize": kind is LARGE}
    folder.mkdir(parents=True)
    torch.save({"cfg": cfg, "model": WavLM(_seeded(WavLMConfig(cfg))).state_dict()}, folder / "tiny.pt")
    return folder / "tiny.pt"


def _seeded(config: Any) -> Any:
    torch.manual_seed(0)
    return config


def _save_s3prl(folder: Path, model: torch.nn.Module, cfg: dict[str, Any], kind: dict[str, Any], **more: Any) -> Path:
    for name, parameter in model.named_parameters():  # fresh norms would hide a norm that is left out
        if "norm" in name:
            parameter.data.uniform_(0.5, 1.5)
    folder.mkdir(parents=True)
    task = {"_name": "audio_pretraining", "normalize": kind is LARGE, "sample_rate": 16000}
    state = {"task_cfg": task, "model_cfg": cfg, "model_weight": model.state_dict(), **more}
    torch.save(state, folder / "tiny.pt")
    return folder / "tiny.pt"


def make_hugging_face_twin(file: Path, folder: Path) -> Path:
    """Write the Hugging Face folder of the same network as a file of S3PRL's."""
    from transformers import Wav2Vec2FeatureExtractor

    from spner.asr.upstream import build_network, read_architecture, read_weights

    architecture = read_architecture(file)
    network = build_network(architecture, layerdrop=0.1, apply_spec_augment=True)
    network.load_state_dict(read_weights(file, architecture))
    network.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=architecture["normalize"]).save_pretrained(folder)
    return folder


def make_hugging_face_upstream(folder: Path) -> Path:
    """Write the Hugging Face folder of a tiny XLS-R."""
    return make_hugging_face_twin(make_s3prl_upstream(folder.with_name(f"{folder.name}_s3prl")), folder)
