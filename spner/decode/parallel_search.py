"""A beam search over a set, spread over processes.

Posteriors are kept in a file, from which the processes read them while the next ones are computed. Each process builds
the search from a plan, which is pickled to it; hypotheses come back with their times, which it finds as well.
"""

import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from spner.core import paths
from spner.core.datatypes import FrameGrid
from spner.core.files import fingerprint, read_json, remove
from spner.core.parallel import Pool, Processes, Workers
from spner.core.streams import Streamed
from spner.core.training import beside_recipe, read_config
from spner.decode.beam_options import BeamOptions, apply_tuned, find_arpa, find_tuned, read_options
from spner.decode.beam_search import Hypothesis
from spner.decode.biasing import boost_lm
from spner.decode.config import LEXICON, DecodeConfig
from spner.decode.grammar import write_search_model
from spner.decode.plan import SearchPlan, build_search, forget_searches
from spner.decode.posteriors import Posteriors
from spner.decode.utterance import Decoded, read_hypotheses
from spner.lm.arpa import unpack_arpa

UTTERANCES_AT_ONCE = 4  # of 5 s: a twentieth of a second, for which processes wait for the last one
SEARCH_MODEL = "search.arpa"


@dataclass(frozen=True)
class StoredPosteriors:
    """One utterance's posteriors in a file: float32, natural logarithm, (num_frames, V) from byte ``offset`` on."""

    utt_id: str
    duration_s: float
    path: Path
    offset: int
    num_frames: int

    def read(self, num_tokens: int) -> np.ndarray:
        """Return them, (num_frames, num_tokens)."""
        count = self.num_frames * num_tokens
        return np.fromfile(self.path, np.float32, count, offset=self.offset).reshape(self.num_frames, num_tokens)


@dataclass(frozen=True)
class SearchTask:
    """Utterances to search, and the largest number of hypotheses for each."""

    plan: SearchPlan
    num_best: int
    utterances: tuple[StoredPosteriors, ...]


def search_task(task: SearchTask) -> list[list[Hypothesis]]:
    """Return each utterance's best hypotheses, at least one."""
    return [hyps for _, _, hyps in _search(task)]


def decode_task(task: SearchTask, *, grid: FrameGrid) -> list[tuple[str, Decoded]]:
    """Return each utterance with what its best hypotheses say; ``grid`` is the recogniser's."""
    token_list = task.plan.token_list
    return [
        (one.utt_id, read_hypotheses(log_probs, hyps, token_list, grid=grid, duration_s=one.duration_s))
        for one, log_probs, hyps in _search(task)
    ]


def _search(task: SearchTask) -> Iterator[tuple[StoredPosteriors, np.ndarray, list[Hypothesis]]]:
    search = build_search(task.plan)
    for stored in task.utterances:
        log_probs = stored.read(len(task.plan.token_list))
        yield stored, log_probs, search(log_probs)[: task.num_best]


@dataclass(frozen=True)
class BeamSearch:
    """A search whose files are in place.

    Attributes:
        plan: what each process builds it from.
        num_best: hypotheses to keep of each utterance.
        workers: what searches.
        posteriors: file of the posteriors that are searched.
        record: what decides the hypotheses.
        decoded: what tables say of them, see :mod:`spner.core.searches`.
    """

    plan: SearchPlan
    num_best: int
    workers: Workers
    posteriors: Path
    record: dict[str, Any]
    decoded: dict[str, Any]

    def decode(
        self, batches: Iterable[Posteriors], grid: FrameGrid, *, num_utts: int, what: str
    ) -> Iterator[tuple[str, Decoded]]:
        """Yield each utterance with what its best hypotheses say; batches are taken as they are needed.

        Args:
            batches: posteriors.
            grid: of the recogniser.
            num_utts: utterances in the batches.
            what: the progress bar's title.
        """
        tasks = Streamed(lambda: self._make_tasks(batches), math.ceil(num_utts / UTTERANCES_AT_ONCE))
        decode = functools.partial(decode_task, grid=grid)
        for decoded in self.workers.map(decode, tasks, what=what, unit="batches"):
            yield from decoded

    def _make_tasks(self, batches: Iterable[Posteriors]) -> Iterator[SearchTask]:
        stored = store(batches, self.posteriors)
        while utterances := tuple(islice(stored, UTTERANCES_AT_ONCE)):
            yield SearchTask(self.plan, self.num_best, utterances)


@contextmanager
def open_search(data: Path, exp: Path, options: BeamOptions, *, work: Path) -> Iterator[BeamSearch]:
    """Yield the search that the options ask for, with tuned weights if there are any.

    Args:
        data: data folder of stage 1; its language normalises a list of names.
        exp: experiment folder of the recogniser.
        options: of the search.
        work: folder of the search's hypotheses; a language model with the names is made in ``boost`` there.

    Raises:
        SpnerError: an option is wrong, flashlight-text is missing, or the language model does not fit the recogniser.
    """
    config = apply_tuned(exp, options, read_options(options))
    arpa, names = find_arpa(options.lm, config), None
    if options.boost:
        lang = read_json(data / paths.REPORT)["settings"]["lang"]
        arpa, num_names = boost_lm(options.boost, options.lm, exp, lang=lang, out=work / "boost")
        names = {"file": str(options.boost), "num": num_names}
    record = {"config": asdict(config), "lm": fingerprint([arpa]) if arpa else None, "num_best": options.num_best}
    decoded = {
        "search": options.name_search(exp),
        "kind": config.search,
        "config": options.configs[-1].name,
        "beam_size": config.beam_size,
        "lm": str(options.lm) if options.lm else None,
        "lm_weight": config.lm_weight,
        "word_score": config.word_score,
        "tuned": find_tuned(exp, options) is not None,
        "names": names,
    }
    with prepare_search(exp, arpa, config) as plan, Pool(options.num_workers) as workers:
        yield BeamSearch(plan, options.num_best, workers, plan.work / "posteriors", record, decoded)


@contextmanager
def prepare_search(exp: Path, arpa: Path | None, config: DecodeConfig) -> Iterator[SearchPlan]:
    """Yield a search that has been built once in this process; its folder lasts as long.

    Raises:
        SpnerError: flashlight-text is missing, or the language model is broken or of another vocabulary.
    """
    work = exp / paths.DECODE / ".search"  # one process at a time decodes in exp
    remove(work)
    work.mkdir(parents=True)
    try:
        plan = make_plan(exp, arpa, config, work=work)
        forget_searches()
        build_search(plan)
        yield plan
    finally:
        remove(work)


def make_plan(exp: Path, arpa: Path | None, config: DecodeConfig, *, work: Path) -> SearchPlan:
    """Return the plan of a search, its files written to the folder ``work``.

    Raises:
        SpnerError: the language model is broken or of another vocabulary.
    """
    settings = read_config(exp)
    token_list, bpe_model = tuple(settings["token_list"]), settings["bpemodel"]
    model = unpack_arpa(arpa, work / "unpacked.arpa") if arpa else None
    if config.search != LEXICON or model is None:
        weights = [weight for weight in (config.lm_weight, *config.tune_lm_weight) if weight]
        write_search_model(work / SEARCH_MODEL, model, token_list, weight=min(weights, default=1.0))
        model = work / SEARCH_MODEL
    pieces = beside_recipe(Path(bpe_model), exp) if bpe_model else None
    return weigh(SearchPlan(config, model, work, token_list, settings["token_type"], pieces), config)


def weigh(plan: SearchPlan, config: DecodeConfig) -> SearchPlan:
    """Return the plan with other weights.

    An open search that gives its language model no weight has the grammar alone, in full: it is no matter of weights.
    """
    if config.search == LEXICON:
        return replace(plan, config=config)
    if config.lm_weight:
        return replace(plan, model=plan.work / SEARCH_MODEL, config=config)
    grammar = plan.work / "grammar.arpa"
    if not grammar.exists():
        write_search_model(grammar, None, plan.token_list)
    return replace(plan, model=grammar, config=replace(config, lm_weight=1.0))


def store(batches: Iterable[Posteriors], path: Path) -> Iterator[StoredPosteriors]:
    """Write posteriors to a file and yield what is in it: a search reads it, in whichever process it runs."""
    with open(path, "wb") as file:
        for batch in batches:
            stored = []
            for utt_id, duration_s, log_probs in zip(batch.utt_ids, batch.durations_s, batch.log_probs, strict=True):
                stored.append(StoredPosteriors(utt_id, duration_s, path, file.tell(), len(log_probs)))
                file.write(np.ascontiguousarray(log_probs, np.float32).data)
            file.flush()
            yield from stored


def run_plans(
    plans: Sequence[SearchPlan], stored: Sequence[StoredPosteriors], *, num_best: int, num_workers: int, what: str
) -> Iterator[dict[str, list[Hypothesis]]]:
    """Yield for each plan every utterance's hypotheses, the best first."""
    chunks = [tuple(stored[i : i + UTTERANCES_AT_ONCE]) for i in range(0, len(stored), UTTERANCES_AT_ONCE)]
    tasks = [SearchTask(plan, num_best, chunk) for plan in plans for chunk in chunks]
    results = iter(list(Processes(num_workers).map(search_task, tasks, what=what, unit="batches")))
    for _plan in plans:
        yield {one.utt_id: hyps for chunk in chunks for one, hyps in zip(chunk, next(results), strict=True)}
