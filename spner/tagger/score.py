"""Scores of a tagger on sentences whose words are given: seqeval's, IOB2, strict."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spner.core.datatypes import Transcript
from spner.core.files import fingerprint
from spner.tagger.conll import read_sentences
from spner.tagger.encoder import WordTagger, find_entities
from spner.tagger.model import fingerprint_model, load_tagger
from spner.tagger.speech_form import match_speech
from spner.text.labels import LabelSet
from spner.text.tags import spans_to_bio


def score_on_files(
    name: str,
    files: Sequence[Path],
    *,
    labels: LabelSet,
    encoding: str = "utf-8",
    token_column: int = 0,
    speech_lang: str | None = None,
    device: str = "auto",
) -> dict[str, Any]:
    """Return how accurate a tagger is on gold column files: what it was scored on, and :func:`score`.

    Args:
        name: of the tagger: hub name or local folder.
        files: CoNLL column files, all of them together.
        labels: those that are scored.
        encoding: of all files.
        token_column: of all files; the tag is in the last column.
        speech_lang: language code: the text is brought to the form in which a recogniser of the language writes it,
            and so is the tagger's input; None leaves it as it is.
        device: torch device; ``auto`` takes a GPU if there is one.

    Raises:
        SpnerError: a file or the tagger cannot be used.
    """
    sentences = read_sentences(files, labels=labels, encoding=encoding, token_column=token_column)
    if speech_lang:
        sentences = match_speech(sentences, speech_lang)
    scores = score_tagger(load_tagger(name, labels=labels, device=device), sentences, labels)
    return {
        "tagger": name,
        "weights": fingerprint_model(name),
        "files": list(map(str, files)),
        "fingerprint": fingerprint(files),
        "labels": labels.as_json(),
        "speech": speech_lang,
        "num_sentences": len(sentences),
        "scores": scores,
    }


def score_tagger(tagger: WordTagger, sentences: Sequence[Transcript], labels: LabelSet) -> dict[str, Any]:
    """Return :func:`score` of what a tagger finds in the words of sentences; both have the recipe's labels."""
    hyp = find_entities(tagger, [one.words for one in sentences], labels=labels)
    return score(ref=sentences, hyp=hyp, labels=labels.names)


def score(*, ref: Sequence[Transcript], hyp: Sequence[Transcript], labels: Sequence[str]) -> dict[str, Any]:
    """Return seqeval's strict IOB2 precision, recall, F1 and support: each label that occurs, and ``micro``.

    Where there is no entity at all, ``micro`` is 0 with support 0.
    """
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    if not any(sentence.entities for sentence in [*ref, *hyp]):
        return {"micro": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}}
    report = classification_report(
        [spans_to_bio(sentence) for sentence in ref],
        [spans_to_bio(sentence) for sentence in hyp],
        mode="strict",
        scheme=IOB2,
        output_dict=True,
        zero_division=0,
    )
    rows = {name: report[name] for name in (*labels, "micro avg") if name in report}
    return {
        name.removesuffix(" avg"): {
            "precision": float(row["precision"]),
            "recall": float(row["recall"]),
            "f1": float(row["f1-score"]),
            "support": int(row["support"]),
        }
        for name, row in rows.items()
    }


def format_scores(scores: dict[str, Any]) -> str:
    """Return one line of percentages: ``F1 71.3 (precision 70.0, recall 72.6); PER 77.2, ORG 62.1, LOC 75.0``."""
    micro = scores["micro"]
    labels = ", ".join(f"{label} {100 * row['f1']:.1f}" for label, row in scores.items() if label != "micro")
    percent = {name: 100 * micro[name] for name in ("f1", "precision", "recall")}
    line = "F1 {f1:.1f} (precision {precision:.1f}, recall {recall:.1f})".format(**percent)
    return f"{line}; {labels}" if labels else line
