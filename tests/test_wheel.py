"""A wheel built from the repository tags outside a checkout: it has every file that is not code, too."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.tag.golden import GOLDEN_PIPELINE
from tests.tag.models import RATE_HZ, pause, speak

pytest.importorskip("setuptools", reason="needs setuptools")
pytest.importorskip("flashlight.lib.text.decoder", reason="flashlight-text has no wheel for this Python")


def test_a_wheel_tags_outside_a_checkout(repo_root: Path, tmp_path: Path) -> None:
    source, unpacked = tmp_path / "source", tmp_path / "unpacked"
    shutil.copytree(repo_root / "spner", source / "spner", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "LICENSE"):
        shutil.copy(repo_root / name, source)
    build = "import setuptools.build_meta as backend; print(backend.build_wheel('dist'))"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    (wheel,) = (source / "dist").glob("spner-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    packaged = {path.relative_to(source) for path in (source / "spner").rglob("*") if path.is_file()}
    assert {path for path in packaged if not (unpacked / path).exists()} == set()
    waveform = np.concatenate([speak("anna is in gouda"), pause(1.0)])
    soundfile.write(tmp_path / "talk.wav", waveform, RATE_HZ, subtype="FLOAT")
    command = [sys.executable, "-m", "spner", "tag", "talk.wav", "--model", str(GOLDEN_PIPELINE)]
    command += ["-o", "out", "-f", "all"]
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    subprocess.run(command, cwd=tmp_path, check=True, env=environment, capture_output=True)
    assert (tmp_path / "out" / "talk.txt").read_text(encoding="utf-8") == "[PERSON Anna] is in [LOC Gouda]\n"
    assert (tmp_path / "out" / "talk.html").stat().st_size > 1000
