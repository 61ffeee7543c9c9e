"""The commands that the documents show exist, with the options they show; test_recipe_runs.py runs the main one."""

import re
import shlex
from pathlib import Path

import pytest

from spner.cli import cli

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([ROOT / "README.md", *ROOT.glob("egs/**/README.md")])
NAMES = re.findall(r"^([a-z_]+)=", (ROOT / "egs/TEMPLATE/run.sh").read_text(), re.MULTILINE)
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
    if program == "spner":
        known = {name.removeprefix("--") for p in cli.commands[arguments[0]].params for name in p.opts}
    else:
        assert (ROOT / program).is_file()
        known = SETTINGS
    assert options <= known


def test_the_two_main_commands_are_the_readmes_first() -> None:
    assert shown_commands(ROOT / "README.md")[:2] == ["egs/cv_nl/run.sh --stage 1 --stop_stage 6", "tools/test.sh"]
    assert "tools/test.sh" in (ROOT / ".ci/run").read_text()
