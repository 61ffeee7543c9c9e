"""``python -m spner.benchmark.job LOCK COMMAND...``: a recipe that ends when who has started it is gone.

A worker of a cluster runs recipes by it: another one begins again what a lost one has begun, and both would work in one
folder. All processes of the recipe hold the lock; the next one waits until the last of them has ended.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

POLL_S = 0.2


def run(lock: str, command: Sequence[str]) -> int:
    """Run a command under a lock and return its exit code; it is killed with its processes where this one ends."""
    parent = os.getppid()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with open(lock, "ab") as file:
        while not _take(file.fileno()):
            if os.getppid() != parent:
                return 1
            time.sleep(POLL_S)
        process = subprocess.Popen(command, start_new_session=True, pass_fds=[file.fileno()])
        try:
            while process.poll() is None and os.getppid() == parent:
                time.sleep(POLL_S)
            return process.poll() or 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
