"""What ``tools/setup.sh`` asks of an interpreter; the answers come from ``setup.py``.

Usage: environment.py version | missing [--dev] | pins NAME... | lock FD

Runs on interpreters that are too old for spner, so that they get a message and not a traceback.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

SETUP = Path(__file__).resolve().parent.parent / "setup.py"


def read_constant(name: str):
    """Return a literal assigned at the top of setup.py, without running the file."""
    for node in ast.parse(SETUP.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return ast.literal_eval(node.value)
    raise KeyError(name)


def usable_version() -> str:
    """Return this interpreter's version, such as "3.12".

    Raises:
        SystemExit: it is too old, too new, or cannot make a virtual environment; the message is one line.
    """
    required = read_constant("PYTHON_REQUIRES")
    lowest, beyond = (tuple(map(int, bound.split("."))) for bound in re.findall(r"\d+\.\d+", required))
    found = ".".join(map(str, sys.version_info[:2]))
    if not lowest <= sys.version_info[:2] < beyond:
        sys.exit(f"{sys.executable} is Python {found}, spner needs {required}")
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        sys.exit(
            f"{sys.executable} cannot make a virtual environment ({error}); "
            f"on Debian and Ubuntu: apt install python{found}-venv"
        )
    return found


def missing_requirements(requirements: "Iterable[str]") -> "Iterator[str]":
    """Yield the requirements that this environment does not meet.

    Only those given are looked up, not theirs in turn: pip installs a package after what it depends on.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        from packaging.requirements import Requirement
    except ImportError:
        yield "packaging"
        return
    for requirement in map(Requirement, requirements):
        if requirement.marker and not requirement.marker.evaluate():
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            yield f"{requirement.name}{requirement.specifier}"
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            yield f"{requirement.name}{requirement.specifier} (has {found})"


def lock(descriptor: int) -> None:
    """Lock an open file for the shell that opened it; the lock ends when the shell and its children have ended."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("setup: another set-up is at work in this folder; waiting for it", file=sys.stderr, flush=True)
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def main(command: str, *arguments: str) -> None:
    """Answer one question on standard output; exit code 1 means no."""
    if command == "version":
        print(usable_version())
    elif command == "missing":
        extra = read_constant("DEV_REQUIREMENTS") if "--dev" in arguments else []
        missing = list(missing_requirements(read_constant("REQUIREMENTS") + extra))
        print(", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else ""))
        sys.exit(1 if missing else 0)
    elif command == "pins":
        print(*[pin for pin in read_constant("REQUIREMENTS") if re.split("[=<>; ]", pin)[0] in arguments])
    elif command == "lock":
        lock(int(arguments[0]))
    else:
        sys.exit(f"{command}: unknown; {__doc__}")


if __name__ == "__main__":
    main(*sys.argv[1:])
