"""What run.sh's stages do that no command of spner does: read, tag and score MSNER's texts with their hypotheses.

Read is the German test set of MSNER (qmeeus/MSNER) as JSON lines, to which the output of eight recognisers was added
(``hyps``). With run.sh's own tagger there are two, each for cased text and for the speech form (lower case, no marks)
at once, from a copy of every sentence in either form:

- ``silver``: from scratch, on Wikipedia sentences whose labels were made by machine;
- ``crossval``: that one fine-tuned on the gold utterances of other plenary sessions. There are ``NUM_FOLDS`` of them;
  an utterance is tagged by the one that has seen nothing of its session, neither in training nor to choose the epoch.

``prepare`` writes into ``data``: ``{all,certain}/ref``, ``text/<source>.jsonl`` (sentences of the true transcript and
of each recogniser), ``utt2fold``, ``certain.txt`` (the utterances whose hypotheses are surely theirs) and, for the own
tagger, ``conll`` (columns). ``tag`` writes ``<exp>/<tagger>/{all,certain}/<source>``, ``score`` the scores and
``RESULTS.md``.
"""

import json
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from spner.cli import run_program
from spner.cli.options import FILE, FOLDER
from spner.core.datatypes import LABELS, Entity, Transcript
from spner.core.errors import SpnerError
from spner.core.files import atomic_text, read_json, read_lines, write_json
from spner.core.paths import ENTITIES, RESULTS, TEXT
from spner.data.datadir import read_sentences, read_table, write_entities, write_sentences, write_table
from spner.scoring.options import Options
from spner.scoring.rules import Rules
from spner.scoring.score import write_scores
from spner.scoring.wer import ErrorCounts, count_errors
from spner.tagger.annotate import tag_sentences
from spner.tagger.conll import read_conll
from spner.tagger.model import load_tagger
from spner.tagger.trainer import swap_mentions
from spner.text.label_sets import MSNER_NAMES
from spner.text.labels import LabelSet, adopt
from spner.text.tags import spans_to_bio
from spner.text.textnorm import normalise, normalise_transcript

LANG = "de"
SESSION = re.compile(r"(\d{8})-\S+")
RECOGNISER = re.compile(r"\w[\w.-]*")

SEED = 1
NUM_SILVER_DEV = 1000
NUM_FOLDS = 5
SWAP = 0.5
"""Share of the mentions that the second copy of a fold's gold utterances has from the silver text."""

CASED, SPEECH = "transcript_cased", "transcript_speech_form"
SILVER, CROSSVAL = "silver", "crossval"
DESCRIPTIONS = {SILVER: "silver text only", CROSSVAL: "silver text, then gold of other sessions"}
PARTS = ALL, CERTAIN = ("all", "certain")
UTT2FOLD, CERTAIN_TABLE, SOURCES = "utt2fold", "certain.txt", "sources.json"


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
    kind, position = annotation["type"].replace(" ", "_"), annotation["position"]
    if kind not in MSNER_NAMES:
        raise ValueError(f'entity type "{kind}" is none of {", ".join(sorted(MSNER_NAMES))}')
    numbers = all(isinstance(number, int) for number in position)
    if not position or not numbers or position != list(range(position[0], position[0] + len(position))):
        raise ValueError(f"positions {position} are not consecutive")
    label = LabelSet().find(MSNER_NAMES[kind])
    return Entity(position[0], position[-1] + 1, label) if label else None


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


def read_silver(path: Path) -> list[Transcript]:
    """Read labelled text as columns: number, token, tag.

    Raises:
        SpnerError: the file is missing or malformed, or one of the labels does not occur, whose names are wanted.
    """
    sentences = adopt(read_conll(path, token_column=1), LabelSet(), where=str(path))
    lacking = {*LABELS} - {entity.label for sentence in sentences for entity in sentence.entities}
    if lacking:
        raise SpnerError(
            f"{path}: has no entity of {', '.join(sorted(lacking))} (expected {', '.join(LABELS)}); give more text"
        )
    return sentences


def write_silver(silver: Sequence[Transcript], conll: Path) -> None:
    """Write what the tagger that has seen no gold learns from."""
    write_conll(conll / "silver_train.conll", both_forms(silver[:-NUM_SILVER_DEV]))
    write_conll(conll / "silver_dev.conll", both_forms(silver[-NUM_SILVER_DEV:]))


def write_fold(fold: int, recordings: Sequence[Recording], silver: Sequence[Transcript], conll: Path) -> None:
    """Write the gold text without the sessions of ``fold``; those of the next fold choose the epoch."""
    fold_of = assign_folds(recordings)
    dev_fold = (fold + 1) % NUM_FOLDS
    gold = [r.gold for r in recordings if fold_of[r.session] not in (fold, dev_fold)]
    inner = [r.gold for r in recordings if fold_of[r.session] == dev_fold]
    gold += with_other_names(gold, silver, random.Random(f"fold {fold} {SEED}"))
    write_conll(conll / f"fold{fold}_train.conll", both_forms(gold))
    write_conll(conll / f"fold{fold}_dev.conll", both_forms(inner))


def list_texts(recordings: Sequence[Recording]) -> dict[str, dict[str, str]]:
    """Return what is tagged: source -> utterance id -> text; first the true transcripts, then each recogniser's."""
    texts = {
        CASED: {r.utt_id: " ".join(r.gold.words) for r in recordings},
        SPEECH: {r.utt_id: " ".join(r.ref.words) for r in recordings},
    }
    return texts | {name: {r.utt_id: r.hyps[name] for r in recordings} for name in recordings[0].hyps}


def write_parts(folder: Path, source: str, transcripts: Mapping[str, Transcript], certain: Collection[str]) -> None:
    """Write ``<part>/<source>``, ``text`` and ``entities.jsonl``, of all utterances and of the certain ones."""
    for part, utt_ids in ((ALL, transcripts), (CERTAIN, certain)):
        chosen = {utt_id: transcripts[utt_id] for utt_id in utt_ids}
        texts = {utt_id: " ".join(utterance.words) for utt_id, utterance in chosen.items()}
        write_table(folder / part / source / TEXT, texts)
        write_entities(folder / part / source / ENTITIES, chosen)


def prepare(hyps: Path, silver: Path | None, data: Path) -> str:
    """Write the folder ``data``, and return what it holds; without ``silver`` no text to train a tagger on."""
    recordings = read_msner(hyps)
    fold_of = assign_folds(recordings)
    certain = [r.utt_id for r in recordings if r.is_certain]
    write_parts(data, "ref", {r.utt_id: r.ref for r in recordings}, certain)
    for source, texts in list_texts(recordings).items():
        write_sentences(data / "text" / f"{source}.jsonl", texts)
    if silver:
        sentences = read_silver(silver)
        write_silver(sentences, data / "conll")
        for fold in range(NUM_FOLDS):
            write_fold(fold, recordings, sentences, data / "conll")
    write_table(data / CERTAIN_TABLE, {utt_id: "1" for utt_id in certain})
    write_json(data / SOURCES, [CASED, SPEECH, *recordings[0].hyps])
    write_table(data / UTT2FOLD, {r.utt_id: str(fold_of[r.session]) for r in recordings})
    num_utts, num_hyps = len(recordings), len(recordings[0].hyps)
    return f"{data}: {num_utts} utterances, {len(certain)} of them paired for sure; {num_hyps} recognisers"


def tag(data: Path, taggers: Sequence[str], out: Path) -> None:
    """Tag every source, and write ``<part>/<source>`` into ``out``.

    Args:
        data: of :func:`prepare`.
        taggers: one for all utterances, or one for each fold: an utterance is tagged by its fold's.
        out: a folder.

    Raises:
        SpnerError: there is neither one tagger nor one for each fold, or one cannot be used.
    """
    if len(taggers) not in (1, NUM_FOLDS):
        raise SpnerError(f"--tagger: {len(taggers)} are given (expected one, or {NUM_FOLDS}: one for each fold)")
    utt2fold, certain = read_table(data / UTT2FOLD), read_table(data / CERTAIN_TABLE)
    found: dict[str, dict[str, Transcript]] = {source: {} for source in read_json(data / SOURCES)}
    for fold, name in enumerate(taggers):
        tagger = load_tagger(name, labels=LabelSet())
        for source, tagged in found.items():
            sentences = read_sentences(data / "text" / f"{source}.jsonl")
            own = {u: text for u, text in sentences.items() if len(taggers) == 1 or utt2fold[u] == str(fold)}
            tagged |= tag_sentences(tagger, own, lang=LANG, labels=LabelSet())
    for source, tagged in found.items():
        write_parts(out, source, {utt_id: tagged[utt_id] for utt_id in utt2fold}, certain)


def score_sources(data: Path, hyps: Path, part: str, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Write ``<hyps>/score/<part>/<source>.json`` and its utterances; return source -> scores."""
    options = Options(rules=Rules(lang=LANG), gold=True)
    scores: dict[str, Any] = {
        name: write_scores(
            hyps / "score" / part / f"{name}.json",
            ref=data / part / "ref",
            hyp=hyps / part / name,
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
            lines.append(
                f"| {DESCRIPTIONS.get(tagger, tagger)} | {source} | {format_f1(of_source[source])} | {labels} |"
            )
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


def format_wer_without_digits(data: Path) -> str:
    """Return one line with each recogniser's WER where neither the reference nor any hypothesis has a digit.

    Some recognisers write numbers in digits, MSNER's transcripts and other recognisers spell them out.
    """
    names = [name for name in read_json(data / SOURCES) if name not in (CASED, SPEECH)]
    hyps = {name: read_sentences(data / "text" / f"{name}.jsonl") for name in (CASED, *names)}
    refs = {u: text.split() for u, text in read_table(data / CERTAIN / "ref" / TEXT).items()}
    chosen = [u for u in refs if not re.search(r"\d", " ".join(hyps[name][u] for name in hyps))]
    rates = []
    for name in names:
        pairs = ((refs[u], normalise(hyps[name][u], LANG).split()) for u in chosen)
        total = sum((count_errors(ref=ref, hyp=hyp) for ref, hyp in pairs), ErrorCounts())
        rates.append(f"{name} {percent(float(total.rate or 0))}")
    return f"WER of the {len(chosen)} utterances without digits on either side: {', '.join(rates)}"


def format_results(data: Path, exp: Path, taggers: Sequence[str]) -> str:
    """Score every tagger's folder in ``exp`` and return the tables."""
    sources, num_utts = read_json(data / SOURCES), len(read_table(data / UTT2FOLD))
    quality = {name: score_sources(data, exp / name, ALL, (CASED, SPEECH)) for name in taggers}
    lines = [f"Taggers on the true transcripts, {num_utts} utterances:", "", *format_quality(quality), ""]
    for name in taggers:
        num_certain = len(read_table(data / CERTAIN_TABLE))
        lines += [f"Pipelines, {num_certain} utterances, tagger: {DESCRIPTIONS.get(name, name)}", ""]
        lines += [*format_pipeline(score_sources(data, exp / name, CERTAIN, sources)), ""]
    return "\n".join([*lines, format_wer_without_digits(data)])


@click.group()
def cli() -> None:
    """Read, tag and score MSNER's German test set with its hypotheses."""


@cli.command("prepare")
@click.option("--hyps", required=True, type=FILE, help="MSNER's JSON lines with the recognisers' output.")
@click.option("--silver", type=FILE, help="CoNLL columns (number, token, tag) that the own tagger learns from.")
@click.option("--out", required=True, type=FOLDER, help="Folder to write.")
def prepare_command(hyps: Path, silver: Path | None, out: Path) -> None:
    """Write references, the texts to tag, and text to train on."""
    click.echo(prepare(hyps, silver, out))


@cli.command("tag")
@click.option("--data", required=True, type=FOLDER, help="Folder of prepare.")
@click.option("--tagger", "taggers", required=True, multiple=True, help="Folder or hub name; or one for each fold.")
@click.option("--out", required=True, type=FOLDER, help="Folder to write.")
def tag_command(data: Path, taggers: tuple[str, ...], out: Path) -> None:
    """Tag the true transcripts and every recogniser's output."""
    tag(data, taggers, out)


@cli.command("score")
@click.option("--data", required=True, type=FOLDER, help="Folder of prepare.")
@click.option("--exp", required=True, type=FOLDER, help="Folder of the taggers' folders; RESULTS.md is written there.")
@click.argument("taggers", nargs=-1, required=True)
def score_command(data: Path, exp: Path, taggers: tuple[str, ...]) -> None:
    """Score TAGGERS, folders of tag, and print tables of WER and entity F1."""
    tables = format_results(data, exp, taggers)
    with atomic_text(exp / RESULTS) as file:
        file.write(f"# {exp.name}\n\n{tables}\n")
    click.echo(tables)


if __name__ == "__main__":
    run_program(cli, "hyps.py")
