"""Recipes hold settings, the TEMPLATE holds the stages, and a recipe differs from it in values only."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from spner.cli import cli

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "egs" / "TEMPLATE"
RECIPES = sorted(path for path in (ROOT / "egs").glob("*/run.sh") if path.parent != TEMPLATE)
SETTING = re.compile(r"""^([a-z_]+)=("[^"]*"|[^\s#]*)""", re.MULTILINE)
every_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.parent.name)


def settings(run_sh: Path) -> dict[str, str]:
    return {name: value.strip('"') for name, value in SETTING.findall(run_sh.read_text(encoding="utf-8"))}


def without_values(run_sh: Path) -> list[str]:
    """Return the lines with the values, the white space after them and the title left out."""
    first, _title, *lines = run_sh.read_text(encoding="utf-8").splitlines()
    return [first, *(re.sub(r"\s+", " ", SETTING.sub(r"\1=", line)) for line in lines)]


def stage_commands() -> list[tuple[str, set[str]]]:
    """Return the ``spner`` commands of the stages, each with the options it is given."""
    text = (TEMPLATE / "stages.sh").read_text(encoding="utf-8").replace("\\\n", " ")
    steps = re.findall(r"^\s*step \d \"[^\"]+\"\s+spner (\S+)(.+)$", text, re.MULTILINE)
    return [(name, set(re.findall(r"--[a-z_]+", rest))) for name, rest in steps]


def start(run_sh: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([run_sh, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_recipes_are_found() -> None:
    assert "cv_nl" in [recipe.parent.name for recipe in RECIPES]


@pytest.mark.parametrize("script", [*RECIPES, TEMPLATE / "run.sh", TEMPLATE / "stages.sh"])
def test_scripts_parse(script: Path) -> None:
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    assert os.access(script, os.X_OK) or script.name == "stages.sh"


@every_recipe
def test_recipe_differs_from_the_template_in_values_only(recipe: Path) -> None:
    assert without_values(recipe) == without_values(TEMPLATE / "run.sh")
    assert settings(recipe)["lang"]


@every_recipe
def test_recipe_is_settings_only(recipe: Path) -> None:
    lines = recipe.read_text(encoding="utf-8").splitlines()
    code = [line for line in lines if line and not line.startswith("#") and not SETTING.match(line)]
    assert code == ['. "$(dirname "${BASH_SOURCE[0]}")/../TEMPLATE/stages.sh" "$@"']
    assert len(lines) <= 30
    assert all(re.search(r"\s# \w", line) for line in lines if SETTING.match(line)), "a setting without a comment"


def test_stages_fit_two_screens() -> None:
    assert len((TEMPLATE / "stages.sh").read_text(encoding="utf-8").splitlines()) <= 120


def test_settings_are_what_the_stages_use() -> None:
    text = (TEMPLATE / "stages.sh").read_text(encoding="utf-8")
    used = set(re.findall(r"\$\{([a-z_]+)", text))
    own = set(re.findall(r"^\s*(?:local )?([a-z_]+)=", text, re.MULTILINE))
    own |= set(re.findall(r"(?:\s|for |^)([a-z_]+)(?:=| in )", text)) | {"mini", "train", "settings", "option"}
    names = set(settings(TEMPLATE / "run.sh"))
    assert names - used == set(), "settings that reach nothing"
    assert used - own - names == set(), "names that no run.sh sets"


def test_stages_call_commands_with_options_that_exist() -> None:
    commands = stage_commands()
    assert {"data", "annotate", "tokens", "train", "decode", "score-exp"} <= {name for name, _ in commands}
    for name, given in commands:
        parameters = cli.commands[name].params
        assert given <= {option for parameter in parameters for option in parameter.opts}, name
        required = {parameter.opts[0] for parameter in parameters if parameter.required}
        assert required - {"--config"} <= given, name  # "${train[@]}" holds the --config options


@every_recipe
@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--corpsu", "x"], "no option --corpsu"),
        (["corpus", "x"], "no option corpus"),
        (["-corpus", "x"], "no option -corpus"),
        (["--corpus", "mini", "--PATH", "x"], "no option --PATH"),
        (["--corpus"], "option --corpus needs a value"),
        (["--join", "../cv_de", "../cv_en", "--corpsu", "x"], "no option --corpsu"),
        (["--model", "../cv_de/exp/x", "--init", "../cv_en/exp/x"], "--model: trains nothing"),
        (["--model", "../cv_de/exp/x", "--join", "../cv_en"], "--model: trains nothing"),
        (["--stage", "0"], "--stage"),
        (["--stop_stage", "7"], "--stop_stage"),
        (["--stage", "two"], "--stage"),
        (["--stage", "12"], "--stage"),
        (["--stage", ""], "--stage"),
    ],
)
def test_misuse_is_one_line(recipe: Path, tmp_path: Path, arguments: list[str], found: str) -> None:
    """In a copy, so that nothing is made in the checkout should it go on."""
    shutil.copytree(TEMPLATE, tmp_path / "egs" / "TEMPLATE")
    (tmp_path / "egs" / "cv é").mkdir()
    run_sh = Path(shutil.copy(recipe, tmp_path / "egs" / "cv é"))
    result = start(run_sh, *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("cv é/run.sh: error: ") and found in line
    assert os.listdir(run_sh.parent) == ["run.sh"]
