"""What a data folder holds: hand-worked counts, the printed table, unknown values, and files that do not fit."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spner.cli import main
from spner.core.datatypes import LABELS
from spner.core.errors import SpnerError
from spner.core.paths import ENTITIES, GOLD_ENTITIES, TEXT, UTT2DUR, UTT2SPK
from spner.data.datadir import write_entities, write_table
from spner.data.stats import (
    Mentions,
    compute_stats,
    format_list,
    format_stats,
    most_frequent,
    select_label,
    sort_labels,
)
from spner.text.tags import text_to_spans

TRAIN = {
    "a1": "<PER> angela merkel </NE> reist naar <LOC> york </NE>",
    "a2": "het is koud",
    "b1": "<LOC> york </NE> en <LOC> parijs </NE> en <LOC> york </NE>",
}
TEST = {"c1": "<MISC> duits </NE> in <LOC> york </NE>", "c2": "koud"}


def write_set(folder: Path, tagged: dict[str, str], *, name: str = ENTITIES) -> None:
    """Write a set whose speakers are the first letters of the ids, each utterance lasting as many seconds as words."""
    readings = {u: text_to_spans(text.split(), labels=[*LABELS, "MISC"]).transcript for u, text in tagged.items()}
    write_entities(folder / name, readings)
    write_table(folder / TEXT, {u: " ".join(one.words) for u, one in readings.items()})
    write_table(folder / UTT2DUR, {u: f"{len(one.words)}.0" for u, one in readings.items()})
    write_table(folder / UTT2SPK, {u: u[0] for u in readings})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_set(tmp_path / "data" / "train", TRAIN)
    write_set(tmp_path / "data" / "test", TEST)
    return tmp_path / "data"


def test_counts_by_hand(data: Path) -> None:
    assert compute_stats(data, top=1) == {
        "data": str(data),
        "labels": ["PER", "ORG", "LOC"],
        "entities_file": "entities.jsonl",
        "missing": [],
        "sets": {
            "train": {
                "num_utts": 3,
                "hours": 13 / 3600,
                "num_words": 13,
                "num_distinct_words": 10,
                "num_speakers": 2,
                "entities": {
                    "num": {"all": 5, "PER": 1, "LOC": 4},
                    "num_distinct": {"all": 3, "PER": 1, "LOC": 2},
                    "per_utt": 5 / 3,
                    "num_utts": 2,
                    "num_words": 6,
                    "most_frequent": {
                        "PER": [{"phrase": "angela merkel", "count": 1}],
                        "LOC": [{"phrase": "york", "count": 3}],
                    },
                },
            },
            "test": {
                "num_utts": 2,
                "hours": 4 / 3600,
                "num_words": 4,
                "num_distinct_words": 4,
                "num_speakers": 1,
                "entities": {
                    "num": {"all": 2, "LOC": 1, "MISC": 1},
                    "num_distinct": {"all": 2, "LOC": 1, "MISC": 1},
                    "per_utt": 1.0,
                    "num_utts": 1,
                    "num_words": 2,
                    "most_frequent": {
                        "LOC": [{"phrase": "york", "count": 1}],
                        "MISC": [{"phrase": "duits", "count": 1}],
                    },
                },
            },
        },
        "all": {
            "num_utts": 5,
            "hours": 17 / 3600,
            "num_words": 17,
            "num_distinct_words": 12,
            "num_speakers": 3,
            "entities": {
                "num": {"all": 7, "PER": 1, "LOC": 5, "MISC": 1},
                "num_distinct": {"all": 4, "PER": 1, "LOC": 2, "MISC": 1},
                "per_utt": 7 / 5,
                "num_utts": 3,
                "num_words": 8,
                "most_frequent": {
                    "PER": [{"phrase": "angela merkel", "count": 1}],
                    "LOC": [{"phrase": "york", "count": 4}],
                    "MISC": [{"phrase": "duits", "count": 1}],
                },
            },
        },
    }


def test_printed_table(data: Path) -> None:
    assert (
        format_stats(compute_stats(data))
        == f"""\
{data}, entities: entities.jsonl

                               train      test       all
utterances                         3         2         5
hours                           0.00      0.00      0.00
words                             13         4        17
distinct words                    10         4        12
speakers                           2         1         3
entities                           5         2         7
  PER                              1         0         1
  LOC                              4         1         5
  MISC                             0         1         1
distinct entities                  3         2         4
  PER                              1         0         1
  LOC                              2         1         2
  MISC                             0         1         1
entities per utterance          1.67      1.00      1.40
utterances with an entity          2         1         3
words inside entities              6         2         8

most frequent, with their mentions
  PER: angela merkel 1
  LOC: york 4, parijs 1
  MISC: duits 1"""
    )


def test_a_set_alone_has_one_column_and_what_is_missing_is_said(data: Path) -> None:
    folder = data / "test"
    for name in (ENTITIES, UTT2DUR, UTT2SPK):
        (folder / name).unlink()
    stats = compute_stats(folder)
    assert stats["sets"] == {"test": stats["all"]}
    assert (
        format_stats(stats)
        == f"""\
{folder}, entities: entities.jsonl

                                test
utterances                         2
hours                              -
words                              4
distinct words                     4
speakers                           -
entities                           -
distinct entities                  -
entities per utterance             -
utterances with an entity          -
words inside entities              -

without entities.jsonl (stage 2 has not run): {folder}
without utt2dur (the hours are unknown): {folder}
without utt2spk (the speakers are unknown): {folder}"""
    )


@pytest.mark.parametrize(("name", "key"), [(ENTITIES, "entities"), (UTT2DUR, "hours"), (UTT2SPK, "num_speakers")])
def test_what_is_unknown_of_one_set_is_unknown_of_all(data: Path, name: str, key: str) -> None:
    (data / "test" / name).unlink()
    stats = compute_stats(data)
    assert stats["missing"] == [str(data / "test" / name)]
    assert stats["sets"]["train"][key] and stats["sets"]["test"][key] is None and stats["all"][key] is None
    assert [fact for fact, value in stats["all"].items() if value is None] == [key]
    assert "most frequent" not in format_stats(stats) or name != ENTITIES


def test_gold_entities_are_counted_when_asked_for(data: Path) -> None:
    write_set(data / "train", {"a1": "angela <LOC> parijs </NE>"}, name=GOLD_ENTITIES)
    stats = compute_stats(data, entities_file=GOLD_ENTITIES)
    assert stats["sets"]["train"]["entities"]["num"] == {"all": 1, "LOC": 1}
    assert stats["sets"]["test"]["entities"] is None
    assert format_stats(stats).endswith(
        f"\n\nwithout gold_entities.jsonl (the corpus has no gold entities): {data}/test"
    )
    (data / "train" / GOLD_ENTITIES).unlink()
    assert format_stats(compute_stats(data, entities_file=GOLD_ENTITIES)).endswith(f": {data}/train, {data}/test")


def test_hours_are_the_exact_sum(tmp_path: Path) -> None:
    write_set(tmp_path / "train", {f"u{number}": "niets" for number in range(10)})
    write_table(tmp_path / "train" / UTT2DUR, {f"u{number}": "0.1" for number in range(10)})
    assert compute_stats(tmp_path)["all"]["hours"] == 1 / 3600


def test_the_set_in_the_current_folder_has_its_name(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data / "test")
    assert list(compute_stats(Path("."))["sets"]) == ["test"]


def test_set_without_an_utterance(tmp_path: Path) -> None:
    write_set(tmp_path / "empty", {})
    (one,) = compute_stats(tmp_path)["sets"].values()
    assert one == {
        "num_utts": 0,
        "hours": 0.0,
        "num_words": 0,
        "num_distinct_words": 0,
        "num_speakers": 0,
        "entities": {
            "num": {"all": 0},
            "num_distinct": {"all": 0},
            "per_utt": None,
            "num_utts": 0,
            "num_words": 0,
            "most_frequent": {},
        },
    }
    assert "entities per utterance             -" in format_stats(compute_stats(tmp_path))


EXPECTED = "(expected the same utterances in both); rerun stages 1 and 2"
WRONG_TABLES = {
    "another utterance": (UTT2SPK, "c1 c\nc3 c\n", ':2: utterance "c3" is not in {entities} ' + EXPECTED),
    "an utterance less": (UTT2DUR, "c1 3.0\n", ": holds 1 of the 2 utterances of {entities} " + EXPECTED),
    "no number": (
        UTT2DUR,
        "c1 3.0\nc2 long\n",
        ':2: the duration is "long" (expected seconds, 0 or more); rerun stage 1',
    ),
    "no value": (UTT2DUR, "c1\nc2 1\n", ':1: the duration is "" (expected seconds, 0 or more); rerun stage 1'),
    "negative": (UTT2DUR, "c1 -1\nc2 1\n", ':1: the duration is "-1" (expected seconds, 0 or more); rerun stage 1'),
    "not finite": (UTT2DUR, "c1 inf\nc2 1\n", ':1: the duration is "inf" (expected seconds, 0 or more); rerun stage 1'),
    "an utterance twice": (UTT2SPK, "c1 c\nc1 c\n", ':2: utterance "c1" occurs twice; utterance ids must be unique'),
}


@pytest.mark.parametrize("case", WRONG_TABLES)
def test_tables_that_do_not_fit(data: Path, case: str) -> None:
    name, text, message = WRONG_TABLES[case]
    (data / "test" / name).write_text(text)
    with pytest.raises(SpnerError) as error:
        compute_stats(data)
    assert str(error.value) == f"{data / 'test' / name}" + message.format(entities=data / "test" / ENTITIES)


def test_text_counts_the_utterances_where_stage_2_has_not_run(data: Path) -> None:
    (data / "test" / ENTITIES).unlink()
    (data / "test" / TEXT).write_text("c1 duits\n")
    with pytest.raises(SpnerError) as error:
        compute_stats(data)
    assert str(error.value).startswith(f'{data}/test/utt2dur:2: utterance "c2" is not in {data}/test/text (')


def test_most_frequent_and_ties_in_c_order() -> None:
    mentions = Mentions({("PER", "z"): 2, ("LOC", "é"): 1, ("LOC", "z"): 1, ("LOC", "Z"): 1, ("ORG", "a"): 1})
    names = [" ".join(entity) for entity, _ in most_frequent(mentions, 4)]
    assert names == ["PER z", "LOC Z", "LOC z", "LOC é"]
    assert most_frequent(mentions, 0) == []
    assert select_label(mentions, "LOC") == Mentions({("LOC", "é"): 1, ("LOC", "z"): 1, ("LOC", "Z"): 1})


def test_labels_are_sorted_with_the_projects_own_first() -> None:
    assert sort_labels(["b", "LOC", "A", "PER", "LOC"], order=LABELS) == ["PER", "LOC", "A", "b"]


def test_long_lists_are_wrapped_between_items() -> None:
    lines = format_list("PER", [f"name-van der {'x' * 20} {number}" for number in range(8)]).splitlines()
    assert [line[:8] for line in lines] == ["  PER: n", "    name", "    name"]
    assert all(len(line) <= 120 and line.rstrip(",").split(" ")[-1].isdigit() for line in lines)


WORDS = st.lists(st.sampled_from(["a", "b", "c", "<PER>", "<LOC>", "</NE>"]), max_size=12).map(" ".join)


@settings(max_examples=25)
@given(texts=st.lists(WORDS, min_size=1, max_size=8), data=st.data())
def test_order_of_lines_and_division_into_sets_change_nothing_in_all(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], data: st.DataObject
) -> None:
    tagged = {f"{number % 3}{number}": text for number, text in enumerate(texts)}
    one, several = (tmp_path_factory.mktemp("data") for _ in range(2))
    write_set(one / "train", tagged)
    for name in (ENTITIES, UTT2DUR, UTT2SPK):
        lines = (one / "train" / name).read_text().splitlines(keepends=True)
        (one / "train" / name).write_text("".join(data.draw(st.permutations(lines))))
    cut = data.draw(st.integers(0, len(tagged)))
    write_set(several / "train", dict(list(tagged.items())[:cut]))
    write_set(several / "test", dict(list(tagged.items())[cut:]))
    assert compute_stats(one)["all"] == compute_stats(several)["all"]


def test_command_prints_the_table_and_writes_the_json(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["stats", str(data), "--top", "1", "--out", str(data / "stats.json")])
    expected: dict[str, Any] = compute_stats(data, top=1)
    assert capsys.readouterr().out == format_stats(expected) + "\n"
    assert json.loads((data / "stats.json").read_text()) == expected
    main(["stats", str(data), "--gold"])
    assert capsys.readouterr().out.startswith(f"{data}, entities: gold_entities.jsonl\n")
