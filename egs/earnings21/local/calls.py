"""What run.sh's stages do that no command of spner does: references of the calls, and hypotheses from what was tagged.

``references`` writes a folder with ``ref/{text,entities.jsonl}`` (sentences), ``labels``, ``utt2reco`` (which call each
is in) and ``recordings`` (paths of the audio). ``hypotheses`` writes JSON lines, a call each, from what ``spner tag``
wrote as ``json``.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from spner.cli import run_program
from spner.cli.options import FILE, FOLDER
from spner.core.datatypes import Entity, Transcript
from spner.core.errors import SpnerError
from spner.core.files import atomic_text, read_json
from spner.core.paths import ENTITIES, TEXT
from spner.corpora.earnings21 import find_audio, list_calls, read_call
from spner.data.datadir import read_table, write_entities, write_labels, write_table
from spner.text.label_sets import choose_labels
from spner.text.labels import LabelSet
from spner.text.textnorm import project

LANG = "en"
REF, UTT2RECO, RECORDINGS = "ref", "utt2reco", "recordings"


def write_references(corpus: Path, names: Sequence[str], labels: LabelSet, out: Path) -> str:
    """Write the references of the named calls, or of all, and return what they hold and what was left out."""
    names = names or list_calls(corpus)
    audio = {name: find_audio(corpus, name) for name in names}
    calls = [read_call(corpus, name, labels=labels, lang=LANG) for name in names]
    transcripts = {utt_id: one for call in calls for utt_id, one in call.utterances.items()}
    write_labels(out, labels)
    write_table(out / REF / TEXT, {utt_id: " ".join(one.words) for utt_id, one in transcripts.items()})
    write_entities(out / REF / ENTITIES, transcripts)
    write_table(out / UTT2RECO, {utt_id: call.name for call in calls for utt_id in call.utterances})
    with atomic_text(out / RECORDINGS) as file:
        file.writelines(f"{path.absolute()}\n" for path in audio.values())
    found = Counter(entity.label for one in transcripts.values() for entity in one.entities)
    left_out = sum((call.notes for call in calls), Counter[str]())
    num_words = sum(len(one.words) for one in transcripts.values())
    counts = ", ".join(f"{found[label]} {label}" for label in labels.names)
    lines = [f"{out}: {len(calls)} calls, {len(transcripts)} sentences, {num_words} words; {counts}; left out:"]
    return "\n".join([*lines, *(f"  {count} {what}" for what, count in left_out.items())])


def join_segments(record: Any, where: Path) -> Transcript:
    """Return the normalised words and entities of a whole recording as ``spner tag`` writes it as JSON.

    Raises:
        SpnerError: the file is another one.
    """
    words: list[str] = []
    entities: list[Entity] = []
    try:
        for segment in record["segments"]:
            spans = ((one["start_char"], one["end_char"], one["label"]) for one in segment["entities"])
            piece = project(segment["text"], spans, LANG)
            entities += (Entity(e.start + len(words), e.end + len(words), e.label) for e in piece.entities)
            words += piece.words
    except (KeyError, TypeError) as error:
        raise SpnerError(f"{where}: is not what spner tag writes as json ({error}); rerun stage 2") from error
    return Transcript(tuple(words), tuple(entities))


def write_hypotheses(data: Path, tagged: Path, out: Path) -> str:
    """Write what was recognised in each call.

    Raises:
        SpnerError: a call was not tagged.
    """
    calls = list(dict.fromkeys(read_table(data / UTT2RECO).values()))
    files = {call: tagged / f"{call}.json" for call in calls}
    lacking = [call for call, file in files.items() if not file.is_file()]
    if lacking:
        raise SpnerError(f"{files[lacking[0]]}: is missing, of {len(lacking)} of {len(calls)} calls; rerun stage 2")
    write_entities(out, {call: join_segments(read_json(file), file) for call, file in files.items()})
    return f"{out}: {len(calls)} calls"


@click.group()
def cli() -> None:
    """References and hypotheses of Earnings-21's calls."""


@cli.command("references")
@click.option("--corpus", required=True, type=FOLDER, help="Earnings-21's folder, with media and transcripts.")
@click.option("--calls", default="", help="Names of calls; without them all.")
@click.option("--labels", required=True, help="Labels to score, or the name of a published set.")
@click.option("--out", required=True, type=FOLDER, help="Folder to write.")
def references_command(corpus: Path, calls: str, labels: str, out: Path) -> None:
    """Write the references, in sentences."""
    click.echo(write_references(corpus, calls.split(), choose_labels(labels, {}, where="--labels"), out))


@cli.command("hypotheses")
@click.option("--data", required=True, type=FOLDER, help="Folder of references.")
@click.option("--tagged", required=True, type=FOLDER, help="Folder of spner tag.")
@click.option("--out", required=True, type=FILE, help="JSON lines to write.")
def hypotheses_command(data: Path, tagged: Path, out: Path) -> None:
    """Write the hypotheses, a call each."""
    click.echo(write_hypotheses(data, tagged, out))


if __name__ == "__main__":
    run_program(cli, "calls.py")
