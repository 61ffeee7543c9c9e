"""Token lists, texts and shapes of stage 3; entity symbols stay whole whatever the token type."""

import errno
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spner.core import paths
from spner.core.datatypes import LABELS, Entity, Transcript
from spner.core.errors import SpnerError
from spner.core.files import write_json
from spner.data.datadir import read_table, write_entities, write_labels, write_table
from spner.data.tokens import (
    BLANK,
    BPE,
    CHAR,
    SOS_EOS,
    SPACE,
    UNKNOWN,
    Tokenizer,
    find_labels,
    find_symbols,
    format_too_many,
    locate_words,
    make_tokens,
    mark_inside,
    read_token_list,
    require_symbols,
    tighten,
    tokens_to_words,
)
from spner.text.labels import LabelSet
from spner.text.tags import entity_symbols, spans_to_text
from spner.text.textnorm import normalise
from tests.killed import start_and_kill

SYMBOLS = entity_symbols(LABELS)
TRAIN = {
    "a-1": Transcript(("anna", "reist", "naar", "den", "haag"), (Entity(0, 1, "PER"), Entity(3, 5, "LOC"))),
    "a-2": Transcript(
        ("één", "ĳs", "½"),
    ),
    "b-1": Transcript((), ()),
    "b-2": Transcript(("philips", "anna"), (Entity(0, 1, "ORG"), Entity(1, 2, "PER"))),
}
TEST = {"t-1": Transcript(("onbekend", "xyz"), (Entity(1, 2, "PER"),))}
WORDS = "de een het stad reist naar anna piet den haag utrecht philips werkt vandaag morgen niet gezien".split()


def many_words(num_utts: int, *, seed: int = 1) -> dict[str, Transcript]:
    rng = random.Random(seed)
    utterances = {}
    for number in range(num_utts):
        words = tuple(rng.choices(WORDS, k=rng.randint(3, 8)))
        utterances[f"u-{number:04d}"] = Transcript(words, (Entity(1, 3, rng.choice(LABELS)),))
    return utterances


def write_data(folder: Path, sets: dict[str, dict[str, Transcript]]) -> Path:
    for name, utterances in sets.items():
        write_table(folder / name / paths.TEXT, {u: " ".join(a.words) for u, a in utterances.items()})
        write_table(folder / name / paths.UTT2DUR, {u: f"{n / 2 + 0.25:.7f}" for n, u in enumerate(utterances)})
        write_entities(folder / name / paths.ENTITIES, utterances)
    write_json(folder / paths.REPORT, {"sets": dict.fromkeys(sets)})
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def refusal(data: Path, out: Path, **options: Any) -> str:
    with pytest.raises(SpnerError) as error:
        make_tokens(data, out, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path / "data é", {"train": TRAIN, "test": TEST})


@pytest.fixture(scope="module")
def bpe_dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bpe")
    train = {**many_words(200), **TRAIN}
    data = write_data(folder / "data", {"train": train, "test": TEST})
    make_tokens(data, folder / "dump", token_type=BPE, vocab_size=60)
    return folder / "dump"


@pytest.fixture(scope="module", params=[CHAR, BPE])
def tokenizer(request: pytest.FixtureRequest, bpe_dump: Path) -> Tokenizer:
    return Tokenizer(request.param, symbols=SYMBOLS, bpe_model=bpe_dump / paths.BPE_MODEL)


# Texts and tokens


def test_characters_of_a_tagged_text() -> None:
    tokens = Tokenizer(CHAR, symbols=SYMBOLS).text_to_tokens("<PER> éa </NE> bc")
    assert tokens == ["<PER>", SPACE, "é", "a", SPACE, "</NE>", SPACE, "b", "c"]


def test_empty_text_has_no_tokens(tokenizer: Tokenizer) -> None:
    assert tokenizer.text_to_tokens("") == []


def test_symbols_of_no_system_are_words() -> None:
    assert Tokenizer(CHAR, symbols=[]).text_to_tokens("<A>") == ["<", "A", ">"]


words = st.text(min_size=1).map(lambda text: normalise(text, "nl").replace(" ", "")).filter(bool)
latin_words = st.text("aeiouënrtĳ½²ﬁ", min_size=1, max_size=8)
tagged_texts = st.lists(st.one_of(words, latin_words, st.sampled_from(SYMBOLS)), max_size=12).map(" ".join)


@given(text=tagged_texts)
def test_tokens_say_what_the_text_said(tokenizer: Tokenizer, text: str) -> None:
    assert tokens_to_words(tokenizer.text_to_tokens(text)) == text.split()


@given(text=tagged_texts)
def test_symbols_are_single_tokens(tokenizer: Tokenizer, text: str) -> None:
    tokens = tokenizer.text_to_tokens(text)
    assert [t for t in tokens if "<" in t and t != SPACE] == [w for w in text.split() if w in SYMBOLS]


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([], []),
        ([SPACE, SPACE], []),
        (["a", "<PER>", "b", "</NE>", "c"], ["a", "<PER>", "b", "</NE>", "c"]),
        (["<PER>", "<PER>"], ["<PER>", "<PER>"]),
        (["a", SPACE, SPACE, "b", SPACE], ["a", "b"]),
        (["▁de", "▁", "<LOC>", "▁ha", "ag", "▁", "</NE>"], ["de", "<LOC>", "haag", "</NE>"]),
        (["ha", "ag", "<LOC>"], ["haag", "<LOC>"]),
        (["a", UNKNOWN, "b"], ["a", UNKNOWN, "b"]),
    ],
)
def test_whatever_is_decoded_becomes_words(tokens: list[str], expected: list[str]) -> None:
    assert tokens_to_words(tokens) == expected


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([], []),
        ([SPACE, SPACE], []),
        (["a", "b", SPACE, "c"], [(0, 2), (3, 4)]),
        (["a", SPACE, "<LOC>", "b", "</NE>"], [(0, 1), (2, 3), (3, 4), (4, 5)]),
        (["▁de", "▁", "<LOC>", "▁ha", "ag", "▁", "</NE>"], [(0, 1), (2, 3), (3, 5), (6, 7)]),
        (["a", UNKNOWN, "b"], [(0, 1), (1, 2), (2, 3)]),
    ],
)
def test_words_know_their_tokens(tokens: list[str], expected: list[tuple[int, int]]) -> None:
    assert locate_words(tokens) == expected


@given(text=tagged_texts)
def test_the_tokens_of_a_word_write_it(tokenizer: Tokenizer, text: str) -> None:
    tokens = tokenizer.text_to_tokens(text)
    places = locate_words(tokens)
    assert [tokens_to_words(tokens[first:end]) for first, end in places] == [[word] for word in text.split()]
    marks = [mark for place in places for mark in place]
    assert marks == sorted(marks)


@pytest.mark.espnet
@given(text=st.lists(st.one_of(latin_words, st.sampled_from(SYMBOLS)), max_size=12).map(" ".join))
def test_tokens_are_espnets(bpe_dump: Path, text: str) -> None:
    from espnet2.text.char_tokenizer import CharTokenizer
    from espnet2.text.sentencepiece_tokenizer import SentencepiecesTokenizer

    model = bpe_dump / paths.BPE_MODEL
    espnets = CharTokenizer(non_linguistic_symbols=bpe_dump / paths.SYMBOLS)
    assert Tokenizer(CHAR, symbols=SYMBOLS).text_to_tokens(text) == espnets.text2tokens(text)
    espnets = SentencepiecesTokenizer(model)
    assert Tokenizer(BPE, symbols=SYMBOLS, bpe_model=model).text_to_tokens(text) == espnets.text2tokens(text)


@given(text=tagged_texts)
def test_tight_text_says_the_same(text: str) -> None:
    tokenizer = Tokenizer(CHAR, symbols=SYMBOLS)
    assert tokens_to_words(tokenizer.text_to_tokens(tighten(text, SYMBOLS))) == text.split()


def test_no_space_stands_between_a_symbol_and_the_words_of_its_entity() -> None:
    assert tighten("<PER> éa </NE> bc <LOC> a b </NE>", SYMBOLS) == "<PER>éa</NE> bc <LOC>a b</NE>"


@pytest.mark.parametrize(
    ("tokens", "marked"),
    [
        ("", ""),
        ("a b", "a b"),
        ("a <PER> b <space> c </NE> a", "a <PER> b<NE> <space><NE> c<NE> </NE> a"),
        ("<LOC> a </NE> <ORG> b </NE>", "<LOC> a<NE> </NE> <ORG> b<NE> </NE>"),
        ("a </NE> b <PER> <LOC> c", "a </NE> b <PER> <LOC> c<NE>"),
    ],
)
def test_tokens_inside_an_entity_are_marked(tokens: str, marked: str) -> None:
    assert mark_inside(tokens.split(), SYMBOLS) == marked.split()


# The dump folder


def test_character_list(tmp_path: Path) -> None:
    """Reserved tokens first, then the most frequent ones of train; of equally frequent ones the lower code point."""
    train = {"u-1": Transcript(("zzb", "bz", "é"), (Entity(0, 1, "PER"),)), "u-2": Transcript(("c",))}
    make_tokens(write_data(tmp_path / "data", {"train": train, "test": TEST}), tmp_path / "dump")
    token_list = read_token_list(tmp_path / "dump" / paths.TOKEN_LIST)
    reserved = [BLANK, UNKNOWN, "<PER>", "<ORG>", "<LOC>", "</NE>"]
    assert token_list == [*reserved, "z", SPACE, "b", "c", "é", SOS_EOS]


def test_symbols_of_labels_that_never_occur_are_reserved(tmp_path: Path) -> None:
    make_tokens(write_data(tmp_path / "data", {"train": {"u": Transcript(("a",))}}), tmp_path / "dump")
    assert read_token_list(tmp_path / "dump" / paths.TOKEN_LIST) == [BLANK, UNKNOWN, *SYMBOLS, "a", SOS_EOS]


def test_texts_and_shapes(data: Path, tmp_path: Path) -> None:
    settings = make_tokens(data, tmp_path / "dump")
    dump = tmp_path / "dump" / "train"
    num_tokens = len(read_token_list(tmp_path / "dump" / paths.TOKEN_LIST))
    assert (settings["system"], settings["token_type"], settings["sets"]) == ("e2e", "char", ["train", "test"])
    assert (dump / "text").read_text() == (
        "a-1 <PER>anna</NE> reist naar <LOC>den haag</NE>\na-2 één ĳs ½\nb-1\nb-2 <ORG>philips</NE> <PER>anna</NE>\n"
    )
    lengths = {"a-1": 4 + 20 + 4, "a-2": 3 + 2 + 1 + 2, "b-1": 0, "b-2": 4 + 11 + 1}
    assert read_table(dump / "text_shape") == {u: f"{n},{num_tokens}" for u, n in lengths.items()}
    assert (dump / "speech_shape").read_text() == "a-1 4000\na-2 12000\nb-1 20000\nb-2 28000\n"
    assert (tmp_path / "dump" / "test" / "text").read_text() == "t-1 onbekend <PER>xyz</NE>\n"
    assert (tmp_path / "dump" / paths.SYMBOLS).read_text().split() == SYMBOLS


def test_speech_shapes_are_the_clips_samples(tmp_path: Path) -> None:
    """The table of durations has seven decimals, of which a product with 16,000 often lies just below the samples."""
    utterances = {f"u-{number}": Transcript(("a",)) for number in range(1, 2000)}
    data = write_data(tmp_path / "data", {"train": utterances})
    samples = {utt_id: int(utt_id[2:]) for utt_id in utterances}
    write_table(data / "train" / paths.UTT2DUR, {u: f"{num / 16_000:.7f}" for u, num in samples.items()})
    make_tokens(data, tmp_path / "dump")
    found = read_table(tmp_path / "dump" / "train" / paths.SPEECH_SHAPE)
    assert {utt_id: int(num) for utt_id, num in found.items()} == samples


def test_asr_has_no_symbol_and_needs_no_entities(data: Path, tmp_path: Path) -> None:
    for name in ("train", "test"):
        (data / name / paths.ENTITIES).unlink()
    make_tokens(data, tmp_path / "dump", system="asr")
    dump = files_of(tmp_path / "dump")
    assert not set(read_token_list(tmp_path / "dump" / paths.TOKEN_LIST)) & set(SYMBOLS)
    assert dump["train/text"].decode().splitlines()[0] == "a-1 anna reist naar den haag"
    assert dump[paths.SYMBOLS] == b""


def test_bpe_list_is_the_models_and_of_the_size_asked_for(bpe_dump: Path) -> None:
    token_list = read_token_list(bpe_dump / paths.TOKEN_LIST)
    assert len(token_list) == len(set(token_list)) == 60
    assert token_list[:6] == [BLANK, UNKNOWN, *SYMBOLS] and token_list[-1] == SOS_EOS
    assert not [t for t in token_list[6:-1] if "<" in t or ">" in t]
    # A word that training never cut into characters can still be written with them.
    assert set("".join(WORDS)) <= set(token_list)


def test_bpe_texts_and_shapes(bpe_dump: Path) -> None:
    texts = read_table(bpe_dump / "train" / "text")
    assert texts["a-1"] == spans_to_text(TRAIN["a-1"])
    tokenizer = Tokenizer(BPE, symbols=SYMBOLS, bpe_model=bpe_dump / paths.BPE_MODEL)
    shapes = read_table(bpe_dump / "train" / "text_shape")
    assert shapes == {u: f"{len(tokenizer.text_to_tokens(text))},60" for u, text in texts.items()}


def test_bpe_with_asr_has_no_symbol(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", {"train": many_words(100)})
    make_tokens(data, tmp_path / "dump", system="asr", token_type=BPE, vocab_size=40)
    token_list = read_token_list(tmp_path / "dump" / paths.TOKEN_LIST)
    assert len(token_list) == 40 and [t for t in token_list if "<" in t] == [BLANK, UNKNOWN, SOS_EOS]


# Refusals


@pytest.mark.parametrize(("token_type", "vocab_size"), [(CHAR, 100), (BPE, None)])
def test_vocab_size_is_for_bpe(data: Path, tmp_path: Path, token_type: str, vocab_size: int | None) -> None:
    assert refusal(data, tmp_path / "dump", token_type=token_type, vocab_size=vocab_size) == (
        "--vocab_size: is for --token_type bpe, which needs it; characters need no size"
    )
    assert not (tmp_path / "dump").exists()


def test_utterances_with_more_tokens_than_frames_are_counted_by_frame_rate(tmp_path: Path) -> None:
    """Equal neighbours need a blank between them; a model's last window gives no frame of its own."""
    words = {"fits": "abcdefghi", "long": "abcdefghij", "alike": "aabcdefgh", "fast": "abcdefghijklmnopqrst"}
    data = write_data(tmp_path / "data", {"train": {u: Transcript((word,)) for u, word in words.items()}, "test": TEST})
    write_table(data / "train" / paths.UTT2DUR, dict.fromkeys(words, "0.4"))
    write_table(data / "test" / paths.UTT2DUR, dict.fromkeys(TEST, "9.0"))
    record = make_tokens(data, tmp_path / "dump", system="asr")
    assert record["too_many_tokens"] == {"25": {"train": 3, "test": 0}, "50": {"train": 1, "test": 0}}
    assert format_too_many(record) == [
        f"at {rate} ({model}), {num} of train have more tokens than frames: CTC cannot align them, their loss is zero, "
        "and nothing is learnt from them"
        for rate, model, num in (
            ("25 frames a second", "conf/train_mini.yaml", 3),
            ("50 frames a second", "wav2vec 2.0 such as XLS-R", 1),
        )
    ]
    assert format_too_many({"train": []}) == []  # of a record that knows nothing of it


@pytest.mark.parametrize("vocab_size", [100_000, 3, 0, -5])
def test_vocab_size_that_does_not_fit(data: Path, tmp_path: Path, vocab_size: int) -> None:
    message = refusal(data, tmp_path / "dump", token_type=BPE, vocab_size=vocab_size)
    assert message.startswith(f"--vocab_size {vocab_size}: SentencePiece cannot make it from this text (")
    assert not (tmp_path / "dump").exists()


def test_stage_1_has_not_finished(data: Path, tmp_path: Path) -> None:
    (data / paths.REPORT).unlink()
    assert refusal(data, tmp_path / "dump") == f"{data}: holds no finished train set; stage 1 makes it"


def test_corpus_without_train(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", {"test": TEST})
    assert refusal(data, tmp_path / "dump") == (
        f"{data}: holds no train set (found test); give stage 1 a corpus with train.tsv, or --split_validated 1, which "
        "makes sets of validated.tsv"
    )


@pytest.mark.parametrize("name", [paths.ENTITIES, paths.TEXT, paths.UTT2DUR])
def test_missing_file_names_its_stage(data: Path, tmp_path: Path, name: str) -> None:
    file = data / "test" / name
    file.unlink()
    expected = f"{file}: cannot be read (No such file or directory); {paths.made_by(file)} makes it"
    assert refusal(data, tmp_path / "dump") == expected
    assert not (tmp_path / "dump").exists()


@pytest.mark.parametrize("change", [{"t-1": Transcript(("onbekend", "xy"))}, {}], ids=["other words", "no utterance"])
def test_entities_of_other_words(data: Path, tmp_path: Path, change: dict[str, Transcript]) -> None:
    write_entities(data / "test" / paths.ENTITIES, change)
    assert refusal(data, tmp_path / "dump") == (
        f'{data}/test/entities.jsonl: words of utterance "t-1" are not those of {data}/test/text; rerun stage 2'
    )
    assert not (tmp_path / "dump" / paths.TOKENS_CONFIG).exists()


@pytest.mark.parametrize(
    ("symbols", "found"),
    [
        ([], "none"),
        (["</NE>"], "</NE>"),
        (["<PER>", "<PER>", "</NE>"], "<PER> <PER> </NE>"),
        (["<PER>", "</NE>", "</NE>"], "<PER> </NE>"),
        (["<PER>", "a", "</NE>"], "<PER> a </NE>"),
    ],
)
def test_a_token_list_has_each_symbol_once(symbols: list[str], found: str) -> None:
    with pytest.raises(SpnerError) as error:
        require_symbols([BLANK, UNKNOWN, *symbols, "b", SOS_EOS], where=Path("dump/token_list"))
    assert str(error.value) == (
        f"dump/token_list: its entity symbols are {found} (expected one a label, then </NE>, behind <unk>, each once); "
        "rerun stage 3 with --system e2e"
    )


def test_labels_are_those_of_the_token_list() -> None:
    seven = ("LAW", "NORP", "ORG", "PERSON", "PLACE", "QUANT", "WHEN")
    token_list = [BLANK, UNKNOWN, *entity_symbols(seven), SPACE, "a", SOS_EOS]
    require_symbols(token_list, where=Path("x"))
    assert find_labels(token_list) == seven and find_symbols(token_list) == entity_symbols(seven)
    assert find_labels([BLANK, UNKNOWN, SPACE, "a", SOS_EOS]) == ()


def test_labels_are_those_of_the_data_folder(tmp_path: Path) -> None:
    labels = LabelSet(("person", "creative-work"))
    train = {"u-1": Transcript(("anna", "leest", "max"), (Entity(0, 1, "person"), Entity(2, 3, "creative-work")))}
    data = write_data(tmp_path / "data", {"train": train})
    assert refusal(data, tmp_path / "dump") == (
        f'{data}/train/entities.jsonl: utterance "u-1" has an entity person (expected PER, ORG, LOC); rerun stage 2 '
        f"with other --labels, or add it to {data}/labels"
    )
    write_labels(data, labels)
    record = make_tokens(data, tmp_path / "dump")
    assert record["labels"] == list(labels.names)
    assert find_labels(read_token_list(tmp_path / "dump" / paths.TOKEN_LIST)) == labels.names
    text = read_table(tmp_path / "dump" / "train" / paths.TEXT)
    assert text == {"u-1": "<person>anna</NE> leest <creative-work>max</NE>"}


# Again, on a full disk, killed


def test_same_settings_again_write_nothing(data: Path, tmp_path: Path) -> None:
    settings = make_tokens(data, tmp_path / "dump")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "dump").rglob("*") if path.name != ".lock"}
    assert make_tokens(data, tmp_path / "dump") == settings
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "dump").rglob("*") if p.name != ".lock"} == times


@pytest.mark.parametrize("name", [paths.TEXT, paths.ENTITIES, paths.UTT2DUR])
def test_changed_input_is_made_anew(data: Path, tmp_path: Path, name: str) -> None:
    make_tokens(data, tmp_path / "dump")
    before = files_of(tmp_path / "dump")
    if name == paths.UTT2DUR:
        write_table(data / "test" / name, {"t-1": "9.0000000"})
    else:
        other = {"t-1": Transcript(("onbekend", "xyz"), (Entity(0, 1, "LOC"),))}
        other = other if name == paths.ENTITIES else {"t-1": Transcript(("geheel", "anders"))}
        write_data(data, {"train": TRAIN, "test": other})
    make_tokens(data, tmp_path / "dump")
    after = files_of(tmp_path / "dump")
    changed = "test/speech_shape" if name == paths.UTT2DUR else "test/text"
    assert before[changed] != after[changed]


@pytest.mark.parametrize("options", [{}, {"token_type": BPE, "vocab_size": 60}], ids=[CHAR, BPE])
def test_removed_files_are_made_again(tmp_path: Path, options: dict[str, Any]) -> None:
    data = write_data(tmp_path / "data", {"train": many_words(200), "test": TEST})
    make_tokens(data, tmp_path / "dump", **options)
    whole = files_of(tmp_path / "dump")
    for name in whole.keys() - {".lock"}:
        (tmp_path / "dump" / name).unlink()
        make_tokens(data, tmp_path / "dump", **options)
        assert files_of(tmp_path / "dump") == whole, name


def _full_after(calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        nonlocal calls
        calls -= 1
        if calls < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)


@pytest.mark.parametrize("calls", range(9))
@pytest.mark.parametrize("before", [None, "asr", "e2e"])
def test_full_disk_is_one_line_and_nothing_looks_finished(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int, before: str | None
) -> None:
    """Also where another system's tokens, or the same system's, were there."""
    make_tokens(data, tmp_path / "whole")
    if before:
        make_tokens(data, tmp_path / "dump", system=before)
    with monkeypatch.context() as patch:
        _full_after(calls, patch)
        other = {"system": "asr"} if before == "e2e" else {}
        assert "cannot be written (No space left on device)" in refusal(data, tmp_path / "dump", **other)
    assert not (tmp_path / "dump" / paths.TOKENS_CONFIG).exists()
    make_tokens(data, tmp_path / "dump")
    assert files_of(tmp_path / "dump") == files_of(tmp_path / "whole")


@pytest.mark.parametrize("options", [{}, {"token_type": BPE, "vocab_size": 60}], ids=[CHAR, BPE])
def test_killed_stage_is_finished_to_the_same_bytes(tmp_path: Path, options: dict[str, Any]) -> None:
    data = write_data(tmp_path / "data", {"train": many_words(1000), "test": TEST})
    make_tokens(data, tmp_path / "whole", **options)
    code = (
        "import json, sys; from pathlib import Path; from spner.data.tokens import make_tokens\n"
        "import sentencepiece; print('begin', flush=True)\n"
        f"make_tokens(Path(sys.argv[1]), Path(sys.argv[2]), **{options!r})\n"
    )
    start_and_kill(code, [data, tmp_path / "dump"], delays_s=(0.0, 0.005, 0.01, 0.02))
    make_tokens(data, tmp_path / "dump", **options)
    assert files_of(tmp_path / "dump") == files_of(tmp_path / "whole")
