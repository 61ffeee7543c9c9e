import hashlib
from pathlib import Path

import pytest

from spner.cli import main
from spner.core.datatypes import LABELS
from spner.core.errors import SpnerError
from spner.core.files import write_json
from spner.mini import make as mini
from spner.mini.make import VERSION, make_mini_corpus
from spner.mini.names import DEFAULT_POOLS, PoolSizes, draw_pools
from spner.mini.phrasebook import read_phrasebook
from spner.mini.rows import draw_rows
from spner.mini.tagger_text import make_tagger_text, write_tagger_text
from spner.text.tags import bio_to_spans
from spner.text.textnorm import normalise


@pytest.mark.parametrize("lang", ["nl", "de", "en"])
def test_text_is_cased_tokenised_and_tagged(lang: str) -> None:
    sentences = list(make_tagger_text(lang, num_sentences=300))
    assert len(sentences) == 300
    labels = set()
    for tokens, tags in sentences:
        assert len(tokens) == len(tags)
        assert tokens[-1] in ".?" and tags[-1] == "O"
        assert not any(any(mark in token for mark in " .?,!") for token in tokens[:-1] if len(token) > 1)
        labels |= {entity.label for entity in bio_to_spans(tags)}
        for tag, before in zip(tags, ["O", *tags], strict=False):
            assert tag[:1] != "I" or before[2:] == tag[2:], "IOB2: an entity begins with B"
    assert labels == {"PER", "ORG", "LOC"}
    entity_free = sum(set(tags) == {"O"} for _, tags in sentences) / 300
    assert 0.25 < entity_free < 0.42


def test_a_possessive_is_no_part_of_the_name() -> None:
    possessives = [
        (tokens, tags)
        for tokens, tags in make_tagger_text("en", num_sentences=2000)
        if "'s" in tokens and "book" in tokens
    ]
    assert possessives
    for tokens, tags in possessives:
        place = tokens.index("'s")
        assert tags[place] == "O" and tags[place - 1] == "I-PER"


def test_dutch_names_with_an_apostrophe_stay_whole() -> None:
    names = {token for tokens, _ in make_tagger_text("nl", num_sentences=3000) for token in tokens}
    assert "'s-Hertogenbosch" in names and "'" not in names


def test_the_sentences_are_mostly_not_the_corpus_own() -> None:
    rows = draw_rows(read_phrasebook("nl"), {"train": 10, "dev": 1, "test": 150}, DEFAULT_POOLS, seed=1, unseen=0.15)
    corpus = {normalise(row.sentence.text, "nl") for row in rows["test"] if row.sentence.spans}
    tagger = {normalise(" ".join(tokens), "nl") for tokens, _ in make_tagger_text("nl", num_sentences=2000)}
    assert len(corpus & tagger) < 0.35 * len(corpus)


# Of a corpus

FEW_NAMES = PoolSizes(persons=20, first_names=6, surnames=10, places=20, organisations=10)
TINY = {"num_train": 10, "num_dev": 1, "num_test": 1, "num_workers": 1}


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> Path:
    corpus = tmp_path_factory.mktemp("default")
    make_mini_corpus(corpus, lang="de", **TINY)
    return corpus


@pytest.fixture(scope="module")
def sharing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of other settings than the default's, all that decide on names."""
    corpus = tmp_path_factory.mktemp("sharing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mini, "DEFAULT_POOLS", FEW_NAMES)
        make_mini_corpus(corpus, lang="en", seed=3, shares=["nl+en=0.5"], **TINY)
    return corpus


def test_writes_conll_columns_the_same_each_time(default: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_tagger_text(default, tmp_path / name, num_sentences=20)
    text = (tmp_path / "one").read_text(encoding="utf-8")
    assert text == (tmp_path / "two").read_text(encoding="utf-8")
    sentences = text.removesuffix("\n\n").split("\n\n")
    expected = list(make_tagger_text("de", num_sentences=20))
    assert [[tuple(line.split(" ")) for line in sentence.split("\n")] for sentence in sentences] == [
        list(zip(tokens, tags, strict=True)) for tokens, tags in expected
    ]


def test_the_command_takes_a_corpus(default: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["mini-text", "--corpus", str(default), "--out", str(tmp_path / "text"), "--num_sentences", "2"])
    assert capsys.readouterr().out == f"{tmp_path / 'text'}: 2 sentences\n"
    assert (tmp_path / "text").read_text(encoding="utf-8").count("\n\n") == 2


def test_the_default_corpus_text_stays_what_published_numbers_were_measured_with(default: Path, tmp_path: Path) -> None:
    write_tagger_text(default, tmp_path / "text", num_sentences=4000)
    digest = hashlib.sha256((tmp_path / "text").read_bytes()).hexdigest()
    assert digest == "8c7e751a7d5d439b97234f1a77c20432b7cee19ab8e5c861d0a7d6e17ed4aa04"


def test_the_text_mentions_the_names_of_its_corpus_whatever_that_is_made_with(sharing: Path, tmp_path: Path) -> None:
    write_tagger_text(sharing, tmp_path / "text", num_sentences=4000)
    pools = draw_pools(read_phrasebook("en"), FEW_NAMES, seed=3, unseen=0.15, shares={"en+nl": 0.5})
    mentioned: dict[str, set[str]] = {label: set() for label in LABELS}
    for sentence in (tmp_path / "text").read_text(encoding="utf-8").removesuffix("\n\n").split("\n\n"):
        tokens, tags = zip(*(line.split(" ") for line in sentence.split("\n")), strict=True)
        for entity in bio_to_spans(tags):
            mentioned[entity.label].add(normalise(" ".join(tokens[entity.start : entity.end]), "en"))
    for label in LABELS:
        known = {normalise(name, "en") for name in pools[label].names}
        assert len(known & mentioned[label]) == round(0.85 * len(known))
        assert len(mentioned[label]) == len(known)


def test_another_folder_than_a_corpus_has_no_text(tmp_path: Path) -> None:
    with pytest.raises(SpnerError) as error:
        write_tagger_text(tmp_path / "mini", tmp_path / "text", num_sentences=2)
    assert str(error.value) == (
        f"{tmp_path}/mini: holds no mini_corpus.json (expected a mini corpus); run stage 1 (spner mini-corpus)"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("settings", [{"version": 1, "lang": "nl"}, ["nl"]], ids=["older", "no settings"])
def test_a_corpus_of_another_version_has_no_text(tmp_path: Path, settings: object) -> None:
    write_json(tmp_path / "mini_corpus.json", settings)
    with pytest.raises(SpnerError) as error:
        write_tagger_text(tmp_path, tmp_path / "text", num_sentences=2)
    assert (
        str(error.value)
        == f"{tmp_path}/mini_corpus.json: is not of version {VERSION}; rerun stage 1 (spner mini-corpus)"
    )


def test_no_templates_no_text() -> None:
    with pytest.raises(SpnerError, match="no templates"):
        next(make_tagger_text("xx", num_sentences=2))
