"""The tier that trains: another token list's network carried over, frozen for a while, killed and taken up again."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from spner.asr.nodes import Node
from spner.core import paths
from spner.core.errors import SpnerError
from spner.data.tokens import read_token_list
from spner.report.experiment import score_experiment
from tests.prepared import Prepared

pytestmark = [pytest.mark.espnet, pytest.mark.timeout(600)]

SMALL = [
    "encoder_conf.num_blocks=2",
    "encoder_conf.output_size=32",
    "encoder_conf.linear_units=32",
    "keep_nbest_models=1",
    "use_amp=false",
    "batch_bins=400000",
]
STILL = ["optim_conf.lr=0.0"]
OUTPUT_LAYER = ("ctc.ctc_lo.weight", "ctc.ctc_lo.bias")


def train(
    prepared: Prepared,
    dump: Path,
    exp: Path,
    repo_root: Path,
    *settings: str,
    node: Node | None = None,
    **transfer: Any,
) -> Path:
    from spner.asr.train import train
    from spner.asr.transfer import Transfer

    config = repo_root / "conf" / "train_mini.yaml"
    begin_with = Transfer(**transfer) if transfer else None
    given = [*SMALL, *settings]
    train(prepared.data, dump, exp, configs=[config], settings=given, ngpu=0, node=node or Node(), transfer=begin_with)
    return exp


def state_of(exp: Path) -> dict[str, Any]:
    import torch

    return torch.load(next(exp.glob("valid.wer.ave.pth")), weights_only=True)


@pytest.fixture(scope="module")
def source(prepared: Prepared, repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of one epoch."""
    return train(prepared, prepared.dump, tmp_path_factory.mktemp("source") / "exp", repo_root, "max_epoch=1")


@pytest.fixture(scope="module")
def dump(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same texts with another token list: other places, one character gone, two new ones."""
    folder = shutil.copytree(prepared.dump, tmp_path_factory.mktemp("dump") / "dump")
    tokens = read_token_list(folder / paths.TOKEN_LIST)
    characters = [token for token in tokens if len(token) == 1]
    others = ["<blank>", "<unk>", "<LOC>", "<ORG>", "<PER>", "</NE>", *reversed(characters[:-1]), "<space>", "ǒ", "'"]
    (folder / paths.TOKEN_LIST).write_text("".join(f"{token}\n" for token in [*others, "<sos/eos>"]))
    record = json.loads((folder / paths.TOKENS_CONFIG).read_text())
    (folder / paths.TOKENS_CONFIG).write_text(json.dumps(record | {"labels": ["LOC", "ORG", "PER"]}))
    return folder


def test_weights_are_as_mapped(prepared: Prepared, source: Path, dump: Path, tmp_path: Path, repo_root: Path) -> None:
    import torch

    exp = train(prepared, dump, tmp_path / "exp", repo_root, "max_epoch=1", *STILL, init=source)
    before, after = state_of(source), state_of(exp)
    old, new = (read_token_list(d / paths.TOKEN_LIST) for d in (prepared.dump, dump))
    origin = {token: [token] for token in old} | {"ǒ": ["o"], "'": [token for token in old if len(token) == 1]}
    for name in OUTPUT_LAYER:
        for row, token in zip(after[name], new, strict=True):
            expected = torch.stack([before[name][old.index(t)] for t in origin[token]]).mean(0)
            assert torch.allclose(row, expected, atol=1e-6), token
    statistics = ("running_mean", "running_var", "num_batches_tracked")  # of batches, which are seen all the same
    others = [n for n in before if n not in OUTPUT_LAYER and not n.endswith(statistics)]
    assert others and all(torch.allclose(before[n], after[n], atol=1e-6) for n in others)

    report = json.loads((exp / paths.TRANSFER).read_text())
    assert report["parameters"].keys() == after.keys()
    assert {name for name, state in report["parameters"].items() if state != "loaded"} == set(OUTPUT_LAYER)
    assert {row["token"]: row["of"] for row in report["tokens"]} == {token: origin[token] for token in new}
    assert report["left_out"] == [token for token in old if token not in new]
    assert not (exp / paths.FIRST_WEIGHTS).exists()


def test_the_top_layer_begins_as_a_new_one(
    prepared: Prepared, source: Path, dump: Path, tmp_path: Path, repo_root: Path
) -> None:
    import torch

    new = train(prepared, dump, tmp_path / "new", repo_root, "max_epoch=1", *STILL)
    exp = train(prepared, dump, tmp_path / "exp", repo_root, "max_epoch=1", *STILL, init=source, reinit_layers=1)
    before, fresh, after = state_of(source), state_of(new), state_of(exp)
    top = [name for name in before if name.startswith("encoder.encoders.1.") and name.endswith("weight")]
    below = [name for name in before if name.startswith("encoder.encoders.0.") and name.endswith("w_1.weight")]
    assert top and all(torch.allclose(after[name], fresh[name], atol=1e-6) for name in top)
    assert below and all(torch.allclose(after[name], before[name], atol=1e-6) for name in below)
    assert any(not torch.allclose(after[name], before[name], atol=1e-3) for name in top)
    states = json.loads((exp / paths.TRANSFER).read_text())["parameters"]
    assert {states[name] for name in top} == {"re-initialised"}


def test_the_output_layer_begins_as_a_new_one_where_asked(
    prepared: Prepared, source: Path, dump: Path, tmp_path: Path, repo_root: Path
) -> None:
    import torch

    new = train(prepared, dump, tmp_path / "new", repo_root, "max_epoch=1", *STILL)
    exp = train(prepared, dump, tmp_path / "exp", repo_root, "max_epoch=1", *STILL, init=source, reinit_output=True)
    before, fresh, after = state_of(source), state_of(new), state_of(exp)
    assert all(torch.allclose(after[name], fresh[name], atol=1e-6) for name in OUTPUT_LAYER)
    layers = [name for name in before if name.startswith("encoder.encoders.") and name.endswith("w_1.weight")]
    assert layers and all(torch.allclose(after[name], before[name], atol=1e-6) for name in layers)
    report = json.loads((exp / paths.TRANSFER).read_text())
    assert {name for name, state in report["parameters"].items() if state == "re-initialised"} == set(OUTPUT_LAYER)
    assert report["tokens"] == [] and report["left_out"] == read_token_list(prepared.dump / paths.TOKEN_LIST)


def moved(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Return the first parts of the names of the weights that differ."""
    import torch

    return {
        name.split(".")[0]
        for name in before
        if before[name].shape == after[name].shape
        and "running" not in name
        and "num_batches" not in name
        and not torch.allclose(before[name], after[name], atol=1e-6)
    }


def test_frozen_steps_freeze_all_but_the_output_layer(
    prepared: Prepared, source: Path, tmp_path: Path, repo_root: Path
) -> None:
    """With the source's own list, so that the output layer has its shape."""
    settings = ["max_epoch=1", "scheduler_conf.pct_start=0.01"]
    frozen = train(prepared, prepared.dump, tmp_path / "a", repo_root, *settings, init=source, freeze_steps=1000)
    assert moved(state_of(source), state_of(frozen)) == {"ctc"}
    thawed = train(prepared, prepared.dump, tmp_path / "b", repo_root, *settings, init=source, freeze_steps=1)
    assert moved(state_of(source), state_of(thawed)) == {"ctc", "encoder", "preencoder"}


def test_a_killed_transfer_goes_on_without_its_source(
    prepared: Prepared, source: Path, dump: Path, tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from spner.asr.trainer import SpnerTrainer

    settings = ["max_epoch=3", "batch_bins=160000"]
    monkeypatch.setattr("spner.asr.train.judge", lambda *_arguments, **_options: None)  # nothing is learnt so soon
    own = shutil.copytree(source, tmp_path / "source", symlinks=True)
    undisturbed = train(prepared, dump, tmp_path / "undisturbed", repo_root, *settings, init=source, freeze_steps=7)

    plain = SpnerTrainer.train_one_epoch.__func__
    epochs: list[int] = []

    def killed(cls: type, **options: Any) -> bool:
        epochs.append(len(epochs) + 1)
        if epochs[-1] == 2:
            raise KeyboardInterrupt
        return plain(cls, **options)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(SpnerTrainer, "train_one_epoch", classmethod(killed))
        train(prepared, dump, tmp_path / "exp", repo_root, *settings, init=own, freeze_steps=7)
    report = (tmp_path / "exp" / paths.TRANSFER).read_bytes()
    shutil.rmtree(own)  # what is not there cannot be loaded again
    exp = train(prepared, dump, tmp_path / "exp", repo_root, *settings, init=own, freeze_steps=7)
    assert (exp / paths.TRANSFER).read_bytes() == report
    expected, found = state_of(undisturbed), state_of(exp)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def refusal(*arguments: Any, **options: Any) -> str:
    with pytest.raises(SpnerError) as error:
        train(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_does_not_fit_is_refused_and_nothing_is_trained(
    prepared: Prepared, source: Path, dump: Path, tmp_path: Path, repo_root: Path
) -> None:
    exp = tmp_path / "exp"
    message = refusal(prepared, dump, exp, repo_root, "encoder_conf.num_blocks=1", init=source)
    assert message.startswith(f"--init {source}: its network is another one: encoder.encoders.1.") and "more" in message
    assert "the encoder has 2 layers" in refusal(prepared, dump, exp, repo_root, init=source, reinit_layers=3)
    assert "holds no finished training; stage 4 makes it" in refusal(prepared, dump, exp, repo_root, init=tmp_path)
    pieces = shutil.copytree(dump, tmp_path / "pieces")
    record = json.loads((pieces / paths.TOKENS_CONFIG).read_text())
    (pieces / paths.TOKENS_CONFIG).write_text(json.dumps(record | {"token_type": "bpe"}))
    assert "its tokens are char and those of this training are bpe" in refusal(
        prepared, pieces, exp, repo_root, init=source
    )
    two = Node(rank=0, count=2, port=29471)
    assert "--freeze_steps" in refusal(prepared, dump, exp, repo_root, node=two, init=source, freeze_steps=1)
    assert not (exp / paths.CONFIG).exists()


def test_another_transfer_in_the_folder_is_refused(
    prepared: Prepared, source: Path, dump: Path, tmp_path: Path, repo_root: Path
) -> None:
    own = shutil.copytree(source, tmp_path / "source", symlinks=True)
    exp = train(prepared, dump, tmp_path / "exp", repo_root, "max_epoch=1", init=own)
    assert "a training with other settings is here" in refusal(prepared, dump, exp, repo_root, "max_epoch=1")
    others: dict[str, dict[str, Any]] = {
        f"(transfer.init: {own}, now {source})": {"init": source},
        "(transfer.reinit_layers: 0, now 1)": {"init": own, "reinit_layers": 1},
        "(transfer.freeze_steps: 0, now 1)": {"init": own, "freeze_steps": 1},
    }
    for change, other in others.items():
        line = refusal(prepared, dump, exp, repo_root, "max_epoch=1", **other)
        assert f"a training with other settings is here {change}" in line
    train(prepared, dump, exp, repo_root, "max_epoch=1", init=own)
    shutil.copy(exp / "valid.wer.ave.pth", own)
    assert f"began with other weights than {own} holds now" in refusal(
        prepared, dump, exp, repo_root, "max_epoch=1", init=own
    )


# Zero-shot


def test_another_experiments_model_decodes(prepared: Prepared, source: Path, tmp_path: Path) -> None:
    from spner.decode.decode import decode_sets

    options: dict[str, Any] = {"device": "cpu", "batch_size": 8}
    exp = tmp_path / "exp"
    decode_sets(prepared.data, exp, ["dev", "test"], model=source, **options)
    decode_sets(prepared.data, source, ["dev", "test"], **options)
    for name in ("text", "entities.jsonl"):
        for set_name in ("dev", "test"):
            own, others = (paths.decode_dir(folder, "greedy", set_name) / name for folder in (source, exp))
            assert own.read_bytes() == others.read_bytes()
    score_experiment(prepared.data, exp, ["test"])
    assert f"| model | {source} |" in (exp / paths.RESULTS).read_text()


def test_hypotheses_of_two_models_do_not_mix(
    prepared: Prepared, source: Path, dump: Path, tmp_path: Path, repo_root: Path
) -> None:
    from spner.decode.decode import decode_sets

    def decode(exp: Path, **options: Any) -> str:
        with pytest.raises(SpnerError) as error:
            decode_sets(prepared.data, exp, ["dev"], device="cpu", batch_size=8, **options)
        return str(error.value)

    other = shutil.copytree(source, tmp_path / "other", symlinks=True)
    assert "holds a training of its own" in decode(source, model=other)
    exp = tmp_path / "exp"
    decode_sets(prepared.data, exp, ["dev"], device="cpu", batch_size=8, model=source)
    advice = f"{exp}: holds hypotheses of --model {source}; give that, or another --tag"
    assert decode(exp, model=other) == decode(exp) == advice
    assert "holds hypotheses of a model that was trained elsewhere" in refusal(prepared, dump, exp, repo_root)
    assert "stage 4 makes it" in decode(tmp_path / "new", model=tmp_path)
    assert not (tmp_path / "new" / paths.SYSTEM).exists()
