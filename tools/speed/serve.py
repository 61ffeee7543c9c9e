"""How spner serve bears load: clients search for a while, and others upload, all at once on this machine.

Usage: serve.py ARCHIVE MODEL RECORDING [--clients 50] [--seconds 30] [--uploads 10]
Prints requests, errors, and p50 and p99 of the searches. Works on a copy of the archive.
"""

import argparse
import http.client
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

PORT = 8765
WORDS = ("rabobank", "rababank", "jack heerkens", "parijs", "van", "winter", "bank", "xyzzy")


def ask(method: str, path: str, body: bytes | None = None, kind: str = "text/plain") -> tuple[int, bytes]:
    """Send a request; return status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
    try:
        connection.request(method, path, body, {"Content-Type": kind} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def search(number: int, until: float, took: list[float], errors: list[str]) -> None:
    """Search until a time."""
    while time.monotonic() < until:
        number += 1
        begin = time.perf_counter()
        try:
            status, _ = ask("GET", f"/v1/search?q={WORDS[number % len(WORDS)].replace(' ', '+')}")
        except OSError as error:
            status = -1
            errors.append(str(error))
        took.append(1000 * (time.perf_counter() - begin))
        if status not in (-1, 200):
            errors.append(f"search: {status}")


def upload(content: bytes, name: str, errors: list[str]) -> None:
    """Upload a recording and wait until it is tagged."""
    head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    body = head + content + b"\r\n--x--\r\n"
    status, answer = ask("POST", "/v1/uploads", body, "multipart/form-data; boundary=x")
    if status != 202:
        errors.append(f"upload: {status}")
        return
    found = json.loads(answer)
    while found["state"] in ("waiting", "tagging"):
        time.sleep(0.5)
        found = json.loads(ask("GET", f"/v1/uploads/{found['key']}")[1])
    if found["state"] != "done":
        errors.append(f"upload: {found['error']}")


def run_all(calls: Sequence[Callable[[], None]]) -> None:
    """Make calls at the same time."""
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    """Start a server, load it, tell how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("archive", "model", "recording"):
        parser.add_argument(name, type=Path)
    for name, default in (("--clients", 50), ("--seconds", 30), ("--uploads", 10)):
        parser.add_argument(name, type=int, default=default)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        db = shutil.copy(options.archive, folder)
        command = [sys.executable, "-m", "spner", "serve", "--db", db, "--port", str(PORT), "--model", options.model]
        server = subprocess.Popen(command)
        try:
            while server.poll() is None:  # one that has ended has said why
                time.sleep(0.2)
                try:
                    if json.loads(ask("GET", "/health")[1])["model"] == "ready":
                        break
                except OSError:
                    continue
            else:
                sys.exit(1)
            took: list[float] = []
            errors: list[str] = []
            until = time.monotonic() + options.seconds
            content = options.recording.read_bytes()
            calls = [partial(search, i, until, took, errors) for i in range(options.clients)]
            calls += [partial(upload, content, f"{i}.flac", errors) for i in range(options.uploads)]
            begin = time.monotonic()
            run_all(calls)
        finally:
            server.terminate()
            server.wait()
    p99 = statistics.quantiles(took, n=100)[98]
    print(
        f"{options.clients} clients, {options.seconds} s: {len(took)} searches, {len(errors)} errors {errors[:3]}, p50 "
        f"{statistics.median(took):.0f} ms, p99 {p99:.0f} ms; {options.uploads} uploads tagged after "
        f"{time.monotonic() - begin:.0f} s"
    )


if __name__ == "__main__":
    main()
