"""Each cleaning rule on a hand-made corpus, and a stage 1 that is whole or not there."""

import errno
import json
import os
import shutil
import tarfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kaldiio
import numpy as np
import pytest
import soundfile

from spner.core import paths, streams
from spner.core.datatypes import Entity, Transcript
from spner.core.errors import SpnerError
from spner.core.files import write_json
from spner.corpora import prepare as prepare_room
from spner.corpora.prepare import RULES, format_report, prepare_data
from spner.data.audio import read_stored
from spner.data.datadir import (
    read_entities,
    read_sentences,
    read_table,
    read_word_times,
    write_entities,
    write_word_times,
)
from spner.text.textnorm import normalise
from tests.killed import start_and_kill

RATE_HZ = 16_000
BROKEN = b"no audio"
Row = tuple[str, str, str, float | None | bytes]  # speaker, clip, sentence, seconds | missing | broken content


def sound(duration_s: float, *, amplitude: float = 0.3) -> np.ndarray:
    return amplitude * np.sin(np.arange(round(duration_s * RATE_HZ)) / 10)


def write_corpus(folder: Path, sets: dict[str, list[Row]]) -> Path:
    """Write tables and clips; a clip of negative length is as long, and silent."""
    (folder / "clips").mkdir(parents=True)
    for name, rows in sets.items():
        lines = ["client_id\tpath\tsentence\tlocale\n"]
        for spk_id, clip, sentence, content in rows:
            lines.append(f"{spk_id}\t{clip}\t{sentence}\tnl\n")
            if isinstance(content, bytes):
                (folder / "clips" / clip).write_bytes(content)
            elif content is not None:
                waveform = sound(abs(content), amplitude=0.3 if content > 0 else 0.0005)
                soundfile.write(folder / "clips" / clip, waveform, RATE_HZ)
        (folder / f"{name}.tsv").write_text("".join(lines), encoding="utf-8")
    return folder


def prepare(corpus: Path, out: Path, **options: Any) -> dict[str, Any]:
    return prepare_data(corpus, out, **{"lang": "nl", "max_broken": 1.0, "num_workers": 1, **options})


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def refusal(corpus: Path, out: Path, **options: Any) -> str:
    with pytest.raises(SpnerError) as error:
        prepare(corpus, out, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def good_rows(num_rows: int) -> list[Row]:
    return [(f"spk{n % 3}", f"{n:03d}.wav", f"Zin nummer {n}.", 0.2) for n in range(num_rows)]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """One utterance for every rule; seconds are powers of two, so that sums tell which were counted."""
    return write_corpus(
        tmp_path / "corpus é 1",
        {
            "train": [
                ("bert", "a.wav", "Angela Merkel's reis.", 0.25),
                ("anna", "b.wav", "Een eerste zin!", 0.5),
                ("anna", "c.wav", "een EERSTE zin", 1.0),  # equal once normalised
                ("anna", "d.wav", "Ook in test.", 2.0),
                ("anna", "e.wav", "Ook in dev.", 0.125),
                ("bert", "f.wav", "", 0.0625),
                ("bert", "g.wav", "?!", 0.0625),  # nothing is left of it
                ("bert", "h.wav", "Deze is stil.", -0.5),
                ("bert", "i.wav", "Deze is weg.", None),
                ("bert", "j.wav", "Deze is stuk.", BROKEN),
            ],
            "dev": [("carl", "k.wav", "Ook in dev?", 0.25), ("carl", "l.wav", "Ook in test?", 0.5)],
            "test": [("dora", "m.wav", "ook in test", 0.25), ("Dora", "n.wav", "Naar Den Haag.", 0.5)],
        },
    )


def removed(report: dict[str, Any], set_name: str) -> dict[str, tuple[int, float]]:
    """Return utterances and seconds by rule, where there are any."""
    counts = report["sets"][set_name]["removed"]
    assert list(counts) == list(RULES)
    return {r: (c["utterances"], round(3600 * c["hours"], 6)) for r, c in counts.items() if c["utterances"]}


def test_each_rule_removes_what_it_should(corpus: Path, tmp_path: Path) -> None:
    with open(corpus / "train.tsv", "a", encoding="utf-8") as file:
        file.write("too\tfew\n")
    report = prepare(corpus, tmp_path / "data")
    assert removed(report, "train") == {
        "ragged_row": (1, 0),
        "empty_sentence": (2, 0.125),
        "duplicate_sentence": (3, 1.0 + 2.0 + 0.125),
        "missing_clip": (1, 0),
        "broken_clip": (1, 0),
        "silent_clip": (1, 0.5),
    }
    assert removed(report, "dev") == {"duplicate_sentence": (1, 0.5)}
    assert removed(report, "test") == {}
    kept = {name: s["kept"] for name, s in report["sets"].items()}
    assert {name: k["utterances"] for name, k in kept.items()} == {"train": 2, "dev": 1, "test": 2}
    assert {name: round(3600 * k["hours"], 6) for name, k in kept.items()} == {"train": 0.75, "dev": 0.25, "test": 0.75}
    assert [s["rows"] for s in report["sets"].values()] == [11, 2, 2]
    assert report["sets"]["train"]["ragged_lines"] == [12]
    for counts in report["sets"].values():
        assert counts["rows"] == counts["kept"]["utterances"] + sum(r["utterances"] for r in counts["removed"].values())
    assert json.loads((tmp_path / "data" / "report.json").read_text()) == report


def test_files_of_a_set(corpus: Path, tmp_path: Path) -> None:
    prepare(corpus, tmp_path / "data")
    train = tmp_path / "data" / "train"
    assert (train / "text").read_text() == "anna-b een eerste zin\nbert-a angela merkels reis\n"
    assert (train / "utt2spk").read_text() == "anna-b anna\nbert-a bert\n"
    assert (train / "spk2utt").read_text() == "anna anna-b\nbert bert-a\n"
    assert (train / "utt2dur").read_text() == "anna-b 0.5000000\nbert-a 0.2500000\n"
    assert read_sentences(train / "sentences.jsonl") == {
        "anna-b": "Een eerste zin!",
        "bert-a": "Angela Merkel's reis.",
    }
    for utt_id, location in read_table(train / "wav.scp").items():
        clip = corpus / "clips" / f"{utt_id.split('-')[1]}.wav"
        np.testing.assert_allclose(read_stored(location), soundfile.read(clip)[0], atol=1e-4)


def test_tables_are_in_c_order(corpus: Path, tmp_path: Path) -> None:
    """``Dora`` comes before ``dora``, as bytes do and no locale does."""
    prepare(corpus, tmp_path / "data")
    for name in ("wav.scp", "text", "utt2spk", "spk2utt", "utt2dur"):
        keys = [line.split(b" ")[0] for line in (tmp_path / "data" / "test" / name).read_bytes().splitlines()]
        assert keys == sorted(keys) and keys[0].startswith(b"Dora") and len(keys) == 2


def test_utterances_of_a_speaker_are_in_c_order(tmp_path: Path) -> None:
    rows: list[Row] = [("s", f"{name}.wav", f"Zin {n}.", 0.2) for n, name in enumerate("bBaéz")]
    prepare(write_corpus(tmp_path / "corpus", {"train": rows}), tmp_path / "data")
    assert (tmp_path / "data" / "train" / "spk2utt").read_text() == "s s-B s-a s-b s-z s-é\n"


def test_sentence_of_test_is_removed_from_dev_and_train(corpus: Path, tmp_path: Path) -> None:
    prepare(corpus, tmp_path / "data")
    texts = {name: set(read_table(tmp_path / "data" / name / "text").values()) for name in paths.SETS}
    assert "ook in test" in texts["test"] and "ook in dev" in texts["dev"]
    assert not (texts["train"] & texts["dev"] | texts["train"] & texts["test"] | texts["dev"] & texts["test"])


def test_gold_entities_of_kept_utterances_are_handed_on(corpus: Path, tmp_path: Path) -> None:
    gold = {
        "bert-a": Transcript(("angela", "merkels", "reis"), (Entity(0, 2, "PER"),)),
        "bert-h": Transcript(("deze", "is", "stil")),
        "Dora-n": Transcript(("naar", "den", "haag"), (Entity(1, 3, "LOC"),)),
    }
    write_entities(corpus / paths.GOLD_ENTITIES, gold)
    prepare(corpus, tmp_path / "data")
    found = {name: read_entities(tmp_path / "data" / name / paths.GOLD_ENTITIES) for name in paths.SETS}
    assert found == {"train": {"bert-a": gold["bert-a"]}, "dev": {}, "test": {"Dora-n": gold["Dora-n"]}}


def test_word_times_of_kept_utterances_are_handed_on(corpus: Path, tmp_path: Path) -> None:
    times = {"bert-a": ((0.0, 0.1), (0.1, 0.2), (0.2, 0.25)), "bert-h": ((0.0, 0.5),)}  # the second is silent
    write_word_times(corpus / paths.WORD_TIMES, times)
    prepare(corpus, tmp_path / "data")
    handed_on = read_word_times(tmp_path / "data" / "train" / paths.WORD_TIMES)
    assert handed_on == {"bert-a": times["bert-a"]}


def test_corpus_without_gold_gives_none(corpus: Path, tmp_path: Path) -> None:
    assert prepare(corpus, tmp_path / "data")["synthetic"] is False
    assert not list((tmp_path / "data").rglob(paths.GOLD_ENTITIES))


def test_changed_gold_is_handed_on_anew(corpus: Path, tmp_path: Path) -> None:
    words = ("angela", "merkels", "reis")
    for entities in ((), (Entity(0, 2, "PER"),)):
        write_entities(corpus / paths.GOLD_ENTITIES, {"bert-a": Transcript(words, entities)})
        prepare(corpus, tmp_path / "data")
        found = read_entities(tmp_path / "data" / "train" / paths.GOLD_ENTITIES)
        assert found == {"bert-a": Transcript(words, entities)}


@pytest.mark.parametrize("synthetic", [True, False])
def test_summary_tells_synthetic_speech(corpus: Path, tmp_path: Path, synthetic: bool) -> None:
    (corpus / "summary.json").write_text(json.dumps({"synthetic": synthetic}))
    assert prepare(corpus, tmp_path / "data")["synthetic"] is synthetic


def test_language_decides_the_normalisation(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", {"train": [("s", "a.wav", "Don't go.", 0.2)]})
    for lang, text in (("nl", "dont go"), ("en", "don't go")):
        prepare(corpus, tmp_path / lang, lang=lang)
        assert (tmp_path / lang / "train" / "text").read_text() == f"s-a {text}\n"


def test_unknown_language_is_refused(corpus: Path, tmp_path: Path) -> None:
    assert refusal(corpus, tmp_path / "out", lang="rus") == (
        'lang "rus" is unknown (expected a code such as nl, de or en); did you mean "ru"?'
    )
    assert not (tmp_path / "out").exists()


def test_letters_of_other_scripts_are_counted_in_each_set(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = {"train": [("a", "1.wav", "Wij zien Москва", 1.0)], "test": [("a", "2.wav", "Wij zien Rome", 1.0)]}
    report = prepare(write_corpus(tmp_path / "corpus", rows), tmp_path / "out")
    assert {name: one["transliterated_letters"] for name, one in report["sets"].items()} == {"train": 6, "test": 0}
    assert "corpus: 6 of 24 letters are not Latin" in caplog.text


def test_sentences_in_another_script_are_refused(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", {"train": [("a", "1.wav", "Москва красивый город", 1.0)]})
    assert refusal(corpus, tmp_path / "out").startswith(
        f"{corpus}: 100% of its letters are of other scripts, most of them Cyrillic (expected Latin, the script of "
    )
    assert list(prepare(corpus, tmp_path / "out", lang="nl-Cyrl")["sets"]) == ["train"]


def test_what_is_learnt_decides_about_the_script(tmp_path: Path) -> None:
    own, other = ("a", "1.wav", "Rome", 1.0), ("a", "2.wav", "Москва красивый город", 1.0)
    assert prepare(write_corpus(tmp_path / "own", {"train": [own], "test": [other]}), tmp_path / "out")["sets"]
    corpus = write_corpus(tmp_path / "other", {"train": [other], "test": [own, ("a", "3.wav", "x" * 99, 1.0)]})
    assert "100% of its letters are of other scripts" in refusal(corpus, tmp_path / "out2")


def test_report_as_a_table(corpus: Path, tmp_path: Path) -> None:
    lines = format_report(prepare(corpus, tmp_path / "data")).splitlines()
    assert [line.split()[0] for line in lines] == ["train", *RULES, "kept"]
    assert lines[3].split() == "duplicate_sentence 3 ( 0.0009 h) 1 ( 0.0001 h) 0 ( 0.0000 h)".split()
    assert lines[-1].split() == "kept 2 ( 0.0002 h) 1 ( 0.0001 h) 2 ( 0.0002 h)".split()
    assert len({len(line) for line in lines}) == 1


# Broken clips


def test_more_broken_clips_than_allowed(tmp_path: Path) -> None:
    rows = good_rows(100)
    rows[7:9] = [("s", "weg.wav", "Deze is weg.", None), ("s", "stuk.wav", "Deze is stuk.", BROKEN)]
    corpus, out = write_corpus(tmp_path / "corpus", {"train": rows}), tmp_path / "data"
    assert refusal(corpus, out, max_broken=0.01) == (
        f"{out}/broken_clips.tsv: 2 of 100 clips of train are missing or broken (at most 1.0% may be); "
        "mend the corpus or raise --max_broken"
    )
    assert (out / "broken_clips.tsv").read_text() == (
        f"train\ts-stuk\t{corpus}/clips/stuk.wav\tbroken: Format not recognised.\n"
        f"train\ts-weg\t{corpus}/clips/weg.wav\tmissing\n"
    )
    assert not (out / "report.json").exists()
    assert removed(prepare(corpus, out, max_broken=0.02), "train") == {"missing_clip": (1, 0), "broken_clip": (1, 0)}


def test_share_of_broken_clips_is_of_each_set(tmp_path: Path) -> None:
    dev: list[Row] = [("s", "weg.wav", "Deze is weg.", None), *good_rows(9)]
    train: list[Row] = [("t", f"t{n}.wav", f"Heel andere zin {n}.", 0.2) for n in range(20)]
    corpus = write_corpus(tmp_path / "corpus", {"train": train, "dev": dev})
    assert "1 of 10 clips of dev are missing or broken" in refusal(corpus, tmp_path / "data", max_broken=0.09)
    prepare(corpus, tmp_path / "data", max_broken=0.1)


def test_share_of_broken_clips_is_of_the_clips_that_were_read(tmp_path: Path) -> None:
    """Silent and broken ones count; rows whose clips nobody reads, duplicates and empty sentences, do not."""
    rows: list[Row] = [
        ("s", "weg.wav", "Deze is weg.", None),
        ("s", "stil.wav", "Deze is stil.", -0.5),
        ("s", "leeg.wav", "?!", 0.2),
        *good_rows(2),
        *(("s", f"nog{n}.wav", good_rows(1)[0][2], 0.2) for n in range(3)),
    ]
    corpus, out = write_corpus(tmp_path / "corpus", {"train": rows}), tmp_path / "data"
    assert "1 of 4 clips of train are missing or broken" in refusal(corpus, out, max_broken=0.24)
    assert prepare(corpus, out, max_broken=0.25)["sets"]["train"]["rows"] == 8


def test_silent_clips_are_not_broken(tmp_path: Path) -> None:
    rows: list[Row] = [("s", "stil.wav", "Deze is stil.", -0.5), *good_rows(3)]
    report = prepare(write_corpus(tmp_path / "corpus", {"train": rows}), tmp_path / "data", max_broken=0)
    assert removed(report, "train") == {"silent_clip": (1, 0.5)}
    assert (tmp_path / "data" / "broken_clips.tsv").read_text() == ""


def test_mended_clips_are_taken_up(tmp_path: Path) -> None:
    rows: list[Row] = [("s", "weg.wav", "Deze is weg.", None), *good_rows(3)]
    corpus, out = write_corpus(tmp_path / "corpus", {"train": rows}), tmp_path / "data"
    refusal(corpus, out, max_broken=0.01)
    soundfile.write(corpus / "clips" / "weg.wav", sound(0.2), RATE_HZ)
    assert prepare(corpus, out, max_broken=0.01)["sets"]["train"]["kept"]["utterances"] == 4


# Clips and sets that are too short


def test_truncated_clips_are_broken_where_the_release_states_durations(tmp_path: Path) -> None:
    rows: list[Row] = [("s", f"{n}.wav", f"Zin nummer {n}.", 0.5) for n in range(4)]
    corpus, out = write_corpus(tmp_path / "corpus", {"train": rows}), tmp_path / "data"
    assert removed(prepare(corpus, out), "train") == {}
    (corpus / "clip_durations.tsv").write_text("clip\tduration[ms]\n0.wav\t500\n1.wav\t625\n2.wav\t630\n3.wav\t1250\n")
    assert removed(prepare(corpus, out), "train") == {"broken_clip": (2, 1.0)}
    assert [line.split("\t")[1:] for line in (out / "broken_clips.tsv").read_text().splitlines()] == [
        ["s-2", f"{corpus}/clips/2.wav", "broken: 0.50 s of the 0.63 s that its corpus states"],
        ["s-3", f"{corpus}/clips/3.wav", "broken: 0.50 s of the 1.25 s that its corpus states"],
    ]
    assert "2 of 4 clips of train are missing or broken" in refusal(corpus, out, max_broken=0.4)


def test_clips_too_short_for_a_word_are_removed_and_are_not_broken(tmp_path: Path) -> None:
    rows: list[Row] = [("s", f"{ms}.wav", f"Zin {ms}.", ms / 1000) for ms in (20, 30, 199, 200, 300)]
    corpus, out = write_corpus(tmp_path / "corpus", {"train": rows}), tmp_path / "data"
    report = prepare(corpus, out, max_broken=0)
    assert removed(report, "train") == {"short_clip": (3, 0.249)}
    assert report["settings"]["limits"] == {"least_share": 0.8, "shortest_clip_s": 0.2}
    assert read_table(out / "train" / "text") == {"s-200": "zin 200", "s-300": "zin 300"}


@pytest.mark.parametrize("name", paths.SETS)
def test_set_without_rows_is_refused_before_a_clip_is_read(tmp_path: Path, name: str) -> None:
    sets: dict[str, list[Row]] = {n: [("s", f"{n}.wav", f"Zin {n}.", 0.5)] for n in paths.SETS}
    corpus, out = write_corpus(tmp_path / "corpus", {**sets, name: []}), tmp_path / "data"
    assert refusal(corpus, out) == (
        f"{corpus}: nothing is left of {name} (found a table without rows; expected one utterance at least); mend the "
        "set, leave it out, or make sets of validated.tsv (--split_validated)"
    )
    assert not list(out.rglob("*.ark")) and not (out / "report.json").exists()


def test_set_whose_sentences_are_all_in_test(tmp_path: Path) -> None:
    rows: list[Row] = [("s", "a.wav", "Zin.", 0.5), ("s", "b.wav", "?", 0.5)]
    corpus = write_corpus(tmp_path / "corpus", {"dev": rows, "test": [("t", "c.wav", "zin", 0.5)]})
    assert f"{corpus}: nothing is left of dev (found 1 empty_sentence, 1 duplicate_sentence; expected" in refusal(
        corpus, tmp_path / "data"
    )


def test_set_whose_clips_are_all_unusable(tmp_path: Path) -> None:
    rows: list[Row] = [("s", "a.wav", "Zin.", -0.5), ("s", "b.wav", "Zin twee.", 0.1), ("s", "c.wav", "Drie.", None)]
    corpus, out = write_corpus(tmp_path / "corpus", {"train": rows, "test": good_rows(1)}), tmp_path / "data"
    assert "nothing is left of train (found 1 missing_clip, 1 silent_clip, 1 short_clip; expected" in refusal(
        corpus, out
    )
    assert not (out / "report.json").exists()


# Sets made of validated.tsv


def validated(folder: Path, num_speakers: int = 20) -> Path:
    """Write clips of which two speakers read the same sentence each."""
    rows: list[Row] = [(f"s{n % num_speakers}", f"{n}.wav", f"Zin {n // 2}.", 0.2) for n in range(100)]
    return write_corpus(folder, {"validated": rows})


def test_sets_of_validated_share_no_speaker_and_no_sentence(tmp_path: Path) -> None:
    out = tmp_path / "data"
    report = prepare(validated(tmp_path / "corpus"), out, split_validated=1)
    assert list(report["sets"]) == list(paths.SETS) and report["settings"]["split_validated"] == 1
    assert sum(one["rows"] for one in report["sets"].values()) == 100
    assert sum(one["kept"]["utterances"] for one in report["sets"].values()) == 50
    speakers = [set(read_table(out / name / "utt2spk").values()) for name in paths.SETS]
    texts = [set(read_table(out / name / "text").values()) for name in paths.SETS]
    for sets in (speakers, texts):
        assert all(sets) and len(set.union(*sets)) == sum(map(len, sets))


def test_sets_to_train_on_are_not_replaced_by_another_draw(tmp_path: Path) -> None:
    corpus, out = validated(tmp_path / "corpus"), tmp_path / "data"
    assert list(prepare(corpus, out)["sets"]) == ["validated"]
    prepare(corpus, out, split_validated=1)
    before = files_of(out)
    assert refusal(corpus, out, split_validated=2) == (
        f"{out}: holds --split_validated 1 (this one is 2); give another --out, or remove the folder"
    )
    assert files_of(out) == before


def test_validated_alone_says_how_to_train(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    prepare(validated(tmp_path / "corpus"), tmp_path / "data")
    assert (
        f"{tmp_path}/data: nothing to train on or to test; --split_validated 1 makes sets of validated"
        in caplog.messages
    )


# Again, twice, on a full disk, killed


def test_same_settings_again_write_nothing(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    report = prepare(corpus, out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name != ".lock"}
    assert prepare(corpus, out) == report
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name != ".lock"} == times


def test_changed_table_is_prepared_anew(corpus: Path, tmp_path: Path) -> None:
    prepare(corpus, tmp_path / "data")
    table = corpus / "train.tsv"
    table.write_text(table.read_text(encoding="utf-8").replace("Merkel", "Kohl"), encoding="utf-8")
    prepare(corpus, tmp_path / "data")
    assert "bert-a angela kohls reis\n" in (tmp_path / "data" / "train" / "text").read_text()


def test_removed_files_are_made_again(corpus: Path, tmp_path: Path) -> None:
    write_entities(corpus / paths.GOLD_ENTITIES, {"bert-a": Transcript(("angela", "merkels", "reis"))})
    out = tmp_path / "data"
    prepare(corpus, out)
    whole = files_of(out)
    removable = [name for name in whole if not name.endswith((".lock", ".json"))]
    assert {"broken_clips.tsv", "train/gold_entities.jsonl", "audio/train/00000.ark"} < set(removable)
    for name in removable:
        (out / name).unlink()
        prepare(corpus, out)
        assert files_of(out) == whole, name


def test_gold_that_the_corpus_lost_does_not_stay(corpus: Path, tmp_path: Path) -> None:
    write_entities(corpus / paths.GOLD_ENTITIES, {"bert-a": Transcript(("angela", "merkels", "reis"))})
    prepare(corpus, tmp_path / "data")
    (corpus / paths.GOLD_ENTITIES).unlink()
    prepare(corpus, tmp_path / "data")
    assert not list((tmp_path / "data").rglob(paths.GOLD_ENTITIES))


def test_a_report_of_an_earlier_version_is_believed_as_far_as_it_goes(corpus: Path, tmp_path: Path) -> None:
    """It lists no files: only the audio can be looked for."""
    out = tmp_path / "data"
    report = prepare(corpus, out)
    for counts in report["sets"].values():
        del counts["files"]
    write_json(out / paths.REPORT, report)
    assert prepare(corpus, out) == report
    (out / paths.AUDIO_STORE / "test" / "00000.ark").unlink()
    assert "files" in prepare(corpus, out)["sets"]["test"]
    assert (out / paths.AUDIO_STORE / "test" / "00000.ark").exists()


def test_another_corpus_in_the_folder_is_refused(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    prepare(corpus, out)
    before = files_of(out)
    other = write_corpus(tmp_path / "other", {"train": good_rows(1)})
    assert refusal(other, out) == (
        f"{out}: holds corpus {corpus} (this one is {other}); give another --out, or remove the folder"
    )
    assert files_of(out) == before


def test_number_of_workers_does_not_show(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", {"train": good_rows(130)})
    out = tmp_path / "data"
    found = []
    for num_workers in (1, 2):
        prepare(corpus, out, num_workers=num_workers)
        found.append(files_of(out))
        out.rename(tmp_path / f"data {num_workers}")
    assert found[0] == found[1]


def test_runs_of_rows_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    twice: list[Row] = [("s", f"nog{n}.wav", f"Zin nummer {n}.", 0.2) for n in range(0, 40, 3)]
    corpus, out = (
        write_corpus(tmp_path / "corpus", {"train": twice + good_rows(70), "test": twice[:5]}),
        tmp_path / "data",
    )
    found = []
    for rows_per_run in (4096, 7):
        monkeypatch.setattr(streams, "ROWS_PER_RUN", rows_per_run)
        assert removed(prepare(corpus, out), "train")["duplicate_sentence"][0] == 5 + 14  # of test, and of train itself
        found.append(files_of(out))
        out.rename(tmp_path / f"data {rows_per_run}")
    assert found[0] == found[1]


def test_memory_does_not_hold_the_utterances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "ROWS_PER_RUN", 400)
    monkeypatch.setattr(prepare_room, "normalise", normalise.__wrapped__)  # what it keeps of some thousand sentences
    rows: list[Row] = [(f"spk{n % 3}", f"{n}.wav", f"Zin nummer {n}.", None) for n in range(2000)]
    corpus = write_corpus(tmp_path / "corpus", {"train": [*rows, ("s", "s.wav", "Een zin.", 0.2)]})
    lines = [f"{n}.wav\t200\n" for n in range(len(rows))]
    (corpus / "clip_durations.tsv").write_text("clip\tduration[ms]\n" + "".join(lines))
    peaks = []
    for number in range(3):  # the least is taken: what Python keeps of names grows in leaps
        tracemalloc.start()
        prepare(corpus, tmp_path / f"data {number}")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert min(peaks) < len(rows) * 500, peaks  # bytes: digests, hashes, a duration; and a run of 400 rows


def test_missing_corpus_makes_no_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none", tmp_path / "data") == (
        f"{tmp_path}/none: no such corpus (expected a JSON file of the paper's authors, SLUE-VoxPopuli's folder, "
        "SLUE-NEL's folder, MSNER's folder, a folder of NeMo's manifests, or an unpacked Common Voice release of one "
        "language, a folder with clips/ and *.tsv); paths are relative to the recipe's folder"
    )
    assert not (tmp_path / "data").exists()


def test_archive_says_how_to_unpack_it(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "c d", {"train": good_rows(1)})
    archive = tmp_path / "c d.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(corpus, "nl")
    assert refusal(archive, tmp_path / "data").endswith(
        f"*.tsv); unpack it (tar -xf '{archive}' -C {tmp_path}), then give the folder in it that holds its tables"
    )
    zipped = shutil.make_archive(str(tmp_path / "nl"), "zip", corpus)
    assert f"; unpack it (unzip {zipped} -d {tmp_path}), then" in refusal(Path(zipped), tmp_path / "data")
    assert refusal(corpus / "train.tsv", tmp_path / "data").endswith("*.tsv); give the corpus that it belongs to")
    assert not (tmp_path / "data").exists()


def _full_after(calls: int, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls -= 1
        if calls < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments, **options)

    return call


@pytest.mark.parametrize("calls", [0, 1, 2, 5, 20, 23])
def test_full_disk_is_one_line_and_no_report(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    prepare(corpus, tmp_path / "data")
    whole = files_of(tmp_path / "data")
    (tmp_path / "data").rename(tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", _full_after(calls, os.replace))
        assert "cannot be written (No space left on device); make room" in refusal(corpus, tmp_path / "data")
    assert not (tmp_path / "data" / "report.json").exists()
    assert not list((tmp_path / "data").rglob(".tmp-*"))
    prepare(corpus, tmp_path / "data")
    assert files_of(tmp_path / "data") == whole


def test_report_does_not_outlive_an_interrupted_change(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old settings' report would make half-changed folders look finished."""
    out = tmp_path / "data"
    prepare(corpus, out)
    whole = files_of(out)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", _full_after(6, os.replace))  # the first transcripts are changed
        refusal(corpus, out, lang="en")
    prepare(corpus, out)
    assert files_of(out) == whole


def test_disk_that_fills_while_clips_are_stored(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kaldiio, "save_ark", _full_after(1, kaldiio.save_ark))
    message = refusal(corpus, tmp_path / "data")
    assert message.startswith(f"{tmp_path}/data/audio/train/00000.ark: cannot be written (No space left on device);")
    assert not list((tmp_path / "data").rglob("*.ark")) and not (tmp_path / "data" / "report.json").exists()


@pytest.mark.parametrize("num_workers", [1, 2])
def test_killed_stage_is_finished_to_the_same_bytes(tmp_path: Path, num_workers: int) -> None:
    sets = {"train": good_rows(200), "test": [("t", f"t{n}.wav", f"Proef {n}.", 0.2) for n in range(70)]}
    corpus, out = write_corpus(tmp_path / "corpus", sets), tmp_path / "data"
    prepare(corpus, out)
    whole = files_of(out)
    out.rename(tmp_path / "whole")
    code = (
        "import sys; from pathlib import Path; from spner.corpora.prepare import prepare_data\n"
        "print('begin', flush=True)\n"
        "prepare_data(Path(sys.argv[1]), Path(sys.argv[2]), lang='nl', max_broken=1.0, num_workers=int(sys.argv[3]))\n"
    )
    start_and_kill(code, [corpus, out, num_workers], delays_s=(0.03, 0.1, 0.3, 0.8))
    time.sleep(0.5)  # for the workers to see that their parent is gone
    prepare(corpus, out)
    assert files_of(out) == whole


def test_release_6_1(shared_data: Path, tmp_path: Path) -> None:
    report = prepare(shared_data / "cv61_sample" / "fy-NL", tmp_path / "data", lang="fy", num_workers=2)
    counts = report["sets"]["validated"]
    assert counts["rows"] == 100
    assert counts["kept"]["utterances"] + sum(rule["utterances"] for rule in counts["removed"].values()) == 100
    assert counts["kept"]["hours"] * 60 == pytest.approx(8.6, abs=0.2)
