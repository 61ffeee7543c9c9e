"""Keys of a training configuration: one sets the learning rate, and one that reaches nothing is refused by name."""

from pathlib import Path
from typing import Any

import pytest

from spner.asr.knobs import set_rate
from spner.core.errors import SpnerError
from tests.prepared import Prepared


def test_one_key_sets_the_rate_and_the_peak_follows() -> None:
    assert set_rate(
        {"optim_conf": {"lr": "1e-3"}, "scheduler": "OneCycleLR", "scheduler_conf": {"pct_start": 0.1}}
    ) == {
        "optim_conf": {"lr": 0.001},  # YAML takes 1e-3 for text
        "scheduler": "OneCycleLR",
        "scheduler_conf": {"pct_start": 0.1, "max_lr": 0.001},
    }
    assert set_rate({"optim_conf": {"lr": 0.5}, "scheduler": "warmuplr"})["optim_conf"] == {"lr": 0.5}
    same: dict[str, Any] = {"optim_conf": {"lr": 0.5}, "scheduler": "onecyclelr", "scheduler_conf": {"max_lr": 0.5}}
    assert set_rate(same) == same


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "optim_conf.lr: is not set; expected the learning rate, such as 0.0001"),
        ({"optim_conf": {"lr": "fast"}}, "optim_conf.lr: is fast; expected"),
        (
            {"optim_conf": {"lr": 0.001}, "scheduler": "onecyclelr", "scheduler_conf": {"max_lr": 0.002}},
            "scheduler_conf.max_lr: is 0.002, and optim_conf.lr is 0.001; optim_conf.lr alone sets the rate",
        ),
    ],
)
def test_no_rate_and_two_rates_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(SpnerError) as error:
        set_rate(config)
    assert str(error.value).startswith(message)


def make_args(prepared: Prepared, repo_root: Path, config: str, *settings: str) -> Any:
    from spner.asr.arguments import make_args
    from spner.core.configs import merge_configs

    merged = merge_configs([repo_root / "conf" / f"train_{config}.yaml"], settings)
    return make_args(merged, prepared.data, prepared.dump, Path("exp"), ngpu=0)


@pytest.mark.espnet
@pytest.mark.parametrize(
    ("config", "settings", "expected"),
    [
        ("mini", ["ngpu=2"], ["ngpu (the options --ngpu and --num_nodes decide it)"]),
        (
            "mini",
            ["resume=false", "token_list=x"],
            ["resume (spner train decides it)", "token_list (stage 3 decides it)"],
        ),
        ("mini", ["num_iters_per_epoch=100"], ["num_iters_per_epoch (parts_per_pass cuts a pass into epochs)"]),
        ("mini", ["batch_size=8"], ["batch_size (reaches nothing: batch_type is numel, not unsorted or"]),
        ("paper", ["batch_bins=8"], ["batch_bins (reaches nothing: batch_type is unsorted, not numel or length)"]),
        (
            "mini",
            ["early_stopping_criterion=[valid, wer, min]"],
            ["early_stopping_criterion (reaches nothing: patience"],
        ),
        ("mini", ["scheduler=null"], ["scheduler_conf (reaches nothing: scheduler is not set)"]),
        (
            "mini",
            ["encoder=null"],
            ["encoder_conf (reaches nothing", "specaug (without an encoder it masks the output"],
        ),
        (
            "mini",
            ["encoder_conf.num_block=3"],
            ['encoder_conf.num_block (ConformerEncoder has no such key; did you mean "nu'],
        ),
        ("mini", ["optim=sgd"], ["optim_conf.fused (SGD has no such key)"]),
        (
            "mini",
            ["ctc_conf.zero_infinity=false", "ctc_conf.ctc_type=builtin2"],
            ["ctc_conf.ctc_type (reaches nothing: see", "ctc_conf.zero_infinity (reaches nothing: see"],
        ),
        ("mini", ["ctc_conf.dropout=0.1"], ['ctc_conf.dropout (CTC has no such key; did you mean "dropout_rate"?)']),
        (
            "xlsr",
            ["frontend_conf.layer_drop=0.1"],
            ["frontend_conf.layer_drop (UpstreamFrontend has no such key; did you m"],
        ),
        (
            "mini",
            ["frontend_conf.frontend_conf.upstraem=x"],
            ["frontend_conf.frontend_conf.upstraem (ESPnet's S3PRL fr"],
        ),
        ("mini", ["scheduler_conf.total_steps=9"], ["scheduler_conf.total_steps (spner train counts the steps)"]),
        ("mini", ["model_conf.report_wer=true"], ["model_conf.report_wer (the dev pass counts errors itself)"]),
        ("mini", ["grad_clip=0"], ["grad_clip (is 0; expected more than 0, else nothing is learnt)"]),
        ("mini", ["best_model_criterion=[[valid, acc, max]]"], ["best_model_criterion (is valid, acc, max; expected"]),
        ("mini", ["keep_nbest_models=0"], ["keep_nbest_models (is 0; expected 1 or more)"]),
    ],
)
def test_a_key_that_reaches_nothing_is_named(
    prepared: Prepared, repo_root: Path, config: str, settings: list[str], expected: list[str]
) -> None:
    with pytest.raises(SpnerError) as error:
        make_args(prepared, repo_root, config, *settings)
    assert all(part in str(error.value) for part in expected), error.value
    assert str(error.value).count(" (") == len(expected) + 1, "nothing else is refused, and one line has all of them"


@pytest.mark.espnet
def test_what_a_file_sets_can_be_left_out(prepared: Prepared, repo_root: Path) -> None:
    args = make_args(prepared, repo_root, "mini", "scheduler=null", "scheduler_conf=null", "patience=2", "ngpu=null")
    assert args.scheduler is None and args.patience == 2
    assert make_args(prepared, repo_root, "mini", "optim_conf.lr=0.5").scheduler_conf["max_lr"] == 0.5
