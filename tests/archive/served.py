"""A server of its own process for tests, and requests to it by the standard library alone."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVE = """
import sys
from pathlib import Path
from spner.archive.serve import serve
from spner.core.logs import set_up_logging
from tests.tag.models import make_tagger
if __name__ == "__main__":
    set_up_logging()
    db, port, kind = sys.argv[1:]
    load = make_tagger if kind == "tagger" else None
    serve(Path(db), load, host="127.0.0.1", port=int(port), max_mb=1, max_minutes=0.5)
"""


@dataclass
class Answer:
    """Status, headers and body of an answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        """Return what the body holds."""
        return dict(json.loads(self.body))


@dataclass
class Served:
    """A running server."""

    process: "subprocess.Popen[bytes]"
    port: int

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Send a request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        """Send a GET."""
        return self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(
        self, path: str, content: bytes, name: str = "talk.wav", headers: dict[str, str] | None = None, **fields: str
    ) -> Answer:
        """Send a file as a form."""
        boundary = uuid.uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()
        ]
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = "".join(parts).encode() + head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self.ask("POST", path, body, kind | (headers or {}))

    def wait(self, key: str) -> dict[str, object]:
        """Return an upload when it is done or has failed."""
        for _ in range(600):
            found = self.get(f"/v1/uploads/{key}").json()
            if found["state"] in ("done", "failed"):
                return found
            time.sleep(0.1)
        raise AssertionError(found)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> str:
        """End the server; return what it has logged."""
        self.process.send_signal(how)
        return self.process.communicate(timeout=30)[1].decode()


def start(db: Path, *, tags: bool = True) -> Served:
    """Start a server and wait until it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = db.parent / "serve_it.py"
    script.write_text(SERVE)
    process = subprocess.Popen(
        [sys.executable, script, db, str(port), "tagger" if tags else "none"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=db.parent,
        stderr=subprocess.PIPE,
    )
    served = Served(process, port)
    for _ in range(300):
        try:
            if served.get("/health").status == 200:
                return served
        except OSError:
            time.sleep(0.1)
        if process.poll() is not None:
            break
    raise AssertionError(served.stop(signal.SIGKILL))
