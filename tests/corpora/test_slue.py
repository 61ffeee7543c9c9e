"""SLUE-VoxPopuli in both layouts, the published table in full, and what is refused."""

import logging
import re
from collections import Counter
from pathlib import Path

import pytest

from spner.core import paths
from spner.core.datatypes import LABELS, Entity, Transcript
from spner.core.errors import SpnerError
from spner.core.files import read_json
from spner.corpora.annotated import NOTES, OTHER_WORDS
from spner.corpora.corpus import Wanted
from spner.corpora.prepare import format_report, prepare_data
from spner.corpora.slue import read, recognises
from spner.data.datadir import read_entities, read_table
from spner.tagger.annotate import annotate_data_dir
from spner.text.label_sets import choose_labels
from tests.hubs import Spoken, write_slue_archive, write_slue_hub

EN = Wanted("en")
HEADER = "id\traw_text\tnormalized_text\tspeaker_id\tsplit\traw_ner\tnormalized_ner\n"


def write(folder: Path, *rows: str, name: str = "dev") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"slue-voxpopuli_{name}.tsv").write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return folder


def refusal(corpus: Path) -> str:
    with pytest.raises(SpnerError) as error:
        read(corpus, EN)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_both_layouts_hold_the_same(tmp_path: Path, english: dict[str, list[Spoken]]) -> None:
    archive = read(write_slue_archive(tmp_path / "slue-voxpopuli", english), EN)
    hub = read(write_slue_hub(tmp_path / "slue", english), EN)
    assert list(archive.sets) == list(hub.sets) == ["train", "dev", "test"] and not archive.synthetic
    for name, spoken in english.items():
        a, b = archive.sets[name], hub.sets[name]
        assert a.gold and b.gold
        assert a.transcripts == b.transcripts
        apart = {s.utt_id: " ".join(s.transcript.words).replace("'s", " 's").split() for s in spoken}
        assert {u: list(t.words) for u, t in a.transcripts.items()} == apart
        phrases = {u: [t.phrase(e) for e in t.entities] for u, t in a.transcripts.items()}
        assert phrases == {
            s.utt_id: [s.transcript.phrase(e).removesuffix("'s") for e in s.transcript.entities] for s in spoken
        }
        assert [(u.utt_id, u.spk_id, u.sentence) for u in a.utterances] == [
            (s.utt_id, s.utt_id if s.speaker == "None" else s.speaker, s.sentence.replace("'s", " 's")) for s in spoken
        ]
        assert [(u.utt_id, u.spk_id, u.sentence) for u in b.utterances] == [
            (u.utt_id, u.spk_id, u.sentence) for u in a.utterances
        ]
        assert dict(a.notes) == dict.fromkeys(NOTES, 0)
    assert sum(len(t.entities) for t in archive.sets["test"].transcripts.values()) > 3


def test_the_data_folder_says_that_every_set_is_gold(tmp_path: Path, english: dict[str, list[Spoken]]) -> None:
    """Stages 1 and 2 of both layouts: the same texts, durations and entities, all of them scored as gold."""
    found = []
    for layout in (write_slue_archive, write_slue_hub):
        data = tmp_path / layout.__name__ / "data"
        report = prepare_data(layout(data.parent / "corpus", english), data, lang="en", max_broken=0, num_workers=2)
        assert [one["entities"] for one in report["sets"].values()] == ["gold"] * 3
        assert format_report(report).splitlines()[-1] == "entities: gold in train, dev, test"
        assert annotate_data_dir(data, tagger=None, lang="en", labels=choose_labels("slue", {}, where="")) == {
            "train": None,
            "dev": None,
            "test": None,
        }
        names = (paths.TEXT, paths.UTT2SPK, paths.UTT2DUR, paths.ENTITIES, paths.GOLD_ENTITIES, paths.CORPUS_ENTITIES)
        found.append({name: (data / "test" / name).read_text() for name in names})
        # All labels are kept, as the corpus calls them; those to train on are the recipe's.
        kept = {e.label for t in read_entities(data / "test" / paths.GOLD_ENTITIES).values() for e in t.entities}
        ours = {e.label for t in read_entities(data / "test" / paths.ENTITIES).values() for e in t.entities}
        assert (kept - {"ORG"}, ours - {"ORG"}) == ({"PERSON", "GPE"}, {"PERSON", "PLACE"})
    assert found[0] == found[1]
    assert {len(read_table(data / name / paths.WAV_SCP)) for name in english} == set(map(len, english.values()))
    before = read_json(data / paths.REPORT)
    prepare_data(data.parent / "corpus", data, lang="en", max_broken=0, num_workers=1, labels=LABELS)
    assert read_json(data / paths.REPORT) == before


def test_the_published_table_in_full(shared_data: Path) -> None:
    """Each entity of ``normalized_ner`` is read with its label and its words."""
    folder = shared_data / "spoken_ner_gold/slue_voxpopuli"
    assert recognises(folder)
    dev = read(folder, EN).sets["dev"]
    listed = [line.split("\t") for line in (folder / "slue-voxpopuli_dev.tsv").read_text("utf-8").splitlines()[1:]]
    expected = Counter(label for row in listed for label in re.findall(r"'([A-Z_]+)'", row[6]))
    found = Counter(e.label for t in dev.transcripts.values() for e in t.entities)
    assert (len(dev.utterances), len(expected), expected.total()) == (1753, 17, 1862)
    assert found == expected and dev.empty == ()
    assert sum(bool(t.entities) for t in dev.transcripts.values()) == 946
    assert len({row[3] for row in listed}) == 71
    assert dict(dev.notes) == {**dict.fromkeys(NOTES, 0), OTHER_WORDS: dev.notes[OTHER_WORDS]}
    phrases = Counter(
        (row[0], label, row[2][int(start) : int(start) + int(length)].replace(".", "").removesuffix("'"))
        for row in listed
        for label, start, length in re.findall(r"\['([A-Z_]+)', (\d+), (\d+)\]", row[6])
    )
    ours = Counter((u, e.label, t.phrase(e)) for u, t in dev.transcripts.items() for e in t.entities)
    assert {one[2] for one in ours - phrases} == {"people 's republic of china", "dieselgate scandal"}
    assert len(ours - phrases) == len(phrases - ours) == 2


def test_offsets_count_the_text_as_it_stands_in_the_table(tmp_path: Path) -> None:
    """A text with combining accents is composed, which moves offsets; numbers in digits are no words of the speech."""
    text = "cafe\u0301 the hague's two thousand and twelve."
    row = f"a b\tCafé The Hague's 2012.\t{text}\t119435\tdev\tNone\t[['GPE', 6, 9], [\"DATE\", 18, 23]]"
    dev = read(write(tmp_path / "c", row), EN).sets["dev"]
    assert dev.transcripts == {
        "a_b": Transcript(
            ("café", "the", "hague", "'s", "two", "thousand", "and", "twelve"),
            (Entity(1, 3, "GPE"), Entity(4, 8, "DATE")),
        )
    }
    (utterance,) = dev.utterances
    assert (utterance.spk_id, utterance.clip) == ("119435", "dev/a b.ogg")
    assert utterance.sentence == "café the hague 's two thousand and twelve." and dev.notes[OTHER_WORDS] == 1


def test_entities_that_cost_something_are_counted(tmp_path: Path) -> None:
    row = "a\tx\tthe new york times .\tNone\tdev\tNone\t[['ORG', 4, 14], ['GPE', 4, 8], ['LAW', 19, 1]]"
    dev = read(write(tmp_path / "c", row), EN).sets["dev"]
    assert [e.label for e in dev.transcripts["a"].entities] == ["GPE", "ORG"]
    assert dict(dev.notes) == dict(zip(NOTES, (1, 1, 1), strict=True))


def test_a_test_set_without_labels_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write(tmp_path / "c", "a\tx\ta word\tNone\tdev\tNone\tNone")
    (folder / "slue-voxpopuli_test_blind.tsv").write_text("id\tspeaker_id\n", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert list(read(folder, EN).sets) == ["dev"]
    assert "slue-voxpopuli_test_blind.tsv: has no labels and is left out" in caplog.text


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a\tx\ty\tNone\tdev\tNone", "dev.tsv:2: found 6 columns (expected 7, tabs between them); restore the table"),
        ("a\tx\ty\tNone\tdev\tNone\t[('ORG', 0, 1)]", "dev.tsv:2: entities \"[('ORG', 0, 1)]\" are no list (expected"),
        ("a\tx\ty\tNone\tdev\tNone\t__import__('os')", "are no list"),
        ("a\tx\ty\tNone\tdev\tNone\t[['ORG', 0, 2]]", 'dev.tsv:2: entity "ORG" lies at 0 to 2 (expected characters of'),
        ("../a\tx\ty\tNone\tdev\tNone\tNone", 'clip "../a.ogg" is not a plain file name inside clips/'),
    ],
)
def test_a_broken_row_is_one_line(tmp_path: Path, row: str, message: str) -> None:
    assert message in refusal(write(tmp_path / "c", row))


def test_what_is_no_such_table(tmp_path: Path) -> None:
    row = "a\tx\ty\tNone\tdev\tNone\tNone"
    assert 'dev.tsv:3: utterance "a" is also in' in refusal(write(tmp_path / "c", row, row))
    folder = write(tmp_path / "c", row)
    table = folder / "slue-voxpopuli_dev.tsv"
    table.write_text(table.read_text().replace("normalized_ner", "normalised_ner"))
    assert 'dev.tsv:1: no column "normalized_ner" (found id, raw_text' in refusal(folder)
    for wanted, message in ((Wanted("de"), "--lang de: .* is English"), (Wanted("en", 1), "has sets of its own")):
        with pytest.raises(SpnerError, match=message):
            prepare_data(
                folder,
                tmp_path / "d",
                lang=wanted.lang,
                max_broken=1,
                num_workers=1,
                split_validated=wanted.split_validated,
            )
