"""Finished cells: hand-worked pooled scores, who is compared with whom on which seeds, what is missing, overlaps."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from spner.benchmark.plan import E2E, JOINT, NEW_OUTPUT, PIPELINE, TRANSFER, ZERO_SHOT, Cell, Group
from spner.benchmark.results import (
    ABLATION,
    BY_FRACTION,
    BY_LANGUAGE,
    BY_UPSTREAM,
    JOINED,
    OVER_PIPELINE,
    beside_paper,
    collect,
    find_best,
    find_curve_group,
    groups_of,
    name_group,
)
from spner.core import paths
from spner.core.errors import SpnerError
from spner.tagger.origin import UNKNOWN
from tests.benchmark.conftest import GERMAN, GOOD, HYPS, LANGS, MISSED, finish, write_data
from tests.benchmark.made_up import PRESET


def contrast(results: dict[str, Any], kind: str, fraction: int = 100) -> dict[str, Any]:
    (found,) = (c for c in results["contrasts"] if c["kind"] == kind and c["b"]["fraction"] == fraction)
    return found


def test_every_scored_group_is_there_with_its_seeds(results: dict[str, Any]) -> None:
    assert {group: entry["seeds"] for group, entry in groups_of(results).items()} == {
        group: list(seeds) for group, seeds in HYPS.items()
    }
    assert (results["target"], results["sources"]) == ("nl", ["de"])


@pytest.mark.parametrize(
    ("group", "score", "value", "seeds"),
    [
        (Group("nl", E2E), "f1", 8 / 11, [4 / 5, 4 / 6]),  # 2 of 3 found twice, once with a false one
        (Group("nl", E2E), "wer", 1 / 18, [0.0, 1 / 9]),
        (Group("nl", E2E), "eer", 1 / 6, [0.0, 1 / 3]),
        (Group("nl", E2E), "label_f1", 10 / 11, [4 / 5, 1.0]),
        (Group("nl", E2E), "seen", 6 / 8, [1.0, 1 / 2]),  # anna and shell: once anna is ana
        (Group("nl", E2E), "unseen", 2 / 3, [0.0, 1.0]),  # utrecht
        (Group("nl", PIPELINE), "f1", 1.0, [1.0, 1.0]),
        (Group("nl", TRANSFER, "de"), "f1", 10 / 12, [1.0, 4 / 6]),
        (Group("nl", ZERO_SHOT, "de", 0), "wer", 1.0, [1.0]),
    ],
)
def test_pooled_scores(results: dict[str, Any], group: Group, score: str, value: float, seeds: list[float]) -> None:
    found = groups_of(results)[group]["scores"][score]
    assert (found["value"], found["seeds"]) == (pytest.approx(value), pytest.approx(seeds))
    assert found["ci95"][0] <= found["value"] <= found["ci95"][1]


def test_a_group_of_one_seed_has_the_scores_of_its_file(finished: list[Cell], results: dict[str, Any]) -> None:
    (cell,) = (cell for cell in finished if cell.group == Group("nl", E2E, "", 20))
    stored = json.loads(paths.score_file(cell.exp, cell.search, paths.TEST, gold=True).read_text())
    found = groups_of(results)[cell.group]["scores"]
    assert {name: one["ci95"] for name, one in found.items()} == stored["ci95"]
    assert found["unseen"]["value"] == stored["unseen"]["micro"]["f1"]


@pytest.mark.parametrize(
    ("group", "utterances"),
    [
        pytest.param(Group("nl", E2E, "", 20), 20, id="fraction"),
        pytest.param(Group("nl", PIPELINE), 100, id="pipeline: its recogniser's training"),
        pytest.param(Group("nl", ZERO_SHOT, "de", 0), 100, id="zero-shot: the other language's training"),
    ],
)
def test_what_was_trained_on(results: dict[str, Any], group: Group, utterances: int) -> None:
    (trained,) = groups_of(results)[group]["trained_on"]
    assert trained["chosen"] == {"utterances": utterances, "hours": utterances / 100}


def test_contrasts_are_on_common_seeds_alone(results: dict[str, Any]) -> None:
    assert [(c["kind"], name_group(Group(**c["b"])), c["seeds"]) for c in results["contrasts"]] == [
        (BY_LANGUAGE, "nl e2e", [1, 2]),
        (BY_FRACTION, "nl transfer from de, 20 %", [1]),
        (BY_FRACTION, "nl transfer from de", [1]),
        (OVER_PIPELINE, "nl transfer from de", [1]),
    ]
    # Seed 1 alone: GOOD against MISSED. Seed 3 of transfer and seed 2 of E2E have no part in it.
    f1 = contrast(results, BY_FRACTION)["scores"]["f1"]
    assert (f1["a"], f1["b"], f1["difference"]) == (0.8, 1.0, pytest.approx(0.2))
    f1 = contrast(results, BY_LANGUAGE)["scores"]["f1"]
    assert (f1["a"], f1["b"]) == (1.0, 8 / 11)


def test_contrasts_without_a_side_or_a_common_seed_are_listed(results: dict[str, Any]) -> None:
    assert results["missing"] == [
        {"kind": kind, "a": asdict(a), "b": asdict(b), "why": why}
        for kind, a, b, why in (
            (BY_LANGUAGE, Group("de", PIPELINE), Group("de", E2E), "no scores of de pipeline"),
            (JOINED, Group("nl", E2E), Group("nl", JOINT, "de"), "no scores of nl joint"),
            (ABLATION, Group("nl", NEW_OUTPUT, "de", 20), Group("nl", TRANSFER, "de", 20), "no common seed"),
        )
    ]


def test_upstreams_are_held_against_the_first(tmp_path: Path) -> None:
    write_data(tmp_path / "cv_nl" / "data" / "mini", "nl", gold=True)
    other = Group("nl", E2E, upstream="mms")
    cells = [finish(tmp_path, group, 1, texts) for group, texts in ((Group("nl", E2E), MISSED), (other, GOOD))]
    results = collect(cells, LANGS, replace(PRESET, upstreams=("xls_r_300m", "mms")))
    compared = contrast(results, BY_UPSTREAM)
    assert (Group(**compared["a"]), Group(**compared["b"]), name_group(other)) == (
        Group("nl", E2E),
        other,
        "nl e2e, mms",
    )
    assert (compared["scores"]["f1"]["a"], compared["scores"]["f1"]["b"]) == (0.8, 1.0)
    missing = [name_group(Group(**one["a"])) for one in results["missing"] if one["kind"] == BY_LANGUAGE]
    assert missing == ["nl pipeline", "de pipeline", "nl pipeline, mms", "de pipeline, mms"]
    assert results["preset"]["upstreams"] == ["xls_r_300m", "mms"]


def test_ablation_holds_carried_rows_against_new_ones(tmp_path: Path) -> None:
    write_data(tmp_path / "cv_nl" / "data" / "mini", "nl", gold=True)
    new, carried = (
        finish(tmp_path, Group("nl", system, "de", 20), 1, texts)
        for system, texts in ((NEW_OUTPUT, MISSED), (TRANSFER, GOOD))
    )
    f1 = contrast(collect([new, carried], LANGS, PRESET), ABLATION, 20)["scores"]["f1"]
    assert (f1["a"], f1["b"]) == (0.8, 1.0)


def test_pseudo_labels_where_there_is_no_gold(tmp_path: Path) -> None:
    write_data(tmp_path / "cv_nl" / "data" / "mini", "nl", gold=False)
    results = collect([finish(tmp_path, Group("nl", E2E), 1, MISSED)], LANGS, PRESET)
    (entry,) = results["groups"]
    assert (entry["gold"], entry["scores"]["f1"]["value"], results["overlaps"]) == (False, 0.8, None)
    assert results["made_with"]["synthetic"] is False


def test_overlaps_are_those_of_whole_corpora(results: dict[str, Any]) -> None:
    (of_target,) = results["overlaps"]["targets"]
    (overlap,) = of_target["sources"]
    assert (results["overlaps"]["gold"], of_target["target"], overlap["source"]) == (True, "nl", ["de"])
    # Dutch: anna twice, shell twice, utrecht; German: shell and utrecht.
    assert overlap["all"]["target"]["mentions"] == {"share": 0.6, "shared": 3, "num": 5}
    assert overlap["all"]["target"]["entities"] == {"share": 2 / 3, "shared": 2, "num": 3}
    assert overlap["all"]["source"]["mentions"] == {"share": 1.0, "shared": 2, "num": 2}


def test_each_language_is_compared_with_those_after_it(tmp_path: Path) -> None:
    langs = ["nl", "de", "en"]
    for lang in langs:
        write_data(tmp_path / f"cv_{lang}" / "data" / "mini", "de" if lang == "en" else lang, gold=True)
    cells = [finish(tmp_path, Group("nl", E2E), 1, GOOD)]
    cells += [finish(tmp_path, Group(lang, E2E), 1, GERMAN) for lang in langs[1:]]
    targets = collect(cells, langs, PRESET)["overlaps"]["targets"]
    assert [(one["target"], [source["source"] for source in one["sources"]]) for one in targets] == [
        ("nl", [["de"], ["en"], ["de", "en"]]),
        ("de", [["en"]]),
    ]
    assert targets[1]["sources"][0]["all"]["target"]["entities"]["share"] == 1


def test_what_is_undefined_is_no_claim_and_not_the_best_fraction(tmp_path: Path) -> None:
    contrasts = [
        {
            "kind": BY_FRACTION,
            "a": asdict(Group("nl", E2E, "", fraction)),
            "b": asdict(Group("nl", TRANSFER, "de", fraction)),
            "seeds": [1],
            "scores": {"f1": {"a": 0.5, "b": 0.5, "difference": difference, "ci95": None, "p": None}},
        }
        for fraction, difference in ((100, None), (20, -0.1))
    ]
    assert find_best(contrasts, "de")["fraction"] == 20
    assert list(beside_paper(contrasts, "de")) == []


def test_claims_of_the_paper_have_ours_beside_them(results: dict[str, Any]) -> None:
    over_e2e, over_pipeline = results["paper"]
    assert (over_e2e["against"], over_e2e["paper_percent"]) == (E2E, 7)
    assert (over_pipeline["against"], over_pipeline["paper_percent"]) == (PIPELINE, 4)
    f1 = contrast(results, BY_FRACTION)["scores"]["f1"]
    assert (over_e2e["points"], over_e2e["relative_percent"]) == (pytest.approx(20.0), pytest.approx(25.0))
    assert over_e2e["ci95"] == [100 * bound for bound in f1["ci95"]]
    assert (over_e2e["p"], over_e2e["seeds"]) == (f1["p"], [1])
    assert (results["best"]["fraction"], results["best"]["difference"]) == (100, f1["difference"])


def test_the_results_are_json_and_tell_no_folder_of_the_machine(finished: list[Cell], results: dict[str, Any]) -> None:
    assert json.loads(json.dumps(results)) == results
    assert str(finished[0].recipe.parent) not in json.dumps(results)
    assert results["made_with"] == {
        "commits": ["abc1234"],
        "versions": [{"espnet": "1.2"}],
        "synthetic": True,
        "corpora": {"nl": "mini", "de": "mini"},
        "taggers": {"nl": [f"exp/tagger ({UNKNOWN})"]},
    }
    assert results["preset"]["epochs"] == [[20, 3], [100, 2]]


def test_recipes_may_be_told_by_a_relative_path(
    finished: list[Cell], results: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    egs = finished[0].recipe.parent
    monkeypatch.chdir(egs.parent)
    cells = [replace(cell, recipe=Path(egs.name) / cell.recipe.name) for cell in finished]
    assert collect(cells, LANGS, PRESET)["groups"] == results["groups"]


def test_nothing_finished_is_no_result(finished: list[Cell]) -> None:
    results = collect(finished[:1], LANGS, PRESET)  # the data
    assert (results["groups"], results["contrasts"], results["paper"], results["best"]) == ([], [], [], None)


def test_a_finished_cell_without_scores_is_refused(finished: list[Cell]) -> None:
    cell = replace(finished[1], tag="absent")
    with pytest.raises(SpnerError, match="score/lm/test.json: cannot be read"):
        collect([cell], LANGS, PRESET)


@pytest.mark.parametrize(
    ("group", "name"),
    [
        (Group("nl", E2E), "nl e2e"),
        (Group("nl", E2E, "", 20), "nl e2e, 20 %"),
        (Group("nl", TRANSFER, "de", 20), "nl transfer from de, 20 %"),
        (Group("nl", NEW_OUTPUT, "de", 20), "nl transfer, new output layer, from de, 20 %"),
        (Group("nl", ZERO_SHOT, "de", 0), "nl zero-shot by de"),
        (Group("nl", JOINT, "de en"), "nl joint"),
    ],
)
def test_groups_in_words(group: Group, name: str) -> None:
    assert name_group(group) == name


@pytest.mark.parametrize(
    ("source", "fraction", "expected"),
    [
        ("", 100, Group("nl", E2E)),
        ("", 20, Group("nl", E2E, "", 20)),
        ("", 0, None),
        ("de", 20, Group("nl", TRANSFER, "de", 20)),
        ("de", 0, Group("nl", ZERO_SHOT, "de", 0)),
    ],
)
def test_curves(source: str, fraction: int, expected: Group | None) -> None:
    assert find_curve_group("nl", source, fraction) == expected
