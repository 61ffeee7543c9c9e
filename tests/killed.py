"""Processes that are killed while they work."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence


def start_and_kill(code: str, arguments: Sequence[object], *, delays_s: Iterable[float]) -> None:
    """Start the code once for each delay and kill it so long after it has printed ``begin``.

    The first delay must be too short for the work, so that one process at least is killed at it.
    """
    num_killed = 0
    for delay_s in delays_s:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout and process.stdout.readline() == "begin\n"
        time.sleep(delay_s)
        process.kill()
        num_killed += process.wait() == -signal.SIGKILL
    assert num_killed
