"""The settings of a decode configuration (``conf/decode_*.yaml``)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from spner.core.errors import SpnerError, nearest

OPEN, LEXICON = SEARCHES = ("open", "lexicon")


@dataclass(frozen=True)
class DecodeConfig:
    """Settings of a beam search; ``conf/decode_lm.yaml`` says what each does."""

    search: str
    beam_size: int
    beam_size_token: int
    beam_threshold: float
    lm_weight: float
    word_score: float
    tune_lm_weight: tuple[float, ...]
    tune_word_score: tuple[float, ...]


def make_decode_config(settings: Mapping[str, Any], *, where: object) -> DecodeConfig:
    """Return the configuration of a mapping.

    Args:
        settings: every field of :class:`DecodeConfig`.
        where: names the file or files, for the message.

    Raises:
        SpnerError: keys that are unknown or missing, and values of the wrong kind or out of range, all in one message.
    """
    known = [field.name for field in fields(DecodeConfig)]
    wrong = [f'unknown key "{key}"{nearest(key, known)}' for key in settings if key not in known]
    wrong += [f'"{name}" is missing' for name in known if name not in settings]
    values = {name: _plain(settings[name]) for name in known if name in settings}
    wrong += [f"{name}: {settings[name]} (expected {rule})" for name, rule in _broken_rules(values)]
    if wrong:
        raise SpnerError(f"{where}: {', '.join(wrong)}; mend the decode configuration")
    return DecodeConfig(**values)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _broken_rules(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the keys with wrong values, each with what is expected."""
    rules = {
        "search": (lambda value: value in SEARCHES, " or ".join(SEARCHES)),
        "beam_size": (_is_count, "1 or more"),
        "beam_size_token": (_is_count, "1 or more"),
        "beam_threshold": (lambda value: _is_number(value) and value > 0, "a number above 0"),
        "lm_weight": (lambda value: _is_number(value) and value >= 0, "a number, 0 or more"),
        "word_score": (_is_number, "a number"),
        "tune_lm_weight": (lambda value: _are_numbers(value) and min(value) >= 0, "a list of numbers, 0 or more"),
        "tune_word_score": (_are_numbers, "a list of numbers"),
    }
    return [(name, rules[name][1]) for name, value in values.items() if not rules[name][0](value)]


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _are_numbers(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) > 0 and all(map(_is_number, value))
