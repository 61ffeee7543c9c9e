"""What is trained on: nested fractions by hash, and joined data folders of several languages."""

import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spner.core import paths
from spner.core.datatypes import Entity, Transcript
from spner.core.errors import SpnerError
from spner.core.files import read_json, write_json
from spner.data.datadir import read_table, write_entities, write_labels, write_table
from spner.data.tokens import make_tokens, read_token_list
from spner.data.trainset import find_limit, format_counts, rank
from spner.text.labels import LabelSet

DUTCH = {f"nl-{n}": Transcript(("anna", "één"), (Entity(0, 1, "PER"),)) for n in range(10)}
GERMAN = {"de-1": Transcript(("köln",), (Entity(0, 1, "LOC"),)), "de-2": Transcript(("straße",))}


def write_data(folder: Path, train: dict[str, Transcript], *, store: str | None = None) -> Path:
    """Write a data folder whose clips last 0.5 s, 1 s, 1.5 s, …; dev is one utterance."""
    for name, utterances in {"train": train, "dev": {"dev-1": Transcript(("dag",))}}.items():
        write_table(folder / name / paths.TEXT, {u: " ".join(a.words) for u, a in utterances.items()})
        write_table(folder / name / paths.UTT2DUR, {u: f"{(n + 1) / 2:.7f}" for n, u in enumerate(utterances)})
        wav_scp = {u: f"{store or folder / 'audio'}/{name}/00000.ark:{n}" for n, u in enumerate(utterances)}
        write_table(folder / name / paths.WAV_SCP, wav_scp)
        write_entities(folder / name / paths.ENTITIES, utterances)
    write_json(folder / paths.REPORT, {"sets": {"train": {}, "dev": {}}})
    return folder


@pytest.fixture
def nl(tmp_path: Path) -> Path:
    return write_data(tmp_path / "cv_nl" / "data" / "mini", DUTCH, store="data/mini/audio")


@pytest.fixture
def de(tmp_path: Path) -> Path:
    return write_data(tmp_path / "cv_de" / "data" / "mini", GERMAN, store="data/mini/audio")


def choose_fraction(utt_ids: Iterable[str], percent: float) -> set[str]:
    limit = find_limit(utt_ids, percent)
    return {utt_id for utt_id in utt_ids if rank(utt_id) <= limit}


def refusal(*arguments: Any, **options: Any) -> str:
    with pytest.raises(SpnerError) as error:
        make_tokens(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


@given(st.sets(st.text(min_size=1), min_size=1), st.floats(0.1, 100), st.floats(0.1, 100))
def test_a_smaller_fraction_lies_within_a_larger_one(utt_ids: set[str], one: float, other: float) -> None:
    smaller, larger = (choose_fraction(utt_ids, percent) for percent in sorted((one, other)))
    assert smaller <= larger <= utt_ids
    assert len(smaller) == max(1, round(len(utt_ids) * min(one, other) / 100))
    assert choose_fraction(sorted(utt_ids, reverse=True), 100.0) == utt_ids


def test_a_fraction_is_the_same_on_every_machine() -> None:
    assert choose_fraction([f"u{n}" for n in range(20)], 20) == {"u10", "u3", "u17", "u16"}
    assert choose_fraction([], 20) == set()


def test_a_fraction_is_drawn_across_the_ids_not_from_their_beginning() -> None:
    utt_ids = [f"{n:05d}" for n in range(10000)]
    chosen = [int(utt_id) for utt_id in choose_fraction(utt_ids, 10)]
    assert len(chosen) == 1000
    assert abs(sum(chosen) / 1000 - 5000) < 300  # three standard errors of a fair draw


def test_stage_3_trains_on_the_fraction_alone(nl: Path, tmp_path: Path) -> None:
    record = make_tokens(nl, tmp_path / "dump", fraction=20)
    for name in (paths.TEXT, paths.SPEECH_SHAPE, paths.TEXT_SHAPE):
        assert set(read_table(tmp_path / "dump" / "train" / name)) == choose_fraction(DUTCH, 20)
    assert read_table(tmp_path / "dump" / "dev" / paths.TEXT) == {"dev-1": "dag"}
    (counts,) = record["train"]
    seconds = sum((list(DUTCH).index(utt_id) + 1) / 2 for utt_id in choose_fraction(DUTCH, 20))
    assert counts["chosen"] == {"utterances": 2, "hours": seconds / 3600}
    assert counts["whole"] == {"utterances": 10, "hours": 27.5 / 3600}
    assert format_counts(record["train"]).startswith(f"{nl}: 2 of 10 utterances, 0.00 of 0.01 h (20%)")


def test_another_fraction_is_made_anew_and_the_same_is_not(nl: Path, tmp_path: Path) -> None:
    record = make_tokens(nl, tmp_path / "dump", fraction=20)
    assert read_json(tmp_path / "dump" / paths.TOKENS_CONFIG) == record
    text = tmp_path / "dump" / "train" / paths.TEXT
    before = text.stat()
    assert make_tokens(nl, tmp_path / "dump", fraction=20) == record
    assert text.stat() == before
    make_tokens(nl, tmp_path / "dump", fraction=40)
    assert len(read_table(text)) == 4


def test_joined_languages_share_a_token_list(nl: Path, de: Path, tmp_path: Path) -> None:
    record = make_tokens(nl, tmp_path / "dump", joined=[de.parents[1]], fraction=50)
    assert set("annaéköslt") | {"ß", "<PER>"} <= set(read_token_list(tmp_path / "dump" / paths.TOKEN_LIST))
    train = read_table(tmp_path / "dump" / "train" / paths.TEXT)
    assert train.keys() == choose_fraction(DUTCH, 50) | GERMAN.keys()
    assert train["de-1"] == "<LOC>köln</NE>"
    shape = read_table(tmp_path / "dump" / "train" / paths.SPEECH_SHAPE)
    assert shape["de-2"] == "16000"
    assert (tmp_path / "dump" / "dev" / paths.TEXT).read_text() == "dev-1 dag\n"
    assert [one["data"] for one in record["train"]] == [str(nl), str(de)]
    assert record["joined"] == [str(de)]


def test_joined_audio_is_found_from_this_recipe(nl: Path, de: Path, tmp_path: Path) -> None:
    make_tokens(nl, tmp_path / "dump", joined=[de])
    wav_scp = read_table(tmp_path / "dump" / "train" / paths.WAV_SCP)
    assert wav_scp["nl-3"] == f"{nl}/audio/train/00000.ark:3"
    assert wav_scp["de-1"] == f"{de}/audio/train/00000.ark:0"
    write_table(de / "train" / paths.WAV_SCP, {"de-1": "/clips/1.flac", "de-2": "/clips/2.flac"})
    make_tokens(nl, tmp_path / "absolute", joined=[de])
    assert read_table(tmp_path / "absolute" / "train" / paths.WAV_SCP)["de-1"] == "/clips/1.flac"
    write_table(de / "train" / paths.WAV_SCP, {"de-1": "clips/1.flac", "de-2": "clips/2.flac"})
    assert '"clips/1.flac" does not lie in the folder\'s own audio' in refusal(nl, tmp_path / "lost", joined=[de])


def test_ids_that_collide_are_refused(nl: Path, tmp_path: Path) -> None:
    other = write_data(
        tmp_path / "cv_fy" / "data" / "mini", {"fy-1": Transcript(("dei",)), "nl-4": Transcript(("dei",))}
    )
    assert refusal(nl, tmp_path / "dump", joined=[other]) == (
        f'{other}/train/text: utterance "nl-4" is in {nl}, too (expected ids that no joined folder shares); rename the '
        "clips of one corpus"
    )
    assert not (tmp_path / "dump" / paths.TOKENS_CONFIG).exists()


def test_tables_in_another_order_and_gaps_in_them_are_told(nl: Path, tmp_path: Path) -> None:
    text, durations = nl / "train" / paths.TEXT, nl / "train" / paths.UTT2DUR
    lines = durations.read_text().splitlines()
    durations.write_text("".join(f"{line}\n" for line in lines if not line.startswith("nl-4")))
    assert refusal(nl, tmp_path / "dump") == f'{durations}: lacks utterance "nl-4"; rerun stage 1'
    text.write_text("".join(f"{line}\n" for line in reversed(text.read_text().splitlines())))
    assert refusal(nl, tmp_path / "dump") == f'{text}: "nl-8" stands behind "nl-9" (expected C order); sort it'


def test_what_is_wrong_with_an_utterance_is_told_whatever_the_tokens(nl: Path, tmp_path: Path) -> None:
    write_labels(nl, LabelSet(("ORG", "LOC")))
    for options in ({}, {"token_type": "bpe", "vocab_size": 20}):
        assert 'utterance "nl-0" has an entity PER (expected ORG, LOC)' in refusal(nl, tmp_path / "dump", **options)


def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    peaks = []
    for num_utts in (2000, 20_000):
        utterances = {f"u{n:06d}": Transcript(("naar", f"plaats{n}"), (Entity(1, 2, "LOC"),)) for n in range(num_utts)}
        data = write_data(tmp_path / str(num_utts), utterances)
        utterances.clear()
        tracemalloc.start()
        make_tokens(data, tmp_path / f"dump{num_utts}", fraction=50)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 18_000 * 50, peaks  # bytes: of an utterance no text, but its rank


def test_a_recipe_stands_for_its_data_folder(nl: Path, de: Path, tmp_path: Path) -> None:
    write_data(de.parent / "cv-corpus_de", {"de-9": Transcript(("nein",))})
    record = make_tokens(nl, tmp_path / "dump", joined=[de.parents[1]])
    assert record["joined"] == [str(de)]  # the one with the name of the recipe's own
    message = refusal(nl.rename(nl.with_name("cv-corpus_nl")), tmp_path / "other", joined=[de.parents[1]])
    assert message == (
        f"--join {de.parents[1]}: holds finished data in {de.parent}/cv-corpus_de, {de} (expected a data folder, or a "
        "recipe with one); give one of them"
    )


def test_a_joined_recipe_without_data_names_the_stages(nl: Path, de: Path, tmp_path: Path) -> None:
    assert refusal(nl, tmp_path / "dump", joined=[tmp_path]).endswith(
        "holds finished data in no folder (expected a data folder, or a recipe with one); stages 1 and 2 of its recipe "
        "make one"
    )
    (de / "train" / paths.ENTITIES).unlink()
    assert refusal(nl, tmp_path / "dump", joined=[de]) == (
        f"{de}/train/entities.jsonl: cannot be read (No such file or directory); stage 2 (spner annotate) makes it"
    )
    assert make_tokens(nl, tmp_path / "dump", joined=[de], system="asr")["system"] == "asr"


def test_joined_folders_have_the_same_labels(nl: Path, de: Path, tmp_path: Path) -> None:
    write_labels(de, LabelSet(("LOC", "ORG", "PER")))
    assert make_tokens(nl, tmp_path / "dump", joined=[de])["labels"] == ["PER", "ORG", "LOC"]
    write_labels(de, LabelSet(("PER", "ORG")))
    assert refusal(nl, tmp_path / "dump", joined=[de]) == (
        f"--join {de}: has the labels PER, ORG (expected those of {nl}, PER, ORG, LOC); rerun stage 2 of either "
        "with the other's --labels"
    )
    assert make_tokens(nl, tmp_path / "dump", joined=[de], system="asr")["labels"] is None
