"""Tiny wav2vec 2.0 checkpoints with random weights and XLS-R's kind of layers."""

from pathlib import Path

import torch

HIDDEN, LAYERS, CHANNELS = 32, 2, 16


def make_hugging_face_upstream(folder: Path) -> dict[str, str]:
    """Write a Hugging Face folder and return the frontend's configuration for it."""
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        intermediate_size=64,
        conv_dim=(CHANNELS,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        conv_bias=True,
        do_stable_layer_norm=True,
        feat_extract_norm="layer",
        layerdrop=0.1,
        mask_time_prob=0.0,
    )
    Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True).save_pretrained(folder)
    return {"upstream": "hf_wav2vec2_custom", "path_or_url": str(folder)}


def make_s3prl_upstream(folder: Path) -> dict[str, str]:
    """Write a checkpoint in S3PRL's converted format, that of its xls_r_300m, and return the configuration."""
    from s3prl.upstream.wav2vec2.wav2vec2_model import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(0)
    layers = str([(CHANNELS, 10, 5)] + [(CHANNELS, 3, 2)] * 4 + [(CHANNELS, 2, 2)] * 2)
    model = {
        "extractor_mode": "layer_norm",
        "encoder_layers": LAYERS,
        "encoder_embed_dim": HIDDEN,
        "conv_bias": True,
        "encoder_ffn_embed_dim": 64,
        "encoder_attention_heads": 2,
        "layer_norm_first": True,
        "final_dim": 16,
        "conv_feature_layers": layers,
        "conv_pos": 16,
        "conv_pos_groups": 4,
        "encoder_layerdrop": 0.1,
        "latent_dim": 16,
        "quantize_targets": True,
        "latent_vars": 8,
        "latent_groups": 2,
    }
    folder.mkdir()
    weights = Wav2Vec2Model(Wav2Vec2Config(**model)).state_dict()
    torch.save({"task_cfg": {"normalize": True}, "model_cfg": model, "model_weight": weights}, folder / "tiny.pt")
    return {"upstream": "wav2vec2_custom", "path_or_url": str(folder / "tiny.pt")}
