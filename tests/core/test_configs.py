"""Single settings that are no YAML."""

import pytest

from spner.core.configs import merge_configs
from spner.core.errors import SpnerError


def test_settings_are_yaml_and_override_single_keys() -> None:
    settings = ["a.b=[1, 2]", "a.c=true", "d={e: 1}", "f="]
    assert merge_configs([], settings) == {"a": {"b": [1, 2], "c": True}, "d": {"e": 1}, "f": None}


@pytest.mark.parametrize("value", ["{a:", "[0,", '"x'])
def test_half_a_value_is_one_line(value: str) -> None:
    """A recipe's settings are split at spaces, and so is a value with spaces."""
    with pytest.raises(SpnerError) as error:
        merge_configs([], ["max_epoch=3", f"specaug_conf={value}"])
    assert "is not YAML (expected a whole value; a recipe's settings are split at spaces: write" in str(error.value)
    assert str(error.value).startswith('--set "specaug_conf=') and "\n" not in str(error.value)
