"""``spner index``: what is tagged, what is read, what is known, what leaves."""

import os
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spner.archive.forget import forget
from spner.archive.index import Report, format_report, index_recordings
from spner.archive.names import list_names
from spner.archive.search import Query, search
from spner.archive.store import open_archive
from spner.cli import main
from spner.core.errors import SpnerError
from spner.tag.files import Output, tag_files
from spner.tag.tagger import Tagger
from tests.tag.models import RATE_HZ, make_tagger, speak


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, speak(text), RATE_HZ, subtype="FLOAT")
    return path


def refuse() -> Tagger:
    raise AssertionError("there is nothing to tag")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "in/a.wav", "<PER> ada </NE> praat")
    write(tmp_path / "in/sub/b.wav", "<PER> bob </NE> slaapt")
    return tmp_path / "in"


def names(archive: sqlite3.Connection) -> set[str]:
    return {name.text for name in list_names(archive)}


def test_only_what_is_new_or_changed_is_tagged(archive: sqlite3.Connection, folder: Path) -> None:
    assert index_recordings(archive, [folder], make_tagger) == Report(num_tagged=2)
    assert names(archive) == {"ada", "bob"}
    assert index_recordings(archive, [folder], refuse) == Report(num_there=2)
    write(folder / "a.wav", "<PER> eva </NE> leest")
    write(folder / "c.wav", "<LOC> gent </NE>")
    assert index_recordings(archive, [folder], make_tagger) == Report(num_tagged=2, num_there=1)
    assert names(archive) == {"eva", "bob", "gent"}
    assert index_recordings(archive, [folder], make_tagger, overwrite=True) == Report(num_tagged=3)


def test_the_same_content_is_known_whatever_its_time_and_place(archive: sqlite3.Connection, folder: Path) -> None:
    index_recordings(archive, [folder], make_tagger)
    os.utime(folder / "a.wav", (1, 1))
    (folder / "sub/b.wav").rename(folder / "moved.wav")
    assert index_recordings(archive, [folder], refuse) == Report(num_there=1, num_moved=1)
    assert search(archive, Query("slaapt"))[0].title == "moved.wav"
    shutil.copy(folder / "a.wav", folder / "copy.wav")
    assert index_recordings(archive, [folder], make_tagger) == Report(num_tagged=1, num_there=2)


def test_what_is_gone_leaves_and_nothing_else(archive: sqlite3.Connection, folder: Path, tmp_path: Path) -> None:
    index_recordings(archive, [folder], make_tagger)
    (folder / "a.wav").unlink()
    assert index_recordings(archive, [folder / "sub"], refuse) == Report(num_there=1)
    assert names(archive) == {"ada", "bob"}, "its folder was not looked at"
    assert index_recordings(archive, [folder], refuse) == Report(num_there=1, num_gone=1)
    assert names(archive) == {"bob"}
    folder.rename(tmp_path / "away")
    with pytest.raises(SpnerError, match="no such file"):
        index_recordings(archive, [folder], refuse)
    folder.mkdir()
    with pytest.raises(SpnerError, match="holds no recording"):
        index_recordings(archive, [folder], refuse)
    assert names(archive) == {"bob"}, "a drive that is not there empties no archive"


def test_json_lines_of_spner_tag_are_read(archive: sqlite3.Connection, folder: Path, tmp_path: Path) -> None:
    tag_files([folder], make_tagger, Output(("jsonl",), tmp_path / "tagged"))
    assert index_recordings(archive, [folder], refuse, tagged=tmp_path / "tagged") == Report(num_read=2)
    assert names(archive) == {"ada", "bob"}
    (hit,) = search(archive, Query("slaapt"))
    assert hit.start_s == pytest.approx(0.44, abs=0.05)
    os.utime(tmp_path / "tagged/a.jsonl", (1, 1))  # of an older recording
    again = index_recordings(archive, [folder], make_tagger, tagged=tmp_path / "tagged", overwrite=True)
    assert again == Report(num_tagged=1, num_read=1)
    with pytest.raises(SpnerError, match="--tagged .*nowhere: no such folder"):
        index_recordings(archive, [folder], make_tagger, tagged=tmp_path / "nowhere")


def test_what_was_read_before_a_file_that_cannot_be_is_kept(
    archive: sqlite3.Connection, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(5):
        write(folder / f"{i}.wav", f"<PER> ada </NE> {'een ' * i}")
    tag_files([folder], make_tagger, Output(("jsonl",), tmp_path / "tagged"))
    (tmp_path / "tagged/4.jsonl").write_text("{}")
    monkeypatch.setattr("spner.archive.index.AT_ONCE", 3)  # one whole block and one that is begun
    with pytest.raises(SpnerError, match=r"4\.jsonl:1: is no segment"):
        index_recordings(archive, [folder], refuse, tagged=tmp_path / "tagged")
    assert index_recordings(archive, [folder], make_tagger) == Report(num_tagged=3, num_there=4)
    assert {name.text: name.num_mentions for name in list_names(archive)} == {"ada": 6, "bob": 1}


CONTROL = """{"text": "secret\\u0002", "words": [{"word": "secret\\u0002", "start": 1, "end": 2}], "entities": []}"""


def test_lines_that_are_no_segments_are_refused_without_their_text(
    archive: sqlite3.Connection, folder: Path, tmp_path: Path
) -> None:
    for line in (
        "{}",
        "secret",
        '{"text": "secret", "words": [{"word": "secret", "start": 2, "end": 1}]}',
        "[" * 9999,
        CONTROL,
    ):
        (tmp_path / "tagged").mkdir(exist_ok=True)
        (tmp_path / "tagged/a.jsonl").write_text(line)
        with pytest.raises(SpnerError, match=r"a\.jsonl:1: is no segment") as caught:
            index_recordings(archive, [folder / "a.wav"], refuse, tagged=tmp_path / "tagged")
        assert "secret" not in str(caught.value)


def test_what_cannot_be_read_is_told(archive: sqlite3.Connection, folder: Path) -> None:
    (folder / "empty.mp3").touch()
    write(folder / "broken.wav", "<PER> ada </NE>")
    soundfile.write(folder / "broken.wav", np.full(400, np.nan, np.float32), RATE_HZ, subtype="FLOAT")
    report = index_recordings(archive, [folder], make_tagger)
    assert (report.num_tagged, sorted(report.broken)) == (2, ["broken.wav", "empty.mp3"])
    lines = list(format_report(report))
    assert lines[:2] == ["recordings: 2 tagged", "2 could not be tagged:"] and "empty.mp3: is empty" in lines[2]


def test_a_recording_that_changes_while_it_is_tagged_is_left_for_the_next_time(
    archive: sqlite3.Connection, folder: Path
) -> None:
    tagger = make_tagger()

    def load() -> Tagger:
        write(folder / "a.wav", "<PER> eva </NE> leest nog")
        return tagger

    report = index_recordings(archive, [folder], load)
    assert (report.num_tagged, list(report.broken)) == (1, ["a.wav"])
    assert names(archive) == {"bob"}


def test_a_name_that_is_not_utf_8_is_told(archive: sqlite3.Connection, folder: Path) -> None:
    os.rename(folder / "a.wav", os.fsencode(folder) + b"/\xff.wav")
    report = index_recordings(archive, [folder], make_tagger)
    assert report.num_tagged == 1 and "is not UTF-8; rename it" in "".join(report.broken.values())


def test_forgetting_leaves_no_byte(archive: sqlite3.Connection, db: Path, folder: Path) -> None:
    write(folder / "secret.wav", "<PER> rumpelstilzchen </NE> zingt schaterlachend")
    index_recordings(archive, [folder], make_tagger)

    def traces() -> set[str]:
        content = b"".join(path.read_bytes() for path in db.parent.glob("archive.sqlite*"))
        return {word for word in ("rumpel", "stilz", "schaterlach", "secret.wav", "praat") if word.encode() in content}

    assert traces() == {"rumpel", "stilz", "schaterlach", "secret.wav", "praat"}
    assert forget(archive, db, "secret.wav") == folder / "secret.wav"
    assert traces() == {"praat"}
    assert names(archive) == {"ada", "bob"} and (folder / "secret.wav").exists()


def test_forgetting_names_one_recording(archive: sqlite3.Connection, db: Path, folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "other/a.wav", "<PER> eva </NE>")
    index_recordings(archive, [folder, tmp_path / "other"], make_tagger)
    with pytest.raises(SpnerError, match=r'c\.wav: is not in the archive; did you mean "a\.wav"\?'):
        forget(archive, db, "c.wav")
    with pytest.raises(SpnerError, match="names 2 recordings; give the path"):
        forget(archive, db, "a.wav")
    forget(archive, db, str(tmp_path / "other/a.wav"))
    assert names(archive) == {"ada", "bob"}


def test_the_commands(
    db: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("spner.tag.load.load_tagger", lambda _options: make_tagger())
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main([*arguments, "--db", str(db)])
            raise SystemExit(0)
        return int(str(stop.value.code)), *capfd.readouterr()

    assert run("index", "in", "--model", "m") == (0, "", "recordings: 2 tagged\n")
    assert run("search", "praat") == (0, "in/a.wav  00:00:00.4  [PER ada] praat\n", "")
    assert run("search", "xyzzy") == (0, "", "nothing was found\n")
    assert run("search", "--names", "--label", "PER")[1] == "      1  PER   ada\n      1  PER   bob\n"
    assert '"found": "bob"' in run("search", "bob", "--json")[1]
    code, out, _ = run("forget", "in/a.wav")
    assert code == 0 and out.startswith("in/a.wav: forgotten; /")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["index", "in", "--db", str(db)])
    assert stop.value.code == 2


def test_an_interrupted_index_is_taken_up_again(db: Path, folder: Path) -> None:
    class Stopped(Exception):
        pass

    class Stopping(Tagger):
        def tag_all(self, recordings, advance=lambda _s: None):  # type: ignore[no-untyped-def]
            yield next(iter(super().tag_all(recordings, advance)))
            raise Stopped

    whole = make_tagger()
    with open_archive(db, create=True) as archive, pytest.raises(Stopped):
        index_recordings(archive, [folder], lambda: Stopping(whole.transcriber))
    with open_archive(db, create=True) as archive:
        assert index_recordings(archive, [folder], make_tagger) == Report(num_tagged=1, num_there=1)
