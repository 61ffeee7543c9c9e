from pathlib import Path

import pytest

from spner.benchmark.preset import read_preset
from spner.core.errors import SpnerError

ROOT = Path(__file__).resolve().parents[2]
PRESETS = sorted((ROOT / "conf").glob("benchmark_*.yaml"))
QUICK = ROOT / "conf" / "benchmark_quick.yaml"


def test_the_presets_are_found() -> None:
    assert {path.stem for path in PRESETS} >= {"benchmark_quick", "benchmark_full"}


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_every_preset_is_read(path: Path) -> None:
    preset = read_preset(path)
    assert f"benchmark_{preset.name}" == path.stem
    assert (ROOT / "conf" / preset.train_config).is_file()
    assert len(preset.seeds) >= 3 and set(preset.side_seeds) <= set(preset.seeds)
    assert set(preset.epochs) == {10, 20, 40, 60, 80, 100}


def test_settings_override_single_keys() -> None:
    preset = read_preset(
        QUICK, ["seeds=[7]", "side_seeds=[7]", "threads=null", "corpus=/data/cv", "epochs=[[5, 9], [100, 2]]"]
    )
    assert (preset.seeds, preset.threads, preset.corpus) == ((7,), None, "/data/cv")
    assert preset.epochs == {5: 9, 100: 2}
    assert preset.train_config == read_preset(QUICK).train_config


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("sed=1", 'unknown key "sed"; did you mean "seeds"?'),
        ("jobs=two", "jobs is 'two'"),
        ("jobs=0", "jobs is 0"),
        ("jobs=true", "jobs is True"),
        ("jobs=null", "jobs is None"),
        ("seeds=[]", "seeds is []"),
        ("seeds=[1,1]", "seeds is [1, 1]"),
        ("seeds=[a]", "seeds is ['a']"),
        ("seeds=[[1]]", "seeds is [[1]]"),
        ("side_seeds=[9]", "side_seeds is [9], not all of them seeds"),
        ("epochs=[[100, 5], [200, 1]]", "epochs is [[100, 5], [200, 1]]"),
        ("epochs=[[100, 5], [10, 0]]", "epochs is [[100, 5], [10, 0]]"),
        ("epochs=[[100, 5], [100, 6]]", "epochs is [[100, 5], [100, 6]]"),
        ("epochs=[100, 5]", "epochs is [100, 5]"),
        ("epochs=[]", "epochs is []"),
        ("seconds.whole=-1", "'whole': -1"),
        ("seconds.more=1", "'more': 1"),
        ("corpus=[nl]", "corpus is ['nl']"),
        ("corpus=cv/nl", "corpus is 'cv/nl'"),
        ("corpus=minis", "corpus is 'minis'"),
        ("upstreams=hubert", "upstreams is 'hubert'"),
        ("upstreams=[1]", "upstreams is [1]"),
        ("upstreams=[a/b, a_b]", "upstreams is ['a/b', 'a_b']"),  # one name in folders
        ("speech_taggers={nl: 1}", "speech_taggers is {'nl': 1}"),
    ],
)
def test_a_mistake_is_told_with_its_key(setting: str, found: str) -> None:
    with pytest.raises(SpnerError) as error:
        read_preset(QUICK, [setting])
    assert str(error.value).startswith(f"{QUICK}: ") and found in str(error.value)
    assert "\n" not in str(error.value)


def test_all_mistakes_are_told_together(tmp_path: Path) -> None:
    path = tmp_path / "benchmark_x.yaml"
    path.write_text("corpus: mini\njobs: no\nthreds: 1\nepochs: [[10, 5]]\n")
    with pytest.raises(SpnerError) as error:
        read_preset(path)
    for found in ('unknown key "threds"', "seeds is missing", "jobs is False", "epochs is [[10, 5]]"):
        assert found in str(error.value)


def test_a_preset_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"benchmark_{name}.yaml").touch()
    path = tmp_path / "benchmark_c.yaml"
    with pytest.raises(SpnerError) as error:
        read_preset(path)
    assert str(error.value) == f"--preset c: {path} is missing (expected one of a, b)"
