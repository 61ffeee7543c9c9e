"""What the documents show is true: commands and options exist, links and file names lead somewhere, scores are right.

``test_recipe_runs.py`` runs the main command and holds the README's output against what it prints.
"""

import ast
import re
import shlex
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from spner.cli import cli
from spner.scoring.options import Options
from spner.scoring.score import score

ROOT = Path(__file__).resolve().parents[1]
METRICS = ROOT / "docs" / "metrics.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("egs/**/README.md")])


def settings_of(script: Path) -> list[str]:
    return re.findall(r"^([a-z_]+)=", script.read_text(), re.MULTILINE)


NAMES = settings_of(ROOT / "egs/TEMPLATE/settings.sh")
STEPS = [path for path in ROOT.glob("egs/*/run.sh") if "TEMPLATE/steps.sh" in path.read_text()]
OWN_SETTINGS = {path.parent.name: set(settings_of(path)) for path in STEPS}  # of recipes with stages of their own
BENCHMARK = "egs/benchmark/run.sh"
SETTINGS = set(NAMES)
PASSED_ON = {
    "mini_opts": "mini-corpus",
    "init_opts": "train",
    "lm_opts": "lm",
}  # settings that hold a command's options

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def shown_commands(document: Path) -> list[str]:
    """Return the lines of the document's shell blocks and the pasteable lines of its logs, without the ``+``."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = (line.removeprefix("+ ") for kind, block in blocks if kind in ("", "bash") for line in block.splitlines())
    return [line for line in lines if re.match(r"(spner |egs/|tools/)", line)]


def named_options(text: str) -> set[str]:
    """Return the options that inline code names: of ``spner tune --lm x`` ``lm``."""
    return {
        option for code in re.findall(r"`([^`\n]+)`", text) for option in re.findall(r"(?:^|\s)--([a-z_0-9]+)", code)
    }


def without_blocks(document: Path) -> str:
    return re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def options_of(command_name: str) -> set[str]:
    return {name.removeprefix("--") for p in cli.commands[command_name].params for name in [*p.opts, *p.secondary_opts]}


def test_the_documents_show_commands() -> None:
    assert {"README.md", "CONTRIBUTING.md", "metrics.md", "design.md"} <= {document.name for document in DOCUMENTS}
    assert sum(len(shown_commands(document)) for document in DOCUMENTS) >= 20


@pytest.mark.parametrize(
    "command", [line for document in DOCUMENTS for line in shown_commands(document)], ids=lambda line: line
)
def test_a_shown_command_exists_with_its_options(command: str) -> None:
    program, *arguments = shlex.split(command, comments=True)
    passed_on = [(name, value) for name, value in pairwise(arguments) if name.removeprefix("--") in PASSED_ON]
    for name, value in passed_on:
        given = {word.removeprefix("--") for word in shlex.split(value) if word.startswith("--")}
        assert given <= options_of(PASSED_ON[name.removeprefix("--")])
    own = [argument for argument in arguments if argument not in {value for _, value in passed_on}]
    options = {argument.removeprefix("--") for argument in own if argument.startswith("--")}
    if program.startswith("tools/"):
        known = {"dev"} if program == "tools/setup.sh" else set()
    elif program in ("spner", BENCHMARK):
        known = options_of(arguments[0] if program == "spner" else "benchmark")
    else:
        known = OWN_SETTINGS.get(Path(program).parent.name, SETTINGS)
    # A recipe for Italian is the documents' example of one to make.
    assert program == "spner" or "/cv_it/" in program or (ROOT / program).is_file()
    assert options <= known


@every_document
def test_options_named_in_the_text_exist(document: Path) -> None:
    known = SETTINGS.union({"dev", "help"}, *OWN_SETTINGS.values()) | {
        name for command in cli.commands for name in options_of(command)
    }
    assert named_options(without_blocks(document)) <= known


@every_document
def test_commands_named_in_the_text_exist(document: Path) -> None:
    named = re.findall(r"`spner ([a-z][a-z-]*)", without_blocks(document))
    assert set(named) <= set(cli.commands)


def test_the_two_main_commands_are_the_readmes_first() -> None:
    tag, *main_commands = shown_commands(ROOT / "README.md")[:3]
    assert tag.startswith("spner tag ")
    assert main_commands == ["egs/cv_nl/run.sh --stage 1 --stop_stage 6", "tools/test.sh"]
    assert "tools/test.sh" in (ROOT / ".ci/run").read_text()


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


# Words


OLD_WORDS = re.compile(
    r"embedded corpus|from nothing|\ban mini\b|of all randomness|chooses the (epoch|normalisation)", re.I
)
PROSE = [*DOCUMENTS, *(path for kind in ("*.py", "*.yaml", "*.sh") for path in ROOT.glob(f"[ces]*/**/{kind}"))]


def test_words_are_the_fields_own() -> None:
    assert len(PROSE) > 100
    assert [path for path in PROSE if OLD_WORDS.search(path.read_text(encoding="utf-8"))] == []


@every_document
def test_code_blocks_stand_between_whole_sentences(document: Path) -> None:
    lines = [line for line in document.read_text(encoding="utf-8").splitlines() if line]
    fences = [number for number, line in enumerate(lines) if line.startswith("```")]
    for start, end in zip(fences[::2], fences[1::2], strict=True):
        before, after = lines[start - 1], lines[end + 1] if end + 1 < len(lines) else "#"
        assert before.startswith("#") or before.endswith((".", ":")), before
        assert not after[0].islower(), after


# Links, and names of files and functions


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", without_blocks(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@every_document
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", without_blocks(document))
    for link in (link for link in links if not link.startswith("https://")):
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@every_document
def test_named_files_exist(document: Path) -> None:
    text = without_blocks(document)
    made_by_the_reader = re.compile(r"egs/cv_it|egs/\w+/exp|templates/it\.yaml|benchmark_small")
    for name in re.findall(r"`((?:spner|docs|conf|egs|tools|tests)/[\w./-]+)(?::[\w.]+)?`", text):
        assert made_by_the_reader.search(name) or (ROOT / name).exists(), name


def test_the_table_of_rooms_is_true() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8").partition("## Rooms")[2].partition("## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|.*\| (`.*`) \|$", text, re.MULTILINE)
    packages = {path.parent.name for path in (ROOT / "spner").glob("*/__init__.py")}
    assert {room for room, _ in rows} == packages
    for room, files in rows:
        assert all((ROOT / "spner" / room / name).exists() for name in re.findall(r"`([^`]+)`", files)), room


@cache
def names_in(module: Path) -> set[str]:
    """Return the module's functions, classes and methods."""
    nodes = ast.walk(ast.parse(module.read_text(encoding="utf-8")))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def named_functions() -> Iterator[tuple[str, str]]:
    for document in DOCUMENTS:
        yield from re.findall(r"`((?:spner|tests)/[\w/]+\.py):(\w+)`", document.read_text(encoding="utf-8"))


def test_functions_are_named() -> None:
    assert ("spner/scoring/eer.py", "count_missed") in set(named_functions())


@pytest.mark.parametrize(("module", "name"), sorted(set(named_functions())))
def test_a_named_function_exists(module: str, name: str) -> None:
    assert name in names_in(ROOT / module)


@pytest.mark.parametrize("module", sorted([*ROOT.glob("spner/**/*.py"), *ROOT.glob("tests/**/*.py")]))
def test_cited_sections_of_the_metrics_exist(module: Path) -> None:
    sections = set(re.findall(r"^## (\d)\.", METRICS.read_text(encoding="utf-8"), re.MULTILINE))
    citation = re.compile(r"docs/metrics\.md,\s+sections? (\d)(?: (?:and|to) (\d))?")
    cited = citation.findall(module.read_text(encoding="utf-8"))
    assert {number for numbers in cited for number in numbers if number} <= sections


# Worked examples


def worked_rows() -> list[tuple[str, ...]]:
    """Return the rows of the table of worked scores: reference, hypothesis, WER, EER, F1 and label-F1."""
    table = METRICS.read_text(encoding="utf-8").partition("| reference | hypothesis |")[2]
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
