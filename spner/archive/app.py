"""The routes of ``spner serve``: search, recordings, uploads, transcriptions, and the page's own files."""

import asyncio
import contextlib
import json
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, File, Form, HTTPException, Query, Request, Response, UploadFile
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from starlette.exceptions import HTTPException as AnyHTTPException

from spner import __version__
from spner.archive import search as searching
from spner.archive.guard import Guard, error_record
from spner.archive.names import list_labels, list_names
from spner.archive.rows import read_recording
from spner.archive.store import ArchiveError, open_archive
from spner.archive.text import hit_record
from spner.archive.transcriptions import JSON, RESPONSE_FORMATS, respond
from spner.archive.uploads import BusyError, Upload, Uploads
from spner.core.errors import SpnerError
from spner.tag.records import to_json

PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page/style.css": ("style.css", "text/css; charset=utf-8"),
    "/page/icon.svg": ("icon.svg", "image/svg+xml"),
    **{
        f"/page/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
        for name in ("app", "dom", "search", "recording", "upload")
    },
}
SOUNDS = {
    **dict.fromkeys((".wav", ".wave"), "audio/wav"),
    **dict.fromkeys((".ogg", ".oga", ".opus"), "audio/ogg"),
    **dict.fromkeys((".m4a", ".m4b"), "audio/mp4"),
    **dict.fromkeys((".mp4", ".m4v"), "video/mp4"),
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".aac": "audio/aac",
    ".webm": "video/webm",
}
"""What a browser may take a recording for; never a page, whatever the file holds."""
MAX_ID = 2**63 - 1

log = logging.getLogger(__name__)

Id = Annotated[int, InPath(ge=1, le=MAX_ID)]
Text = Annotated[str, Query(max_length=searching.MAX_QUERY)]
Label = Annotated[str | None, Query(max_length=100)]
Limit = Annotated[int, Query(ge=1, le=searching.MAX_HITS)]


@dataclass(frozen=True)
class Server:
    """What the routes work with.

    Attributes:
        db: the archive.
        uploads: None where nothing tags.
    """

    db: Path
    uploads: Uploads | None


def make_app(server: Server, *, hosts: frozenset[str] | None, max_bytes: int) -> Guard:
    """Return the application behind its guard.

    Args:
        server: archive and uploads; they are started and stopped with the application.
        hosts: names under which it may be asked; None allows any.
        max_bytes: of an upload.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if server.uploads:
            server.uploads.start()
        yield
        if server.uploads:
            server.uploads.stop()

    app = FastAPI(title="spner", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.server = server
    app.exception_handler(AnyHTTPException)(_answer_http)
    app.exception_handler(RequestValidationError)(_answer_invalid)
    app.exception_handler(ArchiveError)(_answer_archive)
    app.exception_handler(SpnerError)(_answer_mistake)
    for address, (name, kind) in PAGE.items():
        app.get(address, include_in_schema=False)(_page_file(name, kind))
    _add_searches(app)
    _add_recordings(app)
    _add_uploads(app)
    return Guard(app, hosts=hosts, max_bytes=max_bytes)


def _page_file(name: str, kind: str) -> Callable[[], Response]:
    content = files("spner.archive").joinpath("page", name).read_bytes()

    def send() -> Response:
        return Response(content, media_type=kind)

    return send


def _server(request: Request) -> Server:
    server = request.app.state.server
    assert isinstance(server, Server)
    return server


Serving = Annotated[Server, Depends(_server)]


def _add_searches(app: FastAPI) -> None:
    @app.get("/v1/search")
    def search(
        server: Serving,
        q: Text = "",
        label: Label = None,
        min_confidence: Annotated[float, Query(ge=0, le=1)] = 0.0,
        limit: Limit = 50,
    ) -> Response:
        query = searching.Query(q, label or None, min_confidence, limit)
        with open_archive(server.db) as archive:
            hits = [hit_record(hit) for hit in searching.search(archive, query)]
        return _json({"hits": hits, "more": len(hits) == limit})

    @app.get("/v1/names")
    def names(server: Serving, q: Text = "", label: Label = None, limit: Limit = 100) -> Response:
        with open_archive(server.db) as archive:
            found = [asdict(name) for name in list_names(archive, part=q, label=label or None, limit=limit)]
            return _json({"names": found, "labels": list_labels(archive)})

    @app.get("/health")
    def health(server: Serving) -> Response:
        with open_archive(server.db) as archive:
            count = _count(archive)
        uploads = server.uploads
        state = "none" if uploads is None else "failed" if uploads.failure else "ready" if uploads.ready else "loading"
        return _json({"status": "ok", "version": __version__, "recordings": count, "model": state})


def _count(archive: sqlite3.Connection) -> int:
    (count,) = archive.execute("SELECT count(*) FROM recording").fetchone()
    return int(count)


def _add_recordings(app: FastAPI) -> None:
    @app.get("/v1/recordings")
    def recordings(server: Serving, limit: Limit = 100) -> Response:
        with open_archive(server.db) as archive:
            rows = archive.execute("SELECT id, title, duration_s FROM recording ORDER BY id DESC LIMIT ?", (limit,))
            listed = [dict(zip(("id", "title", "duration"), row, strict=True)) for row in rows]
            return _json({"recordings": listed, "total": _count(archive)})

    @app.get("/v1/recordings/{recording:int}")
    def recording(server: Serving, recording: Id) -> Response:
        with open_archive(server.db) as archive:
            found = read_recording(archive, recording)
        if found is None:
            raise HTTPException(404, "no such recording")
        return Response("".join(to_json(found)), media_type=JSON)

    @app.get("/v1/recordings/{recording:int}/audio")
    def audio(server: Serving, recording: Id) -> FileResponse:
        with open_archive(server.db) as archive:
            row = archive.execute("SELECT path, size, mtime_ns FROM recording WHERE id = ?", (recording,)).fetchone()
        if row is None:
            raise HTTPException(404, "no such recording")
        path = Path(row[0])
        try:
            state = path.stat()
        except OSError:
            raise HTTPException(404, "the recording is not where it was; index it again") from None
        if (state.st_size, state.st_mtime_ns) != row[1:]:
            raise HTTPException(404, "the recording has changed; index it again")
        return FileResponse(path, media_type=SOUNDS.get(path.suffix.lower(), "application/octet-stream"))


def _add_uploads(app: FastAPI) -> None:
    @app.post("/v1/uploads", status_code=202)
    def upload(server: Serving, file: Annotated[UploadFile, File()]) -> Response:
        return _json(_upload_record(_accept(server, file, keep=True)), 202)

    @app.get("/v1/uploads/{key}")
    def progress(server: Serving, key: str) -> Response:
        found = server.uploads.find(key) if server.uploads else None
        if found is None:
            raise HTTPException(404, "no such upload")
        return _json(_upload_record(found))

    @app.post("/v1/audio/transcriptions")
    async def transcriptions(
        server: Serving,
        file: Annotated[UploadFile, File()],
        response_format: Annotated[str, Form()] = "json",
        stream: Annotated[str, Form()] = "false",
    ) -> Response:
        if response_format not in RESPONSE_FORMATS:
            raise _wrong("response_format", f"expected one of {', '.join(RESPONSE_FORMATS)}")
        if stream.lower() != "false":
            raise _wrong("stream", "is not supported, transcripts come whole; leave it out")
        accepted = await asyncio.to_thread(_accept, server, file, keep=False)
        found = await asyncio.wrap_future(accepted.result)
        body, kind = respond(found, response_format)
        return Response(body, media_type=kind)


def _accept(server: Server, file: UploadFile, *, keep: bool) -> Upload:
    if server.uploads is None:
        raise HTTPException(404, "nothing is tagged here: the server was started without a model")
    if server.uploads.failure:
        raise HTTPException(503, "the model cannot be loaded")
    if not file.size:
        raise _wrong("file", "is empty")
    try:
        return server.uploads.accept(file.file, file.filename or "", keep=keep)
    except BusyError as error:
        raise HTTPException(429, str(error)) from error
    except OSError as error:
        raise HTTPException(507, "the server cannot keep it: no room") from error


def _upload_record(upload: Upload) -> dict[str, Any]:
    keys = ("key", "title", "state", "share", "recording", "error")
    return {key: getattr(upload, key) for key in keys}


def _json(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value, ensure_ascii=False), status, media_type=JSON)


async def _answer_http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, AnyHTTPException)
    return JSONResponse(error_record(error.status_code, str(error.detail)), error.status_code, headers=error.headers)


def _wrong(param: str, reason: str) -> RequestValidationError:
    """Return the error of a field that FastAPI cannot know to be wrong."""
    return RequestValidationError([{"loc": ("body", param), "msg": reason}])


async def _answer_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    reasons = {".".join(map(str, one["loc"][1:])): one["msg"] for one in error.errors()}
    message = "; ".join(f"{param}: {reason}" for param, reason in sorted(reasons.items()))
    return JSONResponse(error_record(400, message, min(reasons) or None), 400)


async def _answer_mistake(_request: Request, error: Exception) -> Response:
    return JSONResponse(error_record(400, str(error)), 400)


async def _answer_archive(_request: Request, error: Exception) -> Response:
    log.error("%s", error)
    return JSONResponse(error_record(500, "the archive cannot be read or written; see the server's log"), 500)
