"""Resuming: a finished step is not done again; an unfinished or outdated one is done from the start.

A step leaves a JSON record, written last. It begins with what decides the result: settings and fingerprints of the
inputs. The step counts as finished as long as the record holds the same ones and the files it lists exist.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from spner.core.files import read_json, remove, write_json


def once(
    record: Path,
    identity: Mapping[str, Any],
    make: Callable[[], Mapping[str, Any] | None],
    *,
    outputs: Sequence[Path] = (),
    parts: Iterable[Path] = (),
    prepare: Callable[[], object] | None = None,
) -> dict[str, Any]:
    """Do the step unless it is finished; return its record.

    Before ``make`` runs, the record and the outputs are removed: so a killed run leaves no record that covers
    files of two runs, and no file of an earlier one.

    Args:
        record: JSON file; it holds ``identity``, then what ``make`` returns.
        identity: what decides the result, as JSON can hold it; its keys are the same whatever the settings are.
        make: does the step; what it returns, if anything, is kept in the record.
        outputs: files that it writes.
        parts: files that it writes one by one; those of a stopped run stay, and ``make`` continues from them. They are
            looked at only if all outputs exist.
        prepare: runs before anything is removed: what fails there costs no earlier result.

    Raises:
        SpnerError: the record is not JSON.
    """
    found = find_record(record, identity, chain(outputs, parts))
    if found is not None:
        return found
    if prepare:
        prepare()
    for path in (record, *outputs):
        remove(path)
    made = _as_json({**identity, **(make() or {})})
    write_json(record, made)
    return made


def find_record(record: Path, identity: Mapping[str, Any], files: Iterable[Path] = ()) -> dict[str, Any] | None:
    """Return the record of a step that was finished with this identity and whose files all exist, else None.

    Raises:
        SpnerError: the record is not JSON.
    """
    if not record.exists():
        return None
    found = read_json(record)
    same = isinstance(found, dict) and found.items() >= _as_json(identity).items()
    return found if same and all(file.exists() for file in files) else None


def _as_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value as it comes back from a JSON file: with lists for tuples and text for keys."""
    return json.loads(json.dumps(value))
