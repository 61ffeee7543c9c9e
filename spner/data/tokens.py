"""Stage 3: transcripts and entities -> token list, the texts to train on, and ESPnet's shape files.

A token list is ESPnet's: ``<blank>``, ``<unk>``, the entity symbols, the other tokens, ``<sos/eos>``. Entity symbols
are reserved: ``<PER>`` is one token, whatever the token type, and never part of a word. With characters, spaces next to
entity symbols inside an entity are dropped (``naar <LOC>den haag</NE> en``); they would cost CTC frames.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.errors import SpnerError
from spner.core.files import atomic_path, atomic_text, fingerprint, locked, read_json, read_lines
from spner.core.resume import once
from spner.data.audio import SAMPLE_RATE_HZ
from spner.data.trainset import (
    Utterance,
    choose_labels,
    choose_trainset,
    find_data,
    stream_audio,
    stream_labelled,
    stream_set,
    stream_texts,
)
from spner.text.tags import CLOSE, entity_symbols, spans_to_text, symbol_labels

BLANK, UNKNOWN, SPACE, SOS_EOS = "<blank>", "<unk>", "<space>", "<sos/eos>"
PIECE_SPACE = "▁"  # SentencePiece's mark of a word's begin
INSIDE = "<NE>"  # mark of a token inside an entity, in token language models
E2E, ASR = SYSTEMS = ("e2e", "asr")
CHAR, BPE = "char", "bpe"
FRAME_RATES_HZ = {25: "conf/train_mini.yaml", 50: "wav2vec 2.0 such as XLS-R"}
"""Frames a second that models have, one fewer an utterance for the last window. Stage 3 does not know the model."""
TOO_MANY_TOKENS = "too_many_tokens"


class Tokenizer:
    """Text -> tokens, as ESPnet's own tokenizers cut it when it trains; and tokens -> text."""

    def __init__(self, token_type: str, *, symbols: Sequence[str], bpe_model: Path | None = None) -> None:
        self._symbols = frozenset(symbols)
        self._split = re.compile(f"({'|'.join(map(re.escape, symbols))})").split if symbols else lambda text: [text]
        self._model = None
        if token_type == BPE:
            from sentencepiece import SentencePieceProcessor

            self._model = SentencePieceProcessor(model_file=str(bpe_model))

    def pieces(self) -> list[str]:
        """Return SentencePiece's own pieces, symbols included; none for characters, which come from the texts."""
        model = self._model
        if model is None:
            return []
        ids = range(model.get_piece_size())
        return [model.id_to_piece(i) for i in ids if not model.is_control(i) and not model.is_unknown(i)]

    def text_to_tokens(self, text: str) -> list[str]:
        """Return the tokens of a (tagged) transcript."""
        if self._model is not None:
            return self._model.encode(text, out_type=str)
        tokens: list[str] = []
        for part in self._split(text):
            tokens += [part] if part in self._symbols else [SPACE if char == " " else char for char in part]
        return tokens


def tighten(tagged: str, symbols: Sequence[str]) -> str:
    """Return tagged text without the spaces between one of the entity symbols and the words of its entity."""
    for symbol in symbols:
        tagged = tagged.replace(f" {symbol}" if symbol == CLOSE else f"{symbol} ", symbol)
    return tagged


def mark_inside(tokens: Iterable[str], symbols: Collection[str]) -> list[str]:
    """Return the tokens as token language models have them: ``n a a r <space> <LOC> u<NE> r<NE> k<NE> </NE>``.

    A name looks like other text to a model that sees a few tokens; marked, it does not. What may follow a token of
    tagged text then depends on that token alone.
    """
    marked: list[str] = []
    inside = False
    for token in tokens:
        if token in symbols:
            inside = token != CLOSE
            marked.append(token)
        else:
            marked.append(token + INSIDE if inside else token)
    return marked


def tokens_to_words(tokens: Iterable[str]) -> list[str]:
    """Return words and entity symbols of a token sequence, each symbol a word of its own, whatever was decoded."""
    return "".join(map(_piece, tokens)).split()


def locate_words(tokens: Sequence[str]) -> list[tuple[int, int]]:
    """Return for each word of :func:`tokens_to_words` the half-open range of the tokens that write it."""
    pieces = [_piece(token) for token in tokens]
    owners = [index for index, piece in enumerate(pieces) for _ in piece]
    words = re.finditer(r"\S+", "".join(pieces))
    return [(owners[word.start()], owners[word.end() - 1] + 1) for word in words]


@cache
def _piece(token: str) -> str:
    """Return what a token of a token list writes, spaces included."""
    return " " if token == SPACE else (f" {token} " if token.startswith("<") else token).replace(PIECE_SPACE, " ")


def read_token_list(path: Path) -> list[str]:
    """Read a token list, one token a line."""
    return list(read_lines(path))


def find_symbols(token_list: Sequence[str]) -> list[str]:
    """Return the entity symbols of a token list, which stand behind ``<unk>``; none of a recogniser's."""
    return list(token_list[token_list.index(UNKNOWN) + 1 : token_list.index(CLOSE) + 1]) if CLOSE in token_list else []


def find_labels(token_list: Sequence[str]) -> tuple[str, ...]:
    """Return the labels of the entity symbols of a token list."""
    return symbol_labels(find_symbols(token_list))


def require_symbols(token_list: Sequence[str], *, where: Path, labels: Sequence[str] | None = None) -> None:
    """Refuse a token list without entity symbols behind ``<unk>``, the close last, each of them once.

    Args:
        token_list: the tokens.
        where: the file that the error names.
        labels: whose symbols are expected; None for those of any labels.

    Raises:
        SpnerError: the symbols are others.
    """
    symbols = find_symbols(token_list) if UNKNOWN in token_list else []
    is_right = symbols == entity_symbols(labels) if labels else len(symbols) > 1
    is_right &= all(re.fullmatch(r"<[^<>/]+>", symbol) is not None for symbol in symbols[:-1])
    if not is_right or any(token_list.count(symbol) > 1 for symbol in symbols):
        expected = " ".join(entity_symbols(labels)) if labels else f"one a label, then {CLOSE}"
        raise SpnerError(
            f"{where}: its entity symbols are {' '.join(symbols) or 'none'} (expected {expected}, behind {UNKNOWN}, "
            "each once); rerun stage 3 with --system e2e"
        )


def make_tokens(
    data: Path,
    out: Path,
    *,
    system: str = E2E,
    token_type: str = CHAR,
    vocab_size: int | None = None,
    joined: Sequence[Path] = (),
    fraction: float = 100.0,
) -> dict[str, Any]:
    """Write the token list, and the training text and shape files of every set; return the record.

    Args:
        data: data folder of stages 1 and 2; ``train`` gives the token list.
        out: ``dump/<tag>``: ``token_list``, ``<set>/{text,speech_shape,text_shape}``, for ``bpe`` ``bpe.model`` and,
            where data folders are joined, ``train/wav.scp``.
        system: ``e2e`` marks the entities in the texts; ``asr`` leaves the symbols out.
        token_type: ``char`` or ``bpe``.
        vocab_size: tokens in the list, for ``bpe`` only.
        joined: other data folders, or recipes with one, whose train sets are added; dev and test are ``data``'s.
        fraction: percent of ``data``'s train set, see :func:`spner.data.trainset.find_limit`; joined ones are
            used whole.

    Raises:
        SpnerError: stage 1 or 2 has not finished, ``vocab_size`` does not fit, an entity's label is none of the
            folder's, or joined folders share an utterance id or have other labels.
    """
    if (token_type == BPE) != (vocab_size is not None):
        raise SpnerError("--vocab_size: is for --token_type bpe, which needs it; characters need no size")
    others = [find_data(path, like=data) for path in joined]
    set_names = _list_sets(data)
    folders = [*(data / s for s in set_names), *(other / paths.TRAIN for other in others)]
    inputs = (paths.TEXT, paths.UTT2DUR, *([paths.ENTITIES] if system == E2E else []))
    settings = {
        "system": system,
        "labels": choose_labels(data, others) if system == E2E else None,
        "token_type": token_type,
        "vocab_size": vocab_size,
        "joined": [str(other) for other in others],
        "fraction": fraction,
        "sets": set_names,
        "inputs": fingerprint(folder / name for folder in folders for name in inputs),
    }
    with locked(out):
        return once(
            out / paths.TOKENS_CONFIG,
            settings,
            lambda: _write_dump(data, out, others, settings),
            outputs=_list_outputs(out, settings),
        )


def _list_sets(data: Path) -> list[str]:
    """Return the sets of a data folder, of which one is train."""
    if not (data / paths.REPORT).exists():
        raise SpnerError(f"{data}: holds no finished train set; stage 1 makes it")
    set_names = list(read_json(data / paths.REPORT)["sets"])
    if paths.TRAIN not in set_names:
        raise SpnerError(
            f"{data}: holds no train set (found {', '.join(set_names)}); give stage 1 a corpus with train.tsv, or "
            "--split_validated 1, which makes sets of validated.tsv"
        )
    return set_names


def _list_outputs(out: Path, settings: Mapping[str, Any]) -> list[Path]:
    """Return the files that :func:`make_tokens` writes with these settings, its record left out."""
    names = [paths.TOKEN_LIST, paths.SYMBOLS, *([paths.BPE_MODEL] if settings["token_type"] == BPE else [])]
    in_set = (paths.TEXT, paths.SPEECH_SHAPE, paths.TEXT_SHAPE)
    names += [f"{set_name}/{name}" for set_name in settings["sets"] for name in in_set]
    names += [f"{paths.TRAIN}/{paths.WAV_SCP}"] if settings["joined"] else []
    return [out / name for name in names]


def _write_dump(data: Path, out: Path, others: Sequence[Path], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Write what the record of :func:`make_tokens` then vouches for; return what each train set gave, and what is long.

    Utterances with more tokens than frames are counted by frame rate and set: see :func:`format_too_many`.
    """
    labels, token_type = settings["labels"], settings["token_type"]
    symbols = entity_symbols(labels) if labels else []
    trainset = choose_trainset([data, *others], settings["fraction"])

    def read(folder: Path) -> Iterator[tuple[str, str]]:
        texts = _stream_texts(folder, labels)
        return ((u, tighten(text, symbols)) for u, text in texts) if token_type == CHAR else texts

    def texts() -> Iterator[str]:
        return (text for _, text, _ in trainset.stream_parts(read))

    if token_type == BPE:
        _train_pieces(texts(), out / paths.BPE_MODEL, settings["vocab_size"], symbols)
    tokenizer = Tokenizer(token_type, symbols=symbols, bpe_model=out / paths.BPE_MODEL)
    with atomic_text(out / paths.SYMBOLS) as file:
        file.writelines(f"{symbol}\n" for symbol in symbols)
    num_tokens = _write_token_list(out / paths.TOKEN_LIST, tokenizer, texts(), symbols)
    too_many: dict[int, dict[str, int]] = {rate_hz: {} for rate_hz in FRAME_RATES_HZ}
    for set_name in settings["sets"]:
        rows = trainset.stream(read) if set_name == paths.TRAIN else stream_set(data / set_name, read)
        for rate_hz, count in _write_set(out / set_name, rows, tokenizer, num_tokens).items():
            too_many[rate_hz][set_name] = count
    if others:
        with atomic_text(out / paths.TRAIN / paths.WAV_SCP) as file:
            file.writelines(f"{utt_id} {location}\n" for utt_id, location in stream_audio(trainset))
    return {"train": trainset.counts, TOO_MANY_TOKENS: too_many}


def format_too_many(record: Mapping[str, Any]) -> list[str]:
    """Return a line for each frame rate at which utterances of the record have more tokens than frames."""
    lines = []
    for rate_hz, counts in record.get(TOO_MANY_TOKENS, {}).items():
        found = ", ".join(f"{num} of {set_name}" for set_name, num in counts.items() if num)
        if found:
            lines.append(
                f"at {rate_hz} frames a second ({FRAME_RATES_HZ[int(rate_hz)]}), {found} have more tokens than frames: "
                "CTC cannot align them, their loss is zero, and nothing is learnt from them"
            )
    return lines


def _stream_texts(folder: Path, labels: Sequence[str] | None) -> Iterator[tuple[str, str]]:
    """Yield each utterance's text to train on; without labels that is the transcript."""
    if labels is None:
        return stream_texts(folder)
    return ((utt_id, spans_to_text(transcript)) for utt_id, transcript in stream_labelled(folder, labels))


def _train_pieces(texts: Iterable[str], model_file: Path, vocab_size: int, symbols: Sequence[str]) -> None:
    """Train a SentencePiece unigram model in which each entity symbol is one piece."""
    import sentencepiece

    refused: list[SpnerError] = []

    def sentences() -> Iterator[str]:  # SentencePiece takes an error for the end
        try:
            yield from texts
        except SpnerError as error:
            refused.append(error)

    try:
        with atomic_path(model_file) as temporary, open(temporary, "wb") as file:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=sentences(),
                model_writer=file,
                vocab_size=vocab_size,
                character_coverage=1.0,
                user_defined_symbols=list(symbols),
                num_threads=1,
                minloglevel=2,
                normalization_rule_name="identity",  # the texts are normalised; NFKC would change their words
            )
            if refused:
                raise refused[0]
    except RuntimeError as error:
        if refused:
            raise refused[0] from None
        reason = str(error).splitlines()[-1].rsplit("] ", 1)[-1].rstrip(".")
        raise SpnerError(
            f"--vocab_size {vocab_size}: SentencePiece cannot make it from this text ({reason}); give another size"
        ) from error


def _write_token_list(path: Path, tokenizer: Tokenizer, texts: Iterable[str], symbols: Sequence[str]) -> int:
    """Write the token list, most frequent tokens first; return its length."""
    # Every piece of the model: dev and test may be cut into some that train never is.
    counts: Counter[str] = Counter(dict.fromkeys(tokenizer.pieces(), 0))
    for text in texts:
        counts.update(tokenizer.text_to_tokens(text))
    reserved = [BLANK, UNKNOWN, *symbols]
    by_count = sorted(counts.keys() - {*reserved}, key=lambda token: (-counts[token], token))
    token_list = [*reserved, *by_count, SOS_EOS]
    with atomic_text(path) as file:
        file.writelines(f"{token}\n" for token in token_list)
    return len(token_list)


def _write_set(dump: Path, rows: Iterable[Utterance[str]], tokenizer: Tokenizer, num_tokens: int) -> dict[int, int]:
    """Write a set's text and shapes; return by frame rate how many utterances have more tokens than frames."""
    too_many = dict.fromkeys(FRAME_RATES_HZ, 0)
    with (
        atomic_text(dump / paths.TEXT) as texts,
        atomic_text(dump / paths.SPEECH_SHAPE) as speech,
        atomic_text(dump / paths.TEXT_SHAPE) as lengths,
    ):
        for utt_id, text, duration_s in rows:
            tokens = tokenizer.text_to_tokens(text)
            texts.write(f"{utt_id} {text}".rstrip() + "\n")
            speech.write(f"{utt_id} {round(duration_s * SAMPLE_RATE_HZ)}\n")
            lengths.write(f"{utt_id} {len(tokens)},{num_tokens}\n")
            # CTC needs a frame for each token, and one more between equal neighbours.
            needed = len(tokens) + sum(one == other for one, other in pairwise(tokens))
            for rate_hz in too_many:
                too_many[rate_hz] += needed > int(duration_s * rate_hz) - 1
    return too_many
