"""A recipe's settings -> what follows from them: folders, taggers to train, configurations, the search.

``egs/TEMPLATE/stages.sh`` asks for all of it before its first stage; the comparison (``spner benchmark``) names a
recipe's files by the same rules. Paths are relative to the recipe's folder, as in its settings.
"""

import logging
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path

from spner.core.errors import SpnerError, nearest
from spner.core.searches import GREEDY, name_search, own_lm

log = logging.getLogger(__name__)

SYSTEMS = E2E, ASR, PIPELINE = ("e2e", "asr", "pipeline")
SEARCH = "decode_lm.yaml"
TRAIN_MINI, TRAIN_GPU = "train_mini.yaml", "train_xlsr.yaml"  # XLS-R is not for CPUs
ROOT = Path("../..")  # of the checkout, from a recipe's folder
NO_RECIPES = ("TEMPLATE", "archive", "benchmark", "earnings21", "msner_hyps")  # folders without the six stages
WHOLE = "100"  # percent of the train set


@dataclass(frozen=True)
class Settings:
    """The settings that decide names, as text; ``egs/TEMPLATE/settings.sh`` says what each is and has the defaults."""

    corpus: str
    tagger: str
    system: str
    speech_tagger: str
    fraction: str
    join: str
    train_config: str
    upstream: str
    init: str
    seed: str
    model: str
    decode_config: str
    boost: str
    cluster: str
    tag: str


@dataclass(frozen=True)
class Names:
    """What follows from the settings; empty where there is no such thing.

    Attributes:
        mini: ``yes`` where the corpus is a mini corpus, which stage 1 makes.
        corpus_path: what stage 1 reads: a corpus folder or a file.
        data: its data folder.
        gold_text: generated text of a mini corpus, to train its tagger on.
        new_tagger: tagger of cased text that stage 2 trains.
        new_words_tagger: tagger of recognised words that stage 4 trains, on the utterances that an E2E system of these
            settings has.
        text_tagger: tagger that annotates in stage 2.
        words_tagger: tagger of the pipeline; empty for other systems.
        exp: experiment folder with the hypotheses and scores.
        model_exp: experiment folder of what is trained: the pipeline's recogniser has one of its own.
        model_system: system that is trained: ``asr`` for the pipeline.
        dump: dump folder of the training.
        lock: file that a run on ``model_exp`` holds.
        train_configs: files of the training configuration; later ones override single keys.
        search: what the search is called: the name of its folders in ``decode`` and ``score``.
        search_configs: files of the beam search's configuration, the same way; empty for greedy search.
        lm: folder of the beam search's language model.
        other_system: system to try next.
        other_recipe: name of another recipe beside this one.
    """

    mini: str
    corpus_path: str
    data: str
    gold_text: str
    new_tagger: str
    new_words_tagger: str
    text_tagger: str
    words_tagger: str
    exp: str
    model_exp: str
    model_system: str
    dump: str
    lock: str
    train_configs: str
    search: str
    search_configs: str
    lm: str
    cluster_file: str
    other_system: str
    other_recipe: str


def read_settings(pairs: Sequence[str]) -> Settings:
    """Read ``name=value`` pairs; settings that decide no name are passed over.

    Raises:
        SpnerError: a value holds a line break, or a setting is missing.
    """
    values = dict(pair.split("=", 1) for pair in pairs)
    broken = next((name for name, value in values.items() if "\n" in value), None)
    if broken:
        raise SpnerError(f"--{broken}: holds a line break (expected one line)")
    names = [field.name for field in fields(Settings)]
    missing = [name for name in names if name not in values]
    if missing:
        raise SpnerError(f"settings {', '.join(missing)}: are missing; egs/TEMPLATE/settings.sh has them")
    return Settings(**{name: values[name] for name in names})


def derive_names(settings: Settings) -> Names:
    """Return what follows from the settings of the recipe in the current folder.

    Raises:
        SpnerError: a setting has an unknown value, settings exclude each other, or a configuration is missing.
    """
    _validate(settings)
    corpus = corpus_name(settings.corpus)
    mini, pipeline = is_mini(settings.corpus), settings.system == PIPELINE
    variant = _name_variant(settings)
    tag = settings.tag or f"{corpus}_{settings.system}{variant}"
    model_tag = f"{corpus}_{ASR}{variant}" if pipeline else tag
    new_tagger = mini_tagger(corpus) if mini and not settings.tagger else ""
    own_words_tagger = pipeline and not settings.speech_tagger
    new_words_tagger = f"exp/tagger_words_{corpus}{_name_trainset(settings)}" if own_words_tagger else ""
    config, model_exp = choose_search(settings.decode_config, settings.model), Path(f"exp/{model_tag}")
    return Names(
        mini="yes" if mini else "",
        corpus_path=f"downloads/{corpus}" if mini else settings.corpus,
        data=f"data/{corpus}",
        gold_text=f"downloads/{corpus}_text.txt" if mini else "",
        new_tagger=new_tagger,
        new_words_tagger=new_words_tagger,
        text_tagger=settings.tagger or new_tagger,
        words_tagger=settings.speech_tagger if pipeline and settings.speech_tagger else new_words_tagger,
        exp=f"exp/{tag}",
        model_exp=str(model_exp),
        model_system=ASR if pipeline else settings.system,
        dump=f"dump/{model_tag}",
        lock=f"exp/.{model_tag}.lock",
        train_configs="" if settings.model else _find_configs("--train_config", _choose_training(settings)),
        search=name_recipe_search(config, boost=settings.boost),
        search_configs=_find_configs("--decode_config", config) if config else "",
        lm=str(own_lm(model_exp, config)) if config else "",
        cluster_file=_find_cluster(settings.cluster) if settings.cluster else "",
        other_system=E2E if pipeline else PIPELINE,
        other_recipe=_find_other_recipe(Path.cwd()),
    )


def _find_other_recipe(recipe: Path) -> str:
    there = sorted(path.parent.name for path in recipe.parent.glob("*/run.sh"))
    return next((name for name in there if name not in (recipe.name, *NO_RECIPES)), "")


def is_mini(corpus: str) -> bool:
    """Whether a corpus setting names a mini corpus: ``mini``, ``mini_small``."""
    return re.fullmatch(r"mini(_[A-Za-z0-9]+)*", corpus) is not None


def corpus_name(corpus: str) -> str:
    """Return what a corpus is called in ``data/`` and in tags: a release's folder of one language with its parent."""
    path = Path(os.path.abspath(corpus))
    if is_mini(corpus):
        return corpus
    return path.stem if path.suffix == ".json" else f"{path.parent.name}_{path.name}"


def mini_tagger(corpus: str) -> str:
    """Return the folder of the tagger of cased text that a mini corpus's recipe trains."""
    return f"exp/tagger_{corpus}"


def config_files(name: str, *, root: Path, recipe: Path) -> list[Path]:
    """Return where a configuration may lie: in the checkout, then in the recipe, which overrides single keys."""
    return [folder / "conf" / name for folder in (root, recipe)]


def _validate(settings: Settings) -> None:
    if settings.system not in SYSTEMS:
        raise SpnerError(f"--system {settings.system}: expected {', '.join(SYSTEMS)}")
    if settings.model and (settings.init or settings.join or settings.decode_config not in ("", GREEDY)):
        raise SpnerError(
            "--model: trains nothing, no language model either; leave --init, --join and --decode_config out"
        )


def _name_variant(settings: Settings) -> str:
    """Return what tells an experiment from the one with all of the corpus's training data."""
    if settings.model:
        return f"_by_{_name_experiment(settings.model)}"
    upstream = f"_{Path(settings.upstream).stem}" if settings.upstream else ""
    init = f"_from_{_name_experiment(settings.init)}" if settings.init else ""
    return _name_trainset(settings, upstream) + init


def _name_trainset(settings: Settings, upstream: str = "") -> str:
    """Return what tells a training by its data and seed from the one on all of the corpus's data."""
    parts = [
        "" if settings.fraction == WHOLE else f"_{settings.fraction}",
        upstream,
        f"_s{settings.seed}" if settings.seed else "",
        *(f"_and_{Path(os.path.abspath(other)).name}" for other in settings.join.split()),
    ]
    return "".join(parts)


def _name_experiment(exp: str) -> str:
    """Return an experiment folder's name after its recipe's: ``cv_de_mini_e2e`` of ``../cv_de/exp/mini_e2e``."""
    path = Path(os.path.abspath(exp))
    return f"{path.parent.parent.name}_{path.name}"


def _choose_training(settings: Settings) -> str:
    if settings.train_config:
        return settings.train_config
    fits_cpu = not settings.upstream and (is_mini(settings.corpus) or not _has_gpu())
    return TRAIN_MINI if fits_cpu else TRAIN_GPU


def _has_gpu() -> bool:
    """Whether there is a GPU, asked without importing torch, which takes 3 s."""
    program = shutil.which("nvidia-smi")
    return program is not None and subprocess.run([program, "-L"], capture_output=True, check=False).returncode == 0


def choose_search(decode_config: str, model: str) -> str:
    """Return the beam search's configuration, empty for greedy search: nothing was trained for another's model."""
    if decode_config or model:
        return "" if decode_config in ("", GREEDY) else decode_config
    if find_spec("flashlight") is None:
        log.info("flashlight-text is not installed (there is none for Python 3.13): stage 5 searches greedily")
        return ""
    return SEARCH


def name_recipe_search(config: str, *, boost: str = "") -> str:
    """Return what a recipe's search is called, whose language model is the experiment's own."""
    lm = own_lm(Path(), config) if config else None
    return name_search(config or None, lm=lm, boost=Path(boost) if boost else None, model=Path())


def _find_cluster(name: str) -> str:
    """Return a cluster's file: a path as all settings have them, or the checkout's.

    Raises:
        SpnerError: there is none.
    """
    found = next((path for path in (Path(name), ROOT / name) if path.is_file()), None)
    if found is None:
        raise SpnerError(f"--cluster {name}: no such file; docs/cluster.md says what it holds")
    return str(found)


def _find_configs(option: str, name: str) -> str:
    """Return a configuration's files, separated by spaces.

    Raises:
        SpnerError: there is none.
    """
    found = [str(path) for path in config_files(name, root=ROOT, recipe=Path()) if path.is_file()]
    if not found:
        there = [GREEDY, *(path.name for path in (ROOT / "conf").glob("*.yaml"))]
        raise SpnerError(f"{option} {name}: no such file in conf/{nearest(name, there)}")
    return " ".join(found)
