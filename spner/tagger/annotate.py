"""Pseudo-annotation: a text tagger labels cased sentences, and the labels are projected onto the normalised words.

A corpus with pseudo-labels of its own keeps them, unless a tagger is given.

A sentence is split into words as in CoNLL files, and the tagger labels them. The characters of an entity, from its
first word to its last, select the words of the normalised transcript. Labels other than ours (MISC) are dropped
and counted.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.datatypes import LABELS, Transcript
from spner.core.errors import SpnerError
from spner.core.files import fingerprint, locked, read_json, write_json
from spner.data import datadir
from spner.tagger.model import BATCH_TOKENS, Tagger, fingerprint_model, load_tagger
from spner.tagger.train import score
from spner.text.tags import bio_to_spans
from spner.text.textnorm import project

DEFAULT_TAGGERS = {
    "nl": "FacebookAI/xlm-roberta-large-finetuned-conll02-dutch",
    "de": "FacebookAI/xlm-roberta-large-finetuned-conll03-german",
    "en": "FacebookAI/xlm-roberta-large-finetuned-conll03-english",
}
# A run of characters that are not always a word of their own, or one that is.
CHUNK = re.compile(r"""[^\s"“”„«»‹›()\[\]{}…/;!?–—]+|\S""")
INITIALS = re.compile(r"(?:[^\W\d_]\.)+")
# 's-Hertogenbosch, 't, '98: the apostrophe belongs to the word.
ELISION = re.compile(r"['’](?:[A-Za-z]\b|\d\d)")
ENGLISH_CLITIC = re.compile(r"['’](?:s|S|re|ve|ll|d|m)$")
log = logging.getLogger(__name__)


def default_tagger(lang: str) -> str:
    """Return the hub name of a language's default tagger.

    Raises:
        SpnerError: the language has none.
    """
    if lang not in DEFAULT_TAGGERS:
        raise SpnerError(
            f'lang "{lang}" has no default tagger (only {", ".join(DEFAULT_TAGGERS)} have one); '
            "give --tagger, or train one with spner train-tagger"
        )
    return DEFAULT_TAGGERS[lang]


def split_words(sentence: str, lang: str) -> Iterator[tuple[int, int]]:
    """Yield the character spans of a sentence's words, cut as in the CoNLL files that taggers are trained on.

    Punctuation is a word of its own; hyphens and apostrophes inside a word, initials (``J.``) and decimals stay;
    English splits ``Merkel 's``.
    """
    for chunk in CHUNK.finditer(sentence):
        start, end = chunk.span()
        while start < end and not sentence[start].isalnum() and not ELISION.match(sentence, start, end):
            yield start, start + 1
            start += 1
        tail = end
        while start < end and not sentence[end - 1].isalnum() and not INITIALS.fullmatch(sentence, start, end):
            end -= 1
        clitic = ENGLISH_CLITIC.search(sentence, start, end) if lang == "en" else None
        middle = clitic.start() if clitic else end
        yield from ((a, b) for a, b in ((start, middle), (middle, end)) if a < b)
        yield from ((position, position + 1) for position in range(end, tail))


def annotate(
    sentences: dict[str, str], *, tagger: str, lang: str, batch_tokens: int = BATCH_TOKENS, device: str = "auto"
) -> dict[str, Transcript]:
    """Return each utterance's normalised words and the entities that the tagger finds in its sentence.

    Args:
        sentences: utterance id -> cased, punctuated sentence, NFC.
        tagger: hub name or local folder of a transformers token classifier with CoNLL-style labels.
        lang: ISO 639-1 code; selects the normalisation.
        batch_tokens: subwords of a batch, padding included; affects speed and memory, not labels.
        device: torch device; ``auto`` takes a GPU if there is one.

    Raises:
        SpnerError: the tagger cannot be used; see :func:`spner.tagger.model.load_tagger`.
    """
    return tag_sentences(load_tagger(tagger, device=device), sentences, lang=lang, batch_tokens=batch_tokens)


def tag_sentences(
    tagger: Tagger, sentences: dict[str, str], *, lang: str, batch_tokens: int = BATCH_TOKENS
) -> dict[str, Transcript]:
    """Do :func:`annotate` with a loaded tagger."""
    offsets = [list(split_words(sentence, lang)) for sentence in sentences.values()]
    words = [[s[a:b] for a, b in spans] for s, spans in zip(sentences.values(), offsets, strict=True)]
    bio = tagger.predict(words, batch_tokens=batch_tokens)
    transcript: dict[str, Transcript] = {}
    dropped: Counter[str] = Counter()
    for (utt_id, sentence), spans, tags in zip(sentences.items(), offsets, bio, strict=True):
        entities = bio_to_spans(tags)
        dropped.update(entity.label for entity in entities if entity.label not in LABELS)
        kept = [(spans[e.start][0], spans[e.end - 1][1], e.label) for e in entities if e.label in LABELS]
        transcript[utt_id] = project(sentence, kept, lang)
    if dropped:
        log.info("dropped entities of other labels: %s", dict(sorted(dropped.items())))
    return transcript


def annotate_data_dir(
    data: Path, *, tagger: str | None, lang: str, batch_tokens: int = BATCH_TOKENS, device: str = "auto"
) -> dict[str, dict[str, Any] | None]:
    """Write ``entities.jsonl`` for every set of ``data`` (a folder with ``sentences.jsonl``).

    A set that this tagger has already annotated is left as it is.

    Args:
        data: data folder of stage 1.
        tagger: as for :func:`annotate`; None takes the corpus's own labels, if any, else the language's default tagger.
        lang: as for :func:`annotate`.
        batch_tokens: as for :func:`annotate`.
        device: as for :func:`annotate`.

    Returns:
        set name -> pseudo-labels against ``gold_entities.jsonl`` (:func:`spner.tagger.train.score`), None without gold.

    Raises:
        SpnerError: no set, a broken file, a tagger that cannot be used, or another writer in ``data``.
    """
    folders = sorted(path.parent for path in data.glob(f"*/{paths.SENTENCES}"))
    if not folders:
        raise SpnerError(
            f"{data}: no set with {paths.SENTENCES} in it (expected {', '.join(paths.SETS)}); run stage 1 (spner data)"
        )
    if tagger is None and all((folder / paths.CORPUS_ENTITIES).is_file() for folder in folders):
        with locked(data):
            return {folder.name: _take_corpus_entities(folder) for folder in folders}
    tagger = tagger or default_tagger(lang)
    weights = fingerprint_model(tagger)
    loaded: Tagger | None = None
    scores: dict[str, dict[str, Any] | None] = {}
    with locked(data):
        for folder in folders:
            sentences = fingerprint([folder / paths.SENTENCES])
            record = {"tagger": tagger, "weights": weights, "lang": lang, "sentences": sentences}
            if not _is_annotated(folder, record):
                loaded = loaded or load_tagger(tagger, device=device)
                _annotate_set(folder, loaded, record, lang=lang, batch_tokens=batch_tokens)
            scores[folder.name] = _score_against_gold(folder)
    return scores


def _annotate_set(folder: Path, tagger: Tagger, record: dict[str, Any], *, lang: str, batch_tokens: int) -> None:
    """Label a set's sentences."""
    sentences = datadir.read_sentences(folder / paths.SENTENCES)
    transcript = tag_sentences(tagger, sentences, lang=lang, batch_tokens=batch_tokens)
    _write_labels(folder, transcript, record)


def _write_labels(folder: Path, transcript: dict[str, Transcript], record: dict[str, Any]) -> None:
    """Write a set's entities, then the record that says where they come from."""
    # If we are killed between the two writes, a record of an earlier tagger must not stand beside the new entities.
    (folder / paths.ANNOTATE_RECORD).unlink(missing_ok=True)
    datadir.write_entities(folder / paths.ENTITIES, transcript)
    write_json(folder / paths.ANNOTATE_RECORD, record)
    found = Counter(entity.label for utterance in transcript.values() for entity in utterance.entities)
    log.info("%s: %d utterances, %s", folder, len(transcript), ", ".join(f"{found[label]} {label}" for label in LABELS))


def _take_corpus_entities(folder: Path) -> dict[str, Any] | None:
    """Take the corpus's own labels as a set's entities, and record that; return their scores."""
    source = folder / paths.CORPUS_ENTITIES
    record = {
        "tagger": None,
        "corpus": read_json(folder.parent / paths.REPORT)["settings"]["corpus"],
        "entities": fingerprint([source]),
    }
    if not _is_annotated(folder, record):
        log.info("%s: takes the labels that came with %s; --tagger would make others", folder, record["corpus"])
        _write_labels(folder, datadir.read_entities(source), record)
    return _score_against_gold(folder)


def _is_annotated(folder: Path, record: dict[str, Any]) -> bool:
    done = folder / paths.ANNOTATE_RECORD
    return done.is_file() and (folder / paths.ENTITIES).is_file() and read_json(done) == record


def _score_against_gold(folder: Path) -> dict[str, Any] | None:
    """Compare pseudo-labels with the gold ones of the set, on identical words."""
    if not (folder / paths.GOLD_ENTITIES).is_file():
        return None
    hyp = datadir.read_entities(folder / paths.ENTITIES)
    ref = datadir.read_entities(folder / paths.GOLD_ENTITIES)
    if {u: a.words for u, a in ref.items()} != {u: a.words for u, a in hyp.items()}:
        raise SpnerError(
            f"{folder / paths.GOLD_ENTITIES}: its words are not those of {paths.ENTITIES} (expected the "
            "same utterances, normalised alike); rerun stage 1 (spner data)"
        )
    return score(ref=[ref[utt_id] for utt_id in hyp], hyp=list(hyp.values()))
