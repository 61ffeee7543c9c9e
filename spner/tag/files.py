"""``spner tag``: recordings and folders of them -> files, one of each format a recording.

A recording whose files are all there is passed over; they appear one by one, each when it is complete. So a stopped
run is finished by the same command. A recording that cannot be read is passed over, too, and told at the end.
"""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from spner.core.errors import SpnerError
from spner.core.files import locked
from spner.core.progress import Progress
from spner.tag.audio import SUFFIXES, Recording, RecordingError, open_recording
from spner.tag.formats import output_path, render, save
from spner.tag.plain import to_terminal
from spner.tag.tagged import Tagged
from spner.tag.tagger import Tagger

STDIN = Path("-")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A recording, and its results' path without the format's suffix, relative to the output folder."""

    audio: Path
    stem: Path


@dataclass
class Report:
    """What became of the recordings: how many were tagged, how many were there already, and why others were not."""

    num_tagged: int = 0
    num_there: int = 0
    broken: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Output:
    """Where results go.

    Attributes:
        formats: names of formats.
        folder: None writes to standard output.
        overwrite: whether recordings whose files are there are tagged again.
    """

    formats: tuple[str, ...]
    folder: Path | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.folder is None and len(self.formats) > 1:
            raise SpnerError("--output_format: several formats need a folder; give --output_dir")
        if self.folder is None and self.overwrite:
            raise SpnerError("--overwrite: there is nothing to write over without --output_dir; leave it out")

    def files(self, folder: Path, job: Job) -> dict[str, Path]:
        """Return a recording's files, by format."""
        return {name: output_path(folder / job.stem, name) for name in self.formats}


def find_jobs(inputs: Sequence[Path]) -> list[Job]:
    """Return the recordings that are named, and those in folders that are named.

    Raises:
        SpnerError: one is missing, or a folder holds none.
    """
    jobs: list[Job] = []
    for path in inputs:
        if path.is_dir():
            jobs += [Job(one, one.relative_to(path).with_suffix("")) for one in list_recordings(path)]
        elif path != STDIN and not path.exists():
            raise SpnerError(f"{path}: no such file (expected a recording, a folder of recordings, or -)")
        else:
            jobs.append(Job(path, Path("stdin" if path == STDIN else path.stem)))
    return list(dict.fromkeys(jobs))


def refuse_same_files(jobs: Sequence[Job]) -> None:
    """Refuse recordings that would be written to the same files.

    Raises:
        SpnerError: two would.
    """
    known: dict[Path, Path] = {}
    for job in jobs:
        other = known.setdefault(job.stem, job.audio)
        if other != job.audio:
            raise SpnerError(
                f"{other} and {job.audio}: would be written to the same files, {job.stem}.*; tag them into two folders"
            )


def list_recordings(folder: Path) -> list[Path]:
    """Return the recordings in a folder and its subfolders, by their suffix; hidden ones are left out.

    Raises:
        SpnerError: there is none.
    """
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    found = [one for one in found if not any(part.startswith(".") for part in one.relative_to(folder).parts)]
    if not found:
        raise SpnerError(f"{folder}: holds no recording (expected files such as talk.mp3); check the path")
    return found


def tag_files(inputs: Sequence[Path], load: Callable[[], Tagger], output: Output) -> Report:
    """Tag recordings and write the results.

    Args:
        inputs: recordings, folders of them, ``-`` for standard input.
        load: makes the tagger; called when there is something to tag.
        output: where to.

    Raises:
        SpnerError: an input is missing, the tagger cannot be loaded, or a result cannot be written.
    """
    jobs = find_jobs(inputs)
    report = Report()
    with contextlib.ExitStack() as stack:
        folder = output.folder
        if folder:
            refuse_same_files(jobs)
            stack.enter_context(locked(folder))
            waiting = [job for job in jobs if output.overwrite or not _is_there(output.files(folder, job))]
            report.num_there = len(jobs) - len(waiting)
            jobs = waiting
        recordings = _open_all(jobs, report, stack)
        if not recordings:
            return report
        tagger = load()
        total_s = sum(round(recording.duration_s) for recording in recordings)
        with Progress(total_s, what="tag", unit="s of audio") as progress:
            for recording, found in tagger.tag_all(recordings, Seconds(progress).advance):
                if isinstance(found, RecordingError):
                    report.broken[recording.name] = str(found)
                    continue
                _write(found, recordings[recording], output)
                report.num_tagged += 1
    return report


def _is_there(files: dict[str, Path]) -> bool:
    return all(path.is_file() for path in files.values())


def _open_all(jobs: Sequence[Job], report: Report, stack: contextlib.ExitStack) -> dict[Recording, Job]:
    """Return the recordings that can be opened; the report gets the others."""
    recordings: dict[Recording, Job] = {}
    for job in jobs:
        try:
            if job.audio == STDIN:
                recordings[_read_stdin(stack)] = job
            else:
                recordings[open_recording(job.audio)] = job
        except RecordingError as error:
            report.broken[str(job.audio)] = str(error)
    return recordings


def _read_stdin(stack: contextlib.ExitStack) -> Recording:
    """Return what comes on standard input, kept in a file: formats are not read from front to back."""
    file = stack.enter_context(tempfile.NamedTemporaryFile(prefix="spner-"))
    while block := sys.stdin.buffer.read(1 << 20):
        file.write(block)
    file.flush()
    if not file.tell():
        raise RecordingError("-: nothing came on standard input (expected a recording)")
    try:
        found = open_recording(Path(file.name))
    except RecordingError as error:
        raise RecordingError(str(error).replace(file.name, "-")) from error
    return Recording("-", found.duration_s, found.blocks)


@dataclass
class Seconds:
    """Counts parts of seconds for a bar of whole ones."""

    progress: Progress
    rest_s: float = 0.0

    def advance(self, seconds: float) -> None:
        """Count more of the audio as finished."""
        whole = int(self.rest_s + seconds)
        self.rest_s += seconds - whole
        if whole:
            self.progress.update(whole)


def _write(tagged: Tagged, job: Job, output: Output) -> None:
    if output.folder is None:
        _print(tagged, output.formats, sys.stdout)
        return
    for name, path in output.files(output.folder, job).items():
        save(tagged, path, name)


def _print(tagged: Tagged, formats: tuple[str, ...], stream: TextIO) -> None:
    """Write to standard output; without a format, coloured text on a terminal and JSON lines elsewhere.

    Raises:
        SpnerError: it takes no more: its disk is full, or whoever reads it has left.
    """
    (name,) = formats or ("" if stream.isatty() else "jsonl",)
    try:
        stream.writelines(render(tagged, name) if name else to_terminal(tagged))
        stream.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # what is left in the buffer is flushed at the exit
        raise SpnerError(f"standard output: cannot be written ({error.strerror}); nothing more is tagged") from error


def format_report(report: Report, folder: Path | None) -> list[str]:
    """Return the lines to print at the end; none where results went to standard output and all went well."""
    lines: list[str] = []
    if folder:
        there = f"; {report.num_there} were there already (--overwrite tags them again)" if report.num_there else ""
        lines.append(f"{folder}: {report.num_tagged} recordings tagged{there}")
    if report.broken:
        lines.append(f"{len(report.broken)} could not be tagged:")
        lines += [f"  {reason}" for reason in report.broken.values()]
    return lines
