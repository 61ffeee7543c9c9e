"""The set-up: what it calls, keeps, remakes and refuses, with an interpreter that only pretends to install."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import spner

ROOT = Path(__file__).resolve().parents[1]

# Pretends to be Python $FAKE_VERSION (or what its own folder's file "version" says): makes hollow environments and
# logs what pip is asked to do; the questions of tools/environment.py go to the real interpreter.
FAKE_PYTHON = """#!/bin/bash
here="$(dirname "$0")"
case "$*" in
*environment.py\\ version)
    echo "$(cat "${here}/version" 2> /dev/null || echo "${FAKE_VERSION:-3.11}")" ;;
*environment.py\\ missing*)
    [[ -z "${FAKE_MISSING:-}" ]] || { echo "${FAKE_MISSING}"; exit 1; } ;;
*environment.py*)
    exec "${REAL_PYTHON}" "$@" ;;
-m\\ venv*)
    echo "venv ${FAKE_VERSION:-3.11}" >> "${FAKE_LOG}"
    rm -rf "${!#}" && mkdir -p "${!#}/bin" && cp "$0" "${!#}/bin/python"
    echo "${FAKE_VERSION:-3.11}" > "${!#}/bin/version" ;;
-m\\ pip\\ --version)
    [[ ! -e "${here}/no_pip" ]] ;;
-m\\ pip*)
    (IFS="|"; echo "pip|${*:3}") >> "${FAKE_LOG}"
    echo "pip talks"
    sleep "${FAKE_PIP_S:-0}"
    exit "${FAKE_PIP_CODE:-0}" ;;
esac
"""
BOUND = "pip|install|pip<26.3"


class Checkout:
    """A copy of what the set-up reads, in a folder with a space and a letter beyond ASCII."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "pad met spaties é"
        self.venv = self.root / ".venv"
        self.log = folder / "log"
        self.bin = folder / "bin"
        (self.root / "tools").mkdir(parents=True)
        for name in ("setup.py", "tools/setup.sh", "tools/environment.py"):
            shutil.copy(ROOT / name, self.root / name)
        self.add_python(self.bin / "python3.11")

    def add_python(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(FAKE_PYTHON, encoding="utf-8")
        path.chmod(0o755)

    def environment(self, variables: dict[str, str]) -> dict[str, str]:
        inherited = {"LANG": os.environ.get("LANG", "C"), "REAL_PYTHON": sys.executable, "FAKE_LOG": str(self.log)}
        return {**inherited, "PATH": f"{self.bin}:{self.system_tools()}", **variables}

    def system_tools(self) -> Path:
        """A folder with the commands that the script uses and no other, above all no Python."""
        folder = self.log.parent / "system"
        if not folder.exists():
            folder.mkdir()
            for name in ("bash", "env", "dirname", "cksum", "mv", "rm", "cat", "df", "awk", "mkdir", "cp", "sleep"):
                (folder / name).symlink_to(str(shutil.which(name)))
        return folder

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", str(self.root / "tools" / "setup.sh"), *arguments],
            env=self.environment(variables),
            cwd=self.log.parent,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, code: int = 0, **variables: str) -> tuple[str, str]:
        """Run the set-up, check its exit code, and return its standard output and error."""
        process = self.start(*arguments, **variables)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, err
        return out, err

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    def calls(self) -> list[str]:
        """Return what was asked of the interpreters since the last look."""
        calls = self.log_text().splitlines()
        self.log.unlink(missing_ok=True)
        return calls

    @property
    def full_install(self) -> list[str]:
        return [BOUND, f"pip|install|--editable|{self.root}[dev]"]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_a_first_run_makes_the_environment_and_prints_only_its_bin_folder(checkout: Checkout) -> None:
    out, err = checkout.run()
    assert out == f"{checkout.venv}/bin\n"
    assert checkout.calls() == ["venv 3.11", *checkout.full_install]
    assert "making" in err and "ready" in err


def test_a_second_run_does_nothing(checkout: Checkout) -> None:
    checkout.run()
    checkout.calls()
    assert checkout.run() == (f"{checkout.venv}/bin\n", "")
    assert checkout.calls() == []


def test_a_changed_setup_py_is_installed_into_the_same_environment(checkout: Checkout) -> None:
    checkout.run()
    checkout.calls()
    with open(checkout.root / "setup.py", "a", encoding="utf-8") as file:
        file.write("# changed\n")
    _, err = checkout.run()
    assert checkout.calls() == checkout.full_install
    assert "continuing" in err


def test_a_failed_install_is_reported_and_taken_up_again(checkout: Checkout) -> None:
    out, err = checkout.run(code=2, FAKE_PIP_CODE="1")
    assert out == "" and "failed" in err and "free disk space" in err and "run this again" in err
    assert checkout.calls() == ["venv 3.11", BOUND]
    out, _ = checkout.run()
    assert out == f"{checkout.venv}/bin\n"
    assert checkout.calls() == checkout.full_install


@pytest.mark.parametrize(("version", "needed"), [("3.11", True), ("3.12", False), ("3.13", True)])
def test_a_failure_without_a_compiler_says_so_where_one_is_needed(
    checkout: Checkout, version: str, needed: bool
) -> None:
    _, err = checkout.run(code=2, FAKE_PIP_CODE="1", FAKE_VERSION=version)
    assert (f"no C++ compiler, which Python {version} needs" in err) == needed


def test_a_killed_install_is_taken_up_again(checkout: Checkout) -> None:
    process = checkout.start(FAKE_PIP_S="1")
    while BOUND not in checkout.log_text():
        assert process.poll() is None
    process.kill()
    process.communicate(timeout=60)
    checkout.calls()
    checkout.run()
    assert checkout.calls() == checkout.full_install


def test_a_half_installed_package_is_forgotten_so_that_pip_installs_it_again(checkout: Checkout) -> None:
    checkout.run(code=2, FAKE_PIP_CODE="1")
    packages = checkout.venv / "lib" / "python3.11" / "site-packages"
    for name in ("half-1.0", "whole-1.0"):
        (packages / f"{name}.dist-info").mkdir(parents=True)
        (packages / f"{name}.dist-info" / "METADATA").touch()
    (packages / "whole-1.0.dist-info" / "INSTALLER").touch()
    checkout.run()
    assert [path.name for path in packages.iterdir()] == ["whole-1.0.dist-info"]


def test_an_environment_without_pip_is_made_anew(checkout: Checkout) -> None:
    checkout.run(code=2, FAKE_PIP_CODE="1")
    checkout.calls()
    (checkout.venv / "bin" / "no_pip").touch()
    _, err = checkout.run()
    assert "has no working pip: making it anew" in err
    assert checkout.calls() == ["venv 3.11", *checkout.full_install]


def test_an_environment_whose_interpreter_is_gone_is_made_anew(checkout: Checkout) -> None:
    checkout.run()
    checkout.calls()
    (checkout.venv / "bin" / "python").unlink()
    checkout.run()
    assert checkout.calls() == ["venv 3.11", *checkout.full_install]


def test_a_moved_checkout_gets_a_new_environment(checkout: Checkout) -> None:
    checkout.run()
    checkout.calls()
    old, checkout.root = checkout.root, checkout.root.with_name("elders")
    old.rename(checkout.root)
    checkout.venv = checkout.root / ".venv"
    out, err = checkout.run()
    assert out == f"{checkout.venv}/bin\n" and f"was made for {old}" in err
    assert checkout.calls() == ["venv 3.11", *checkout.full_install]


def test_an_own_environment_in_its_place_is_kept(checkout: Checkout) -> None:
    checkout.add_python(checkout.venv / "bin" / "python")
    checkout.run()
    assert checkout.calls() == checkout.full_install


def test_python_chooses_the_interpreter_and_remakes_the_environment_of_another(checkout: Checkout) -> None:
    checkout.run()
    checkout.calls()
    checkout.add_python(checkout.bin / "python3.13")
    chosen = {"PYTHON": "python3.13", "FAKE_VERSION": "3.13"}
    _, err = checkout.run(**chosen)
    assert "has Python 3.11, not 3.13: making it anew" in err
    assert checkout.calls() == ["venv 3.13", *checkout.full_install]
    assert checkout.run(**chosen)[1] == "" and checkout.run()[1] == ""
    assert checkout.calls() == []


def test_an_interpreter_that_appears_later_does_not_replace_the_environment(checkout: Checkout) -> None:
    checkout.run()
    checkout.calls()
    checkout.add_python(checkout.bin / "python3.12")
    checkout.run(FAKE_VERSION="3.12")
    assert checkout.calls() == []


def test_python_3_12_comes_first(checkout: Checkout) -> None:
    checkout.add_python(checkout.bin / "python3.12")
    checkout.add_python(checkout.bin / "python3")
    _, err = checkout.run()
    assert "(python3.12)" in err


def test_without_a_python_one_line_says_what_to_do(checkout: Checkout) -> None:
    (checkout.bin / "python3.11").unlink()
    out, err = checkout.run(code=2)
    assert out == "" and len(err.splitlines()) == 1
    assert "no usable Python" in err and "PYTHON=/path/to/python3.12 tools/setup.sh" in err


@pytest.mark.parametrize(
    ("name", "script", "expected"),
    [
        pytest.param("python3.10", "echo python3.10 is Python 3.10 >&2; exit 1", "is Python 3.10", id="too old"),
        pytest.param("python3.19", None, "command not found", id="not there"),
        pytest.param("shim", "printf 'not\\nactive\\n' >&2; exit 127", "not active", id="message of two lines"),
    ],
)
def test_an_unusable_python_is_refused_in_one_line(
    checkout: Checkout, name: str, script: str | None, expected: str
) -> None:
    if script:
        (checkout.bin / name).write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
        (checkout.bin / name).chmod(0o755)
    out, err = checkout.run(code=2, PYTHON=name)
    assert out == "" and len(err.splitlines()) == 1 and not checkout.venv.exists()
    assert f"PYTHON={name}" in err and expected in err


def test_torch_comes_first_from_the_index_that_is_named(checkout: Checkout) -> None:
    first, second = "https://example.org/cpu", "https://example.org/other"
    checkout.run(TORCH_INDEX_URL=first)
    torch_first = f"pip|install|--index-url|{first}|torch==2.11.*|torchaudio==2.11.*"
    assert checkout.calls() == ["venv 3.11", BOUND, torch_first, checkout.full_install[1]]
    checkout.run(TORCH_INDEX_URL=first)
    checkout.run()
    assert checkout.calls() == []
    _, err = checkout.run(TORCH_INDEX_URL=second)
    assert f"has PyTorch from {first}: making it anew" in err
    assert checkout.calls()[0] == "venv 3.11"


def test_an_interrupted_install_keeps_to_its_index(checkout: Checkout) -> None:
    index = "https://example.org/cpu"
    checkout.run(code=2, TORCH_INDEX_URL=index, FAKE_PIP_CODE="1")
    checkout.calls()
    checkout.run()
    assert f"pip|install|--index-url|{index}|torch==2.11.*|torchaudio==2.11.*" in checkout.calls()


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_a_complete_active_environment_is_used_as_it_is(checkout: Checkout, tmp_path: Path, variable: str) -> None:
    checkout.add_python(tmp_path / "mine" / "bin" / "python")
    assert checkout.run(**{variable: str(tmp_path / "mine")}) == (f"{tmp_path}/mine/bin\n", "")
    assert checkout.calls() == [] and not checkout.venv.exists()


def test_an_incomplete_active_environment_is_left_alone(checkout: Checkout, tmp_path: Path) -> None:
    checkout.add_python(tmp_path / "mine" / "bin" / "python")
    out, err = checkout.run(VIRTUAL_ENV=str(tmp_path / "mine"), FAKE_MISSING="click==8.*")
    assert out == f"{checkout.venv}/bin\n"
    assert f"the active environment {tmp_path}/mine lacks click==8.*; using {checkout.venv}" in err


def test_two_set_ups_at_once_install_once(checkout: Checkout) -> None:
    both = [checkout.start(FAKE_PIP_S="0.5") for _ in range(2)]
    results = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert [out for out, _ in results] == [f"{checkout.venv}/bin\n"] * 2
    assert sum("waiting for it" in err for _, err in results) == 1
    assert checkout.calls() == ["venv 3.11", *checkout.full_install]


def test_an_unknown_option_is_refused(checkout: Checkout) -> None:
    out, err = checkout.run("--devel", code=2)
    assert out == "" and len(err.splitlines()) == 1 and "--devel" in err and "--dev" in err


def constant(name: str) -> list[str]:
    """Return a literal of setup.py."""
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    return next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    )


@pytest.mark.parametrize(
    ("python", "release"),
    [("3.11", "202511"), ("3.12", "202611"), ("3.13", "202611")],
)
def test_each_python_gets_one_espnet(python: str, release: str) -> None:
    requirements = [Requirement(text) for text in constant("REQUIREMENTS")]
    chosen = [
        str(requirement.specifier)
        for requirement in requirements
        if requirement.name == "espnet"
        and requirement.marker
        and requirement.marker.evaluate({"python_version": python})
    ]
    assert chosen == [f"=={release}"]


def test_every_requirement_is_pinned() -> None:
    requirements = [Requirement(text) for text in constant("REQUIREMENTS") + constant("DEV_REQUIREMENTS")]
    assert [r.name for r in requirements if not str(r.specifier).startswith("==")] == []


def test_the_version_is_read_without_importing_the_package() -> None:
    pytest.importorskip("setuptools", reason="needs setuptools")
    result = subprocess.run(
        [sys.executable, "setup.py", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == spner.__version__


def ask(*arguments: str, isolated: bool = False) -> subprocess.CompletedProcess[str]:
    flags = ["-S"] if isolated else []
    return subprocess.run(
        [sys.executable, *flags, str(ROOT / "tools" / "environment.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )


def test_environment_version() -> None:
    assert ask("version").stdout == ".".join(map(str, sys.version_info[:2])) + "\n"


def test_environment_without_any_package_lacks_them() -> None:
    result = ask("missing", isolated=True)
    assert result.returncode == 1 and result.stdout == "packaging\n"


def test_environment_that_runs_these_tests_lacks_nothing() -> None:
    result = ask("missing", "--dev")
    assert (result.returncode, result.stdout.strip()) == (0, "")
