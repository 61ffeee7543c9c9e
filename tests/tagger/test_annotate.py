"""Sentences -> words for the tagger -> labels on normalised words, with a tagger that needs no model."""

import json
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest

from spner.core import paths, resume
from spner.core.datatypes import Entity, Transcript
from spner.core.errors import SpnerError
from spner.data.datadir import read_entities, read_labels, write_entities, write_sentences
from spner.tagger import annotate as room
from spner.tagger.annotate import annotate_data_dir, default_tagger, tag_sentences
from spner.text.labels import LabelSet
from spner.text.textnorm import normalise


class Lexicon:
    """A tagger that looks every word up; what is not listed is O."""

    def __init__(self, **tags: str) -> None:
        self.tags = {word.replace("_", "-"): tag for word, tag in tags.items()}
        self.num_calls = 0

    def predict(self, sentences: Sequence[Sequence[str]], *, batch_tokens: int) -> list[list[str]]:
        self.num_calls += 1
        return [[self.tags.get(word, "O") for word in words] for words in sentences]


@pytest.mark.parametrize(
    ("name", "lang", "sentence", "tags", "found"),
    [
        ("hyphen", "nl", "In Noord-Holland.", {"Noord_Holland": "B-LOC"}, [("LOC", "noord holland")]),
        ("IOB1", "nl", "Angela Merkel slaapt", {"Angela": "I-PER", "Merkel": "I-PER"}, [("PER", "angela merkel")]),
        ("English clitic", "en", "Angela's dog", {"Angela": "B-PER"}, [("PER", "angela's")]),
        ("Dutch clitic", "nl", "Merkel's hond", {"Merkel's": "B-PER"}, [("PER", "merkels")]),
        ("elision", "nl", "In 's-Hertogenbosch!", {"'s_Hertogenbosch": "B-LOC"}, [("LOC", "s hertogenbosch")]),
        ("digits", "nl", "Op de A2 naar Ajax", {"A2": "B-LOC", "Ajax": "B-ORG"}, [("LOC", "a2"), ("ORG", "ajax")]),
        ("adjacent", "nl", "Jan Piet", {"Jan": "B-PER", "Piet": "B-PER"}, [("PER", "jan"), ("PER", "piet")]),
        (
            "adjacent, other label",
            "nl",
            "Ajax, Parijs",
            {"Ajax": "I-ORG", "Parijs": "I-LOC"},
            [("ORG", "ajax"), ("LOC", "parijs")],
        ),
        ("elided preposition", "it", "Il capo dell'ONU.", {"ONU": "B-ORG"}, [("ORG", "onu")]),
        ("elided article", "fr", "Vers l’Allemagne", {"Allemagne": "B-LOC"}, [("LOC", "allemagne")]),
        ("article of a name", "fr", "Chez L'Oréal", {"L'": "B-ORG", "Oréal": "I-ORG"}, [("ORG", "l' oréal")]),
        ("of a country", "en-US", "Merkel's plan", {"Merkel": "B-PER"}, [("PER", "merkel's")]),
        ("characters", "ja", "東京へ行く。", {"東": "B-LOC", "京": "I-LOC"}, [("LOC", "東 京")]),
        ("initials", "nl", "J. Jansen zei", {"J.": "B-PER", "Jansen": "I-PER"}, [("PER", "j jansen")]),
        ("other script", "nl", "In Москва is het", {"Москва": "B-LOC"}, [("LOC", "moskva")]),
        ("MISC", "nl", "De Nederlandse Jan", {"Nederlandse": "B-MISC", "Jan": "B-PER"}, [("PER", "jan")]),
        ("punctuation alone", "nl", "Wat ?!", {"?": "B-PER", "!": "I-PER"}, []),
        ("empty", "nl", "", {}, []),
    ],
)
def test_labels_reach_the_normalised_words(
    name: str, lang: str, sentence: str, tags: dict[str, str], found: list[tuple[str, str]]
) -> None:
    transcript = tag_sentences(Lexicon(**tags), {"u": sentence}, lang=lang, labels=LabelSet())["u"]
    assert [(entity.label, transcript.phrase(entity)) for entity in transcript.entities] == found, name
    assert " ".join(transcript.words) == normalise(sentence, lang)


def test_entities_of_other_labels_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    tagger = Lexicon(Nederlandse="B-MISC", Kerst="B-MISC", WK="B-EVENT", Jan="B-PER", Parijs="B-LOC")
    with caplog.at_level("INFO"):
        tag_sentences(tagger, {"a": "De Nederlandse Jan", "b": "Kerst en WK in Parijs"}, lang="nl", labels=LabelSet())
    assert caplog.messages == [
        "tagger: entities left out, of labels that are not PER, ORG, LOC: 1 EVENT, 2 MISC; --map OLD=NEW keeps them"
    ]
    caplog.clear()
    with caplog.at_level("INFO"):
        tag_sentences(tagger, {"a": "Jan in Parijs"}, lang="nl", labels=LabelSet())
    assert caplog.messages == []


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of two sets, and a lexicon in place of the taggers ``one`` and ``two``."""
    taggers = {"one": Lexicon(Jan="B-PER", Parijs="B-LOC"), "two": Lexicon(Jan="B-ORG")}
    monkeypatch.setattr(room, "load_tagger", lambda name, *, labels, device, fast: taggers[name])
    for name in ("dev", "test"):
        write_sentences(tmp_path / name / paths.SENTENCES, {f"{name}_1": "Jan belt.", f"{name}_2": "Naar Parijs!"})
    (tmp_path / "audio").mkdir()
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_every_set_is_annotated(data: Path) -> None:
    assert annotate_data_dir(data, tagger="one", lang="nl", labels=LabelSet()) == {"dev": None, "test": None}
    transcript = read_entities(data / "dev" / paths.ENTITIES)
    assert transcript == {
        "dev_1": Transcript(("jan", "belt"), (Entity(0, 1, "PER"),)),
        "dev_2": Transcript(("naar", "parijs"), (Entity(1, 2, "LOC"),)),
    }


def test_labels_are_a_matter_of_the_call_and_written_beside_the_sets(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    annotate_data_dir(data, tagger="one", lang="nl", labels=LabelSet())
    assert read_labels(data) == LabelSet()
    labels = LabelSet(("person", "place"), {"LOC": "place"})
    annotate_data_dir(data, tagger="one", lang="nl", labels=labels)
    assert read_labels(data) == labels
    found = read_entities(data / "dev" / paths.ENTITIES)
    assert [found[utt_id].entities for utt_id in sorted(found)] == [(Entity(0, 1, "person"),), (Entity(1, 2, "place"),)]
    annotate_data_dir(data, tagger="one", lang="nl", labels=LabelSet(("PER",)))
    assert "tagger: entities left out, of labels that are not PER: 1 LOC" in caplog.text
    assert read_entities(data / "dev" / paths.ENTITIES)["dev_2"].entities == ()


def test_gold_entities_have_their_own_names_of_labels(data: Path) -> None:
    """Those of none of the labels are no errors of the tagger."""
    gold = {
        "dev_1": Transcript(("jan", "belt"), (Entity(0, 1, "PERSON"),)),
        "dev_2": Transcript(("naar", "parijs"), (Entity(0, 1, "EVENT"), Entity(1, 2, "GPE"))),
    }
    write_entities(data / "dev" / paths.GOLD_ENTITIES, gold)
    scores = annotate_data_dir(data, tagger="one", lang="nl", labels=LabelSet())["dev"]
    assert scores is not None and scores["micro"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 2}


def test_finished_sets_are_left_alone_until_something_changes(data: Path) -> None:
    annotate_data_dir(data, tagger="one", lang="nl", labels=LabelSet())
    entities = data / "dev" / paths.ENTITIES
    entities.write_text("by hand\n", encoding="utf-8")
    annotate_data_dir(data, tagger="one", lang="nl", labels=LabelSet())
    assert entities.read_text(encoding="utf-8") == "by hand\n"
    write_sentences(data / "dev" / paths.SENTENCES, {"dev_1": "Jan!"})
    annotate_data_dir(data, tagger="one", lang="nl", labels=LabelSet())
    assert list(read_entities(entities)) == ["dev_1"]
    annotate_data_dir(data, tagger="two", lang="nl", labels=LabelSet())
    assert read_entities(entities)["dev_1"].entities == (Entity(0, 1, "ORG"),)


def test_a_tagger_that_cannot_be_loaded_costs_no_labels(data: Path) -> None:
    annotate_data_dir(data, tagger="one", lang="nl", labels=LabelSet())
    before = contents(data)
    with pytest.raises(KeyError, match="nowhere"):
        annotate_data_dir(data, tagger="nowhere", lang="nl", labels=LabelSet())
    assert contents(data) == before


def test_removed_entities_are_made_again(data: Path) -> None:
    annotate_data_dir(data, tagger="one", lang="nl", labels=LabelSet())
    whole = contents(data)
    (data / "dev" / paths.ENTITIES).unlink()
    annotate_data_dir(data, tagger="one", lang="nl", labels=LabelSet())
    assert contents(data) == whole


@pytest.mark.parametrize("broken_call", ["write_entities", "write_json"])
def test_an_interrupted_run_gives_the_files_of_an_undisturbed_one(
    data: Path, monkeypatch: pytest.MonkeyPatch, broken_call: str
) -> None:
    annotate_data_dir(data, tagger="one", lang="nl", labels=LabelSet())
    undisturbed = contents(data)
    holder = room.datadir if broken_call == "write_entities" else resume

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(holder, broken_call, killed)
        annotate_data_dir(data, tagger="two", lang="nl", labels=LabelSet())
    annotate_data_dir(data, tagger="one", lang="nl", labels=LabelSet())
    assert contents(data) == undisturbed


def test_memory_does_not_grow_with_the_sentences(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LEAST_PER_SHARD", 100)
    monkeypatch.setattr(room, "MOST_PER_SHARD", 100)
    peaks = []
    for num_utts in (500, 3000):
        write_sentences(data / "dev" / paths.SENTENCES, {f"{n:06d}": f"Jan belt {n} maal." for n in range(num_utts)})
        tracemalloc.start()
        annotate_data_dir(data, tagger="one", lang="nl", labels=LabelSet())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(read_entities(data / "dev" / paths.ENTITIES)) == num_utts
    assert peaks[1] - peaks[0] < 2500 * 100, peaks  # bytes: neither sentence nor transcript of an utterance


@pytest.mark.parametrize("order", [["c", "a", "b", "e", "d"], ["a", "b", "c", "d", "e"]])
def test_shards_of_sentences_in_any_order_are_put_together_in_c_order(
    data: Path, monkeypatch: pytest.MonkeyPatch, order: list[str]
) -> None:
    monkeypatch.setattr(room, "LEAST_PER_SHARD", 2)
    lines = [json.dumps({"utt_id": utt_id, "sentence": f"Jan {utt_id}."}) + "\n" for utt_id in order]
    (data / "dev" / paths.SENTENCES).write_text("".join(lines), encoding="utf-8")
    annotate_data_dir(data, tagger="one", lang="nl", labels=LabelSet())
    found = read_entities(data / "dev" / paths.ENTITIES)
    assert list(found) == sorted(order) and found["d"].words == ("jan", "d")
    (data / "dev" / paths.SENTENCES).write_text("".join([*lines, lines[0]]), encoding="utf-8")
    with pytest.raises(SpnerError, match=rf'sentences.jsonl:6: utterance "{order[0]}" occurs twice'):
        annotate_data_dir(data, tagger="one", lang="nl", labels=LabelSet())


def test_gold_is_compared(data: Path) -> None:
    gold = {
        "dev_1": Transcript(("jan", "belt"), (Entity(0, 1, "PER"), Entity(1, 2, "ORG"))),
        "dev_2": Transcript(("naar", "parijs"), (Entity(0, 1, "ORG"), Entity(1, 2, "ORG"))),
    }
    write_entities(data / "dev" / paths.GOLD_ENTITIES, gold)
    scores = annotate_data_dir(data, tagger="one", lang="nl", labels=LabelSet())
    assert scores["test"] is None
    assert scores["dev"]["micro"] == {"precision": 1 / 2, "recall": 1 / 4, "f1": pytest.approx(1 / 3), "support": 4}
    assert scores["dev"]["PER"]["f1"] == 1.0
    assert json.loads(json.dumps(scores)) == scores


def test_gold_on_other_words_is_refused(data: Path) -> None:
    write_entities(data / "dev" / paths.GOLD_ENTITIES, {"dev_1": Transcript(("jan",))})
    with pytest.raises(SpnerError, match=r"gold_entities.jsonl: its words are not those of entities.jsonl"):
        annotate_data_dir(data, tagger="one", lang="nl", labels=LabelSet())


def test_default_tagger() -> None:
    assert default_tagger("nl").endswith("conll02-dutch")
    assert default_tagger("en-US") == default_tagger("EN") == default_tagger("en")
    assert default_tagger("de_AT").endswith("conll03-german")
    with pytest.raises(SpnerError, match=r'lang "fy" has no default tagger \(only nl, de, en have one\)'):
        default_tagger("fy")


def test_an_unknown_language_is_refused(data: Path) -> None:
    with pytest.raises(SpnerError, match=r'lang "rus" is unknown .*; did you mean "ru"'):
        annotate_data_dir(data, tagger="one", lang="rus", labels=LabelSet())


def test_stage_1_comes_first(tmp_path: Path) -> None:
    with pytest.raises(SpnerError, match=r"no set with sentences.jsonl .*stage 1"):
        annotate_data_dir(tmp_path, tagger="one", lang="nl", labels=LabelSet())
