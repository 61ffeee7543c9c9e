"""The ONNX graph of a model gives what the model gives, for batches and lengths that it was not made with."""

from pathlib import Path

import numpy as np
import pytest

from spner.core.errors import SpnerError
from tests.asr.test_frontend import KINDS, load_frontend
from tests.asr.test_padding import build_model
from tests.prepared import Prepared

pytestmark = pytest.mark.espnet
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

LENGTHS = (0, 100, 3200, 16000, 16001, 16159, 23456, 40000, 80000)  # samples


def make_waveforms() -> list[np.ndarray]:
    """Return speech-like noise, loud and soft, with an offset."""
    rng = np.random.default_rng(0)
    return [(0.03 * rng.standard_normal(n) * rng.uniform(0.1, 3) + 0.01).astype(np.float32) for n in LENGTHS]


def assert_equal_posteriors(model, path: Path) -> None:
    """Compare torch and ONNX Runtime, on all waveforms together and on each alone."""
    import torch

    from spner.asr.export import export_model
    from spner.asr.padding import locate_frames
    from spner.decode.onnx_model import OnnxModel, open_session
    from spner.decode.recogniser import Recogniser

    model.eval()
    export_model(model, path)
    tokens, grid = tuple(model.token_list), locate_frames(model)
    expected = Recogniser(model, tokens, grid, torch.device("cpu"), use_amp=False)
    found = OnnxModel(open_session(path, device="cpu"), tokens, grid)
    waveforms = make_waveforms()
    for batch in (waveforms, *([one] for one in waveforms)):
        for left, right in zip(expected.log_probs(batch), found.log_probs(batch), strict=True):
            assert left.shape == right.shape and len(left)
            np.testing.assert_allclose(right, left, atol=1e-3)


@pytest.mark.parametrize("input_layer", ["conv2d", "conv2d2", "linear"])
def test_conformer(prepared: Prepared, repo_root: Path, tmp_path: Path, input_layer: str) -> None:
    model = build_model(prepared, repo_root, f"encoder_conf.input_layer={input_layer}")
    assert_equal_posteriors(model, tmp_path / "model.onnx")


@pytest.mark.parametrize("name", KINDS)
def test_upstreams(tmp_path: Path, name: str) -> None:
    """XLS-R's kind, those of other layers and norms, HuBERT and WavLM."""
    import torch

    make, kind = KINDS[name]
    frontend = load_frontend(make(tmp_path / "s3prl", kind))
    model = torch.nn.Module()
    model.frontend, model.preencoder, model.encoder, model.token_list = frontend, None, None, list("abcdefg")
    model.ctc = torch.nn.Module()
    model.ctc.ctc_lo = torch.nn.Linear(frontend.output_size(), 7)
    model.ctc.log_softmax = lambda feats: model.ctc.ctc_lo(feats).log_softmax(dim=-1)
    model.encode = frontend.forward
    assert_equal_posteriors(model, tmp_path / "model.onnx")


def test_filter_banks_are_nearer_to_the_exact_ones_than_torchaudios() -> None:
    import torch
    from torchaudio.compliance.kaldi import fbank

    from spner.asr.filter_banks import EPSILON, FilterBanks

    ours = FilterBanks(80)
    errors = {"ours": 0.0, "torchaudio": 0.0}
    for waveform in map(torch.from_numpy, make_waveforms()[2:]):
        exact = fbank(waveform[None].double(), num_mel_bins=80).clamp(min=np.log(EPSILON))
        errors["torchaudio"] = max(
            errors["torchaudio"], float((fbank(waveform[None], num_mel_bins=80) - exact).abs().max())
        )
        errors["ours"] = max(errors["ours"], float((ours.log_energies(waveform[None])[0] - exact).abs().max()))
    assert errors["ours"] < 1e-4 and errors["ours"] < errors["torchaudio"]


def test_frontends_without_a_graph_are_refused(prepared: Prepared, repo_root: Path, tmp_path: Path) -> None:
    from spner.asr.export import export_model

    model = build_model(prepared, repo_root)
    model.frontend.upstream.upstream.config["cmvn"]["use_cmvn"] = False
    with pytest.raises(SpnerError, match=r"cannot be packed \(expected S3PRL's fbank"):
        export_model(model, tmp_path / "model.onnx")
