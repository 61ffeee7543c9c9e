"""The number format of training on a GPU, for dev passes and decoding there."""

import torch


def training_precision(device: torch.device, *, use_amp: bool) -> torch.autocast:
    """Return the context in which a model computes on this device as ESPnet's trainer lets it compute.

    Under ``use_amp`` a GPU computes in bfloat16, or in float16 if it has none. On a CPU dev passes and decoding are in
    full precision, whatever the training was in.
    """
    if device.type != "cuda":
        return torch.autocast(device.type, enabled=False)
    dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.autocast("cuda", dtype=dtype, enabled=use_amp)
