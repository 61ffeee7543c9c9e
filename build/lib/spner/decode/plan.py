"""What a beam search is built from: files and settings. It can be pickled, so that each process builds its own."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from spner.data.tokens import Tokenizer, find_symbols
from spner.decode.beam_search import Search, load_lm, make_lexicon_search, make_open_search
from spner.decode.config import LEXICON, DecodeConfig


@dataclass(frozen=True)
class SearchPlan:
    """Everything that a process needs to build the search.

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


@lru_cache(maxsize=1)
def build_search(plan: SearchPlan) -> Search:
    """Return the search of a plan, built once a process.

    Raises:
        SpnerError: flashlight-text is missing, or the model is broken or of another vocabulary.
    """
    if plan.config.search == LEXICON:
        tokenizer = Tokenizer(plan.token_type, symbols=find_symbols(plan.token_list), bpe_model=plan.bpe_model)
        return make_lexicon_search(
            plan.model, plan.token_list, plan.config, token_type=plan.token_type, tokenizer=tokenizer
        )
    return make_open_search(plan.model, plan.token_list, plan.config)


def forget_searches() -> None:
    """Drop what this process has built: the files may have changed."""
    build_search.cache_clear()
    load_lm.cache_clear()
