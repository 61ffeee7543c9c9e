"""ARPA files as the search takes them: checked, and with the grammar of tagged text."""

import re
from pathlib import Path

import pytest

from spner.core.errors import SpnerError
from spner.data.tokens import BLANK, INSIDE, SOS_EOS, SPACE, UNKNOWN
from spner.decode.grammar import illegal_pairs, make_forms, write_grammar, write_model, write_search_model
from spner.lm.arpa import read_counts, read_ngrams, write_arpa
from spner.lm.counts import read_corpus
from spner.lm.kneser_ney import estimate
from tests.decode.models import TOKENS, write_token_lm, write_word_lm

NO_ARPA = r"is no ARPA file \(expected \\data\\ and counts of n-grams\)"


@pytest.mark.parametrize(
    ("before", "after", "legal"),
    [
        ("a", "b", True),
        ("a", "</s>", True),
        ("a", "<LOC>", True),
        ("<s>", "<LOC>", True),
        ("</NE>", "<PER>", True),
        ("<LOC>", "a<NE>", True),
        ("a<NE>", "b<NE>", True),
        ("a<NE>", "</NE>", True),
        ("</NE>", "a", True),
        ("a", "a<NE>", False),
        ("a<NE>", "a", False),
        ("a", "</NE>", False),
        ("<s>", "</NE>", False),
        ("<LOC>", "</NE>", False),
        ("<LOC>", "<PER>", False),
        ("a<NE>", "<PER>", False),
        ("<LOC>", "</s>", False),
        ("a<NE>", "</s>", False),
        ("<LOC>", "a", False),
        ("</NE>", "a<NE>", False),
        ("</NE>", "</NE>", False),
    ],
)
def test_what_may_follow_what(before: str, after: str, legal: bool) -> None:
    assert make_forms(TOKENS).is_legal(before, after) == legal


def test_a_token_has_two_forms_and_a_symbol_one() -> None:
    forms = make_forms((BLANK, UNKNOWN, "<PER>", "<ORG>", "<LOC>", "</NE>", SPACE, "a", SOS_EOS))
    assert forms.names == (BLANK, "<PER>", "<ORG>", "<LOC>", "</NE>", SPACE, SPACE + INSIDE, "a", "a" + INSIDE)
    assert forms.columns == (0, 2, 3, 4, 5, 6, 6, 7, 7)


def test_other_labels_have_forms_of_their_own() -> None:
    forms = make_forms((BLANK, UNKNOWN, "<DATE>", "</NE>", SPACE, "a", SOS_EOS))
    assert forms.names == (BLANK, "<DATE>", "</NE>", SPACE, SPACE + INSIDE, "a", "a" + INSIDE)
    assert forms.is_legal("<DATE>", "a" + INSIDE) and not forms.is_legal("<DATE>", "a")


def test_without_entity_symbols_everything_is_legal() -> None:
    forms = make_forms((BLANK, UNKNOWN, SPACE, "a", SOS_EOS))
    assert forms.names == (BLANK, SPACE, "a") and illegal_pairs(forms) == []


def test_utterances_neither_begin_nor_end_inside_an_entity() -> None:
    """The search would spend its beam on texts that are dropped afterwards."""
    pairs = illegal_pairs(make_forms(TOKENS))
    for illegal in (("<s>", "</NE>"), ("<s>", "a" + INSIDE), ("<LOC>", "</s>"), ("a" + INSIDE, "</s>")):
        assert illegal in pairs
    for legal in (("<s>", "<LOC>"), ("<s>", "a"), ("</NE>", "</s>"), ("a", "</s>")):
        assert legal not in pairs


def test_the_grammar_file_holds_the_illegal_pairs_only(tmp_path: Path) -> None:
    forms = make_forms(TOKENS)
    write_grammar(tmp_path / "grammar.arpa", forms)
    ngrams = list(read_ngrams(tmp_path / "grammar.arpa"))
    assert read_counts(tmp_path / "grammar.arpa") == [len(forms.names) - 1 + 3, len(illegal_pairs(forms))]
    assert {line.split("\t")[0] for order, line in ngrams if order == 1} == {"0"}
    assert {line.split("\t")[0] for order, line in ngrams if order == 2} == {"-99"}


def test_a_model_keeps_its_ngrams_and_gains_what_it_lacks(tmp_path: Path) -> None:
    arpa = write_token_lm(tmp_path / "lm.arpa", ["naar <LOC> den haag </NE>"], order=3)
    forms = make_forms(TOKENS)
    write_model(tmp_path / "search.arpa", arpa, forms)
    before, after = (list(read_ngrams(tmp_path / name)) for name in ("lm.arpa", "search.arpa"))
    assert set(before) <= set(after)
    added = [line.split("\t") for order, line in after if order == 1 and (order, line) not in before]
    (unknown,) = (line.split("\t")[0] for order, line in before if order == 1 and "\t<unk>" in line)
    assert {log_prob for log_prob, *_ in added} == {unknown} and "w<NE>" in {name for _, name, _ in added}
    assert len(after) == len(before) + len(added) + len(illegal_pairs(forms))


def test_too_many_tokens_for_a_grammar_are_refused_at_once(tmp_path: Path) -> None:
    tokens = ["<blank>", "<unk>", "<PER>", "</NE>", *map(str, range(5000)), "<sos/eos>"]
    with pytest.raises(SpnerError, match=r"5005 tokens make a grammar of 50 million pairs \(expected 5 million"):
        write_search_model(tmp_path / "search.arpa", None, tokens)
    plain = [token for token in tokens if token not in ("<PER>", "</NE>")]  # a recogniser's have no grammar
    write_search_model(tmp_path / "search.arpa", None, plain)
    assert read_counts(tmp_path / "search.arpa") == [5003, 0]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: "", NO_ARPA),
        (lambda text: "een taalmodel\n", NO_ARPA),
        (lambda text: text[: len(text) // 2].rpartition("\n")[0], r"breaks off among the 2-grams \(expected \\end\\\)"),
        (lambda text: text.replace("\\end\\", ""), r"breaks off among the 3-grams \(expected \\end\\\)"),
        (
            lambda text: text.replace("\n-99\t<s>", "\n\n-99\t<s>").replace("ngram 2=", "ngram 2=1"),
            r"\d+ 2-grams \(expected 1\d+\)",
        ),
        (lambda text: re.sub(r"\n(\S+)\t<s> n\t", r"\n\1 <s> n ", text), r'"\S+ <s> n \S+" is no 2-gram'),
    ],
    ids=["empty", "text", "half", "no end", "counts", "line"],
)
def test_a_broken_file_is_one_line(tmp_path: Path, spoil, message: str) -> None:
    arpa = write_token_lm(tmp_path / "lm.arpa", ["naar <LOC> den haag </NE>"], order=3)
    arpa.write_text(spoil(arpa.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(SpnerError, match=rf"lm\.arpa(:\d+)?: {message}; make it again with spner lm$"):
        write_model(tmp_path / "search.arpa", arpa, make_forms(TOKENS))
    assert not (tmp_path / "search.arpa").exists()


def test_a_missing_file_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(SpnerError, match=r"lm\.arpa: cannot be read \(.*\); spner lm makes it"):
        write_model(tmp_path / "search.arpa", tmp_path / "lm.arpa", make_forms(TOKENS))


def test_an_order_that_kenlm_does_not_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lm.arpa").write_text("\\data\\\n" + "".join(f"ngram {n}=1\n" for n in range(1, 8)))
    with pytest.raises(SpnerError, match=r"order 7 \(expected at most 6, .*\); make it again with spner lm --order"):
        write_model(tmp_path / "search.arpa", tmp_path / "lm.arpa", make_forms(TOKENS))


def test_a_model_of_another_vocabulary_is_refused(tmp_path: Path) -> None:
    arpa = write_word_lm(tmp_path / "lm.arpa")
    with pytest.raises(SpnerError, match=r'lm\.arpa: holds "wij", which is no token of this recogniser; estimate it'):
        write_model(tmp_path / "search.arpa", arpa, make_forms(TOKENS))


def test_unknown_tokens_of_a_model_are_in_nobodys_way(tmp_path: Path) -> None:
    sentences = [["a", "<LOC>", "<unk>", "a<NE>", "<unk>", "</NE>"], ["<unk>", "a"], ["a", "<unk>"]]
    write_arpa(tmp_path / "lm.arpa", estimate(read_corpus(sentences), order=3))
    write_model(tmp_path / "search.arpa", tmp_path / "lm.arpa", make_forms(TOKENS))
    assert set(read_ngrams(tmp_path / "lm.arpa")) <= set(read_ngrams(tmp_path / "search.arpa"))


def test_a_model_of_text_without_balance_is_refused(tmp_path: Path) -> None:
    arpa = write_token_lm(tmp_path / "lm.arpa", ["naar <LOC> den haag", "<PER> anna </NE> eet"])
    with pytest.raises(SpnerError, match=r'lm\.arpa: holds "g<NE> </s>", .* mend that text and run spner lm again'):
        write_model(tmp_path / "search.arpa", arpa, make_forms(TOKENS))
