"""``spner serve``: search, recordings with ranges, uploads, OpenAI's shape, limits, what a killed server loses."""

import contextlib
import io
import json
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from spner.archive.forget import forget
from spner.archive.index import index_recordings
from spner.archive.names import list_names
from spner.archive.serve import serve
from spner.archive.store import open_archive, uploads_folder
from spner.core.errors import SpnerError
from tests.archive.served import Served, start
from tests.tag.models import RATE_HZ, make_tagger, pause, speak

pytest.importorskip("fastapi", reason="needs the extra serve")


def sound(text: str, *, seconds: float = 0.0) -> bytes:
    file = io.BytesIO()
    samples = np.concatenate([speak(text), pause(seconds)]) if seconds else speak(text)
    soundfile.write(file, samples, RATE_HZ, subtype="PCM_16", format="WAV")
    return file.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings, in an archive."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "in").mkdir()
    (folder / "in/a.wav").write_bytes(sound("<PER> ada </NE> praat"))
    (folder / "in/b <script>.flac").write_bytes(sound("de <LOC> gent </NE>"))
    with open_archive(folder / "archive.sqlite", create=True) as archive:
        index_recordings(archive, [folder / "in"], make_tagger)
    return folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    """The server of these recordings."""
    one = start(folder / "archive.sqlite")
    yield one
    log = one.stop()
    assert "praat" not in log and "Traceback" not in log, log


def test_search_and_names(served: Served) -> None:
    (hit,) = served.get("/v1/search?q=praat").json()["hits"]  # type: ignore[misc]
    assert (hit["title"], hit["found"], hit["recording"]) == ("a.wav", "praat", 1)
    assert [part["label"] for part in hit["parts"]] == ["PER", ""] and "path" not in hit
    assert hit["parts"][1] == {"label": "", "before": " ", "found": "praat", "after": ""}
    names = served.get("/v1/names?label=LOC").json()
    assert [name["text"] for name in names["names"]] == ["gent"]  # type: ignore[attr-defined]
    assert names["labels"] == {"LOC": 1, "PER": 1}
    health = served.get("/health").json()
    assert health["status"] == "ok" and health["model"] in ("loading", "ready")


def test_recordings_are_given_by_id_and_in_ranges(served: Served, folder: Path) -> None:
    found = served.get("/v1/recordings/1").json()
    assert found["audio"] == "a.wav" and found["segments"][0]["text"] == "ada praat"  # type: ignore[index]
    content = (folder / "in/a.wav").read_bytes()
    whole = served.get("/v1/recordings/1/audio")
    assert (whole.status, whole.headers["content-type"], whole.body) == (200, "audio/wav", content)
    part = served.get("/v1/recordings/1/audio", Range="bytes=100-199")
    assert (part.status, part.body) == (206, content[100:200])
    assert served.get("/v1/recordings/1/audio", Range="bytes=-10").body == content[-10:]
    assert served.get("/v1/recordings/1/audio", Range="bytes=99999999-").status == 416
    assert str(folder) not in served.get("/v1/recordings").body.decode()


def test_a_recording_that_has_changed_is_not_given(served: Served, folder: Path) -> None:
    path = folder / "in/b <script>.flac"
    content = path.read_bytes()
    path.write_bytes(b"another")
    assert served.get("/v1/recordings/2/audio").status == 404
    path.unlink()
    assert served.get("/v1/recordings/2/audio").status == 404
    path.write_bytes(content)


def test_every_answer_has_the_headers_that_keep_a_page_apart(served: Served) -> None:
    for path in ("/", "/page/app.js", "/v1/search?q=praat", "/v1/recordings/1/audio", "/none", "/v1/search"):
        headers = served.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';"), path
        assert "unsafe" not in headers["content-security-policy"] and headers["x-content-type-options"] == "nosniff"
    page = served.get("/").body.decode()
    assert "<script>" not in page and "style=" not in page and "onclick" not in page


def test_only_this_machine_and_this_site(served: Served) -> None:
    assert served.get("/", Host="evil.example").status == 421
    assert served.get("/", Host=f"localhost:{served.port}").status == 200
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert served.post("/v1/uploads", sound("ada"), headers=headers).status == 403
    own = {"Origin": f"http://127.0.0.1:{served.port}"}
    assert served.post("/v1/audio/transcriptions", sound("ada"), headers=own).status == 200


def test_an_upload_is_tagged_and_found(served: Served, folder: Path) -> None:
    name = "../../etc/<b>Mijn \u00e9 talk.wav"
    accepted = served.post("/v1/uploads", sound("<PER> eva </NE> zingt"), name)
    assert accepted.status == 202 and accepted.json()["title"] == "<b>Mijn é talk.wav"
    done = served.wait(str(accepted.json()["key"]))
    assert (done["state"], done["share"]) == ("done", 1.0)
    (hit,) = served.get("/v1/search?q=zingt").json()["hits"]  # type: ignore[misc]
    assert (hit["recording"], hit["title"]) == (done["recording"], "<b>Mijn é talk.wav")
    assert served.get(f"/v1/recordings/{done['recording']}/audio").body == sound("<PER> eva </NE> zingt")
    (kept,) = uploads_folder(folder / "archive.sqlite").iterdir()
    assert kept.name == f"{accepted.json()['key']}.wav"
    with open_archive(folder / "archive.sqlite") as archive:
        assert forget(archive, folder / "archive.sqlite", "<b>Mijn é talk.wav") is None
    assert not kept.exists() and served.get(f"/v1/recordings/{done['recording']}/audio").status == 404


def test_transcriptions_in_openais_shape(served: Served, folder: Path) -> None:
    content = sound("<PER> ada </NE> praat", seconds=1.0) + b""

    def ask(**fields: str) -> str:
        answer = served.post("/v1/audio/transcriptions", content, model="whisper-1", **fields)
        assert answer.status == 200
        return answer.body.decode()

    assert json.loads(ask()) == {"text": "ada praat"}
    verbose = json.loads(ask(response_format="verbose_json"))
    assert (verbose["task"], verbose["language"], verbose["text"]) == ("transcribe", "nl", "ada praat")
    assert verbose["duration"] == pytest.approx(len(speak("<PER> ada </NE> praat")) / RATE_HZ + 1)
    assert [word["word"] for word in verbose["words"]] == ["ada", "praat"] and verbose["segments"][0]["id"] == 0
    (entity,) = verbose["entities"]
    assert (entity["label"], entity["text"], entity["segment"]) == ("PER", "ada", 0)
    assert verbose["text"][entity["start_char"] : entity["end_char"]] == "ada"
    assert ask(response_format="text") == "ada praat\n"
    assert ask(response_format="srt").startswith("1\n00:00:00,") and ask(response_format="vtt").startswith("WEBVTT")
    assert (
        served.get("/v1/search?q=praat").json()["hits"] and len(served.get("/v1/recordings").json()["recordings"]) == 2
    )  # type: ignore[arg-type]
    assert not list(uploads_folder(folder / "archive.sqlite").iterdir()), "nothing of them is kept"


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"response_format": "xml"}, "response_format", "expected one of json, verbose_json, text, srt, vtt"),
        ({"stream": "true"}, "stream", "is not supported, transcripts come whole; leave it out"),
        ({"content": b""}, "file", "is empty"),
    ],
)
def test_errors_in_openais_shape(served: Served, fields: dict[str, Any], param: str, message: str) -> None:
    answer = served.post("/v1/audio/transcriptions", **{"content": sound("ada"), **fields})
    error = {"message": f"{param}: {message}", "type": "invalid_request_error", "param": param, "code": None}
    assert (answer.status, answer.json()) == (400, {"error": error})


def test_every_error_has_openais_shape(served: Served) -> None:
    broken = served.post("/v1/audio/transcriptions", b"x" * 999, "a.mp3")
    answers = [broken, served.get("/v1/models"), served.get("/v1/search?limit=0"), served.get("/", Host="evil.example")]
    answers += [served.ask("POST", "/v1/uploads", b"", {"Content-Length": str(2**40)}), served.ask("DELETE", "/health")]
    assert [answer.status for answer in answers] == [400, 404, 400, 421, 413, 405]
    for answer in answers:
        (error,) = answer.json().values()
        assert list(error) == ["message", "type", "param", "code"]  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no sound at all" * 100, "no recording that libsndfile or FFmpeg can read"),
        (b"RIFF" + struct.pack("<I", 2**32 - 1) + b"WAVEfmt ", "FFmpeg can read"),
        (b"<html><script>alert(1)</script>", "FFmpeg can read"),
    ],
)
def test_broken_recordings_fail_and_leave_nothing(served: Served, folder: Path, content: bytes, message: str) -> None:
    done = served.wait(str(served.post("/v1/uploads", content, "x.wav").json()["key"]))
    assert done["state"] == "failed" and message in str(done["error"])
    assert str(folder) not in str(done["error"]) and not list(uploads_folder(folder / "archive.sqlite").iterdir())
    assert served.post("/v1/audio/transcriptions", content).status == 400


def test_uploads_that_are_too_long_or_too_large_are_refused(served: Served) -> None:
    long = io.BytesIO()
    soundfile.write(long, np.zeros(31 * RATE_HZ), RATE_HZ, format="FLAC")
    answer = served.post("/v1/audio/transcriptions", long.getvalue(), "x.flac")
    assert answer.status == 400 and "longer than" in answer.body.decode()
    # The body is only announced: the server answers and hangs up, and who still sends then may never read the answer.
    assert served.ask("POST", "/v1/uploads", b"", {"Content-Length": str(2**20 + 1)}).status == 413
    assert served.post("/v1/uploads", b"").status == 400
    with socket.create_connection(("127.0.0.1", served.port)) as chunked:  # a body of unknown length
        body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + bytes(2**21)
        chunked.sendall(
            b"POST /v1/uploads HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" + f"{len(body):x}\r\n".encode()
        )
        with contextlib.suppress(OSError):  # the server may hang up before it has all
            chunked.sendall(body + b"\r\n0\r\n\r\n")
        assert chunked.recv(100).startswith(b"HTTP/1.1 413")


def test_ten_uploads_at_once(served: Served) -> None:
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda i: served.post("/v1/uploads", sound("<PER> bob </NE>"), f"{i}.wav"), range(10)))
    assert [answer.status for answer in answers] == [202] * 10
    done = [served.wait(str(answer.json()["key"])) for answer in answers]
    assert len({one["recording"] for one in done}) == 10
    names = served.get("/v1/names").json()["names"]
    assert {"label": "PER", "text": "bob", "num_mentions": 10, "authority": None} in names  # type: ignore[operator]


def test_a_killed_server_loses_nothing(tmp_path: Path) -> None:
    db = tmp_path / "archive.sqlite"
    one = start(db)
    first = one.post("/v1/uploads", sound("<PER> ada </NE>"), "first.wav").json()
    assert one.wait(str(first["key"]))["state"] == "done"
    keys = [one.post("/v1/uploads", sound("<PER> bob </NE>", seconds=25), f"{i}.wav").json()["key"] for i in range(5)]
    one.stop(signal.SIGKILL)
    (uploads_folder(db) / ".tmp-half.wav").write_bytes(b"half")
    (uploads_folder(db) / "not_kept.wav").write_bytes(b"of a transcription")
    again = start(db)
    for key in keys:
        if again.get(f"/v1/uploads/{key}").status == 200:  # others were tagged before
            assert again.wait(str(key))["state"] == "done"
    again.stop()
    with open_archive(db) as archive:
        counted = {name.text: name.num_mentions for name in list_names(archive)}
        assert counted == {"ada": 1, "bob": 5}
        assert archive.execute("SELECT count(*) FROM upload").fetchone() == (0,)
    assert len(list(uploads_folder(db).iterdir())) == 6


def test_without_a_model_nothing_can_be_uploaded(tmp_path: Path) -> None:
    with open_archive(tmp_path / "archive.sqlite", create=True):
        pass
    one = start(tmp_path / "archive.sqlite", tags=False)
    assert one.get("/health").json()["model"] == "none"
    assert one.post("/v1/uploads", sound("ada")).status == 404
    one.stop()


def test_a_port_that_is_taken_is_told(served: Served, tmp_path: Path) -> None:
    for host, port in (("127.0.0.1", served.port), ("nowhere.invalid", 0)):
        with pytest.raises(SpnerError, match=rf"cannot listen at {host}:{port} \(.*give another --port or --host"):
            serve(tmp_path / "a.sqlite", make_tagger, host=host, port=port, max_mb=1, max_minutes=1)


def test_a_free_port_is_told(tmp_path: Path) -> None:
    script = "import sys; from spner.cli import main; main(['serve', '--db', sys.argv[1], '--port', '0'])"
    with open_archive(tmp_path / "a.sqlite", create=True):
        pass
    with subprocess.Popen([sys.executable, "-c", script, tmp_path / "a.sqlite"], stderr=subprocess.PIPE) as process:
        assert process.stderr
        (port,) = re.findall(rb"http://localhost:(\d+)/", process.stderr.readline())
        assert Served(process, int(port)).get("/v1/recordings").json() == {"recordings": [], "total": 0}
        process.terminate()


def test_an_archive_that_is_damaged_is_the_servers_fault(tmp_path: Path) -> None:
    db = tmp_path / "archive.sqlite"
    with open_archive(db, create=True):
        pass
    one = start(db, tags=False)
    db.write_bytes(b"x" * 9999)
    for path in ("/v1/search?q=ada", "/v1/names", "/v1/recordings", "/health"):
        answer = one.get(path)
        assert answer.status == 500 and answer.json()["error"]["type"] == "server_error"  # type: ignore[index]
        assert str(tmp_path) not in answer.body.decode()
    log = one.stop()
    assert "is no archive, or damaged" in log and "Traceback" not in log
