"""The rows of the mini corpus's tables: the sentences of each set, planted defects included."""

import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from anyascii import anyascii

from spner.core import paths
from spner.core.errors import SpnerError
from spner.mini.names import PoolSizes, draw_pools
from spner.mini.phrasebook import Phrasebook, slots
from spner.mini.sentences import Sentence, choose_fillers, draw_sentences, fill
from spner.text.textnorm import normalise

DUPLICATE, SILENT, CORRUPT, EMPTY, FOREIGN = DEFECTS = (
    "duplicate_sentence",
    "silent_clip",
    "corrupt_clip",
    "empty_sentence",
    "foreign_script",
)
ROWS_PER_DUPLICATE = 200
MIN_ROWS_TO_CORRUPT = 102  # stage 1 takes at most 1 % of broken clips; two rows are removed before it reads any
MAX_VAIN_DRAWS = 200  # then the templates count as exhausted

FOREIGN_NAMES = (
    ("PER", "Владимир Соколов"),
    ("LOC", "Москва"),
    ("PER", "Νίκος Παππάς"),
    ("LOC", "Αθήνα"),
    ("PER", "Ольга Петрова"),
    ("LOC", "Новосибирск"),
)


@dataclass(frozen=True)
class Row:
    """One row of a set.

    Attributes:
        sentence: text of the table, with its entities.
        spoken: text that is spoken.
        defect: one of ``DEFECTS``, or empty.
    """

    sentence: Sentence
    spoken: str
    defect: str = ""


def draw_rows(
    phrasebook: Phrasebook,
    num_rows: dict[str, int],
    pool_sizes: PoolSizes,
    *,
    seed: int,
    unseen: float,
    shares: Mapping[str, float] | None = None,
) -> dict[str, list[Row]]:
    """Return the rows of train, dev and test; the sets share no sentence, and only planted duplicates occur twice.

    Args:
        phrasebook: the language's templates and names.
        num_rows: rows by set, planted defects (all in train) included.
        pool_sizes: how many names are mentioned.
        seed: random seed; test and dev do not depend on the size of train.
        unseen: share of the names, and of the mentions in dev and test, that train never has.
        shares: of the names, that groups of languages have in common.

    Raises:
        SpnerError: the templates give too few different sentences, or none that shows a foreign script; or too few
            names for the shares.
    """
    pools = draw_pools(phrasebook, pool_sizes, seed=seed, unseen=unseen, shares=shares)
    taken = {""}
    rows: dict[str, list[Row]] = {}
    for name in (paths.TEST, paths.DEV, paths.TRAIN):
        rng = random.Random(f"{name} {phrasebook.lang} {seed}")
        drawn = draw_sentences(phrasebook, pools, rng=rng, unseen=0 if name == paths.TRAIN else unseen)
        sentences = _distinct(drawn, taken, phrasebook.lang)
        if name != paths.TRAIN:
            rows[name] = [Row(s, s.text) for s in itertools.islice(sentences, num_rows[name])]
            continue
        num_duplicates = max(1, num_rows[name] // ROWS_PER_DUPLICATE)
        foreign = _foreign_row(phrasebook, choose_fillers(phrasebook, pools, rng, 0), rng)
        plain = [Row(s, s.text) for s in itertools.islice(sentences, num_rows[name] - num_duplicates - 1)]
        rows[name] = [*_plant(plain, num_duplicates, rng), foreign]
        rng.shuffle(rows[name])
    return {name: rows[name] for name in paths.SETS}


def _distinct(sentences: Iterator[Sentence], taken: set[str], lang: str) -> Iterator[Sentence]:
    """Yield the sentences whose normalised text is not yet in ``taken``, which grows."""
    num_vain = 0
    for sentence in sentences:
        text = normalise(sentence.text, lang)
        if text not in taken:
            taken.add(text)
            num_vain = 0
            yield sentence
        elif (num_vain := num_vain + 1) == MAX_VAIN_DRAWS:
            raise SpnerError(
                f"templates for {lang}: give hardly more than {len(taken)} different sentences; "
                "add sentences or words, or ask for fewer utterances"
            )


def _plant(rows: list[Row], num_duplicates: int, rng: random.Random) -> list[Row]:
    """Return the rows with a silent clip, an empty sentence and, among many, a corrupt clip, and the duplicates."""
    silent, corrupt, empty, *repeated = rng.sample(range(len(rows)), 3 + num_duplicates)
    planted = list(rows)
    planted[silent] = Row(rows[silent].sentence, rows[silent].spoken, SILENT)
    if len(rows) + num_duplicates + 1 >= MIN_ROWS_TO_CORRUPT:
        planted[corrupt] = Row(rows[corrupt].sentence, rows[corrupt].spoken, CORRUPT)
    planted[empty] = Row(Sentence(""), rows[empty].spoken, EMPTY)
    for number, index in enumerate(repeated):
        again = rows[index].sentence
        # Every second one ends in another mark, so that only the normalised sentences are equal.
        text = f"{again.text[:-1]}!" if number % 2 else again.text
        planted.append(Row(Sentence(text, again.spans), text, DUPLICATE))
    return planted


def _foreign_row(phrasebook: Phrasebook, choose: Callable[[str], str], rng: random.Random) -> Row:
    """Return a row that writes a name in a foreign script; its transliteration is spoken."""
    lang = phrasebook.lang
    candidates = [
        (template, label, name)
        for template in phrasebook.sentences
        for label, name in FOREIGN_NAMES
        if slots(template).count(label) == 1 and normalise(name, lang) != name.lower()
    ]
    if not candidates:
        raise SpnerError(f"templates for {lang}: no sentence with a single {{PER}} or {{LOC}}; add one")
    template, label, name = rng.choice(candidates)
    sentence = fill(phrasebook, template, lambda slot: name if slot == label else choose(slot))
    return Row(sentence, sentence.text.replace(name, anyascii(name)), FOREIGN)
