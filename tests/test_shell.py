"""Every shell script parses and passes shellcheck."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted([ROOT / ".ci" / "run", *ROOT.glob("tools/**/*.sh"), *ROOT.glob("egs/**/*.sh")])


def test_the_scripts_are_found() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in SCRIPTS if path.is_file()}
    assert {".ci/run", *(f"tools/{name}.sh" for name in ("setup", "test", "new_recipe"))} <= names
    assert {"egs/TEMPLATE/stages.sh", "egs/cv_nl/run.sh", "egs/cv_de/run.sh", "egs/cv_en/run.sh"} <= names


def test_no_script_lies_elsewhere() -> None:
    homes = {ROOT / "tools", ROOT / "egs", ROOT / ".venv"}
    strays = [path for home in ROOT.iterdir() if home.is_dir() and home not in homes for path in home.rglob("*.sh")]
    assert not [*strays, *ROOT.glob("*.sh")]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_script(script: Path) -> None:
    shellcheck = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or "shellcheck"
    assert script.stat().st_mode & 0o111 or script.name in ("stages.sh", "steps.sh", "settings.sh"), "is not executable"
    for command in (["bash", "-n"], [shellcheck]):
        result = subprocess.run([*command, str(script)], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
