"""The commands that the documents show exist, with the options they show; test_recipe_runs.py runs the main one."""

import re
import shlex
from fractions import Fraction
from pathlib import Path

import pytest

from spner.cli import cli
from spner.scoring.score import Options, score

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([ROOT / "README.md", *ROOT.glob("egs/**/README.md")])
NAMES = re.findall(r"^([a-z_]+)=", (ROOT / "egs/TEMPLATE/run.sh").read_text(), re.MULTILINE)
BENCHMARK = "egs/benchmark/run.sh"
SETTINGS = {"stage", "stop_stage", *NAMES}


def shown_commands(document: Path) -> list[str]:
    """Return the lines of the document's shell blocks and the pasteable lines of its logs, without the ``+``."""
    blocks = re.findall(r"^```(?:bash)?\n(.*?)^```", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = (line.removeprefix("+ ") for block in blocks for line in block.splitlines())
    return [line for line in lines if re.match(r"(spner|egs/|tools/)", line)]


def test_the_documents_show_commands() -> None:
    assert len(DOCUMENTS) >= 3
    assert sum(len(shown_commands(document)) for document in DOCUMENTS) >= 8


@pytest.mark.parametrize(
    "command", [line for document in DOCUMENTS for line in shown_commands(document)], ids=lambda line: line
)
def test_a_shown_command_exists_with_its_options(command: str) -> None:
    program, *arguments = shlex.split(command, comments=True)
    options = {argument.removeprefix("--") for argument in arguments if argument.startswith("--")}
    if program in ("spner", BENCHMARK):
        command_name = arguments[0] if program == "spner" else "benchmark"
        known = {name.removeprefix("--") for p in cli.commands[command_name].params for name in p.opts}
    else:
        known = SETTINGS
    assert program == "spner" or (ROOT / program).is_file()
    assert options <= known


def test_the_two_main_commands_are_the_readmes_first() -> None:
    assert shown_commands(ROOT / "README.md")[:2] == ["egs/cv_nl/run.sh --stage 1 --stop_stage 6", "tools/test.sh"]
    assert "tools/test.sh" in (ROOT / ".ci/run").read_text()


def worked_rows() -> list[tuple[str, ...]]:
    """Return the rows of the README's table of scores: reference, hypothesis, WER, EER, F1 and label-F1."""
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("| reference | hypothesis |")[2]
    lines = table.partition("\n\n")[0].splitlines()[2:]
    return [tuple(cell.strip(" `") for cell in line.strip("|").split("|")) for line in lines]


def test_the_table_of_scores_is_there() -> None:
    assert len(worked_rows()) == 10


@pytest.mark.parametrize("row", worked_rows(), ids=lambda row: row[0])
def test_the_scores_worked_by_hand_are_those_of_the_scorer(tmp_path: Path, row: tuple[str, ...]) -> None:
    ref, hyp, *by_hand = row
    (tmp_path / "ref").write_text(f"u {ref}\n", encoding="utf-8")
    (tmp_path / "hyp").write_text(f"u {hyp}\n", encoding="utf-8")
    scores = score(tmp_path / "ref", tmp_path / "hyp", Options(num_draws=0))
    expected = [None if number == "-" else float(Fraction(number)) for number in by_hand]
    assert [scores["wer"]["rate"], scores["eer"]["rate"]] == expected[:2]
    assert [scores[name]["micro"]["f1"] for name in ("f1", "label_f1")] == expected[2:]
