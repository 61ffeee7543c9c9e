"""Recordings that are uploaded: kept beside the archive under names of our own, tagged one after another.

An upload is a row before it is told to be accepted, and stays one until its tags are in the archive; so a server that
was killed takes it up again.
"""

import hashlib
import logging
import os
import queue
import re
import secrets
import shutil
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from spner.archive.rows import Source, add_recording
from spner.archive.store import open_archive, transaction, uploads_folder
from spner.archive.worker import Worker
from spner.core.errors import SpnerError
from spner.tag.audio import SUFFIXES
from spner.tag.tagged import Tagged

MAX_WAITING = 100
MAX_KEPT = 1000  # finished uploads that can still be asked for
MAX_TITLE = 200  # characters
WAITING, TAGGING, DONE, FAILED = "waiting", "tagging", "done", "failed"

log = logging.getLogger(__name__)


class BusyError(SpnerError):
    """Too many recordings wait."""


@dataclass
class Upload:
    """An uploaded recording.

    Attributes:
        key: random name.
        title: what people see; never a path.
        path: where it lies.
        keep: whether it goes into the archive; else it is tagged and deleted.
        state: waiting, tagging, done or failed.
        share: of it that is tagged, 0 to 1.
        recording: its id in the archive, when it is done.
        error: why it failed.
        result: what was found.
    """

    key: str
    title: str
    path: Path
    keep: bool
    state: str = WAITING
    share: float = 0.0
    recording: int | None = None
    error: str | None = None
    result: "Future[Tagged]" = field(default_factory=Future)


def clean_title(name: str) -> str:
    """Return a file's name as people may see it: without folders and characters that do not print."""
    base = re.split(r"[/\\]", name)[-1]
    printed = "".join(char for char in base if char.isprintable()).strip()
    return printed[-MAX_TITLE:] or "recording"


class Uploads:
    """The queue of uploads, and the thread that empties it."""

    def __init__(self, db: Path, worker: Worker) -> None:
        """Take up what another server left; the thread begins with :meth:`start`."""
        self._db, self._worker = db, worker
        self._folder = uploads_folder(db)
        self._queue: queue.Queue[Upload | None] = queue.Queue()
        self._known: dict[str, Upload] = {}
        self._lock = threading.Lock()
        self.failure: str | None = None  # why the tagger cannot be loaded
        self.ready = False

    def start(self) -> threading.Thread:
        """Take up the uploads that another server left, and begin to tag."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open_archive(self._db) as connection:
            rows = connection.execute("SELECT file, title FROM upload").fetchall()
            known = {row[0] for row in rows} | {
                Path(path).name for (path,) in connection.execute("SELECT path FROM recording")
            }
        for path in self._folder.iterdir():
            if path.name not in known:  # half written, or not to be kept
                path.unlink()
        for file, title in rows:
            self._add(Upload(Path(file).stem, title, self._folder / file, keep=True))
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """End the thread after the recording at hand, and the worker."""
        self._queue.put(None)
        self._worker.close()

    def accept(self, content: BinaryIO, name: str, *, keep: bool) -> Upload:
        """Write an upload to its place and queue it.

        Raises:
            BusyError: too many wait.
            OSError: it cannot be written.
        """
        if self._queue.qsize() >= MAX_WAITING:
            raise BusyError(f"{MAX_WAITING} recordings wait to be tagged; try again later")
        key = secrets.token_hex(16)
        suffix = Path(name).suffix.lower()
        path = self._folder / f"{key}{suffix if suffix in SUFFIXES else ''}"
        upload = Upload(key, clean_title(name), path, keep)
        temporary = path.with_name(f".tmp-{path.name}")
        try:
            with open(temporary, "xb") as file:
                shutil.copyfileobj(content, file, 1 << 20)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        if keep:
            with open_archive(self._db) as connection, transaction(connection):
                connection.execute("INSERT INTO upload VALUES (?, ?)", (path.name, upload.title))
        self._add(upload)
        return upload

    def find(self, key: str) -> Upload | None:
        """Return an upload by its key."""
        return self._known.get(key)

    def _add(self, upload: Upload) -> None:
        with self._lock:
            self._known[upload.key] = upload
            finished = [key for key, one in self._known.items() if one.state in (DONE, FAILED)]
            for key in finished[:-MAX_KEPT]:
                del self._known[key]
        self._queue.put(upload)

    def _run(self) -> None:
        try:
            self._worker.start()
            self.ready = True
        except SpnerError as error:
            self.failure = str(error)
            log.error("uploads cannot be tagged: %s", error)
        while upload := self._queue.get():
            self._tag(upload)

    def _tag(self, upload: Upload) -> None:
        """Tag one; whatever goes wrong with it, the next has its turn."""
        upload.state = TAGGING
        try:
            found = self._worker.tag(upload.path, name=upload.title, advance=lambda share: _advance(upload, share))
            if upload.keep:
                upload.recording = self._store(upload, found)
        except Exception as error:
            told = isinstance(error, SpnerError)
            if not told:
                log.error("%s: %s", upload.key, type(error).__name__)  # a message could hold what was said
            upload.error = str(error) if told else "the server failed"
            upload.state = FAILED
            self._drop(upload)
            upload.result.set_exception(error if told else SpnerError(upload.error))
        else:
            upload.share, upload.state = 1.0, DONE
            if not upload.keep:
                upload.path.unlink(missing_ok=True)
            upload.result.set_result(found)

    def _store(self, upload: Upload, found: Tagged) -> int:
        with open(upload.path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        state = upload.path.stat()
        source = Source(upload.path.resolve(), upload.title, state.st_size, state.st_mtime_ns, digest)
        with open_archive(self._db) as connection, transaction(connection):
            connection.execute("DELETE FROM upload WHERE file = ?", (upload.path.name,))
            return add_recording(connection, source, found)

    def _drop(self, upload: Upload) -> None:
        upload.path.unlink(missing_ok=True)
        if upload.keep:
            with open_archive(self._db) as connection, transaction(connection):
                connection.execute("DELETE FROM upload WHERE file = ?", (upload.path.name,))


def _advance(upload: Upload, share: float) -> None:
    upload.share = share
