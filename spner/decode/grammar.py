"""The grammar of tagged text, built into a token model: the search then writes no illegal symbol.

The search's tokens are *forms*: a token has one form outside entities and a marked one inside (:func:`mark_inside`),
both with the token's posterior; an entity symbol has one. Whether a form may follow another then depends on
these two alone: only an opening symbol leads inside, only a close leads out, and the utterance ends outside. Each
illegal pair is added to the back-off model as a bigram of ``10^-99``; the n-grams of legal text are unchanged.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from spner.core.errors import SpnerError
from spner.core.files import atomic_text
from spner.data.tokens import BLANK, INSIDE, SOS_EOS, UNKNOWN, find_symbols
from spner.lm.arpa import read_counts, read_ngrams, split_ngram
from spner.text.tags import CLOSE

BEGIN, END, NEVER = "<s>", "</s>", -99.0
MAX_PAIRS = 5_000_000  # of forms: 120 MB of text, half a minute
SPECIALS = (UNKNOWN, BEGIN, END)


@dataclass(frozen=True)
class Forms:
    """The tokens of a search, blank first.

    Attributes:
        names: the forms.
        columns: the column of the posteriors that each takes.
        opens: the forms that lead inside.
    """

    names: tuple[str, ...]
    columns: tuple[int, ...]
    opens: frozenset[str]

    def is_legal(self, before: str, after: str) -> bool:
        """Whether tagged text can hold the two forms one after the other; ``<s>`` and ``</s>`` are its ends."""
        opened = before in self.opens
        if opened or before.endswith(INSIDE):
            return after.endswith(INSIDE) or (after == CLOSE and not opened)
        return after != CLOSE and not after.endswith(INSIDE)


def make_forms(token_list: Sequence[str]) -> Forms:
    """Return the forms of a token list; without entity symbols in it, every token has one."""
    symbols = find_symbols(token_list)
    forms = [(BLANK, token_list.index(BLANK))]
    for column, token in enumerate(token_list):
        if token in (BLANK, UNKNOWN, SOS_EOS):
            continue
        forms.append((token, column))
        if symbols and token not in symbols:
            forms.append((token + INSIDE, column))
    names, columns = zip(*forms, strict=True)
    return Forms(names, columns, frozenset(symbols) - {CLOSE})


def illegal_pairs(forms: Forms) -> list[tuple[str, str]]:
    """Return the pairs of forms, ends included, that tagged text cannot hold."""
    names = forms.names[1:] if forms.opens else ()
    return [pair for pair in product((BEGIN, *names), (*names, END)) if not forms.is_legal(*pair)]


def write_search_model(path: Path, arpa: Path | None, token_list: Sequence[str], *, weight: float = 1.0) -> None:
    """Write what an open search scores tokens with: a token model, or none, and the grammar of tagged text.

    The grammar names each illegal pair, and so grows with the square of the tokens.

    Args:
        path: ARPA file to write.
        arpa: the token model.
        token_list: the recogniser's.
        weight: the smallest that the search multiplies the model by, above 0; the grammar is as strict with each.

    Raises:
        SpnerError: there are too many tokens.
    """
    forms = make_forms(token_list)
    if forms.opens and len(forms.names) ** 2 // 2 > MAX_PAIRS:
        raise SpnerError(
            f"open search: {len(token_list)} tokens make a grammar of {len(forms.names) ** 2 / 2e6:.0f} million pairs "
            f"(expected {MAX_PAIRS // 10**6} million at most, some 1,500 tokens); search greedily, or train with a "
            "smaller --vocab_size"
        )
    if arpa is None:
        write_grammar(path, forms)
    else:
        write_model(path, arpa, forms, weight=weight)


def write_grammar(path: Path, forms: Forms) -> None:
    """Write an ARPA file in which legal text costs nothing: for a search without a language model."""
    unigrams = [f"0\t{name}\t0" for name in (*SPECIALS, *forms.names[1:])]
    _write(path, [len(unigrams), 0], unigrams, forms, [])


def write_model(path: Path, arpa: Path, forms: Forms, *, weight: float = 1.0) -> None:
    """Write a token model with the grammar in it; forms that the model lacks get the probability of ``<unk>``.

    An illegal pair gets ``10^-99``, or less where a weight below 1 would make that likely.

    Raises:
        SpnerError: ``arpa`` is broken, or is no model of these forms.
    """
    counts = read_counts(arpa)
    if len(counts) < 2:
        raise SpnerError(f"{arpa}: is of order 1 (expected 2 or more); make it again with spner lm --order 6")
    unigrams: dict[str, str] = {}
    unbalanced = ""
    for order, line in read_ngrams(arpa):
        if order == 1:
            unigrams[split_ngram(line)[1][0]] = line
        elif order == 2 and UNKNOWN not in (words := split_ngram(line)[1]) and not forms.is_legal(*words):
            unbalanced = " ".join(words)
    _require_forms(arpa, unigrams, forms)
    if unbalanced:
        raise SpnerError(
            f'{arpa}: holds "{unbalanced}", which no tagged text does: an entity in the text it was '
            "estimated from is not closed or not opened; mend that text and run spner lm again"
        )
    unknown = split_ngram(unigrams[UNKNOWN])[0]
    lines = [*unigrams.values(), *(f"{unknown}\t{name}\t0" for name in forms.names[1:] if name not in unigrams)]
    longer = (ngram for ngram in read_ngrams(arpa) if ngram[0] > 1)
    _write(path, [len(lines), *counts[1:]], lines, forms, longer, never=NEVER / min(1.0, weight))


def _require_forms(arpa: Path, known: Collection[str], forms: Forms) -> None:
    strange = [word for word in known if word not in SPECIALS and word not in forms.names]
    lacking = [word for word in SPECIALS if word not in known]
    if strange or lacking:
        found = f'holds "{strange[0]}", which is no token of this recogniser' if strange else f"lacks {lacking[0]}"
        raise SpnerError(
            f"{arpa}: {found}; estimate it with spner lm --unit token on the dump that the recogniser was trained on"
        )


def _write(
    path: Path,
    counts: list[int],
    unigrams: Iterable[str],
    forms: Forms,
    longer: Iterable[tuple[int, str]],
    *,
    never: float = NEVER,
) -> None:
    illegal = illegal_pairs(forms)
    backoff = "\t0" if len(counts) > 2 else ""
    with atomic_text(path) as file:
        sizes = [counts[0], counts[1] + len(illegal), *counts[2:]]
        file.write("\\data\\\n" + "".join(f"ngram {n}={size}\n" for n, size in enumerate(sizes, start=1)))
        file.write("\n\\1-grams:\n" + "".join(f"{line}\n" for line in unigrams))
        file.write("\n\\2-grams:\n")
        file.writelines(f"{never:g}\t{before} {after}{backoff}\n" for before, after in illegal)
        current = 2
        for order, line in longer:
            if order != current:
                file.write(f"\n\\{order}-grams:\n")
                current = order
            file.write(f"{line}\n")
        file.write("\n\\end\\\n")
