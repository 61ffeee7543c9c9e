"""The beam searches on posteriors made by hand."""

import ctypes
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("flashlight.lib.text.decoder", reason="flashlight-text has no wheel for this Python")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from hypothesis.extra import numpy as st_numpy  # noqa: E402

from spner.core.datatypes import LABELS
from spner.core.errors import SpnerError  # noqa: E402
from spner.data.tokens import CHAR, SPACE, tokens_to_words  # noqa: E402
from spner.decode.beam_search import (  # noqa: E402
    Hypothesis,
    Search,
    balanced,
    load_lm,
    make_lexicon_search,
    make_open_search,
    merge_freed_memory,
    merge_repeats,
    require_flashlight,
)
from spner.decode.grammar import make_forms, write_search_model  # noqa: E402
from spner.decode.parallel_search import SEARCH_MODEL, weigh  # noqa: E402
from spner.decode.plan import SearchPlan  # noqa: E402
from spner.text.tags import text_to_spans  # noqa: E402
from tests.decode.models import TEXT, TOKENIZER, TOKENS, hear, make_config, to_tokens, write_token_lm, write_word_lm  # noqa: E402


def text_of(hyp: Hypothesis) -> str:
    return " ".join(tokens_to_words(TOKENS[i] for i in hyp.token_ids))


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_token_lm(tmp_path_factory.mktemp("lm") / "lm.arpa")


def open_search(folder: Path, arpa: Path | None, **settings: object) -> Search:
    write_search_model(folder / "search.arpa", arpa, TOKENS)
    return make_open_search(folder / "search.arpa", TOKENS, make_config(**settings))


@pytest.fixture(scope="module")
def searches(tmp_path_factory: pytest.TempPathFactory, lm: Path) -> dict[str, Search]:
    """An open search without and with a language model, and a lexicon search."""
    folder = tmp_path_factory.mktemp("searches")
    words = write_word_lm(folder / "words.arpa")
    lexicon = make_lexicon_search(words, TOKENS, make_config(search="lexicon"), token_type=CHAR, tokenizer=TOKENIZER)
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    return {"none": open_search(folder / "a", None), "open": open_search(folder / "b", lm), "lexicon": lexicon}


@pytest.mark.parametrize("kind", ["none", "open", "lexicon"])
@pytest.mark.parametrize("text", ["wij eet", "naar <LOC> den haag </NE>", "<PER> anna </NE> is in <LOC> gouda </NE>"])
def test_what_is_heard_clearly_is_written(searches: dict[str, Search], kind: str, text: str) -> None:
    best, *_ = searches[kind](hear(*to_tokens(text)))
    assert text_of(best) == text
    assert [TOKENS[i] for i in best.token_ids] == to_tokens(text)


@pytest.mark.parametrize("kind", ["none", "open", "lexicon"])
@pytest.mark.parametrize("num_frames", [0, 1, 40])
def test_silence_is_no_words(searches: dict[str, Search], kind: str, num_frames: int) -> None:
    log_probs = np.tile(hear("a")[1:], (num_frames, 1))
    assert [text_of(hyp) for hyp in searches[kind](log_probs)][:1] == [""]


UNSURE_NAME = [*"naar", SPACE, "<LOC>", "g", "o", {"o": 0.6, "u": 0.3}, "d", "a", "</NE>"]


@pytest.mark.parametrize(("kind", "name"), [("none", "gooda"), ("open", "gouda"), ("lexicon", "gouda")])
def test_a_language_model_mends_a_name(searches: dict[str, Search], kind: str, name: str) -> None:
    assert text_of(searches[kind](hear(*UNSURE_NAME))[0]) == f"naar <LOC> {name} </NE>"


@pytest.mark.parametrize(("beam_size_token", "name"), [(1, "gooda"), (2, "gouda")])
def test_as_many_tokens_compete_for_a_frame_as_the_configuration_says(
    tmp_path: Path, lm: Path, beam_size_token: int, name: str
) -> None:
    """Within a name and outside of it: a token's two forms take one place, not two."""
    search = open_search(tmp_path, lm, beam_size_token=beam_size_token)
    assert text_of(search(hear(*UNSURE_NAME))[0]) == f"naar <LOC> {name} </NE>"


def test_a_lexicon_search_foresees_a_words_score_while_it_is_spelt(tmp_path: Path) -> None:
    """The narrowest beam keeps the beginning of a likely word, though another one sounds a little clearer."""
    arpa = write_word_lm(tmp_path / "lm.arpa", ["anna eet"] * 20 + ["onno eet"])
    config = make_config(search="lexicon", beam_size=1)
    search = make_lexicon_search(arpa, TOKENS, config, token_type=CHAR, tokenizer=TOKENIZER)
    heard = hear({"a": 0.4, "o": 0.5}, "n", "n", {"a": 0.5, "o": 0.4})
    assert text_of(search(heard)[0]) == "anna"


def test_an_open_search_writes_names_that_its_model_lacks_and_a_lexicon_search_does_not(
    searches: dict[str, Search],
) -> None:
    heard = hear(*to_tokens("naar <LOC> oslo </NE>"), certain=0.999999)
    assert text_of(searches["open"](heard)[0]) == "naar <LOC> oslo </NE>"
    assert "oslo" not in text_of(searches["lexicon"](heard)[0])


def test_repeats_merge_unless_a_blank_divides_them(searches: dict[str, Search]) -> None:
    twice = hear(*"anna")
    assert text_of(searches["none"](twice)[0]) == "anna"
    without_blanks = twice[::2]
    assert text_of(searches["none"](without_blanks)[0]) == "ana"


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        pytest.param(["<LOC>", *"den", "<LOC>", *"haag", "</NE>"], "open", id="opens inside"),
        pytest.param([*"naar", SPACE, "</NE>", *"haag"], "close", id="closes nothing"),
        pytest.param(["<LOC>", *"haag"], "end", id="stays open"),
        pytest.param(["<LOC>", "</NE>", *"haag"], "empty", id="empty"),
    ],
)
@pytest.mark.parametrize("kind", ["none", "open", "lexicon"])
def test_illegal_symbols_are_never_written(
    searches: dict[str, Search], kind: str, heard: list[str], expected: str
) -> None:
    for hyp in searches[kind](hear(*heard)):
        assert not text_to_spans(text_of(hyp).split(), labels=LABELS).illegal, expected


@settings(max_examples=60)
@given(
    st_numpy.arrays(
        np.float32, st.tuples(st.integers(1, 12), st.just(len(TOKENS))), elements=st.floats(-20, 0, width=32)
    )
)
def test_whatever_is_heard_hypotheses_are_legal_distinct_and_ordered(
    searches: dict[str, Search], log_probs: np.ndarray
) -> None:
    for search in searches.values():
        hyps = search(log_probs)
        texts = [text_of(hyp) for hyp in hyps]
        assert hyps and len(set(texts)) == len(texts)
        assert not any(text_to_spans(text.split(), labels=LABELS).illegal for text in texts)
        scores = [hyp.scores["score"] for hyp in hyps]
        assert scores == sorted(scores, reverse=True)


def brute_force(log_probs: np.ndarray, num_tokens: int) -> dict[tuple[int, ...], float]:
    """Return each token sequence's probability, summed over all its paths of the first tokens of the list."""
    totals: dict[tuple[int, ...], float] = {}
    for path in np.ndindex(*[num_tokens] * len(log_probs)):
        ids = tuple(merge_repeats(path))
        totals[ids] = totals.get(ids, 0.0) + float(np.exp(sum(log_probs[t, i] for t, i in enumerate(path))))
    return totals


def test_a_text_counts_with_all_its_paths(searches: dict[str, Search]) -> None:
    """Graves's case: no single path of ``a`` is the best, all of them together are."""
    a = TOKENS.index("a")
    log_probs = np.full((2, len(TOKENS)), -30.0, np.float32)
    log_probs[:, 0], log_probs[:, a] = np.log(0.6), np.log(0.4)
    totals = {ids: total for ids, total in brute_force(log_probs, a + 1).items() if total > 1e-6}
    assert max(totals, key=totals.__getitem__) == (a,) and totals[a,] == pytest.approx(0.64)
    best, second = searches["none"](log_probs)[:2]
    assert (best.token_ids, second.token_ids) == ((a,), ())
    assert best.scores["score"] == pytest.approx(np.log(0.64), abs=1e-3)


def test_scores_are_those_of_ctc_and_of_the_model(tmp_path: Path, lm: Path) -> None:
    heard = hear(*to_tokens("naar <LOC> gouda </NE>"))
    best = open_search(tmp_path, lm, lm_weight=2.0)(heard)[0]
    rescored = open_search(tmp_path, lm, lm_weight=0.5)(heard)[0]
    assert best.token_ids == rescored.token_ids and best.scores["lm_score"] == rescored.scores["lm_score"] < 0
    difference = best.scores["score"] - rescored.scores["score"]
    assert difference == pytest.approx(1.5 * best.scores["lm_score"], abs=0.01)


def test_repeats_and_blanks_are_merged() -> None:
    assert merge_repeats([0, 3, 3, 0, 3, 4, 4, 0]) == [3, 3, 4]
    assert merge_repeats([]) == []


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("<PER> a <LOC> b </NE>", "a <LOC> b </NE>"),
        ("a </NE> b", "ab"),
        ("a <space> <PER> b", "a b"),
        ("<PER> </NE> a", "a"),
        ("<PER> <space> </NE> a", "a"),
        ("<PER> a </NE> <space> <LOC> b <space> <LOC> d", "<PER> a </NE> b d"),
    ],
)
def test_where_no_text_is_in_balance_the_best_loses_its_illegal_symbols(tokens: str, text: str) -> None:
    hyp = Hypothesis(tuple(TOKENS.index(token) for token in tokens.split()))
    (mended,) = balanced([hyp], TOKENS)
    assert text_of(mended) == text
    legal = Hypothesis((TOKENS.index("a"),))
    assert balanced([hyp, legal, legal], TOKENS) == [legal]


def test_a_model_that_kenlm_cannot_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "lm.arpa").write_text("\\data\\\nngram 1=1\n\n\\1-grams:\nx\ta\n\n\\end\\\n")
    with pytest.raises(SpnerError, match=r"lm\.arpa: KenLM cannot read it \(.*\); make it again with spner lm$"):
        load_lm(tmp_path / "lm.arpa", ("a",))


def test_a_lexicon_of_another_alphabet_is_refused(tmp_path: Path) -> None:
    arpa = write_word_lm(tmp_path / "lm.arpa", ["мы едем"])
    with pytest.raises(SpnerError, match=r"lm\.arpa: 2 of its 2 words hold letters that .* such as \"мы\" \(expected"):
        make_lexicon_search(arpa, TOKENS, make_config(search="lexicon"), token_type=CHAR, tokenizer=TOKENIZER)


def test_a_lexicon_in_capitals_is_refused_though_its_symbols_can_be_spelt(tmp_path: Path) -> None:
    """Every hypothesis was empty, without a word."""
    upper = [" ".join(word if word.startswith("<") else word.upper() for word in text.split()) for text in TEXT]
    arpa = write_word_lm(tmp_path / "lm.arpa", upper)
    with pytest.raises(SpnerError) as raised:
        make_lexicon_search(arpa, TOKENS, make_config(search="lexicon"), token_type=CHAR, tokenizer=TOKENIZER)
    assert str(raised.value) == (
        f'{arpa}: 11 of its 11 words hold letters that this recogniser has no token for, such as "WIJ" (expected words '
        "in the form of transcripts, as a rule in lower case); normalise its text, or estimate it with spner lm --unit "
        "word on the dump that the recogniser was trained on"
    )


def test_words_that_cannot_be_spelt_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    arpa = write_word_lm(tmp_path / "lm.arpa", [*TEXT, "Anna eet cake"])
    make_lexicon_search(arpa, TOKENS, make_config(search="lexicon"), token_type=CHAR, tokenizer=TOKENIZER)
    assert caplog.messages == [
        f"{arpa}: 2 of its 13 words hold letters that this recogniser has no token for, such as "
        '"Anna"; the search cannot write them'
    ]


@pytest.mark.parametrize("weight", [0.0, 0.01, 0.3, 2.0])
@pytest.mark.parametrize("with_lm", [True, False])
def test_entities_are_in_balance_whatever_the_weight(tmp_path: Path, lm: Path, weight: float, with_lm: bool) -> None:
    """A close that is not heard well, and one that nothing opened: the posteriors alone would write what is illegal."""
    config = make_config(lm_weight=weight, tune_lm_weight=[weight])
    write_search_model(tmp_path / SEARCH_MODEL, lm if with_lm else None, TOKENS, weight=weight or 1.0)
    plan = weigh(SearchPlan(config, tmp_path / SEARCH_MODEL, tmp_path, TOKENS, CHAR, None), config)
    search = make_open_search(plan.model, TOKENS, plan.config) if with_lm else open_search(tmp_path, None)
    unsure = {"<PER>": 0.7, "<space>": 0.25}
    best, *_ = search(hear("<LOC>", "d", "e", unsure, "n", "</NE>", {"</NE>": 0.8, "<space>": 0.15}, "e", "e", "t"))
    assert text_of(best) in ("<LOC> de n </NE> eet", "<LOC> den </NE> eet") and best.scores["lm_score"] > -99


@pytest.mark.parametrize("weight", [0.01, 3.0])
def test_the_grammar_costs_as_much_whatever_the_weight(tmp_path: Path, lm: Path, weight: float) -> None:
    write_search_model(tmp_path / "search.arpa", lm, TOKENS, weight=weight)
    model = load_lm(tmp_path / "search.arpa", make_forms(TOKENS).names)
    state, _ = model.score(model.start(False), make_forms(TOKENS).names.index("<LOC>"))
    _, score = model.score(state, make_forms(TOKENS).names.index("<PER>"))
    assert weight * score <= -99


class Pieces:
    """A tokenizer of pieces: the first letter of a word with its mark, then single letters."""

    def text_to_tokens(self, text: str) -> list[str]:
        words = ([f"▁{word[0]}", *word[1:]] if word not in ("<LOC>", "</NE>") else ["▁", word] for word in text.split())
        return [piece for word in words for piece in word]


def test_searches_write_pieces_that_begin_words_with_a_mark(tmp_path: Path) -> None:
    tokens = ("<blank>", "<unk>", "<PER>", "<ORG>", "<LOC>", "</NE>", *"▁aeniru", "▁n", "▁u", "▁e", "<sos/eos>")
    arpa = write_word_lm(tmp_path / "lm.arpa", ["naar <LOC> urn </NE>", "een <LOC> urn </NE>"])
    lexicon = make_lexicon_search(arpa, tokens, make_config(search="lexicon"), token_type="bpe", tokenizer=Pieces())
    write_search_model(tmp_path / "search.arpa", None, tokens)
    heard = Pieces().text_to_tokens("naar <LOC> urn </NE>")
    log_probs = np.full((2 * len(heard), len(tokens)), -9.0, np.float32)
    log_probs[1::2, 0] = 0.0
    log_probs[np.arange(0, len(log_probs), 2), [tokens.index(piece) for piece in heard]] = 0.0
    for search in (lexicon, make_open_search(tmp_path / "search.arpa", tokens, make_config())):
        best, *_ = search(log_probs)
        assert tokens_to_words(tokens[i] for i in best.token_ids) == "naar <LOC> urn </NE>".split()


def test_without_flashlight_the_message_says_why_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Python 3.13."""
    monkeypatch.setitem(sys.modules, "flashlight.lib.text.decoder.kenlm", None)
    with pytest.raises(SpnerError) as raised:
        require_flashlight()
    assert str(raised.value) == (
        f"beam search: flashlight-text is not installed for this Python {sys.version_info[0]}.{sys.version_info[1]} "
        "(it is published for 3.11 and 3.12, not for 3.13); decode greedily, without --decode_config, or run "
        "tools/setup.sh with Python 3.11 or 3.12"
    )


@pytest.mark.parametrize("c_library", ["glibc", "another"])
def test_memory_is_merged_when_it_is_freed_where_the_c_library_can(
    monkeypatch: pytest.MonkeyPatch, c_library: str
) -> None:
    asked: list[tuple[int, int]] = []
    functions = {"mallopt": lambda *settings: asked.append(settings)} if c_library == "glibc" else {}
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(**functions))
    merge_freed_memory.__wrapped__()
    assert asked == ([(1, 0)] if c_library == "glibc" else [])
