"""The weights of a pre-trained upstream: where they are, what network they belong to, and reading them.

Two formats hold the same networks: a folder (or hub id) of Hugging Face transformers, and a ``.pt`` file as S3PRL
converts fairseq's checkpoints. Both are read into transformers' names; nothing that a file contains is executed.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from torch import Tensor, nn

from spner.core.errors import SpnerError, nearest
from spner.core.files import read_json

S3PRL_REPO = "s3prl/converted_ckpts"
S3PRL_FILES = {
    "xls_r_300m": "xlsr2_300m.pt",
    "xls_r_1b": "xlsr2_960m_1000k.pt",
    "xls_r_2b": "xlsr2_2B_1000k.pt",
    "xlsr_53": "xlsr_53_56k.pt",
    "wav2vec2_base_960": "wav2vec_small.pt",
    "wav2vec2_large_960": "libri960_big.pt",
    "wav2vec2_large_ll60k": "wav2vec_vox_new.pt",
    "wav2vec2_large_lv60_cv_swbd_fsh": "w2v_large_lv_fsh_swbd_cv.pt",
    "hubert_base": "hubert_base_ls960.pt",
    "hubert_large_ll60k": "hubert_large_ll60k.pt",
    "mhubert_base_vp_en_es_fr_it3": "mhubert_base_vp_en_es_fr_it3.pt",
    "wavlm_base": "wavlm_base.pt",
    "wavlm_base_plus": "wavlm_base_plus.pt",
    "wavlm_large": "wavlm_large.pt",
}
"""S3PRL's names, and the files of its converted checkpoints."""
MODEL_TYPES = ("wav2vec2", "hubert", "wavlm")  # of transformers: the networks that were tried
ARCHITECTURE = (
    *("model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act"),
    *("do_stable_layer_norm", "layer_norm_eps", "feat_extract_norm", "feat_extract_activation", "feat_proj_layer_norm"),
    *("conv_dim", "conv_kernel", "conv_stride", "conv_bias"),
    *("num_conv_pos_embeddings", "num_conv_pos_embedding_groups", "conv_pos_batch_norm"),
    *("num_buckets", "max_bucket_distance", "add_adapter", "adapter_attn_dim"),
)
"""What of transformers' configuration decides the network; the rest is fine-tuning's, or could name code."""
EXPECTED = "expected S3PRL's name of an upstream, the id of a model on the Hugging Face hub, its folder, or a .pt file"
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
CONVOLUTIONS = re.compile(r"\[(.*?)\](?:\s*\*\s*(\d+))?")
CONVOLUTION = re.compile(r"\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)")
EMBEDDING = "masked_spec_embed"
NAMES = [
    (re.compile(pattern), name)
    for pattern, name in (
        (r"mask_emb$", EMBEDDING),
        (r"feature_extractor\.conv_layers\.(\d+)\.0\.", r"feature_extractor.conv_layers.\1.conv."),
        (r"feature_extractor\.conv_layers\.(\d+)\.2\.(1\.)?", r"feature_extractor.conv_layers.\1.layer_norm."),
        (r"post_extract_proj\.", "feature_projection.projection."),
        (r"layer_norm\.", "feature_projection.layer_norm."),
        (r"encoder\.pos_conv\.0\.weight_g$", "encoder.pos_conv_embed.conv.parametrizations.weight.original0"),
        (r"encoder\.pos_conv\.0\.weight_v$", "encoder.pos_conv_embed.conv.parametrizations.weight.original1"),
        (r"encoder\.pos_conv\.0\.", "encoder.pos_conv_embed.conv."),
        (r"(encoder\.layers\.\d+)\.self_attn\.relative_attention_bias\.", r"\1.attention.rel_attn_embed."),
        (r"(encoder\.layers\.\d+)\.self_attn\.grep_linear\.", r"\1.attention.gru_rel_pos_linear."),
        (r"(encoder\.layers\.\d+)\.self_attn\.grep_a$", r"\1.attention.gru_rel_pos_const"),
        (r"(encoder\.layers\.\d+)\.self_attn\.", r"\1.attention."),
        (r"(encoder\.layers\.\d+)\.self_attn_layer_norm\.", r"\1.layer_norm."),
        (r"(encoder\.layers\.\d+)\.fc1\.", r"\1.feed_forward.intermediate_dense."),
        (r"(encoder\.layers\.\d+)\.fc2\.", r"\1.feed_forward.output_dense."),
        (r"encoder\.", "encoder."),
    )
]
"""fairseq's names of parameters and transformers'; what is not here served pre-training only."""


def find_upstream(upstream: str) -> Path:
    """Return the file or folder of an upstream; one with a name or hub id is downloaded, once for all recipes.

    The downloads lie in the cache of the Hugging Face hub, which ``HF_HOME`` moves.

    Args:
        upstream: S3PRL's name (``xls_r_300m``), a hub id (``facebook/wav2vec2-xls-r-300m``), a folder, or a .pt file.

    Raises:
        SpnerError: there is no such upstream, or it cannot be had without a network.
    """
    path = Path(upstream).expanduser()
    if path.is_file() or (path / "config.json").is_file():
        return path
    if path.is_dir():
        raise SpnerError(f"{upstream}: has no config.json ({EXPECTED})")
    if upstream in S3PRL_FILES:
        from huggingface_hub import hf_hub_download

        return Path(_download(upstream, lambda: hf_hub_download(S3PRL_REPO, S3PRL_FILES[upstream])))
    if HUB_ID.fullmatch(upstream) and not upstream.startswith((".", "~")):
        from huggingface_hub import snapshot_download

        wanted = ["config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json"]
        folder = Path(_download(upstream, lambda: snapshot_download(upstream, allow_patterns=wanted)))
        if not list(folder.glob("*.safetensors")):  # XLS-R's own folder has none
            _download(upstream, lambda: snapshot_download(upstream, allow_patterns=["pytorch_model*.bin*"]))
        return folder
    raise SpnerError(f"{upstream}: there is no such upstream{nearest(upstream, S3PRL_FILES)} ({EXPECTED})")


def _download(upstream: str, get: Callable[[], str]) -> str:
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it warns at each of its five tries
    try:
        return get()
    except RepositoryNotFoundError as error:
        raise SpnerError(f"{upstream}: the Hugging Face hub has no such model ({EXPECTED})") from error
    except (HfHubHTTPError, OSError) as error:  # without a network: an OSError
        raise SpnerError(
            f"{upstream}: is no file or folder here, is not in the cache, and cannot be downloaded "
            f"({_first_line(error)}); copy it from a machine with a network and give the path"
        ) from error


def read_architecture(path: Path) -> dict[str, Any]:
    """Return the network of an upstream: transformers' configuration, with ``model_type``, and ``normalize``.

    Raises:
        SpnerError: the file or folder is damaged, or holds a network of another kind.
    """
    architecture = _read_folder_architecture(path) if path.is_dir() else _read_file_architecture(path)
    if architecture["model_type"] not in MODEL_TYPES:
        raise SpnerError(f"{path}: is a {architecture['model_type']} (expected one of {', '.join(MODEL_TYPES)})")
    if architecture.get("add_adapter") or architecture.get("adapter_attn_dim"):
        raise SpnerError(f"{path}: has adapters (expected the pre-trained model without them)")
    return architecture


def build_network(architecture: Mapping[str, Any], **fine_tuning: Any) -> nn.Module:
    """Return transformers' network with random weights, with a mask embedding.

    Args:
        architecture: of :func:`read_architecture`.
        fine_tuning: what else transformers' configuration knows: dropouts, masks.
    """
    from transformers import AutoConfig, AutoModel

    network = {key: value for key, value in architecture.items() if key != "normalize"}
    return AutoModel.from_config(AutoConfig.for_model(**network, mask_time_prob=1.0, **fine_tuning))


def read_weights(path: Path, architecture: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the weights of an upstream by transformers' names.

    Raises:
        SpnerError: the file or folder is damaged, or weights are missing or of another shape.
    """
    with torch.device("meta"):
        expected = {name: weight.shape for name, weight in build_network(architecture).state_dict().items()}
    found = dict(_read_folder_weights(path) if path.is_dir() else _read_file_weights(path))
    if EMBEDDING not in found:  # a fine-tuned model that was trained without masks
        found[EMBEDDING] = torch.zeros(expected[EMBEDDING])
    wrong = [name for name, shape in expected.items() if name not in found or found[name].shape != shape]
    if wrong:
        raise SpnerError(
            f"{path}: {len(wrong)} of {len(expected)} weights are missing or have another shape, such as {wrong[0]} "
            f"(expected those of a {architecture['model_type']}); is it another model's file?"
        )
    return {name: found[name] for name in expected}


def _read_folder_architecture(folder: Path) -> dict[str, Any]:
    described = read_json(folder / "config.json")
    if not isinstance(described, dict) or not isinstance(described.get("model_type"), str):
        raise SpnerError(f"{folder / 'config.json'}: names no model_type (expected transformers' configuration)")
    architecture = {key: described[key] for key in ARCHITECTURE if key in described}
    preprocessor = folder / "preprocessor_config.json"
    # Without a description: networks with layer norm in the convolutions expect normalised waveforms.
    normalize = described.get("feat_extract_norm") == "layer"
    if preprocessor.exists():
        normalize = read_json(preprocessor).get("do_normalize", normalize)
    return architecture | {"normalize": bool(normalize)}


def _read_folder_weights(folder: Path) -> Iterator[tuple[str, Tensor]]:
    from safetensors.torch import load_file

    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    if not files:
        raise SpnerError(f"{folder}: holds no weights (expected model.safetensors or pytorch_model.bin)")
    for file in files:
        try:
            weights = load_file(file) if file.suffix == ".safetensors" else load_tensors(file)
        except Exception as error:
            raise SpnerError(f"{file}: is no readable checkpoint ({_first_line(error)})") from error
        for name, weight in weights.items():
            name = re.sub(rf"^({'|'.join(MODEL_TYPES)})\.", "", name)  # of a model with a head
            name = name.replace(".conv.weight_g", ".conv.parametrizations.weight.original0")
            yield name.replace(".conv.weight_v", ".conv.parametrizations.weight.original1"), weight


def load_tensors(file: Path) -> dict[str, Any]:
    """Load tensors and plain values only, lazily where the file's format allows it; code in the file is refused."""
    return torch.load(file, map_location="cpu", weights_only=True, mmap=is_zipfile(file))


def _load_file(path: Path) -> dict[str, Any]:
    try:
        state = load_tensors(path)
    except Exception as error:  # what is no pickle raises anything
        raise SpnerError(
            f"{path}: is no readable checkpoint of tensors and plain values ({_first_line(error)}); expected a "
            "checkpoint that S3PRL has converted, such as xlsr2_300m.pt, or a Hugging Face folder"
        ) from error
    if not isinstance(state, dict) or not ({"model_cfg", "model_weight", "task_cfg"} <= set(state) or is_wavlm(state)):
        raise SpnerError(
            f"{path}: is no checkpoint that S3PRL has converted (expected model_cfg, model_weight and task_cfg in it, "
            "or WavLM's cfg and model); a fairseq checkpoint must be converted first"
        )
    return state


def is_wavlm(state: Mapping[str, Any]) -> bool:
    """Whether a checkpoint is in WavLM's own format."""
    return isinstance(state.get("cfg"), dict) and isinstance(state.get("model"), dict)


def _read_file_architecture(path: Path) -> dict[str, Any]:
    state = _load_file(path)
    cfg = state["cfg"] if is_wavlm(state) else state["model_cfg"]
    task = cfg if is_wavlm(state) else state["task_cfg"]
    model_type = "wavlm" if is_wavlm(state) else "hubert" if "label_rate" in cfg else "wav2vec2"
    unlike = {key: cfg[key] for key, plain in _PLAIN.items() if cfg.get(key, plain) != plain}
    if unlike:
        raise SpnerError(f"{path}: its network has {unlike} (expected { ({k: _PLAIN[k] for k in unlike}) })")
    convolutions = parse_convolutions(cfg.get("conv_feature_layers", _DEFAULTS["conv_feature_layers"]), path)
    values = _DEFAULTS | cfg
    special = {}
    if model_type == "wavlm":
        special = {"num_buckets": values["num_buckets"], "max_bucket_distance": values["max_distance"]}
    return special | {
        "model_type": model_type,
        "hidden_size": values["encoder_embed_dim"],
        "num_hidden_layers": values["encoder_layers"],
        "num_attention_heads": values["encoder_attention_heads"],
        "intermediate_size": values["encoder_ffn_embed_dim"],
        "hidden_act": str(values["activation_fn"]),
        "do_stable_layer_norm": bool(values["layer_norm_first"]),
        "feat_extract_norm": "layer" if str(values["extractor_mode"]) == "layer_norm" else "group",
        "conv_dim": [dim for dim, _, _ in convolutions],
        "conv_kernel": [kernel for _, kernel, _ in convolutions],
        "conv_stride": [stride for _, _, stride in convolutions],
        "conv_bias": bool(values["conv_bias"]),
        "num_conv_pos_embeddings": values["conv_pos"],
        "num_conv_pos_embedding_groups": values["conv_pos_groups"],
        "normalize": bool(task.get("normalize", False)),
    }


_PLAIN = {"layer_type": "transformer", "pos_conv_depth": 1, "quantize_input": False, "conv_pos_batch_norm": False}
_DEFAULTS = {
    "extractor_mode": "default",
    "encoder_layers": 12,
    "encoder_embed_dim": 768,
    "encoder_ffn_embed_dim": 3072,
    "encoder_attention_heads": 12,
    "activation_fn": "gelu",
    "layer_norm_first": False,
    "conv_feature_layers": "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512, 2, 2)] * 2",
    "conv_bias": False,
    "conv_pos": 128,
    "conv_pos_groups": 16,
    "num_buckets": 320,
    "max_distance": 800,
}
"""fairseq's own values, of what a checkpoint does not say."""


def parse_convolutions(layers: str, path: Path) -> list[tuple[int, int, int]]:
    """Return (dimension, kernel size, stride) of each convolution of fairseq's ``[(512, 10, 5)] + [(512, 3, 2)] * 4``.

    S3PRL evaluates this text of the checkpoint as Python.

    Raises:
        SpnerError: it is something else.
    """
    parsed = [
        (int(dim), int(kernel), int(stride))
        for group, times in CONVOLUTIONS.findall(layers)
        for dim, kernel, stride in CONVOLUTION.findall(group) * int(times or 1)
    ]
    if not parsed or re.sub(r"\s|\+", "", CONVOLUTIONS.sub("", layers)):
        raise SpnerError(
            f"{path}: conv_feature_layers are {layers!r} (expected such as [(512, 10, 5)] + [(512, 3, 2)] * 4)"
        )
    return parsed


def _read_file_weights(path: Path) -> Iterator[tuple[str, Tensor]]:
    state = _load_file(path)
    for name, weight in (state["model"] if is_wavlm(state) else state["model_weight"]).items():
        for pattern, replacement in NAMES:
            if pattern.match(name):
                yield pattern.sub(replacement, name, count=1), weight
                break


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
