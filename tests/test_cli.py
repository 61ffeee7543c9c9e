"""The border to the user: help, one line and exit code 2 for a mistake, a traceback for a defect."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from spner import __version__
from spner.cli import cli, main, spread
from spner.core.errors import SpnerError
from spner.data import tokens

ROOT = Path(__file__).resolve().parents[1]
CLOCK = re.compile(r"^\d\d:\d\d:\d\d ")
COMMANDS = sorted(cli.commands)


def run(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    """Start ``python -m spner``, or Python code that calls its ``main``."""
    command = ["-c", code, *arguments] if code else ["-m", "spner", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "SPNER_LOG"}
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, env=environment)


def refusal(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """Call ``main`` in this process and return its one line without the clock."""
    monkeypatch.setattr("spner.cli.set_up_logging", lambda: None)
    monkeypatch.setattr("spner.cli.logging.error", lambda text, *values: print(text % values, file=sys.stderr))
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    captured = capfd.readouterr()
    assert stop.value.code == 2 and captured.out == ""
    (line,) = captured.err.splitlines()
    return line


def test_every_stage_has_a_command() -> None:
    assert {"mini-corpus", "data", "annotate", "tokens", "train", "decode", "score"} <= set(COMMANDS)


def test_corpora_have_commands() -> None:
    assert {"stats", "overlap", "export"} <= set(COMMANDS)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_given_and_states_defaults(capfd: pytest.CaptureFixture[str], command: str) -> None:
    main([*command.split(), "--help"])
    captured = capfd.readouterr()
    text = " ".join(captured.out.split())
    assert text.startswith(f"Usage: spner {command}".rstrip()) and captured.err == ""
    for option in cli.commands[command].params if command else []:
        if isinstance(option, click.Argument):
            assert option.metavar and option.metavar.rstrip(".") in str(cli.commands[command].help)
            continue
        assert isinstance(option, click.Option) and option.help and option.opts[0] in text
        default = option.default
        if isinstance(default, str | int | float) and not isinstance(default, bool):
            assert f"[default: {default}" in text or f"default: {default};" in text, option.name


@pytest.mark.parametrize("command", COMMANDS)
def test_options_are_spelt_with_underscores(command: str) -> None:
    options = [parameter for parameter in cli.commands[command].params if isinstance(parameter, click.Option)]
    names = [name for option in options for name in option.opts]
    matched = [re.fullmatch(r"--[a-z][a-z0-9_]*|-[a-z]", name) for name in names]
    assert (names or command == "recipe-names") and all(matched)


def test_help_of_the_program_is_light_and_exits_0() -> None:
    result = run("--help")
    assert (result.returncode, result.stderr) == (0, "")
    listed = {command for command in COMMANDS if f"  {command} " in result.stdout}
    assert set(COMMANDS) - listed == {"recipe-names"}, "the one command that scripts call and nobody types"


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    main(["--version"])
    assert capfd.readouterr().out == f"spner, version {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "spner: Missing command; see spner --help"),
        (["hum"], "spner: No such command 'hum'; see spner --help"),
        (["--verbose"], 'spner: no option --verbose; did you mean "--version"?'),
        (["data", "--corpsu", "x"], 'spner data: no option --corpsu; did you mean "--corpus"?'),
        (["data", "--xyz", "x"], "spner data: no option --xyz"),
        (["data"], "spner data: Missing option '--corpus'; see spner data --help"),
        (["data", "--corpus"], "Option '--corpus' requires an argument; see spner --help"),
        (["score", "a"], "spner score: "),
        (["stats"], "spner stats: Missing argument 'DIR'; see spner stats --help"),
        (
            ["tokens", "--data", "a", "--out", "b", "--system", "x"],
            "spner tokens: Invalid value for '--system': 'x' is not one of 'e2e', 'asr'; see spner tokens --help",
        ),
        (
            ["tokens", "--data", "a", "--out", "b", "--vocab_size", "many"],
            "spner tokens: Invalid value for '--vocab_size': 'many' is not a valid integer; see spner tokens --help",
        ),
        (
            ["data", "--corpus", "a", "--lang", "nl", "--out", "b", "--max_broken", "2"],
            "spner data: Invalid value for '--max_broken': 2.0 is not in the range 0<=x<=1; see spner data --help",
        ),
    ],
)
def test_misuse_is_one_line(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    line = refusal(capfd, monkeypatch, *arguments)
    assert line.startswith("spner: error: ")
    assert message in line if message.endswith(" ") or message.startswith("Option") else line[14:] == message


@pytest.mark.parametrize(
    "given",
    [
        ["--sets", "dev test"],
        ["--sets", "dev", "test"],
        ["--sets", "dev", "--sets", "test"],
        ["--sets=dev", "test"],
        ["--sets=dev", "--sets=test"],
        [],
    ],
    ids=" ".join,
)
def test_words_of_an_option_are_given_in_any_way(monkeypatch: pytest.MonkeyPatch, given: list[str]) -> None:
    found: list[Any] = []
    monkeypatch.setattr("spner.report.experiment.score_experiment", lambda *words, **options: found.extend(words))
    main(["score-exp", "--data", "d", *given, "--exp", "e"])
    assert found == [Path("d"), Path("e"), ("dev", "test"), None]


@pytest.mark.parametrize(
    ("arguments", "spread_out"),
    [
        (["train", "--config", "a", "b", "--set", "x=1", "y=2"], "train --config a --config b --set x=1 --set y=2"),
        (["score-exp", "--sets", "a", "--exp", "e", "f"], "score-exp --sets a --exp e f"),
        (["report", "a", "b", "--out", "p"], "report a b --out p"),
        (["lm", "--prune", "0", "0", "1"], "lm --prune 0 --prune 0 --prune 1"),
        (["none", "--sets", "a", "b"], "none --sets a b"),
        ([], ""),
    ],
)
def test_an_option_that_may_be_repeated_takes_several_words(arguments: list[str], spread_out: str) -> None:
    assert " ".join(spread(arguments)) == spread_out


def test_no_set_is_one_line(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    line = refusal(capfd, monkeypatch, "score-exp", "--data", "d", "--exp", "e", "--sets", " ")
    assert "Invalid value for '--sets': is empty (expected words, such as dev test)" in line


def test_unusable_input_is_one_line(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    arguments = ["tokens", "--data", str(tmp_path), "--out", str(tmp_path / "dump")]
    line = refusal(capfd, monkeypatch, *arguments)
    assert line == f"spner: error: {tmp_path}: holds no finished train set; stage 1 makes it"


@pytest.mark.parametrize("arguments", [["speak"], ["data", "--xyz"], ["data"], []])
def test_misuse_in_a_process_of_its_own(arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert CLOCK.sub("", line).startswith("spner: error: spner")


def test_missing_corpus_in_a_process_of_its_own(tmp_path: Path) -> None:
    result = run("data", "--corpus", str(tmp_path / "nl"), "--lang", "nl", "--out", str(tmp_path / "data"))
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert CLOCK.sub("", line).startswith(f"spner: error: {tmp_path}/nl: no such corpus (expected ")
    assert not (tmp_path / "data").exists()


def test_defects_keep_their_traceback() -> None:
    code = (
        "import sys\n"
        "from spner import cli\n"
        "from spner.data import tokens\n"
        "def fail(*_, **__): raise ZeroDivisionError('a defect')\n"
        "tokens.make_tokens = fail\n"
        "cli.main(['tokens', '--data', 'a', '--out', 'b'])\n"
    )
    result = run(code=code)
    assert result.returncode == 1
    assert result.stderr.startswith("Traceback ") and result.stderr.endswith("ZeroDivisionError: a defect\n")


@pytest.mark.parametrize(
    ("error", "code"), [(SpnerError("x: is wrong"), 2), (KeyboardInterrupt(), 130), (click.Abort(), 130)]
)
def test_exit_codes(monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(tokens, "make_tokens", fail)
    with pytest.raises(SystemExit) as stop:
        main(["tokens", "--data", "a", "--out", "b"])
    assert stop.value.code == code


def test_options_reach_the_function(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[Any] = []
    part = {"data": "d", "chosen": {"utterances": 1, "hours": 0.25}, "whole": {"utterances": 8, "hours": 2.0}}

    def record(*arguments: Any, **options: Any) -> dict[str, Any]:
        seen.append((arguments, options))
        return {"train": [part]}

    monkeypatch.setattr(tokens, "make_tokens", record)
    monkeypatch.setattr(tokens, "read_token_list", lambda path: [str(path)] * 3)
    main("tokens --data d --out o --system asr --token_type bpe --vocab_size 7 --join x --join y --fraction 12".split())
    options = {"system": "asr", "token_type": "bpe", "vocab_size": 7, "joined": (Path("x"), Path("y")), "fraction": 12}
    assert seen == [((Path("d"), Path("o")), options)]
    assert capfd.readouterr().out == "o: 3 tokens; train: d: 1 of 8 utterances, 0.25 of 2.00 h (12%)\n"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            "train-tagger --train t --out o --match_speech",
            "--match_speech, --lang, --noise: --match_speech needs --lang",
        ),
        ("train-tagger --train t --out o --lang nl", "--match_speech, --lang, --noise: --match_speech needs --lang"),
        ("train-tagger --train t --out o --noise 0.1", "--match_speech, --lang, --noise: --match_speech needs --lang"),
        ("train-tagger --train t --out o --match_speech --lang qq1", 'lang "qq1" is unknown'),
        ("train --data d --dump u --exp e --config c --reinit_layers 1", "give --init as well"),
        ("train --data d --dump u --exp e --config c --reinit_output", "give --init as well"),
        ("train --data d --dump u --exp e --config c --freeze_steps 1", "give --init as well"),
        ("train-tagger --out o", "--train, --data: expected one of them"),
        ("train-tagger --data d --out o --dev t", "--dev: cannot be given with --data"),
        ("train-tagger --data d --out o --labels PER --map A=PER", "--labels, --map: cannot be given with --data"),
        ("pipeline --asr a --exp e --data d", "Missing option '--tagger'"),
        ("pipeline --asr a --exp e --tagger t", "Missing option '--data'"),
        ("annotate --data d --lang nl --labels O", '--labels: found "O" in "O"'),
        ("annotate --data d --lang nl --map A=B", "--map A=B: expected one of the labels PER, ORG, LOC, or O"),
        ("tokens --data d --out o --fraction 0", "--fraction"),
        ("tune --data d --exp e", "--decode_config: is missing; give the configuration of a beam search"),
        ("decode --data d --exp e --nbest 2", "--lm, --boost, --nbest: need a beam search; give --decode_config"),
        ("score --ref r --hyp h --out /", "Invalid value for '--out': File '/' is a directory"),
        (f"stats {__file__}", f"Invalid value for 'DIR': Directory '{__file__}' is a file"),
        ("tokens --data d --out o --fraction 101", "--fraction"),
    ],
)
def test_options_that_do_not_fit_are_refused(command: str, message: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit) as stop:
        main(command.split())
    assert stop.value.code == 2
    assert message in caplog.messages[-1]


@pytest.mark.parametrize(("flags", "entities_file"), [([], "entities.jsonl"), (["--gold"], "gold_entities.jsonl")])
def test_export_reaches_its_function(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], flags: list[str], entities_file: str
) -> None:
    from spner.corpora import export

    def record(data: Path, out: Path, **options: Any) -> list[Path]:
        assert (data, out, options) == (Path("d"), Path("o"), {"format_name": "slue", "entities_file": entities_file})
        return [out / "a", out / "b"]

    monkeypatch.setattr(export, "export", record)
    main(["export", "--format", "slue", "--data", "d", "--out", "o", *flags])
    assert capfd.readouterr().out == "o/a\no/b\n"


def test_clips_reach_stage_1(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    from spner.corpora import prepare

    seen: list[Any] = []
    monkeypatch.setattr(prepare, "prepare_data", lambda corpus, out, **options: seen.append(options["clips"]))
    monkeypatch.setattr(prepare, "format_report", str)
    main("data --corpus a.json --clips c --lang nl --out o".split())
    main("data --corpus a --lang nl --out o".split())
    assert seen == [Path("c"), None]


def test_the_comparison_can_be_looked_at_before_it_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    for lang in ("nl", "de"):
        (tmp_path / "egs" / f"cv_{lang}").mkdir(parents=True)
        (tmp_path / "egs" / f"cv_{lang}" / "run.sh").touch()
    command = ["benchmark", "--dry_run", "--egs", str(tmp_path / "egs"), "--langs", "nl de"]
    main([*command, "--set", "seeds=[4]", "--set", "side_seeds=[4]", "--set", "epochs=[[100, 1]]"])
    *cells, whole = capfd.readouterr().out.splitlines()
    assert [cell.split()[0] for cell in cells] == [
        "nl_data",
        "de_data",
        "de_e2e_s4",
        "nl_e2e_s4",
        "nl_joint_s4",
        "nl_100_from_de_s4",
        "nl_pipeline_s4",
        "nl_by_de_s4",
        "de_pipeline_s4",
        "de_by_nl_s4",
        "nl_pipeline_cased_s4",
    ]
    assert whole.startswith("11 of 11 cells to run, 2 at a time: ")
    assert not (tmp_path / "egs" / "benchmark").exists()


@pytest.mark.parametrize(("soft", "hard", "expected"), [(64, 500, 500), (500, 500, 500)])
def test_as_many_files_as_may_be_may_be_open(soft: int, hard: int, expected: int) -> None:
    code = (
        f"import resource; from spner.cli import main; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "main(['--version'])\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    assert run(code=code).stdout.splitlines()[-1] == f"({expected}, {hard})"
