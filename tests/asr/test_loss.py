"""The CTC loss of a batch is ESPnet's, gradients included."""

import pytest

pytestmark = pytest.mark.espnet


@pytest.mark.parametrize("use_amp", [False, True])
def test_loss_and_gradients_are_espnets(use_amp: bool) -> None:
    import torch
    from espnet2.asr.ctc import CTC

    from spner.asr.loss import BatchedCTC

    torch.manual_seed(0)
    features, lengths = torch.randn(4, 20, 8), torch.tensor([20, 15, 6, 4])
    # The third text has more tokens than frames, the fourth repeats one: both need blanks that do not fit.
    texts = [[1, 2, 3], [2, 2], [1, 2, 3, 1, 2, 3, 1], [3, 3, 3]]
    padded = torch.nn.utils.rnn.pad_sequence([torch.tensor(text) for text in texts], batch_first=True, padding_value=-1)
    rows = []
    for loss in (CTC(5, 8), BatchedCTC(5, 8)):
        torch.manual_seed(1)
        loss.ctc_lo.reset_parameters()
        inputs = features.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=use_amp):
            value = loss(inputs, lengths, padded, torch.tensor([len(text) for text in texts]))
        value.backward()
        rows.append((float(value.detach()), inputs.grad, loss.ctc_lo.weight.grad))
    (value, gradient, weights), other = rows
    assert value == other[0] and value > 0
    assert torch.allclose(gradient, other[1]) and torch.allclose(weights, other[2])
    assert gradient[:2].any() and not gradient[2:].any()


def test_only_training_drops_out() -> None:
    import torch

    from spner.asr.loss import BatchedCTC

    loss = BatchedCTC(5, 8, dropout_rate=0.5).eval()
    batch = (torch.randn(1, 9, 8), torch.tensor([9]), torch.tensor([[1, 2]]), torch.tensor([2]))
    assert float(loss(*batch)) == float(loss(*batch))
    assert float(loss.train()(*batch)) != float(loss(*batch))
