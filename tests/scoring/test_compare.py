"""Two systems on the same utterances: who is who, hand-worked differences, pooled seeds, examples, the table."""

import json
from pathlib import Path
from typing import Any

import pytest

from spner import __version__
from spner.cli import main
from spner.core.errors import SpnerError
from spner.scoring.compare import compare, format_comparison, group_systems
from spner.scoring.options import Options
from spner.scoring.rules import Rules
from spner.scoring.score import score

REF = ["<PER> jan </NE> ziet <LOC> new york </NE>", "het is koud", "<LOC> rome </NE>", "<PER> piet </NE>"]
WORSE = ["<PER> jan </NE> ziet new york", "x", "<PER> rome </NE>", "<PER> piet </NE>"]
BETTER = ["<PER> jan </NE> ziet <LOC> new york </NE>", "het is koud", "<LOC> rome </NE> o", "<PER> piet </NE>"]


def write(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(f"u{number} {text}\n" for number, text in enumerate(texts, start=1)))
    return path


def compare_texts(folder: Path, *, num_draws: int = 0, **systems: list[list[str]]) -> dict[str, Any]:
    """Compare two systems, each given as its seeds' texts."""
    paths = {
        name: [write(folder / f"{name}{number}", texts) for number, texts in enumerate(seeds)]
        for name, seeds in systems.items()
    }
    return compare(write(folder / "ref", REF), paths, Options(Rules("nl"), num_draws=num_draws))


@pytest.mark.parametrize(
    ("hyps", "expected"),
    [
        pytest.param(["a", "b"], {"a": ["a"], "b": ["b"]}, id="paths"),
        pytest.param(["A=x", "A=y", "B=z"], {"A": ["x", "y"], "B": ["z"]}, id="seeds of one name"),
        pytest.param(["A=x", "B=z", "A=y"], {"A": ["x", "y"], "B": ["z"]}, id="seeds apart"),
        pytest.param(["A=x", "B=x"], {"A": ["x"], "B": ["x"]}, id="one file under two names"),
        pytest.param(["exp/lr=1/a", "A=x=y"], {"exp/lr=1/a": ["exp/lr=1/a"], "A": ["x=y"]}, id="= inside a path"),
    ],
)
def test_systems_by_name(hyps: list[str], expected: dict[str, list[str]]) -> None:
    assert group_systems(hyps) == {name: [*map(Path, paths)] for name, paths in expected.items()}


@pytest.mark.parametrize(
    ("hyps", "found"),
    [(["a"], "1 systems, a"), (["A=a", "A=b"], "1 systems, A"), (["a", "b", "c"], "3 systems, a, b, c")],
)
def test_other_than_two_systems_are_refused(hyps: list[str], found: str) -> None:
    with pytest.raises(SpnerError) as error:
        group_systems(hyps)
    assert str(error.value) == (
        f"--hyp: found {found} (expected two; give several seeds of one the same name: --hyp A=PATH --hyp A=PATH --hyp "
        "B=PATH)"
    )


def test_differences_by_hand(tmp_path: Path) -> None:
    scores = compare_texts(tmp_path, worse=[WORSE], better=[BETTER], num_draws=200)["scores"]
    assert {name: (row["a"], row["b"]) for name, row in scores.items()} == {
        "wer": (3 / 9, 1 / 9),
        "cer": (11 / 36, 2 / 36),
        "wer_tagged": (6 / 17, 1 / 17),
        "entity_wer": (0.0, 0.0),
        "eer": (0.0, 0.0),
        "eer_substr": (0.0, 0.0),
        "f1": (4 / 7, 1.0),
        "precision": (2 / 3, 1.0),
        "recall": (0.5, 1.0),
        "f1.PER": (0.8, 1.0),
        "f1.ORG": (0.0, 0.0),
        "f1.LOC": (0.0, 1.0),
        "macro_f1": (0.4, 1.0),
        "label_f1": (4 / 7, 1.0),
        "f1_span": (4 / 7, 1.0),
        "f1_span_text": (4 / 7, 1.0),
        "f1_aligned": (4 / 7, 1.0),
    }
    without_entities = scores.pop("f1.ORG")
    assert [without_entities[key] for key in ("difference", "ci95", "p")] == [0.0, None, None]
    for row in scores.values():
        assert row["difference"] == row["b"] - row["a"]
        low, high = row["ci95"]
        assert low <= row["difference"] <= high
    assert 0.1 < scores["f1"]["p"] < 0.5 and scores["eer"]["p"] == 1.0


def test_a_system_scores_as_it_does_alone(tmp_path: Path) -> None:
    scores = compare_texts(tmp_path, worse=[WORSE], better=[BETTER])["scores"]
    alone = score(tmp_path / "ref", tmp_path / "worse0", Options(Rules("nl"), num_draws=0))
    assert scores["wer"]["a"] == alone["wer"]["rate"]
    assert scores["f1_aligned"]["a"] == alone["f1_aligned"]["micro"]["f1"]
    assert scores["macro_f1"]["a"] == alone["f1"]["macro_f1"]


def test_seeds_of_a_system_are_pooled(tmp_path: Path) -> None:
    comparison = compare_texts(tmp_path, mixed=[WORSE, BETTER], better=[BETTER, BETTER], num_draws=100)
    assert comparison["systems"] == {"mixed": 2, "better": 2}
    f1 = comparison["scores"]["f1"]
    assert (f1["a"], f1["b"]) == (2 * 6 / (2 * 6 + 1 + 2), 1.0)
    example = comparison["examples"][0]
    assert (example["utt_id"], example["errors"], len(example["a"])) == ("u3", [1.0, 0.0], 2)


def test_examples_are_the_utterances_that_differ_most_entities_first(tmp_path: Path) -> None:
    examples = compare_texts(tmp_path, worse=[WORSE], better=[BETTER])["examples"]
    assert [(e["utt_id"], e["errors"], e["word_errors"]) for e in examples] == [
        ("u3", [2.0, 0.0], [0.0, 1.0]),
        ("u1", [1.0, 0.0], [0.0, 0.0]),
        ("u2", [0.0, 0.0], [3.0, 0.0]),
    ]
    assert examples[0] | {"errors": 0, "word_errors": 0} == {
        "utt_id": "u3",
        "ref": "<LOC> rome </NE>",
        "a": ["<PER> rome </NE>"],
        "b": ["<LOC> rome </NE> o"],
        "errors": 0,
        "word_errors": 0,
    }


def test_at_most_ten_examples_and_none_without_a_difference(tmp_path: Path) -> None:
    write(tmp_path / "long", ["a"] * 12)
    paths = {"one": [write(tmp_path / "one", ["a"] * 12)], "other": [write(tmp_path / "other", ["b"] * 12)]}
    examples = compare(tmp_path / "long", paths, Options(num_draws=0))["examples"]
    assert [example["utt_id"] for example in examples] == ["u1", "u10", "u11", "u12", *(f"u{n}" for n in range(2, 8))]
    paths["other"] = paths["one"]
    assert compare(tmp_path / "long", paths, Options(num_draws=0))["examples"] == []


def test_without_positions_on_one_side_only_what_both_have_is_compared(tmp_path: Path) -> None:
    entities = [{"label": "PER", "phrase": "jan"}, {"label": "LOC", "phrase": "new york"}]
    records = ({"utt_id": f"u{number}", "text": "jan slaapt", "entities": entities} for number in range(1, 5))
    (tmp_path / "phrases").write_text("".join(json.dumps(record) + "\n" for record in records))
    paths = {"tagged": [write(tmp_path / "tagged", WORSE)], "phrases": [tmp_path / "phrases"]}
    comparison = compare(write(tmp_path / "ref", REF), paths, Options(num_draws=10))
    assert "f1" in comparison["scores"] and not {"f1_span", "wer_tagged"} & comparison["scores"].keys()
    assert comparison["examples"][0]["b"] == ["jan slaapt [PER: jan] [LOC: new york]"]


def test_missing_utterance_of_any_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpnerError) as error:
        compare_texts(tmp_path, a=[REF, REF[:3]], b=[REF])
    assert str(error.value).startswith(f'{tmp_path}/ref:4: utterance "u4" is not in {tmp_path}/a1 ')


TABLE = f"""\
4 utterances, references: not stated; say --references gold or pseudo
A: worse
B: better, 2 seeds pooled

                      A        B    B - A      95 % interval        p
WER              0.3333   0.1111  -0.2222                           -
CER              0.3056   0.0556  -0.2500                           -
tagged WER       0.3529   0.0588  -0.2941                           -
entity WER       0.0000   0.0000  +0.0000                           -
EER              0.0000   0.0000  +0.0000                           -
EER, substring   0.0000   0.0000  +0.0000                           -
F1               0.5714   1.0000  +0.4286                           -
  P              0.6667   1.0000  +0.3333                           -
  R              0.5000   1.0000  +0.5000                           -
  PER            0.8000   1.0000  +0.2000                           -
  ORG            0.0000   0.0000  +0.0000                           -
  LOC            0.0000   1.0000  +1.0000                           -
macro F1         0.4000   1.0000  +0.6000                           -
label-F1         0.5714   1.0000  +0.4286                           -
span F1          0.5714   1.0000  +0.4286                           -
span-text F1     0.5714   1.0000  +0.4286                           -
aligned F1       0.5714   1.0000  +0.4286                           -

spner|v:{__version__}|norm:nl|labels:PER,ORG,LOC|policy:discard|refs:unstated|boot:0

u3: entity errors 2 and 0, word errors 0 and 1
  ref  <LOC> rome </NE>
  A    <PER> rome </NE>
  B    <LOC> rome </NE> o
  B    <LOC> rome </NE> o

u1: entity errors 1 and 0, word errors 0 and 0
  ref  <PER> jan </NE> ziet <LOC> new york </NE>
  A    <PER> jan </NE> ziet new york
  B    <PER> jan </NE> ziet <LOC> new york </NE>
  B    <PER> jan </NE> ziet <LOC> new york </NE>

u2: entity errors 0 and 0, word errors 3 and 0
  ref  het is koud
  A    x
  B    het is koud
  B    het is koud"""


def test_table_without_bootstrap_is_exact(tmp_path: Path) -> None:
    assert format_comparison(compare_texts(tmp_path, worse=[WORSE], better=[BETTER, BETTER])) == TABLE


def test_table_shows_intervals_and_what_is_undefined(tmp_path: Path) -> None:
    paths = {name: [write(tmp_path / name, ["o"])] for name in ("a", "b")}
    lines = format_comparison(compare(write(tmp_path / "r", ["o"]), paths, Options(num_draws=10))).splitlines()
    assert lines[4:6] == [
        "                      A        B    B - A      95 % interval        p",
        "WER              0.0000   0.0000  +0.0000  +0.0000 to +0.0000  1.0000",
    ]
    assert "EER                   -        -        -                           -" in lines


def test_command_writes_what_it_prints(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    paths = [str(write(tmp_path / name, texts)) for name, texts in (("r", REF), ("a", WORSE), ("b", BETTER))]
    out = tmp_path / "missing" / "c.json"
    arguments = ["--ref", paths[0], "--hyp", f"A={paths[1]}", "--hyp", f"B={paths[2]}", "--lang", "nl"]
    main(["compare", *arguments, "--references", "gold", "--bootstrap", "50", "--out", str(out)])
    written = json.loads(out.read_text())
    assert (written["schema"], written["gold"], written["systems"]) == (1, True, {"A": 1, "B": 1})
    assert "|refs:gold|boot:50|seed:1" in written["signature"]
    assert written["made_with"]["hyp"] == {"A": [paths[1]], "B": [paths[2]]}
    assert capfd.readouterr().out == format_comparison(written) + "\n"
