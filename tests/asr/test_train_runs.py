"""Trainings of seconds: what fails, what is taken up again and how, and what stays on the disk."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from spner.core import paths
from spner.core.errors import SpnerError
from spner.core.training import read_training
from tests.prepared import Prepared

pytestmark = [pytest.mark.espnet, pytest.mark.timeout(600)]

SMALL = (
    "encoder_conf.num_blocks=1",
    "encoder_conf.output_size=16",
    "encoder_conf.linear_units=16",
    "keep_nbest_models=1",
    "use_amp=false",
    "batch_bins=320000",
    "max_epoch=1",
)
Train = Callable[..., Path]


@pytest.fixture
def train(prepared: Prepared, tmp_path: Path, repo_root: Path) -> Train:
    """Train a network of a few thousand weights in the folder of that name, and return the folder."""
    from spner.asr.train import train

    def run(*settings: str, name: str = "exp", dump: Path = prepared.dump) -> Path:
        config = repo_root / "conf" / "train_mini.yaml"
        train(prepared.data, dump, tmp_path / name, configs=[config], settings=[*SMALL, *settings], ngpu=0)
        return tmp_path / name

    return run


@pytest.fixture
def unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take trainings that are too short to recognise anything for finished."""
    monkeypatch.setattr("spner.asr.train.judge", lambda *_arguments, **_options: None)


def refusal(train: Train, *settings: str, **options: Any) -> str:
    with pytest.raises(SpnerError) as error:
        train(*settings, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def load(path: Path) -> dict[str, Any]:
    import torch

    return torch.load(path, weights_only=True)


def assert_same_weights(one: Path, other: Path) -> None:
    import torch

    expected, found = (load(exp / "valid.wer.ave.pth") for exp in (one, other))
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def read_history(exp: Path) -> list[dict[str, Any]]:
    return json.loads((exp / paths.TRAINING).read_text())["history"]


def change_model(patch: pytest.MonkeyPatch, change: Callable[[Any], object]) -> None:
    """Let every network that is built from now on be changed first."""
    from spner.asr.task import SpnerTask

    build = SpnerTask.build_model

    def build_changed(args: Any) -> Any:
        model = build(args)
        change(model)
        return model

    patch.setattr(SpnerTask, "build_model", build_changed)


def raise_in_epoch(patch: pytest.MonkeyPatch, epoch: int, error: BaseException) -> None:
    """Let a training end in the middle of this epoch."""
    from espnet2.train.trainer import Trainer

    plain = Trainer.train_one_epoch.__func__

    def stopped(cls: type, *, iterator: Any, reporter: Any, **options: Any) -> bool:
        def some() -> Iterator[Any]:
            yield next(iter(iterator))
            raise error

        batches = some() if reporter.get_epoch() == epoch else iterator
        return plain(cls, iterator=batches, reporter=reporter, **options)

    patch.setattr(Trainer, "train_one_epoch", classmethod(stopped))


# What fails


def test_gradients_that_are_not_finite_fail_and_the_next_command_starts_anew(
    train: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        change_model(patch, lambda model: model.ctc.ctc_lo.weight.register_hook(lambda grad: grad * math.nan))
        line = refusal(train)
    exp = tmp_path / "exp"
    assert line.startswith("training failed: the gradients are not finite in the batch of ")
    assert "(step 1, loss" in line and "gradient norm not finite, learning rate" in line
    assert "try a lower rate (optim_conf.lr=0.0002, it was 0.002)" in line
    assert json.loads((exp / paths.FAILED).read_text())["message"] == line
    assert not (exp / paths.TRAINING).exists()
    with pytest.raises(SpnerError, match="training failed: the gradients are not finite"):
        read_training(exp)
    train("optim_conf.lr=0.0002")
    assert (exp / paths.TRAINING).exists() and not (exp / paths.FAILED).exists()


def test_a_loss_that_is_not_finite_fails_before_it_moves_a_weight(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_model(monkeypatch, lambda model: model.ctc.ctc_lo.bias.data.fill_(math.nan))
    assert "training failed: the loss is nan in the batch of" in refusal(train)


def test_weights_that_are_not_finite_fail(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that no loss shows, as those of batch normalisation for evaluation."""
    import torch

    change_model(monkeypatch, lambda model: model.ctc.register_buffer("idle", torch.tensor(math.inf)))
    assert "training failed: ctc.idle is not finite (step" in refusal(train)


def test_a_dev_loss_that_is_not_finite_fails(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(model: Any) -> None:
        def spoil_in_dev(module: Any, _inputs: Any, output: Any) -> Any:
            return output if module.training else output * math.nan

        model.ctc.ctc_lo.register_forward_hook(spoil_in_dev)

    change_model(monkeypatch, spoil)
    assert "training failed: the loss on dev is not finite (step" in refusal(train)


def test_a_learning_rate_of_10_fails(train: Train, tmp_path: Path) -> None:
    line = refusal(train, "optim_conf.lr=10", "max_epoch=2")
    assert line.startswith("training failed: ") and "try a lower rate (optim_conf.lr=1, it was 10)" in line
    assert not (tmp_path / "exp" / paths.TRAINING).exists()


def test_too_little_memory_is_one_line_and_refuses_nothing_afterwards(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    errors = {
        "CUDA out of memory": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        "DefaultCPUAllocator": RuntimeError(
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        ),
    }
    for name, error in errors.items():
        with monkeypatch.context() as patch:
            raise_in_epoch(patch, 1, error)
            line = refusal(train)
        assert f"memory does not hold a batch ({name}" in line and "halve batch_bins" in line
    train("encoder_conf.num_blocks=2")


def test_another_error_of_torch_is_not_taken_for_a_lack_of_memory(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_in_epoch(monkeypatch, 1, RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        train()


# What is taken up again


def stop_in_epoch(train: Train, epoch: int, *settings: str, **options: Any) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        raise_in_epoch(patch, epoch, KeyboardInterrupt())
        train(*settings, **options)


def test_other_batches_of_the_same_step_are_taken_up_and_the_rate_ends_where_it_should(
    train: Train, unjudged: None
) -> None:
    stop_in_epoch(train, 2, "max_epoch=3")
    exp = train("max_epoch=3", "batch_bins=160000", "accum_grad=2", "num_workers=1", "log_interval=7")
    rates = [record["lr"] for record in read_history(exp)]
    assert len(rates) == 3 and rates[2] < rates[1]
    asked = yaml.safe_load((exp / paths.ASKED).read_text())
    assert (asked["batch_bins"], asked["accum_grad"]) == (160000, 2)


def test_more_steps_than_were_planned_are_no_error(train: Train, unjudged: None) -> None:
    """Batches of less speech: accum_grad stays, so a pass has more steps, which a finished schedule would refuse."""
    from spner.asr import train as module

    with pytest.MonkeyPatch.context() as patch:
        stop_in_epoch(train, 2, "max_epoch=2")
        patch.setattr(module, "list_changes", lambda *_: [])
        exp = train("max_epoch=2", "batch_bins=80000")
    assert len(read_history(exp)) == 2


@pytest.mark.parametrize("finished", [False, True])
def test_another_training_is_refused_with_what_differs(train: Train, unjudged: None, finished: bool) -> None:
    if finished:
        train("max_epoch=2")
    else:
        stop_in_epoch(train, 2, "max_epoch=2")
    line = refusal(train, "max_epoch=2", "optim_conf.lr=0.001", "seed=2")
    assert "a training with other settings is here (optim_conf.lr: 0.002, now 0.001; seed: 1, now 2); give" in line


def test_a_stopped_training_is_not_continued_on_other_texts(
    train: Train, unjudged: None, prepared: Prepared, tmp_path: Path
) -> None:
    import shutil

    dump = shutil.copytree(prepared.dump, tmp_path / "dump")
    stop_in_epoch(train, 2, "max_epoch=2", dump=dump)
    text = dump / paths.TRAIN / paths.TEXT
    text.write_text(text.read_text().replace("e", "a"))
    assert "was trained on other texts than" in refusal(train, "max_epoch=2", dump=dump)


def test_a_training_state_that_cannot_be_read_is_one_line(train: Train, unjudged: None, tmp_path: Path) -> None:
    stop_in_epoch(train, 2, "max_epoch=2")
    state = tmp_path / "exp" / paths.CHECKPOINT
    state.write_bytes(state.read_bytes()[:5000])
    line = refusal(train, "max_epoch=2")
    assert line.startswith(f"{state}: is no readable checkpoint (") and line.endswith("remove it to train anew")
    state.unlink()
    train("max_epoch=2")


# Passes that are cut


def test_a_training_killed_in_a_part_of_a_pass_ends_with_the_same_weights(train: Train, unjudged: None) -> None:
    settings = ("max_epoch=2", "parts_per_pass=3", "batch_bins=80000")
    undisturbed = train(*settings, name="undisturbed")
    history = read_history(undisturbed)
    assert [record["passes"] for record in history] == pytest.approx([1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2])
    config = yaml.safe_load((undisturbed / paths.CONFIG).read_text())
    steps = config["num_iters_per_epoch"]
    assert (config["max_epoch"], config["scheduler_conf"]["total_steps"]) == (6, 6 * steps)
    stop_in_epoch(train, 2, *settings)
    stop_in_epoch(train, 5, *settings)
    assert_same_weights(undisturbed, train(*settings))
    assert read_history(train(*settings)) == history


def test_a_slow_pass_is_cut_and_stays_cut_when_it_is_taken_up_again(
    train: Train, unjudged: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spner.asr import parts

    settings = ("max_epoch=2", "batch_bins=80000", "patience=9", "parts_per_pass=null")
    with monkeypatch.context() as patch:
        patch.setattr(parts, "choose_parts", lambda *_: 1000)
        stop_in_epoch(train, 2, *settings)
    exp = train(*settings)
    config = yaml.safe_load((exp / paths.CONFIG).read_text())
    assert config["parts_per_pass"] == len(read_history(exp)) / 2 > 1, "a step a part at most"
    assert config["max_epoch"] == 2 * config["parts_per_pass"] == len(read_history(exp))
    assert config["patience"] == 9 * config["parts_per_pass"]
    assert f"(parts_per_pass: {config['parts_per_pass']}, now 2)" in refusal(train, *settings, "parts_per_pass=2")


def test_to_measure_the_speed_changes_no_result(train: Train) -> None:
    measured = train("encoder_conf.dropout_rate=0.1", "parts_per_pass=null", name="measured")
    told = train("encoder_conf.dropout_rate=0.1", name="told")
    assert_same_weights(measured, told)


# What stays


def test_a_finished_training_keeps_one_model_and_its_history(train: Train, unjudged: None) -> None:
    exp = train("max_epoch=2", "keep_nbest_models=2")
    kept = {paths.CONFIG, paths.ASKED, paths.TRAINING, "valid.wer.ave.pth", ".lock"}
    assert {path.name for path in exp.iterdir()} == kept
    for record in read_history(exp):
        assert record["grad_norm"] > 0 and 0 < record["lr"] < 0.002
    before = (exp / "valid.wer.ave.pth").stat()
    train("max_epoch=2", "keep_nbest_models=2")
    assert (exp / "valid.wer.ave.pth").stat() == before


def test_a_finished_training_without_its_model_is_trained_again(train: Train, caplog: pytest.LogCaptureFixture) -> None:
    exp = train()
    weights = load(exp / "valid.wer.ave.pth")
    (exp / "valid.wer.ave.pth").unlink()
    with caplog.at_level("INFO"):
        train()
    assert "valid.wer.ave.pth is gone: trains again" in caplog.text
    assert all((load(exp / "valid.wer.ave.pth")[name] == value).all() for name, value in weights.items())
