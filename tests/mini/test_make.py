import dataclasses
import functools
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from spner.cli import main
from spner.core.errors import SpnerError
from spner.core.files import read_json
from spner.core.paths import SETS
from spner.corpora.common_voice import read_sets
from spner.corpora.corpus import CorpusSet
from spner.corpora.prepare import prepare_data
from spner.data.audio import read_clip
from spner.data.datadir import read_entities, read_word_times
from spner.mini import make as mini
from spner.mini.clips import Sound
from spner.mini.make import format_summary, make_mini_corpus
from spner.mini.names import DEFAULT_POOLS, draw_pools
from spner.mini.phrasebook import TEMPLATES, read_phrasebook
from spner.mini.rows import DEFECTS, draw_rows
from spner.text.textnorm import normalise

TINY = {"lang": "nl", "num_train": 102, "num_dev": 5, "num_test": 8, "num_workers": 1}

ITALIAN = """\
espeak: it
faker: it_IT
persons: Sophia Loren, Enzo Ferrari
surnames: Rossi, Bianchi, Fontana
places: Roma, Milano, Torino, Colonia
territories: NO, DE, PL
organisations: Fiat, Pirelli, Barilla
words:
  giorno: lunedì, martedì, mercoledì, giovedì
  numero: due, tre, quattro, cinque, sei, sette
sentences: |
  {PER} arriva a {LOC} {giorno}.
  {PER} lavora per {ORG}.
  Oggi è {giorno} e piove da {numero} giorni.
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mini") / "à corpus"
    make_mini_corpus(out, **TINY)
    return out


@pytest.fixture(scope="module")
def tables(corpus: Path) -> dict[str, CorpusSet]:
    return read_sets(corpus, (*SETS, "validated"))


def _digests(folder: Path) -> dict[str, str]:
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != ".lock"]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(files)}


def _defects(corpus: Path) -> dict[str, str]:
    """Return the clip of each defect that concerns the sound."""
    rows = draw_rows(read_phrasebook("nl"), {"train": 102, "dev": 5, "test": 8}, DEFAULT_POOLS, seed=1, unseen=0.15)
    return {row.defect: f"mini_nl_train_{index:06d}.mp3" for index, row in enumerate(rows["train"])}


def test_tables_have_common_voices_layout(corpus: Path) -> None:
    lines = (corpus / "train.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0].split("\t") == [
        "client_id",
        "path",
        "sentence",
        "up_votes",
        "down_votes",
        "age",
        "gender",
        "accents",
        "locale",
        "segment",
    ]
    assert len(lines) == 103
    for line in lines[1:]:
        client_id, path, _, _, _, _, gender, _, locale, _ = line.split("\t")
        assert len(client_id) == 128 and set(client_id) <= set("0123456789abcdef")
        assert (corpus / "clips" / path).is_file()
        assert gender in ("male", "female") and locale == "nl"


def test_the_reader_takes_every_row(tables: dict[str, CorpusSet]) -> None:
    sizes = {name: len(table.utterances) + len(table.empty) for name, table in tables.items()}
    assert sizes == {"train": 102, "dev": 5, "test": 8, "validated": 115}
    assert not any(table.ragged_lines for table in tables.values())
    assert [len(tables[name].empty) for name in SETS] == [1, 0, 0]


def test_sets_share_no_sentence_and_only_a_planted_duplicate_comes_twice(tables: dict[str, CorpusSet]) -> None:
    texts = {name: [normalise(u.sentence, "nl") for u in tables[name].utterances] for name in SETS}
    assert len({text for name in SETS for text in texts[name]}) == sum(len(set(texts[name])) for name in SETS)
    assert [len(texts[name]) - len(set(texts[name])) for name in SETS] == [1, 0, 0]


def test_every_defect_is_planted_and_counted(corpus: Path) -> None:
    summary = read_json(corpus / "summary.json")
    assert summary["synthetic"] is True
    assert summary["planted"] == dict.fromkeys(DEFECTS, 1)


@pytest.mark.parametrize("num_train", [10, 101])
def test_a_small_corpus_holds_no_more_broken_clips_than_stage_1_takes(tmp_path: Path, num_train: int) -> None:
    settings = {**TINY, "num_train": num_train, "num_dev": 1, "num_test": 1}
    summary = make_mini_corpus(tmp_path / "corpus", **settings)
    assert summary.planted == {**dict.fromkeys(DEFECTS, 1), "corrupt_clip": 0}
    prepare_data(tmp_path / "corpus", tmp_path / "data", lang="nl", max_broken=0.01, num_workers=1)


def test_the_smallest_corpus_with_a_corrupt_clip_holds_no_more_than_stage_1_takes(corpus: Path, tmp_path: Path) -> None:
    report = prepare_data(corpus, tmp_path / "data", lang="nl", max_broken=0.01, num_workers=1)
    assert report["sets"]["train"]["removed"]["broken_clip"]["utterances"] == 1


def test_clips_are_mp3_at_common_voices_rates_and_one_is_corrupt_and_one_silent(corpus: Path) -> None:
    defects = _defects(corpus)
    rates_hz = set()
    for clip in sorted((corpus / "clips").iterdir()):
        if clip.name == defects["corrupt_clip"]:
            with pytest.raises(soundfile.LibsndfileError):
                soundfile.read(clip)
            continue
        waveform, rate_hz = soundfile.read(clip)
        rates_hz.add(rate_hz)
        assert soundfile.info(clip).format == "MP3" and waveform.ndim == 1
        assert 0.7 < len(waveform) / rate_hz < 9
        if clip.name == defects["silent_clip"]:
            assert 0 < np.std(waveform) <= 0.001 / 2
        else:
            assert np.std(waveform) > 0.02
    assert rates_hz == {32_000, 48_000}


def test_gold_entities_lie_on_the_normalised_words(corpus: Path, tables: dict[str, CorpusSet]) -> None:
    gold = read_entities(corpus / "gold_entities.jsonl")
    utterances = tables["validated"].utterances
    assert len(gold) == 115
    assert all(list(gold[u.utt_id].words) == normalise(u.sentence, "nl").split() for u in utterances)
    phrasebook = read_phrasebook("nl")
    for utterance in utterances:
        for entity in gold[utterance.utt_id].entities:
            if entity.label == "ORG":
                phrase = gold[utterance.utt_id].phrase(entity)
                assert phrase in {normalise(name, "nl") for name in phrasebook.organisations}


def test_a_name_in_another_script_is_transliterated_and_still_an_entity(
    corpus: Path, tables: dict[str, CorpusSet]
) -> None:
    gold = read_entities(corpus / "gold_entities.jsonl")
    foreign = [u for u in tables["train"].utterances if any("Ͱ" <= char < "ᴀ" for char in u.sentence)]
    assert len(foreign) == 1
    transcript = gold[foreign[0].utt_id]
    assert " ".join(transcript.words).isascii()
    own = [transcript.phrase(entity) for entity in transcript.entities]
    assert {"vladimir sokolov", "moskva", "nikos pappas", "athina", "olga petrova", "novosibirsk"} & set(own)


def test_every_word_of_every_readable_clip_has_its_time(corpus: Path, tables: dict[str, CorpusSet]) -> None:
    times = read_word_times(corpus / "word_times.jsonl")
    gold = read_entities(corpus / "gold_entities.jsonl")
    defects = _defects(corpus)
    unreadable = (defects["corrupt_clip"], defects["silent_clip"])
    timed = [u for u in tables["validated"].utterances if u.clip not in unreadable]
    assert sorted(times) == sorted(u.utt_id for u in timed)
    for utterance in timed:
        marks_s = [mark_s for pair in times[utterance.utt_id] for mark_s in pair]
        assert len(marks_s) == 2 * len(gold[utterance.utt_id].words)
        assert marks_s == sorted(marks_s)
        assert 0.1 <= marks_s[0] and marks_s[-1] + 0.1 <= soundfile.info(corpus / "clips" / utterance.clip).duration
    counts = read_json(corpus / "summary.json")["sets"]
    assert sum(counts[name]["timed_words"] for name in SETS) == sum(map(len, times.values()))


def test_times_are_those_of_the_sound_that_training_reads(corpus: Path, tables: dict[str, CorpusSet]) -> None:
    times = read_word_times(corpus / "word_times.jsonl")
    for utterance in (*tables["dev"].utterances, *tables["test"].utterances):
        waveform = read_clip(corpus / "clips" / utterance.clip)  # through MP3 and to 16 kHz
        level = np.sqrt(np.convolve(waveform**2, np.full(80, 1 / 80), "same"))  # of 5 ms
        noise = level[:1200].mean()
        loud_s = np.flatnonzero(level > noise + 0.05 * (np.percentile(level, 95) - noise)) / 16_000
        assert loud_s[0] == pytest.approx(times[utterance.utt_id][0][0], abs=0.08)
        assert loud_s[-1] == pytest.approx(times[utterance.utt_id][-1][1], abs=0.05)


def test_summary_counts_the_names_that_train_never_mentions(corpus: Path, tables: dict[str, CorpusSet]) -> None:
    gold = read_entities(corpus / "gold_entities.jsonl")
    mentions = {
        name: [(e.label, gold[u.utt_id].phrase(e)) for u in tables[name].utterances for e in gold[u.utt_id].entities]
        for name in SETS
    }
    counts = read_json(corpus / "summary.json")["sets"]
    for name in SETS:
        unseen = [mention for mention in mentions[name] if mention not in mentions["train"]]
        assert sum(counts[name]["mentions"].values()) == len(mentions[name])
        assert counts[name]["distinct"] == len(set(mentions[name]))
        assert counts[name]["unseen_mentions"] == len(unseen)
        assert counts[name]["unseen_distinct"] == len(set(unseen))
    assert counts["train"]["unseen_mentions"] == 0 < counts["test"]["unseen_mentions"]


@pytest.mark.parametrize("lang", ["nl", "de", "en"])
def test_the_default_corpus_has_the_shares_it_promises(lang: str) -> None:
    num_rows = {"train": 900, "dev": 80, "test": 150}
    rows = draw_rows(read_phrasebook(lang), num_rows, DEFAULT_POOLS, seed=1, unseen=0.15)
    assert {name: len(rows[name]) for name in SETS} == num_rows
    entity_free = [row for name in SETS for row in rows[name] if not row.sentence.spans]
    assert 0.28 < len(entity_free) / 1130 < 0.38
    mentions = {name: [m for row in rows[name] for m in _mentions(row.sentence)] for name in SETS}
    unseen = [mention for mention in mentions["test"] if mention not in set(mentions["train"])]
    assert 0.08 < len(unseen) / len(mentions["test"]) < 0.25
    assert all(sum(label == own for own, _ in mentions["test"]) > 20 for label in ("PER", "ORG", "LOC"))
    broken = [row for row in rows["train"] if row.defect in ("corrupt_clip", "empty_sentence")]
    assert len(broken) < 0.005 * 900


def _mentions(sentence: Any) -> list[tuple[str, str]]:
    return [(label, sentence.text[start:end]) for start, end, label in sentence.spans]


def test_no_sentence_names_anything_twice() -> None:
    rows = draw_rows(read_phrasebook("nl"), {"train": 900, "dev": 1, "test": 1}, DEFAULT_POOLS, seed=1, unseen=0.15)
    mentions = [_mentions(row.sentence) for row in rows["train"]]
    assert sum(len(found) > len({label for label, _ in found}) for found in mentions) > 50
    assert all(len(set(found)) == len(found) for found in mentions)


def test_test_and_dev_do_not_depend_on_the_size_of_train() -> None:
    phrasebook = read_phrasebook("de")
    small = draw_rows(phrasebook, {"train": 20, "dev": 9, "test": 30}, DEFAULT_POOLS, seed=1, unseen=0.15)
    large = draw_rows(phrasebook, {"train": 300, "dev": 9, "test": 30}, DEFAULT_POOLS, seed=1, unseen=0.15)
    assert small["test"] == large["test"] and small["dev"] == large["dev"]


def test_a_finished_corpus_is_not_made_again(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {file: file.stat().st_mtime_ns for file in corpus.rglob("*") if file.name != ".lock"}
    monkeypatch.delattr(mini, "draw_rows")
    summary = make_mini_corpus(corpus, **TINY)
    assert {file: file.stat().st_mtime_ns for file in corpus.rglob("*") if file.name != ".lock"} == before
    assert dataclasses.asdict(summary) == read_json(corpus / "summary.json")


def test_a_stopped_run_is_taken_up_again_with_the_same_bytes(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, spoken = tmp_path / "corpus", []

    def stop_after_ten(clip: Any) -> bytes:
        if len(spoken) == 10:
            raise KeyboardInterrupt
        spoken.append(clip)
        return make_clip(clip)

    make_clip = mini.make_clip
    monkeypatch.setattr(mini, "make_clip", stop_after_ten)
    with pytest.raises(KeyboardInterrupt):
        make_mini_corpus(out, **TINY)
    assert len(list((out / "clips").iterdir())) == 10
    assert not (out / "summary.json").exists() and not (out / "train.tsv").exists()
    (out / "clips" / ".tmp-mini_nl_train_000010.mp3").write_bytes(b"half a cl")
    monkeypatch.setattr(mini, "make_clip", lambda clip: spoken.append(clip) or make_clip(clip))
    make_mini_corpus(out, **TINY)
    assert len(spoken) == 115
    assert _digests(out) == _digests(corpus)


def test_two_processes_make_the_same_bytes_as_one(corpus: Path, tmp_path: Path) -> None:
    make_mini_corpus(tmp_path / "corpus", **{**TINY, "num_workers": 2})
    assert _digests(tmp_path / "corpus") == _digests(corpus)


def test_removed_files_are_made_again(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    shutil.copytree(corpus, out)
    for name in ("train.tsv", "word_times.jsonl", "clips/mini_nl_dev_000001.mp3"):
        (out / name).unlink()
        make_mini_corpus(out, **TINY)
        assert _digests(out) == _digests(corpus), name


def test_a_finished_corpus_of_other_settings_is_never_replaced(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Experiments were made from it."""
    out = tmp_path / "corpus"
    shutil.copytree(corpus, out)
    settings = {**TINY, "num_train": 10, "num_dev": 1, "num_test": 2}
    with pytest.raises(SpnerError) as error:
        make_mini_corpus(out, **settings)
    num_rows = [
        f'{{"train": {one["num_train"]}, "dev": {one["num_dev"]}, "test": {one["num_test"]}}}'
        for one in (TINY, settings)
    ]
    assert str(error.value) == (
        f"{out}: holds a mini corpus of other settings (num_rows: found {num_rows[0]}, asked for {num_rows[1]}); give "
        "this one a name of its own (--corpus mini_NAME), or remove the folder and what was made from it"
    )
    with pytest.raises(SpnerError, match=r"settings \(num_rows, shares, international: found .*, null, null, asked"):
        make_mini_corpus(out, **settings, shares=["nl+de=0.2"])
    assert _digests(out) == _digests(corpus)


def test_an_unfinished_corpus_of_other_settings_is_made_anew(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "corpus"
    shutil.copytree(corpus, out)
    (out / "summary.json").unlink()
    settings = {**TINY, "num_train": 10, "num_dev": 1, "num_test": 2}
    monkeypatch.setattr(mini, "DEFAULT_SOUND", Sound(num_speakers=1, snr_db=(60, 60)))
    make_mini_corpus(out, **settings)
    assert len(list((out / "clips").iterdir())) == 13
    speakers = {u.spk_id for table in read_sets(out, SETS).values() for u in table.utterances}
    assert len(speakers) == 1


def test_shares_are_settings_only_where_there_are_some(corpus: Path, tmp_path: Path) -> None:
    default = read_json(corpus / "mini_corpus.json")
    assert list(default) == ["version", "lang", "seed", "num_rows", "pools", "unseen", "sound", "templates"]
    settings = {**TINY, "num_train": 10, "num_dev": 1, "num_test": 30}
    make_mini_corpus(tmp_path / "corpus", **settings, shares=["nl+de+en=0.2", "nl+de=0.2"])
    sharing = read_json(tmp_path / "corpus" / "mini_corpus.json")
    assert sharing["shares"] == {"de+en+nl": 0.2, "de+nl": 0.2} and len(sharing["international"]) == 64
    pools = draw_pools(read_phrasebook("nl"), DEFAULT_POOLS, seed=1, unseen=0.15, shares=sharing["shares"])
    names = {normalise(name, "nl") for label in pools for name in pools[label].names}
    gold = read_entities(tmp_path / "corpus" / "gold_entities.jsonl")
    test = {u.utt_id for u in read_sets(tmp_path / "corpus", ["test"])["test"].utterances}
    assert {gold[utt_id].phrase(entity) for utt_id in test for entity in gold[utt_id].entities} <= names


def test_the_command_takes_shares(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["mini-corpus", "--lang=nl", f"--out={tmp_path / 'corpus'}", "--share=nl+de=0.2", "--share=nl=1"])
    assert '--share "nl=1": expected different languages' in caplog.text
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_else_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "precious.mp3").touch()
    with pytest.raises(SpnerError, match=r"holds clips but no mini_corpus\.json"):
        make_mini_corpus(tmp_path, **TINY)
    assert [file.name for file in tmp_path.iterdir()] == ["clips"]
    (tmp_path / "file").touch()
    with pytest.raises(SpnerError, match="is a file"):
        make_mini_corpus(tmp_path / "file", **TINY)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lang": "xx"}, "no templates for it .expected one of de, en, nl"),
        ({"num_train": 9}, "--num_train 9: expected at least 10"),
        ({"num_test": 0}, "--num_test 0: expected at least 1"),
        ({"num_train": 10**7}, "hardly more than"),
        ({"shares": ["nl+de"]}, '--share "nl.de": expected different languages'),
        ({"shares": ["nl+de=0.5", "nl+en=0.5", "de+en=0.5"]}, "--share en.nl=0.5: asks for 20 PER names .found 3 left"),
    ],
)
def test_impossible_wishes_leave_no_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], message: str
) -> None:
    _take_templates(_few_sentences(tmp_path), monkeypatch)
    with pytest.raises(SpnerError, match=message):
        make_mini_corpus(tmp_path / "corpus", **{**TINY, **change})
    assert not (tmp_path / "corpus" / "summary.json").exists()


def _take_templates(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mini, "read_phrasebook", functools.partial(read_phrasebook, folder=folder))


def _few_sentences(folder: Path) -> Any:
    """Return our templates, the Dutch ones with few sentences, so that they are soon exhausted."""
    for lang in ("de", "en", "nl"):
        text = (TEMPLATES / f"{lang}.yaml").read_text(encoding="utf-8")
        if lang == "nl":
            text = text[: text.index("sentences:")] + "sentences: |\n  Het regent op {dag}.\n  Ben je in {LOC}?\n"
        (folder / f"{lang}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_a_templates_file_is_all_that_a_further_language_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "it.yaml").write_text(ITALIAN, encoding="utf-8")
    _take_templates(templates, monkeypatch)
    summary = make_mini_corpus(tmp_path / "corpus", lang="it", num_train=12, num_dev=2, num_test=4, num_workers=1)
    assert summary.sets["train"].rows == 12 and summary.sets["test"].duration_s > 4
    names = {u.sentence for table in read_sets(tmp_path / "corpus", SETS).values() for u in table.utterances}
    assert any("Norvegia" in n or "Colonia" in n or "Roma" in n or "Torino" in n or "Polonia" in n for n in names)


@pytest.mark.parametrize(
    ("key", "found", "wrong", "message"),
    [
        (
            "espeak",
            "it",
            "xx",
            'eSpeak NG has no language "xx" (expected one of its languages; a near one will do); '
            "correct the key espeak",
        ),
        (
            "faker",
            "it_IT",
            "it_XX",
            'Faker has no locale "it_XX" (expected one of its locales; that of a near language '
            'will do); correct the key faker; did you mean "it_IT"?',
        ),
    ],
)
def test_what_faker_or_espeak_lacks_is_told_with_the_file_to_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, found: str, wrong: str, message: str
) -> None:
    (tmp_path / "it.yaml").write_text(ITALIAN.replace(f"{key}: {found}", f"{key}: {wrong}"), encoding="utf-8")
    _take_templates(tmp_path, monkeypatch)
    with pytest.raises(SpnerError) as error:
        make_mini_corpus(tmp_path / "corpus", lang="it", num_train=12)
    assert str(error.value) == f"{tmp_path}/it.yaml: {message}"
    assert not list((tmp_path / "corpus").rglob("*.mp3"))


def test_the_summary_in_words_says_that_the_speech_is_synthetic(corpus: Path) -> None:
    lines: Iterator[str] = iter(format_summary(make_mini_corpus(corpus, **TINY)).splitlines())
    assert next(lines).startswith("train: 102 clips of synthetic speech, ")
    assert "never occur in train" in next(lines)
    assert [*lines][-1] == "planted in train: " + ", ".join(f"1 {kind}" for kind in DEFECTS)
