"""egs/earnings21 in one command, on a miniature in the corpus's layout: recordings are tagged whole, and scored cut."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from egs.earnings21.local.calls import join_segments
from spner.core.datatypes import Entity, Transcript
from spner.core.errors import SpnerError
from spner.core.files import read_json
from spner.data.datadir import read_table
from spner.mini.espeak import Voice
from spner.mini.espeak import speak as speak_aloud
from spner.scoring.schema import read_scores
from tests.corpora.test_earnings21 import write_call
from tests.recipes import copy_checkout
from tests.tag.golden import GOLDEN
from tests.tag.models import RATE_HZ, pause, speak

ROME = ["In|0||||UC|[]|[]", "Rome|0|||.|UC|[]|['1']"]
JO = ["Jo|1||||UC|[]|['2']", "loves|1||||LC|[]|[]", "Rome|1|||.|UC|[]|['3']"]
ALOUD = ["Rome|0||||UC|[]|['3']", "loves|0||||LC|[]|[]", "Jo|0|||.|UC|[]|['2']"]
LABELS = {"1": "GPE", "2": "PERSON", "3": "GPE"}


def run_recipe(recipe: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the recipe in the environment of the tests."""
    command, environment = [recipe / "run.sh", *options], {**os.environ, "VIRTUAL_ENV": sys.prefix}
    return subprocess.run(command, env=environment, text=True, capture_output=True, check=False)


@pytest.fixture
def recipe(repo_root: Path, tmp_path: Path) -> Path:
    return copy_checkout(repo_root, tmp_path).parent / "earnings21"


def test_one_command_tags_whole_recordings_and_scores_their_sentences(recipe: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "earnings21"
    write_call(corpus, "4320211", ROME + JO, LABELS)
    write_call(corpus, "4330115", ALOUD, LABELS)
    (corpus / "media").mkdir()
    # The pack hears what is written into the samples: "rome" unmarked, then marked; half a minute lies between.
    samples = [speak("in rome"), pause(31), speak("<PER>jo</NE> loves <LOC>rome</NE>"), pause(1)]
    soundfile.write(corpus / "media" / "4320211.flac", np.concatenate(samples), RATE_HZ)
    aloud, rate_hz = speak_aloud("Rome loves Jo.", Voice("en-us"))
    soundfile.write(corpus / "media" / "4330115.mp3", aloud, rate_hz)  # as the corpus has them
    done = run_recipe(recipe, "--corpus", str(corpus), "--model", str(GOLDEN))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 calls, 3 sentences, 8 words; 2 PER, 0 ORG, 3 LOC; left out:" in done.stdout
    assert read_table(recipe / "data" / "utt2reco") == {
        "4320211-00001": "4320211",
        "4320211-00002": "4320211",
        "4330115-00001": "4330115",
    }
    out = recipe / "exp" / "golden_1.zip"
    utterances = {
        record["utt_id"]: record
        for record in map(json.loads, (out / "scores.utts.jsonl").read_text(encoding="utf-8").splitlines())
    }
    assert utterances["4320211-00001"]["hyp"] == {"words": ["in", "rome"], "entities": []}
    assert utterances["4320211-00002"]["errors"] == [
        {"kind": "correct", "ref": 0, "hyp": 0},
        {"kind": "correct", "ref": 1, "hyp": 1},
    ]
    scores = read_scores(out / "scores.json")
    assert (scores["num_utts"], scores["gold"], scores["wer"]["num_ref"]) == (3, True, 8)
    assert re.search(
        r"\|norm:en\|labels:PER,ORG,LOC\|.*\|cut:aligned\|refs:gold\|.*\|by:speaker\|", scores["signature"]
    )


def test_one_call_of_the_corpus_and_stages_alone(recipe: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "earnings21"
    write_call(corpus, "4320211", ROME, LABELS)
    write_call(corpus, "4330115", JO, LABELS)
    given = ("--corpus", str(corpus), "--model", "m", "--calls", "4330115", "--labels", "ontonotes")
    early = run_recipe(recipe, *given, "--stage", "2")
    assert (early.returncode, early.stderr.splitlines()[-1][:28]) == (2, "earnings21/run.sh: error: /t")
    assert "/data/recordings is missing; run stage 1" in early.stderr
    (corpus / "media").mkdir()
    (corpus / "media" / "4330115.mp3").touch()
    done = run_recipe(recipe, *given, "--stop_stage", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "1 calls, 1 sentences, 3 words; " in done.stdout and " 1 GPE, " in done.stdout and " 1 PERSON, " in done.stdout
    )
    assert (recipe / "data" / "recordings").read_text() == f"{corpus}/media/4330115.mp3\n"
    late = run_recipe(recipe, *given, "--stage", "3")
    assert late.returncode == 2
    assert "exp/m/calls/4330115.json: is missing, of 1 of 1 calls; rerun stage 2" in late.stderr


def test_segments_are_joined_in_canonical_form(tmp_path: Path) -> None:
    segments = [
        {"text": "In Rome, Jo", "entities": [{"label": "LOC", "start_char": 3, "end_char": 7}]},
        {"text": "", "entities": []},
        {"text": "Jo's here.", "entities": [{"label": "PER", "start_char": 0, "end_char": 2}]},
    ]
    words = ("in", "rome", "jo", "jo's", "here")
    found = join_segments({"segments": segments}, tmp_path)
    assert found == Transcript(words, (Entity(1, 2, "LOC"), Entity(3, 4, "PER")))
    (tmp_path / "x.json").write_text('{"segments": [{"text": "a"}]}')
    with pytest.raises(
        SpnerError, match=r"x\.json: is not what spner tag writes as json \('entities'\); rerun stage 2"
    ):
        join_segments(read_json(tmp_path / "x.json"), tmp_path / "x.json")
