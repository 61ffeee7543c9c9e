"""YAML configurations: several files are merged key by key, then single settings override keys."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from spner.core.errors import SpnerError, quote


def merge_configs(configs: Sequence[Path], settings: Sequence[str]) -> dict[str, Any]:
    """Merge files and single settings into one configuration; later ones override earlier ones.

    Raises:
        SpnerError: a file is missing or is not a YAML mapping, or a setting is not ``key=value`` with a YAML value.
    """
    merged: dict[str, Any] = {}
    for path in configs:
        try:
            overlay = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SpnerError(f"{path}: cannot be read ({error.strerror}); expected a YAML file") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise SpnerError(f"{path}: is not YAML ({' '.join(str(error).split())})") from error
        if not isinstance(overlay, dict):
            raise SpnerError(f"{path}: holds no keys (expected YAML with key: value lines)")
        _overlay(merged, overlay)
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not (key and equals):
            raise SpnerError(f'--set "{setting}": expected key=value or key.subkey=value')
        *outer, last = key.split(".")
        overlay = {last: _parse(setting, value)}
        for name in reversed(outer):
            overlay = {name: overlay}
        _overlay(merged, overlay)
    return merged


def _parse(setting: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise SpnerError(
            f"--set {quote(setting)}: {quote(value)} is not YAML (expected a whole value; a recipe's settings are "
            "split at spaces: write key.subkey=value for each, and lists without spaces, [1,2])"
        ) from error


def _overlay(base: dict[str, Any], overlay: dict[str, Any]) -> None:
    for key, value in overlay.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _overlay(base[key], value)
        else:
            base[key] = value
