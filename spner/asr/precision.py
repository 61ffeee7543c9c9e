"""The number formats of a model: what autocast says, and for dev passes and decoding that of training on a GPU."""

import torch
from torch import Tensor


def compute_dtype(tensor: Tensor) -> torch.dtype:
    """Return the format that autocast has products of this tensor computed in; without autocast the tensor's own."""
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype


def training_precision(device: torch.device, *, use_amp: bool) -> torch.autocast:
    """Return the context in which a model computes on this device as ESPnet's trainer lets it compute.

    Under ``use_amp`` a GPU computes in bfloat16, or in float16 if it has none. On a CPU dev passes and decoding are in
    full precision, whatever the training was in.
    """
    if device.type != "cuda":
        return torch.autocast(device.type, enabled=False)
    dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.autocast("cuda", dtype=dtype, enabled=use_amp)
