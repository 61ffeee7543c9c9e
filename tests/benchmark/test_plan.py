"""The plan: which cells there are, how each is run, and that nothing comes before what it needs."""

import shlex
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from spner.benchmark.plan import (
    DATA,
    E2E,
    JOINT,
    NEW_OUTPUT,
    PIPELINE,
    SYSTEMS,
    TRANSFER,
    ZERO_SHOT,
    Cell,
    Group,
    make_plan,
    scores_of,
)
from spner.benchmark.preset import Preset
from spner.errors import SpnerError

PRESET = Preset(
    "tiny", "mini_quick", "--num_train 50", "--nj 1", "train_mini.yaml", "keep_nbest_models=3",
    {10: 40, 20: 30, 40: 20, 100: 10}, (1, 2), (1,), 2, 1, None,
)  # fmt: skip
LANGS = ("nl", "de", "en")


@pytest.fixture
def egs(tmp_path: Path) -> Path:
    for lang in LANGS:
        (tmp_path / f"cv_{lang}").mkdir()
        (tmp_path / f"cv_{lang}" / "run.sh").touch()
    return tmp_path


@pytest.fixture
def plan(egs: Path) -> list[Cell]:
    return make_plan(PRESET, LANGS, egs)


def cell(plan: list[Cell], name: str) -> Cell:
    (found,) = (cell for cell in plan if cell.name == name)
    return found


def seeds(plan: list[Cell], group: Group) -> list[int]:
    return [cell.seed for cell in plan if cell.group == group]


def options(cell: Cell) -> dict[str, str]:
    """Return the options as run.sh reads them: a name and the values after it."""
    found: dict[str, list[str]] = {}
    for word in cell.options:
        if word.startswith("--") and " " not in word:
            name = word
            found[name] = []
        else:
            found[name].append(word)
    return {name: " ".join(values) for name, values in found.items()}


def test_every_system_has_its_cells(plan: list[Cell]) -> None:
    assert Counter(cell.group.system for cell in plan) == {
        DATA: 3,
        E2E: 2 + 2 + 1 + 3 * 2,  # whole: nl and de with two seeds, en with one; nl at three fractions
        PIPELINE: 2 + 1 + 1,
        ZERO_SHOT: 2 * (2 + 2 + 1),  # the models of each language on two others
        TRANSFER: 4 * (2 + 1),
        NEW_OUTPUT: 2 * 2,
        JOINT: 1,
    }
    assert {cell.group.system for cell in plan} == set(SYSTEMS)


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (Group("nl", E2E), [1, 2]),
        (Group("de", E2E), [1, 2]),
        (Group("en", E2E), [1]),
        (Group("nl", PIPELINE), [1, 2]),
        (Group("de", PIPELINE), [1]),
        (Group("nl", E2E, "", 20), [1, 2]),
        (Group("nl", TRANSFER, "de"), [1, 2]),
        (Group("nl", TRANSFER, "en", 10), [1]),
        (Group("nl", NEW_OUTPUT, "de", 20), [1, 2]),
        (Group("nl", NEW_OUTPUT, "de", 40), []),
        (Group("nl", JOINT, "de en"), [1]),
        (Group("de", ZERO_SHOT, "nl", 0), [1, 2]),
        (Group("de", ZERO_SHOT, "en", 0), [1]),
        (Group("de", E2E, "", 20), []),
    ],
    ids=str,
)
def test_seeds(plan: list[Cell], group: Group, expected: list[int]) -> None:
    assert seeds(plan, group) == expected


def test_nothing_comes_before_what_it_needs(plan: list[Cell]) -> None:
    for number, one in enumerate(plan):
        assert set(one.needs) <= {before.name for before in plan[:number]}, one.name


def test_models_that_others_wait_for_come_first(plan: list[Cell]) -> None:
    whole = [one.group.lang for one in plan if one.group in {Group(lang, E2E) for lang in LANGS}]
    assert whole == ["en", "de", "de", "nl", "nl"]
    assert [one.group.system for one in plan[:8]] == [DATA] * 3 + [E2E] * 5


def test_names_and_folders_are_unique(plan: list[Cell]) -> None:
    assert len({cell.name for cell in plan}) == len(plan)
    trained = [cell.exp for cell in plan if cell.group.system != DATA]
    assert len(set(trained)) == len(trained)


def test_models_that_others_begin_with_are_those_of_the_plan(plan: list[Cell]) -> None:
    folders = {cell.exp.resolve() for cell in plan}
    for one in plan:
        for option in ("--init", "--model"):
            if option in options(one):
                model = (one.recipe / options(one)[option]).resolve()
                (needed,) = (n for n in one.needs if not n.endswith("_data"))
                assert model in folders and cell(plan, needed).exp.resolve() == model


@pytest.mark.parametrize(
    ("name", "command"),
    [
        (
            "nl_data",
            "--stage 1 --stop_stage 2 --system pipeline --corpus mini_quick --nj 1 --mini_opts '--num_train 50'",
        ),
        (
            "nl_e2e_s2",
            "--stage 3 --corpus mini_quick --nj 1 --system e2e --train_config train_mini.yaml --train_opts "
            "'max_epoch=10 keep_nbest_models=3' --seed 2 --tag tiny_e2e_s2",
        ),
        (
            "nl_20_from_de_new_output_s1",
            "--stage 3 --corpus mini_quick --nj 1 --fraction 20 --train_config train_mini.yaml --train_opts "
            "'max_epoch=30 keep_nbest_models=3' --init ../cv_de/exp/tiny_e2e_s1 --init_opts --reinit_output --seed 1 "
            "--tag tiny_20_from_de_new_output_s1",
        ),
        (
            "de_by_nl_s2",
            "--stage 5 --corpus mini_quick --nj 1 --model ../cv_nl/exp/tiny_e2e_s2 --tag tiny_by_nl_s2",
        ),
    ],
    ids=["data", "e2e", "new output layer", "zero-shot"],
)
def test_commands(plan: list[Cell], name: str, command: str) -> None:
    one = cell(plan, name)
    assert one.command == [str(one.recipe / "run.sh"), *shlex.split(command)]


def test_joint_training_joins_the_sources_data(plan: list[Cell]) -> None:
    joint = cell(plan, "nl_joint_s1")
    assert options(joint)["--join"] == "../cv_de/data/mini_quick ../cv_en/data/mini_quick"
    assert joint.needs == ("nl_data", "de_data", "en_data")


def test_a_release_is_a_folder_of_each_language(egs: Path) -> None:
    plan = make_plan(replace(PRESET, corpus="/corpora/cv-12.0/", mini_opts=""), LANGS, egs)
    assert options(cell(plan, "de_data"))["--corpus"] == "/corpora/cv-12.0/de"
    assert "--mini_opts" not in options(cell(plan, "de_data"))
    joined = options(cell(plan, "nl_joint_s1"))["--join"]
    assert joined == "../cv_de/data/cv-12.0_de ../cv_en/data/cv-12.0_en"


@pytest.mark.parametrize(
    ("name", "work"),
    [("nl_data", 0), ("nl_e2e_s1", 1), ("nl_e2e_20_s1", 20 * 30 / (100 * 10)), ("nl_joint_s1", 3), ("nl_by_de_s1", 0)],
)
def test_work_is_measured_in_trainings_on_all_data(plan: list[Cell], name: str, work: float) -> None:
    assert cell(plan, name).work == work


def test_where_a_cell_has_its_scores(plan: list[Cell], egs: Path) -> None:
    folder = egs / "cv_nl" / "exp" / "tiny_e2e_s1" / "score"
    found = [scores_of(cell(plan, "nl_e2e_s1"), gold=gold) for gold in (False, True)]
    assert found == [folder / "test.json", folder / "test_gold.json"]


@pytest.mark.parametrize("langs", [(), ("nl",), ("nl", "de", "nl")], ids=" ".join)
def test_languages_must_be_a_target_and_sources(egs: Path, langs: tuple[str, ...]) -> None:
    with pytest.raises(SpnerError) as error:
        make_plan(PRESET, langs, egs)
    assert str(error.value) == (
        f'--langs "{" ".join(langs)}": expected the target and at least one source, each once, such as "nl de en"'
    )


def test_a_language_without_a_recipe_is_refused(egs: Path) -> None:
    with pytest.raises(SpnerError) as error:
        make_plan(PRESET, ("nl", "fr"), egs)
    assert str(error.value) == (
        f"--langs: {egs}/cv_fr/run.sh is missing (expected a recipe for each language); tools/new_recipe.sh cv_fr fr "
        "makes it"
    )
