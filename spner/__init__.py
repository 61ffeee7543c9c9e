"""Spoken named entity recognition: speech in, a transcript with its names marked out."""

__version__ = "0.1.0"
