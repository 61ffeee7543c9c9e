"""What every command imports is there on every system, and needs none of the training's packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ONLY_LINUX = ("fcntl", "pwd", "grp", "resource", "termios")
ONLY_TRAINING = ("torch", "torchaudio", "espnet", "espnet2", "s3prl", "transformers", "kaldiio", "typeguard", "nltk")
HIDE = """
import importlib.abc, runpy, sys

class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        caller = sys._getframe(1)
        while caller and "importlib" in caller.f_code.co_filename:
            caller = caller.f_back
        if name.split(".")[0] in {hidden!r} and "spner" in caller.f_globals.get("__name__", ""):
            raise ModuleNotFoundError(f"hidden: {{name}}", name=name)

for name in {hidden!r}:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Hidden())
"""


def run_hidden(hidden: tuple[str, ...], code: str, *arguments: str) -> str:
    """Run code in a process whose own modules cannot import some others; return what it prints."""
    command = [sys.executable, "-c", HIDE.format(hidden=hidden) + code, *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["score", "--help"]])
def test_commands_start_without_what_only_linux_has(arguments: list[str]) -> None:
    code = "import sys; sys.argv[0] = 'spner'\nfrom spner.cli import main\nmain()"
    assert "Usage" in run_hidden((*ONLY_LINUX, *ONLY_TRAINING), code, *arguments)


def test_files_are_locked_without_what_only_linux_has(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom spner.core.files import locked\nwith locked(Path(sys.argv[1])): print('held')"
    )
    assert run_hidden(ONLY_LINUX, "import sys\n" + code, str(tmp_path)) == "held\n"


@pytest.mark.parametrize("module", ["spner.tag.packed", "spner.decode.onnx_model", "spner.scoring.score"])
def test_tagging_and_scoring_need_nothing_of_the_training(module: str) -> None:
    code = f"import {module}\nprint(sorted(set(sys.modules) & {set(ONLY_TRAINING)!r}))"
    assert run_hidden((*ONLY_LINUX, *ONLY_TRAINING), code) == "[]\n"
