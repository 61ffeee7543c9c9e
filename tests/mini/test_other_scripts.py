"""Russian and Japanese mini corpora through stages 1 to 3, in their own scripts; Japanese words are characters."""

import functools
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest

from spner.core import paths
from spner.core.files import read_lines
from spner.corpora.prepare import prepare_data
from spner.data.datadir import read_entities, read_sentences, read_table
from spner.data.tokens import make_tokens
from spner.mini import make as mini
from spner.mini.make import make_mini_corpus
from spner.mini.phrasebook import read_phrasebook
from spner.tagger import annotate as room
from spner.tagger.annotate import annotate_data_dir
from spner.text.labels import LabelSet
from spner.text.split import split_words
from spner.text.textnorm import normalise

TEMPLATES = Path(__file__).parent / "templates"
LANGUAGES = {"ru": "CYRILLIC", "ja": "CJK IDEOGRAPHIC HIRAGANA KATAKANA KATAKANA-HIRAGANA"}


class KnowsOne:
    """A tagger that knows a place, as a sequence of words, and sees what it is asked."""

    def __init__(self, place: list[str]) -> None:
        self.place = place

    def predict(self, sentences: Sequence[Sequence[str]], *, batch_tokens: int) -> list[list[str]]:
        tagged = []
        for words in sentences:
            tags = ["O"] * len(words)
            for start in range(len(words) - len(self.place) + 1):
                if list(words[start : start + len(self.place)]) == self.place:
                    tags[start : start + len(self.place)] = ["B-LOC", *["I-LOC"] * (len(self.place) - 1)]
            tagged.append(tags)
        return tagged


@pytest.fixture(scope="module", params=LANGUAGES)
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, str]:
    """A language, its folder after stages 1 to 3 (data, dump), and the place that the tagger knew."""
    lang, out = request.param, tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mini, "read_phrasebook", functools.partial(read_phrasebook, folder=TEMPLATES))
        make_mini_corpus(out / "corpus", lang=lang, num_train=40, num_dev=4, num_test=6, num_workers=1)
        prepare_data(out / "corpus", out / "data", lang=lang, max_broken=0.1, num_workers=1)
        gold = read_entities(out / "data" / paths.TRAIN / paths.GOLD_ENTITIES)
        sentences = read_sentences(out / "data" / paths.TRAIN / paths.SENTENCES)
        places = read_phrasebook(lang, folder=TEMPLATES).places
        place = next(one for one in places if any(one in sentence for sentence in sentences.values()))
        tagger = KnowsOne([place[start:end] for start, end in split_words(place, lang)])
        patch.setattr(room, "load_tagger", lambda *_, **__: tagger)
        annotate_data_dir(out / "data", tagger="one", lang=lang, labels=LabelSet())
        make_tokens(out / "data", out / "dump")
    assert gold
    return lang, out, place


def test_transcripts_keep_their_script(prepared: tuple[str, Path, str]) -> None:
    lang, out, _ = prepared
    latin = 0
    for text in read_table(out / "data" / paths.TRAIN / paths.TEXT).values():
        for word in text.split():
            if word.isascii():
                latin += 1
                continue
            assert all(unicodedata.name(sign).split()[0] in LANGUAGES[lang] for sign in word), word
            assert lang != "ja" or len(word) == 1
    assert 0 < latin <= 4  # the planted name of another script


def test_names_in_another_script_are_transliterated_to_latin(prepared: tuple[str, Path, str]) -> None:
    lang, out, _ = prepared
    gold = read_entities(out / "data" / paths.TRAIN / paths.GOLD_ENTITIES)
    foreign = {one.phrase(entity) for one in gold.values() for entity in one.entities if one.phrase(entity).isascii()}
    assert len(foreign) == 1
    assert foreign <= {"nikos pappas", "athina", "vladimir sokolov", "moskva", "olga petrova", "novosibirsk"}


def test_gold_entities_are_on_the_words_of_their_names(prepared: tuple[str, Path, str]) -> None:
    lang, out, _ = prepared
    gold = read_entities(out / "data" / paths.TRAIN / paths.GOLD_ENTITIES)
    phrases = {one.phrase(entity) for one in gold.values() for entity in one.entities}
    organisations = {normalise(name, lang) for name in read_phrasebook(lang, folder=TEMPLATES).organisations}
    assert len(phrases) > 15 and organisations & phrases
    assert {" ".join(one.words) for one in gold.values()} == set(
        read_table(out / "data" / paths.TRAIN / paths.TEXT).values()
    )


def test_a_tagger_s_labels_are_on_the_same_words(prepared: tuple[str, Path, str]) -> None:
    lang, out, place = prepared
    found = read_entities(out / "data" / paths.TRAIN / paths.ENTITIES)
    phrases = [one.phrase(entity) for one in found.values() for entity in one.entities]
    assert phrases and set(phrases) == {normalise(place, lang)}
    gold = read_entities(out / "data" / paths.TRAIN / paths.GOLD_ENTITIES)
    assert all(set(found[utt_id].entities) <= set(gold[utt_id].entities) for utt_id in found)


def test_tokens_are_of_the_script(prepared: tuple[str, Path, str]) -> None:
    lang, out, _ = prepared
    tokens = [token for token in read_lines(out / "dump" / "token_list") if len(token) == 1]
    own = [token for token in tokens if unicodedata.name(token).split()[0] in LANGUAGES[lang]]
    assert len(own) >= 20 and all(token in own or token.isascii() for token in tokens)
