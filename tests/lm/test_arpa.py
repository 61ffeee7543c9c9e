"""Packed ARPA files, and KenLM's binary form."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from spner.core.errors import SpnerError
from spner.lm.arpa import unpack_arpa

ARPA = b"\\data\\\nngram 1=1\n\n\\1-grams:\n0\ta\n\n\\end\\\n"


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_file_is_unpacked_beside_the_search(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / "lm.arpa.gz").write_bytes(pack(ARPA))
    assert unpack_arpa(tmp_path / "lm.arpa.gz", tmp_path / "plain").read_bytes() == ARPA


def test_a_plain_file_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "lm.arpa").write_bytes(ARPA)
    assert unpack_arpa(tmp_path / "lm.arpa", tmp_path / "plain") == tmp_path / "lm.arpa"
    assert not (tmp_path / "plain").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(ARPA, mtime=0)[:20], ": cannot be unpacked ("),
        (gzip.compress(ARPA, mtime=0)[:15] + b"\xff" * 20, ": cannot be unpacked ("),
        (bz2.compress(ARPA)[:20], ": cannot be unpacked ("),
        (lzma.compress(ARPA)[:20], ": cannot be unpacked ("),
        (b"mmap lm http://kheafield.com/code format version 5\n\0", ": is KenLM's binary form, whose words cannot be"),
    ],
    ids=["cut gzip", "damaged gzip", "cut bzip2", "cut xz", "KenLM's binary"],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "lm").write_bytes(content)
    with pytest.raises(SpnerError) as error:
        unpack_arpa(tmp_path / "lm", tmp_path / "plain")
    assert str(error.value).startswith(f"{tmp_path}/lm{message}") and "\n" not in str(error.value)
    assert not (tmp_path / "plain").exists()


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpnerError, match=r"lm\.arpa: cannot be read \(No such file or directory\); spner lm makes it"):
        unpack_arpa(tmp_path / "lm.arpa", tmp_path / "plain")
