"""Entity overlap: hand-worked shares in both directions, the union, empty sides, the printed table, and its laws."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spner.cli import main
from spner.core.datatypes import LABELS
from spner.core.errors import SpnerError
from spner.core.paths import ENTITIES, GOLD_ENTITIES
from spner.data.datadir import write_entities
from spner.data.stats import Mentions
from spner.scoring.overlap import compute_overlap, compute_overlaps, count_shared, format_overlaps, read_mentions
from spner.scoring.rules import Rules
from spner.text.tags import text_to_spans

TARGET = Counter({("LOC", "york"): 3, ("LOC", "new york"): 1, ("PER", "york"): 2, ("ORG", "de bank"): 4})
GERMAN = Counter({("LOC", "york"): 5, ("PER", "de bank"): 1, ("LOC", "bonn"): 2})
ENGLISH = Counter({("PER", "york"): 7, ("LOC", "york"): 1})


def share(shared: int, num: int) -> dict[str, Any]:
    return {"share": shared / num if num else None, "shared": shared, "num": num}


def group(target: tuple[int, int, int, int], source: tuple[int, int, int, int]) -> dict[str, Any]:
    """Return both directions, each from (shared mentions, mentions, shared entities, entities)."""
    return {
        side: {"mentions": share(*counts[:2]), "entities": share(*counts[2:])}
        for side, counts in {"target": target, "source": source}.items()
    }


def example(entity: str, target: int, source: int) -> dict[str, Any]:
    label, _, phrase = entity.partition(" ")
    return {"label": label, "phrase": phrase, "target": target, "source": source}


def test_shares_by_hand() -> None:
    assert compute_overlap(source=GERMAN, target=TARGET, order=LABELS, top=2) == {
        "all": group((3, 10, 1, 4), (5, 8, 1, 3)),
        "labels": {
            "PER": group((0, 2, 0, 1), (0, 1, 0, 1)),
            "ORG": group((0, 4, 0, 1), (0, 0, 0, 0)),
            "LOC": group((3, 4, 1, 2), (5, 7, 1, 2)),
        },
        "shared": [example("LOC york", 3, 5)],
        "unshared": [example("ORG de bank", 4, 0), example("PER york", 2, 0)],
    }


def test_union_of_sources_is_their_sum(tmp_path: Path) -> None:
    paths = {name: write(tmp_path / name, mentions) for name, mentions in SIDES.items()}
    overlaps = compute_overlaps(sources=[paths["de"], paths["en"]], target=paths["nl"], rules=Rules())
    *each, union = overlaps["sources"]
    assert overlaps["target"] == str(paths["nl"])
    assert [one["source"] for one in each] == [[str(paths["de"])], [str(paths["en"])]]
    assert [one["all"] for one in each] == [group((3, 10, 1, 4), (5, 8, 1, 3)), group((5, 10, 2, 4), (8, 8, 2, 2))]
    assert union["source"] == [str(paths["de"]), str(paths["en"])]
    assert union["all"] == group((5, 10, 2, 4), (13, 16, 2, 4))
    assert union["shared"] == [example("LOC york", 3, 6), example("PER york", 2, 7)]
    assert union == {
        "source": union["source"],
        **compute_overlap(source=GERMAN + ENGLISH, target=TARGET, order=LABELS, top=10),
    }


def test_one_source_has_no_union(tmp_path: Path) -> None:
    paths = {name: write(tmp_path / name, mentions) for name, mentions in SIDES.items()}
    (one,) = compute_overlaps(sources=[paths["de"]], target=paths["nl"], rules=Rules())["sources"]
    assert one["source"] == [str(paths["de"])]


SIDES = {"nl": TARGET, "de": GERMAN, "en": ENGLISH}
EMPTY = {
    "no source entity": (Counter(), TARGET, group((0, 10, 0, 4), (0, 0, 0, 0))),
    "no target entity": (TARGET, Counter(), group((0, 0, 0, 0), (0, 10, 0, 4))),
    "none on either side": (Counter(), Counter(), group((0, 0, 0, 0), (0, 0, 0, 0))),
    "the same on both sides": (TARGET, TARGET, group((10, 10, 4, 4), (10, 10, 4, 4))),
    "the same phrases under other labels": (
        Counter({("PER", "a"): 1}),
        Counter({("LOC", "a"): 1}),
        group((0, 1, 0, 1), (0, 1, 0, 1)),
    ),
}


@pytest.mark.parametrize("case", EMPTY)
def test_edges(case: str) -> None:
    source, target, expected = EMPTY[case]
    overlap = compute_overlap(source=source, target=target, order=LABELS, top=10)
    assert overlap["all"] == expected
    assert len(overlap["shared"]) == expected["target"]["entities"]["shared"]
    assert len(overlap["shared"]) + len(overlap["unshared"]) == len(target)


def write(folder: Path, mentions: Mentions, *, name: str = ENTITIES) -> Path:
    """Write a data folder whose train and test sets share the mentions, and return it."""
    texts = [f"zo <{label}> {phrase} </NE>" for label, phrase in mentions.elements()]
    labels = [*LABELS, "MISC"]
    for set_name, some in (("train", texts[::2]), ("test", texts[1::2])):
        readings = {
            f"u{number}": text_to_spans(text.split(), labels=labels).transcript
            for number, text in enumerate([*some, "niets"])
        }
        write_entities(folder / set_name / name, readings)
    return folder


def test_printed_table(tmp_path: Path) -> None:
    paths = {name: write(tmp_path / name, mentions) for name, mentions in SIDES.items()}
    overlaps = compute_overlaps(sources=[paths["de"], paths["en"]], target=paths["nl"], rules=Rules())
    assert (
        format_overlaps(overlaps)
        == f"""\
target {tmp_path}/nl
shares of the mentions, and of the distinct entities (label and phrase); of: how many there are

       of the target, in the source            of the source, in the target
       mentions      of  entities      of      mentions      of  entities      of
source {tmp_path}/de
  all    0.3000      10    0.2500       4        0.6250       8    0.3333       3
  PER    0.0000       2    0.0000       1        0.0000       1    0.0000       1
  ORG    0.0000       4    0.0000       1             -       0         -       0
  LOC    0.7500       4    0.5000       2        0.7143       7    0.5000       2
source {tmp_path}/en
  all    0.5000      10    0.5000       4        1.0000       8    1.0000       2
  PER    1.0000       2    1.0000       1        1.0000       7    1.0000       1
  ORG    0.0000       4    0.0000       1             -       0         -       0
  LOC    0.7500       4    0.5000       2        1.0000       1    1.0000       1
the 2 sources together
  all    0.5000      10    0.5000       4        0.8125      16    0.5000       4
  PER    1.0000       2    1.0000       1        0.8750       8    0.5000       2
  ORG    0.0000       4    0.0000       1             -       0         -       0
  LOC    0.7500       4    0.5000       2        0.7500       8    0.5000       2

the target's most frequent entities: mentions in the target / in the source
source {tmp_path}/de
  shared: LOC york 3 / 5
  unshared: ORG de bank 4, PER york 2, LOC new york 1
source {tmp_path}/en
  shared: LOC york 3 / 1, PER york 2 / 7
  unshared: ORG de bank 4, LOC new york 1
the 2 sources together
  shared: LOC york 3 / 6, PER york 2 / 7
  unshared: ORG de bank 4, LOC new york 1"""
    )


def test_printed_table_without_any_entity_in_either(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, Counter()) for name in ("de", "nl")]
    assert (
        format_overlaps(compute_overlaps(sources=paths[:1], target=paths[1], rules=Rules()))
        == f"""\
target {tmp_path}/nl
shares of the mentions, and of the distinct entities (label and phrase); of: how many there are

       of the target, in the source            of the source, in the target
       mentions      of  entities      of      mentions      of  entities      of
source {tmp_path}/de
  all         -       0         -       0             -       0         -       0

the target's most frequent entities: mentions in the target / in the source
source {tmp_path}/de
  shared: -
  unshared: -"""
    )


def test_long_labels_widen_the_table() -> None:
    mentions = Counter({("WORK_OF_ART", "x"): 1})
    one = {"source": ["a"], **compute_overlap(source=mentions, target=mentions, order=LABELS, top=1)}
    lines = format_overlaps({"target": "b", "sources": [one]}).splitlines()
    assert len({len(line) for line in lines[4:5] + lines[6:8]}) == 1 and lines[7].startswith("  WORK_OF_ART    1.0000")


def test_sides_may_be_a_data_folder_a_set_a_file_or_gold_entities(tmp_path: Path) -> None:
    data = write(tmp_path / "nl", TARGET)
    write(tmp_path / "nl", GERMAN, name=GOLD_ENTITIES)
    tagged = tmp_path / "text"
    tagged.write_text("u1 <LOC> york </NE> en <LOC> bonn </NE>\n")

    def read(path: Path, *, entities_file: str = ENTITIES) -> Mentions:
        return read_mentions(path, Rules(), entities_file=entities_file)

    assert read(data) == TARGET
    assert read(data / "train") + read(data / "test" / ENTITIES) == TARGET
    assert read(data, entities_file=GOLD_ENTITIES) == GERMAN
    assert read(tagged) == Counter({("LOC", "york"): 1, ("LOC", "bonn"): 1})


def test_both_sides_are_read_by_the_rules(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("source", "target")]
    paths[0].write_text("u1 <GPE> Den Haag! </NE> <MISC> x </NE>\n")
    paths[1].write_text("u1 <LOC> den haag </NE> <MISC> x </NE>\n")
    rules = Rules(lang="nl", labels=("LOC",), mapping={"GPE": "LOC"}, discard=frozenset({"MISC"}))
    (one,) = compute_overlaps(sources=paths[:1], target=paths[1], rules=rules)["sources"]
    assert one["all"] == group((1, 1, 1, 1), (1, 1, 1, 1)) and list(one["labels"]) == ["LOC"]


def test_command_prints_the_table_and_writes_the_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = {name: write(tmp_path / name, mentions, name=GOLD_ENTITIES) for name, mentions in SIDES.items()}
    sources = ["--source", str(paths["de"]), "--source", str(paths["en"])]
    out = tmp_path / "overlap.json"
    options = ["--gold", "--top", "1", "--map", "PER=LOC", "--out", str(out)]
    main(["overlap", *sources, "--target", str(paths["nl"]), *options])
    expected = compute_overlaps(
        sources=[paths["de"], paths["en"]],
        target=paths["nl"],
        rules=Rules(mapping={"PER": "LOC"}),
        entities_file=GOLD_ENTITIES,
        top=1,
    )
    assert list(expected["sources"][0]["labels"]) == ["ORG", "LOC"]
    assert capsys.readouterr().out == format_overlaps(expected) + "\n"
    assert json.loads(out.read_text()) == expected


def refusal(sources: list[Path], target: Path) -> str:
    with pytest.raises(SpnerError) as error:
        compute_overlaps(sources=sources, target=target, rules=Rules())
    return str(error.value)


def test_source_given_twice(tmp_path: Path) -> None:
    data = write(tmp_path / "nl", TARGET)
    assert refusal([data, data], data) == f"{data}: is given twice as a source (expected each once); leave one out"


def test_set_without_entities(tmp_path: Path) -> None:
    data = write(tmp_path / "nl", TARGET)
    (data / "dev").mkdir()
    (data / "dev" / "text").touch()
    assert refusal([data], data / "test") == (
        f"{data}/dev/entities.jsonl: is missing (expected the set's entities); stage 2 (spner annotate) makes it"
    )


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    assert refusal([tmp_path / "nl"], tmp_path).startswith(f"{tmp_path}: holds no set (expected text or entities.jsonl")


def test_label_that_is_not_configured(tmp_path: Path) -> None:
    data = write(tmp_path / "nl", Counter({("MISC", "duits"): 1}))
    assert refusal([data], data).startswith(
        f'{data}/train/entities.jsonl:1: label "MISC" is not configured (expected PER, ORG, LOC); add it to --labels, '
    )


MENTIONS = st.dictionaries(
    st.tuples(st.sampled_from(["PER", "LOC", "MISC"]), st.sampled_from(["a", "b", "a b", "é"])), st.integers(1, 5)
).map(Counter)


def shares(overlap: dict[str, Any], side: str) -> list[float | None]:
    groups = [overlap["all"], *overlap["labels"].values()]
    return [one[side][unit]["share"] for one in groups for unit in ("mentions", "entities")]


@given(source=MENTIONS, target=MENTIONS)
def test_shares_lie_between_0_and_1_and_labels_add_up(source: Mentions, target: Mentions) -> None:
    overlap = compute_overlap(source=source, target=target, order=LABELS, top=3)
    for side in ("target", "source"):
        assert all(one is None or 0 <= one <= 1 for one in shares(overlap, side))
        for unit in ("mentions", "entities"):
            for key in ("shared", "num"):
                parts = [one[side][unit][key] for one in overlap["labels"].values()]
                assert sum(parts) == overlap["all"][side][unit][key]


@given(source=MENTIONS, target=MENTIONS)
def test_directions_change_places_when_the_sides_do(source: Mentions, target: Mentions) -> None:
    there, back = (
        compute_overlap(source=a, target=b, order=LABELS, top=3) for a, b in ((source, target), (target, source))
    )
    assert shares(there, "target") == shares(back, "source") and shares(there, "source") == shares(back, "target")


@given(sources=st.lists(MENTIONS, min_size=1, max_size=3), target=MENTIONS)
def test_union_covers_at_least_as_much_of_the_target_as_each_source(sources: list[Mentions], target: Mentions) -> None:
    union = count_shared(target, within=sum(sources, Counter()))
    for source in sources:
        one = count_shared(target, within=source)
        assert all(one[unit]["shared"] <= union[unit]["shared"] for unit in one)


@given(source=MENTIONS, target=MENTIONS, data=st.data())
def test_order_of_the_entities_changes_nothing(source: Mentions, target: Mentions, data: st.DataObject) -> None:
    shuffled = [Counter(dict(data.draw(st.permutations(list(side.items()))))) for side in (source, target)]
    expected = compute_overlap(source=source, target=target, order=LABELS, top=2)
    again = compute_overlap(source=shuffled[0], target=shuffled[1], order=LABELS, top=2)
    assert json.dumps(again) == json.dumps(expected)
