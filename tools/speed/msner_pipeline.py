"""Tag the hypotheses of eight recognisers for MSNER's German test set, and print tables of WER and entity F1.

    python tools/speed/msner_pipeline.py DATA_DIR --out DIR

``DATA_DIR`` holds the two files ``HYPS`` and ``SILVER``. Two taggers are made, each for cased text and for the speech
form (lower case, no marks) at once, from a copy of every sentence in either form:

- ``silver``: from scratch, on Wikipedia sentences whose labels were made by machine;
- ``crossval``: that one fine-tuned on the gold utterances of other plenary sessions. There are ``NUM_FOLDS`` of them;
  an utterance is tagged by the one that has seen nothing of its session, neither in training nor to choose the epoch.

What ``DIR`` gets: ``text`` (CoNLL columns), ``tagger``, and in ``all`` (every utterance) and ``certain`` (those whose
hypotheses are surely theirs) ``ref``, ``hyp/<tagger>/<source>`` and ``score/<tagger>/<source>.json``. A finished
training is not repeated. On one free core all of it takes about an hour.
"""

import json
import logging
import random
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from spner.core.datatypes import LABELS, Entity, Transcript
from spner.core.errors import SpnerError
from spner.core.files import atomic_text, read_lines
from spner.core.paths import ENTITIES, TEXT
from spner.data.datadir import write_entities, write_table
from spner.scoring.options import Options
from spner.scoring.rules import Rules
from spner.scoring.score import write_scores
from spner.scoring.wer import ErrorCounts, count_errors
from spner.tagger.annotate import tag_sentences
from spner.tagger.conll import read_conll
from spner.tagger.model import load_tagger
from spner.tagger.train import train_tagger
from spner.tagger.trainer import swap_mentions
from spner.text.labels import LabelSet, adopt
from spner.text.tags import spans_to_bio
from spner.text.textnorm import normalise, normalise_transcript

LANG = "de"
HYPS = Path("spoken_ner_gold/msner_de_hyps/transcript-de-test-ann-combined-v1.jsonl")
SILVER = Path("text_ner/wikineural_silver/de/val.conllu")
LABEL_OF_TYPE = {"person": "PER", "organization": "ORG", "place": "LOC"}
TYPES = {*LABEL_OF_TYPE, "group", "law", "quant", "when"}
SESSION = re.compile(r"(\d{8})-\S+")
RECOGNISER = re.compile(r"\w[\w.-]*")

SEED = 1
NUM_SILVER_DEV = 1000
SILVER_EPOCHS = 10
NUM_FOLDS = 5
FOLD_EPOCHS = 5
FOLD_LEARNING_RATE = 5e-4
SWAP = 0.5
"""Share of the mentions that the second copy of a fold's gold utterances has from the silver text."""

CASED, SPEECH = "transcript_cased", "transcript_speech_form"
TAGGERS = {"silver": "silver text only", "crossval": "silver text, then gold of other sessions"}


@dataclass(frozen=True)
class Recording:
    """One utterance of the test set.

    Attributes:
        utt_id: begins with the date of the plenary session.
        gold: the tokens of the cased transcript, marks included, and the entities on them.
        hyps: recogniser -> what it wrote.
        is_certain: whether the hypotheses are surely of this utterance: they were joined by transcript, not by id.
    """

    utt_id: str
    gold: Transcript
    hyps: dict[str, str]
    is_certain: bool

    @property
    def session(self) -> str:
        """The date, ``YYYYMMDD``."""
        return self.utt_id[:8]

    @property
    def ref(self) -> Transcript:
        """The gold words and entities in canonical form."""
        return normalise_transcript(self.gold, LANG)


def read_msner(path: Path) -> list[Recording]:
    """Read the lines of MSNER that have hypotheses; entities of types other than ours are dropped.

    Raises:
        SpnerError: the file is missing or empty, a line is not as described in :func:`parse_recording`, an utterance
            occurs twice, or two utterances have not the same recognisers.
    """
    recordings: dict[str, Recording] = {}
    recognisers: Collection[str] | None = None
    for line_number, line in enumerate(read_lines(path), start=1):
        try:
            recording = parse_recording(json.loads(line))
            recognisers = recording.hyps.keys() if recognisers is None else recognisers
            if recording.utt_id in recordings:
                raise ValueError(f'utterance "{recording.utt_id}" occurs twice')
            if recording.hyps.keys() != recognisers:
                raise ValueError(f"recognisers {sorted(recording.hyps)} are not those of line 1")
        except (ValueError, RecursionError) as error:
            raise SpnerError(
                f"{path}:{line_number}: {error} (expected one utterance of MSNER with its hypotheses as a "
                "JSON object); get the file anew"
            ) from error
        recordings[recording.utt_id] = recording
    if not recordings:
        raise SpnerError(f"{path}: holds no utterance (expected one a line); get the file anew")
    return list(recordings.values())


def parse_recording(record: Any) -> Recording:
    """Check one line's object: ``id``, ``input``, ``annotation``, ``hyps`` and ``match``; further keys are ignored.

    Raises:
        ValueError: something is missing or of the wrong kind; the message says what was found.
    """
    require(record, {"id": str, "input": list, "annotation": list, "hyps": dict, "match": int | float})
    if not SESSION.fullmatch(record["id"]):
        raise ValueError(f'id "{record["id"]}" does not begin with a date')
    if not all(isinstance(token, str) and len(token.split()) == 1 for token in record["input"]):
        raise ValueError('"input" has a token that is not one word')
    words = tuple(unicodedata.normalize("NFC", token.strip()) for token in record["input"])
    entities = [parse_entity(annotation) for annotation in record["annotation"]]
    for name, text in record["hyps"].items():
        if not RECOGNISER.fullmatch(name) or not isinstance(text, str):
            raise ValueError(f'hypothesis of "{name}" is not a text under the name of a recogniser')
    return Recording(
        record["id"],
        Transcript(words, tuple(sorted(entity for entity in entities if entity))),
        {name: unicodedata.normalize("NFC", text) for name, text in record["hyps"].items()},
        record["match"] == 1,
    )


def parse_entity(annotation: Any) -> Entity | None:
    """Return an annotation's entity, None for a type that is not ours.

    Raises:
        ValueError: an unknown type, or positions that are not consecutive numbers.
    """
    require(annotation, {"type": str, "position": list})
    kind, position = annotation["type"], annotation["position"]
    if kind not in TYPES:
        raise ValueError(f'entity type "{kind}" is none of {", ".join(sorted(TYPES))}')
    numbers = all(isinstance(number, int) for number in position)
    if not position or not numbers or position != list(range(position[0], position[0] + len(position))):
        raise ValueError(f"positions {position} are not consecutive")
    return Entity(position[0], position[-1] + 1, LABEL_OF_TYPE[kind]) if kind in LABEL_OF_TYPE else None


def require(record: Any, kinds: dict[str, Any]) -> None:
    """Raise a ValueError unless the record is an object whose values are of these kinds."""
    for key, kind in kinds.items():
        if not isinstance(record, dict) or not isinstance(record.get(key), kind):
            raise ValueError(f'no {getattr(kind, "__name__", "number")} under "{key}"')


def assign_folds(recordings: Iterable[Recording], num_folds: int = NUM_FOLDS) -> dict[str, int]:
    """Return the fold of every session: the largest sessions first, each into the fold that has fewest utterances."""
    num_utts = Counter(recording.session for recording in recordings)
    sizes = [0] * num_folds
    fold_of: dict[str, int] = {}
    for session in sorted(num_utts, key=lambda session: (-num_utts[session], session)):
        fold_of[session] = sizes.index(min(sizes))
        sizes[fold_of[session]] += num_utts[session]
    return fold_of


def both_forms(sentences: Sequence[Transcript]) -> list[Transcript]:
    """Return the cased sentences, and after them their speech forms; one that leaves no word has none."""
    speech = (normalise_transcript(sentence, LANG) for sentence in sentences)
    return [*sentences, *(sentence for sentence in speech if sentence.words)]


def with_other_names(gold: Sequence[Transcript], silver: Sequence[Transcript], rng: random.Random) -> list[Transcript]:
    """Return the gold sentences, about a share of ``SWAP`` of their names replaced by names of that label in silver."""
    names = {
        label: list(dict.fromkeys(s.words[e.start : e.end] for s in silver for e in s.entities if e.label == label))
        for label in LABELS
    }
    return [swap_mentions(sentence, names, SWAP, rng) for sentence in gold]


def write_conll(path: Path, sentences: Iterable[Transcript]) -> Path:
    """Write token and IOB2 tag a line, an empty line after each sentence; return the path."""
    with atomic_text(path) as file:
        for sentence in sentences:
            file.writelines(f"{word} {tag}\n" for word, tag in zip(sentence.words, spans_to_bio(sentence), strict=True))
            file.write("\n")
    return path


def train_silver(silver: Sequence[Transcript], out: Path) -> Path:
    """Train the tagger that has seen no gold, and return its folder."""
    train = write_conll(out / "text" / "silver_train.conll", both_forms(silver[:-NUM_SILVER_DEV]))
    dev = write_conll(out / "text" / "silver_dev.conll", both_forms(silver[-NUM_SILVER_DEV:]))
    folder = out / "tagger" / "silver"
    train_tagger(folder, train=[train], dev=dev, labels=LabelSet(), epochs=SILVER_EPOCHS, seed=SEED)
    return folder


def train_fold(fold: int, recordings: Sequence[Recording], silver: Sequence[Transcript], out: Path) -> Path:
    """Fine-tune the silver tagger without the sessions of ``fold``; those of the next fold choose the epoch."""
    fold_of = assign_folds(recordings)
    dev_fold = (fold + 1) % NUM_FOLDS
    gold = [r.gold for r in recordings if fold_of[r.session] not in (fold, dev_fold)]
    inner = [r.gold for r in recordings if fold_of[r.session] == dev_fold]
    gold += with_other_names(gold, silver, random.Random(f"fold {fold} {SEED}"))
    train = write_conll(out / "text" / f"fold{fold}_train.conll", both_forms(gold))
    dev = write_conll(out / "text" / f"fold{fold}_dev.conll", both_forms(inner))
    folder = out / "tagger" / f"fold{fold}"
    train_tagger(
        folder,
        train=[train],
        dev=dev,
        labels=LabelSet(),
        model=str(out / "tagger" / "silver"),
        epochs=FOLD_EPOCHS,
        learning_rate=FOLD_LEARNING_RATE,
        seed=SEED,
    )
    return folder


def sources(recordings: Sequence[Recording]) -> dict[str, dict[str, str]]:
    """Return what is tagged: source -> utterance id -> text; first the true transcripts, then each recogniser's."""
    texts = {
        CASED: {r.utt_id: " ".join(r.gold.words) for r in recordings},
        SPEECH: {r.utt_id: " ".join(r.ref.words) for r in recordings},
    }
    return texts | {name: {r.utt_id: r.hyps[name] for r in recordings} for name in recordings[0].hyps}


def tag_all(folder: Path, recordings: Sequence[Recording]) -> dict[str, dict[str, Transcript]]:
    """Return source -> utterance id -> words and the entities that the tagger in ``folder`` finds."""
    tagger = load_tagger(str(folder), labels=LabelSet())
    return {
        name: tag_sentences(tagger, texts, lang=LANG, labels=LabelSet()) for name, texts in sources(recordings).items()
    }


def tag_held_out(folders: Sequence[Path], recordings: Sequence[Recording]) -> dict[str, dict[str, Transcript]]:
    """Do :func:`tag_all` with each fold's tagger on the utterances that it has not seen."""
    fold_of = assign_folds(recordings)
    tagged: dict[str, dict[str, Transcript]] = {}
    for fold, folder in enumerate(folders):
        held_out = [r for r in recordings if fold_of[r.session] == fold]
        for name, transcript in tag_all(folder, held_out).items():
            tagged.setdefault(name, {}).update(transcript)
    return tagged


def write_folder(folder: Path, transcript: dict[str, Transcript], utt_ids: Collection[str]) -> Path:
    """Write a decode folder, ``text`` and ``entities.jsonl``, of these utterances; return it."""
    chosen = {utt_id: transcript[utt_id] for utt_id in utt_ids}
    write_table(folder / TEXT, {utt_id: " ".join(utterance.words) for utt_id, utterance in chosen.items()})
    write_entities(folder / ENTITIES, chosen)
    return folder


def write_folders(out: Path, name: str, transcript: dict[str, Transcript], recordings: Sequence[Recording]) -> None:
    """Write ``all/<name>`` and ``certain/<name>``."""
    write_folder(out / "all" / name, transcript, [r.utt_id for r in recordings])
    write_folder(out / "certain" / name, transcript, [r.utt_id for r in recordings if r.is_certain])


def score_sources(folder: Path, tagger: str, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Write ``score/<tagger>/<source>.json`` and its utterances into ``folder``; return source -> scores."""
    options = Options(rules=Rules(lang=LANG), gold=True)
    scores: dict[str, Any] = {
        name: write_scores(
            folder / "score" / tagger / f"{name}.json",
            ref=folder / "ref",
            hyp=folder / "hyp" / tagger / name,
            options=options,
        )
        for name in names
    }
    return scores


def format_quality(scores: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
    """Return the Markdown table of the taggers on true transcripts; ``scores`` is tagger -> source -> scores."""
    lines = [
        f"| tagger | text | F1 [95 %] | P | R | label-F1 | {' | '.join(LABELS)} |",
        "|---|---|" + "---:|" * (4 + len(LABELS)),
    ]
    for tagger, of_source in scores.items():
        for source in (CASED, SPEECH):
            labels = " | ".join(percent(of_source[source]["f1"]["labels"][label]["f1"]) for label in LABELS)
            lines.append(f"| {TAGGERS[tagger]} | {source} | {format_f1(of_source[source])} | {labels} |")
    return lines


def format_pipeline(scores: dict[str, dict[str, Any]]) -> list[str]:
    """Return the Markdown table of one tagger's pipelines; ``scores`` is source -> scores."""
    lines = ["| recogniser | WER [95 %] | CER | EER | F1 [95 %] | P | R | label-F1 |", "|---|" + "---:|" * 7]
    for source, of_source in scores.items():
        wer = interval(of_source["wer"]["rate"], of_source["ci95"]["wer"])
        cells = [source, wer, percent(of_source["cer"]["rate"]), percent(of_source["eer"]["rate"])]
        lines.append(f"| {' | '.join(cells)} | {format_f1(of_source)} |")
    return lines


def format_f1(scores: dict[str, Any]) -> str:
    """Return the cells F1 with interval, precision, recall and label-F1."""
    micro = scores["f1"]["micro"]
    cells = [interval(micro["f1"], scores["ci95"]["f1"]), percent(micro["precision"]), percent(micro["recall"])]
    return " | ".join([*cells, percent(scores["label_f1"]["micro"]["f1"])])


def interval(rate: float, ci95: Sequence[float]) -> str:
    """Return ``12.3 [11.0, 13.6]``, in percent."""
    return f"{percent(rate)} [{percent(ci95[0])}, {percent(ci95[1])}]"


def percent(rate: float) -> str:
    """Return a fraction as percent with one decimal."""
    return f"{100 * rate:.1f}"


def format_wer_without_digits(recordings: Sequence[Recording]) -> str:
    """Return one line with each recogniser's WER where neither the reference nor any hypothesis has a digit.

    The references have numbers in digits, some recognisers spell them out.
    """
    chosen = [r for r in recordings if not re.search(r"\d", " ".join([*r.gold.words, *r.hyps.values()]))]
    rates = []
    for name in recordings[0].hyps:
        pairs = ((r.ref.words, normalise(r.hyps[name], LANG).split()) for r in chosen)
        total = sum((count_errors(ref=ref, hyp=hyp) for ref, hyp in pairs), ErrorCounts())
        rates.append(f"{name} {percent(float(total.rate or 0))}")
    return f"WER of the {len(chosen)} utterances without digits on either side: {', '.join(rates)}"


def print_tables(out: Path, recordings: Sequence[Recording]) -> None:
    """Print how good the taggers are on true transcripts, and each tagger's pipelines."""
    names = list(sources(recordings))
    certain = [recording for recording in recordings if recording.is_certain]
    quality = {tagger: score_sources(out / "all", tagger, (CASED, SPEECH)) for tagger in TAGGERS}
    click.echo("\n".join([f"Taggers on the true transcripts, {len(recordings)} utterances:", ""]))
    click.echo("\n".join([*format_quality(quality), ""]))
    for tagger, description in TAGGERS.items():
        click.echo(f"Pipelines, {len(certain)} utterances, tagger: {description}\n")
        click.echo("\n".join([*format_pipeline(score_sources(out / "certain", tagger, names)), ""]))
    click.echo(format_wer_without_digits(certain))


def run(data: Path, out: Path) -> None:
    """Do all of it."""
    recordings = read_msner(data / HYPS)
    silver = adopt(read_conll(data / SILVER, token_column=1), LabelSet(), where=str(SILVER))
    tagger = train_silver(silver, out)
    folds = [train_fold(fold, recordings, silver, out) for fold in range(NUM_FOLDS)]
    write_folders(out, "ref", {r.utt_id: r.ref for r in recordings}, recordings)
    tagged = {"silver": tag_all(tagger, recordings), "crossval": tag_held_out(folds, recordings)}
    for name, of_source in tagged.items():
        for source, transcript in of_source.items():
            write_folders(out, f"hyp/{name}/{source}", transcript, recordings)
    print_tables(out, recordings)


@click.command()
@click.argument("data_dir", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for texts, taggers and results.")
def main(data_dir: Path, out: Path) -> None:
    """Tag the hypotheses in DATA_DIR and print tables of WER and entity F1."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        run(data_dir, out)
    except SpnerError as error:
        click.echo(f"msner_pipeline: error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
