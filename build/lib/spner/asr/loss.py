"""The CTC loss in training."""

from espnet2.asr.ctc import CTC
from torch import Tensor
from torch.nn import functional as F


class BatchedCTC(CTC):
    """ESPnet's CTC loss, ``ctc_type: builtin``, with all targets of a batch in one tensor.

    ESPnet cuts them utterance by utterance, for which a GPU waits each time. It also applies the dropout in evaluation.
    """

    def forward(self, hs_pad: Tensor, hlens: Tensor, ys_pad: Tensor, ys_lens: Tensor) -> Tensor:
        """Return the mean loss of the utterances, natural log; one with more tokens than frames counts as 0.

        Args:
            hs_pad: (B, T, D) features.
            hlens: (B,) valid frames.
            ys_pad: (B, L) token ids; what is past ``ys_lens`` is not read.
            ys_lens: (B,) tokens.
        """
        scores = self.ctc_lo(F.dropout(hs_pad, self.dropout_rate, self.training))
        return self.loss_of(scores, hlens, ys_pad, ys_lens).to(hs_pad.dtype)

    def loss_of(self, scores: Tensor, hlens: Tensor, ys_pad: Tensor, ys_lens: Tensor) -> Tensor:
        """Return the same of the output layer's scores (B, T, V)."""
        log_probs = scores.transpose(0, 1).log_softmax(-1).float()  # (T, B, V)
        losses = F.ctc_loss(log_probs, ys_pad.clamp(min=0), hlens, ys_lens, reduction="none", zero_infinity=True)
        return losses.sum() / len(losses)
