"""Pseudo-annotation: a text tagger labels cased sentences, and the labels are projected onto the normalised words.

A corpus with pseudo-labels of its own keeps them, unless a tagger is given.

A sentence is split into words as in CoNLL files (:mod:`spner.text.split`), and the tagger labels them. The characters
of an entity, from its first word to its last, select the words of the normalised transcript. Entities of labels that
are not the recipe's (MISC) are left out and counted; the labels themselves are written into the data folder.
"""

import functools
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from operator import itemgetter
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.datatypes import Transcript
from spner.core.errors import SpnerError
from spner.core.files import atomic_text, fingerprint, locked, read_json, remove
from spner.core.parallel import Processes, Workers
from spner.core.resume import find_record, once
from spner.core.shards import cut
from spner.data import datadir
from spner.data.kinds import kind_of_set
from spner.tagger.encoder import BATCH_TOKENS, WordTagger, find_entities
from spner.tagger.model import Tagger, fingerprint_model, load_tagger
from spner.tagger.score import score
from spner.text.labels import LabelSet, rename_entities, require_labels
from spner.text.languages import base_language, require_language
from spner.text.split import split_words
from spner.text.textnorm import project

DEFAULT_TAGGERS = {
    "nl": "FacebookAI/xlm-roberta-large-finetuned-conll02-dutch",
    "de": "FacebookAI/xlm-roberta-large-finetuned-conll03-german",
    "en": "FacebookAI/xlm-roberta-large-finetuned-conll03-english",
}
UNTAGGED = "FacebookAI/xlm-roberta-large"
"""What these were fine-tuned from."""

SHARDS = ".annotate"
"""Folder in a set's of what is labelled so far, while it is."""
LEAST_PER_SHARD, MOST_PER_SHARD = 512, 4096  # sentences; few would not fill batches of like length
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
    tagger: WordTagger, sentences: dict[str, str], *, lang: str, labels: LabelSet, batch_tokens: int = BATCH_TOKENS
) -> dict[str, Transcript]:
    """Return each utterance's normalised words and the entities that the tagger finds in its sentence.

    Args:
        tagger: a token classifier.
        sentences: utterance id -> cased, punctuated sentence, NFC.
        lang: ISO 639-1 code; selects the normalisation.
        labels: entities of others are left out.
        batch_tokens: subwords of a batch, padding included; affects speed and memory, not labels.
    """
    offsets = [list(split_words(sentence, lang)) for sentence in sentences.values()]
    words = [[s[a:b] for a, b in spans] for s, spans in zip(sentences.values(), offsets, strict=True)]
    found = find_entities(tagger, words, labels=labels, batch_tokens=batch_tokens)
    transcripts: dict[str, Transcript] = {}
    for (utt_id, sentence), spans, one in zip(sentences.items(), offsets, found, strict=True):
        entities = [(spans[e.start][0], spans[e.end - 1][1], e.label) for e in one.entities]
        transcripts[utt_id] = project(sentence, entities, lang)
    return transcripts


def annotate_data_dir(
    data: Path,
    *,
    tagger: str | None,
    lang: str,
    labels: LabelSet,
    device: str = "auto",
    cluster: Workers | None = None,
) -> dict[str, dict[str, Any] | None]:
    """Write ``entities.jsonl`` for every set of ``data`` (a folder with ``sentences.jsonl``), and ``labels`` for all.

    A set that this tagger has already annotated with these labels is left as it is.

    Args:
        data: data folder of stage 1.
        tagger: hub name or local folder of a transformers token classifier; None takes the labels that came with the
            corpus, else the language's default.
        lang: ISO 639-1 code; selects the normalisation.
        labels: those to annotate, and the other names that mean them.
        device: torch device; ``auto`` takes a GPU if there is one.
        cluster: what labels shards of sentences instead of this process.

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
        sources = [folder / paths.CORPUS_ENTITIES for folder in folders]
        if own := tagger is None and all(source.is_file() for source in sources):
            # Of all sets together: a small one may hold entities of other labels alone.
            found = (e.label for source in sources for _, one in datadir.stream_entities(source) for e in one.entities)
            require_labels(found, labels, where=str(data))
            for folder in folders:
                _take_corpus_entities(folder, labels)
        else:
            mapping = tuple(labels.mapping.items())
            job = _Job(tagger or default_tagger(lang), lang, labels.names, mapping, device)
            _tag_sets(folders, job, cluster or Processes())
        datadir.write_labels(data, labels)
        # A corpus's own gold entities need not be compared with themselves.
        return {folder.name: None if own else _score_against_gold(folder, labels) for folder in folders}


@dataclass(frozen=True)
class _Job:
    """What labels sentences, and how; it can be pickled."""

    tagger: str
    lang: str
    names: tuple[str, ...]
    mapping: tuple[tuple[str, str], ...]
    device: str

    @property
    def labels(self) -> LabelSet:
        """The labels of ``names`` and ``mapping``."""
        return LabelSet(self.names, dict(self.mapping))


@dataclass(frozen=True)
class _Shard:
    """Sentences of a set, by their positions in its file; ``identity`` is the set's."""

    job: _Job
    identity: dict[str, Any]
    folder: Path
    positions: range

    @property
    def entities(self) -> Path:
        """The file of their entities."""
        return self.folder / SHARDS / f"{self.positions.start:09d}.jsonl"


@functools.lru_cache(maxsize=1)
def _load(job: _Job) -> Tagger:
    return load_tagger(job.tagger, labels=job.labels, device=job.device, fast=True)


def _tag_sets(folders: Sequence[Path], job: _Job, workers: Workers) -> None:
    """Label the sentences of sets in shards; a tagger that cannot be loaded costs no set its labels."""
    _load.cache_clear()  # its files may have changed
    weights, shards = fingerprint_model(job.tagger), dict[Path, list[_Shard]]()
    identities = {
        folder: {
            "tagger": job.tagger,
            "weights": weights,
            "lang": job.lang,
            "sentences": fingerprint([folder / paths.SENTENCES]),
        }
        for folder in folders
    }
    for folder, identity in identities.items():
        if not _find_labelled(folder, identity, job.labels):
            num_sentences = sum(1 for _ in datadir.stream_sentences(folder / paths.SENTENCES))
            cuts = cut(num_sentences, least=LEAST_PER_SHARD, most=MOST_PER_SHARD)
            shards[folder] = [_Shard(job, identity, folder, positions) for positions in cuts]
    everything = [shard for some in shards.values() for shard in some]
    for _ in workers.map(_tag_shard, everything, what="annotate", unit="shard"):
        pass
    for folder, identity in identities.items():
        _label(folder, identity, job.labels, lambda folder: _collect(shards[folder]))
        remove(folder / SHARDS)


def _tag_shard(shard: _Shard) -> None:
    job, sentences_file = shard.job, shard.folder / paths.SENTENCES

    def tag() -> None:
        tagger = _load(job)
        sentences = dict(datadir.stream_sentences(sentences_file, shard.positions))
        found = tag_sentences(tagger, sentences, lang=job.lang, labels=job.labels)
        datadir.write_entities(shard.entities, found)

    identity = {**shard.identity, "labels": job.labels.as_json(), "utterances": len(shard.positions)}
    once(shard.entities.with_suffix(".json"), identity, tag, outputs=[shard.entities])


def _collect(shards: Sequence[_Shard]) -> Iterator[tuple[str, Transcript]]:
    return merge(*(datadir.stream_entities(shard.entities) for shard in shards), key=itemgetter(0))


def _take_corpus_entities(folder: Path, labels: LabelSet) -> None:
    """Make the entities that came with the corpus a set's, and say so in the record."""
    source = folder / paths.CORPUS_ENTITIES
    report = read_json(folder.parent / paths.REPORT)
    corpus, kind = report["settings"]["corpus"], kind_of_set(report, folder.name)

    def take(folder: Path) -> Iterable[tuple[str, Transcript]]:
        log.info("%s: takes the %s labels that came with %s; --tagger would make others", folder, kind, corpus)
        found = datadir.read_entities(source)
        renamed = rename_entities(found.values(), labels, where=str(source))
        return sorted(zip(found, renamed, strict=True), key=itemgetter(0))

    _label(folder, {"tagger": None, "corpus": corpus, "entities": fingerprint([source])}, labels, take)


def _label(
    folder: Path, identity: dict[str, Any], labels: LabelSet, find: Callable[[Path], Iterable[tuple[str, Transcript]]]
) -> None:
    """Write what ``find`` returns, in C order, as a set's entities, unless the set has entities of this identity."""

    def write() -> None:
        num_utts, found = 0, Counter[str]()
        with atomic_text(folder / paths.ENTITIES) as file:
            for utt_id, transcript in find(folder):
                file.write(datadir.entities_line(utt_id, transcript))
                num_utts += 1
                found.update(entity.label for entity in transcript.entities)
        counts = ", ".join(f"{found[label]} {label}" for label in labels.names)
        log.info("%s: %d utterances, %s", folder, num_utts, counts)

    identity = identity | {"labels": labels.as_json()}
    once(folder / paths.ANNOTATE_RECORD, identity, write, outputs=[folder / paths.ENTITIES])


def _find_labelled(folder: Path, identity: dict[str, Any], labels: LabelSet) -> dict[str, Any] | None:
    """Return the record of a set's entities of this identity, if it has them."""
    identity = identity | {"labels": labels.as_json()}
    return find_record(folder / paths.ANNOTATE_RECORD, identity, [folder / paths.ENTITIES])


def _score_against_gold(folder: Path, labels: LabelSet) -> dict[str, Any] | None:
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
    gold = rename_entities((ref[utt_id] for utt_id in hyp), labels, where=str(folder / paths.GOLD_ENTITIES))
    return score(ref=gold, hyp=list(hyp.values()), labels=labels.names)
