"""The tier that runs a recipe just made: in a file of its own, so that two processes share the recipes' tests."""

import subprocess
from pathlib import Path

import pytest

from tests.recipes import copy_checkout, run

pytestmark = [pytest.mark.espnet, pytest.mark.timeout(900)]


def test_a_new_recipe_runs_all_stages_without_a_line_of_python(tmp_path: Path, repo_root: Path) -> None:
    checkout = copy_checkout(repo_root, tmp_path).parents[1]
    for name, lang in (("cv_xx", "de"), ("cv_none", "it")):
        subprocess.run([checkout / "tools/new_recipe.sh", name, lang], check=True)
    done = run(checkout / "egs" / "cv_xx")
    assert done.returncode == 0, done.stderr
    assert (checkout / "egs/cv_xx/exp/mini_e2e/RESULTS.md").stat().st_size > 0
    without = run(checkout / "egs" / "cv_none")
    assert without.returncode == 2
    assert without.stderr.splitlines()[-1].endswith(
        "mini corpus has no templates for it (expected one of de, en, fr, nl); add "
        f"{checkout}/spner/mini/templates/it.yaml"
    )
