"""A model's output for an utterance does not depend on the utterances it is batched with."""

from pathlib import Path

import pytest

from tests.prepared import Prepared

pytestmark = pytest.mark.espnet


def assert_isolated(model) -> None:
    """Encode utterances of unlike lengths, some near the edges of a frame, together and alone."""
    import torch

    torch.manual_seed(0)
    waveforms = [torch.randn(n) * 0.1 for n in (3200, 16000, 16001, 16159, 23456, 40000)]
    lengths = torch.tensor([len(waveform) for waveform in waveforms])
    speech = torch.nn.utils.rnn.pad_sequence(waveforms, batch_first=True)
    model.eval()
    with torch.no_grad():
        together, num_frames = model.encode(speech, lengths)
        for row, waveform in enumerate(waveforms):
            alone, (frames,) = model.encode(waveform[None], lengths[row : row + 1])
            assert frames == num_frames[row]
            assert torch.allclose(alone[0, :frames], together[row, :frames], atol=1e-4)


def assert_frames_are_on_the_grid(model) -> None:
    """A hop more is a frame more."""
    import torch

    from spner.asr.padding import locate_frames

    grid = locate_frames(model)
    hop = round(grid.hop_s * 16_000)
    lengths = torch.tensor([32_000, 32_000 + hop, 32_000 + 7 * hop])
    with torch.no_grad():
        _, num_frames = model.eval().encode(torch.randn(3, int(lengths.max())) * 0.1, lengths)
    assert (num_frames - num_frames[0]).tolist() == [0, 1, 7]


def build_model(prepared: Prepared, repo_root: Path, *settings: str):
    from spner.asr.task import SpnerTask
    from spner.asr.train import make_args, merge_configs

    config = merge_configs([repo_root / "conf" / "train_mini.yaml"], list(settings))
    return SpnerTask.build_model(make_args(config, prepared.data, prepared.dump, Path("unused"), ngpu=0))


@pytest.mark.parametrize("input_layer", ["conv2d", "conv2d2", "conv2d6", "linear"])
def test_conformer(prepared: Prepared, repo_root: Path, input_layer: str) -> None:
    assert_isolated(build_model(prepared, repo_root, f"encoder_conf.input_layer={input_layer}"))


@pytest.mark.parametrize("input_layer", ["conv2d", "conv2d2", "conv2d6", "linear"])
def test_frames_lie_where_the_grid_says(prepared: Prepared, repo_root: Path, input_layer: str) -> None:
    assert_frames_are_on_the_grid(build_model(prepared, repo_root, f"encoder_conf.input_layer={input_layer}"))


@pytest.mark.parametrize(
    ("input_layer", "hop_s", "first_s"),
    [
        ("linear", 0.01, 0.0125),
        ("conv2d2", 0.02, 0.0425),  # three features, three of those two apart: features 0 to 6
        ("conv2d", 0.04, 0.0425),  # the same
        ("conv2d6", 0.06, 0.0625),  # three features, five of those two apart: features 0 to 10
    ],
)
def test_the_grid_by_hand(prepared: Prepared, repo_root: Path, input_layer: str, hop_s: float, first_s: float) -> None:
    from spner.asr.padding import locate_frames

    grid = locate_frames(build_model(prepared, repo_root, f"encoder_conf.input_layer={input_layer}"))
    assert (grid.hop_s, grid.first_s) == pytest.approx((hop_s, first_s))


def test_transformer(prepared: Prepared, repo_root: Path) -> None:
    conf = "{output_size: 64, attention_heads: 4, linear_units: 128, num_blocks: 2, input_layer: conv2d}"
    model = build_model(prepared, repo_root, "encoder=transformer", "encoder_conf=null", f"encoder_conf={conf}")
    assert_isolated(model)


def test_without_the_hooks_batch_mates_do_leak(prepared: Prepared, repo_root: Path, monkeypatch) -> None:
    """The test above can fail: ESPnet's model as it is does."""
    monkeypatch.setattr("spner.asr.task.isolate_utterances", lambda model: None)
    with pytest.raises(AssertionError):
        assert_isolated(build_model(prepared, repo_root))


@pytest.mark.parametrize("part", ["frontend", "preencoder", "encoder", "postencoder"])
def test_a_part_that_is_not_known_to_isolate_utterances_is_refused(
    prepared: Prepared, repo_root: Path, part: str
) -> None:
    import torch

    from spner.asr.padding import isolate_utterances
    from spner.core.errors import SpnerError

    class Unknown(torch.nn.Module):
        hop_length = 160

    model = build_model(prepared, repo_root)
    setattr(model, part, Unknown())
    with pytest.raises(SpnerError, match=f"{part} Unknown: "):
        isolate_utterances(model)


def test_a_frozen_parameter_that_does_not_exist_is_refused(prepared: Prepared, repo_root: Path) -> None:
    from spner.core.errors import SpnerError

    with pytest.raises(SpnerError, match=r'begins with encoder\.encoder; did you mean "encoder\.encoders"'):
        build_model(prepared, repo_root, "freeze_param=[encoder.encoder]")
