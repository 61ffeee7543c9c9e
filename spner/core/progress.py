"""Progress of long work: a bar on a terminal, and a log line now and then: for the log file only, if there is a bar."""

import logging
import time
from typing import TextIO

from tqdm import tqdm

LOG_EVERY_S = 30.0

log = logging.getLogger(__name__)
file_log = logging.getLogger("progress")  # not ours by its name, and so not for the screen, see logs.py


def in_words(duration_s: float) -> str:
    """Return a duration to be read, such as ``40 s``, ``25 min`` or ``3.5 h``."""
    if duration_s < 120:
        return f"{duration_s:.0f} s"
    return f"{duration_s / 60:.0f} min" if duration_s < 7200 else f"{duration_s / 3600:.1f} h"


class Progress:
    """Counts finished units of ``total``; use it as a context manager and call :meth:`update`."""

    def __init__(
        self,
        total: int,
        *,
        what: str,
        unit: str,
        every_s: float = LOG_EVERY_S,
        file: TextIO | None = None,
        shown: bool = True,
    ) -> None:
        """
        Args:
            total: number of units.
            what: title.
            unit: what is counted.
            every_s: seconds from one log line to the next.
            file: where the bar is drawn; None: standard error.
            shown: False draws none.
        """
        self._bar = tqdm(total=total, desc=what, unit=unit, disable=None if shown else True, leave=False, file=file)
        self._total, self._what, self._unit, self._every_s = total, what, unit, every_s
        self._done, self._began = 0, time.monotonic()
        self._logged = self._began

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_exception: object) -> None:
        self._bar.close()

    def update(self, num_units: int = 1, *, note: str = "") -> None:
        """Count ``num_units`` more as finished; the note is shown with the number."""
        self._done += num_units
        if note:
            self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(num_units)
        now = time.monotonic()
        if now - self._logged > self._every_s:
            self._logged = now
            left_s = (now - self._began) / self._done * max(self._total - self._done, 0)
            line = f"{self._what}: {self._done} of {self._total} {self._unit}, about {in_words(left_s)} left"
            (log if self._bar.disable else file_log).info("%s", f"{line}, {note}" if note else line)
