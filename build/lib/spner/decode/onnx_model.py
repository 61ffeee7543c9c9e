"""An acoustic model as an ONNX graph, computed by ONNX Runtime: posteriors without torch.

The graph is that of :mod:`spner.asr.export`::

    speech (B, num_samples) float32 at 16 kHz, lengths (B,) int64 -> log_probs (B, T, V) float32, num_frames (B,) int64
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spner.core.datatypes import FrameGrid
from spner.core.errors import SpnerError
from spner.decode.posteriors import pad_batch

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@dataclass(frozen=True)
class OnnxModel:
    """An acoustic model in ONNX Runtime, its tokens, and where its frames lie."""

    session: Any
    token_list: tuple[str, ...]
    grid: FrameGrid

    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return each waveform's log posteriors, (T, V) float32, without frames of padding.

        Args:
            waveforms: (num_samples,) float32 at 16 kHz each; they are batched as they are.
        """
        speech, lengths = pad_batch(waveforms)
        found, num_frames = self.session.run(["log_probs", "num_frames"], {"speech": speech, "lengths": lengths})
        return [one[:frames] for one, frames in zip(found, num_frames.tolist(), strict=True)]


def open_session(path: Path, *, device: str) -> Any:
    """Return ONNX Runtime's session of a graph.

    Args:
        path: a graph with its weights in it; weights in other files are not read.
        device: ``cpu``, ``cuda`` or ``cuda:N``, which need onnxruntime-gpu; ``auto`` is a GPU where both are there.

    Raises:
        SpnerError: it is no such graph, or there is no such device.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or 0)  # 0: as many as there are cores
    # Threads that spin while they wait take the cores from whoever has work for them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = _choose_providers(device, onnxruntime.get_available_providers())
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=providers)
    except Exception as error:  # ONNX Runtime's own errors have no class in common
        reason = " ".join(str(error).split())
        raise SpnerError(f"{path}: ONNX Runtime cannot load it ({reason}); make the pack again") from error


def _choose_providers(device: str, available: Sequence[str]) -> list[Any]:
    kind, _, number = device.partition(":")
    if kind not in ("auto", "cpu", "cuda"):
        raise SpnerError(f"--device {device}: expected auto, cpu, cuda or cuda:N")
    if kind == "cpu" or (kind == "auto" and CUDA not in available):
        return [CPU]
    if CUDA not in available:
        raise SpnerError(f"--device {device}: this ONNX Runtime has no CUDA; install onnxruntime-gpu, or give cpu")
    return [(CUDA, {"device_id": int(number or 0)}), CPU]
