"""What ``tools/setup.sh`` asks of an interpreter; the answers come from ``setup.py``, which is read and not run.

Usage: environment.py version            print its version, such as 3.12; one line of error if spner cannot use it
       environment.py missing [--dev]    print what its environment lacks; exit code 1 if it lacks anything

Also runs on interpreters that are too old for spner, so that they get a message and not a traceback.
"""

import ast
import re
import sys
from pathlib import Path

SETUP = ast.parse((Path(__file__).resolve().parent.parent / "setup.py").read_text(encoding="utf-8"))
VALUES = {getattr(node.targets[0], "id", ""): node.value for node in SETUP.body if isinstance(node, ast.Assign)}


def find_version() -> str:
    """Return the interpreter's version, or exit."""
    required = ast.literal_eval(VALUES["TRAIN_PYTHON"])
    lowest, beyond = (tuple(map(int, bound.split("."))) for bound in re.findall(r"\d+\.\d+", required))
    found = ".".join(map(str, sys.version_info[:2]))
    if not lowest <= sys.version_info[:2] < beyond:
        sys.exit(f"{sys.executable} is Python {found}, spner needs {required}")
    return found


def find_missing(requirements):
    """Yield the requirements that are not met; not theirs in turn: pip installs a package after what it depends on."""
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import Requirement

    for requirement in map(Requirement, requirements):
        if requirement.marker is None or requirement.marker.evaluate():
            try:
                found = version(requirement.name)
            except PackageNotFoundError:
                found = None
            if found is None or not requirement.specifier.contains(found, prereleases=True):
                yield f"{requirement.name}{requirement.specifier} (has {found or 'none'})"


if sys.argv[1:] == ["version"]:
    print(find_version())
else:
    names = ["REQUIREMENTS", "TRAIN_REQUIREMENTS", "MINI_REQUIREMENTS"]
    names += ["SERVE_REQUIREMENTS", "CLUSTER_REQUIREMENTS", "DEV_REQUIREMENTS"] if "--dev" in sys.argv else []
    try:
        missing = list(find_missing(sum((ast.literal_eval(VALUES[name]) for name in names), [])))
    except ImportError:
        missing = ["packaging"]
    print(", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if missing[3:] else ""))
    sys.exit(bool(missing))
