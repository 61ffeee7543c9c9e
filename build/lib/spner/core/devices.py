"""The device that tensors are computed on."""

import os

BFLOAT16_UNITS = ("avx512_bf16", "amx_bf16", "bf16")  # as x86-64 and Arm name them


def choose_device(device: str) -> str:
    """Return the device to use; ``auto`` is a GPU if there is one."""
    import torch

    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def has_bfloat16(device_type: str) -> bool:
    """Whether the device multiplies bfloat16 in hardware; without it, autocast on a CPU is slower than float32."""
    import torch

    return device_type == "cuda" or any(torch.cpu.get_capabilities().get(unit) for unit in BFLOAT16_UNITS)


def use_threads(num_threads: int | None) -> None:
    """Compute with so many CPU threads; ``OMP_NUM_THREADS``, where it is set, or None leaves PyTorch's choice."""
    import torch

    if num_threads and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(num_threads)
