"""The set-up: what it calls, keeps, remakes and refuses, with an interpreter that only pretends to install."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import spner

ROOT = Path(__file__).resolve().parents[1]

# Pretends to be Python $FAKE_VERSION (or what its own folder's file "version" says): makes hollow environments and
# logs what pip is asked to do.
FAKE_PYTHON = """#!/bin/bash
here="$(dirname "$0")"
case "$*" in
*environment.py\\ version)
    echo "$(cat "${here}/version" 2> /dev/null || echo "${FAKE_VERSION:-3.11}")" ;;
*environment.py\\ missing*)
    [[ -z "${FAKE_MISSING:-}" ]] || { echo "${FAKE_MISSING}"; exit 1; } ;;
-c*)
    exec "${REAL_PYTHON}" "$@" ;;
-m\\ venv*)
    echo "venv ${FAKE_VERSION:-3.11}" >> "${FAKE_LOG}"
    rm -rf "${!#}" && mkdir -p "${!#}/bin" && cp "$0" "${!#}/bin/python"
    echo "${FAKE_VERSION:-3.11}" > "${!#}/bin/version" ;;
-m\\ pip\\ --version)
    [[ ! -e "${here}/no_pip" ]] ;;
-m\\ ensurepip)
    echo ensurepip >> "${FAKE_LOG}" ;;
-m\\ pip*)
    (IFS="|"; echo "pip|${*:3}") >> "${FAKE_LOG}"
    echo "pip talks"
    sleep "${FAKE_PIP_S:-0}"
    exit "${FAKE_PIP_CODE:-0}" ;;
esac
"""
BOUND = "pip|install|pip<26.3"
SYSTEM_TOOLS = ("bash", "env", "dirname", "cksum", "mv", "rm", "cat", "mkdir", "cp", "sleep", "sed")
PINS = "tools/constraints.txt"


class Checkout:
    """A copy of what the set-up reads, in a folder with a space and a letter beyond ASCII."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "pad met spaties é"
        self.venv = self.root / ".venv"
        self.log = folder / "log"
        self.bin = folder / "bin"
        self.system = folder / "system"  # the commands that the script uses and no other, above all no Python
        self.system.mkdir()
        for name in SYSTEM_TOOLS:
            (self.system / name).symlink_to(str(shutil.which(name)))
        (self.root / "tools").mkdir(parents=True)
        for name in ("setup.py", PINS, "tools/setup.sh", "tools/environment.py"):
            shutil.copy(ROOT / name, self.root / name)
        self.add_python(self.bin / "python3.11")

    def add_python(self, path: Path, script: str = FAKE_PYTHON) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        always = {"PATH": f"{self.bin}:{self.system}", "REAL_PYTHON": sys.executable, "FAKE_LOG": str(self.log)}
        command = ["bash", str(self.root / "tools" / "setup.sh"), *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, env=always | variables, cwd=self.bin, encoding="utf-8", stdout=pipe, stderr=pipe
        )

    def run(self, *arguments: str, code: int = 0, **variables: str) -> tuple[str, str]:
        """Run the set-up, check its exit code, and return its standard output and error."""
        process = self.start(*arguments, **variables)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, err
        assert out == ("" if code else out)
        return out, err

    def calls(self) -> list[str]:
        """Return what was asked of the interpreters since the last look."""
        calls = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return calls

    @property
    def full_install(self) -> list[str]:
        pins = f"pip|install|--require-hashes|--requirement|{self.root / PINS}"
        return [BOUND, pins, f"pip|install|--no-deps|--no-build-isolation|--editable|{self.root}"]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture
def made(checkout: Checkout) -> Checkout:
    """A checkout whose environment is finished."""
    assert checkout.run()[0] == f"{checkout.venv}/bin\n"
    assert checkout.calls() == ["venv 3.11", *checkout.full_install]
    return checkout


def test_a_second_run_does_nothing_even_where_a_better_interpreter_appeared(made: Checkout) -> None:
    made.add_python(made.bin / "python3.12")
    assert made.run(FAKE_VERSION="3.12") == (f"{made.venv}/bin\n", "")
    assert made.calls() == []


@pytest.mark.parametrize("name", ["setup.py", PINS])
def test_changed_requirements_are_installed_into_the_same_environment(made: Checkout, name: str) -> None:
    with open(made.root / name, "a", encoding="utf-8") as file:
        file.write("# changed\n")
    made.run()
    assert made.calls() == made.full_install


def test_a_failed_install_is_reported_and_taken_up_again(checkout: Checkout) -> None:
    _, err = checkout.run(code=2, FAKE_PIP_CODE="1")
    assert "run this again to continue" in err and "C++ compiler" in err
    assert checkout.calls() == ["venv 3.11", BOUND]
    (checkout.venv / "bin" / "no_pip").touch()
    packages = checkout.venv / "lib" / "python3.11" / "site-packages"
    for file in ("half-1.0.dist-info/METADATA", "whole-1.0.dist-info/INSTALLER"):
        (packages / file).parent.mkdir(parents=True)
        (packages / file).touch()
    # An active .venv is judged by its stamp: what the set-up asks for may be there and the package itself not.
    assert checkout.run(VIRTUAL_ENV=str(checkout.venv))[0] == f"{checkout.venv}/bin\n"
    assert checkout.calls() == ["ensurepip", *checkout.full_install]
    assert [path.name for path in packages.iterdir()] == ["whole-1.0.dist-info"]


def test_a_killed_install_is_taken_up_again(checkout: Checkout) -> None:
    process = checkout.start(FAKE_PIP_S="1")
    while not (checkout.log.exists() and BOUND in checkout.log.read_text()):
        assert process.poll() is None
    process.kill()
    process.communicate(timeout=60)
    checkout.calls()
    checkout.run()
    assert checkout.calls() == checkout.full_install


def test_an_environment_whose_interpreter_is_gone_is_made_anew(made: Checkout) -> None:
    (made.venv / "bin" / "python").unlink()
    made.run()
    assert made.calls() == ["venv 3.11", *made.full_install]


def test_a_moved_checkout_gets_a_new_environment(made: Checkout) -> None:
    made.root = made.root.rename(made.root.with_name("elders"))
    assert made.run()[0] == f"{made.root}/.venv/bin\n"
    assert made.calls() == ["venv 3.11", *made.full_install]


def test_python_chooses_the_interpreter_and_remakes_the_environment_of_another(made: Checkout) -> None:
    made.add_python(made.bin / "python3.13")
    chosen = {"PYTHON": "python3.13", "FAKE_VERSION": "3.13"}
    made.run(**chosen)
    assert made.calls() == ["venv 3.13", *made.full_install]
    assert made.run(**chosen)[1] == "" and made.run()[1] == ""
    assert made.calls() == []


def test_an_own_environment_in_its_place_is_kept_and_never_emptied(checkout: Checkout) -> None:
    python = checkout.venv / "bin" / "python"
    python.parent.mkdir(parents=True)
    assert f"{checkout.venv} cannot be used and was not made by" in checkout.run(code=2)[1]
    assert python.parent.exists() and checkout.calls() == []
    checkout.add_python(python)
    checkout.run()
    assert checkout.calls() == checkout.full_install


def test_what_a_link_leads_to_is_used_if_complete_and_never_changed(checkout: Checkout, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    checkout.add_python(other / "bin" / "python")
    (other / "spner.stamp").write_text("/another/checkout\nchecksum\n", encoding="utf-8")
    checkout.venv.symlink_to(other)
    assert checkout.run() == (f"{checkout.venv}/bin\n", "")
    for variables in ({"FAKE_MISSING": "click==8.*"}, {"PYTHON": "python3.11", "FAKE_VERSION": "3.12"}):
        assert f"{checkout.venv} is a symbolic link" in checkout.run(code=2, **variables)[1].splitlines()[-1]
    assert checkout.calls() == [] and sorted(path.name for path in other.iterdir()) == ["bin", "spner.stamp"]


def test_an_exported_cdpath_changes_nothing(made: Checkout, tmp_path: Path) -> None:
    """With it, cd prints where it goes, and the path of the checkout had two lines."""
    (tmp_path / "elsewhere" / "tools").mkdir(parents=True)
    environment = {"PATH": f"{made.bin}:{made.system}", "REAL_PYTHON": sys.executable, "FAKE_LOG": str(made.log)}
    environment["CDPATH"] = f"{tmp_path / 'elsewhere'}:."
    command = ["bash", "tools/setup.sh"]
    done = subprocess.run(command, env=environment, cwd=made.root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{made.venv}/bin\n", "")


def test_a_dangling_link_is_left_as_it_is(checkout: Checkout, tmp_path: Path) -> None:
    checkout.venv.symlink_to(tmp_path / "gone")
    assert f"{checkout.venv} is a symbolic link" in checkout.run(code=2)[1]
    assert checkout.venv.is_symlink() and checkout.calls() == []


def test_python_3_12_comes_first(checkout: Checkout) -> None:
    checkout.add_python(checkout.bin / "python3.12")
    checkout.add_python(checkout.bin / "python3")
    assert f"making {checkout.venv} with python3.12" in checkout.run()[1]


def test_without_a_python_one_line_says_what_to_do(checkout: Checkout) -> None:
    (checkout.bin / "python3.11").unlink()
    (line,) = checkout.run(code=2)[1].splitlines()
    assert "no usable Python" in line and "PYTHON=/path/to/python3.12 tools/setup.sh" in line


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("exit 127", "PYTHON=other: "),
        ("printf 'is Python 3.10,\\nsorry'; exit 1", "PYTHON=other: is Python 3.10, sorry"),
    ],
)
def test_an_unusable_python_is_refused_in_one_line(checkout: Checkout, script: str, expected: str) -> None:
    checkout.add_python(checkout.bin / "other", f"#!/bin/bash\n{script}\n")
    (line,) = checkout.run(code=2, PYTHON="other")[1].splitlines()
    assert expected in line and not checkout.venv.exists()


def test_torch_index_url_is_asked_besides_the_default_index(checkout: Checkout) -> None:
    url = "https://example.org/cpu"
    checkout.run(TORCH_INDEX_URL=url)
    pins = checkout.venv / "constraints.txt"
    install = f"pip|install|--extra-index-url|{url}|--constraint|{pins}|--editable|{checkout.root}[dev]"
    assert checkout.calls() == ["venv 3.11", BOUND, install]
    lines = pins.read_text(encoding="utf-8").splitlines()
    assert "torch==2.11.0" in lines and not any("--hash" in line or line.endswith("\\") for line in lines)
    assert checkout.run(TORCH_INDEX_URL=url) == checkout.run() == (f"{checkout.venv}/bin\n", "")


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_an_active_environment_is_used_if_complete_and_never_changed(checkout: Checkout, variable: str) -> None:
    active = {variable: str(checkout.bin.parent / "mine")}
    checkout.add_python(Path(active[variable]) / "bin" / "python")
    assert checkout.run(**active) == (f"{active[variable]}/bin\n", "")
    assert checkout.calls() == [] and not checkout.venv.exists()
    out, err = checkout.run(**active, FAKE_MISSING="click==8.*")
    assert out == f"{checkout.venv}/bin\n" and f"{active[variable]} lacks click==8.*" in err


def test_two_set_ups_at_once_install_once(checkout: Checkout) -> None:
    both = [checkout.start(FAKE_PIP_S="0.5") for _ in range(2)]
    results = [process.communicate(timeout=60) for process in both]
    assert [out for out, _ in results] == [f"{checkout.venv}/bin\n"] * 2
    assert checkout.calls() == ["venv 3.11", *checkout.full_install]


def test_an_unknown_option_is_refused(checkout: Checkout) -> None:
    (line,) = checkout.run("--devel", code=2)[1].splitlines()
    assert "--devel" in line and "--dev," in line


def constants() -> dict[str, ast.expr]:
    """Return what setup.py assigns."""
    body = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8")).body
    return {ast.unparse(node.targets[0]): node.value for node in body if isinstance(node, ast.Assign)}


def constant(name: str) -> list[str]:
    """Return a literal of setup.py."""
    return ast.literal_eval(constants()[name])


@pytest.mark.parametrize(("python", "release"), [("3.11", "202511"), ("3.12", "202611"), ("3.13", "202611")])
def test_each_python_gets_one_espnet(python: str, release: str) -> None:
    requirements = [Requirement(text) for text in constant("TRAIN_REQUIREMENTS") if text.startswith("espnet=")]
    chosen = [r for r in requirements if r.marker and r.marker.evaluate({"python_version": python})]
    assert [str(r.specifier) for r in chosen] == [f"=={release}"]


def test_what_recipes_and_tests_need_is_pinned_and_the_plain_install_leaves_room() -> None:
    lists = ("TRAIN_REQUIREMENTS", "MINI_REQUIREMENTS", "DEV_REQUIREMENTS")
    pinned = [Requirement(text) for name in lists for text in constant(name)]
    assert [r.name for r in pinned if not str(r.specifier).startswith("==")] == []
    plain = [Requirement(text) for text in constant("REQUIREMENTS")]
    assert [r.name for r in plain if not str(r.specifier) or "==" in str(r.specifier)] == []


def read_pins() -> dict[str, list[Requirement]]:
    """Return the releases of the constraints file, by name."""
    pins: dict[str, list[Requirement]] = {}
    for line in (ROOT / PINS).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", " ")):
            pin = Requirement(line.removesuffix(" \\"))
            pins.setdefault(canonicalize_name(pin.name), []).append(pin)
    return pins


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_constraints_pin_a_release_that_each_requirement_allows(python: str) -> None:
    """Whoever changes a requirement makes the file anew; CONTRIBUTING.md says how."""
    pins, where = read_pins(), {"python_version": python, "python_full_version": f"{python}.4"}
    lists = [name for name in constants() if name.endswith("REQUIREMENTS")]
    assert len(lists) > 4
    for wanted in (Requirement(text) for name in lists for text in constant(name)):
        if wanted.marker is None or wanted.marker.evaluate(where):
            found = [
                pin for pin in pins[canonicalize_name(wanted.name)] if not pin.marker or pin.marker.evaluate(where)
            ]
            assert len(found) == 1, wanted
            (release,) = found[0].specifier
            assert release.operator == "==" and wanted.specifier.contains(release.version), wanted


def test_every_pin_has_hashes_and_names_no_index() -> None:
    text = (ROOT / PINS).read_text(encoding="utf-8")
    assert "://" not in text and "--index" not in text and "--extra-index" not in text
    pins = re.findall(r"(?m)^[a-z0-9].*==.*\\$\n(?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n?)+", text)
    assert len(pins) == sum(map(len, read_pins().values())) > 100


def test_the_licence_of_every_package_is_told() -> None:
    lists = [text for name in constants() if name.endswith("REQUIREMENTS") for text in constant(name)]
    extras = re.findall(r'"([a-z][\w-]*)>=', (ROOT / "setup.py").read_text(encoding="utf-8"))
    table = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8").lower()
    names = {Requirement(text).name for text in lists} | set(extras)
    assert len(names) > 40
    assert [name for name in sorted(names) if name.lower() not in table] == []


def test_the_plain_install_needs_nothing_to_train_with() -> None:
    """kaldiio's licence is for evaluation, eSpeak NG's the GPL; torch alone is larger than all of the rest."""
    names = {Requirement(text).name.lower() for text in constant("REQUIREMENTS")}
    assert not names & {"torch", "torchaudio", "espnet", "espnet-s3prl", "transformers", "kaldiio", "espeakng-loader"}


def test_the_version_is_read_without_importing_the_package() -> None:
    pytest.importorskip("setuptools", reason="needs setuptools")
    result = subprocess.run(
        [sys.executable, "setup.py", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == spner.__version__


@pytest.mark.parametrize(
    ("arguments", "code", "printed"),
    [
        pytest.param(["version"], 0, ".".join(map(str, sys.version_info[:2])), id="version"),
        pytest.param(["missing", "--dev"], 0, "", id="the environment of these tests"),
        pytest.param(["missing"], 1, "packaging", id="an environment without any package"),
    ],
)
def test_environment(arguments: list[str], code: int, printed: str) -> None:
    flags = ["-S"] if code else []
    command = [sys.executable, *flags, str(ROOT / "tools" / "environment.py"), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]})
    assert (result.returncode, result.stdout) == (code, f"{printed}\n")
