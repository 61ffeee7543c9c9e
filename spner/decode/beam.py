"""A set's posteriors -> hypotheses of a beam search, spread over processes."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from spner.asr.train import chosen_checkpoint, read_config
from spner.core import paths
from spner.core.configs import merge_configs
from spner.core.errors import SpnerError
from spner.core.files import atomic_text, fingerprint, read_json, remove
from spner.core.parallel import map_processes
from spner.decode.biasing import mention, read_names
from spner.decode.config import LEXICON, DecodeConfig, make_decode_config
from spner.decode.plan import SearchPlan, Stored, Task, build_search, forget_searches, run, write_search_model
from spner.decode.recogniser import Posteriors
from spner.decode.search import Hypothesis
from spner.lm.build import TOKEN, WORD, make_lm, read_words
from spner.text.tags import entity_symbols

UTTERANCES_AT_ONCE = 16


@dataclass(frozen=True)
class BeamOptions:
    """What the command line says of a beam search.

    Attributes:
        configs: decode configurations, the later ones on top.
        lm: folder of ``spner lm`` or an ARPA file; None searches without a language model.
        boost: names to raise, see :mod:`spner.decode.biasing`.
        num_best: hypotheses to keep.
        num_workers: processes.
    """

    configs: tuple[Path, ...]
    lm: Path | None
    boost: Path | None = None
    num_best: int = 1
    num_workers: int = 1

    @property
    def name(self) -> str:
        """The configuration's name, ``decode_lm``."""
        return self.configs[-1].stem


def read_options(options: BeamOptions) -> DecodeConfig:
    """Return the decode configuration.

    Raises:
        SpnerError: a file is missing, or a key or a value is wrong.
    """
    return make_decode_config(merge_configs(options.configs, []), where=" and ".join(map(str, options.configs)))


def find_arpa(lm: Path | None, config: DecodeConfig) -> Path | None:
    """Return the ARPA file of a language model.

    Raises:
        SpnerError: there is none, or it is of the other unit than the search's.
    """
    unit = WORD if config.search == LEXICON else TOKEN
    if lm is None:
        if config.search == LEXICON:
            raise SpnerError("--lm: is missing; a lexicon search takes its words from a model of spner lm --unit word")
        return None
    if lm.is_file():
        return lm
    if not (lm / paths.LM_RECORD).exists():
        raise SpnerError(f"{lm}: holds no finished language model; spner lm --unit {unit} makes it")
    found = read_json(lm / paths.LM_RECORD)["settings"]["unit"]
    if found != unit:
        raise SpnerError(
            f"{lm}: is a model of {found}s, but a search of kind {config.search} takes one of {unit}s; "
            f"make it with spner lm --unit {unit}"
        )
    return lm / paths.LM_ARPA


def identify(exp: Path, options: BeamOptions, config: DecodeConfig) -> dict[str, Any]:
    """Return what a search's weights were tuned for: recogniser, language model, configuration."""
    arpa = find_arpa(options.lm, config)
    model = fingerprint([exp / paths.CONFIG, chosen_checkpoint(exp)])
    tuned_for = {"model": model, "lm": fingerprint([arpa]) if arpa else None, "config": asdict(config)}
    return json.loads(json.dumps(tuned_for))  # as it is read again: tuples are lists there


def apply_tuned(exp: Path, options: BeamOptions, config: DecodeConfig) -> DecodeConfig:
    """Return the configuration with the weights that ``spner tune`` chose, if it did.

    Without a language model the only weight is the grammar's, which only has to be large enough.

    Raises:
        SpnerError: they were tuned for another recogniser, language model or configuration.
    """
    if options.lm is None:
        return replace(config, lm_weight=1.0)
    tuned = paths.tuned_file(exp, options.name)
    if not tuned.exists():
        return config
    record = read_json(tuned)
    if record["tuned_for"] != identify(exp, options, config):
        raise SpnerError(
            f"{tuned}: was tuned for another recogniser, language model or configuration; "
            "run spner tune again, or remove it"
        )
    return replace(config, lm_weight=record["lm_weight"], word_score=record["word_score"])


@dataclass(frozen=True)
class BeamSearch:
    """A search whose files are in place.

    Attributes:
        plan: what each process builds it from.
        work: folder for the posteriors.
        num_best: hypotheses to keep of each utterance.
        num_workers: processes.
        record: what decides on the hypotheses, as JSON.
    """

    plan: SearchPlan
    work: Path
    num_best: int
    num_workers: int
    record: dict[str, Any]

    def search(
        self, batches: Iterable[Posteriors], *, what: str
    ) -> Iterator[tuple[Stored, np.ndarray, list[Hypothesis]]]:
        """Yield each utterance, its log posteriors (T, V) and its hypotheses, the best first."""
        stored = store(batches, self.work / "posteriors")
        (hyps,) = run_plans([self.plan], stored, num_best=self.num_best, num_workers=self.num_workers, what=what)
        for one in stored:
            yield one, one.read(len(self.plan.token_list)), hyps[one.utt_id]


@contextmanager
def open_search(data: Path, exp: Path, options: BeamOptions) -> Iterator[BeamSearch]:
    """Yield the search that the options ask for, with tuned weights where there are some.

    Raises:
        SpnerError: an option is wrong, flashlight-text is missing, or the language model does not fit the recogniser.
    """
    config = apply_tuned(exp, options, read_options(options))
    arpa = find_arpa(options.lm, config)
    if options.boost:
        arpa = boost_lm(options.boost, options.lm, exp, lang=read_json(data / paths.REPORT)["settings"]["lang"])
    record = {"config": asdict(config), "lm": fingerprint([arpa]) if arpa else None, "num_best": options.num_best}
    with prepare_search(exp, arpa, config) as plan:
        record = json.loads(json.dumps(record))  # as it is read again: tuples are lists there
        yield BeamSearch(plan, plan.work, options.num_best, options.num_workers, record)


@contextmanager
def prepare_search(exp: Path, arpa: Path | None, config: DecodeConfig) -> Iterator[SearchPlan]:
    """Yield a search that has been built once in this process; its folder lasts as long.

    Raises:
        SpnerError: flashlight-text is missing, or the language model is broken or of another vocabulary.
    """
    settings = read_config(exp)
    token_list, bpe_model = tuple(settings["token_list"]), settings["bpemodel"]
    work = exp / "decode" / ".search"  # one process at a time decodes in exp
    remove(work)
    work.mkdir(parents=True)
    try:
        if config.search == LEXICON and arpa:
            model = arpa
        else:
            model = work / "search.arpa"
            write_search_model(model, arpa, token_list)
        plan = SearchPlan(
            config, model, work, token_list, settings["token_type"], Path(bpe_model) if bpe_model else None
        )
        forget_searches()
        build_search(plan)
        yield plan
    finally:
        remove(work)


def store(batches: Iterable[Posteriors], path: Path) -> list[Stored]:
    """Write posteriors to a file; a search reads them from there, in whichever process it runs."""
    stored = []
    with open(path, "wb") as file:
        for batch in batches:
            num_frames = batch.num_frames.tolist()
            for row, utt_id in enumerate(batch.utt_ids):
                stored.append(Stored(utt_id, batch.durations_s[row], path, file.tell(), num_frames[row]))
                batch.log_probs[row, : num_frames[row]].numpy().tofile(file)
    return stored


def run_plans(
    plans: Sequence[SearchPlan], stored: Sequence[Stored], *, num_best: int, num_workers: int, what: str
) -> Iterator[dict[str, list[Hypothesis]]]:
    """Yield for each plan every utterance's hypotheses, the best first."""
    chunks = [tuple(stored[i : i + UTTERANCES_AT_ONCE]) for i in range(0, len(stored), UTTERANCES_AT_ONCE)]
    tasks = [Task(plan, num_best, chunk) for plan in plans for chunk in chunks]
    results = iter(list(map_processes(run, tasks, num_workers=num_workers, what=what, unit="batches")))
    for _plan in plans:
        yield {one.utt_id: hyps for chunk in chunks for one, hyps in zip(chunk, next(results), strict=True)}


def boost_lm(names_file: Path, lm: Path | None, exp: Path, *, lang: str) -> Path:
    """Return the ARPA file of a language model estimated anew, with text that mentions the names as well.

    Raises:
        SpnerError: ``--lm`` is no folder of ``spner lm`` whose texts are still there, or the list is malformed.
    """
    if lm is None or not (lm / paths.LM_RECORD).exists():
        raise SpnerError(
            f"--boost {names_file}: names are raised through the language model; give --lm, the folder of spner lm"
        )
    names = read_names(names_file, lang=lang, tokens=read_config(exp)["token_list"])
    settings = read_json(lm / paths.LM_RECORD)["settings"]
    inputs = [Path(name) for name in settings["inputs"]]
    for missing in (path for path in inputs if not path.exists()):
        raise SpnerError(
            f"{missing}: is missing, but {lm} was made from it; make the language model again with spner lm"
        )
    dump = inputs[0].parent
    texts = [path for path in inputs if not path.is_relative_to(dump)]
    sentences = chain(
        read_words(dump / paths.TRAIN / paths.TEXT, entity_symbols(), kaldi=True),
        *(read_words(path, entity_symbols()) for path in texts),
    )
    out = exp / "decode" / "boost"
    mentions = out / "mentions.txt"
    with atomic_text(mentions) as file:
        file.writelines(f"{sentence}\n" for sentence in mention(names, sentences))
    make_lm(
        dump, out, unit=settings["unit"], order=settings["order"], prune=settings["prune"], texts=[*texts, mentions]
    )
    return out / paths.LM_ARPA
