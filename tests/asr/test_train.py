"""What stage 4 refuses, and how configurations are put together; test_train_runs.py and test_upstreams.py train."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from spner.core import paths
from spner.core.errors import SpnerError
from tests.prepared import Prepared

pytestmark = pytest.mark.espnet


@pytest.fixture
def dump(prepared: Prepared, tmp_path: Path) -> Path:
    """A dump folder of one's own, to spoil."""
    return shutil.copytree(prepared.dump, tmp_path / "dump")


def train(prepared: Prepared, dump: Path, exp: Path, repo_root: Path, *settings: str) -> None:
    from spner.asr.train import train

    train(prepared.data, dump, exp, configs=[repo_root / "conf" / "train_mini.yaml"], settings=settings, ngpu=0)


def test_a_later_file_and_a_setting_override_single_keys(tmp_path: Path) -> None:
    from spner.asr.train import merge_configs

    (tmp_path / "shared.yaml").write_text("optim: adamw\noptim_conf: {lr: 0.1, weight_decay: 0.2}\nmax_epoch: 3\n")
    (tmp_path / "own.yaml").write_text("optim_conf: {lr: 0.5}\n")
    merged = merge_configs([tmp_path / "shared.yaml", tmp_path / "own.yaml"], ["max_epoch=7", "optim_conf.fused=true"])
    assert merged == {"optim": "adamw", "optim_conf": {"lr": 0.5, "weight_decay": 0.2, "fused": True}, "max_epoch": 7}


def test_every_configuration_resolves(prepared: Prepared, repo_root: Path) -> None:
    from spner.asr.train import make_args, merge_configs

    configs = sorted(repo_root.glob("conf/train_*.yaml"))
    assert [path.name for path in configs] == ["train_mini.yaml", "train_paper.yaml", "train_xlsr.yaml"]
    for config in [*configs, *repo_root.glob("egs/*/conf/train_*.yaml")]:
        args = make_args(merge_configs([config], []), prepared.data, prepared.dump, Path("exp"), ngpu=0)
        ((phase, key, mode),) = args.best_model_criterion
        assert args.resume and (phase, mode) == ("valid", "min") and key in ("wer", "wer_tagged")


def test_the_papers_training_is_what_its_code_has(prepared: Prepared, repo_root: Path) -> None:
    from spner.asr.arguments import count_batches
    from spner.asr.train import make_args, merge_configs

    def read(name: str) -> dict[str, object]:
        return merge_configs([repo_root / "conf" / name], [])

    paper, ours = read("train_paper.yaml"), read("train_xlsr.yaml")
    assert (paper["optim"], paper["optim_conf"]["lr"]) == ("adamw", 1e-4)
    assert (paper["scheduler_conf"]["pct_start"], paper["scheduler_conf"]["anneal_strategy"]) == (0.333, "linear")
    assert paper["batch_size"] * paper["accum_grad"] == 48 and paper["batch_type"] == "unsorted"
    assert (paper["max_epoch"], paper["seed"], paper["use_amp"]) == (10, 77773, True)
    assert (paper["keep_nbest_models"], paper["best_model_criterion"]) == (1, [["valid", "wer_tagged", "min"]])
    same = ("frontend", "freeze_param", "normalize", "encoder", "decoder", "model_conf", "optim_conf")
    assert {key: paper[key] for key in same} == {key: ours[key] for key in same}
    args = make_args({**paper, "batch_size": 3}, prepared.data, prepared.dump, Path("exp"), ngpu=0)
    num_utts = len((prepared.dump / "train" / paths.TEXT).read_text().splitlines())
    assert count_batches(args) == num_utts // 3


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("max_epochs=3", 'unknown keys "max_epochs"; did you mean "max_epoch"?'),
        ("max_epoch", "expected key=value"),
    ],
)
def test_a_bad_setting_is_named(
    prepared: Prepared, tmp_path: Path, repo_root: Path, setting: str, message: str
) -> None:
    with pytest.raises(SpnerError) as raised:
        train(prepared, prepared.dump, tmp_path / "exp", repo_root, setting)
    assert message in str(raised.value)
    assert not (tmp_path / "exp" / paths.CONFIG).exists()


def test_a_set_too_small_for_a_step_is_refused(prepared: Prepared, tmp_path: Path, repo_root: Path) -> None:
    with pytest.raises(SpnerError, match="accum_grad 99: the training set makes fewer batches than that"):
        train(prepared, prepared.dump, tmp_path / "exp", repo_root, "accum_grad=99")


def test_stage_4_before_stage_3_names_stage_3(prepared: Prepared, tmp_path: Path, repo_root: Path) -> None:
    with pytest.raises(SpnerError, match="holds no finished token list and texts; stage 3 makes them"):
        train(prepared, tmp_path / "nothing", tmp_path / "exp", repo_root)


def test_a_token_list_that_lacks_an_entity_symbol_is_refused(
    prepared: Prepared, dump: Path, tmp_path: Path, repo_root: Path
) -> None:
    tokens = [token for token in (dump / paths.TOKEN_LIST).read_text().splitlines() if token != "<ORG>"]
    (dump / paths.TOKEN_LIST).write_text("\n".join(tokens) + "\n")
    with pytest.raises(
        SpnerError, match="its entity symbols are <PER> <LOC> </NE> .expected <PER> <ORG> <LOC> </NE>, behind <unk>"
    ):
        train(prepared, dump, tmp_path / "exp", repo_root)


def test_a_corpus_without_dev_is_refused(prepared: Prepared, dump: Path, tmp_path: Path, repo_root: Path) -> None:
    settings = json.loads((dump / paths.TOKENS_CONFIG).read_text())
    (dump / paths.TOKENS_CONFIG).write_text(json.dumps({**settings, "sets": ["train", "test"]}))
    with pytest.raises(SpnerError, match="has no dev set"):
        train(prepared, dump, tmp_path / "exp", repo_root)


def test_another_training_in_the_folder_is_not_overwritten(prepared: Prepared, tmp_path: Path, repo_root: Path) -> None:
    exp = tmp_path / "exp"
    exp.mkdir()
    (exp / paths.ASKED).write_text("max_epoch: 1\n")
    (exp / paths.CHECKPOINT).touch()
    (exp / paths.CONFIG).write_text("{}")
    with pytest.raises(
        SpnerError, match="a training with other settings is here .*max_epoch: 1, now 6; .*another --tag"
    ):
        train(prepared, prepared.dump, exp, repo_root)


def test_a_training_with_another_token_list_is_not_continued(
    prepared: Prepared, tmp_path: Path, repo_root: Path
) -> None:
    from spner.asr.train import merge_configs

    exp = tmp_path / "exp"
    exp.mkdir()
    (exp / paths.CHECKPOINT).touch()
    (exp / paths.ASKED).write_text(yaml.safe_dump(merge_configs([repo_root / "conf" / "train_mini.yaml"], [])))
    (exp / paths.CONFIG).write_text(yaml.safe_dump({"token_list": ["<blank>", "x"]}))
    with pytest.raises(SpnerError, match="its token list is not that of"):
        train(prepared, prepared.dump, exp, repo_root)
