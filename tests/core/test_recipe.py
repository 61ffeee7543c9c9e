"""What follows from a recipe's settings; tests/test_recipes.py runs the stages with it."""

import importlib.util
import os
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest

from spner.core import recipe
from spner.core.errors import SpnerError
from spner.core.recipe import Names, Settings, corpus_name, derive_names, read_settings

ROOT = Path(__file__).resolve().parents[2]
TAGGER, WORDS_TAGGER = "exp/tagger_mini", "exp/tagger_words_mini"
DEFAULTS = replace(
    Settings(*[""] * len(fields(Settings))), corpus="mini", system="e2e", fraction="100", train_config="train_mini.yaml"
)  # as settings.sh has them, but that no GPU is asked for


@pytest.fixture(autouse=True)
def in_a_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "egs" / "cv_nl")
    monkeypatch.setattr(recipe, "find_spec", lambda _: importlib.util.find_spec("spner"))


def derive(**settings: str) -> Names:
    return derive_names(replace(DEFAULTS, **settings))


def test_the_names_of_the_default_recipe() -> None:
    assert asdict(derive()) == {
        "mini": "yes",
        "corpus_path": "downloads/mini",
        "data": "data/mini",
        "gold_text": "downloads/mini_text.txt",
        "new_tagger": "exp/tagger_mini",
        "new_words_tagger": "",
        "text_tagger": "exp/tagger_mini",
        "words_tagger": "",
        "exp": "exp/mini_e2e",
        "model_exp": "exp/mini_e2e",
        "model_system": "e2e",
        "dump": "dump/mini_e2e",
        "lock": "exp/.mini_e2e.lock",
        "train_configs": "../../conf/train_mini.yaml",
        "search": "lm",
        "search_configs": "../../conf/decode_lm.yaml",
        "lm": "exp/mini_e2e/lm",
        "cluster_file": "",
        "other_system": "pipeline",
        "other_recipe": "cv_de",
    }


@pytest.mark.parametrize(
    ("corpus", "name"),
    [
        ("mini", "mini"),
        ("mini_quick_2", "mini_quick_2"),
        ("mini_a/b", "mini_a_b"),
        ("/data/cv-corpus-12.0/nl", "cv-corpus-12.0_nl"),
        ("/data/cv-corpus-12.0/nl/", "cv-corpus-12.0_nl"),
        ("../corpora/nl", "corpora_nl"),
        ("../mini", "egs_mini"),
        ("nl", "cv_nl_nl"),
        ("/data/cv_nl_dataset.json", "cv_nl_dataset"),
    ],
)
def test_a_corpus_has_one_name(corpus: str, name: str) -> None:
    assert corpus_name(corpus) == name
    assert derive(corpus=corpus).data == f"data/{name}"


@pytest.mark.parametrize(
    ("settings", "exp", "model_exp"),
    [
        ({"seed": "2"}, "mini_e2e_s2", "mini_e2e_s2"),
        ({"system": "pipeline"}, "mini_pipeline", "mini_asr"),
        ({"system": "pipeline", "seed": "2", "tag": "mine"}, "mine", "mini_asr_s2"),
        ({"tag": "mine", "seed": "2"}, "mine", "mine"),
        ({"join": "../cv_de ../cv_en/data/mini"}, "mini_e2e_and_cv_de_and_mini", "mini_e2e_and_cv_de_and_mini"),
        (
            {"fraction": "20", "seed": "2", "init": "../cv_de/exp/mini_e2e"},
            "mini_e2e_20_s2_from_cv_de_mini_e2e",
            "mini_e2e_20_s2_from_cv_de_mini_e2e",
        ),
        (
            {"fraction": "20", "seed": "2", "model": "exp/mine/"},
            "mini_e2e_by_cv_nl_mine",
            "mini_e2e_by_cv_nl_mine",
        ),
    ],
)
def test_experiments_that_differ_have_folders_of_their_own(settings: dict[str, str], exp: str, model_exp: str) -> None:
    names = derive(**settings)
    assert (names.exp, names.model_exp) == (f"exp/{exp}", f"exp/{model_exp}")
    assert (names.dump, names.lock) == (f"dump/{model_exp}", f"exp/.{model_exp}.lock")
    assert names.lm in (f"exp/{model_exp}/lm", "")


@pytest.mark.parametrize(
    ("settings", "new", "new_words", "text", "words"),
    [
        ({"system": "pipeline"}, TAGGER, WORDS_TAGGER, TAGGER, WORDS_TAGGER),
        ({"system": "pipeline", "speech_tagger": "s"}, TAGGER, "", TAGGER, "s"),
        ({"system": "pipeline", "tagger": "t"}, "", WORDS_TAGGER, "t", WORDS_TAGGER),
        ({"tagger": "t"}, "", "", "t", ""),
        ({"corpus": "/data/nl"}, "", "", "", ""),
        ({"corpus": "/data/nl", "system": "pipeline"}, "", "exp/tagger_words_data_nl", "", "exp/tagger_words_data_nl"),
        ({"corpus": "/data/nl", "system": "pipeline", "speech_tagger": "s"}, "", "", "", "s"),
    ],
)
def test_taggers(settings: dict[str, str], new: str, new_words: str, text: str, words: str) -> None:
    names = derive(**settings)
    found = (names.new_tagger, names.new_words_tagger, names.text_tagger, names.words_tagger)
    assert found == (new, new_words, text, words)


def test_a_tagger_of_other_utterances_or_another_seed_has_a_folder_of_its_own() -> None:
    settings = {"fraction": "20", "seed": "2", "join": "../cv_de", "init": "../cv_de/exp/mini_asr", "tag": "mine"}
    assert derive(system="pipeline", **settings).words_tagger == "exp/tagger_words_mini_20_s2_and_cv_de"
    assert derive(system="pipeline", model="exp/mini_asr").words_tagger == WORDS_TAGGER


@pytest.mark.parametrize(
    ("settings", "configs", "search", "lm"),
    [
        ({}, "../../conf/decode_lm.yaml", "lm", "exp/mini_e2e/lm"),
        ({"system": "pipeline"}, "../../conf/decode_lm.yaml", "lm", "exp/mini_asr/lm"),
        ({"boost": "a/my names.txt"}, "../../conf/decode_lm.yaml", "lm_boost_my_names", "exp/mini_e2e/lm"),
        ({"decode_config": "greedy"}, "", "greedy", ""),
        (
            {"decode_config": "decode_lexicon.yaml"},
            "../../conf/decode_lexicon.yaml",
            "lexicon",
            "exp/mini_e2e/lm_lexicon",
        ),
        ({"model": "../cv_de/exp/mini_e2e"}, "", "greedy", ""),
        ({"model": "../cv_de/exp/mini_e2e", "decode_config": "greedy"}, "", "greedy", ""),
    ],
)
def test_the_search_has_a_language_model_where_something_is_trained(
    settings: dict[str, str], configs: str, search: str, lm: str
) -> None:
    names = derive(**settings)
    assert (names.search_configs, names.search, names.lm) == (configs, search, lm)


def test_without_flashlight_text_the_search_is_greedy_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recipe, "find_spec", lambda _: None)
    caplog.set_level("INFO")
    assert derive().search_configs == derive().lm == ""
    assert "flashlight-text is not installed" in caplog.text and "greedily" in caplog.text
    assert derive(decode_config="decode_lm.yaml").search_configs, "spner decode says what is missing"


@pytest.mark.parametrize(
    ("corpus", "gpu", "config"),
    [
        ("mini", "exit 0", "train_mini.yaml"),
        ("/data/nl", "exit 0", "train_xlsr.yaml"),
        ("/data/nl", "exit 9", "train_mini.yaml"),
        ("/data/nl", None, "train_mini.yaml"),
    ],
)
def test_xlsr_is_not_for_cpus_nor_for_mini_corpora(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, corpus: str, gpu: str | None, config: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if gpu:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{gpu}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    assert derive(corpus=corpus, train_config="").train_configs == f"../../conf/{config}"


@pytest.mark.parametrize(
    ("upstream", "tag"),
    [
        ("xls_r_300m", "mini_e2e_xls_r_300m"),
        ("facebook/mms-300m", "mini_e2e_mms-300m"),
        ("/models/xlsr2_300m.pt", "mini_e2e_xlsr2_300m"),
    ],
)
def test_an_upstream_is_trained_as_xlsr_is_and_named_in_the_tag(upstream: str, tag: str) -> None:
    names = derive(upstream=upstream, train_config="")
    assert names.train_configs == "../../conf/train_xlsr.yaml"
    assert names.exp == f"exp/{tag}"
    assert derive(upstream=upstream).train_configs == "../../conf/train_mini.yaml", "a given configuration is taken"


def test_the_recipes_own_configuration_comes_after_the_checkouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("conf", "egs/cv_xx/conf"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "train_a.yaml").touch()
    (tmp_path / "conf" / "decode_lm.yaml").touch()
    (tmp_path / "egs/cv_xx/conf/train_b.yaml").touch()
    monkeypatch.chdir(tmp_path / "egs/cv_xx")
    assert derive(train_config="train_a.yaml").train_configs == "../../conf/train_a.yaml conf/train_a.yaml"
    assert derive(train_config="train_b.yaml").train_configs == "conf/train_b.yaml"
    assert derive(train_config="train_b.yaml").other_recipe == ""


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"system": "e2"}, "--system e2: expected e2e, asr, pipeline"),
        ({"train_config": "train_minni.yaml"}, 'minni.yaml: no such file in conf/; did you mean "train_mini.yaml"?'),
        ({"decode_config": "gredy"}, '--decode_config gredy: no such file in conf/; did you mean "greedy"?'),
        ({"model": "m", "init": "i"}, "--model: trains nothing"),
        ({"model": "m", "join": "../cv_en"}, "--model: trains nothing"),
        ({"model": "m", "decode_config": "decode_lm.yaml"}, "--model: trains nothing"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(SpnerError) as error:
        derive(**settings)
    assert message in str(error.value)


def test_settings_are_read_from_pairs() -> None:
    pairs = [f"{name}={value}" for name, value in asdict(DEFAULTS).items() if name != "init"]
    assert read_settings([*pairs, "init=a=b c", "nj=2"]) == replace(DEFAULTS, init="a=b c")
    with pytest.raises(SpnerError, match=r"^settings init: are missing; egs/TEMPLATE/settings.sh has them$"):
        read_settings(pairs)
    with pytest.raises(SpnerError, match=r"^--lm_opts: holds a line break \(expected one line\)$"):
        read_settings([*pairs, "init=", f"lm_opts=a{os.linesep}b"])


def test_a_cluster_is_a_file_of_the_recipe_or_the_checkout(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.touch()
    assert derive(cluster=str(own)).cluster_file == str(own)
    assert derive(cluster="conf/slurm.yaml").cluster_file == "../../conf/slurm.yaml"
    with pytest.raises(SpnerError, match="--cluster conf/slum.yaml: no such file; docs/cluster.md"):
        derive(cluster="conf/slum.yaml")
