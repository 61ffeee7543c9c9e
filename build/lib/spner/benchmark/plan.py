"""The cells of the comparison, each one run of a recipe, from a preset and languages.

The first language is the target, the others are sources. Every language has an E2E system and a pipeline, with each
upstream of the preset, and the models of the others on its test set (zero-shot). The target alone has trainings on
fractions of its data, from every source and from none, joint training, and two ablations: the first source's model with
a new output layer and, on a mini corpus, the pipeline with the tagger that made the labels, which knows cased text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from spner.benchmark.preset import WHOLE, Preset, name_upstream
from spner.core import paths
from spner.core.errors import SpnerError
from spner.core.recipe import choose_search, config_files, corpus_name, is_mini, mini_tagger, name_recipe_search

DATA, E2E, PIPELINE, CASED, ZERO_SHOT, TRANSFER, NEW_OUTPUT, JOINT = SYSTEMS = (
    "data",
    "e2e",
    "pipeline",
    "pipeline, cased tagger",
    "zero-shot",
    "transfer",
    "transfer, new output layer",
    "joint",
)
ABLATED = (10, 20)
"""Percent of the target's data at which the output layer's rows are compared with new ones."""


@dataclass(frozen=True, order=True)
class Group:
    """One system, whatever its seed.

    Attributes:
        lang: language of the test set.
        system: one of ``SYSTEMS``.
        source: language that a transfer starts from or whose model decodes; of joint training all others; or empty.
        fraction: percent of the language's train set that is trained on; 0 for none.
        upstream: pre-trained network, where it is not the preset's first one.
    """

    lang: str
    system: str
    source: str = ""
    fraction: int = WHOLE
    upstream: str = ""


@dataclass(frozen=True)
class Cell:
    """One run of a recipe.

    Attributes:
        name: unique among the cells.
        group: what it is.
        seed: of the training; of a zero-shot cell, of the other language's; 0 for data.
        recipe: folder of the recipe.
        tag: ``exp/<tag>`` in it; empty for data.
        options: of the recipe's run.sh.
        needs: names of the cells that must have finished before.
        configs: files of the training configuration, which need not be there; none where nothing is trained.
        work: what is trained, a training on all data of one language being 1.
    """

    name: str
    group: Group
    seed: int
    recipe: Path
    tag: str
    options: tuple[str, ...]
    needs: tuple[str, ...]
    configs: tuple[Path, ...]
    work: float

    @property
    def exp(self) -> Path:
        """Its experiment folder."""
        return self.recipe / "exp" / self.tag

    @property
    def search(self) -> str:
        """What its search is called."""
        given = dict(pairwise(self.options))
        return name_recipe_search(choose_search(given.get("--decode_config", ""), given.get("--model", "")))

    @property
    def command(self) -> list[str]:
        """What is run."""
        return [str(self.recipe / "run.sh"), *self.options]


def make_plan(preset: Preset, langs: Sequence[str], egs: Path) -> list[Cell]:
    """Return the cells, each after those that it needs; cells that most others wait for come first.

    Args:
        preset: the settings.
        langs: the target, then the sources; each has a recipe ``<egs>/cv_<lang>``.
        egs: the folder of the recipes.

    Raises:
        SpnerError: a language is given twice or has no recipe, or there is no source.
    """
    if len(langs) < 2 or len(set(langs)) < len(langs):
        raise SpnerError(
            f'--langs "{" ".join(langs)}": expected the target and at least one source, each once, such as "nl de en"'
        )
    for lang in langs:
        if not (egs / f"cv_{lang}" / "run.sh").is_file():
            raise SpnerError(
                f"--langs: {egs / f'cv_{lang}' / 'run.sh'} is missing (expected a recipe for each "
                f"language); tools/new_recipe.sh cv_{lang} {lang} makes it"
            )
    return list(_Planner(preset, tuple(langs), egs).cells())


@dataclass(frozen=True)
class _Planner:
    preset: Preset
    langs: tuple[str, ...]
    egs: Path

    def cells(self) -> Iterator[Cell]:
        """Yield all cells."""
        target, *sources = self.langs
        main, side = self.preset.seeds, self.preset.side_seeds
        for lang in self.langs:
            yield self._data(lang)
        for lang in self.langs[::-1]:  # sources first: most of the others wait for them
            yield from (self._whole(Group(lang, E2E), seed) for seed in self._seeds(lang))
        yield from (self._joint(seed) for seed in side)
        for fraction in sorted(self.preset.epochs, reverse=True):
            for source in sources:
                for seed in main if source == sources[0] else side:
                    yield self._part(Group(target, TRANSFER, source, fraction), seed)
            if fraction < WHOLE:
                yield from (self._part(Group(target, E2E, "", fraction), seed) for seed in main)
            if fraction in ABLATED:
                yield from (self._part(Group(target, NEW_OUTPUT, sources[0], fraction), seed) for seed in main)
        for lang in self.langs:
            yield from (self._whole(Group(lang, PIPELINE), seed) for seed in self._pipeline_seeds(lang))
            for other in self.langs:
                seeds = self._seeds(other) if lang == target else side
                yield from (self._zero_shot(lang, other, seed) for seed in seeds if other != lang)
        for upstream in self.preset.upstreams[1:]:
            for lang in self.langs:
                for system, seeds in ((E2E, self._seeds(lang)), (PIPELINE, self._pipeline_seeds(lang))):
                    yield from (self._whole(Group(lang, system, upstream=upstream), seed) for seed in seeds)
        if is_mini(self.preset.corpus):
            yield from (self._cased(target, seed) for seed in main)

    def _seeds(self, lang: str) -> tuple[int, ...]:
        """Return the seeds of a language's E2E system: those of the target and of the first source are compared."""
        return self.preset.seeds if lang in self.langs[:2] else self.preset.side_seeds

    def _pipeline_seeds(self, lang: str) -> tuple[int, ...]:
        return self.preset.seeds if lang == self.langs[0] else self.preset.side_seeds

    def _data(self, lang: str) -> Cell:
        mini = ("--mini_opts", self.preset.mini_opts) if self.preset.mini_opts else ()
        options = ("--stage", "1", "--stop_stage", "2", *self._recipe_options(lang), *mini)
        return Cell(f"{lang}_data", Group(lang, DATA), 0, self.egs / f"cv_{lang}", "", options, (), (), 0.0)

    def _whole(self, group: Group, seed: int) -> Cell:
        """Return a system that is trained on all data of one language."""
        lang, is_pipeline = group.lang, group.system == PIPELINE
        tagger = self.preset.speech_taggers.get(lang) if is_pipeline else None
        options = ("--system", group.system, *self._training(WHOLE, group.upstream))
        options += ("--speech_tagger", tagger) if tagger else ()
        if not group.upstream:
            return self._cell(group, group.system, seed, options, (), 1.0)
        # Both pipelines of a seed have one tagger; it is trained once.
        needs = (f"{lang}_{PIPELINE}_s{seed}",) if is_pipeline else ()
        return self._cell(group, f"{group.system}_{name_upstream(group.upstream)}", seed, options, needs, 1.0)

    def _cased(self, lang: str, seed: int) -> Cell:
        options = ("--system", PIPELINE, "--speech_tagger", mini_tagger(self._corpus(lang)))
        return self._cell(Group(lang, CASED), "pipeline_cased", seed, options, (f"{lang}_pipeline_s{seed}",), 0.0)

    def _joint(self, seed: int) -> Cell:
        target, *sources = self.langs
        joined = [f"../cv_{source}/data/{corpus_name(self._corpus(source))}" for source in sources]
        options = ("--join", *joined, *self._training(WHOLE))
        needs = tuple(f"{source}_data" for source in sources)
        group = Group(target, JOINT, " ".join(sources))
        return self._cell(group, "joint", seed, options, needs, float(len(self.langs)))

    def _part(self, group: Group, seed: int) -> Cell:
        options = ("--fraction", str(group.fraction), *self._training(group.fraction))
        name, needs = f"e2e_{group.fraction}", tuple[str, ...]()
        if group.source:
            name, needs = f"{group.fraction}_from_{group.source}", (f"{group.source}_e2e_s{seed}",)
            options += ("--init", self._model(group.source, seed))
        if group.system == NEW_OUTPUT:
            name += "_new_output"
            options += ("--init_opts", "--reinit_output")
        epochs = self.preset.epochs
        work = group.fraction * epochs[group.fraction] / (WHOLE * epochs[WHOLE])
        return self._cell(group, name, seed, options, needs, work)

    def _zero_shot(self, lang: str, source: str, seed: int) -> Cell:
        group = Group(lang, ZERO_SHOT, source, 0)
        needs = (f"{source}_e2e_s{seed}",)
        return self._cell(group, f"by_{source}", seed, ("--model", self._model(source, seed)), needs, 0.0)

    def _cell(
        self, group: Group, name: str, seed: int, options: tuple[str, ...], needs: tuple[str, ...], work: float
    ) -> Cell:
        tag = f"{self.preset.name}_{name}_s{seed}"
        start = "5" if group.system in (ZERO_SHOT, CASED) else "3"
        trained = () if group.system == ZERO_SHOT else ("--seed", str(seed))
        whole = ("--stage", start, *self._recipe_options(group.lang), *options, *trained, "--tag", tag)
        recipe = self.egs / f"cv_{group.lang}"
        configs = config_files(self.preset.train_config, root=self.egs.parent, recipe=recipe) if work else ()
        return Cell(
            f"{group.lang}_{name}_s{seed}",
            group,
            seed,
            recipe,
            tag,
            whole,
            (f"{group.lang}_data", *needs),
            tuple(configs),
            work,
        )

    def _recipe_options(self, lang: str) -> tuple[str, ...]:
        return ("--corpus", self._corpus(lang), *self.preset.recipe_opts.split())

    def _training(self, fraction: int, upstream: str = "") -> tuple[str, ...]:
        settings = f"max_epoch={self.preset.epochs[fraction]} {self.preset.train_opts}".strip()
        options = ("--train_config", self.preset.train_config, "--train_opts", settings)
        return (*options, *("--upstream", upstream or self.preset.upstreams[0])) if self.preset.upstreams else options

    def _corpus(self, lang: str) -> str:
        corpus = self.preset.corpus
        return corpus if is_mini(corpus) else f"{corpus.rstrip('/')}/{lang}"

    def _model(self, lang: str, seed: int) -> str:
        return f"../cv_{lang}/exp/{self.preset.name}_e2e_s{seed}"


def scores_of(cell: Cell, *, gold: bool) -> Path:
    """Return the file with a cell's scores on its test set."""
    return paths.score_file(cell.exp, cell.search, paths.TEST, gold=gold)
