"""CTC beam search: one utterance's posteriors -> its best token sequences.

The *open* search scores tokens with a token model and can spell any word; the grammar of :mod:`spner.decode.grammar`
keeps its entity symbols in balance. The *lexicon* search scores words with a word model and writes no other words;
the best sequence in balance is taken.
"""

import ctypes
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from spner.core.errors import SpnerError, quote
from spner.data.tokens import BLANK, CHAR, SPACE, Tokenizer, find_labels, find_symbols, tighten, tokens_to_words
from spner.decode.config import DecodeConfig
from spner.decode.grammar import SPECIALS, make_forms
from spner.lm.arpa import read_ngrams, split_ngram
from spner.text.tags import CLOSE, text_to_spans

NEVER = -1e9  # log posterior
M_MXFAST = 1  # of glibc's mallopt
LEAST_SPELT = 0.1
"""Share of a model's words: below it the model is of another alphabet, another case or another language."""

log = logging.getLogger(__name__)

MISSING = (
    "beam search: flashlight-text is not installed for this Python {version} (it is published for 3.11 and 3.12, "
    "not for 3.13); decode greedily, without --decode_config, or run tools/setup.sh with Python 3.11 or 3.12"
)


@dataclass(frozen=True)
class Hypothesis:
    """Token ids without blanks; a beam search's has scores.

    Attributes:
        scores: ``score``, which the search compares, ``ctc_score``, natural logarithm, and ``lm_score``, base 10.
    """

    token_ids: tuple[int, ...]
    scores: dict[str, float] = field(default_factory=dict)


class Search(Protocol):
    """One utterance's posteriors (T, V), natural logarithm -> its hypotheses, the best first; at least one."""

    def __call__(self, log_probs: np.ndarray) -> list[Hypothesis]: ...


def require_flashlight() -> Any:
    """Return flashlight-text's decoder module.

    Raises:
        SpnerError: it is not installed; Python 3.13 has none.
    """
    try:
        import flashlight.lib.text.decoder.kenlm  # noqa: F401
        from flashlight.lib.text import decoder
    except ImportError as error:
        raise SpnerError(MISSING.format(version=".".join(map(str, sys.version_info[:2])))) from error
    return decoder


def has_flashlight() -> bool:
    """Whether this Python can do a beam search."""
    try:
        require_flashlight()
    except SpnerError:
        return False
    return True


@cache
def merge_freed_memory() -> None:
    """Let glibc merge small pieces of memory when they are freed, and not thousands of them together.

    A search frees all its states after each utterance; merging them took a quarter of its time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt:
        mallopt(M_MXFAST, 0)


@cache
def load_lm(arpa: Path, words: tuple[str, ...]) -> Any:
    """Return KenLM's model of an ARPA file, whose words the search knows by their place in ``words``."""
    require_flashlight()
    merge_freed_memory()
    from flashlight.lib.text.decoder.kenlm import KenLM
    from flashlight.lib.text.dictionary import Dictionary

    dictionary = Dictionary()
    for word in words:
        dictionary.add_entry(word)
    try:
        with _without_stderr():  # KenLM draws a progress bar
            return KenLM(str(arpa), dictionary)
    except RuntimeError as error:
        reason = " ".join(str(error).split("because", 1)[-1].split())
        raise SpnerError(f"{arpa}: KenLM cannot read it ({reason}); make it again with spner lm") from error


@contextmanager
def _without_stderr() -> Iterator[None]:
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def make_open_search(model: Path, token_list: Sequence[str], config: DecodeConfig) -> Search:
    """Return the search over a file of :func:`spner.decode.grammar.write_model` or ``write_grammar``."""
    decoder = require_flashlight()
    forms = make_forms(token_list)
    options = decoder.LexiconFreeDecoderOptions(
        beam_size=config.beam_size,
        beam_size_token=2 * config.beam_size_token,  # a token has two forms
        beam_threshold=config.beam_threshold,
        lm_weight=config.lm_weight,
        sil_score=0.0,
        log_add=True,
        criterion_type=decoder.CriterionType.CTC,
    )
    flashlight = decoder.LexiconFreeDecoder(options, load_lm(model, forms.names), 0, 0, [])
    columns = np.array(forms.columns)

    def search(log_probs: np.ndarray) -> list[Hypothesis]:
        found = _decode(flashlight, log_probs[:, columns])
        hyps = [_hypothesis(result, [int(columns[i]) for i in merge_repeats(result.tokens)]) for result in found]
        return balanced(hyps, token_list)

    return search


def make_lexicon_search(
    arpa: Path, token_list: Sequence[str], config: DecodeConfig, *, token_type: str, tokenizer: Tokenizer
) -> Search:
    """Return the search over the words of a word model that the tokens can spell.

    Raises:
        SpnerError: ``arpa`` is broken, or the tokens spell nearly none of its words.
    """
    decoder = require_flashlight()
    ids = {token: i for i, token in enumerate(token_list)}
    spellings = _spell(arpa, ids, tokenizer)
    words, symbols = tuple(spellings), find_symbols(token_list)
    lm = load_lm(arpa, words)
    blank, nothing = ids[BLANK], len(token_list)
    # flashlight may put any number of "silences" between words at no cost: spaces; for pieces, a token of posterior 0.
    silence = ids.get(SPACE, nothing)
    trie = decoder.Trie(nothing + 1, blank)
    for number, spelling in enumerate(spellings.values()):
        trie.insert(spelling, number, lm.score(lm.start(False), number)[1])
    trie.smear(decoder.SmearingMode.MAX)
    options = decoder.LexiconDecoderOptions(
        beam_size=config.beam_size,
        beam_size_token=config.beam_size_token,
        beam_threshold=config.beam_threshold,
        lm_weight=config.lm_weight,
        word_score=config.word_score,
        unk_score=-np.inf,
        sil_score=0.0,
        log_add=True,
        criterion_type=decoder.CriterionType.CTC,
    )
    flashlight = decoder.LexiconDecoder(options, trie, lm, silence, blank, nothing, [], False)

    def search(log_probs: np.ndarray) -> list[Hypothesis]:
        hyps = []
        for result in _decode(flashlight, np.pad(log_probs, ((0, 0), (0, 1)), constant_values=NEVER)):
            text = " ".join(words[number] for number in result.words if number >= 0)
            tokens = tokenizer.text_to_tokens(tighten(text, symbols) if token_type == CHAR else text)
            hyps.append(_hypothesis(result, [ids[token] for token in tokens]))
        return balanced(hyps, token_list)

    return search


def _spell(arpa: Path, ids: Mapping[str, int], tokenizer: Tokenizer) -> dict[str, list[int]]:
    """Return the words and entity symbols of a word model that the tokens can spell, each with its spelling.

    Raises:
        SpnerError: the tokens spell less than :data:`LEAST_SPELT` of its words; symbols do not count.
    """
    spellings = {}
    unspelt: list[str] = []
    num_words = 0
    for order, line in read_ngrams(arpa):
        if order == 1 and (word := split_ngram(line)[1][0]) not in SPECIALS:
            is_symbol = word.startswith("<")  # no transcript holds one
            num_words += not is_symbol
            tokens = tokenizer.text_to_tokens(word)
            if ids.keys() >= set(tokens):
                spellings[word] = [ids[token] for token in tokens]
            elif not is_symbol:
                unspelt.append(word)
    what = f"{len(unspelt)} of its {num_words} words hold letters that this recogniser has no token for"
    example = f", such as {quote(unspelt[0])}" if unspelt else ""
    if num_words - len(unspelt) < LEAST_SPELT * num_words or not num_words:
        raise SpnerError(
            f"{arpa}: {what}{example} (expected words in the form of transcripts, as a rule in lower case); normalise "
            "its text, or estimate it with spner lm --unit word on the dump that the recogniser was trained on"
        )
    if unspelt:
        log.warning("%s: %s%s; the search cannot write them", arpa, what, example)
    return spellings


def _decode(flashlight: Any, log_probs: np.ndarray) -> list[Any]:
    emissions = np.ascontiguousarray(log_probs, dtype=np.float32)
    return flashlight.decode(emissions.ctypes.data, *emissions.shape)


def _hypothesis(result: Any, token_ids: Iterable[int]) -> Hypothesis:
    scores = {"score": result.score, "ctc_score": result.emittingModelScore, "lm_score": result.lmScore}
    return Hypothesis(tuple(token_ids), {name: round(score, 4) for name, score in scores.items()})


def merge_repeats(path: Sequence[int], *, blank_id: int = 0) -> list[int]:
    """Return the tokens of a CTC path: repeats merged, blanks removed."""
    return [token for token, _ in groupby(path) if token != blank_id]


def search_greedily(log_probs: np.ndarray) -> list[Hypothesis]:
    """Return the hypothesis of the best path through posteriors (T, V), as a :class:`Search`.

    Source: Graves et al. 2006, section 3.2.
    """
    path = log_probs.argmax(axis=-1)
    return [Hypothesis(tuple(merge_repeats(path.tolist())))]


def balanced(hyps: Sequence[Hypothesis], token_list: Sequence[str]) -> list[Hypothesis]:
    """Return the best hypothesis of each text whose symbols are in balance, the best first.

    If no text is in balance, the best hypothesis is returned without its illegal symbols.
    """
    distinct: dict[str, Hypothesis] = {}
    labels = find_labels(token_list)
    for hyp in hyps:
        words = tokens_to_words(_tokens(hyp, token_list))
        if not text_to_spans(words, labels=labels).illegal:
            distinct.setdefault(" ".join(words), hyp)
    return [*distinct.values()] or [replace(hyps[0], token_ids=_without_illegal(hyps[0], token_list))]


def _tokens(hyp: Hypothesis, token_list: Sequence[str]) -> list[str]:
    return [token_list[i] for i in hyp.token_ids]


def _without_illegal(hyp: Hypothesis, token_list: Sequence[str]) -> tuple[int, ...]:
    """Return the token ids without the symbols that open inside an entity, close none, close nothing or stay open."""
    tokens, symbols = _tokens(hyp, token_list), find_symbols(token_list)
    dropped: set[int] = set()
    opened: int | None = None
    for place, token in enumerate([*tokens, ""]):
        if token != CLOSE and (token in symbols or place == len(tokens)):
            dropped |= {opened} if opened is not None else set()
            opened = place
        elif token == CLOSE:
            if opened is None or not tokens_to_words(tokens[opened + 1 : place]):
                dropped |= {place, place if opened is None else opened}
            opened = None
    return tuple(token_id for place, token_id in enumerate(hyp.token_ids) if place not in dropped)
