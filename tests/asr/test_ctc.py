"""Greedy CTC search."""

import pytest

torch = pytest.importorskip("torch")

from spner.asr.ctc import greedy_search  # noqa: E402
from spner.core.errors import SpnerError  # noqa: E402

pytestmark = pytest.mark.espnet

BLANK = 0


def path_to_scores(*paths: list[int], num_tokens: int = 5) -> "torch.Tensor":
    """Return scores (B, T, V) whose best paths are these, padded with token 4."""
    num_frames = max(map(len, paths))
    padded = torch.tensor([path + [4] * (num_frames - len(path)) for path in paths])
    return torch.nn.functional.one_hot(padded, num_tokens).float()


@pytest.mark.parametrize(
    ("path", "token_ids"),
    [
        ([0, 0, 0], []),
        ([1, 1, 1], [1]),
        ([1, 0, 1], [1, 1]),
        ([1, 2, 2, 0, 2, 3], [1, 2, 2, 3]),
        ([0, 3, 0, 0, 3, 3, 0], [3, 3]),
        ([2], [2]),
    ],
)
def test_repeats_merge_and_blanks_vanish(path: list[int], token_ids: list[int]) -> None:
    assert greedy_search(path_to_scores(path), torch.tensor([len(path)])) == [token_ids]


def test_frames_past_the_length_are_ignored() -> None:
    scores = path_to_scores([1, 2], [1, 0, 0, 2, 3], [0])
    assert greedy_search(scores, torch.tensor([2, 5, 1])) == [[1, 2], [1, 2, 3], []]


def test_an_utterance_without_frames_and_a_batch_without_utterances_give_nothing() -> None:
    assert greedy_search(path_to_scores([1, 2]), torch.tensor([0])) == [[]]
    assert greedy_search(torch.zeros(0, 3, 5), torch.zeros(0, dtype=torch.long)) == []


def test_the_blank_may_be_any_row() -> None:
    assert greedy_search(path_to_scores([1, 0, 1, 2]), torch.tensor([4]), blank_id=1) == [[0, 2]]


def test_lengths_that_do_not_fit_are_refused_with_both_shapes() -> None:
    with pytest.raises(SpnerError, match=r"lengths \[3\] do not fit log_probs of shape \(1, 2, 5\)"):
        greedy_search(path_to_scores([1, 2]), torch.tensor([3]))
