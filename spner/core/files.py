"""Files that appear under their final name only when complete, and folders with one writer at a time."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout

from spner.core.errors import SpnerError
from spner.core.paths import made_by

LARGE_BYTES = 2**24
TEMPORARY = ".tmp-"
_writer = ""
_digests: dict[tuple[Path, int, int, int], bytes] = {}


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; rename it to ``path`` when the block ends well.

    When the block raises, what was written is removed and ``path`` is as it was. A killed process
    leaves a ``.tmp-`` name behind, which the next writer of ``path`` replaces.
    """
    temporary = _name_temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove(temporary)
    except OSError as error:
        raise _cannot_be_written(path, error) from error
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException as error:
        remove(temporary)
        if isinstance(error, OSError) and _comes_from_writing(error, temporary):
            raise _cannot_be_written(path, error) from error
        raise


@contextlib.contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder under a temporary name beside ``path``; it is gone when the block ends.

    That of a killed process is replaced by the next one.

    Raises:
        SpnerError: something cannot be written there.
    """
    temporary = _name_temporary(path)
    try:
        remove(temporary)
        temporary.mkdir(parents=True)
        yield temporary
    except OSError as error:
        if _comes_from_writing(error, temporary):
            raise _cannot_be_written(path, error) from error
        raise
    finally:
        remove(temporary)


def name_writer(name: str) -> None:
    """Give this process temporary names of its own.

    On a cluster two processes may write one file at a time: a worker that is given up for lost can be at work still.
    """
    global _writer  # noqa: PLW0603
    _writer = f"{name}-"


def _name_temporary(path: Path) -> Path:
    return path.with_name(f"{TEMPORARY}{_writer}{path.name}")


def remove_temporaries(folder: Path) -> None:
    """Remove what killed writers have left in a folder in which nobody writes any more."""
    for path in folder.glob(f"{TEMPORARY}*"):
        remove(path)


def _comes_from_writing(error: OSError, temporary: Path) -> bool:
    """Whether writing failed; a missing input, for example, is not the output's fault."""
    names = [str(name) for name in (error.filename, error.filename2) if name]  # two where a file is copied
    return error.errno is not None and (not names or any(name.startswith(str(temporary)) for name in names))


def _cannot_be_written(path: Path, error: OSError) -> SpnerError:
    return SpnerError(
        f"{path}: cannot be written ({error.strerror or error}); "
        "make room or check the permissions, then run the command again"
    )


@contextlib.contextmanager
def atomic_text(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 text file for writing that appears as ``path`` only when the block ends well."""
    with atomic_path(path) as temporary:
        with open(temporary, "w", encoding="utf-8", newline="\n") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    with atomic_text(path) as file:
        json.dump(value, file, ensure_ascii=False, indent=2)
        file.write("\n")


def read_json(path: Path) -> Any:
    """Read one JSON value.

    Raises:
        SpnerError: the file is missing (the message tells which stage makes it) or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise cannot_be_read(path, error) from error
    except (ValueError, RecursionError) as error:
        raise SpnerError(f"{path}: is not JSON ({error})") from error


def cannot_be_read(path: Path, error: OSError) -> SpnerError:
    """Return the error of a file that cannot be read; it names the stage that makes it."""
    maker = made_by(path)
    advice = f"{maker} makes it" if maker else "check the path"
    return SpnerError(f"{path}: cannot be read ({error.strerror}); {advice}")


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 file without their line ends.

    Raises:
        SpnerError: the file is missing (the message names the stage that makes it) or holds invalid UTF-8.
    """
    try:
        file = open(path, "rb")
    except OSError as error:
        raise cannot_be_read(path, error) from error
    with file:
        # Decoded line by line, so that an error can name its line.
        for line_number, line in enumerate(file, start=1):
            try:
                # Windows programs start a file with a byte order mark, which is not part of the text.
                yield line.decode("utf-8-sig" if line_number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise SpnerError(
                    f"{path}:{line_number}: is not valid UTF-8 ({error.reason}); convert the file to UTF-8"
                ) from error


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock ``folder`` for writing; the lock ends with the process, however that ends.

    Where the block raises, a folder that was made for it and holds nothing else is removed with its lock.

    Raises:
        SpnerError: another process holds it, or the folder cannot be written.
    """
    lock = FileLock(folder / ".lock")
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout as error:
        raise SpnerError(f"{folder}: another process is writing here; wait for it or stop it") from error
    except OSError as error:
        raise _cannot_be_written(folder, error) from error
    with lock:
        try:
            yield
        except BaseException:
            _remove_empty(made, Path(lock.lock_file))
            raise


def _remove_empty(folders: Sequence[Path], lock: Path) -> None:
    """Remove folders, each inside the next, as far as they hold nothing but the lock."""
    if folders and all(path == lock for path in lock.parent.iterdir()):
        with contextlib.suppress(OSError):
            lock.unlink(missing_ok=True)
            for folder in folders:
                folder.rmdir()


def fingerprint(paths: Iterable[Path]) -> str:
    """Return a SHA-256 over the contents of the files, in the order given; it shows whether inputs changed.

    Raises:
        SpnerError: a file is missing; the message tells which stage makes it.
    """
    digest = hashlib.sha256()
    for path in paths:
        try:
            digest.update(_digest_file(path))
        except OSError as error:
            raise cannot_be_read(path, error) from error
    return digest.hexdigest()


def _digest_file(path: Path) -> bytes:
    """Return the SHA-256 of a file; a large one, such as a checkpoint, is read once as long as it stays the same."""
    state = path.stat()
    key = (path.absolute(), state.st_ino, state.st_size, state.st_mtime_ns)
    if key not in _digests:
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").digest()
        if state.st_size < LARGE_BYTES:  # a small file may change twice within a tick of its clock
            return found
        _digests[key] = found
    return _digests[key]


def digest(value: Any) -> str:
    """Return a SHA-256 of a value that JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
