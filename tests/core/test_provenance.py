"""Commit and versions: true in a checkout, None where there is none."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from spner.core.provenance import collect_versions, describe_machine, git_commit


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "a.py").write_text("1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    git(tmp_path, "tag", "-a", "v1", "-m", "a tag does not hide the hash")
    return tmp_path / "package"


def test_commit_is_the_full_hash(checkout: Path) -> None:
    assert git_commit(checkout) == git(checkout, "rev-parse", "HEAD")


def test_modified_checkout_is_dirty(checkout: Path) -> None:
    (checkout / "a.py").write_text("2\n")
    assert git_commit(checkout) == git(checkout, "rev-parse", "HEAD") + "-dirty"


def test_untracked_output_is_not_dirty(checkout: Path) -> None:
    (checkout / "output").write_text("")
    assert not str(git_commit(checkout)).endswith("dirty")


def test_no_commit_outside_git(tmp_path: Path) -> None:
    assert git_commit(tmp_path) is None


def test_no_commit_for_an_installed_copy_inside_another_repository(checkout: Path) -> None:
    installed = checkout / "venv" / "spner"
    installed.mkdir(parents=True)
    (installed / "a.py").write_text("")
    assert git_commit(installed) is None


def test_no_commit_without_git(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_commit(checkout) is None


def test_versions_are_those_installed() -> None:
    assert collect_versions(["rapidfuzz", "no-such-package-here"]) == {
        "python": platform.python_version(),
        "rapidfuzz": version("rapidfuzz"),
        "no-such-package-here": "not installed",
    }


def test_versions_of_the_packages_that_decide_a_score_are_named() -> None:
    assert list(collect_versions()) == ["python", "espnet", "espnet-s3prl", "torch", "transformers"]


def test_machine_is_told_by_its_processor_cores_and_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpus = tmp_path / "cpuinfo"
    cpus.write_text("processor\t: 0\nmodel name\t: Abacus 3000\n\nprocessor\t: 1\nmodel name\t: Abacus 3000\n")
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho Card A\necho Card B\n")
    smi.chmod(0o755)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert describe_machine(cpus) == "Abacus 3000, 2 cores, Card A, Card B"
    smi.write_text("#!/bin/sh\necho no driver\nexit 9\n")
    assert describe_machine(cpus) == "Abacus 3000, 2 cores"


def test_machine_without_a_named_processor_is_told_by_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: None)
    monkeypatch.setenv("PATH", "")
    assert describe_machine(tmp_path / "missing") == f"{platform.machine()}, 1 core"
