"""``spner lm``: which texts a model learns, what is refused, and when it is made again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from spner.cli import main
from spner.core import paths
from spner.core.datatypes import Entity, Transcript
from spner.core.errors import SpnerError
from spner.data.tokens import BPE, INSIDE, make_tokens
from spner.lm.build import TOKEN, format_record, make_lm
from tests.data.test_tokens import many_words, write_data
from tests.lm.arpa_reader import read_arpa

TRAIN = {
    "a-1": Transcript(("anna", "reist", "naar", "den", "haag"), (Entity(0, 1, "PER"), Entity(3, 5, "LOC"))),
    "a-2": Transcript(("philips", "reist"), (Entity(0, 1, "ORG"),)),
    "a-3": Transcript(()),
}
DEV = {"d-1": Transcript(("anna", "slaapt"), (Entity(0, 1, "PER"),)), "d-2": Transcript(())}
TEST = {"t-1": Transcript(("onbekend",))}


def make_dump(folder: Path, sets: dict[str, dict[str, Transcript]], **options: Any) -> Path:
    data = write_data(folder / "data", sets)
    make_tokens(data, folder / "dump", **options)
    return folder / "dump"


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    return make_dump(tmp_path, {"train": TRAIN, "dev": DEV, "test": TEST})


def unigrams(out: Path) -> set[str]:
    return {ngram[0] for ngram in read_arpa(out / paths.LM_ARPA) if len(ngram) == 1} - {"<unk>", "<s>", "</s>"}


def refusal(dump: Path, out: Path, **options: Any) -> str:
    with pytest.raises(SpnerError) as error:
        make_lm(dump, out, **options)
    assert "\n" not in str(error.value)
    assert not (out / paths.LM_RECORD).exists() and not (out / paths.LM_ARPA).exists()
    return str(error.value)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


# What is learnt


def test_words_of_the_tagged_train_text(dump: Path, tmp_path: Path) -> None:
    record = make_lm(dump, tmp_path / "lm", order=3)
    ngrams = read_arpa(tmp_path / "lm" / paths.LM_ARPA)
    assert unigrams(tmp_path / "lm") == {*"anna reist naar den haag philips <PER> <ORG> <LOC> </NE>".split()}
    assert ("naar", "<LOC>", "den") in ngrams and ("<s>", "<PER>", "anna") in ngrams
    assert record["num_sentences"] == 2 and record["num_ngrams"][0] == 13 and len(record["num_ngrams"]) == 3
    assert (record["dev"]["num_words"], record["dev"]["num_unknown"]) == (5, 1)  # <PER> anna </NE> slaapt, and the end


def test_characters_are_those_of_training(dump: Path, tmp_path: Path) -> None:
    """Symbols stand without spaces inside their entity, as the recogniser learns them; what is inside is marked."""
    make_lm(dump, tmp_path / "lm", unit=TOKEN, order=4)
    ngrams = read_arpa(tmp_path / "lm" / paths.LM_ARPA)
    assert ("<space>", "<LOC>", "d<NE>", "e<NE>") in ngrams and ("g<NE>", "</NE>", "</s>") in ngrams
    token_list = {*(dump / paths.TOKEN_LIST).read_text(encoding="utf-8").split()}
    words = {word.removesuffix(INSIDE) for word in unigrams(tmp_path / "lm")}
    assert words == token_list - {"<blank>", "<unk>", "<sos/eos>"}


def test_characters_that_the_recogniser_lacks_are_unknown(dump: Path, tmp_path: Path) -> None:
    """The search that reads such a model is tests/search/test_grammar.py's."""
    (tmp_path / "more.txt").write_text("naar <LOC> xøx </NE>\nxøx\n", encoding="utf-8")
    make_lm(dump, tmp_path / "lm", unit=TOKEN, order=3, texts=[tmp_path / "more.txt"])
    ngrams = read_arpa(tmp_path / "lm" / paths.LM_ARPA)
    assert ("<LOC>", "<unk>", "<unk>") in ngrams and ("<unk>", "</NE>", "</s>") in ngrams
    assert not any("x" in word for ngram in ngrams for word in ngram)


def test_pieces_are_those_of_training(tmp_path: Path) -> None:
    dump = make_dump(tmp_path, {"train": many_words(200)}, token_type=BPE, vocab_size=60)
    record = make_lm(dump, tmp_path / "lm", unit=TOKEN)
    token_list = (dump / paths.TOKEN_LIST).read_text(encoding="utf-8").split()
    assert {word.removesuffix(INSIDE) for word in unigrams(tmp_path / "lm")} <= {*token_list}
    assert "<PER>" in unigrams(tmp_path / "lm")
    assert record["dev"] is None


@pytest.mark.parametrize("unit", ["word", TOKEN])
def test_symbols_may_be_tight_or_loose_in_more_text(dump: Path, tmp_path: Path, unit: str) -> None:
    loose = write(tmp_path / "loose", "in <LOC> wijk bij </NE> duurstede\n\n")
    tight = write(tmp_path / "tight", "in <LOC>wijk bij</NE> duurstede")
    make_lm(dump, tmp_path / "a", unit=unit, texts=[loose])
    make_lm(dump, tmp_path / "b", unit=unit, texts=[tight])
    assert (tmp_path / "a" / paths.LM_ARPA).read_bytes() == (tmp_path / "b" / paths.LM_ARPA).read_bytes()
    assert ("wijk",) in read_arpa(tmp_path / "a" / paths.LM_ARPA) or unit == TOKEN


class OneName:
    """A tagger that knows one name."""

    def __init__(self) -> None:
        self.num_sentences = 0

    def predict(self, sentences: Sequence[Sequence[str]], *, batch_tokens: int) -> list[list[str]]:
        self.num_sentences += len(sentences)
        return [["B-PER" if word == "Bea" else "O" for word in words] for words in sentences]


def test_cased_sentences_are_normalised_and_tagged_once(
    dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tagger = OneName()
    monkeypatch.setattr("spner.tagger.model.load_tagger", lambda name, *, labels: tagger)
    monkeypatch.setattr("spner.lm.build.SENTENCES_AT_ONCE", 2)
    cased = write(tmp_path / "cased", "Bea slaapt!\n…\nIn Één foto's\n")
    for order in (3, 4):
        make_lm(dump, tmp_path / "lm", order=order, sentences=[cased], tagger="x", lang="nl")
        tagged = tmp_path / "lm" / paths.LM_TAGGED
        assert tagged.read_text(encoding="utf-8").split("\n") == ["<PER> bea </NE> slaapt", "", "in één fotos", ""]
        assert {"bea", "één", "fotos"} <= unigrams(tmp_path / "lm")
        assert tagger.num_sentences == 3
    write(cased, "Bea")
    for _ in range(2):
        make_lm(dump, tmp_path / "lm", sentences=[cased], tagger="x", lang="nl")
        assert tagger.num_sentences == 4
    (tmp_path / "lm" / paths.LM_TAGGED).unlink()
    make_lm(dump, tmp_path / "lm", sentences=[cased], tagger="x", lang="nl")
    assert tagger.num_sentences == 5


def test_cased_sentences_need_no_tagger_without_symbols(tmp_path: Path) -> None:
    dump = make_dump(tmp_path, {"train": TRAIN}, system="asr")
    make_lm(dump, tmp_path / "lm", sentences=[write(tmp_path / "cased", "Bea slaapt!")], lang="nl")
    assert unigrams(tmp_path / "lm") == {*"anna reist naar den haag philips bea slaapt".split()}


def test_tagged_sentences_are_not_taken_for_a_model_without_symbols(
    dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spner.tagger.model.load_tagger", lambda name, *, labels: OneName())
    cased = write(tmp_path / "cased", "Bea slaapt!")
    make_lm(dump, tmp_path / "lm", sentences=[cased], tagger="x", lang="nl")
    plain = make_dump(tmp_path / "plain", {"train": TRAIN}, system="asr")
    make_lm(plain, tmp_path / "lm", sentences=[cased], lang="nl")
    assert (tmp_path / "lm" / paths.LM_TAGGED).read_text(encoding="utf-8") == "bea slaapt\n"


# When


def test_a_finished_model_is_not_made_again(dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "lm"
    record = make_lm(dump, out)
    before = (out / paths.LM_ARPA).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("spner.lm.build.estimate", lambda *_, **__: pytest.fail("estimated again"))
        assert make_lm(dump, out) == record
    text = write(tmp_path / "text", "nog een zin\n")
    assert make_lm(dump, out, texts=[text]) != record
    write(text, "en een andere\n")
    assert make_lm(dump, out, texts=[text])["num_sentences"] == 3 and "andere" in unigrams(out)
    assert make_lm(dump, out) == record
    assert (out / paths.LM_ARPA).read_bytes() == before
    (out / paths.LM_ARPA).unlink()
    assert make_lm(dump, out) == record
    assert (out / paths.LM_ARPA).read_bytes() == before


def test_interrupted_model_does_not_look_finished(dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_lm(dump, tmp_path / "lm")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("spner.lm.build.compute_perplexity", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        make_lm(dump, tmp_path / "lm", order=3)
    assert not (tmp_path / "lm" / paths.LM_RECORD).exists()
    assert make_lm(dump, tmp_path / "lm")["num_ngrams"][3] > 0


# What is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": 0}, "--order 0: expected 2 to 6, which decoders can read"),
        ({"order": 7}, "--order 7: expected 2 to 6, which decoders can read"),
        (
            {"prune": [0, 1, 1]},
            '--prune "0 1 1": expected 4 counts, one an order, the first 0 and none below the one before it, '
            'such as "0 1 2 3"',
        ),
        (
            {"order": 2, "prune": [1, 1]},
            '--prune "1 1": expected 2 counts, one an order, the first 0 and none below the one before it, '
            'such as "0 1"',
        ),
        (
            {"order": 3, "prune": [0, 2, 1]},
            '--prune "0 2 1": expected 3 counts, one an order, the first 0 and none below the one before it, '
            'such as "0 1 2"',
        ),
        (
            {"texts": [Path("no/text")]},
            "no/text: is no file (expected UTF-8 text, one sentence a line); give another path",
        ),
        (
            {"sentences": [Path(__file__)]},
            "--columns, --sentences: need the language that decides their normalisation; give --lang",
        ),
    ],
)
def test_options_that_do_not_fit(dump: Path, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    assert refusal(dump, tmp_path / "lm", **options) == message


@pytest.mark.parametrize("word", ["<s>", "</s>", "<unk>", "a<s>", "<MISC>", "</PER>", "<"])
def test_text_with_foreign_symbols(dump: Path, tmp_path: Path, word: str) -> None:
    text = write(tmp_path / "text", f"goed <PER> anna </NE>\nniet {word} goed\n")
    assert refusal(dump, tmp_path / "lm", texts=[text]) == (
        f'{text}:2: "{word}" stands in the text (expected normalised words and the recipe\'s symbols: '
        "<PER> <ORG> <LOC> </NE>); mend the text"
    )


def test_text_that_is_not_utf_8(dump: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes("één\n".encode("latin-1"))
    assert refusal(dump, tmp_path / "lm", texts=[tmp_path / "text"]).startswith(
        f"{tmp_path}/text:1: is not valid UTF-8"
    )


def test_text_without_words(tmp_path: Path) -> None:
    dump = make_dump(tmp_path, {"train": {"a-1": Transcript(())}})
    assert refusal(dump, tmp_path / "lm", texts=[write(tmp_path / "text", "\n \n")]) == (
        f"{dump}/train/text: holds no words (expected sentences to learn); give --text"
    )


def test_no_dump(tmp_path: Path) -> None:
    assert refusal(tmp_path / "dump", tmp_path / "lm") == (
        f"{tmp_path}/dump: holds no finished tokens; stage 3 makes them"
    )


# The command


def test_command(dump: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "lm"
    main(["lm", "--dump", str(dump), "--out", str(out), "--order", "2", "--prune", "0 1"])
    record = make_lm(dump, out, order=2, prune=[0, 1])
    assert capfd.readouterr().out == f"{out}: {format_record(record)}\n"
    assert format_record(record).splitlines() == [
        "words of 2 sentences: 13 1-grams, 1 2-grams",
        f"dev: perplexity {record['dev']['with_unknown']:.2f}, {record['dev']['without_unknown']:.2f} without its "
        "1 unknown of 5 words",
    ]


def test_command_refuses_counts_that_are_none(dump: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["lm", "--dump", str(dump), "--out", str(tmp_path / "lm"), "--prune", "0 0 -1 x"])
    assert stop.value.code == 2 and not (tmp_path / "lm").exists()
