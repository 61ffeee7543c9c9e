from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from spner.benchmark.plan import (
    CASED,
    DATA,
    E2E,
    JOINT,
    NEW_OUTPUT,
    PIPELINE,
    TRANSFER,
    ZERO_SHOT,
    Cell,
    Group,
    make_plan,
)
from spner.benchmark.preset import read_preset
from spner.core.errors import SpnerError

ROOT = Path(__file__).resolve().parents[2]
QUICK = replace(read_preset(ROOT / "conf" / "benchmark_quick.yaml"), epochs={10: 40, 20: 30, 100: 10})


@pytest.fixture(scope="module")
def plan() -> dict[str, Cell]:
    cells = make_plan(QUICK, ["nl", "de", "en"], ROOT / "egs")
    assert len({cell.name for cell in cells}) == len(cells)
    return {cell.name: cell for cell in cells}


def test_every_system_of_the_comparison_is_there(plan: dict[str, Cell]) -> None:
    groups = Counter(cell.group for cell in plan.values())
    expected = {
        **{Group(lang, DATA): 1 for lang in ("nl", "de", "en")},
        Group("nl", E2E): 3,
        Group("de", E2E): 3,
        Group("en", E2E): 1,
        Group("nl", PIPELINE): 3,
        Group("nl", CASED): 3,
        Group("de", PIPELINE): 1,
        Group("en", PIPELINE): 1,
        Group("nl", ZERO_SHOT, "de", 0): 3,
        Group("nl", ZERO_SHOT, "en", 0): 1,
        **{Group(a, ZERO_SHOT, b, 0): 1 for a in ("de", "en") for b in ("nl", "de", "en") if a != b},
        **{Group("nl", E2E, "", fraction): 3 for fraction in (10, 20)},
        **{Group("nl", TRANSFER, "de", fraction): 3 for fraction in (10, 20, 100)},
        **{Group("nl", TRANSFER, "en", fraction): 1 for fraction in (10, 20, 100)},
        **{Group("nl", NEW_OUTPUT, "de", fraction): 3 for fraction in (10, 20)},
        Group("nl", JOINT, "de en"): 1,
    }
    assert groups == expected


def test_a_cell_comes_after_what_it_needs(plan: dict[str, Cell]) -> None:
    names = list(plan)
    for number, cell in enumerate(plan.values()):
        assert {names.index(need) for need in cell.needs} <= set(range(number))
    assert plan["nl_20_from_de_s2"].needs == ("nl_data", "de_e2e_s2")
    assert plan["en_by_nl_s1"].needs == ("en_data", "nl_e2e_s1")
    assert plan["nl_joint_s1"].needs == ("nl_data", "de_data", "en_data")
    assert plan["de_data"].needs == ()


def options(cell: Cell) -> dict[str, str]:
    """Return the options as run.sh reads them: the value after a name, and more up to the next name."""
    values: dict[str, list[str]] = {}
    given: list[str] = []
    for option in cell.options:
        if option.startswith("--") and (not values or given):
            given = values[option] = []
        else:
            given.append(option)
    return {name: " ".join(given) for name, given in values.items()}


def test_a_cell_is_one_run_of_a_recipe(plan: dict[str, Cell]) -> None:
    assert plan["nl_20_from_de_s2"].command[0] == str(ROOT / "egs/cv_nl/run.sh")
    assert options(plan["nl_20_from_de_s2"]) == {
        "--stage": "3",
        "--corpus": "mini_quick",
        "--nj": "1",
        "--decode_config": "greedy",
        "--fraction": "20",
        "--train_config": QUICK.train_config,
        "--train_opts": f"max_epoch=30 {QUICK.train_opts}".strip(),
        "--init": "../cv_de/exp/quick_e2e_s2",
        "--seed": "2",
        "--tag": "quick_20_from_de_s2",
    }
    assert plan["nl_20_from_de_s2"].exp == ROOT / "egs/cv_nl/exp/quick_20_from_de_s2"
    assert plan["de_e2e_s2"].exp == ROOT / "egs/cv_de/exp/quick_e2e_s2"
    assert options(plan["de_by_nl_s1"])["--model"] == "../cv_nl/exp/quick_e2e_s1"
    assert options(plan["de_by_nl_s1"])["--stage"] == "5"
    assert options(plan["nl_joint_s1"])["--join"] == "../cv_de/data/mini_quick ../cv_en/data/mini_quick"
    assert options(plan["nl_pipeline_s3"])["--system"] == "pipeline"
    assert options(plan["nl_20_from_de_new_output_s1"])["--init_opts"] == "--reinit_output"
    assert options(plan["nl_data"])["--stop_stage"] == "2"
    cased = options(plan["nl_pipeline_cased_s2"])
    assert (cased["--stage"], cased["--seed"], cased["--speech_tagger"]) == ("5", "2", "exp/tagger_mini_quick")


@pytest.mark.parametrize("preset", sorted((ROOT / "conf").glob("benchmark_*.yaml")), ids=lambda path: path.stem)
def test_the_comparison_decodes_greedily_as_the_published_one_does(preset: Path) -> None:
    for cell in make_plan(read_preset(preset), ["nl", "de"], ROOT / "egs"):
        assert options(cell)["--decode_config"] == "greedy"


def test_work_is_measured_in_whole_trainings(plan: dict[str, Cell]) -> None:
    assert plan["nl_e2e_s1"].work == plan["nl_pipeline_s1"].work == plan["nl_100_from_de_s1"].work == 1
    assert plan["nl_10_from_de_s1"].work == pytest.approx(0.1 * 40 / 10)
    assert plan["nl_joint_s1"].work == 3
    assert plan["nl_by_de_s1"].work == plan["nl_data"].work == 0


def test_a_release_has_a_folder_for_each_language() -> None:
    preset = replace(QUICK, corpus="/data/cv-corpus-12.0/", mini_opts="")
    plan = {cell.name: cell for cell in make_plan(preset, ["nl", "de"], ROOT / "egs")}
    assert options(plan["de_data"]) == {
        "--stage": "1",
        "--stop_stage": "2",
        "--corpus": "/data/cv-corpus-12.0/de",
        "--nj": "1",
        "--decode_config": "greedy",
    }
    assert options(plan["nl_joint_s1"])["--join"] == "../cv_de/data/cv-corpus-12.0_de"
    assert CASED not in {cell.group.system for cell in plan.values()}


def test_a_pipeline_may_have_a_tagger_of_its_own() -> None:
    preset = replace(QUICK, speech_taggers={"nl": "/data/tagger"})
    plan = {cell.name: cell for cell in make_plan(preset, ["nl", "de"], ROOT / "egs")}
    assert options(plan["nl_pipeline_s1"])["--speech_tagger"] == "/data/tagger"
    assert "--speech_tagger" not in options(plan["de_pipeline_s1"]).keys() | options(plan["nl_e2e_s1"]).keys()


def test_upstreams_multiply_the_systems_of_one_language() -> None:
    several = replace(QUICK, upstreams=("xls_r_300m", "facebook/mms-300m"))
    plan = {cell.name: cell for cell in make_plan(several, ["nl", "de", "en"], ROOT / "egs")}
    before = {cell.name: cell for cell in make_plan(QUICK, ["nl", "de", "en"], ROOT / "egs")}
    other = {cell.name: cell for cell in plan.values() if cell.group.upstream}
    assert plan.keys() - other.keys() == before.keys()
    seeds = {"nl": (3, 3), "de": (3, 1), "en": (1, 1)}
    assert Counter(cell.group for cell in other.values()) == {
        Group(lang, system, upstream="facebook/mms-300m"): number
        for lang, numbers in seeds.items()
        for system, number in zip((E2E, PIPELINE), numbers, strict=True)
    }
    for name, cell in before.items():
        first = {"--upstream": "xls_r_300m"} if "--train_config" in cell.options else {}
        assert options(plan[name]) == options(cell) | first
    e2e, pipeline = plan["nl_e2e_facebook_mms_300m_s2"], plan["nl_pipeline_facebook_mms_300m_s2"]
    assert options(e2e)["--upstream"] == options(pipeline)["--upstream"] == "facebook/mms-300m"
    assert (e2e.tag, e2e.needs) == ("quick_e2e_facebook_mms_300m_s2", ("nl_data",))
    assert pipeline.needs == ("nl_data", "nl_pipeline_s2"), "one tagger, which is trained once"


def test_upstream_is_a_setting_of_every_recipe() -> None:
    assert "\nupstream=" in (ROOT / "egs/TEMPLATE/settings.sh").read_text()


def test_what_is_trained_depends_on_both_configurations(plan: dict[str, Cell]) -> None:
    shared, own = plan["nl_joint_s1"].configs
    assert (shared, own) == (ROOT / "conf/train_mini.yaml", ROOT / "egs/cv_nl/conf/train_mini.yaml")
    assert plan["nl_by_de_s1"].configs == plan["nl_data"].configs == ()


@pytest.mark.parametrize(
    ("langs", "message"),
    [
        (["nl"], '--langs "nl": expected the target and at least one source, each once, such as "nl de en"'),
        (["nl", "nl"], '--langs "nl nl": expected the target and at least one source, each once, such as "nl de en"'),
        (
            ["nl", "xx"],
            "--langs: egs/cv_xx/run.sh is missing (expected a recipe for each language); "
            "tools/new_recipe.sh cv_xx xx makes it",
        ),
    ],
)
def test_languages_that_cannot_be_compared_are_refused(
    langs: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(SpnerError) as error:
        make_plan(QUICK, langs, Path("egs"))
    assert str(error.value) == message
