"""The tier that runs the recipe: six stages on a tiny mini corpus, killed, run twice at once, run again."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.recipes import GREEDY, SEARCH, copy_checkout, read_tree, run, start

pytestmark = [pytest.mark.espnet, pytest.mark.timeout(900)]


def test_the_screen_shows_nothing_of_the_libraries(finished: Path) -> None:
    """A package's words for itself are its log's; what we log has the clock in front."""
    logged = (finished / "logged").read_text().splitlines()
    assert len(logged) > 5
    assert [line for line in logged if not re.match(r"\d\d:\d\d:\d\d ", line) or "Set decoder" in line] == []
    assert "Flash Attention" not in (finished / "printed").read_text()
    assert "Set decoder to none" in (finished / "exp/mini_e2e/log/stage4.log").read_text()


def test_six_stages_write_what_the_design_says(finished: Path) -> None:
    for set_name in ("train", "dev", "test"):
        data = {path.name for path in (finished / "data" / "mini" / set_name).iterdir()}
        assert data >= {"wav.scp", "text", "utt2spk", "spk2utt", "utt2dur", "sentences.jsonl", "entities.jsonl"}
        dump = {path.name for path in (finished / "dump" / "mini_e2e" / set_name).iterdir()}
        assert dump == {"text", "speech_shape", "text_shape"}
    exp = finished / "exp" / "mini_e2e"
    for name in (
        "config.yaml",
        "train.json",
        "curves.png",
        "RESULTS.md",
        f"decode/{SEARCH}/test/text",
        f"score/{SEARCH}/test.json",
    ):
        assert (exp / name).stat().st_size > 0
    assert len((exp / "decode" / SEARCH / "test/text").read_text().splitlines()) == 12


def test_scores_have_the_fields_of_the_metrics(finished: Path) -> None:
    for name, gold in (("test", False), ("test_gold", True)):
        scores = json.loads((finished / "exp/mini_e2e/score" / SEARCH / f"{name}.json").read_text())
        assert scores["num_utts"] == 12 and scores["gold"] is gold
        assert all(isinstance(scores[key]["rate"], float) for key in ("wer", "cer", "eer"))
        for kind in ("f1", "label_f1"):
            assert set(scores[kind]["micro"]) == {"precision", "recall", "f1", "tp", "fp", "fn"}


def test_results_name_commit_seed_configuration_and_kind_of_references(finished: Path) -> None:
    results = (finished / "exp/mini_e2e/RESULTS.md").read_text()
    facts = ("commit", "seed", "train_mini.yaml", "pseudo-labels", "true entities", "synthetic", "dev untagged WER")
    for text in facts:
        assert text in results


def test_running_again_is_cheap_and_changes_nothing(finished: Path) -> None:
    before, began = read_tree(finished, "data", "dump", "exp"), time.monotonic()
    done = run(finished)
    assert done.returncode == 0, done.stderr
    assert read_tree(finished, "data", "dump", "exp") == before
    assert "epoch 1 of" not in done.stderr
    print(f"again in {time.monotonic() - began:.0f} s")


def test_files_that_are_gone_are_made_again_by_the_step_that_made_them(
    finished: Path, tmp_path: Path, repo_root: Path
) -> None:
    """A record tells that a step has finished; its files must be there as well."""
    recipe = copy_checkout(repo_root, tmp_path / "pad met spaties é")
    for folder in ("data", "dump", "exp", "downloads"):
        shutil.copytree(finished / folder, recipe / folder, symlinks=True)
    before = read_tree(recipe, "downloads", "data", "dump", "exp")
    exp = f"exp/mini_e2e/{{}}/{SEARCH}"
    gone = [
        *("downloads/mini/test.tsv", "downloads/mini/gold_entities.jsonl", "downloads/mini_text.txt"),
        *("data/mini/test/text", "data/mini/dev/utt2dur", "data/mini/train/sentences.jsonl"),
        *("data/mini/dev/entities.jsonl", "exp/tagger_mini/config.json"),
        *("dump/mini_e2e/token_list", "dump/mini_e2e/dev/text", "exp/mini_e2e/lm/lm.arpa"),
        *(exp.format("decode") + f"/test/{name}" for name in ("text", "entities.jsonl", "raw_confidences.jsonl")),
        *(
            exp.format("decode") + "/calibration.json",
            exp.format("score") + "/test_gold.json",
            "exp/mini_e2e/RESULTS.md",
        ),
    ]
    gone = [name for name in gone if (recipe / name).exists() or "lm.arpa" not in name]
    for name in gone:
        (recipe / name).unlink()
    done = run(recipe)
    assert done.returncode == 0, done.stderr
    assert "epoch 1 of 2" not in done.stderr, "nothing of the training was gone"
    after = read_tree(recipe, "downloads", "data", "dump", "exp")
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} == set()


def test_a_second_run_on_the_experiment_is_refused(finished: Path) -> None:
    first = start(finished, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert first.stdout.readline().startswith("stage 1")  # it has the lock
        second = run(finished, "--stage", "6")
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    assert second.returncode == 2
    assert "another run is at work on" in second.stderr.splitlines()[-1]


def test_stages_1_to_3_and_5_killed_anywhere_end_with_the_same_bytes(
    finished: Path, tmp_path: Path, repo_root: Path
) -> None:
    recipe = copy_checkout(repo_root, tmp_path / "pad met spaties é")
    kills = 0
    for delay_s in (1.5, 3, 4, 5, 6, 7, 9, 11, 13, 16):
        process = start(recipe, "--stop_stage", "3", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(delay_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
            time.sleep(0.5)  # workers of a killed process end by themselves
    assert kills >= 5
    done = run(recipe, "--stop_stage", "3")
    assert done.returncode == 0, done.stderr
    assert read_tree(recipe, "data", "dump") == read_tree(finished, "data", "dump")

    shutil.copytree(finished / "exp", recipe / "exp", dirs_exist_ok=True, symlinks=True)
    shutil.rmtree(recipe / "exp/mini_e2e/decode")
    decode = ("--stage", "5", "--stop_stage", "5")
    for delay_s in (8, 12):
        process = start(recipe, *decode, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay_s)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = run(recipe, *decode)
    assert done.returncode == 0, done.stderr
    assert read_tree(recipe, "exp/mini_e2e/decode") == read_tree(finished, "exp/mini_e2e/decode")


def test_stage_5_searches_with_a_language_model_where_a_decode_configuration_is_given(
    finished: Path, tmp_path: Path, repo_root: Path
) -> None:
    pytest.importorskip("flashlight.lib.text.decoder", reason="flashlight-text has no wheel for this Python")
    recipe = copy_checkout(repo_root, tmp_path / "pad met spaties é")
    for folder in ("data", "dump", "exp", "downloads"):
        shutil.copytree(finished / folder, recipe / folder, symlinks=True)
    (recipe / "conf").mkdir()
    (recipe / "conf" / "decode_lm.yaml").write_text("tune_lm_weight: [1.0, 2.0]\n")
    (recipe / "names.txt").write_text("Terneuzen\tLOC\n")
    options = ["--stage", "5", "--decode_config", "decode_lm.yaml", "--boost", "names.txt"]
    options += ["--lm_opts", "--unit token --order 6 --columns downloads/mini_text.txt"]
    done = run(recipe, *options)
    assert done.returncode == 0, done.stderr
    exp = recipe / "exp" / "mini_e2e"
    assert json.loads((exp / "lm" / "lm.json").read_text())["num_sentences"] > 300
    tuned = json.loads((exp / "tuned" / "lm.json").read_text())
    assert [row["lm_weight"] for row in tuned["grid"]] == [1.0, 2.0], "the recipe's own conf overrides single keys"
    searched = json.loads((exp / "decode" / "lm_boost_names" / "test" / "decode.json").read_text())["search"]
    assert searched["config"]["lm_weight"] == tuned["lm_weight"]
    scores = json.loads((exp / "score" / "lm_boost_names" / "test.json").read_text())
    assert scores["illegal_symbols"]["hyp"]["per_100_utts"] == 0
    before = read_tree(recipe, "exp/mini_e2e/decode")
    assert run(recipe, *options).returncode == 0
    assert read_tree(recipe, "exp/mini_e2e/decode") == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--no_such", "1"), "no option --no_such"),
        (("--model", "../cv_de/exp/x", "--init", "../cv_en/exp/x"), "--model: trains nothing"),
        (("--stage", "7"), "expected 1 to 6"),
        (("--corpus", "nowhere/nl"), "nowhere/nl: no such corpus"),
        (("--lang", "xx"), "xx"),
        (("--stage", "4", "--tag", "fresh"), "stage 3 makes them"),
        (("--stage", "5", "--tag", "fresh"), "stage 3 makes them"),
        (("--stage", "5", "--tag", "fresh", *GREEDY), "stage 4 makes it"),
        (("--stage", "2", "--stop_stage", "2", "--tagger", "nowhere"), "nowhere"),
    ],
)
def test_a_mistake_ends_in_one_line_and_exit_code_2(finished: Path, options: tuple[str, ...], message: str) -> None:
    before = read_tree(finished, "data", "dump", "exp", "downloads")
    done = run(finished, *options)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert read_tree(finished, "data", "dump", "exp", "downloads") == before


def test_a_file_of_the_papers_authors_runs_through_the_first_stages(finished: Path, tmp_path: Path) -> None:
    """The mini corpus in their format; its labels are taken as they are, and no tagger is loaded."""
    export = [sys.executable, "-m", "spner", "export", "--format", "paper_json", "--data", "data/mini"]
    subprocess.run([*export, "--out", tmp_path], check=True, cwd=finished)  # to which wav.scp is relative
    published = (tmp_path / "dataset.json").rename(tmp_path / "cv_nl_dataset.json")
    done = run(finished, "--corpus", str(published), "--clips", str(tmp_path / "clips"), "--stop_stage", "3")
    assert done.returncode == 0, done.stderr
    assert "stage 3: make tokens: exit code 0" in done.stdout
    for name in ("text", "entities.jsonl", "sentences.jsonl"):
        for set_name in ("train", "dev", "test"):
            ours = finished / "data" / "cv_nl_dataset" / set_name / name
            assert ours.read_bytes() == (finished / "data/mini" / set_name / name).read_bytes()
    assert (finished / "dump/cv_nl_dataset_e2e/token_list").read_bytes() == (
        finished / "dump/mini_e2e/token_list"
    ).read_bytes()


# What the documents show


def output_blocks(document: Path) -> list[list[str]]:
    """Return the lines of the document's code blocks that name no language: they show what was printed."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [[line for line in block.splitlines() if line != "…"] for language, block in blocks if not language]


def shape(line: str) -> str:
    """Return a printed line with # for its numbers and dashes, without data folders and names of entities."""
    line = re.sub(r"^(  \w+: ).*", r"\1", re.sub(r"(\.\./\w+/)?data/[\w/]+", "data", line))
    return " ".join(re.sub(r"\d[\d.-]*|(?<= )-(?= |$)", "#", line).split())


def test_the_readme_shows_what_stage_6_prints(finished: Path, repo_root: Path) -> None:
    (scores,) = (block for block in output_blocks(repo_root / "README.md") if block[0] == "test, gold entities")
    printed = (finished / "exp/mini_e2e/log/stage6.log").read_text(encoding="utf-8").splitlines()
    assert len(scores) >= 8
    assert set(map(shape, scores)) <= set(map(shape, printed))


def test_the_readme_shows_a_hypothesis_as_it_is_written(finished: Path, repo_root: Path) -> None:
    shown = next(block for block in output_blocks(repo_root / "README.md") if block[0].startswith("{"))
    written = (
        (finished / "exp/mini_e2e/decode" / SEARCH / "test/entities.jsonl").read_text(encoding="utf-8").splitlines()[0]
    )
    of_entities = {"label", "start", "end", "start_s", "end_s", "confidence"}
    assert set(re.findall(r'"(\w+)":', "".join(shown))) - of_entities == json.loads(written).keys()


@pytest.mark.parametrize(
    ("first_line", "arguments"),
    [
        ("data/mini, entities: gold_entities.jsonl", ["stats", "data/mini"]),
        (
            "       of the target, in the source            of the source, in the target",
            ["overlap", "--source", "data/mini/train", "--source", "data/mini/dev", "--target", "data/mini/test"],
        ),
    ],
)
def test_the_documents_show_what_a_corpus_holds(
    finished: Path, repo_root: Path, first_line: str, arguments: list[str]
) -> None:
    (shown,) = (block for block in output_blocks(repo_root / "docs/scoring.md") if block[0] == first_line)
    command = [sys.executable, "-m", "spner", *arguments, "--gold", "--top", "3"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=finished).stdout.splitlines()
    assert set(map(shape, shown)) <= set(map(shape, printed))
