"""CTC search: frame posteriors -> token ids."""

import torch
from torch import Tensor

from spner.core.errors import SpnerError


def greedy_search(log_probs: Tensor, lengths: Tensor, *, blank_id: int = 0) -> list[list[int]]:
    """Return each utterance's best-path token ids.

    Args:
        log_probs: (B, T, V), any monotone score of the tokens; frames past ``lengths`` are ignored.
        lengths: (B,) int64, valid frames, 0 <= length <= T.
        blank_id: row of ``<blank>`` in the token list.

    Returns:
        B lists, repeats merged, blanks removed; an all-blank utterance gives ``[]``.

    Raises:
        SpnerError: ``lengths`` does not fit ``log_probs``; the message gives both shapes.

    Source: Graves et al. 2006, section 3.2.
    """
    if lengths.shape != log_probs.shape[:1] or (len(lengths) and int(lengths.max()) > log_probs.shape[1]):
        raise SpnerError(f"lengths {lengths.tolist()} do not fit log_probs of shape {tuple(log_probs.shape)}")
    best = log_probs.argmax(dim=-1)  # (B, T)
    num_frames = best.shape[1]
    previous = torch.nn.functional.pad(best[:, :-1], (1, 0), value=blank_id)
    inside = torch.arange(num_frames, device=best.device) < lengths.to(best.device)[:, None]
    kept = (best != blank_id) & (best != previous) & inside
    token_ids, counts = best[kept].tolist(), kept.sum(dim=1).tolist()
    ends = [sum(counts[: i + 1]) for i in range(len(counts))]
    return [token_ids[end - count : end] for end, count in zip(ends, counts, strict=True)]
