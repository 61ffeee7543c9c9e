"""Recordings beside the page: the right clip for every utterance, safe names, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from spner.core.errors import SpnerError
from spner.core.parallel import Processes
from spner.core.paths import TEXT, WAV_SCP
from spner.data.audio import read_stored, store_clips
from spner.data.datadir import write_table
from spner.report.page import TEMPLATES, write_page
from tests.report.conftest import UTTERANCES, make_scores
from tests.report.test_page import Page

Write = Callable[..., Path]
IDS = [utterance["utt_id"] for utterance in UTTERANCES]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Return a recipe folder with an audio store of u1, u2 and u3, tones of different pitch, as stage 1 leaves it."""
    folder = tmp_path / "recipe"
    make_set(folder, IDS)
    return folder


def make_set(recipe: Path, utt_ids: list[str], *, loudness: float = 0.3) -> None:
    """Store one tone an utterance; the paths of ``wav.scp`` are relative to the recipe's folder."""
    clips = []
    (recipe / "clips").mkdir(parents=True, exist_ok=True)
    for number, utt_id in enumerate(utt_ids):
        clip = recipe / "clips" / f"{number}.wav"
        soundfile.write(clip, loudness * np.sin(np.arange(1600) * (number + 1) / 10), 16_000)
        clips.append((utt_id, clip))
    stored = store_clips(recipe / "data/mini/audio/test", clips, workers=Processes(), what="")
    write_table(
        recipe / "data/mini/test" / WAV_SCP, {one.utt_id: f"data/mini/audio/test/{one.location}" for one in stored}
    )
    write_table(recipe / "data/mini/test" / TEXT, dict.fromkeys(utt_ids, "woord"))


def scores_of(ref: str) -> dict[str, Any]:
    scores = make_scores()
    scores["made_with"]["ref"] = ref
    return scores


def folder_of(page: Page) -> str:
    (folder,) = {script["data-audio"] for script in page.find("script") if "data-audio" in script}
    return str(folder)


def samples(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="int16")[0]


def test_every_utterance_has_its_own_recording(write_scored: Write, recipe: Path) -> None:
    exp = write_scored("recipe/exp/base/score/lm/test.json", scores_of("data/mini/test")).parents[2]
    write_scored("recipe/exp/base/score/lm/test_gold.json", scores_of("data/mini/test/gold_entities.jsonl"))
    out = recipe / "re port#1.html"
    line = write_page([exp], out, audio=True)
    assert f"utterances to look at: 6; recordings in {recipe}/re port#1_audio: 3, 0.0 MB" in line
    page = Page(out)
    address = folder_of(page)  # one for pseudo-labels and gold: the audio is the same
    assert address.startswith("re%20port%231_audio/")
    folder = recipe / "re port#1_audio" / address.split("/")[1]
    assert sorted(file.name for file in folder.iterdir()) == ["1.flac", "2.flac", "3.flac"]
    for number, location in enumerate((recipe / "data/mini/test" / WAV_SCP).read_text().splitlines(), start=1):
        stored = read_stored(str(recipe / location.split()[1]))
        assert np.array_equal(samples(folder / f"{number}.flac"), np.rint(stored * 32768))
    assert "The recordings lie in the folder re port#1_audio ; keep it beside this page." in page.text
    (policy,) = (str(meta["content"]) for meta in page.find("meta") if meta.get("http-equiv"))
    assert policy.startswith("default-src 'none';") and policy.endswith("; media-src 'self' file:")


def test_nothing_is_loaded_before_it_is_played() -> None:
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    assert script.index('audio.preload = "none"') < script.index("audio.src =")
    assert "autoplay" not in script
    assert "/${utterance.place + 1}.flac" in script  # numbered from 1, as the files are


def test_without_audio_the_page_is_one_file(write_scored: Write, recipe: Path) -> None:
    file = write_scored("recipe/a.json", scores_of("data/mini/test"))
    write_page([file], recipe / "page.html")
    html = (recipe / "page.html").read_text(encoding="utf-8")
    assert "data-audio=" not in html and "media-src" not in html
    assert not (recipe / "page_audio").exists()


def test_utterance_ids_are_no_paths(write_scored: Write, recipe: Path) -> None:
    hostile = ["../../../escaped", "/escaped", "con"]
    make_set(recipe, hostile)
    utterances = [utterance | {"utt_id": utt_id} for utterance, utt_id in zip(UTTERANCES, hostile, strict=True)]
    file = write_scored("recipe/a.json", scores_of("data/mini/test"), utterances)
    before = {path for path in recipe.parent.rglob("*")}
    write_page([file], recipe / "page.html", audio=True)
    new = {path for path in recipe.parent.rglob("*") if path.is_file()} - before - {recipe / "page.html"}
    assert {path.name for path in new} == {"1.flac", "2.flac", "3.flac"}
    assert {path.parent.parent for path in new} == {recipe / "page_audio"}


def test_the_recipe_is_found_from_any_folder_and_before_the_current_one(
    write_scored: Write, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    make_set(other, [f"x{number}" for number in range(3)])
    monkeypatch.chdir(other)
    file = write_scored("recipe/exp/base/score/lm/test.json", scores_of("data/mini/test"))
    assert "recordings in page_audio: 3" in write_page([file], Path("page.html"), audio=True)
    # Scores that lie elsewhere were made in the current folder.
    elsewhere = write_scored("scores/test.json", scores_of("data/mini/test"))
    monkeypatch.chdir(recipe)
    assert "recordings in page_audio: 3" in write_page([elsewhere], Path("page.html"), audio=True)


@pytest.mark.parametrize("data", ["data/mini", "data/mini/test"], ids=["data folder", "set folder"])
def test_the_data_folder_can_be_given(write_scored: Write, recipe: Path, tmp_path: Path, data: str) -> None:
    file = write_scored("scores/a.json", scores_of("/elsewhere/test"))
    line = write_page([file], tmp_path / "page.html", audio=True, data=recipe / data)
    assert f"recordings in {tmp_path}/page_audio: 3" in line


def test_recordings_are_copied_once(write_scored: Write, recipe: Path) -> None:
    file = write_scored("recipe/a.json", scores_of("data/mini/test"))
    out = recipe / "page.html"
    write_page([file], out, audio=True)
    first, html = folder_of(Page(out)), out.read_bytes()
    (recipe / first / "2.flac").unlink()
    (recipe / first / "1.flac").write_bytes(b"as it was")
    write_page([file], out, audio=True)
    assert out.read_bytes() == html and (recipe / first / "1.flac").read_bytes() == b"as it was"
    assert len(samples(recipe / first / "2.flac")) == 1600


def test_clips_stored_anew_get_another_folder(write_scored: Write, recipe: Path) -> None:
    file, out = write_scored("recipe/a.json", scores_of("data/mini/test"), UTTERANCES[:1]), recipe / "page.html"
    folders = []
    for loudness in (0.3, 0.003):  # the same place in wav.scp, other sound
        make_set(recipe, IDS[:1], loudness=loudness)
        write_page([file], out, audio=True)
        folders.append(folder_of(Page(out)))
    loud, quiet = (int(samples(recipe / folder / "1.flac").max()) for folder in folders)
    assert loud > 10 * quiet


def test_a_wav_scp_may_name_a_file_for_each_utterance(write_scored: Write, recipe: Path) -> None:
    write_table(
        recipe / "data/mini/test" / WAV_SCP, {utt_id: f"clips/{number}.wav" for number, utt_id in enumerate(IDS)}
    )
    write_page([write_scored("recipe/a.json", scores_of("data/mini/test"))], recipe / "page.html", audio=True)
    folder = recipe / folder_of(Page(recipe / "page.html"))
    for number in range(3):
        assert np.array_equal(samples(folder / f"{number + 1}.flac"), samples(recipe / f"clips/{number}.wav"))


def test_a_set_without_utterances_to_show_needs_no_audio(write_scored: Write, tmp_path: Path) -> None:
    line = write_page(
        [write_scored("a.json", scores_of("nowhere"), utterances=None)], tmp_path / "page.html", audio=True
    )
    assert line.endswith("utterances to look at: 0") and not (tmp_path / "page_audio").exists()


def refusal(file: Path, data: Path | None = None, *, audio: bool = True) -> str:
    page = file.with_name("page.html")
    with pytest.raises(SpnerError) as error:
        write_page([file], page, audio=audio, data=data)
    assert not page.exists()
    return str(error.value)


def test_missing_audio_is_told_in_one_line(write_scored: Write, recipe: Path, tmp_path: Path) -> None:
    elsewhere = write_scored("a.json", scores_of("data/mini/test"))
    assert refusal(elsewhere) == (
        f"{elsewhere}: its audio was not found (expected wav.scp beside its references, data/mini/test); "
        "give the data folder as --data"
    )
    assert refusal(elsewhere, tmp_path / "no") == (
        f"{elsewhere}: its audio was not found (expected {tmp_path}/no/wav.scp or {tmp_path}/no/test/wav.scp); "
        "give the data folder as --data"
    )
    assert refusal(elsewhere, recipe / "data/mini", audio=False) == (
        "--data: is for --audio (expected both or neither); give --audio as well"
    )


def test_clips_that_are_not_there_are_told(write_scored: Write, recipe: Path) -> None:
    utterances = [*UTTERANCES, UTTERANCES[0] | {"utt_id": "u4"}]
    file, wav_scp = write_scored("recipe/a.json", scores_of("data/mini/test")), recipe / "data/mini/test" / WAV_SCP
    more = write_scored("recipe/b.json", scores_of("data/mini/test"), utterances)
    assert refusal(more) == (
        f'{wav_scp}: utterance "u4" of {more} is not there; give the data folder with its audio as --data'
    )
    (recipe / "data/mini/audio/test/00000.ark").unlink()
    assert refusal(file) == (
        f"{wav_scp}: data/mini/audio/test/00000.ark is missing; rerun stage 1, or go to the folder it ran in"
    )
