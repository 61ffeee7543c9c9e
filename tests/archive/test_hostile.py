"""A thousand requests that nobody should send: each is answered by a 4xx, and the server goes on."""

import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spner.archive.index import index_recordings
from spner.archive.store import open_archive, uploads_folder
from tests.archive.served import Served, start
from tests.archive.test_serve import sound
from tests.tag.models import make_tagger

pytest.importorskip("fastapi", reason="needs the extra serve")
NUM_REQUESTS = 1000
Maker = Callable[[random.Random], bytes]


def get(path: str, *headers: str, method: str = "GET", host: str = "localhost") -> bytes:
    """Return a request without a body."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def post(path: str, body: bytes, kind: str = "multipart/form-data; boundary=x", *headers: str) -> bytes:
    """Return a request with a body."""
    lines = (f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers)
    return get(path, *lines, method="POST") + body


def form(content: bytes, name: str = "a.wav") -> bytes:
    """Return a form with a file."""
    head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n--x--\r\n"


def paths(rng: random.Random) -> bytes:
    """Ways out of the folder, and ids that are none."""
    out = rng.choice(["..", "%2e%2e", "..%2f", "....//", "%c0%ae%c0%ae", "..%5c", "%00", "\xff"])
    start = rng.choice(["/", "/page/", "/v1/recordings/", "/v1/uploads/", "/v1/recordings/1/audio/"])
    strange = rng.choice(["-1", "0", "1.0", "1e3", "9" * rng.randint(19, 400), "0x1", "1%00", "%31'", "1;2", "nan"])
    return get(
        rng.choice(
            [
                f"{start}{'/'.join([out] * rng.randint(1, 9))}/etc/passwd",
                f"/v1/recordings/{strange}{rng.choice(['', '/audio'])}",
                f"/page/{'a' * rng.randint(1, 5000)}.js",
            ]
        )
    )


def queries(rng: random.Random) -> bytes:
    """Searches that cannot be."""
    wrong = ["limit=0", f"limit={10 ** rng.randint(4, 30)}", "limit=x", "min_confidence=nan", "min_confidence=-1"]
    wrong += ["min_confidence=inf", "q=%22%27%3B--", f"q={'a' * rng.randint(201, 3000)}", "q=%00", "", "q=+%20"]
    return get(f"/v1/search?{rng.choice(wrong)}")


def ranges(rng: random.Random) -> bytes:
    """Parts of a recording that are none."""
    number = 10 ** rng.randint(6, 40)
    wrong = [
        f"bytes={number}-",
        "bytes=9-2",
        "bytes=x-y",
        "bytes=",
        "items=0-1",
        "bytes=--1",
        f"bytes={number}-{number}",
    ]
    return get("/v1/recordings/1/audio", f"Range: {rng.choice(wrong)}")


def methods(rng: random.Random) -> bytes:
    """Methods and addresses that do not belong together."""
    path = rng.choice(["/", "/v1/search?q=a", "/v1/recordings/1", "/v1/recordings/1/audio", "/health", "/page/app.js"])
    return get(path, "Content-Length: 0", method=rng.choice(["PUT", "DELETE", "PATCH", "TRACE", "POST", "PROPFIND"]))


def others(rng: random.Random) -> bytes:
    """Requests of other sites, and under other names of this machine."""
    if rng.random() < 0.5:
        return get("/v1/search?q=ada", host=rng.choice(["evil.example", "localhost.evil.example", "[", "", "127.1"]))
    where = rng.choice(["https://evil.example", "null", "http://localhost:1", "http://[", "file://"])
    return post("/v1/uploads", form(sound("ada")), "multipart/form-data; boundary=x", f"Origin: {where}")


def sizes(rng: random.Random) -> bytes:
    """Bodies that are too large, or say so."""
    if rng.random() < 0.2:
        return post("/v1/uploads", form(bytes(2**20 + rng.randint(0, 9999))))
    length = rng.choice([str(2**20 + 1), "9" * 30, "-1", "x", "1_0", "+5"])
    return get(
        "/v1/uploads", "Content-Type: multipart/form-data; boundary=x", f"Content-Length: {length}", method="POST"
    )


def forms(rng: random.Random) -> bytes:
    """Bodies that are no form, or one without a file."""
    path = rng.choice(["/v1/uploads", "/v1/audio/transcriptions"])
    noise = rng.randbytes(rng.randint(0, 500))
    field = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n1\r\n'
    body, kind = rng.choice(
        [
            (noise, "multipart/form-data; boundary=x"),
            (noise, "multipart/form-data"),
            (noise, "application/json"),
            (b'{"file": "/etc/passwd"}', "application/json"),
            (b"file=/etc/passwd", "application/x-www-form-urlencoded"),
            (field % b"file" + b"--x--\r\n", "multipart/form-data; boundary=x"),
            (field % b"other" + b"--x--\r\n", "multipart/form-data; boundary=x"),
            (b"".join(field % b"f%d" % i for i in range(1500)) + b"--x--\r\n", "multipart/form-data; boundary=x"),
            (form(b"", "../../etc/passwd"), "multipart/form-data; boundary=x"),
        ]
    )
    return post(path, body, kind)


def recordings(rng: random.Random) -> bytes:
    """Files that begin like recordings."""
    starts = [b"RIFF\xff\xff\xff\xffWAVEfmt ", b"fLaC\x00\x00\x00\x22", b"OggS\x00\x02", b"\x00\x00\x00\x20ftypM4A "]
    starts += [b"\x1a\x45\xdf\xa3", b"FORM\xff\xff\xff\xffAIFF", b".snd\x00\x00\x00\x18", b"caff\x00\x01", b"#!AMR\n"]
    starts += [b"<html><script>alert(1)</script>", b"#!/bin/sh\n", b"PK\x03\x04", b"\x80\x04\x95", b"%PDF-1.4"]
    name = rng.choice(["a.wav", "../../a.mp3", "a.html", "a\x00.flac", "é" * 500, "-rf", "con.wav"])
    content = rng.choice(starts) + bytes(rng.randint(0, 9) for _ in range(rng.randint(0, 3000)))
    return post("/v1/audio/transcriptions", form(content, name))


def garbage(rng: random.Random) -> bytes:
    """What is no HTTP."""
    return rng.choice(
        [
            rng.randbytes(200) + b"\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET  HTTP/1.1\r\n\r\n",
            b"\r\n" * 99 + b"x\r\n\r\n",
        ]
    )


MAKERS: list[Maker] = [paths, queries, ranges, methods, others, sizes, forms, recordings, garbage]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of one recording."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "in").mkdir()
    (folder / "in/a.wav").write_bytes(sound("<PER> ada </NE> praat"))
    with open_archive(folder / "archive.sqlite", create=True) as archive:
        index_recordings(archive, [folder / "in"], make_tagger)
    one = start(folder / "archive.sqlite")
    yield one
    log = one.stop()
    assert "Traceback" not in log, log
    assert [path.name for path in uploads_folder(folder / "archive.sqlite").iterdir()] == []


def status(served: Served, request: bytes) -> str:
    """Send bytes; return the status of the answer."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        try:
            connection.sendall(request)
        except OSError:
            pass  # the server has answered and hung up before it had all
        answer = connection.recv(100)
    return answer.split(b" ")[1].decode() if answer.startswith(b"HTTP/1.1 ") else repr(answer)


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_hostile_requests_get_4xx_and_nothing_else(served: Served, maker: Maker, tmp_path: Path) -> None:
    rng = random.Random(maker.__name__)
    for number in range(NUM_REQUESTS // len(MAKERS) + 1):
        request = maker(rng)
        found = status(served, request)
        assert found.startswith("4") and len(found) == 3, (number, found, request[:300])
    assert served.get("/v1/search?q=praat").status == 200
