"""The page of the results: exact tables, verdicts, and what it says where something is missing."""

from typing import Any

import pytest

from spner.benchmark.tables import SUPERVISION, format_results
from spner.report.markdown import GOLD_NOTE, PSEUDO_NOTE, SYNTHETIC_NOTE
from tests.benchmark.made_up import make_results


def format_page(results: dict[str, Any], skipped: dict[str, str] | None = None) -> str:
    return format_results(results, plot="f1.png", machine="AMD EPYC, 2 cores", skipped=skipped or {})


def section(results: dict[str, Any], title: str) -> str:
    """Return the body of a section."""
    _, _, rest = format_page(results).partition(f"\n## {title}\n\n")
    return rest.partition("\n\n## ")[0].rstrip("\n")


def test_sections_and_what_is_said_before_them() -> None:
    head, *titles = [part.partition("\n")[0] for part in format_page(make_results()).split("\n## ")]
    assert head == "# Comparison, preset quick"
    assert titles == [
        "In short",
        "Systems by language",
        "Zero-shot",
        "Fractions of the nl train set",
        "Contrasts",
        "Output layer: carried over row by row, against new",
        "Entities that the corpora share",
        "Beside the paper",
        "Cells without scores",
        "Made with",
    ]
    notes = format_page(make_results()).split("\n\n")[1:4]
    assert notes == [
        f"**{SYNTHETIC_NOTE}**",
        SUPERVISION,
        f"- nl: 150 utterances of test; {GOLD_NOTE} `spner|norm:nl`\n"
        f"- de: 150 utterances of test; {PSEUDO_NOTE} `spner|norm:de`",
    ]


def test_recorded_speech_is_not_called_synthetic() -> None:
    results = make_results()
    results["made_with"]["synthetic"] = False
    assert SYNTHETIC_NOTE not in format_page(results) and SUPERVISION in format_page(results)


def test_answers() -> None:
    assert section(make_results(), "In short") == (
        "F1, and its difference from what a system is held against:\n\n"
        "- e2e against the pipeline: nl e2e: worse (-0.100, p 0.020, 3 seeds)\n"
        "- pipeline's tagger of recognised words against one of cased text: nl pipeline: better (+0.600, p 0.002, 3 "
        "seeds)\n"
        "- another upstream against the first: not compared\n"
        "- transfer against none: nl transfer from de, 20 %: better (+0.200, p 0.010, 3 seeds); "
        "nl transfer from de: no clear difference (+0.050, p 0.300, 3 seeds)\n"
        "- transfer against the pipeline: nl transfer from de: no clear difference (-0.050, p -, 1 seed)\n"
        "- joint against e2e: not compared\n"
        "- output layer carried over against a new one: nl transfer from de, 20 %: better (+0.100, p 0.049, 2 seeds)"
    )


def test_systems_target_first() -> None:
    head, _, *rows = section(make_results(), "Systems by language").splitlines()
    assert head == "|  | WER | EER | F1 | label-F1 | F1, unseen | F1 of each seed |"
    assert [row.split(" | ")[0] for row in rows] == [
        "| nl pipeline",
        "| nl pipeline, cased tagger",
        "| nl e2e",
        "| nl transfer from de",
        "| de e2e",
    ]
    assert rows[2] == (
        "| nl e2e | 0.300 [0.200, 0.400] (3) | 0.300 [0.200, 0.400] (3) | 0.700 [0.600, 0.800] (3) | "
        "0.700 [0.600, 0.800] (3) | - | 0.700, 0.700, 0.700 |"
    )


def test_zero_shot_matrix() -> None:
    f1, label_f1, _eer, wer = section(make_results(), "Zero-shot").split("\n\n")
    assert (
        f1
        == """\
| F1 | nl test | de test |
|---|---|---|
| nl model | 0.700 [0.600, 0.800] (3) | - |
| de model | 0.100 [0.000, 0.200] (1) | 0.750 [0.650, 0.850] (1) |"""
    )
    assert label_f1.startswith("| label-F1 |")
    assert wer.splitlines()[3] == "| de model | 0.900 [0.800, 1.000] (1) | 0.250 [0.150, 0.350] (1) |"


def test_fractions() -> None:
    plot, f1, _label_f1, _eer, wer, cer = section(make_results(), "Fractions of the nl train set").split("\n\n")
    assert plot == "![F1 by fraction](f1.png)"
    assert (
        f1
        == """\
| F1 | utterances | hours | epochs | from none | from de |
|---|---|---|---|---|---|
| 0 % | - | - | - | - | 0.100 [0.000, 0.200] (1) |
| 20 % | 180 | 0.20 | 3 | 0.300 [0.200, 0.400] (3) | 0.500 [0.400, 0.600] (3) |
| 100 % | 900 | 1.00 | 2 | 0.700 [0.600, 0.800] (3) | 0.750 [0.650, 0.850] (3) |"""
    )
    assert wer.splitlines()[3] == "| 20 % | 180 | 0.20 | 3 | 0.700 [0.600, 0.800] (3) | 0.500 [0.400, 0.600] (3) |"
    assert cer.splitlines()[3] == "| 20 % | 180 | 0.20 | 3 | 0.175 [0.075, 0.275] (3) | 0.125 [0.025, 0.225] (3) |"


def test_contrasts_without_the_ablation() -> None:
    note, table, missing = section(make_results(), "Contrasts").split("\n\n", 2)
    head, _, *rows = table.splitlines()
    assert "not corrected" in note and head == "|  | against | seeds | F1 | WER | EER | label-F1 |"
    assert rows[0] == (
        "| nl e2e | nl pipeline | 3 | -0.100 [-0.150, -0.050], p 0.020, worse | +0.100 [+0.050, +0.150], p 0.020, "
        "worse | +0.100 [+0.050, +0.150], p 0.020, worse | -0.100 [-0.150, -0.050], p 0.020, worse |"
    )
    assert [row.split(" | ")[1] for row in rows] == [
        "nl pipeline",
        "nl pipeline, cased tagger",
        "nl e2e, 20 %",
        "nl e2e",
        "nl pipeline",
    ]
    assert missing == "Not compared:\n\n- de e2e against de pipeline: no scores of de pipeline"


@pytest.mark.parametrize(
    ("difference", "p", "f1", "wer"),
    [
        (0.1, 0.049, "better", "worse"),
        (-0.1, 0.049, "worse", "better"),
        (0.1, 0.05, "no clear difference", "no clear difference"),
        (0.1, None, "no clear difference", "no clear difference"),
    ],
)
def test_verdicts_know_which_way_is_better(difference: float, p: float | None, f1: str, wer: str) -> None:
    results = make_results()
    for row in results["contrasts"][0]["scores"].values():
        row |= {"difference": difference, "p": p}
    cells = section(results, "Contrasts").split("\n\n")[1].splitlines()[2].split(" | ")
    assert (cells[3].rpartition(", ")[2], cells[4].rpartition(", ")[2]) == (f1, wer)


def test_ablation() -> None:
    row = section(make_results(), "Output layer: carried over row by row, against new").splitlines()[2]
    assert row.startswith("| 20 % | 2 | 0.600 | 0.500 | +0.100 [+0.050, +0.150], p 0.049, better | -0.100 ")


def test_overlap() -> None:
    assert (
        section(make_results(), "Entities that the corpora share")
        == """\
Whole corpora, pseudo-labels; an entity is a label and its words; shares with counts. Names count as shared where both \
languages spell them alike.

| target | source | label | target's mentions in the source | target's distinct entities in the source | \
source's mentions in the target | source's distinct entities in the target |
|---|---|---|---|---|---|---|
| nl | de | all | 0.250 (1 of 4) | - (0 of 0) | 0.250 (1 of 4) | - (0 of 0) |"""
    )


def test_the_paper_and_ours() -> None:
    claimed, table, best = section(make_results(), "Beside the paper").split("\n\n")
    assert "is not stated" in claimed
    assert table.splitlines()[2] == (
        "| nl transfer from de against e2e | +7 % | +5.0 [-1.0, +11.0] | +7.1 % | 0.300 | 3 |"
    )
    assert best.startswith("Transfer from de gains most over none at 20 %: F1 +0.200 [+0.150, +0.250], p 0.010. ")


def test_made_with() -> None:
    made_with = section(make_results(), "Made with").replace("nl pipeline, cased tagger; ", "")
    assert (
        made_with
        == """\
| made with |  |
|---|---|
| preset | `quick` |
| settings | mini_opts `--num_train 900`; train_config `train_mini.yaml` |
| corpora | nl: mini, de: mini |
| taggers of pipelines | nl: exp/tagger, exp/tagger_speech |
| commit | abc1234 |
| seeds 1 | de e2e; nl zero-shot by de |
| seeds 1 2 3 | nl pipeline; nl e2e; nl e2e, 20 %; nl transfer from de; nl transfer from de, 20 % |
| machine | AMD EPYC, 2 cores |
| versions | espnet 1.2, torch 2.11 |"""
    )


def test_made_with_tells_the_upstreams() -> None:
    results = make_results()
    results["preset"]["upstreams"] = ["xls_r_300m", "facebook/mms-300m"]
    assert "train_config `train_mini.yaml`; upstreams `xls_r_300m, facebook/mms-300m` |" in section(
        results, "Made with"
    )


def test_cells_without_scores_are_listed() -> None:
    page = format_page(make_results(), {"nl_joint_s1": "exit code 1", "de_by_en_s1": "needs en_e2e_s1"})
    assert "## Cells without scores\n\n- nl_joint_s1: exit code 1\n- de_by_en_s1: needs en_e2e_s1\n\n## " in page
    assert section(make_results(), "Cells without scores") == "None."


def test_results_without_anything_finished() -> None:
    results = make_results() | dict.fromkeys(("groups", "contrasts", "missing", "paper"), [])
    page = format_page(results | {"overlaps": None, "best": None})
    assert page.count("None.") == 11  # systems, five by fraction, contrasts, ablation, overlaps, claims, cells
    assert "gains most" not in page


def test_undefined_scores_are_shown_as_such() -> None:
    results = make_results()
    for row in results["contrasts"][0]["scores"].values():
        row |= {"a": None, "b": None, "difference": None, "ci95": None, "p": None}
    assert "nl e2e: no clear difference (-, p -, 3 seeds)" in section(results, "In short")


def test_collected_results_can_be_shown(results: dict[str, Any]) -> None:
    assert "| nl e2e | 0.056 [" in section(results, "Systems by language")
