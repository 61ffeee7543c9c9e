"""Packs are a stranger's files: whole, of a known schema, and without a way out of their folder."""

import hashlib
import io
import os
import pickle
import stat
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from spner.core.errors import SpnerError
from spner.tag import pack_file
from spner.tag.pack_file import is_pack, open_pack

FILES = {"model.onnx": b"graph" * 10, "tokens.txt": b"<blank>\n<unk>\na\n<sos/eos>\n", "README.md": b"a card\n"}


def make_meta(files: Mapping[str, bytes] = FILES, **changes: Any) -> bytes:
    contents = {n: {"size": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in files.items()}
    meta = {
        "schema": 1,
        "name": "mini",
        "lang": "nl",
        "token_type": "char",
        "frames": {"hop_s": 0.04, "first_s": 0.0425},
        "search": None,
        "files": contents,
        "made_from": {},
    }
    return yaml.safe_dump({**meta, **changes}).encode()


TAGGER = {
    "tags": ["O", "B-PER"],
    "prefix": [0],
    "suffix": [1],
    "max_pieces": 8,
    "pad_id": 2,
    "labels": {"names": ["PER"], "map": {}},
}
TAGGER_FILES = {**FILES, "tagger.onnx": b"graph", "tokenizer.json": b"{}"}


def write_zip(path: Path, entries: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def write_folder(path: Path, entries: Mapping[str, bytes]) -> Path:
    for name, content in entries.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


WRITERS: dict[str, Callable[[Path, Mapping[str, bytes]], Path]] = {"zip": write_zip, "folder": write_folder}


@pytest.fixture(params=WRITERS)
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Mapping[str, bytes]], Path]:
    """Write a pack, as a zip file or as a folder."""
    return lambda entries: WRITERS[request.param](tmp_path / "pack", entries)


def refuse(path: Path) -> str:
    """Return why a pack is refused, in one line that begins with its name."""
    with pytest.raises(SpnerError) as error, open_pack(path):
        pass
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)
    return str(error.value)


def test_files_are_there_as_long_as_the_block(write: Callable[[Mapping[str, bytes]], Path]) -> None:
    path = write({"meta.yaml": make_meta(), **FILES})
    assert is_pack(path)
    with open_pack(path) as pack:
        assert {name: (pack.folder / name).read_bytes() for name in FILES} == FILES
        assert pack.find("tokens.txt") == pack.folder / "tokens.txt" and pack.find("search.arpa") is None
        assert (pack.meta.lang, pack.meta.grid.hop_s, pack.meta.search) == ("nl", 0.04, None)
    assert pack.folder.exists() == path.is_dir()


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        pytest.param({}, "is no pack (expected meta.yaml in it)", id="no meta.yaml"),
        pytest.param({"meta.yaml": b"a: b: c", **FILES}, "meta.yaml is not YAML", id="no YAML"),
        pytest.param({"meta.yaml": b"!!python/object/apply:os.system [ls]"}, "is not YAML", id="code in YAML"),
        pytest.param(
            {"meta.yaml": b"schema: 1\n" + b"#" * 2_000_000}, "has no schema number", id="an endless meta.yaml"
        ),
        pytest.param({"meta.yaml": make_meta(schema=2)}, "of schema 2, this spner reads up to 1; update", id="newer"),
        pytest.param({"meta.yaml": make_meta(schema="1")}, "has no schema number", id="no number"),
        pytest.param({"meta.yaml": make_meta(files={})}, "is malformed", id="without a model"),
        pytest.param(
            {"meta.yaml": make_meta({**FILES, "model.pth": b""})}, 'malformed ("files: model.pth")', id="pickle"
        ),
        pytest.param({"meta.yaml": make_meta({**FILES, "../x": b""}), **FILES}, "malformed", id="a way out"),
        pytest.param({"meta.yaml": make_meta(frames={"hop_s": 0, "first_s": 0})}, "is malformed", id="no frames"),
        pytest.param({"meta.yaml": make_meta(search={"search": "open"})}, '"beam_size" is missing', id="half a search"),
        pytest.param({"meta.yaml": make_meta(tagger=TAGGER)}, "a tagger without tagger.onnx", id="half a tagger"),
        pytest.param({"meta.yaml": make_meta(TAGGER_FILES)}, "or they without it", id="tagger without tags"),
        pytest.param(
            {"meta.yaml": make_meta(TAGGER_FILES, tagger={**TAGGER, "pad_id": -1})}, "is malformed", id="tagger's ids"
        ),
        pytest.param(
            {"meta.yaml": make_meta(TAGGER_FILES, tagger={**TAGGER, "tags": [1]})}, "is malformed", id="tagger's tags"
        ),
        pytest.param({"meta.yaml": make_meta(lang=7)}, "is malformed", id="language of a wrong kind"),
        pytest.param({"meta.yaml": make_meta(), **FILES, "tokens.txt": b"<blank>\n"}, "SHA-256 differs", id="changed"),
    ],
)
def test_broken_packs_are_refused(
    write: Callable[[Mapping[str, bytes]], Path], entries: dict[str, bytes], why: str
) -> None:
    path = write({"README.md": FILES["README.md"], **entries})
    assert why in refuse(path)


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "tagger/../../evil", "C:\\evil", "model.pth", "hook.py", "tagger/", "meta.yaml/x"]
)
def test_names_that_no_pack_has_are_refused(tmp_path: Path, name: str) -> None:
    path = write_zip(tmp_path / "pack.zip", {"meta.yaml": make_meta(), **FILES, name: pickle.dumps(print)})
    assert "which no pack does; do not use it" in refuse(path)
    assert sorted(tmp_path.iterdir()) == [path]


def test_links_are_refused(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("model.onnx")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as archive:
        archive.writestr("meta.yaml", make_meta())
        archive.writestr(entry, "/etc/passwd")
    assert 'holds "model.onnx", which no pack does' in refuse(tmp_path / "pack.zip")

    folder = write_folder(tmp_path / "folder", {"meta.yaml": make_meta(), **FILES})
    (tmp_path / "elsewhere").write_bytes(FILES["tokens.txt"])
    (folder / "tokens.txt").unlink()
    os.symlink(tmp_path / "elsewhere", folder / "tokens.txt")
    assert "tokens.txt is missing or a link" in refuse(folder)


def test_an_entry_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as archive, pytest.warns(UserWarning):
        for content in (make_meta(), make_meta(name="other")):
            archive.writestr("meta.yaml", content)
    assert 'holds "meta.yaml"' in refuse(tmp_path / "pack.zip")


def test_a_file_that_is_missing_or_not_listed_is_refused(tmp_path: Path) -> None:
    lacking = write_zip(tmp_path / "a.zip", {"meta.yaml": make_meta(), "model.onnx": b"", "README.md": b""})
    assert "lacks tokens.txt" in refuse(lacking)
    more = write_zip(tmp_path / "b.zip", {"meta.yaml": make_meta(), **FILES, "casing.tsv": b"x"})
    assert "holds casing.tsv, and meta.yaml says otherwise" in refuse(more)
    folder = write_folder(tmp_path / "folder", {"meta.yaml": make_meta(), "model.onnx": FILES["model.onnx"]})
    assert "is missing or a link" in refuse(folder)


def test_bombs_are_refused_before_and_while_they_unpack(tmp_path: Path) -> None:
    files = {**FILES, "search.arpa": bytes(50_000_000)}
    announced = write_zip(tmp_path / "a.zip", {"meta.yaml": make_meta(files), **files})
    assert "would unpack to" in refuse(announced)
    hidden = write_zip(tmp_path / "b.zip", {"meta.yaml": make_meta({**files, "search.arpa": b"1234"}), **files})
    assert "search.arpa is not the file that was packed" in refuse(hidden)


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.999])
def test_a_pack_that_was_cut_is_refused(tmp_path: Path, kept: float) -> None:
    path = write_zip(tmp_path / "pack.zip", {"meta.yaml": make_meta(), **FILES})
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    assert "is no whole zip file" in refuse(path)


def test_a_flipped_bit_anywhere_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "pack.zip", {"meta.yaml": make_meta(), **FILES}).read_bytes()
    refused = 0
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        (tmp_path / "pack.zip").write_bytes(damaged)
        try:
            with open_pack(tmp_path / "pack.zip") as pack:
                assert (pack.folder / "model.onnx").read_bytes() == FILES["model.onnx"]
        except SpnerError:
            refused += 1
    assert refused > len(whole) / 7 / 2


def test_an_encrypted_pack_is_refused(tmp_path: Path) -> None:
    whole = bytearray(write_zip(tmp_path / "pack.zip", {"meta.yaml": make_meta(), **FILES}).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        whole[whole.index(signature) + offset] |= 1
    (tmp_path / "pack.zip").write_bytes(whole)
    assert "encrypted" in refuse(tmp_path / "pack.zip")


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_zip(tmp_path / "pack.zip", {"meta.yaml": make_meta(), **FILES})

    def write(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pack_file, "_copy", write)
    assert "cannot be unpacked (No space left on device); make room" in refuse(path)


def test_what_is_no_pack_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert not is_pack(tmp_path / "notes.txt") and not is_pack(tmp_path) and not is_pack(tmp_path / "nothing")
    assert "is no whole zip file" in refuse(tmp_path / "notes.txt")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("README.md", "hello")
    (tmp_path / "other.zip").write_bytes(buffer.getvalue())
    assert "is no pack (expected meta.yaml in it)" in refuse(tmp_path / "other.zip")
