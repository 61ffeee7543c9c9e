"""``spner index``: recordings -> the archive. What is new or changed is tagged, what is gone leaves.

What is tagged is written recording by recording, what is read from files in large transactions: a stopped run is
finished by the same command.
"""

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from spner.archive.rows import Source, add_recording, add_recordings, remove_recording
from spner.archive.store import transaction
from spner.core.errors import SpnerError
from spner.core.files import read_lines
from spner.core.progress import Progress
from spner.tag.audio import Recording, RecordingError, open_recording
from spner.tag.files import Seconds, list_recordings
from spner.tag.formats import output_path
from spner.tag.reader import read_jsonl
from spner.tag.tagged import Tagged
from spner.tag.tagger import Tagger

AT_ONCE = 10_000  # segments in a transaction; twice as many are hardly faster


@dataclass(frozen=True)
class Found:
    """A recording on disk.

    Attributes:
        path: absolute.
        title: its path in the folder that was named.
    """

    path: Path
    title: str


@dataclass
class Report:
    """What became of the recordings, and why some could not be tagged."""

    num_tagged: int = 0
    num_read: int = 0
    num_moved: int = 0
    num_there: int = 0
    num_gone: int = 0
    broken: dict[str, str] = field(default_factory=dict)


def find_recordings(inputs: Sequence[Path]) -> list[Found]:
    """Return the recordings that are named, and those in folders that are named.

    Raises:
        SpnerError: one is missing, or a folder holds none.
    """
    found: dict[Path, Found] = {}
    for path in inputs:
        if path.is_dir():
            listed = [(one, one.relative_to(path).as_posix()) for one in list_recordings(path)]
        elif path.is_file():
            listed = [(path, path.name)]
        else:
            raise SpnerError(f"{path}: no such file (expected a recording, or a folder of recordings)")
        for one, title in listed:
            found.setdefault(one.resolve(), Found(one.resolve(), title))
    return list(found.values())


def index_recordings(
    connection: sqlite3.Connection,
    inputs: Sequence[Path],
    load: Callable[[], Tagger],
    *,
    tagged: Path | None = None,
    overwrite: bool = False,
) -> Report:
    """Bring the archive up to date with recordings and folders of them.

    Args:
        connection: the archive.
        inputs: recordings and folders; recordings in these folders that are gone leave the archive.
        load: makes the tagger; called when there is something to tag.
        tagged: folder of JSON lines of ``spner tag``; a recording with a file there, not older than itself, is not
            tagged again.
        overwrite: whether recordings that are in the archive are tagged again.

    Raises:
        SpnerError: an input or ``tagged`` is missing, the tagger cannot be loaded, or the archive cannot be written.
    """
    if tagged and not tagged.is_dir():
        raise SpnerError(f"--tagged {tagged}: no such folder (expected one of spner tag's JSON lines)")
    report = Report()
    waiting: list[tuple[Source, Recording]] = []
    found = find_recordings(inputs)
    with _adding(connection) as add:
        for one in found:
            try:
                source = _look_at(one) if overwrite else _changed(connection, one, report)
                if source is None:
                    continue
                recording = replace(open_recording(one.path), name=one.title)
            except UnicodeEncodeError:
                report.broken[ascii(one.title)] = f"{ascii(one.title)}: its name is not UTF-8; rename it"
                continue
            except (RecordingError, OSError) as error:
                report.broken[one.title] = str(error)
                continue
            lines = output_path(tagged / Path(one.title).with_suffix(""), "jsonl") if tagged else None
            if lines and lines.is_file() and lines.stat().st_mtime_ns >= source.mtime_ns:
                add(source, read_jsonl(read_lines(lines), name=str(lines), duration_s=recording.duration_s))
                report.num_read += 1
            else:
                waiting.append((source, recording))
    _remove_gone(connection, inputs, {one.path for one in found}, report)
    if waiting:
        _tag(connection, waiting, load(), report)
    return report


@contextlib.contextmanager
def _adding(connection: sqlite3.Connection) -> Iterator[Callable[[Source, Tagged], None]]:
    """Give a function that adds recordings, many in a transaction; all are written when the block ends or fails."""
    ready: list[tuple[Source, Tagged]] = []
    num_segments = 0

    def write() -> None:
        nonlocal num_segments
        now, ready[:], num_segments = ready[:], [], 0  # what cannot be written is not tried again
        with transaction(connection):
            add_recordings(connection, now)

    def add(source: Source, tagged: Tagged) -> None:
        nonlocal num_segments
        ready.append((source, tagged))
        num_segments += len(tagged.segments)
        if num_segments >= AT_ONCE:
            write()

    try:
        yield add
    finally:
        if ready:
            write()


def _look_at(one: Found) -> Source:
    state = one.path.stat()
    with open(one.path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Source(one.path, one.title, state.st_size, state.st_mtime_ns, digest)


def _changed(connection: sqlite3.Connection, one: Found, report: Report) -> Source | None:
    """Return the file of a recording that must be tagged, None where the archive has it.

    A file with another time but the same content is known, and so is one that lay elsewhere and is gone from there.
    """
    state = one.path.stat()
    row = connection.execute("SELECT size, mtime_ns, digest FROM recording WHERE path = ?", (str(one.path),)).fetchone()
    if row and row[:2] == (state.st_size, state.st_mtime_ns):
        report.num_there += 1
        return None
    source = _look_at(one)
    place = {"path": str(one.path), "title": one.title, "mtime_ns": source.mtime_ns}
    if row and row[2] == source.digest:
        with transaction(connection):
            connection.execute("UPDATE recording SET mtime_ns = :mtime_ns WHERE path = :path", place)
        report.num_there += 1
        return None
    for number, path in connection.execute("SELECT id, path FROM recording WHERE digest = ?", (source.digest,)):
        if row is None and not Path(path).exists():
            with transaction(connection):
                connection.execute(
                    "UPDATE recording SET path = :path, title = :title, mtime_ns = :mtime_ns WHERE id = :id",
                    {**place, "id": number},
                )
            report.num_moved += 1
            return None
    return source


def _remove_gone(connection: sqlite3.Connection, inputs: Sequence[Path], found: set[Path], report: Report) -> None:
    """Remove the recordings of the folders that are not there any more."""
    folders = [path.resolve() for path in inputs if path.is_dir()]
    for number, text in connection.execute("SELECT id, path FROM recording").fetchall():
        path = Path(text)
        if path not in found and any(path.is_relative_to(folder) for folder in folders) and not path.exists():
            with transaction(connection):
                remove_recording(connection, number)
            report.num_gone += 1


def _tag(
    connection: sqlite3.Connection, waiting: Sequence[tuple[Source, Recording]], tagger: Tagger, report: Report
) -> None:
    sources = {recording: source for source, recording in waiting}
    total_s = sum(round(recording.duration_s) for recording in sources)
    with Progress(total_s, what="index", unit="s of audio") as progress:
        for recording, found in tagger.tag_all(sources, Seconds(progress).advance):
            source = sources[recording]
            if isinstance(found, RecordingError):
                report.broken[source.title] = str(found)
            elif not _is_same(source):
                report.broken[source.title] = f"{source.title}: changed while it was tagged; index it again"
            else:
                with transaction(connection):
                    add_recording(connection, source, found)
                report.num_tagged += 1


def _is_same(source: Source) -> bool:
    try:
        state = source.path.stat()
    except FileNotFoundError:
        return False
    return (state.st_size, state.st_mtime_ns) == (source.size, source.mtime_ns)


def format_report(report: Report) -> Iterator[str]:
    """Yield the lines to print at the end."""
    counts = {
        "tagged": report.num_tagged,
        "read": report.num_read,
        "moved": report.num_moved,
        "there already": report.num_there,
        "gone": report.num_gone,
    }
    yield f"recordings: {', '.join(f'{count} {what}' for what, count in counts.items() if count) or 'none'}"
    if report.broken:
        yield f"{len(report.broken)} could not be tagged:"
        yield from (f"  {reason}" for reason in report.broken.values())
