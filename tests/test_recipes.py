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
BENCHMARK = ROOT / "egs" / "benchmark"
RECIPES = sorted(path for path in (ROOT / "egs").glob("*/run.sh") if path.parent not in (TEMPLATE, BENCHMARK))
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
    assert {recipe.parent.name: settings(recipe)["lang"] for recipe in RECIPES}.items() >= {
        "cv_nl": "nl",
        "cv_de": "de",
        "cv_en": "en",
    }.items()


@every_recipe
def test_recipe_says_what_is_known_of_it(recipe: Path) -> None:
    assert recipe.with_name("README.md").is_file()
    assert f"({recipe.parent.name}/README.md)" in (ROOT / "egs" / "README.md").read_text(encoding="utf-8")


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
    own |= set(re.findall(r"(?:\s|for |^)([a-z_]+)(?:=| in )", text))
    own |= {"mini", "lm", "train", "beginning", "settings", "option"}
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
        (["--model", "../cv_de/exp/x", "--decode_config", "decode_lm.yaml"], "--model: trains nothing"),
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


# tools/new_recipe.sh


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What tools/new_recipe.sh needs of a checkout, in a folder whose name has a space."""
    top = tmp_path / "a checkout"
    shutil.copytree(TEMPLATE, top / "egs" / "TEMPLATE")
    for name in ("tools/new_recipe.sh", "spner/mini/templates/de.yaml"):
        (top / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, top / name)
    return top


def new_recipe(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return start(checkout / "tools" / "new_recipe.sh", *arguments)


def test_a_new_recipe_is_the_template_with_its_language(checkout: Path) -> None:
    result = new_recipe(checkout, "cv_xx", "de")
    assert (result.returncode, result.stdout, result.stderr) == (0, "egs/cv_xx/run.sh: made\n", "")
    run_sh = checkout / "egs" / "cv_xx" / "run.sh"
    assert os.listdir(run_sh.parent) == ["run.sh"] and os.access(run_sh, os.X_OK)
    # To the byte what stands in the checkout: the comments keep their column.
    assert run_sh.read_bytes() == (ROOT / "egs" / "cv_de" / "run.sh").read_bytes()
    assert "no option --corpsu" in start(run_sh, "--corpsu", "x").stderr


@pytest.mark.parametrize("lang", ["fr", "fy-NL", "ast"])
def test_a_language_without_templates_is_told_which_file_to_write(checkout: Path, lang: str) -> None:
    result = new_recipe(checkout, "cv_new", lang)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "egs/cv_new/run.sh: made",
        f"{lang} has no mini corpus yet: write spner/mini/templates/{lang}.yaml after nl.yaml, or give --corpus "
        "and --tagger",
    ]
    assert settings(checkout / "egs" / "cv_new" / "run.sh")["lang"] == lang


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "found 0 arguments (expected the recipe's name and the language code, such as cv_fr fr)"),
        (["cv_fr"], "found 1 arguments (expected the recipe's name and the language code, such as cv_fr fr)"),
        (["cv", "fr", "x"], "found 3 arguments (expected the recipe's name and the language code, such as cv_fr fr)"),
        (["../cv_fr", "fr"], "name '../cv_fr' (expected letters, digits, _ and -, such as cv_fr)"),
        (["", "fr"], "name '' (expected letters, digits, _ and -, such as cv_fr)"),
        (["-x", "fr"], "name '-x' (expected letters, digits, _ and -, such as cv_fr)"),
        (["cv fr", "fr"], "name 'cv fr' (expected letters, digits, _ and -, such as cv_fr)"),
        (["cv_fr", "French"], "language 'French' (expected a code such as fr or fy-NL)"),
        (["cv_fr", "../nl"], "language '../nl' (expected a code such as fr or fy-NL)"),
        (["cv_fr", 'fr"; rm x'], "language 'fr\"; rm x' (expected a code such as fr or fy-NL)"),
        (["cv_fr", "fr\nx"], "language $'fr\\nx' (expected a code such as fr or fy-NL)"),
        (["TEMPLATE", "fr"], "egs/TEMPLATE is there already (expected a new name); give another, or remove it"),
    ],
)
def test_a_wrong_wish_makes_nothing(checkout: Path, arguments: list[str], message: str) -> None:
    before = sorted(checkout.rglob("*"))
    result = new_recipe(checkout, *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"tools/new_recipe.sh: error: {message}\n"
    assert sorted(checkout.rglob("*")) == before


def test_a_recipe_is_not_overwritten(checkout: Path) -> None:
    new_recipe(checkout, "cv_xx", "de")
    before = (checkout / "egs" / "cv_xx" / "run.sh").read_bytes()
    assert new_recipe(checkout, "cv_xx", "fr").returncode == 2
    assert (checkout / "egs" / "cv_xx" / "run.sh").read_bytes() == before
