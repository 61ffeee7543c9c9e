"""Scores of sentences, the array's way against the ARPA file's meaning."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spner.lm.arpa import write_arpa
from spner.lm.counts import read_corpus
from spner.lm.kneser_ney import estimate
from spner.lm.model import compute_perplexity
from tests.lm.arpa_reader import read_arpa, score

LMPLZ = Path(__file__).with_name("lmplz")
sentences = st.lists(st.lists(st.sampled_from("abcde"), max_size=6), min_size=1, max_size=12)


@given(train=sentences.filter(any), test=sentences, order=st.integers(1, 5), prune=st.booleans())
def test_scores_are_those_of_the_arpa_file(
    tmp_path_factory: pytest.TempPathFactory, train: list[list[str]], test: list[list[str]], order: int, prune: bool
) -> None:
    """Unknown words and contexts, pruned n-grams, empty sentences and orders above the longest sentence among them."""
    model = estimate(read_corpus(train), order=order, prune=[0, 1, 1, 2, 2][:order] if prune else [])
    write_arpa(arpa := tmp_path_factory.mktemp("lm") / "lm.arpa", model)
    ngrams = read_arpa(arpa)
    log_probs, unknown = model.score(test)
    assert log_probs == pytest.approx([p for sentence in test for p in score(ngrams, sentence)], abs=1e-5)
    words = [word for sentence in test for word in (*sentence, "</s>")]
    assert unknown.tolist() == [(word,) not in ngrams for word in words]


def test_perplexity_by_hand() -> None:
    """The model of a / b / a (see test_kneser_ney): a and its end have 0.458333 and 0.6875; c is unknown, 0.5 * 0.125,
    and after it the end has its unigram's 0.375."""
    model = estimate(read_corpus([["a"], ["b"], ["a"]]), order=2)
    perplexity = compute_perplexity(model, [["a"], ["c"]])
    assert (perplexity.num_words, perplexity.num_unknown) == (4, 1)
    known = [(1 / 3 + 0.125), 0.6875, 0.375]
    assert perplexity.without_unknown == pytest.approx(math.prod(known) ** (-1 / 3))
    assert perplexity.with_unknown == pytest.approx((math.prod(known) * 0.0625) ** (-1 / 4))


@pytest.mark.parametrize("order", [2, 6])
def test_kenlm_reads_the_file_and_scores_alike(order: int, tmp_path: Path) -> None:
    kenlm = pytest.importorskip("flashlight.lib.text.decoder.kenlm", reason="needs flashlight-text")
    dictionary = pytest.importorskip("flashlight.lib.text.dictionary")
    sentences = [line.split() for line in (LMPLZ / "text").read_text(encoding="utf-8").splitlines()]
    model = estimate(read_corpus(sentences[:20]), order=order, prune=[0, *[1] * (order - 1)])
    write_arpa(tmp_path / "lm.arpa", model)
    log_probs, unknown = model.score(sentences)
    assert unknown.any()
    vocabulary = dictionary.Dictionary(sorted({word for sentence in sentences for word in sentence}))
    lm = kenlm.KenLM(str(tmp_path / "lm.arpa"), vocabulary)
    theirs = []
    for sentence in sentences:
        state = lm.start(False)
        for word in sentence:
            state, log_prob = lm.score(state, vocabulary.get_index(word))
            theirs.append(log_prob)
        theirs.append(lm.finish(state)[1])
    assert log_probs == pytest.approx(theirs, abs=1e-4)


def test_arpa_bytes(tmp_path: Path) -> None:
    write_arpa(tmp_path / "lm.arpa", estimate(read_corpus([["a"], ["b"], ["a"]]), order=2))
    assert (tmp_path / "lm.arpa").read_text(encoding="utf-8") == (
        "\\data\\\nngram 1=5\nngram 2=4\n"
        "\n\\1-grams:\n"
        "-0.90309\t<unk>\t0\n-99\t<s>\t-0.30103\n-0.4259687\t</s>\t0\n-0.60206\ta\t-0.30103\n-0.60206\tb\t-0.30103\n"
        "\n\\2-grams:\n"
        "-0.3388186\t<s> a\n-0.5351132\t<s> b\n-0.1627273\ta </s>\n-0.1627273\tb </s>\n"
        "\n\\end\\\n"
    )


def test_arpa_in_parts_is_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    model = estimate(read_corpus(rng.choice(list("abcdefg"), (50, 6)).tolist()), order=3)
    write_arpa(tmp_path / "whole", model)
    monkeypatch.setattr("spner.lm.arpa.LINES_AT_ONCE", 7)
    write_arpa(tmp_path / "parts", model)
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()
