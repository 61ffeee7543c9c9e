"""What made a result: the commit of this checkout, the versions of the packages it ran on, the machine."""

import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

TRAINING_PACKAGES = ("espnet", "espnet-s3prl", "torch", "transformers")


def collect_versions(packages: Iterable[str] = TRAINING_PACKAGES) -> dict[str, str]:
    """Return the versions of Python and of the packages that decide a result; "not installed" where one is missing."""
    return {"python": platform.python_version(), **{name: _version(name) for name in packages}}


def git_commit(folder: Path = Path(__file__).parent) -> str | None:
    """Return the full hash of the commit that ``folder`` is checked out from, with ``-dirty`` when files differ.

    None outside a git checkout, before the first commit, without git, and for a folder that git does not
    track: an installed copy inside somebody else's repository is not that repository's commit.
    """
    if not _git(folder, "ls-files", "."):
        return None
    return _git(folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def describe_machine(cpus: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor, its cores and the GPUs: ``AMD EPYC 7B13, 2 cores, NVIDIA H100 80GB HBM3``.

    Args:
        cpus: where Linux describes its processors; on other systems the kind of processor is named.
    """
    lines = cpus.read_text(encoding="utf-8").splitlines() if cpus.is_file() else []
    found = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    cores = os.cpu_count() or 1
    cards = _run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]) or ""
    return ", ".join([found or platform.machine(), f"{cores} core{'s' if cores > 1 else ''}", *cards.splitlines()])


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints, stripped; None where git is missing or fails."""
    return _run(["git", "-C", str(folder), *arguments])


def _run(command: list[str]) -> str | None:
    """Return what a command prints, stripped; None where it is missing or fails."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()
