"""``spner tag``'s files: which recordings, what is passed over, what is told, what a stopped run leaves."""

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spner.core.errors import SpnerError
from spner.tag.files import Job, Output, find_jobs, format_report, tag_files
from spner.tag.tagger import Tagger
from tests.tag.models import RATE_HZ, make_tagger, speak

NOT_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


def write_talk(path: Path, text: str = "<PER> ada </NE> praat") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, speak(text), RATE_HZ, subtype="FLOAT" if path.suffix == ".wav" else None)
    return path


def refuse() -> Tagger:
    raise AssertionError("there is nothing to tag")


def test_folders_are_searched_and_keep_their_shape(tmp_path: Path) -> None:
    for name in ("b.wav", "sub/a.wav", "notes.txt", ".hidden/c.wav", "sub/a.rttm"):
        write_talk(tmp_path / name) if name.endswith("wav") else (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / "notes.txt").write_text("no recording")
    assert find_jobs([tmp_path]) == [
        Job(tmp_path / "b.wav", Path("b")),
        Job(tmp_path / "sub/a.wav", Path("sub/a")),
    ]


def test_inputs_that_cannot_be_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpnerError, match="holds no recording"):
        find_jobs([tmp_path / "empty"])
    with pytest.raises(SpnerError, match=r"none\.mp3: no such file"):
        find_jobs([tmp_path / "none.mp3"])
    write_talk(tmp_path / "a.wav")
    assert len(find_jobs([tmp_path / "a.wav", tmp_path / "a.wav"])) == 1


def test_recordings_of_one_name_go_to_standard_output_but_not_to_the_same_files(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    talks = [write_talk(tmp_path / "a.wav"), write_talk(tmp_path / "a.flac")]
    with pytest.raises(SpnerError, match=r"would be written to the same files, a\.\*"):
        tag_files(talks, refuse, Output(("jsonl",), tmp_path / "out"))
    assert tag_files(talks, make_tagger, Output(("txt",))).num_tagged == 2
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_folder_of_a_results_name_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "out/a.jsonl").mkdir(parents=True)
    with pytest.raises(SpnerError, match=r"a\.jsonl: cannot be written"):
        tag_files([write_talk(tmp_path / "a.wav")], make_tagger, Output(("jsonl",), tmp_path / "out"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full: this system has no disk that is always full")
def test_standard_output_on_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr("sys.stdout", full)
        with pytest.raises(SpnerError, match="standard output: cannot be written"):
            tag_files([write_talk(tmp_path / "a.wav")], make_tagger, Output(()))


def test_a_bar_is_not_moved_by_less_than_a_second(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    moved: list[int] = []
    monkeypatch.setattr("spner.core.progress.Progress.update", lambda _self, num: moved.append(num))
    tag_files(
        [write_talk(tmp_path / "a.wav", "a"), write_talk(tmp_path / "b.wav", "ada praat met bob")],
        make_tagger,
        Output(()),
    )
    assert moved == [1]


def test_every_recording_gets_a_file_of_each_format(tmp_path: Path) -> None:
    write_talk(tmp_path / "in/a.wav"), write_talk(tmp_path / "in/sub/b.wav", "bob slaapt")
    report = tag_files([tmp_path / "in"], make_tagger, Output(("jsonl", "srt"), tmp_path / "out"))
    assert (report.num_tagged, report.num_there, report.broken) == (2, 0, {})
    written = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*") if p.suffix)
    assert written == ["a.jsonl", "a.srt", "sub/b.jsonl", "sub/b.srt"]
    (line,) = (tmp_path / "out/a.jsonl").read_text().splitlines()
    assert json.loads(line)["text"] == "ada praat"


def test_what_is_there_is_passed_over_without_loading_a_model(tmp_path: Path) -> None:
    write_talk(tmp_path / "a.wav")
    out = Output(("jsonl",), tmp_path / "out")
    tag_files([tmp_path / "a.wav"], make_tagger, out)
    (tmp_path / "out/a.jsonl").write_text("kept")
    report = tag_files([tmp_path / "a.wav"], refuse, out)
    assert format_report(report, out.folder) == [
        f"{out.folder}: 0 recordings tagged; 1 were there already (--overwrite tags them again)"
    ]
    assert (tmp_path / "out/a.jsonl").read_text() == "kept"
    tag_files([tmp_path / "a.wav"], make_tagger, Output(("jsonl",), tmp_path / "out", overwrite=True))
    assert (tmp_path / "out/a.jsonl").read_text() != "kept"
    tag_files([tmp_path / "a.wav"], make_tagger, Output(("jsonl", "srt"), tmp_path / "out"))
    assert (tmp_path / "out/a.srt").exists()


def test_broken_recordings_are_passed_over_and_told(tmp_path: Path) -> None:
    write_talk(tmp_path / "in/good.wav")
    (tmp_path / "in/empty.mp3").touch()
    (tmp_path / "in/text.wav").write_text("no sound")
    report = tag_files([tmp_path / "in"], make_tagger, Output(("txt",), tmp_path / "out"))
    assert report.num_tagged == 1
    assert sorted(report.broken) == [str(tmp_path / "in/empty.mp3"), str(tmp_path / "in/text.wav")]
    lines = format_report(report, tmp_path / "out")
    assert lines[1] == "2 could not be tagged:"
    assert lines[2].startswith(f"  {tmp_path}/in/empty.mp3: is empty")
    assert [p.name for p in (tmp_path / "out").glob("*.*") if p.suffix] == ["good.txt"]


def test_a_stopped_run_is_finished_by_the_same_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        write_talk(tmp_path / f"in/{name}.wav", f"<PER> {name}{name} </NE>")
    out = Output(("jsonl", "srt"), tmp_path / "out")
    replaced: list[str] = []
    replace = os.replace

    def stop_at_fourth(source: Path, target: Path) -> None:
        if len(replaced) == 3:
            raise KeyboardInterrupt
        replaced.append(Path(target).name)
        replace(source, target)

    monkeypatch.setattr(os, "replace", stop_at_fourth)
    with pytest.raises(KeyboardInterrupt):
        tag_files([tmp_path / "in"], make_tagger, out)
    monkeypatch.setattr(os, "replace", replace)
    assert sorted(p.name for p in (tmp_path / "out").glob("*.*") if p.suffix) == ["a.jsonl", "a.srt", "b.jsonl"]
    report = tag_files([tmp_path / "in"], make_tagger, out)
    assert (report.num_tagged, report.num_there) == (2, 1)
    assert sorted(p.name for p in (tmp_path / "out").glob("*.*") if p.suffix) == [
        *("a.jsonl", "a.srt", "b.jsonl", "b.srt", "c.jsonl", "c.srt")
    ]


def test_an_output_folder_that_cannot_be_made_is_told_before_a_model_is_loaded(tmp_path: Path) -> None:
    write_talk(tmp_path / "a.wav")
    (tmp_path / "file").touch()
    with pytest.raises(SpnerError, match="cannot be written"):
        tag_files([tmp_path / "a.wav"], refuse, Output(("jsonl",), tmp_path / "file" / "out"))


def test_several_formats_need_a_folder() -> None:
    with pytest.raises(SpnerError, match="give --output_dir"):
        Output(("jsonl", "srt"))
    with pytest.raises(SpnerError, match="--overwrite: there is nothing to write over"):
        Output((), overwrite=True)


class Stdin:
    """Standard input with bytes on it."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


def test_standard_input_is_tagged_and_standard_output_has_json_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("sys.stdin", Stdin(write_talk(tmp_path / "a.wav").read_bytes()))
    report = tag_files([Path("-")], make_tagger, Output(()))
    (line,) = capsys.readouterr().out.splitlines()
    assert (json.loads(line)["audio"], json.loads(line)["text"]) == ("-", "ada praat")
    assert format_report(report, None) == []


@pytest.mark.parametrize(("content", "reason"), [(b"", "-: nothing came"), (b"text", "-: is no recording")])
def test_no_recording_on_standard_input(content: bytes, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Stdin(content))
    pytest.importorskip("av")
    report = tag_files([Path("-")], refuse, Output(()))
    assert report.broken["-"].startswith(reason)


def test_low_confidences_are_left_out_and_their_words_stay(tmp_path: Path) -> None:
    tagged = Tagger(make_tagger().transcriber, min_confidence=0.999).tag(speak("<PER> ada </NE>"), RATE_HZ)
    assert (tagged.text, list(tagged.entities)) == ("ada", [])
    tagged = Tagger(make_tagger().transcriber, min_confidence=0.9).tag(speak("<PER> ada </NE>"), RATE_HZ)
    assert [entity.text for entity in tagged.entities] == ["ada"]


def test_speakers_are_those_of_the_recordings_own_turns(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from spner.tag.speakers import Turn

    tagger = Tagger(make_tagger().transcriber, turns={"talk": [Turn(0.0, 9.0, "anna")]})
    assert [word.speaker for word in tagger.tag(write_talk(tmp_path / "talk.wav")).words] == ["anna", "anna"]
    assert [word.speaker for word in tagger.tag(write_talk(tmp_path / "other.wav")).words] == [None, None]
    assert "--speakers has no turns of other" in caplog.text
    assert isinstance(tagger.tag(np.zeros(RATE_HZ, np.float32), RATE_HZ).segments, tuple)
