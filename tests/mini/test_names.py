import hashlib
import itertools
from dataclasses import replace

import pytest
from faker import Faker

from spner.core.datatypes import LABELS
from spner.core.errors import SpnerError
from spner.mini.international import KINDS, read_international
from spner.mini.names import DEFAULT_POOLS, Pool, PoolSizes, draw_pools, draw_tagger_pools
from spner.mini.phrasebook import read_phrasebook
from spner.mini.rows import draw_rows
from spner.text.textnorm import normalise

SIZES = PoolSizes(persons=40, first_names=10, surnames=16, places=30, organisations=20)
LANGUAGES = ("nl", "de", "en")
INTERNATIONAL = read_international()
SHARES = {"de+en+nl": 0.2, "de+nl": 0.2}


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


# Shared names


@pytest.mark.parametrize(
    ("lang", "digest"),
    [
        ("nl", "6971fed56872272ed4b5a0965b337afb59fce00dcd7499e9dc45ebd24f57eae9"),
        ("de", "ebc8546cafe97e912d37b36739a313261eabc7a093dc66e217f9882a0a92a1da"),
        ("en", "08918388eb9dce3cb61fee3b5a26209ad42cafa7cff63bf5ac7a22d3a713d56b"),
    ],
)
def test_the_default_corpus_stays_what_published_numbers_were_measured_on(lang: str, digest: str) -> None:
    num_rows = {"train": 900, "dev": 80, "test": 150}
    rows = draw_rows(read_phrasebook(lang), num_rows, DEFAULT_POOLS, seed=1, unseen=0.15)
    assert hashlib.sha256(repr(rows).encode()).hexdigest() == digest


def _draw(shares: dict[str, float], *, seed: int = 1) -> dict[str, dict[str, Pool]]:
    return {
        lang: draw_pools(read_phrasebook(lang), DEFAULT_POOLS, seed=seed, unseen=0.15, shares=shares)
        for lang in LANGUAGES
    }


def _international(lang: str, label: str) -> dict[str, int]:
    """Return the number of each international name, by its spelling."""
    names = INTERNATIONAL.names[label]
    return {name[lang]: number for number, name in enumerate(names) if lang in name}


def _num_common(pools: dict[str, dict[str, Pool]], first: str, second: str, label: str) -> int:
    """Count the names of both pools, whatever their spelling."""
    numbers = [
        {_international(lang, label).get(name, name) for name in pools[lang][label].names} for lang in (first, second)
    ]
    return len(set.intersection(*numbers))


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        pytest.param(SHARES, {"nl de": 0.4, "nl en": 0.2, "de en": 0.2}, id="more between nl and de"),
        pytest.param({"de+nl": 0.6, "en+nl": 0.2}, {"nl de": 0.6, "nl en": 0.2, "de en": 0}, id="only with nl"),
        pytest.param({"de+nl": 0.4}, {"nl de": 0.4, "nl en": 0, "de en": 0}, id="en in no group"),
        pytest.param({"de+nl": 0.0}, {"nl de": 0, "nl en": 0, "de en": 0}, id="nothing in common"),
    ],
)
def test_languages_have_in_common_what_was_asked_for(
    shares: dict[str, float], expected: dict[str, float], seed: int
) -> None:
    pools = _draw(shares, seed=seed)
    for pair, share in expected.items():
        assert {label: _num_common(pools, *pair.split(), label) for label in LABELS} == {
            "PER": round(40 * share),
            "ORG": round(20 * share),
            "LOC": round(30 * share),
        }
    for lang in LANGUAGES:
        assert {label: len(set(pools[lang][label].names)) for label in LABELS} == {"PER": 40, "ORG": 20, "LOC": 30}


@pytest.mark.parametrize("label", LABELS)
def test_what_is_spelt_alike_in_two_corpora_is_a_shared_name(label: str) -> None:
    pools = _draw(SHARES)
    for first, second in itertools.combinations(LANGUAGES, 2):
        words = [{normalise(name, lang): name for name in pools[lang][label].names} for lang in (first, second)]
        for phrase in words[0].keys() & words[1].keys():
            one, two = (own[phrase] for own in words)
            assert _international(first, label)[one] == _international(second, label)[two]


def test_a_shared_name_has_each_languages_spelling() -> None:
    pools = _draw({"de+en+nl": 0.6})
    numbers = {
        lang: {
            _international(lang, "LOC")[name]: name
            for name in pools[lang]["LOC"].names
            if name in _international(lang, "LOC")
        }
        for lang in LANGUAGES
    }
    assert numbers["nl"].keys() == numbers["de"].keys() == numbers["en"].keys()
    triples = {tuple(numbers[lang][number] for lang in LANGUAGES) for number in numbers["nl"]}
    assert len(triples) == 18
    assert (
        len(
            {
                "Praag Prag Prague",
                "Athene Athen Athens",
                "Venetië Venedig Venice",
                "Keulen Köln Cologne",
                "Wenen Wien Vienna",
            }
            & {" ".join(triple) for triple in triples}
        )
        >= 2
    )


def test_shared_names_are_spread_over_train_and_unseen() -> None:
    shared, unseen = 0, 0
    for seed in range(1, 11):
        pool = draw_pools(read_phrasebook("nl"), DEFAULT_POOLS, seed=seed, unseen=0.25, shares=SHARES)["PER"]
        known = _international("nl", "PER")
        shared += sum(name in known for name in pool.names)
        unseen += sum(name in known for name in pool.unseen)
    assert shared == 160 and 0.15 < unseen / shared < 0.35


def test_shared_names_depend_on_the_seed_alone() -> None:
    assert _draw(SHARES) == _draw(dict(reversed(SHARES.items())))
    known = _international("nl", "LOC").keys()
    one, two = (set(_draw(SHARES, seed=seed)["nl"]["LOC"].names) & known for seed in (1, 2))
    assert one != two


@pytest.mark.parametrize("lang", LANGUAGES)
def test_other_names_of_a_corpus_with_shares_are_no_international_ones(lang: str) -> None:
    pools = _draw({"de+en": 0.0})[lang]
    for label in LABELS:
        assert not {name for name in pools[label].names if name in INTERNATIONAL.spellings(label)}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_international_person_can_be_made_up(lang: str) -> None:
    phrasebook = read_phrasebook(lang)
    faker = Faker(phrasebook.faker)
    faker.seed_instance(1)
    firsts = {faker.first_name() for _ in range(5000)}
    lasts = {faker.last_name() for _ in range(5000)} | set(phrasebook.surnames)
    made_up = [
        name for name in _international(lang, "PER") if name.split()[0] in firsts and name.partition(" ")[2] in lasts
    ]
    assert firsts and made_up == []


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(LANGUAGES, 2)))
def test_names_of_two_templates_files_are_international(first: str, second: str) -> None:
    one, two = read_phrasebook(first), read_phrasebook(second)
    for label, kind in KINDS.items():
        assert set(getattr(one, kind)) & set(getattr(two, kind)) <= INTERNATIONAL.spellings(label)
    assert not set(INTERNATIONAL.own[first]["territories"]) & set(INTERNATIONAL.own[second]["territories"])


def test_the_tagger_of_a_corpus_with_shares_knows_its_names() -> None:
    corpus = _draw(SHARES)["de"]
    tagger = draw_tagger_pools(read_phrasebook("de"), DEFAULT_POOLS, seed=1, overlap=0.85, shares=SHARES)
    for label in LABELS:
        known = set(corpus[label].names)
        assert len(known & set(tagger[label].names)) == round(0.85 * len(known))
        assert len(set(tagger[label].names)) == len(known)


def test_a_language_without_international_names_has_no_shares() -> None:
    phrasebook = replace(read_phrasebook("nl"), lang="fr")
    with pytest.raises(SpnerError) as error:
        draw_pools(phrasebook, DEFAULT_POOLS, seed=1, unseen=0.15, shares=SHARES)
    assert str(error.value) == (
        '--share with --lang "fr": no international names in "fr" (expected one of nl, de, en); add them to '
        f"{INTERNATIONAL.file}"
    )


def test_too_few_names_of_a_languages_own() -> None:
    phrasebook = replace(read_phrasebook("nl"), organisations=("Feyenoord", "Philips"))
    with pytest.raises(SpnerError) as error:
        draw_pools(phrasebook, DEFAULT_POOLS, seed=1, unseen=0.15, shares=SHARES)
    assert str(error.value) == (
        "templates for nl: 7 ORG names that other languages do not have, besides 8 shared ones (expected 12); add "
        "names or raise the shares"
    )
