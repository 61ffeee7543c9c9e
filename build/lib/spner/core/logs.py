"""What is logged where: the screen is for the person in front of it, the file that SPNER_LOG names has everything."""

import contextlib
import io
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator

PRINTS = "prints"  # logger of what libraries print
NO_NEWS = re.compile("Set decoder to none")  # ESPnet's warning about every model that is CTC alone, as all of ours are


def set_up_logging() -> None:
    """Show our own messages and everybody's warnings; the file that SPNER_LOG names gets libraries' messages, too."""
    screen = logging.StreamHandler()
    screen.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    screen.addFilter(_is_for_the_screen)
    handlers: list[logging.Handler] = [screen]
    if os.environ.get("SPNER_LOG"):
        handlers.append(logging.FileHandler(os.environ["SPNER_LOG"], encoding="utf-8"))
        handlers[-1].setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=handlers)
    logging.captureWarnings(True)
    # Deprecations inside ESPnet, S3PRL and torch, and its trainer's remarks about CUDA, are nothing a user can mend.
    warnings.simplefilter("ignore", FutureWarning)
    warnings.filterwarnings("ignore", r"(?s).*CUDA is not available")


def _is_for_the_screen(record: logging.LogRecord) -> bool:
    if record.name == PRINTS or NO_NEWS.match(record.getMessage()):
        return False
    return record.levelno >= logging.WARNING or record.name.startswith("spner")


@contextlib.contextmanager
def prints_logged() -> Iterator[None]:
    """Log what libraries print, out of the screen's sight."""
    with contextlib.redirect_stdout(_Lines()), contextlib.redirect_stderr(_Lines()):
        yield


class _Lines(io.TextIOBase):
    """A text stream whose lines are logged."""

    def write(self, text: str, /) -> int:
        for line in filter(str.strip, text.splitlines()):
            logging.getLogger(PRINTS).info("%s", line)
        return len(text)


@contextlib.contextmanager
def c_library_muted() -> Iterator[None]:
    """Drop what C code writes to standard error, such as remarks that name no file; errors still come as exceptions."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
