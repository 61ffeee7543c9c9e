"""Progress of long work: a bar on a terminal, a log line now and then elsewhere."""

import logging
import time

from tqdm import tqdm

LOG_EVERY_S = 30.0

log = logging.getLogger(__name__)


class Progress:
    """Counts finished units of ``total``; use it as a context manager and call :meth:`update`."""

    def __init__(self, total: int, *, what: str, unit: str) -> None:
        self._bar = tqdm(total=total, desc=what, unit=unit, disable=None, leave=False)
        self._total, self._what, self._unit = total, what, unit
        self._done, self._began = 0, time.monotonic()
        self._logged = self._began

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_exception: object) -> None:
        self._bar.close()

    def update(self, num_units: int = 1) -> None:
        """Count ``num_units`` more as finished."""
        self._done += num_units
        self._bar.update(num_units)
        now = time.monotonic()
        if self._bar.disable and (now - self._logged > LOG_EVERY_S):
            self._logged = now
            left_s = (now - self._began) / self._done * (self._total - self._done)
            log.info("%s: %d of %d %s, about %.0f s left", self._what, self._done, self._total, self._unit, left_s)
