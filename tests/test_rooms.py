"""The arrows between rooms (a file imports only from rooms above its own), and what a light command may not load."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "spner"

# From the top down: a room may import itself and the rooms before it.
ROOMS = (
    *("core", "text", "data", "scoring", "corpora", "mini", "tagger", "lm", "asr", "decode", "tag", "report"),
    *("pack", "archive", "benchmark", "cli", "__main__"),
)
PUBLIC = {"tag"}  # rooms whose names the package itself gives to others
HEAVY = {
    *("torch", "torchaudio", "espnet", "espnet2", "transformers", "s3prl", "matplotlib", "jinja2"),
    *("dask", "distributed", "dask_jobqueue"),
}
NO_ESPNET = {"espnet", "espnet2", "s3prl"}
# What a room or a file may not import at module level, where not HEAVY.
ONLY_IN = {"asr": set(), "tagger": NO_ESPNET, "decode/recogniser.py": NO_ESPNET}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    """Return the room of a file of the package; the package's own ``__init__`` is ``""``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def imported_modules(statements: Iterator[ast.AST]) -> Iterator[str]:
    """Yield ``a.b`` for ``import a.b``, and ``a.b.c`` for ``from a.b import c``; relative imports start with a dot."""
    for node in statements:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ("." * node.level + f"{node.module or ''}.{alias.name}" for alias in node.names)


def wrong_arrows(room: str, source: str) -> list[str]:
    """Return the imports that point to a room below ``room``, to an unknown room, or are relative."""
    known = set(ROOMS[: ROOMS.index(room) + 1]) if room else PUBLIC
    wrong = []
    for module in imported_modules(ast.walk(ast.parse(source))):
        top, _, rest = module.partition(".")
        if top == "" or (top == "spner" and rest and not {rest.split(".")[0]} & (known | {"__version__"})):
            wrong.append(module)
    return wrong


def statements_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every node that runs when the module is imported: not functions' bodies, nor ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if not for_types and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from statements_at_import(node)


@pytest.mark.parametrize(
    ("room", "source", "expected"),
    [
        pytest.param("text", "from spner.core.datatypes import Entity", [], id="upwards"),
        pytest.param("asr", "from spner.asr.task import SpnerTask", [], id="own room"),
        pytest.param("text", "from spner.cli import main", ["spner.cli.main"], id="downwards"),
        pytest.param("text", "from spner import cli", ["spner.cli"], id="downwards by name"),
        pytest.param("text", "def f():\n    import spner.data.audio", ["spner.data.audio"], id="inside a function"),
        pytest.param("text", "from .datatypes import Entity", [".datatypes.Entity"], id="relative"),
        pytest.param("text", "from spner.attic import x", ["spner.attic.x"], id="unknown room"),
        pytest.param("cli", "from spner import __version__", [], id="version"),
    ],
)
def test_wrong_arrows_are_seen(room: str, source: str, expected: list[str]) -> None:
    assert wrong_arrows(room, source) == expected


def test_what_runs_at_import_is_seen() -> None:
    tree = ast.parse(
        "import a\nif True:\n    import b\nclass C:\n    import c\n    def f(self):\n        import d\n"
        "if TYPE_CHECKING:\n    import e"
    )
    assert list(imported_modules(statements_at_import(tree))) == ["a", "b", "c"]


def test_every_file_has_a_room() -> None:
    assert len(FILES) > 10
    assert {room_of(path) for path in FILES} <= {"", *ROOMS}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_file_imports_only_from_rooms_above(path: Path) -> None:
    assert wrong_arrows(room_of(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_espnet_and_torch_are_imported_at_module_level_only_where_allowed(path: Path) -> None:
    modules = imported_modules(statements_at_import(ast.parse(path.read_text(encoding="utf-8"))))
    allowed = ONLY_IN.get(path.relative_to(PACKAGE).as_posix(), ONLY_IN.get(room_of(path), HEAVY))
    assert {module.split(".")[0] for module in modules} & allowed == set()


LIGHT_RUN = """
import sys

def refuse_network(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        raise RuntimeError(f"network: {event} {arguments}")

sys.addaudithook(refuse_network)
sys.argv = ["spner", *sys.argv[1:]]
from spner.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("loaded:", *sorted({name.split(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("command", [[], ["score"]], ids=["spner --help", "spner score --help"])
def test_help_loads_nothing_heavy_and_takes_no_network(command: list[str]) -> None:
    result = subprocess.run(
        [sys.executable, "-c", LIGHT_RUN, *command, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    *_, loaded = result.stdout.splitlines()
    assert loaded.startswith("loaded: ") and "spner" in loaded.split()
    assert HEAVY & set(loaded.split()) == set()
