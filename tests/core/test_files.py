"""Files appear only when complete, and a folder has one writer."""

import errno
import hashlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from spner.core import files
from spner.core.errors import SpnerError
from spner.core.files import atomic_path, atomic_text, fingerprint, locked, read_json, read_lines, remove, write_json

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
MEND = "make room or check the permissions, then run the command again"


def test_atomic_text_appears_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "été folder" / "text"
    with atomic_text(path) as file:
        file.write("ë\n")
        assert not path.exists()
    assert path.read_bytes() == "ë\n".encode()
    assert os.listdir(path.parent) == ["text"]


@pytest.mark.parametrize("error", [ValueError("ours"), KeyboardInterrupt()])
def test_exception_inside_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "text"
    path.write_text("old")
    with pytest.raises(type(error)), atomic_text(path) as file:
        file.write("new")
        raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["text"]


def test_exception_inside_leaves_no_file_where_none_was(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ours"), atomic_path(tmp_path / "ark") as temporary:
        temporary.write_bytes(b"half")
        raise ValueError("ours")
    assert os.listdir(tmp_path) == []


def test_full_disk_while_writing_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("old")
    with pytest.raises(SpnerError) as error, atomic_text(path):
        raise FULL
    assert str(error.value) == f"{path}: cannot be written (No space left on device); {MEND}"
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["text"]


def test_full_disk_while_flushing_and_renaming_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise FULL

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(SpnerError, match="cannot be written \\(No space left on device\\)"):
                write_json(tmp_path / "scores.json", {})
        assert os.listdir(tmp_path) == []


def test_a_copy_to_a_full_disk_is_one_line(tmp_path: Path) -> None:
    """The error names the source first."""
    with pytest.raises(SpnerError, match="cannot be written"), atomic_path(tmp_path / "a") as temporary:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "source"), None, str(temporary))
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a") as temporary:
        shutil.copyfile(tmp_path / "missing", temporary)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_truly_full_device_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpnerError, match="text: cannot be written \\(No space left on device\\)"):
        with atomic_path(tmp_path / "text") as temporary:
            temporary.symlink_to("/dev/full")
            with open(temporary, "w") as file:
                file.write("x" * 100_000)
    assert os.listdir(tmp_path) == []


def test_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpnerError) as error:
        write_json(tmp_path / "file" / "scores.json", {})
    assert str(error.value) == f"{tmp_path / 'file' / 'scores.json'}: cannot be written (File exists); {MEND}"


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "No such file", "input.wav"), OSError("no model")])
def test_error_of_an_input_is_not_blamed_on_the_output(tmp_path: Path, error: OSError) -> None:
    with pytest.raises(OSError) as raised, atomic_path(tmp_path / "out"):
        raise error
    assert raised.value is error


def test_what_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from spner.core.files import atomic_text\n"
        "with atomic_text(Path(sys.argv[1])) as f:\n"
        "    f.write('half'); f.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "text"
    assert subprocess.run([sys.executable, "-c", code, str(path)]).returncode == -signal.SIGKILL
    assert os.listdir(tmp_path) == [".tmp-text"]
    with atomic_text(path) as file:
        file.write("whole")
    assert path.read_text() == "whole"
    assert os.listdir(tmp_path) == ["text"]


def test_json_is_read_again(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"ë": [1, None, 0.1]})
    assert read_json(tmp_path / "a.json") == {"ë": [1, None, 0.1]}
    assert (tmp_path / "a.json").read_text(encoding="utf-8").startswith('{\n  "ë": [\n')


def test_missing_and_malformed_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(SpnerError) as error:
        read_json(path)
    assert str(error.value) == f"{path}: cannot be read (No such file or directory); check the path"
    path.write_text("{")
    with pytest.raises(SpnerError) as error:
        read_json(path)
    assert str(error.value).startswith(f"{path}: is not JSON (Expecting property name")


def test_remove_takes_files_links_folders_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "file").write_text("")
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    for name in ("folder", "file", "link", "nothing"):
        remove(tmp_path / name)
    assert os.listdir(tmp_path) == ["kept"]


def test_lines_lose_their_ends_only(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes("a \r\n\nb\u2028ë\x0c".encode())
    assert list(read_lines(tmp_path / "text")) == ["a ", "", "b\u2028ë\x0c"]


def test_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes("\ufeffu1 a\n\ufeffu2\n".encode())
    assert list(read_lines(tmp_path / "text")) == ["u1 a", "\ufeffu2"]


@pytest.mark.parametrize("num_good", [0, 2, 5000])
def test_invalid_utf8_names_its_line(tmp_path: Path, num_good: int) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"u1 good\n" * num_good + b"u2 \xff\n" + b"u3 good\n")
    lines = read_lines(path)
    assert [next(lines) for _ in range(num_good)] == ["u1 good"] * num_good
    with pytest.raises(SpnerError) as error:
        next(lines)
    assert str(error.value) == (
        f"{path}:{num_good + 1}: is not valid UTF-8 (invalid start byte); convert the file to UTF-8"
    )


def _try_lock(folder: Path, answers: "multiprocessing.Queue[str]") -> None:
    try:
        with locked(folder):
            answers.put("held")
    except SpnerError as error:
        answers.put(str(error))


def test_second_process_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    folder = tmp_path / "exp"

    def ask() -> str:
        context = multiprocessing.get_context("spawn")
        answers = context.Queue()
        process = context.Process(target=_try_lock, args=(folder, answers))
        process.start()
        answer = answers.get(timeout=60)
        process.join()
        return answer

    with locked(folder):
        assert ask() == f"{folder}: another process is writing here; wait for it or stop it"
    assert ask() == "held"


def test_lock_goes_with_a_killed_process(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from spner.core.files import locked\n"
        "with locked(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "held\n"
    with pytest.raises(SpnerError, match="another process is writing here"), locked(tmp_path):
        pass
    process.kill()
    process.communicate()
    with locked(tmp_path):
        pass


def test_what_is_refused_leaves_no_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for folder in (tmp_path / "exp" / "new" / "decode", tmp_path / "there"):
        with pytest.raises(SpnerError), locked(folder):
            raise SpnerError("refused")
    assert os.listdir(tmp_path) == ["there"]


def test_what_was_written_before_a_failure_stays(tmp_path: Path) -> None:
    with pytest.raises(SpnerError), locked(tmp_path / "exp" / "decode"):
        (tmp_path / "exp" / "decode" / "part").touch()
        raise SpnerError("the disk is full")
    assert (tmp_path / "exp" / "decode" / "part").exists()


def test_lock_in_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpnerError) as error, locked(tmp_path / "file"):
        pass
    assert str(error.value) == f"{tmp_path / 'file'}: cannot be written (File exists); {MEND}"


def test_fingerprint_tells_contents_and_their_borders_apart(tmp_path: Path) -> None:
    one, two = tmp_path / "1", tmp_path / "2"

    def of(first: str, second: str) -> str:
        one.write_text(first)
        two.write_text(second)
        return fingerprint([one, two])

    assert of("ab", "c") == of("ab", "c")
    assert len({of("ab", "c"), of("a", "bc"), of("c", "ab"), of("ab", "d")}) == 4


def test_fingerprint_of_a_missing_file_names_its_stage(tmp_path: Path) -> None:
    with pytest.raises(SpnerError) as error:
        fingerprint([tmp_path / "wav.scp"])
    assert str(error.value) == (
        f"{tmp_path}/wav.scp: cannot be read (No such file or directory); stage 1 (spner data) makes it"
    )


def test_a_large_file_is_read_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGE_BYTES", 4)
    read = []
    plain = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, name: read.append(file.name) or plain(file, name))
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_text("weights")
    small.write_text("abc")
    first = [fingerprint([large, small]) for _ in range(2)]
    assert first[0] == first[1] and [Path(name).name for name in read] == ["large", "small", "small"]
    with atomic_text(large) as file:
        file.write("WEIGHTS")  # as long as before
    assert fingerprint([large, small]) != first[0]
