"""The names that the mini corpus mentions: pools from a phrasebook, Faker and CLDR, and shared names."""

import random
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from spner.core.errors import SpnerError, nearest
from spner.mini.international import KINDS, International, read_international
from spner.mini.phrasebook import Phrasebook
from spner.mini.shares import draw_shared, require_known

MAX_NAME_WORDS = 3
"""Longer ones (``van Hoevel en van Zwindrecht``) are rare outside Faker."""


@dataclass(frozen=True)
class PoolSizes:
    """How many different names the corpus mentions; fewer are easier to recognise.

    Attributes:
        persons: full names; a quarter is the phrasebook's, the others combine first names and surnames.
        first_names: the first names they are combined from.
        surnames: the surnames they are combined from, half of them the phrasebook's.
        places: a third of them territories.
        organisations: all of them the phrasebook's.
    """

    persons: int = 40
    first_names: int = 12
    surnames: int = 20
    places: int = 30
    organisations: int = 20


DEFAULT_POOLS = PoolSizes()


@dataclass(frozen=True)
class Pool:
    """The names of one label: those the training set may mention, and those only dev and test mention, too."""

    train: tuple[str, ...]
    unseen: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every name."""
        return self.train + self.unseen


def draw_pools(
    phrasebook: Phrasebook, sizes: PoolSizes, *, seed: int, unseen: float, shares: Mapping[str, float] | None = None
) -> dict[str, Pool]:
    """Return each label's pool; the same arguments give the same pools.

    Args:
        phrasebook: the language's names; where it has too few, a pool is smaller than asked for.
        sizes: names a pool.
        seed: of the draw.
        unseen: share of a pool, 0 to 1, that the training set never mentions.
        shares: of each group of languages, as :mod:`spner.mini.shares` has them. With them all other names are the
            language's own: none is in the file of international names, and a country only as one of its own there.

    Raises:
        SpnerError: a label has no name that the training set may mention, or the shares cannot be served.
    """
    known, _ = _draw_names(phrasebook, sizes, seed, shares)
    pools = {}
    for label, names in known.items():
        num_unseen = round(unseen * len(names))
        if num_unseen == len(names):
            raise SpnerError(
                f"templates for {phrasebook.lang}: no {label} names for training (found {len(names)}, of "
                f"which {unseen:.0%} are kept from it); add names or lower the share"
            )
        pools[label] = Pool(tuple(names[num_unseen:]), tuple(names[:num_unseen]))
    return pools


def draw_tagger_pools(
    phrasebook: Phrasebook, sizes: PoolSizes, *, seed: int, overlap: float, shares: Mapping[str, float] | None = None
) -> dict[str, Pool]:
    """Return the pools of the tagger's text: each as large as the corpus's, which it shares in part.

    Args:
        phrasebook: as for :func:`draw_pools`.
        sizes: as for :func:`draw_pools`.
        seed: the corpus's seed.
        overlap: share of the corpus's names, 0 to 1, that the tagger's text mentions as well.
        shares: the corpus's.
    """
    known, others = _draw_names(phrasebook, sizes, seed, shares)
    rng = random.Random(f"tagger names {seed}")
    pools = {}
    for label, names in known.items():
        shared = rng.sample(names, round(overlap * len(names)))
        pools[label] = Pool(tuple(shared + others[label][: len(names) - len(shared)]), ())
    return pools


def _draw_names(
    phrasebook: Phrasebook, sizes: PoolSizes, seed: int, shares: Mapping[str, float] | None
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return each label's names of the corpus, and the names that are left over; both in a random order."""
    if not shares:
        return _draw_own_names(phrasebook, sizes, seed)
    international = read_international()
    lang = phrasebook.lang
    require_known(lang, international, option=f'--share with --lang "{lang}"')
    num_names = {label: getattr(sizes, kind) for label, kind in KINDS.items()}
    shared = draw_shared(international, shares, num_names, lang=lang, seed=seed)
    num_own = {label: num_names[label] - len(shared[label]) for label in KINDS}
    own_sizes = replace(sizes, **{kind: num_own[label] for label, kind in KINDS.items()})
    own, others = _draw_own_names(_without_international(phrasebook, international), own_sizes, seed)
    for label, names in own.items():
        if len(names) < num_own[label]:
            raise SpnerError(
                f"templates for {lang}: {len(names)} {label} names that other languages do not have, "
                f"besides {len(shared[label])} shared ones (expected {num_own[label]}); add names or "
                "raise the shares"
            )
    rng = random.Random(f"own and shared names {lang} {seed}")
    return {label: _shuffled(own[label] + shared[label], rng) for label in own}, others


def _without_international(phrasebook: Phrasebook, international: International) -> Phrasebook:
    """Return the phrasebook with the names only that no other language's corpus mentions."""
    own: dict[str, Any] = {}
    for label, kind in KINDS.items():
        spellings = international.spellings(label)
        own[kind] = tuple(name for name in getattr(phrasebook, kind) if name not in spellings)
    lists = international.own[phrasebook.lang]
    own["organisations"] += lists["organisations"]
    return replace(phrasebook, **own, territories=lists["territories"])


def _draw_own_names(
    phrasebook: Phrasebook, sizes: PoolSizes, seed: int
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return what :func:`_draw_names` does, from the phrasebook and Faker alone."""
    rng = random.Random(f"names {phrasebook.lang} {seed}")
    persons, other_persons = _draw_persons(phrasebook, sizes, rng)
    territories = _territory_names(phrasebook)
    places, other_places = _split_off(phrasebook.places, sizes.places - sizes.places // 3, rng)
    countries, other_countries = _split_off(territories, sizes.places // 3, rng)
    organisations, other_organisations = _split_off(phrasebook.organisations, sizes.organisations, rng)
    known = {"PER": persons, "ORG": organisations, "LOC": _shuffled(places + countries, rng)}
    others = {"PER": other_persons, "ORG": other_organisations, "LOC": _shuffled(other_places + other_countries, rng)}
    return known, others


def _draw_persons(phrasebook: Phrasebook, sizes: PoolSizes, rng: random.Random) -> tuple[list[str], list[str]]:
    """Return the corpus's persons and as many others, who share neither first name nor surname with them."""
    first_names, faker_surnames = _faker_names(phrasebook, sizes, rng)
    known_firsts, other_firsts = _split_off(first_names, sizes.first_names, rng)
    known_lasts, other_lasts = _split_off(phrasebook.surnames, sizes.surnames // 2, rng)
    surnames = [name for name in faker_surnames if name not in phrasebook.surnames]
    faker_lasts, other_faker_lasts = _split_off(surnames, sizes.surnames - len(known_lasts), rng)
    known, others = _split_off(phrasebook.persons, sizes.persons // 4, rng)
    known += _combine(known_firsts, known_lasts + faker_lasts, sizes.persons - len(known), rng)
    others += _combine(other_firsts, other_lasts + other_faker_lasts, sizes.persons, rng)
    return _shuffled(known, rng), _shuffled(others, rng)


def _combine(first_names: list[str], surnames: list[str], num: int, rng: random.Random) -> list[str]:
    pairs = [f"{first} {last}" for first in first_names for last in surnames]
    return rng.sample(pairs, min(num, len(pairs)))


def _faker_names(phrasebook: Phrasebook, sizes: PoolSizes, rng: random.Random) -> tuple[list[str], list[str]]:
    """Return twice as many first names and surnames as the corpus needs, each once."""
    from faker import Faker
    from faker.config import AVAILABLE_LOCALES

    if phrasebook.faker not in AVAILABLE_LOCALES:
        raise SpnerError(
            f'{phrasebook.file}: Faker has no locale "{phrasebook.faker}" (expected one of its '
            "locales; that of a near language will do); correct the key faker"
            f"{nearest(phrasebook.faker, AVAILABLE_LOCALES)}"
        )
    faker = Faker(phrasebook.faker)
    faker.seed_instance(rng.getrandbits(32))
    drawn = []
    for draw, num in ((faker.first_name, sizes.first_names), (faker.last_name, sizes.surnames)):
        names = dict.fromkeys(unicodedata.normalize("NFC", draw()) for _ in range(20 * num))
        drawn.append([name for name in names if len(name.split()) <= MAX_NAME_WORDS][: 2 * num])
    return drawn[0], drawn[1]


def _territory_names(phrasebook: Phrasebook) -> list[str]:
    """Return CLDR's names of the phrasebook's territories, in its language."""
    from babel import Locale, UnknownLocaleError

    try:
        names = Locale.parse(phrasebook.lang).territories
    except UnknownLocaleError as error:
        raise SpnerError(f'--lang "{phrasebook.lang}": CLDR has no such language ({error})') from error
    for code in phrasebook.territories:
        if code not in names:
            raise SpnerError(
                f'templates for {phrasebook.lang}: territory "{code}" is not in CLDR (expected ISO 3166 '
                "codes such as BE); correct the key territories"
            )
    return [unicodedata.normalize("NFC", names[code]) for code in phrasebook.territories]


def _split_off(names: Iterable[str], num: int, rng: random.Random) -> tuple[list[str], list[str]]:
    """Return ``num`` random names, or all if there are fewer, and the rest."""
    shuffled = _shuffled(names, rng)
    return shuffled[:num], shuffled[num:]


def _shuffled(names: Iterable[str], rng: random.Random) -> list[str]:
    names = list(names)
    rng.shuffle(names)
    return names
