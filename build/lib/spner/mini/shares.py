"""Names that mini corpora of several languages have in common: shares and choice.

With ``{"de+nl": 0.2}`` the Dutch and the German corpus of one seed mention the same international names in a fifth of
each of their pools, each in its own spelling. Groups have no name in common. All corpora are made with the same shares.
"""

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from spner.core.errors import SpnerError, nearest, quote
from spner.mini.international import International

OPTION = re.compile(r"([\w-]+(?:\+[\w-]+)+)=(\d*\.?\d+)", re.ASCII)


def parse_shares(options: Iterable[str], international: International) -> dict[str, float]:
    """Return the share of each group, its languages in alphabetical order.

    Args:
        options: such as ``nl+de=0.2``.
        international: knows the languages.

    Raises:
        SpnerError: an option is none, repeats a group or has an unknown language, or a language's shares exceed 1.
    """
    shares: dict[str, float] = {}
    for option in options:
        match = OPTION.fullmatch(option)
        languages = sorted(match[1].split("+")) if match else []
        if not match or len(set(languages)) < len(languages):
            raise SpnerError(
                f"--share {quote(option)}: expected different languages and the share of their names that "
                "they have in common, such as nl+de=0.2"
            )
        for lang in languages:
            require_known(lang, international, option=f"--share {quote(option)}")
        group = "+".join(languages)
        if group in shares:
            raise SpnerError(f"--share {quote(option)}: {group} has a share already (expected each group once)")
        shares[group] = float(match[2])
    totals: Counter[str] = Counter()
    for group, share in shares.items():
        totals.update(dict.fromkeys(group.split("+"), share))
    for lang, total in totals.items():
        if total > 1 + 1e-9:
            raise SpnerError(f"--share: the shares of {lang} add up to {total:g} (expected 1 at most); lower them")
    return shares


def require_known(lang: str, international: International, *, option: str) -> None:
    """Refuse a language that the file of international names lacks; ``option`` is what asked for it."""
    if lang not in international.languages:
        raise SpnerError(
            f'{option}: no international names in "{lang}"{nearest(lang, international.languages)} '
            f"(expected one of {', '.join(international.languages)}); add them to {international.file}"
        )


def draw_shared(
    international: International, shares: Mapping[str, float], sizes: Mapping[str, int], *, lang: str, seed: int
) -> dict[str, list[str]]:
    """Return a language's shared names by label, in its spelling.

    Args:
        international: the names to draw from.
        shares: of every group, this language's or not; a group's names depend on all of them, not on the language.
        sizes: names by label, of which the shares are taken.
        lang: the language.
        seed: of the draw.

    Raises:
        SpnerError: there are too few international names, or rounding makes the shares of a pool larger than the pool.
    """
    # Those that ask for a spelling in the most languages choose first.
    groups = sorted(shares, key=lambda group: (-group.count("+"), group))
    drawn: dict[str, list[str]] = {}
    for label, size in sizes.items():
        left = list(international.names[label])
        drawn[label] = []
        for group in groups:
            languages = group.split("+")
            candidates = [name for name in left if all(other in name for other in languages)]
            num = round(shares[group] * size)
            if num > len(candidates):
                raise SpnerError(
                    f"--share {group}={shares[group]:g}: asks for {num} {label} names (found "
                    f"{len(candidates)} left); lower the shares or add names to {international.file}"
                )
            chosen = random.Random(f"shared {label} {group} {seed}").sample(candidates, num)
            left = [name for name in left if name not in chosen]
            if lang in languages:
                drawn[label] += [name[lang] for name in chosen]
        if len(drawn[label]) > size:
            raise SpnerError(
                f"--share: the shares of {lang}, rounded, are {len(drawn[label])} of {size} {label} "
                "names; lower one of them"
            )
    return drawn
