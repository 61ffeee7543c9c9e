from dataclasses import replace

import pytest

from spner.corpora.names import PoolSizes, draw_pools, draw_tagger_pools
from spner.corpora.phrasebook import read_phrasebook
from spner.datatypes import LABELS
from spner.errors import SpnerError

SIZES = PoolSizes(persons=40, first_names=10, surnames=16, places=30, organisations=20)


@pytest.mark.parametrize("lang", ["nl", "de", "en"])
def test_pools_have_the_sizes_asked_for_and_no_name_twice(lang: str) -> None:
    pools = draw_pools(read_phrasebook(lang), SIZES, seed=1, unseen=0.15)
    assert {label: len(set(pools[label].names)) for label in LABELS} == {"PER": 40, "ORG": 20, "LOC": 30}
    assert {label: len(pools[label].unseen) for label in LABELS} == {"PER": 6, "ORG": 3, "LOC": 4}


def test_territories_are_in_the_languages_own_spelling() -> None:
    names = {}
    for lang in ("nl", "de", "en"):
        pools = draw_pools(read_phrasebook(lang), replace(SIZES, places=300), seed=1, unseen=0)
        names[lang] = set(pools["LOC"].train)
    assert {"Noorwegen", "Keulen"} <= names["nl"]
    assert {"Norwegen", "Köln"} <= names["de"]
    assert {"Norway", "Cologne"} <= names["en"]


def test_persons_mix_real_people_ordinary_words_and_fakers_names() -> None:
    phrasebook = read_phrasebook("nl")
    persons = draw_pools(phrasebook, SIZES, seed=1, unseen=0)["PER"].train
    combined = [person for person in persons if person not in phrasebook.persons]
    assert len(combined) == 30
    assert len({person.split()[0] for person in combined}) <= 10
    ordinary = [person for person in combined if person.split(" ", 1)[1] in phrasebook.surnames]
    assert 5 <= len(ordinary) <= 25


def test_seeds_draw_different_names_and_the_same_seed_the_same() -> None:
    phrasebook = read_phrasebook("de")
    one = draw_pools(phrasebook, SIZES, seed=1, unseen=0.1)
    assert one == draw_pools(phrasebook, SIZES, seed=1, unseen=0.1)
    assert one != draw_pools(phrasebook, SIZES, seed=2, unseen=0.1)


@pytest.mark.parametrize("overlap", [0.0, 0.5, 1.0])
def test_the_tagger_knows_the_corpus_names_in_part(overlap: float) -> None:
    phrasebook = read_phrasebook("nl")
    corpus = draw_pools(phrasebook, SIZES, seed=1, unseen=0.15)
    tagger = draw_tagger_pools(phrasebook, SIZES, seed=1, overlap=overlap)
    for label in LABELS:
        known = set(corpus[label].names)
        assert len(known & set(tagger[label].names)) == round(overlap * len(known))
        assert len(set(tagger[label].names)) == len(known)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"faker": "nl_XX"}, r'nl\.yaml: Faker has no locale "nl_XX" .*correct the key faker; did you mean "nl_'),
        ({"territories": ("BE", "QX")}, 'territory "QX" is not in CLDR'),
        ({"organisations": ()}, "no ORG names for training"),
        ({"lang": "qq"}, '--lang "qq": CLDR has no such language'),
    ],
)
def test_mistakes_of_a_templates_file(change: dict[str, object], message: str) -> None:
    with pytest.raises(SpnerError, match=message):
        draw_pools(replace(read_phrasebook("nl"), **change), SIZES, seed=1, unseen=0.15)
