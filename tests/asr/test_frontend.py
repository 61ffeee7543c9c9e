"""The frontend's features are those of the networks' own code, whatever format the weights came in."""

from pathlib import Path

import pytest

from tests.asr.upstreams import (
    BASE,
    LARGE,
    make_hugging_face_twin,
    make_s3prl_hubert,
    make_s3prl_upstream,
    make_s3prl_wavlm,
)

pytestmark = pytest.mark.espnet

KINDS = {
    "wav2vec2_large": (make_s3prl_upstream, LARGE),
    "wav2vec2_base": (make_s3prl_upstream, BASE),
    "hubert_large": (make_s3prl_hubert, LARGE),
    "hubert_base": (make_s3prl_hubert, BASE),
    "wavlm_large": (make_s3prl_wavlm, LARGE),
    "wavlm_base": (make_s3prl_wavlm, BASE),
}


def load_frontend(path: Path, **conf):
    from spner.asr.frontend import UpstreamFrontend
    from spner.asr.upstream import read_architecture, read_weights

    architecture = read_architecture(path)
    frontend = UpstreamFrontend(upstream=str(path), architecture=architecture, **conf)
    frontend.model.load_state_dict(read_weights(path, architecture))
    return frontend.eval()


def make_batch():
    import torch

    torch.manual_seed(1)
    waveforms = [torch.randn(size) * 0.1 for size in (16000, 12345, 3200)]
    return torch.nn.utils.rnn.pad_sequence(waveforms, batch_first=True), torch.tensor([len(w) for w in waveforms])


@pytest.fixture(scope="module", params=KINDS)
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    make, kind = KINDS[request.param]
    return make(tmp_path_factory.mktemp(request.param) / "s3prl", kind)


@pytest.fixture(scope="module")
def twins(file: Path) -> tuple[Path, Path]:
    return file, make_hugging_face_twin(file, file.parent / "hf")


def test_features_are_those_of_s3prls_own_code(file: Path) -> None:
    import torch
    from s3prl.hub import hubert_local, wav2vec2_local, wavlm_local

    expert = {"wav": wav2vec2_local, "hub": hubert_local, "wavlm": wavlm_local}
    name = file.parent.parent.name
    expert = expert["wavlm" if name.startswith("wavlm") else name[:3]](str(file)).eval()
    frontend = load_frontend(file)
    speech, lengths = make_batch()
    with torch.no_grad():
        feats, num_frames = frontend(speech, lengths)
        for row, length in enumerate(lengths):
            (alone,) = expert([speech[row, :length]])["hidden_states"][-1]
            assert len(alone) == num_frames[row]
            assert torch.allclose(feats[row, : num_frames[row]], alone, atol=1e-4)


def test_twins_have_the_same_features_gradients_masks_and_losses(twins: tuple[Path, Path]) -> None:
    import torch

    conf = {"mask_time_prob": 0.3, "mask_feature_prob": 0.1, "mask_feature_length": 4}
    speech, lengths = make_batch()
    rows = []
    for path in twins:
        frontend = load_frontend(path, **conf)
        with torch.no_grad():
            feats, num_frames = frontend(speech, lengths)
        torch.manual_seed(2)
        head = torch.nn.Linear(feats.shape[-1], 5)
        optimizer = torch.optim.AdamW([*frontend.parameters(), *head.parameters()], lr=1e-3)
        frontend.model.feature_extractor.requires_grad_(False)
        frontend.train()
        losses = []
        for step in range(10):
            import numpy as np

            torch.manual_seed(step)
            np.random.seed(step)
            masked, _ = frontend(speech, lengths)
            loss = head(masked).log_softmax(-1)[..., 0].mean().neg()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss))
        gradients = {name for name, parameter in frontend.named_parameters() if parameter.grad is not None}
        rows.append((feats, num_frames, losses, gradients))
    (feats, frames, losses, gradients), other = rows
    assert torch.allclose(feats, other[0], atol=1e-4) and torch.equal(frames, other[1])
    assert losses == pytest.approx(other[2], abs=1e-3) and losses[-1] < losses[0]
    assert gradients == other[3]
    missing = {name for name, _ in frontend.named_parameters()} - gradients
    assert all(name.startswith("model.feature_extractor.") for name in missing)


def test_an_utterance_is_encoded_alike_alone_and_in_a_batch(file: Path) -> None:
    import torch

    frontend = load_frontend(file)
    speech, lengths = make_batch()
    with torch.no_grad():
        feats, num_frames = frontend(speech, lengths)
        for row, length in enumerate(lengths):
            alone, (frames,) = frontend(speech[row : row + 1, :length], lengths[row : row + 1])
            assert frames == num_frames[row] and torch.allclose(alone[0], feats[row, :frames], atol=1e-5)
            assert not feats[row, frames:].any()


def test_frozen_convolutions_take_no_part_in_the_backward_pass(file: Path) -> None:
    frontend = load_frontend(file)
    frontend.model.feature_extractor.requires_grad_(False)
    outputs = []
    frontend.model.feature_extractor.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    feats, _ = frontend.train()(*make_batch())
    assert feats.requires_grad
    assert not outputs[0].requires_grad, "a gradient would flow through the frozen convolutions"


def test_unfrozen_convolutions_do_learn(file: Path) -> None:
    frontend = load_frontend(file).train()
    feats, _ = frontend(*make_batch())
    feats.square().sum().backward()
    assert all(parameter.grad is not None for parameter in frontend.model.feature_extractor.parameters())


def test_gradient_checkpointing_changes_no_gradient(file: Path) -> None:
    import torch

    gradients = []
    for checkpointing in (False, True):
        frontend = load_frontend(file, gradient_checkpointing=checkpointing).train()
        frontend.model.feature_extractor.requires_grad_(False)
        torch.manual_seed(3)
        feats, _ = frontend(*make_batch())
        feats.square().sum().backward()
        gradients.append({name: p.grad for name, p in frontend.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    assert all(torch.allclose(gradients[0][name], gradients[1][name], rtol=1e-4, atol=1e-5) for name in gradients[0])


def test_masks_are_spans_within_the_utterance() -> None:
    import torch

    from spner.asr.frontend import draw_masks

    torch.manual_seed(0)
    num_frames = torch.tensor([400, 100, 25, 9, 1]).repeat(200)
    masks = draw_masks(num_frames, 400, prob=0.2, length=10)
    inside = torch.arange(400) < num_frames[:, None]
    assert not (masks & ~inside).any()
    assert not masks[num_frames < 10].any()
    shares = (masks.sum(1) / num_frames)[num_frames >= 10].reshape(200, 3).mean(0)
    # n spans of 10 among 400 frames cover 1 - (1 - 10/391)^8 of a frame far from the edges
    assert shares[0] == pytest.approx(1 - (1 - 10 / 391) ** 8, abs=0.01)
    starts = masks & ~torch.nn.functional.pad(masks, (1, 0))[:, :-1]
    runs = masks.sum(1) / starts.sum(1).clamp(min=1)
    assert runs[num_frames >= 10].min() >= 10
    assert (masks[num_frames == 25].sum(1) >= 11).all(), "two spans at least, and they begin at different frames"


def test_only_training_with_a_probability_masks(tmp_path: Path) -> None:
    import torch

    path = make_s3prl_upstream(tmp_path / "s3prl")
    plain = load_frontend(path)(*make_batch())[0]
    assert torch.allclose(load_frontend(path).train()(*make_batch())[0], plain, atol=1e-6)
    assert torch.allclose(load_frontend(path, mask_time_prob=0.5, mask_feature_prob=0.5)(*make_batch())[0], plain)
    assert not torch.allclose(load_frontend(path, mask_time_prob=0.5).train()(*make_batch())[0], plain, atol=1e-3)
    assert not torch.allclose(
        load_frontend(path, mask_feature_prob=0.5, mask_feature_length=4).train()(*make_batch())[0], plain, atol=1e-3
    )


def test_the_masked_frames_hold_the_mask_embedding(tmp_path: Path) -> None:
    import torch

    frontend = load_frontend(make_s3prl_upstream(tmp_path / "s3prl"), mask_time_prob=0.5).train()
    inputs = []
    frontend.model.encoder.register_forward_pre_hook(lambda _module, args: inputs.append(args[0].clone()))
    speech, lengths = make_batch()
    torch.manual_seed(4)
    frontend(speech, lengths)
    (hidden,) = inputs
    held = (hidden - frontend.model.masked_spec_embed).abs().amax(-1) < 1e-6
    torch.manual_seed(4)
    from spner.asr.frontend import draw_masks

    _, num_frames = frontend.eval()(speech, lengths)
    torch.manual_seed(4)
    assert torch.equal(held, draw_masks(num_frames, hidden.shape[1], prob=0.5, length=10))
    assert held.any()
