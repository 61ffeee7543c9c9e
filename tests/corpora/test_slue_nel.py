"""SLUE-NEL in the hub's layout: words, their times and the entities in them, down to frame F1 and word F1."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import soundfile

from spner.core import paths
from spner.core.datatypes import Entity, Timing, Transcript
from spner.core.errors import SpnerError
from spner.corpora.corpus import Wanted
from spner.corpora.prepare import prepare_data
from spner.corpora.slue_nel import list_inputs, read, recognises
from spner.data.datadir import read_entities, read_word_times, write_entities, write_table
from spner.scoring.options import Options
from spner.scoring.presets import preset_rules
from spner.scoring.score import score

WORDS = [("the", 0.0, 0.2), ("eu", 0.2, 0.5), ("'s", 0.5, 0.5), ("", 0.5, 1.0), ("new-york", 1.0, 1.4), ("'", 1.4, 1.4)]
ENTITIES = [("GPE", 1.0, 1.4), ("PLACE", 0.2, 0.5)]


def timed(key: str, found: list[tuple[str, float, float]]) -> dict[str, list[Any]]:
    columns = zip(*found, strict=True) if found else ((), (), ())
    return dict(zip((key, "start_sec", "end_sec"), map(list, columns), strict=True))


def make_row(utt_id: str, words: Any = WORDS, entities: Any = ENTITIES) -> dict[str, Any]:
    content = io.BytesIO()
    noise = np.random.default_rng(1).normal(0, 0.1, 24000).astype(np.float32)
    soundfile.write(content, noise, 16000, format="OGG")
    return {
        "id": utt_id,
        "audio": {"bytes": content.getvalue(), "path": f"{utt_id}.ogg"},
        "text": "the eu's new-york.",
        "word_timestamps": timed("word", words) if isinstance(words, list) else words,
        "ne_timestamps": {
            **timed("ne_label", entities),
            "start_char_idx": [0] * len(entities),
            "char_offset": [1] * len(entities),
        },
    }


def write_corpus(folder: Path, rows: list[dict[str, Any]], split: str = "test") -> Path:
    (folder / "vp_nel").mkdir(parents=True, exist_ok=True)
    table = pyarrow.Table.from_pylist(rows)
    pyarrow.parquet.write_table(table, folder / "vp_nel" / f"{split}-00000-of-00001.parquet")
    return folder


def test_words_have_their_times_and_entities_the_words_in_theirs(tmp_path: Path) -> None:
    corpus = read(write_corpus(tmp_path, [make_row("a")]), Wanted("en"))
    (one,) = corpus.sets.values()
    assert one.gold and one.transcripts is not None and corpus.word_times is not None
    expected = ("the", "eu", "'s", "new", "york")
    assert one.transcripts["a"] == Transcript(expected, (Entity(1, 2, "PLACE"), Entity(3, 5, "GPE")))
    assert np.allclose(corpus.word_times["a"], [(0.0, 0.2), (0.2, 0.5), (0.5, 0.5), (1.0, 1.2), (1.2, 1.4)])


def test_stage_1_keeps_the_times_and_the_scorer_reads_them(tmp_path: Path) -> None:
    write_corpus(tmp_path / "nel", [make_row("a"), make_row("b", entities=[])])
    write_corpus(tmp_path / "nel", [make_row("c")], split="validation")
    prepare_data(tmp_path / "nel", tmp_path / "data", lang="en", max_broken=0, num_workers=1)
    test = tmp_path / "data" / "test"
    assert len(read_word_times(test / paths.WORD_TIMES)["a"]) == 5
    assert sorted(read_entities(tmp_path / "data" / "dev" / paths.GOLD_ENTITIES)) == ["c"]
    # Found: EU, a tenth of a second late, and an EVENT, which SLUE leaves out; New York is missed.
    hyps = {name: Transcript(("the", "eu", "s"), (Entity(1, 2, "LOC"), Entity(2, 3, "EVENT"))) for name in "ab"}
    timing = Timing(((0.0, 0.2), (0.3, 0.6), (0.6, 0.9)), (1.0,) * 3, (1.0,) * 2)
    write_entities(tmp_path / "hyp" / paths.ENTITIES, hyps, dict.fromkeys(hyps, timing))
    write_table(tmp_path / "hyp" / paths.TEXT, dict.fromkeys(hyps, "the eu s"))
    scores = score(test / paths.GOLD_ENTITIES, tmp_path / "hyp", Options(preset_rules("slue", "en", {}), num_draws=0))
    assert scores["times"] is not None
    frames, words = scores["times"]["frame_f1"], scores["times"]["word_f1"]
    assert (frames["tp"], frames["fp"], frames["fn"]) == (20, 10 + 30, 10 + 40)
    assert [(words[o]["tp"], words[o]["fp"], words[o]["fn"]) for o in ("0.7", "0.6")] == [(0, 0, 3), (1, 1, 2)]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (make_row("a b"), "row 0: id 'a b' is no new name"),
        (make_row("a", words=[("eu", 0.5, 0.2)]), r"row 0: word has no times \(a start or an end is none;"),
        (make_row("a", words={"word": ["eu"], "start_sec": [0.1], "end_sec": []}), "row 0: word has no times"),
    ],
)
def test_malformed_row_is_refused(tmp_path: Path, row: dict[str, Any], found: str) -> None:
    with pytest.raises(SpnerError, match=found):
        read(write_corpus(tmp_path, [row]), Wanted("en"))


def test_it_is_english_and_no_other_corpus(tmp_path: Path) -> None:
    assert not recognises(tmp_path)
    with pytest.raises(SpnerError, match=r"--lang nl: .* is English \(expected en\)"):
        list_inputs(write_corpus(tmp_path, [make_row("a")]), Wanted("nl"))
    with pytest.raises(SpnerError, match="row 1: id 'a' is no new name"):
        read(write_corpus(tmp_path, [make_row("a"), make_row("a")]), Wanted("en"))
