"""Reading checkpoints: one that cannot be read gives one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError

import torch

from spner.core.errors import SpnerError

UNREADABLE = (
    *(OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError, EOFError),
    UnpicklingError,
)
"""What is no checkpoint of PyTorch's raises."""


@contextmanager
def unreadable_refused(checkpoint: Path, *, advice: str) -> Iterator[None]:
    """Turn what reading a checkpoint raises into one line.

    Raises:
        SpnerError: it is damaged, no checkpoint, or one of another network.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except UNREADABLE as error:
        reason = " ".join(str(error).split())[:200]
        raise SpnerError(f"{checkpoint}: is no readable checkpoint ({reason}); {advice}") from error
