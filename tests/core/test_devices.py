"""How many threads compute."""

import os
import subprocess
import sys

import pytest

CODE = "import torch; from spner.core.devices import use_threads; use_threads({}); print(torch.get_num_threads())"


@pytest.mark.parametrize(
    ("asked", "variable", "expected"),
    [
        pytest.param(1, None, "1", id="as asked"),
        pytest.param(1, "2", "2", id="the variable rules"),
        pytest.param(None, "2", "2", id="nothing asked"),
    ],
)
def test_use_threads(asked: int | None, variable: str | None, expected: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    environment |= {"OMP_NUM_THREADS": variable} if variable else {}
    answer = subprocess.run(
        [sys.executable, "-c", CODE.format(asked)], env=environment, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == expected
