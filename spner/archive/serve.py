"""``spner serve``: the archive as a page and over HTTP, by default to this machine alone."""

import logging
import socket
from collections.abc import Callable
from pathlib import Path

from spner.archive.similar import read_forms
from spner.archive.store import open_archive
from spner.core.errors import SpnerError
from spner.tag.tagger import Tagger

ANY = ("0.0.0.0", "::")

log = logging.getLogger(__name__)


def serve(
    db: Path, load: Callable[[], Tagger] | None, *, host: str, port: int, max_mb: int, max_minutes: float
) -> None:
    """Serve an archive until the process is stopped.

    Args:
        db: the archive; made where there is none and recordings can be uploaded.
        load: makes the tagger of uploads; it can be pickled. None: nothing can be uploaded.
        host: address to listen at.
        port: 0 takes a free one.
        max_mb: size of an upload.
        max_minutes: duration of an upload.

    Raises:
        SpnerError: the extra ``serve`` is not installed, the archive cannot be opened, or the port is taken.
    """
    try:
        import uvicorn

        from spner.archive.app import Server, make_app
    except ImportError as error:
        raise SpnerError(f"spner serve: needs {error.name}; pip install 'spner[serve]'") from error
    from spner.archive.guard import LOCAL
    from spner.archive.uploads import Uploads
    from spner.archive.worker import Worker

    with open_archive(db, create=load is not None) as archive:
        read_forms(archive)  # else the first search would
    listening = _listen(host, port)
    uploads = Uploads(db, Worker(load, max_duration_s=60 * max_minutes)) if load else None
    hosts = None if host in ANY else frozenset({*LOCAL, host})
    app = make_app(Server(db, uploads), hosts=hosts, max_bytes=max_mb * 2**20)
    config = uvicorn.Config(
        app,
        access_log=False,  # it would hold what people search for
        log_config=None,
        log_level="warning",
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=5,
    )
    name = "localhost" if host in LOCAL else f"[{host}]" if ":" in host else host
    log.info("http://%s:%d/ (Ctrl-C ends it)", name, listening.getsockname()[1])
    uvicorn.Server(config).run([listening])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise SpnerError(
            f"spner serve: cannot listen at {host}:{port} ({error.strerror}); give another --port or --host"
        ) from error
