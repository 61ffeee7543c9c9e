"""Recipes on a tiny mini corpus, for the tests that run them."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

TINY = ["--mini_opts", "--num_train 60 --num_dev 8 --num_test 12", "--mini_text", "300", "--max_broken", "0.1"]
TINY += ["--train_opts", "max_epoch=1 encoder_conf.num_blocks=1 keep_nbest_models=1"]
SEARCH = "lm" if find_spec("flashlight") else "greedy"  # the default
GREEDY = ("--decode_config", "greedy")  # where a test is not about the search, which takes a model and weights first


def copy_checkout(repo_root: Path, to: Path) -> Path:
    """Copy what a clone has, and return the recipe's folder."""
    generated = shutil.ignore_patterns("data", "dump", "exp", "downloads", "hub")
    shutil.copytree(repo_root / "egs", to / "egs", ignore=generated)
    for name in ("spner", "conf", "tools"):
        shutil.copytree(repo_root / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(repo_root / "setup.py", to)
    return to / "egs" / "cv_nl"


def start(recipe: Path, *options: str, **streams: int) -> subprocess.Popen:
    """Start the recipe in the environment of the tests, as a group of processes that can be killed together."""
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix}
    return subprocess.Popen(
        [recipe / "run.sh", *TINY, *options], env=environment, text=True, start_new_session=True, **streams
    )


def run(recipe: Path, *options: str) -> subprocess.CompletedProcess:
    process = start(recipe, *options, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    stdout, stderr = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def read_tree(recipe: Path, *folders: str) -> dict[str, bytes]:
    """Return the bytes of every file below the folders, logs and locks left out."""
    files = (path for folder in folders for path in sorted((recipe / folder).rglob("*")) if path.is_file())
    return {
        str(path.relative_to(recipe)): path.read_bytes()
        for path in files
        if "log" not in path.parts and not path.name.endswith(".lock")
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """A recipe that has run all stages, in a folder whose path has spaces and letters beyond ASCII."""
    recipe = copy_checkout(repo_root, tmp_path_factory.mktemp("recipe") / "pad met spaties é")
    done = run(recipe)
    assert done.returncode == 0, done.stderr
    (recipe / "printed").write_text(done.stdout)
    (recipe / "logged").write_text(done.stderr)
    return recipe
