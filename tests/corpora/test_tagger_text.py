from pathlib import Path

import pytest

from spner.corpora.names import DEFAULT_POOLS
from spner.corpora.phrasebook import read_phrasebook
from spner.corpora.rows import draw_rows
from spner.corpora.tagger_text import make_tagger_text, write_tagger_text
from spner.errors import SpnerError
from spner.tags import bio_to_spans
from spner.textnorm import normalise


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
    possessives = [(tokens, tags) for tokens, tags in make_tagger_text("en", num_sentences=2000)
                   if "'s" in tokens and "book" in tokens]  # fmt: skip
    assert possessives
    for tokens, tags in possessives:
        place = tokens.index("'s")
        assert tags[place] == "O" and tags[place - 1] == "I-PER"


def test_dutch_names_with_an_apostrophe_stay_whole() -> None:
    names = {token for tokens, _ in make_tagger_text("nl", num_sentences=3000, overlap=1.0) for token in tokens}
    assert "'s-Hertogenbosch" in names and "'" not in names


def test_the_sentences_are_mostly_not_the_corpus_own() -> None:
    rows = draw_rows(read_phrasebook("nl"), {"train": 10, "dev": 1, "test": 150}, DEFAULT_POOLS, seed=1, unseen=0.15)
    corpus = {normalise(row.sentence.text, "nl") for row in rows["test"] if row.sentence.spans}
    tagger = {normalise(" ".join(tokens), "nl") for tokens, _ in make_tagger_text("nl", num_sentences=2000)}
    assert len(corpus & tagger) < 0.35 * len(corpus)


def test_writes_conll_columns_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_tagger_text(tmp_path / name, "de", num_sentences=20)
    text = (tmp_path / "one").read_text(encoding="utf-8")
    assert text == (tmp_path / "two").read_text(encoding="utf-8")
    sentences = text.removesuffix("\n\n").split("\n\n")
    expected = list(make_tagger_text("de", num_sentences=20))
    assert [[tuple(line.split(" ")) for line in sentence.split("\n")] for sentence in sentences] == [
        list(zip(tokens, tags, strict=True)) for tokens, tags in expected
    ]


def test_no_templates_no_file(tmp_path: Path) -> None:
    with pytest.raises(SpnerError, match="no templates"):
        write_tagger_text(tmp_path / "train.txt", "xx", num_sentences=2)
    assert not list(tmp_path.iterdir())
