"""The screen shows what is for the person in front of it; the log has everything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spner.core.logs import c_library_muted

CODE = """
import logging, sys, warnings
from spner.core.logs import prints_logged, set_up_logging
set_up_logging()
logging.getLogger("spner.asr.train").info("ours")
logging.info("of a library")
logging.warning("a warning of a library")
logging.warning("Set decoder to none as ctc_weight==1.0")
warnings.warn("a Python warning")
warnings.warn("a change to come", FutureWarning)
warnings.warn("User provided device_type of 'cuda', but\\nCUDA is not available. Disabling")
with prints_logged():
    print("a library's print")
    print("/bin/python x.py", file=sys.stderr)
    logging.getLogger("spner").info("ours meanwhile")
    warnings.warn("a Python warning meanwhile")
print("output")
"""


@pytest.fixture
def run(tmp_path: Path) -> tuple[subprocess.CompletedProcess[str], str]:
    environment = {**os.environ, "SPNER_LOG": str(tmp_path / "log")}
    result = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env=environment)
    return result, (tmp_path / "log").read_text(encoding="utf-8")


def test_the_screen_shows_our_messages_and_warnings_but_no_remarks(
    run: tuple[subprocess.CompletedProcess[str], str],
) -> None:
    result, _ = run
    assert result.stdout == "output\n"
    shown = [line[9:] for line in result.stderr.splitlines() if line[2:3] == ":"]  # without the clock
    assert shown[:2] == ["ours", "a warning of a library"]
    assert shown[2].endswith("UserWarning: a Python warning")
    assert shown[3] == "ours meanwhile" and shown[4].endswith("UserWarning: a Python warning meanwhile")
    assert len(shown) == 5


def test_the_log_has_what_the_screen_lacks(run: tuple[subprocess.CompletedProcess[str], str]) -> None:
    _, log = run
    for text in ("root INFO: of a library", "Set decoder to none", "a library's print", "/bin/python x.py", "ours"):
        assert text in log


def test_what_c_code_writes_is_dropped_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    print("before", file=sys.stderr)
    with pytest.raises(ValueError, match="the cause"), c_library_muted():
        os.write(2, b"Note: Illegal header\n")
        raise ValueError("the cause")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "before\nafter\n"
