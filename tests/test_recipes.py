"""Recipes hold what differs from settings.sh, stages.sh holds the stages; both do what a person expects of them."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from spner.cli import cli
from spner.core.recipe import NO_RECIPES, Names, Settings

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "egs" / "TEMPLATE"
RECIPES = sorted(path for path in (ROOT / "egs").glob("*/run.sh") if path.parent.name not in NO_RECIPES)
SETTING = re.compile(r"""^([a-z_]+)=("[^"]*"|[^\s#]*)""", re.MULTILINE)
every_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.parent.name)


def settings(script: Path) -> dict[str, str]:
    return {name: value.strip('"') for name, value in SETTING.findall(script.read_text(encoding="utf-8"))}


def without_settings(run_sh: Path) -> list[str]:
    """Return the lines that set nothing."""
    return [line for line in run_sh.read_text(encoding="utf-8").splitlines() if not SETTING.match(line)]


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
        "cv_fr": "fr",
    }.items()


@every_recipe
def test_recipe_says_what_is_known_of_it(recipe: Path) -> None:
    assert recipe.with_name("README.md").is_file()
    assert f"({recipe.parent.name}/README.md)" in (ROOT / "egs" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("script", [*RECIPES, *sorted(TEMPLATE.glob("*.sh"))])
def test_scripts_parse(script: Path) -> None:
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    assert os.access(script, os.X_OK) == (script.name == "run.sh")


@every_recipe
def test_recipe_differs_from_the_template_in_values_only(recipe: Path) -> None:
    assert without_settings(recipe) == without_settings(TEMPLATE / "run.sh")
    assert settings(recipe)["lang"]


@every_recipe
def test_recipe_holds_what_differs(recipe: Path) -> None:
    defaults = settings(TEMPLATE / "settings.sh")
    assert all(name in defaults and value != defaults[name] for name, value in settings(recipe).items())
    code = [line for line in without_settings(recipe) if line and not line.startswith("#")]
    assert code == ['. "$(dirname "$(readlink -f "$0")")/../TEMPLATE/stages.sh"']


def test_every_setting_has_a_comment() -> None:
    lines = (TEMPLATE / "settings.sh").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not SETTING.match(line) and not line.startswith("#")] == []
    assert len(settings(TEMPLATE / "settings.sh")) > 20
    assert [line for line in lines if SETTING.match(line) and not re.search(r"\s# \w", line)] == []


def test_stages_fit_two_screens() -> None:
    lines = (TEMPLATE / "stages.sh").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert [line.split(",")[0] for line in lines if line.startswith("# Stage")] == [f"# Stage {n}" for n in range(1, 7)]


def test_a_variable_is_a_setting_or_follows_from_settings_or_is_of_the_stages_alone() -> None:
    text = (TEMPLATE / "stages.sh").read_text(encoding="utf-8")
    used = set(re.findall(r"\$\{!?([a-z_]+)", text))
    own = set(re.findall(r"(?:^|\s)([a-z_]+)=", text)) | set(re.findall(r"for ([a-z_]+) in ", text))
    own |= {"word"}
    chosen, derived = ({field.name for field in fields(kind)} for kind in (Settings, Names))
    names = set(settings(TEMPLATE / "settings.sh"))
    assert chosen <= names
    assert names - used - chosen == set(), "settings that reach nothing"
    assert used - own - names - derived == set(), "names that nothing sets"
    assert names & derived == set() and (names | derived) & own == set(), "variables that change their meaning"


def test_stages_call_commands_with_options_that_exist() -> None:
    commands = stage_commands()
    assert {"data", "annotate", "tokens", "train", "decode", "score-exp"} <= {name for name, _ in commands}
    for name, given in commands:
        parameters = cli.commands[name].params
        assert given <= {option for parameter in parameters for option in parameter.opts}, name
        required = {parameter.opts[0] for parameter in parameters if parameter.required}
        assert required <= given, name


@every_recipe
@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--corpsu", "x"], "no option --corpsu; --help lists them"),
        (["corpus", "x"], "no option corpus"),
        (["-corpus", "x"], "no option -corpus"),
        (["--corpus", "mini", "--PATH", "x"], "no option --PATH"),
        (["--PATH=x"], "no option --PATH"),
        (["--lang\ncorpus", "x"], "no option --lang"),
        (["--corpus"], "option --corpus needs a value"),
        (["--join", "../cv_de", "../cv_en", "--corpsu", "x"], "no option --corpsu"),
        (["--tag", "a", "--nj", "2", "--tag", "b"], "option --tag is given twice"),
        (["--decode_config=greedy", "--decode-config", "b.yaml"], "option --decode-config is given twice"),
        (["--stage", "0"], "--stage"),
        (["--stop_stage", "7"], "--stop_stage"),
        (["--stop-stage=7"], "--stop_stage"),
        (["--stage", "two"], "--stage"),
        (["--stage", "12"], "--stage"),
        (["--stage", "12", "--stop_stage", ""], "--stage"),
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
    line = result.stderr.removesuffix("\n").replace("--lang\ncorpus", "--lang")
    assert line.startswith("cv é/run.sh: error: ") and found in line and "\n" not in line
    assert os.listdir(run_sh.parent) == ["run.sh"]


def test_help_shows_every_setting_with_its_comment() -> None:
    result = start(ROOT / "egs" / "cv_nl" / "run.sh", "--help")
    assert (result.returncode, result.stderr) == (0, "")
    usage, *lines = result.stdout.splitlines()
    assert usage.startswith("usage: ") and 'this recipe sets lang="nl"' in usage
    stated = [line for line in (TEMPLATE / "settings.sh").read_text().splitlines() if SETTING.match(line)]
    assert lines == [f"  --{line}" for line in stated]


# The stages, their commands not run


@pytest.fixture
def rehearsal(tmp_path: Path) -> Path:
    """A checkout in a folder with a space whose environment only answers ``spner recipe-names``."""
    top = tmp_path / "a checkout é"
    for name in ("TEMPLATE", "cv_nl", "cv_de"):
        (top / "egs" / name).mkdir(parents=True)
        for script in (ROOT / "egs" / name).glob("*.sh"):
            shutil.copy(script, top / "egs" / name)
    shutil.copytree(ROOT / "conf", top / "conf")
    (top / "spner").symlink_to(ROOT / "spner")
    scripts = {
        "tools/setup.sh": 'echo "$(dirname "$0")/../bin"',
        "bin/python": f'case "$*" in "-m spner recipe-names"* | -c*) exec {shlex.quote(sys.executable)} "$@" ;; esac',
        "bin/nvidia-smi": "exit 1",
    }
    for name, text in scripts.items():
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_text(f"#!/bin/sh\n{text}\n")
        (top / name).chmod(0o755)
    return top


def rehearse(top: Path, *arguments: str) -> list[list[str]]:
    """Run the Dutch recipe and return its commands, split into words."""
    result = start(top / "egs/cv_nl/run.sh", *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    return [shlex.split(line)[2:] for line in result.stdout.splitlines() if line.startswith("+ spner ")]


def test_a_recipe_runs_six_stages(rehearsal: Path) -> None:
    names = [words[0] for words in rehearse(rehearsal)]
    data = ["mini-corpus", "data", "mini-text", "train-tagger", "annotate"]
    assert names == [*data, "tokens", "train", "lm", "tune", "decode", "calibrate", "score-exp"]


def test_the_documents_show_the_commands_of_stage_5(rehearsal: Path) -> None:
    shown = (ROOT / "docs" / "decoding.md").read_text(encoding="utf-8").splitlines()
    commands = [shlex.split(line)[2:] for line in shown if line.startswith("+ spner ")]
    assert [words[0] for words in commands] == ["lm", "tune", "decode", "calibrate"]
    assert commands == rehearse(rehearsal, "--stage", "5", "--stop_stage", "5")


def test_the_pipeline_has_a_recogniser_and_a_tagger_of_its_own(rehearsal: Path) -> None:
    commands = rehearse(rehearsal, "--system", "pipeline", "--stage", "2", "--decode_config", "greedy")
    tagger = ["--data", "data/mini", "--out", "exp/tagger_words_mini", "--fraction", "100", "--from_scratch"]
    assert ["train-tagger", *tagger] in commands
    assert ["decode", "--data", "data/mini", "--exp", "exp/mini_asr", "--sets", "dev test"] in commands
    pipeline = ["--asr", "exp/mini_asr", "--exp", "exp/mini_pipeline", "--sets", "dev test", "--data", "data/mini"]
    assert ["pipeline", *pipeline, "--search", "greedy", "--tagger", "exp/tagger_words_mini"] in commands
    calibrated = [words[4:] for words in commands if words[0] == "calibrate"]
    assert calibrated == [[f"exp/mini_{name}", "--search", "greedy"] for name in ("asr", "pipeline")]
    score = ["score-exp", "--data", "data/mini", "--exp", "exp/mini_pipeline", "--search", "greedy"]
    assert commands[-1] == [*score, "--sets", "dev test"]
    tokens = next(words for words in commands if words[0] == "tokens")
    assert tokens[tokens.index("--system") + 1] == "asr" and "dump/mini_asr" in tokens


def test_a_pipelines_tagger_has_the_fraction_the_joined_folders_and_the_seed_of_an_e2e_system(rehearsal: Path) -> None:
    options = ("--stage", "4", "--system", "pipeline", "--fraction", "20", "--join", "../cv_de", "--seed", "2")
    options += ("--decode_config", "greedy")
    commands = rehearse(rehearsal, *options, "--corpus", "/data/cv/nl", "--train_config", "train_mini.yaml")
    tagger = ["--data", "data/cv_nl", "--out", "exp/tagger_words_cv_nl_20_s2_and_cv_de", "--fraction", "20"]
    assert commands[0] == ["train-tagger", *tagger, "--join", "../cv_de", "--seed", "2"]
    given = rehearse(rehearsal, *options, "--speech_tagger", "t")
    assert "train-tagger" not in [words[0] for words in given]
    assert next(words for words in given if words[0] == "pipeline")[-2:] == ["--tagger", "t"]


def test_options_reach_the_commands_whole(rehearsal: Path) -> None:
    (rehearsal / "egs/cv_nl/conf").mkdir()
    (rehearsal / "egs/cv_nl/conf/train_mini.yaml").touch()
    commands = rehearse(
        rehearsal,
        *("--corpus", "/data/a release/nl", "--clips=/data/two words", "--tagger", "a tagger", "--seed", "2"),
        *("--join", "../cv_de", "../cv_en", "--train_opts", "max_epoch=3 lr=*", "--init_opts", "--freeze_steps 5"),
        *("--init", "../cv_de/exp/mini_e2e", "--boost", "my names.txt", "--lm_opts=--unit word"),
        *("--ngpu", "4", "--num_nodes", "2"),
    )
    data, annotate, tokens, train, lm, _tune, decode, _calibrate, _score = commands
    assert data[1:5] == ["--corpus", "/data/a release/nl", "--lang", "nl"] and data[-2:] == [
        "--clips",
        "/data/two words",
    ]
    first = tokens.index("--join")
    assert annotate[1:3] == ["--tagger", "a tagger"]
    assert tokens[first : first + 4] == ["--join", "../cv_de", "--join", "../cv_en"]
    exp = "exp/a release_nl_e2e_s2_and_cv_de_and_cv_en_from_cv_de_mini_e2e"
    configs = ["--config", "../../conf/train_mini.yaml", "--config", "conf/train_mini.yaml"]
    values = ["--set", "max_epoch=3", "--set", "lr=*", "--set", "seed=2"]
    init = ["--init", "../cv_de/exp/mini_e2e", "--freeze_steps", "5"]
    assert train[5:] == ["--exp", exp, "--num_nodes", "2", "--ngpu", "4", *configs, *values, *init]
    assert lm[-2:] == ["--unit", "word"] and decode[-2:] == ["--boost", "my names.txt"]


@pytest.mark.parametrize(
    "given",
    [
        ["--sets", "dev test"],
        ["--sets", "dev", "test"],
        ["--sets", "dev", "--sets", "test"],
        ["--sets=dev", "--stage=5", "--sets=test"],
    ],
    ids=" ".join,
)
def test_words_of_a_setting_are_given_in_any_way(rehearsal: Path, given: list[str]) -> None:
    commands = rehearse(rehearsal, *given, *([] if "--stage=5" in given else ["--stage", "5"]))
    sets = {words[words.index("--sets") + 1] for words in commands if "--sets" in words}
    assert sets == {"dev test"}


def test_settings_that_hold_options_are_added_up(rehearsal: Path) -> None:
    commands = rehearse(rehearsal, "--stage", "4", "--train_opts", "max_epoch=3", "--train_opts", "a.b=1", "seed=2")
    assert [word for word in commands[0] if "=" in word] == ["max_epoch=3", "a.b=1", "seed=2"]


def test_what_is_refused_at_once_leaves_no_folder(rehearsal: Path) -> None:
    python = rehearsal / "bin/python"
    python.write_text(python.read_text().replace("esac", '*" data "*) exit 2 ;; esac'))
    recipe = rehearsal / "egs/cv_nl"
    refused = ("--corpus", "/data/nowhere/nl")
    assert start(recipe / "run.sh", *refused).returncode == 2
    assert not (recipe / "exp").exists()
    (recipe / "exp/nowhere_nl_e2e").mkdir(parents=True)
    (recipe / "exp/nowhere_nl_e2e/train.json").touch()
    assert start(recipe / "run.sh", *refused).returncode == 2
    assert sorted(path.name for path in (recipe / "exp/nowhere_nl_e2e").iterdir()) == ["log", "train.json"]


def test_another_recipes_model_decodes_greedily_and_nothing_is_trained(rehearsal: Path) -> None:
    commands = rehearse(rehearsal, "--model", "../cv_de/exp/mini_e2e", "--stage", "3")
    exp, sets = ["--exp", "exp/mini_e2e_by_cv_de_mini_e2e"], ["--sets", "dev test"]
    decode = ["decode", "--data", "data/mini", *exp, *sets, "--model", "../cv_de/exp/mini_e2e"]
    assert commands == [
        decode,
        ["calibrate", "--data", "data/mini", *exp, "--search", "greedy"],
        ["score-exp", "--data", "data/mini", *exp, "--search", "greedy", *sets],
    ]


def test_a_setting_of_the_recipe_counts_and_an_option_counts_more(rehearsal: Path) -> None:
    run_sh = rehearsal / "egs/cv_nl/run.sh"
    run_sh.write_text(run_sh.read_text().replace("\n\n", '\nsets="dev test other"\ntag=mine\n\n'))
    for arguments, exp in (((), "exp/mine"), (("--tag", "yours"), "exp/yours")):
        (score,) = rehearse(rehearsal, "--stage", "6", *arguments)
        assert score[:5] == ["score-exp", "--data", "data/mini", "--exp", exp]
        assert score[-2:] == ["--sets", "dev test other"]


@pytest.mark.parametrize(
    ("folder", "command"),
    [
        (".", "egs/cv_nl/run.sh --stage 6"),
        (".", "sh egs/cv_nl/run.sh --stage=6"),
        (".", "bash --posix egs/cv_nl/run.sh --stage=6 --stop-stage 6"),
        ("egs/cv_nl", "sh run.sh --stage=6"),
        ("egs", "bash cv_nl/run.sh --stage=6"),
        ("elsewhere", "./link.sh --stage=6"),
    ],
)
def test_a_recipe_can_be_started_in_many_ways(rehearsal: Path, folder: str, command: str) -> None:
    (rehearsal / "elsewhere" / "egs" / "cv_nl").mkdir(parents=True)  # where CDPATH would lead
    (rehearsal / "elsewhere" / "link.sh").symlink_to(rehearsal / "egs/cv_nl/run.sh")
    environment = {**os.environ, "CDPATH": str(rehearsal / "elsewhere"), "corpus": "of the environment"}
    result = subprocess.run(
        command.split(), cwd=rehearsal / folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    score = "+ spner score-exp --data data/mini --exp exp/mini_e2e --search lm --sets dev\\ test"
    assert score in result.stdout.splitlines()
    assert (rehearsal / "egs/cv_nl/exp/mini_e2e/log/stage6.log").is_file()


@pytest.mark.parametrize(
    ("folder", "shown", "recipe"),
    [(".", "egs/cv_nl", "egs/cv_nl/run.sh"), ("egs/cv_nl", "exp", "./run.sh"), ("/", "", "")],
)
def test_at_the_end_a_person_is_told_where_the_scores_are_and_what_to_type_next(
    rehearsal: Path, folder: str, shown: str, recipe: str
) -> None:
    run_sh = rehearsal / "egs/cv_nl/run.sh"
    result = subprocess.run([run_sh, "--stage=6"], cwd=rehearsal / folder, capture_output=True, text=True, check=True)
    *_, scores, report, system, language = result.stdout.splitlines()
    exp = Path(shown, "exp/mini_e2e") if shown == "egs/cv_nl" else Path("exp/mini_e2e")
    told = shlex.split(scores.split(". What to type next:")[0])[-1]
    assert told == str((rehearsal / "egs/cv_nl" if folder == "/" else Path()) / exp / "RESULTS.md")
    words = shlex.split(report, comments=True)
    assert words[-4:] == ["report", told.removesuffix("/RESULTS.md"), "--out", "report.html"]
    assert shlex.split(system, comments=True) == [recipe or str(run_sh), "--system", "pipeline"]
    assert (rehearsal / folder / shlex.split(language, comments=True)[0]).is_file()
    assert "What to type next" not in start(run_sh, "--stage=5", "--stop_stage=5").stdout


def test_the_other_system_that_is_offered_has_the_same_settings(rehearsal: Path) -> None:
    run_sh = rehearsal / "egs/cv_nl/run.sh"
    settings = ["--corpus", "mini_a", "--mini_opts", "--num_train 40 --seed 2"]
    *_, system, _language = start(run_sh, *settings, "--system=pipeline", "--tag", "x", "--stage=6").stdout.splitlines()
    assert shlex.split(system, comments=True) == [str(run_sh), *settings, "--system", "e2e"]


# tools/new_recipe.sh


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What tools/new_recipe.sh needs of a checkout, in a folder whose name has a space."""
    top = tmp_path / "a checkout"
    shutil.copytree(TEMPLATE, top / "egs" / "TEMPLATE")
    for name in ("tools/new_recipe.sh", "spner/mini/templates/de.yaml", "egs/README.md"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, top / name)
    return top


MADE = "egs/cv_xx: made, and listed in egs/README.md"


def new_recipe(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return start(checkout / "tools" / "new_recipe.sh", *arguments)


def test_a_new_recipe_is_the_template_with_its_language(checkout: Path) -> None:
    result = new_recipe(checkout, "cv_xx", "de")
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{MADE}\n", "")
    run_sh = checkout / "egs" / "cv_xx" / "run.sh"
    assert set(os.listdir(run_sh.parent)) == {"run.sh", "README.md"} and os.access(run_sh, os.X_OK)
    assert run_sh.read_bytes() == (ROOT / "egs" / "cv_de" / "run.sh").read_bytes()
    assert "no option --corpsu" in start(run_sh, "--corpsu", "x").stderr


def test_a_new_recipe_is_listed_where_the_tests_of_recipes_look_for_it(checkout: Path) -> None:
    before = (checkout / "egs" / "README.md").read_text(encoding="utf-8").splitlines()
    new_recipe(checkout, "cv_xx", "de")
    after = (checkout / "egs" / "README.md").read_text(encoding="utf-8").splitlines()
    (number,) = [number for number, line in enumerate(after) if "(cv_xx/README.md)" in line]
    assert [*after[:number], *after[number + 1 :]] == before
    assert after[number - 1].startswith("| [`cv_") and after[number + 1].startswith("| [`benchmark`]")
    assert (checkout / "egs" / "cv_xx" / "README.md").read_text(encoding="utf-8").startswith("# cv_xx (de)\n")
    assert sorted(path.name for path in (checkout / "egs").iterdir()) == ["README.md", "TEMPLATE", "cv_xx"]


@pytest.mark.parametrize("lang", ["it", "fy-NL", "ast"])
def test_a_language_without_templates_is_told_which_file_to_write(checkout: Path, lang: str) -> None:
    result = new_recipe(checkout, "cv_new", lang)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        MADE.replace("cv_xx", "cv_new"),
        f"{lang} has no mini corpus yet: write spner/mini/templates/{lang}.yaml after nl.yaml, or give --corpus "
        "and --tagger",
    ]
    assert settings(checkout / "egs" / "cv_new" / "run.sh")["lang"] == lang


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "found 0 arguments (expected the recipe's name and the language code, such as cv_it it)"),
        (["cv_fr"], "found 1 arguments (expected the recipe's name and the language code, such as cv_it it)"),
        (["cv", "fr", "x"], "found 3 arguments (expected the recipe's name and the language code, such as cv_it it)"),
        (["../cv_fr", "fr"], "name '../cv_fr' (expected letters, digits, _ and -, such as cv_it)"),
        (["", "fr"], "name '' (expected letters, digits, _ and -, such as cv_it)"),
        (["-x", "fr"], "name '-x' (expected letters, digits, _ and -, such as cv_it)"),
        (["cv fr", "fr"], "name 'cv fr' (expected letters, digits, _ and -, such as cv_it)"),
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
