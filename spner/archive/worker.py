"""A process of its own that reads and tags what strangers send, with limits of time and length.

A recording that makes a decoder hang or crash ends this process, not the server; the next recording gets a new one.
Both sides exchange JSON.
"""

import json
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from spner.core.errors import SpnerError
from spner.data.audio import SAMPLE_RATE_HZ
from spner.tag.audio import Recording, RecordingError, open_recording
from spner.tag.reader import read_jsonl
from spner.tag.records import to_jsonl
from spner.tag.tagged import Tagged
from spner.tag.tagger import Tagger
from spner.tag.transcriber import Advance

STALL_S = 300.0  # without news the process counts as hung


class Worker:
    """Tags one recording at a time; of several threads each waits for its turn."""

    def __init__(self, load: Callable[[], Tagger], *, max_duration_s: float, stall_s: float = STALL_S) -> None:
        """
        Args:
            load: makes the tagger, in the process; it can be pickled.
            max_duration_s: longer recordings are refused.
            stall_s: how long the process may be silent.
        """
        self._arguments = (load, max_duration_s)
        self._stall_s = stall_s
        self._turn = threading.Lock()
        self._process: Any = None
        self._pipe: Connection | None = None

    def start(self) -> None:
        """Start the process and load the tagger, if that has not been done.

        Raises:
            SpnerError: it cannot be loaded.
        """
        with self._turn:
            self._start()

    def _start(self) -> None:
        if self._process and self._process.is_alive():
            return
        self.close()
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, *self._arguments), daemon=True)
        self._process.start()
        theirs.close()
        answer = self._read(timeout_s=None)  # the first start may download a model
        if "error" in answer:
            self.close()
            raise SpnerError(answer["error"])

    def tag(self, path: Path, *, name: str, advance: Advance = lambda _share: None) -> Tagged:
        """Return what is found in a file.

        Args:
            path: of the recording.
            name: of the recording, for messages.
            advance: is told the share that is done, 0 to 1.

        Raises:
            RecordingError: it cannot be read, is too long, or broke the process.
            SpnerError: the tagger cannot be loaded.
        """
        with self._turn:
            self._start()
            self._send({"path": str(path), "name": name})
            while True:
                answer = self._read(timeout_s=self._stall_s)
                if "share" in answer:
                    advance(answer["share"])
                elif "error" in answer:
                    if answer.get("broken"):
                        self.close()
                        raise RecordingError(f"{name}: {answer['error']}")
                    raise RecordingError(answer["error"])
                else:
                    return read_jsonl(answer["lines"], name=name, duration_s=answer["duration_s"], lang=answer["lang"])

    def close(self) -> None:
        """End the process."""
        if self._process:
            self._process.kill()
            self._process.join()
            self._process = None
        if self._pipe:
            self._pipe.close()
            self._pipe = None

    def _send(self, message: dict[str, Any]) -> None:
        assert self._pipe
        self._pipe.send_bytes(json.dumps(message).encode())

    def _read(self, *, timeout_s: float | None) -> dict[str, Any]:
        """Return the next answer; a process that is silent or gone is ``broken``."""
        assert self._pipe
        try:
            if not self._pipe.poll(timeout_s):
                return {"broken": True, "error": f"took longer than {timeout_s:.0f} s"}
            return dict(json.loads(self._pipe.recv_bytes()))
        except (EOFError, OSError):
            return {"broken": True, "error": "ended the process that read it"}


def _work(pipe: Connection, load: Callable[[], Tagger], max_duration_s: float) -> None:
    """Load the tagger, then answer until the other side ends."""

    def send(message: dict[str, Any]) -> None:
        pipe.send_bytes(json.dumps(message).encode())

    try:
        tagger = load()
        send({})
        while True:
            asked = json.loads(pipe.recv_bytes())
            try:
                found = _tag(
                    tagger, Path(asked["path"]), asked["name"], max_duration_s, lambda one: send({"share": one})
                )
            except RecordingError as error:
                send({"error": str(error).replace(asked["path"], asked["name"])})
            else:
                send({"lines": list(to_jsonl(found)), "duration_s": found.duration_s, "lang": found.lang})
    except SpnerError as error:
        send({"error": str(error)})
    except (EOFError, OSError, KeyboardInterrupt):
        return  # the server is gone


def _tag(tagger: Tagger, path: Path, name: str, max_duration_s: float, tell: Callable[[float], None]) -> Tagged:
    recording = open_recording(path)
    done_s = 0.0

    def advance(seconds: float) -> None:
        nonlocal done_s
        done_s += seconds
        tell(min(1.0, done_s / recording.duration_s) if recording.duration_s else 0.0)

    ((_, found),) = tagger.tag_all([_limit(recording, name, max_duration_s)], advance)
    if isinstance(found, RecordingError):
        raise found
    return found


def _limit(recording: Recording, name: str, max_duration_s: float) -> Recording:
    """Return the recording, which breaks off where it is longer than allowed, whatever its header says."""
    too_long = RecordingError(f"{name}: is longer than {max_duration_s / 60:.0f} minutes")
    if recording.duration_s > max_duration_s:
        raise too_long

    def blocks() -> Iterator[np.ndarray]:
        num_samples = 0
        for block in recording.blocks():
            num_samples += len(block)
            if num_samples > max_duration_s * SAMPLE_RATE_HZ:
                raise too_long
            yield block

    return replace(recording, name=name, blocks=blocks)
