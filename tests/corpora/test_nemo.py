"""NeMo's manifests: what is exported is read again, theirs are read, and what lies elsewhere is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from spner.core import paths
from spner.core.datatypes import Entity, Transcript
from spner.core.errors import SpnerError, quote
from spner.corpora.corpus import Wanted
from spner.corpora.nemo import list_inputs, manifest, read
from spner.corpora.prepare import prepare_data
from spner.data.datadir import read_table

NL = Wanted("nl")


def write(folder: Path, *records: Any, name: str = "train") -> Path:
    folder.mkdir(exist_ok=True)
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    manifest(folder, name).write_text("\n".join([*lines, ""]), encoding="utf-8")
    return folder


def refusal(corpus: Path, wanted: Wanted = NL) -> str:
    with pytest.raises(SpnerError) as error:
        read(corpus, wanted)
    assert "\n" not in str(error.value)
    return str(error.value)


def line(clip: str, text: str = "een zin", **more: Any) -> dict[str, Any]:
    return {"audio_filepath": clip, "duration": 0.5, "text": text, **more}


def test_a_manifest_of_theirs_is_cleaned_as_any_corpus(tmp_path: Path) -> None:
    """Without entities; names may be absolute, and a file that is shorter than stated is broken."""
    corpus = write(
        tmp_path / "c",
        line(str(tmp_path / "c/wavs/a.wav"), "Een zin."),
        line("wavs/b.wav", "een zin", speaker_id="s 1"),
        line("wavs/c.wav", "nog een", duration=5),
        line("wavs/d.wav", ""),
    )
    (corpus / "wavs").mkdir()
    for name in "abcd":
        soundfile.write(corpus / f"wavs/{name}.wav", np.sin(np.arange(8000) / 9), 16_000)
    one = read(corpus, NL).sets["train"]
    assert one.transcripts is None and [u.utt_id for u in one.utterances] == ["wavs_a", "wavs_b", "wavs_c"]
    assert [u.spk_id for u in one.utterances] == ["wavs_a", "s_1", "wavs_c"]
    report = prepare_data(corpus, tmp_path / "d", lang="nl", max_broken=1, num_workers=1)["sets"]["train"]
    removed = {rule: counts["utterances"] for rule, counts in report["removed"].items() if counts["utterances"]}
    assert removed == {"empty_sentence": 1, "duplicate_sentence": 1, "broken_clip": 1} and report["entities"] is None
    assert read_table(tmp_path / "d/train" / paths.TEXT) == {"wavs_a": "een zin"}


def test_entities_beside_the_text(tmp_path: Path) -> None:
    entities = [{"label": "GPE", "start": 2, "end": 4}]
    records = [
        line(
            "a.wav", "naar 's gravenhage toe", entities=entities, annotation="gold", sentence="Naar 's-Gravenhage toe!"
        ),
        line("b.wav", entities=[], annotation="gold", synthetic=True),
    ]
    corpus = read(write(tmp_path / "c", *records, name="test"), NL)
    assert corpus.synthetic and corpus.sets["test"].gold
    assert corpus.sets["test"].transcripts == {
        "a": Transcript(("naar", "s", "gravenhage", "toe"), (Entity(2, 4, "GPE"),)),
        "b": Transcript(("een", "zin")),
    }
    assert corpus.sets["test"].utterances[0].sentence == "Naar 's-Gravenhage toe!"
    assert corpus.sets["test"].stated_s == (0.5, 0.5)


def test_clips_that_lie_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "audio"
    corpus = write(tmp_path / "c", line(str(elsewhere / "x/a.wav")), line("x/b.wav"))
    given = quote(f"{elsewhere}/x/a.wav")
    assert f"train_manifest.json:1: audio_filepath {given} lies outside of {corpus};" in refusal(corpus)
    found = read(corpus, Wanted("nl", clips=elsewhere)).sets["train"].utterances
    assert [u.clip for u in found] == ["x/a.wav", "x/b.wav"]
    for name in ("../a.wav", "/etc/passwd", "", ".", "x/../../a.wav", "a\nb.wav"):
        assert "lies outside of" in refusal(write(tmp_path / "c", line(name)))


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (["{"], "manifest.json:1: is not JSON ("),
        (["[]"], "manifest.json:1: has no audio_filepath or no text (expected {"),
        ([line("a", text=None)], "has no audio_filepath or no text"),
        ([line("a", offset=3.5)], "manifest.json:1: is a piece of a recording (offset 3.5); cut it into files first"),
        ([line("a", duration="x")], 'duration "x" is none (expected seconds)'),
        ([line("a", duration=True)], 'duration "True" is none'),
        ([line("a", speaker_id=7)], "speaker_id is no text"),
        ([line("a", annotation="people's", entities=[])], 'annotation "people\'s" (expected gold or silver)'),
        ([line("a", entities=[{"label": "X", "start": 1, "end": 3}])], "lies outside of the 2 words of its text"),
        ([line("a", entities=[{"label": "X"}])], "(expected label, start and end)"),
        ([line("a", entities=[]), line("b")], "manifest.json:2: has no entities, as"),
        ([line("a", entities=[], annotation="gold"), line("b", entities=[])], "is partly gold and partly silver"),
        ([line("a"), line("a")], 'manifest.json:2: utterance "a" is also in'),
    ],
)
def test_a_broken_line_is_one_line(tmp_path: Path, records: list[Any], message: str) -> None:
    assert message in refusal(write(tmp_path / "c", *records))


def test_manifests_have_sets_of_their_own(tmp_path: Path) -> None:
    corpus = write(tmp_path / "c", line("a"))
    with pytest.raises(SpnerError, match="has sets of its own; leave the option out"):
        list_inputs(corpus, Wanted("nl", split_validated=1))
