"""Estimates ``lm.arpa``, the language model of a beam search, from a recipe's texts and any others.

The model scores words (each entity symbol a word), for a lexicon search: ``naar <LOC> den haag </NE>``. Or it scores
the recipe's tokens, those inside an entity marked, for an open search:
``n a a r <space> <LOC> d<NE> e<NE> n<NE> <space><NE> h<NE> a<NE> a<NE> g<NE> </NE>``.
"""

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.errors import SpnerError
from spner.core.files import atomic_text, fingerprint, locked, read_json, read_lines
from spner.core.provenance import git_commit
from spner.core.resume import once
from spner.data.tokens import CHAR, INSIDE, UNKNOWN, Tokenizer, mark_inside, read_token_list, tighten
from spner.lm.arpa import MAX_ORDER, write_arpa
from spner.lm.counts import read_corpus
from spner.lm.kneser_ney import estimate
from spner.lm.model import compute_perplexity
from spner.tagger.conll import read_conll
from spner.text.labels import LabelSet, adopt
from spner.text.tags import spans_to_text, symbol_labels
from spner.text.textnorm import normalise, normalise_transcript

WORD, TOKEN = "word", "token"
TAGGED_RECORD = "tagged.json"
SENTENCES_AT_ONCE = 100_000
ORDERS = range(2, MAX_ORDER + 1)


def make_lm(
    dump: Path,
    out: Path,
    *,
    unit: str = WORD,
    order: int = 4,
    prune: Sequence[int] = (),
    texts: Sequence[Path] = (),
    columns: Sequence[Path] = (),
    sentences: Sequence[Path] = (),
    tagger: str | None = None,
    lang: str | None = None,
) -> dict[str, Any]:
    """Write ``<out>/lm.arpa`` and return its record, ``<out>/lm.json``. A finished model is not estimated again.

    Args:
        dump: folder of stage 3: the model is estimated on its training text, the perplexity on its dev text.
        out: folder to make.
        unit: ``word`` or ``token``.
        order: words or tokens in the longest n-gram, 2 to 6.
        prune: as :func:`spner.lm.kneser_ney.estimate` takes it.
        texts: more text, one normalised sentence a line, tagged or not.
        columns: more text, CoNLL column files with entities (:func:`spner.tagger.conll.read_conll`); normalised. The
            result is kept in ``<out>/columns.txt``.
        sentences: more text, one cased, punctuated sentence a line; normalised and, where the recipe has entity
            symbols, tagged. The result is kept in ``<out>/tagged.txt``.
        tagger: hub name or folder, for ``sentences``.
        lang: language code, for ``columns`` and ``sentences``; selects the normalisation and the default tagger.

    Raises:
        SpnerError: an input is missing or broken, or the options do not fit each other.
    """
    _validate(order, prune, dump, [*texts, *columns, *sentences])
    if (columns or sentences) and not lang:
        raise SpnerError("--columns, --sentences: need the language that decides their normalisation; give --lang")
    config = read_json(dump / paths.TOKENS_CONFIG)
    symbols = list(read_lines(dump / paths.SYMBOLS))
    set_texts = {s: dump / s / paths.TEXT for s in (paths.TRAIN, paths.DEV) if s in config["sets"]}
    with locked(out):
        if columns and lang:
            texts = [*texts, _read_columns(columns, out, symbols=symbols, lang=lang)]
        if sentences and lang:
            texts = [*texts, _tag(sentences, out, symbols=symbols, tagger=tagger, lang=lang)]
        inputs = [dump / paths.TOKENS_CONFIG, *set_texts.values(), *texts]
        settings = {
            "unit": unit,
            "order": order,
            "prune": list(prune),
            "inputs": {str(path): fingerprint([path]) for path in inputs},
        }
        split = _splitter(unit, config["token_type"], symbols, dump)
        return once(
            out / paths.LM_RECORD,
            {"settings": settings},
            lambda: _estimate(out / paths.LM_ARPA, set_texts, texts, symbols, split, order=order, prune=prune),
            outputs=[out / paths.LM_ARPA],
        )


def _estimate(
    arpa: Path,
    set_texts: Mapping[str, Path],
    texts: Sequence[Path],
    symbols: Sequence[str],
    split: Callable[[list[str]], list[str]],
    *,
    order: int,
    prune: Sequence[int],
) -> dict[str, Any]:
    """Write a model; return what it was estimated from, and its perplexity on dev, None without a word there."""
    train = read_words(set_texts[paths.TRAIN], symbols, kaldi=True)
    corpus = read_corpus(map(split, chain(train, *(read_words(path, symbols) for path in texts))))
    if not corpus.num_sentences:
        raise SpnerError(f"{set_texts[paths.TRAIN]}: holds no words (expected sentences to learn); give --text")
    model = estimate(corpus, order=order, prune=prune)
    write_arpa(arpa, model)
    dev: list[list[str]] = []
    if paths.DEV in set_texts:
        dev = [split(words) for words in read_words(set_texts[paths.DEV], symbols, kaldi=True) if words]
    return {
        "commit": git_commit(),
        "num_sentences": corpus.num_sentences,
        "num_ngrams": [len(keys) for keys in model.keys],
        paths.DEV: asdict(compute_perplexity(model, dev)) if dev else None,
    }


def _validate(order: int, prune: Sequence[int], dump: Path, files: Sequence[Path]) -> None:
    """Raise SpnerError for options that do not fit, or for input that is not there."""
    if order not in ORDERS:
        raise SpnerError(f"--order {order}: expected {ORDERS[0]} to {ORDERS[-1]}, which decoders can read")
    if prune and (len(prune) != order or prune[0] != 0 or list(prune) != sorted(prune)):
        raise SpnerError(
            f'--prune "{" ".join(map(str, prune))}": expected {order} counts, one an order, the first 0 '
            f'and none below the one before it, such as "{" ".join(map(str, range(order)))}"'
        )
    if not (dump / paths.TOKENS_CONFIG).exists():
        raise SpnerError(f"{dump}: holds no finished tokens; stage 3 makes them")
    for path in files:
        if not path.is_file():
            raise SpnerError(f"{path}: is no file (expected UTF-8 text, one sentence a line); give another path")


def _splitter(unit: str, token_type: str, symbols: Sequence[str], dump: Path) -> Callable[[list[str]], list[str]]:
    """Return a function from a line's words to the model's units; tokens that the recogniser lacks become ``<unk>``."""
    if unit == WORD:
        return lambda words: words
    tokenizer = Tokenizer(token_type, symbols=symbols, bpe_model=dump / paths.BPE_MODEL)
    known = frozenset(read_token_list(dump / paths.TOKEN_LIST))

    def split(words: list[str]) -> list[str]:
        text = " ".join(words)
        tokens = tokenizer.text_to_tokens(tighten(text, symbols) if token_type == CHAR else text)
        marked = mark_inside(tokens, symbols)
        return [token if token.removesuffix(INSIDE) in known else UNKNOWN for token in marked]

    return split


def read_words(path: Path, symbols: Sequence[str], *, kaldi: bool = False) -> Iterator[list[str]]:
    """Yield the words and entity symbols of each line; with ``kaldi`` an utterance id comes first and is left out.

    Raises:
        SpnerError: the text holds a symbol that is none of ours, such as ``<s>``, which would break the model.
    """
    for line_number, line in enumerate(read_lines(path), start=1):
        text = line.partition(" ")[2] if kaldi else line
        for symbol in symbols:
            text = text.replace(symbol, f" {symbol} ")
        words = text.split()
        for word in words if "<" in text else ():
            if "<" in word and word not in symbols:
                raise SpnerError(
                    f'{path}:{line_number}: "{word}" stands in the text (expected normalised words and '
                    f"the recipe's symbols: {' '.join(symbols) or 'none'}); mend the text"
                )
        yield words


def _read_columns(files: Sequence[Path], out: Path, *, symbols: Sequence[str], lang: str) -> Path:
    """Normalise the sentences of column files, tagged where there are entity symbols; return the file they are in."""
    with atomic_text(out / paths.LM_COLUMNS) as file:
        for path in files:
            sentences = read_conll(path)
            if symbols:
                sentences = adopt(sentences, LabelSet(symbol_labels(symbols)), where=str(path))
            for normalised in (normalise_transcript(sentence, lang) for sentence in sentences):
                file.write(f"{spans_to_text(normalised) if symbols else ' '.join(normalised.words)}\n")
    return out / paths.LM_COLUMNS


def _tag(files: Sequence[Path], out: Path, *, symbols: Sequence[str], tagger: str | None, lang: str) -> Path:
    """Normalise cased sentences and, where there are entity symbols, tag them; return the file they are in."""
    name, weights, labels = None, None, LabelSet(symbol_labels(symbols))
    if symbols:
        from spner.tagger.annotate import default_tagger, tag_sentences
        from spner.tagger.model import fingerprint_model, load_tagger

        name = tagger or default_tagger(lang)
        weights = fingerprint_model(name)
    inputs = {str(path): fingerprint([path]) for path in files}
    identity = {"lang": lang, "inputs": inputs, "tagger": name, "weights": weights, "labels": list(labels.names)}

    def write() -> None:
        loaded = load_tagger(name, labels=labels) if name else None
        lines = chain.from_iterable(read_lines(path) for path in files)
        cased = (unicodedata.normalize("NFC", line) for line in lines)
        with atomic_text(out / paths.LM_TAGGED) as file:
            while part := list(islice(cased, SENTENCES_AT_ONCE)):
                if loaded:
                    transcripts = tag_sentences(
                        loaded, {str(n): one for n, one in enumerate(part)}, lang=lang, labels=labels
                    )
                    texts = [spans_to_text(transcript) for transcript in transcripts.values()]
                else:
                    texts = [normalise(sentence, lang) for sentence in part]
                file.writelines(f"{text}\n" for text in texts)

    once(out / TAGGED_RECORD, identity, write, outputs=[out / paths.LM_TAGGED])
    return out / paths.LM_TAGGED


def format_record(record: dict[str, Any]) -> str:
    """Return a line about a model and its perplexity on dev."""
    unit = record["settings"]["unit"]
    ngrams = ", ".join(f"{count} {n}-grams" for n, count in enumerate(record["num_ngrams"], start=1))
    lines = [f"{unit}s of {record['num_sentences']} sentences: {ngrams}"]
    if dev := record[paths.DEV]:
        lines.append(
            f"dev: perplexity {dev['with_unknown']:.2f}, {dev['without_unknown']:.2f} without its "
            f"{dev['num_unknown']} unknown of {dev['num_words']} {unit}s"
        )
    return "\n".join(lines)
