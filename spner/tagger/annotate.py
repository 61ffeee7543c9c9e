"""Pseudo-annotation: a text tagger labels cased sentences, and the labels are projected onto the normalised words.

A corpus with pseudo-labels of its own keeps them, unless a tagger is given.

A sentence is split into words as in CoNLL files (:mod:`spner.text.split`), and the tagger labels them. The characters
of an entity, from its first word to its last, select the words of the normalised transcript. Labels other than ours
(MISC) are dropped and counted.
"""

import functools
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.datatypes import LABELS, Transcript
from spner.core.errors import SpnerError
from spner.core.files import fingerprint, locked, read_json
from spner.core.resume import once
from spner.data import datadir
from spner.tagger.model import BATCH_TOKENS, Tagger, fingerprint_model, load_tagger
from spner.tagger.score import score
from spner.text.languages import base_language, require_language
from spner.text.split import split_words
from spner.text.tags import bio_to_spans
from spner.text.textnorm import project

DEFAULT_TAGGERS = {
    "nl": "FacebookAI/xlm-roberta-large-finetuned-conll02-dutch",
    "de": "FacebookAI/xlm-roberta-large-finetuned-conll03-german",
    "en": "FacebookAI/xlm-roberta-large-finetuned-conll03-english",
}
log = logging.getLogger(__name__)


def default_tagger(lang: str | None) -> str:
    """Return the hub name of a language's default tagger.

    Raises:
        SpnerError: no language is given, or it has none.
    """
    if lang is None:
        raise SpnerError("--tagger: is missing; give one, or --lang for its default")
    tagger = DEFAULT_TAGGERS.get(base_language(lang))
    if tagger is None:
        raise SpnerError(
            f'lang "{lang}" has no default tagger (only {", ".join(DEFAULT_TAGGERS)} have one); '
            "give --tagger, or train one with spner train-tagger"
        )
    return tagger


def tag_sentences(
    tagger: Tagger, sentences: dict[str, str], *, lang: str, batch_tokens: int = BATCH_TOKENS
) -> dict[str, Transcript]:
    """Return each utterance's normalised words and the entities that the tagger finds in its sentence.

    Args:
        tagger: a token classifier with CoNLL-style labels.
        sentences: utterance id -> cased, punctuated sentence, NFC.
        lang: ISO 639-1 code; selects the normalisation.
        batch_tokens: subwords of a batch, padding included; affects speed and memory, not labels.
    """
    offsets = [list(split_words(sentence, lang)) for sentence in sentences.values()]
    words = [[s[a:b] for a, b in spans] for s, spans in zip(sentences.values(), offsets, strict=True)]
    bio = tagger.predict(words, batch_tokens=batch_tokens)
    transcripts: dict[str, Transcript] = {}
    dropped: Counter[str] = Counter()
    for (utt_id, sentence), spans, tags in zip(sentences.items(), offsets, bio, strict=True):
        entities = bio_to_spans(tags)
        dropped.update(entity.label for entity in entities if entity.label not in LABELS)
        kept = [(spans[e.start][0], spans[e.end - 1][1], e.label) for e in entities if e.label in LABELS]
        transcripts[utt_id] = project(sentence, kept, lang)
    if dropped:
        log.info("dropped entities of other labels: %s", dict(sorted(dropped.items())))
    return transcripts


def annotate_data_dir(
    data: Path, *, tagger: str | None, lang: str, device: str = "auto"
) -> dict[str, dict[str, Any] | None]:
    """Write ``entities.jsonl`` for every set of ``data`` (a folder with ``sentences.jsonl``).

    A set that this tagger has already annotated is left as it is.

    Args:
        data: data folder of stage 1.
        tagger: hub name or local folder of a transformers token classifier with CoNLL-style labels; None takes the
            labels that came with the corpus, else the language's default.
        lang: ISO 639-1 code; selects the normalisation.
        device: torch device; ``auto`` takes a GPU if there is one.

    Returns:
        set name -> pseudo-labels against ``gold_entities.jsonl`` (:func:`spner.tagger.score.score`), None without gold.

    Raises:
        SpnerError: no set, a broken file, a tagger that cannot be used, an unknown language, or another writer in
            ``data``.
    """
    require_language(lang)
    folders = sorted(path.parent for path in data.glob(f"*/{paths.SENTENCES}"))
    if not folders:
        raise SpnerError(
            f"{data}: no set with {paths.SENTENCES} in it (expected {', '.join(paths.SETS)}); run stage 1 (spner data)"
        )
    with locked(data):
        if tagger is None and all((folder / paths.CORPUS_ENTITIES).is_file() for folder in folders):
            for folder in folders:
                _take_corpus_entities(folder)
        else:
            _tag_sets(folders, tagger or default_tagger(lang), lang, device)
        return {folder.name: _score_against_gold(folder) for folder in folders}


def _tag_sets(folders: Sequence[Path], tagger: str, lang: str, device: str) -> None:
    """Label the sentences of sets; the tagger is loaded only if one of them needs it."""
    weights = fingerprint_model(tagger)
    load = functools.cache(lambda: load_tagger(tagger, device=device))

    def tag(folder: Path) -> dict[str, Transcript]:
        return tag_sentences(load(), datadir.read_sentences(folder / paths.SENTENCES), lang=lang)

    for folder in folders:
        sentences = fingerprint([folder / paths.SENTENCES])
        identity = {"tagger": tagger, "weights": weights, "lang": lang, "sentences": sentences}
        _label(folder, identity, tag, prepare=load)  # a tagger that cannot be loaded must not cost a set its labels


def _take_corpus_entities(folder: Path) -> None:
    """Make the labels that came with the corpus a set's entities, and say so in the record."""
    source = folder / paths.CORPUS_ENTITIES
    corpus = read_json(folder.parent / paths.REPORT)["settings"]["corpus"]

    def take(folder: Path) -> dict[str, Transcript]:
        log.info("%s: takes the labels that came with %s; --tagger would make others", folder, corpus)
        return datadir.read_entities(source)

    _label(folder, {"tagger": None, "corpus": corpus, "entities": fingerprint([source])}, take)


def _label(
    folder: Path,
    identity: dict[str, Any],
    find: Callable[[Path], dict[str, Transcript]],
    *,
    prepare: Callable[[], object] | None = None,
) -> None:
    """Write what ``find`` returns as a set's entities, unless the set has entities of this identity."""

    def write() -> None:
        transcripts = find(folder)
        datadir.write_entities(folder / paths.ENTITIES, transcripts)
        found = Counter(entity.label for utterance in transcripts.values() for entity in utterance.entities)
        counts = ", ".join(f"{found[label]} {label}" for label in LABELS)
        log.info("%s: %d utterances, %s", folder, len(transcripts), counts)

    once(folder / paths.ANNOTATE_RECORD, identity, write, outputs=[folder / paths.ENTITIES], prepare=prepare)


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
