"""The S3PRL tier: conf/train_xlsr.yaml with a tiny upstream, trained, killed, taken up again and decoded.

XLS-R differs from what is tested here by its weights: its checkpoint has S3PRL's converted format, and its Hugging
Face twin the other one.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from spner.core import paths
from spner.core.errors import SpnerError
from spner.data.datadir import read_table
from tests.asr.upstreams import make_hugging_face_upstream, make_s3prl_upstream
from tests.prepared import Prepared

pytestmark = pytest.mark.espnet

UPSTREAMS = {"hugging_face": make_hugging_face_upstream, "s3prl": make_s3prl_upstream}
EPOCHS = 3


@pytest.fixture(scope="module", params=UPSTREAMS)
def settings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What differs from conf/train_xlsr.yaml: the upstream, and sizes for a CPU."""
    upstream = UPSTREAMS[request.param](tmp_path_factory.mktemp("upstream") / "tiny")
    return [
        f"frontend_conf.upstream={upstream}",
        f"max_epoch={EPOCHS}",
        "batch_bins=160000",
        "num_workers=0",
        "optim_conf.lr=0.001",
    ]


def train_command(prepared: Prepared, exp: Path, repo_root: Path, settings: list[str]) -> list[str]:
    # A random network recognises nothing within three epochs, which is no success; it must count as one here.
    code = "import spner.asr.train as t, spner.cli; t.judge = lambda *_, **__: None; spner.cli.main()"
    command = [sys.executable, "-c", code, "train", "--data", prepared.data, "--dump", prepared.dump, "--exp", exp]
    command += ["--config", repo_root / "conf" / "train_xlsr.yaml", "--ngpu", "0"]
    return [*map(str, command), *(part for setting in settings for part in ("--set", setting))]


def model_state(exp: Path) -> dict:
    import torch

    return torch.load(exp / "valid.wer.ave.pth", weights_only=True)


@pytest.fixture(scope="module")
def trained(prepared: Prepared, settings: list[str], tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """An undisturbed training."""
    exp = tmp_path_factory.mktemp("exp") / "undisturbed"
    subprocess.run(train_command(prepared, exp, repo_root, settings), check=True)
    return exp


@pytest.mark.timeout(600)
def test_a_killed_training_goes_on_and_ends_with_the_same_weights(
    prepared: Prepared, settings: list[str], trained: Path, tmp_path: Path, repo_root: Path
) -> None:
    import torch

    command, exp = train_command(prepared, tmp_path / "exp", repo_root, settings), tmp_path / "exp"
    process = subprocess.Popen(command, start_new_session=True)
    while not (exp / "1epoch.pth").exists():
        assert process.poll() is None, "the training ended before it could be killed"
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (exp / paths.TRAINING).exists()

    again = subprocess.run(command, check=True, capture_output=True, text=True)

    assert "epoch 1 of" not in again.stderr
    assert f"epoch {EPOCHS} of {EPOCHS}" in again.stderr
    expected, found = model_state(trained), model_state(exp)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert (exp / paths.CURVES).read_bytes() == (trained / paths.CURVES).read_bytes()


def test_the_papers_training_keeps_its_best_epoch_by_tagged_wer(
    prepared: Prepared, tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spner.asr.train import train
    from spner.core.training import chosen_checkpoint
    from spner.report.experiment import chosen_epochs

    upstream = make_hugging_face_upstream(tmp_path / "tiny")
    settings = [f"frontend_conf.upstream={upstream}", "max_epoch=2", "batch_size=2", "num_workers=0"]
    exp = tmp_path / "exp"
    monkeypatch.setattr("spner.asr.train.judge", lambda *_arguments, **_options: None)  # nothing is learnt so soon
    train(prepared.data, prepared.dump, exp, configs=[repo_root / "conf/train_paper.yaml"], settings=settings, ngpu=0)
    history = json.loads((exp / paths.TRAINING).read_text())["history"]
    config = yaml.safe_load((exp / paths.CONFIG).read_text(encoding="utf-8"))
    (epoch,) = chosen_epochs(history, config)
    assert history[epoch - 1]["dev_wer_tagged"] == min(record["dev_wer_tagged"] for record in history)
    assert chosen_checkpoint(exp).name == "valid.wer_tagged.ave.pth"
    assert list(exp.glob("*.pth")) == [chosen_checkpoint(exp)]


def test_training_moves_the_transformer_and_leaves_the_feature_encoder(trained: Path) -> None:
    import torch

    from spner.asr.upstream import read_weights
    from spner.core.training import read_config
    from spner.decode.recogniser import load_recogniser

    conf = read_config(trained)["frontend_conf"]
    before = read_weights(Path(conf["upstream"]), conf["architecture"])
    after = load_recogniser(trained, device="cpu").model.frontend.model.state_dict()
    # The decoded checkpoint is a mean of equal numbers, which rounds.
    moved = {name for name in before if not torch.allclose(before[name], after[name], rtol=1e-5, atol=1e-6)}
    assert not [name for name in moved if "feature_extractor" in name]
    assert {"masked_spec_embed", "encoder.layer_norm.weight"} <= moved
    assert [name for name in moved if "encoder.layers" in name]


def test_an_utterance_is_encoded_alike_alone_and_in_a_batch(trained: Path) -> None:
    from spner.decode.recogniser import load_recogniser
    from tests.asr.test_padding import assert_isolated

    assert_isolated(load_recogniser(trained, device="cpu").model)


def test_hypotheses_are_the_same_for_batch_sizes_1_and_16(prepared: Prepared, trained: Path) -> None:
    from spner.decode.decode import decode_sets

    texts = []
    for batch_size in (1, 16):
        (paths.decode_dir(trained, "greedy", "test") / paths.DECODE_RECORD).unlink(missing_ok=True)
        decode_sets(prepared.data, trained, ["test"], device="cpu", batch_size=batch_size)
        texts.append((paths.decode_dir(trained, "greedy", "test") / paths.TEXT).read_bytes())
    assert texts[0] == texts[1]
    assert len(texts[0].splitlines()) == 20


def test_frames_lie_where_the_grid_says(trained: Path) -> None:
    from spner.decode.recogniser import load_recogniser
    from tests.asr.test_padding import assert_frames_are_on_the_grid

    assert_frames_are_on_the_grid(load_recogniser(trained, device="cpu").model)


def test_decoded_words_and_entities_have_times_and_calibrated_confidences(prepared: Prepared, trained: Path) -> None:
    from spner.decode.calibrate import calibrate_sets
    from spner.decode.decode import decode_sets

    decode_sets(prepared.data, trained, ["test", "dev"], device="cpu", batch_size=8)
    assert not paths.calibration_file(trained, "greedy").exists(), "decoding looks at no reference"
    fitted = calibrate_sets(prepared.data, trained, "greedy")
    assert fitted and fitted["num_utts"] == 8
    for set_name in ("dev", "test"):
        durations_s = read_table(prepared.data / set_name / paths.UTT2DUR)
        lines = (paths.decode_dir(trained, "greedy", set_name) / paths.ENTITIES).read_text().splitlines()
        for record in map(json.loads, lines):
            assert len(record["word_times"]) == len(record["words"]) == len(record["word_confidences"])
            marks_s = [mark_s for pair in record["word_times"] for mark_s in pair]
            assert marks_s == sorted(marks_s)
            assert all(0 <= mark_s <= float(durations_s[record["utt_id"]]) + 0.001 for mark_s in marks_s)
            for entity in record["entities"]:
                assert entity["start_s"] <= entity["end_s"] and 0 <= entity["confidence"] <= 1
        assert len(lines) == {"dev": 8, "test": 20}[set_name]


def test_a_checkpoint_that_does_not_fit_its_token_list_is_refused(trained: Path, tmp_path: Path) -> None:
    import shutil

    from spner.decode.recogniser import load_recogniser

    exp = shutil.copytree(trained, tmp_path / "exp", symlinks=True)
    config = yaml.safe_load((exp / paths.CONFIG).read_text(encoding="utf-8"))
    config["token_list"].append("extra")
    (exp / paths.CONFIG).write_text(yaml.safe_dump(config), encoding="utf-8")
    with pytest.raises(SpnerError, match=r"valid\.wer\.ave\.pth: writes \d+ tokens, but the token list"):
        load_recogniser(exp, device="cpu")
