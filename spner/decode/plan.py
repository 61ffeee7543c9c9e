"""A search that is ready to run anywhere: files and settings that travel to other processes, and the work they do."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from spner.data.tokens import Tokenizer
from spner.decode.config import LEXICON, DecodeConfig
from spner.decode.grammar import make_forms, write_grammar, write_model
from spner.decode.search import Hypothesis, Search, load_lm, make_lexicon_search, make_open_search
from spner.text.tags import entity_symbols


@dataclass(frozen=True)
class SearchPlan:
    """What a process needs to build the search.

    Attributes:
        config: the settings.
        model: ARPA file; for an open search with the grammar in it.
        work: folder of the search's files.
        token_list: the recogniser's V tokens.
        token_type: ``char`` or ``bpe``.
        bpe_model: SentencePiece's, for ``bpe``.
    """

    config: DecodeConfig
    model: Path
    work: Path
    token_list: tuple[str, ...]
    token_type: str
    bpe_model: Path | None


@dataclass(frozen=True)
class Stored:
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
class Task:
    """Utterances to search, and how many hypotheses of each are wanted at most."""

    plan: SearchPlan
    num_best: int
    utterances: tuple[Stored, ...]


def write_search_model(path: Path, arpa: Path | None, token_list: Sequence[str]) -> None:
    """Write what an open search scores tokens with: a token model, or none, and the grammar of tagged text."""
    if arpa is None:
        write_grammar(path, make_forms(token_list))
    else:
        write_model(path, arpa, make_forms(token_list))


@lru_cache(maxsize=1)
def build_search(plan: SearchPlan) -> Search:
    """Return the search of a plan, built once a process.

    Raises:
        SpnerError: flashlight-text is missing, or the model is broken or of another vocabulary.
    """
    if plan.config.search == LEXICON:
        symbols = [symbol for symbol in entity_symbols() if symbol in plan.token_list]
        tokenizer = Tokenizer(plan.token_type, symbols=symbols, bpe_model=plan.bpe_model)
        return make_lexicon_search(
            plan.model, plan.token_list, plan.config, token_type=plan.token_type, tokenizer=tokenizer
        )
    return make_open_search(plan.model, plan.token_list, plan.config)


def forget_searches() -> None:
    """Drop what this process has built: the files may have changed."""
    build_search.cache_clear()
    load_lm.cache_clear()


def run(task: Task) -> list[list[Hypothesis]]:
    """Return each utterance's best hypotheses, at least one."""
    search = build_search(task.plan)
    num_tokens = len(task.plan.token_list)
    return [search(stored.read(num_tokens))[: task.num_best] for stored in task.utterances]
