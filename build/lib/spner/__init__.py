"""Spoken named entity recognition: speech in, a transcript with its names marked out.

Public in Python, and kept through all of 1.x, is what this file has: :func:`load`, and what it returns.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spner.tag.tagger import Tagger

__version__ = "0.1.0"


def load(model: str | Path, *, device: str = "auto", lower_case: bool = False) -> "Tagger":
    """Load a model that tags recordings: ``spner.load("nl.zip").tag("talk.mp3")``.

    Args:
        model: pack of ``spner pack``, or an experiment folder, which needs the extra ``train``.
        device: ``cpu``, ``cuda`` or ``cuda:0``; ``auto`` takes a GPU if there is one.
        lower_case: leave out the capitals of names and sentence beginnings.

    Raises:
        SpnerError: there is no such model, or it cannot be loaded.
    """
    from spner.tag.load import TagOptions, load_tagger

    return load_tagger(TagOptions(Path(model), device=device, lower_case=lower_case))
