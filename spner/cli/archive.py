"""Commands of archives: index recordings, search them, forget them."""

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec

import click

from spner.cli.options import EITHER, FILE, FOLDER, device_option
from spner.core.datatypes import LABELS
from spner.core.errors import SpnerError

if TYPE_CHECKING:
    from spner.tag.load import TagOptions
    from spner.tag.tagger import Tagger

P = ParamSpec("P")


@dataclass(frozen=True)
class Choice:
    """What tags recordings, from the command line."""

    model: Path | None
    asr: str | None
    tagger: str | None
    lang: str | None
    device: str

    @property
    def recogniser(self) -> str:
        """The name of what hears the words."""
        return str(self.model or self.asr)

    def options(self, labels: tuple[str, ...] = LABELS) -> "TagOptions":
        """Return the options of the tagging room."""
        from spner.tag.load import TagOptions

        if self.model is None and self.asr is None:
            raise SpnerError("there are recordings to tag; say with what: --model, or --asr with --tagger")
        return TagOptions(
            self.model,
            device=self.device,
            lang=self.lang,
            asr=self.asr,
            tagger=self.tagger,
            labels=labels if self.asr else None,
        )

    def load(self, labels: tuple[str, ...] = LABELS) -> "Tagger":
        """Load it; labels are those that a tagger of text finds."""
        from spner.tag.load import load_tagger

        return load_tagger(self.options(labels))


db_option = click.option("--db", required=True, type=FILE, help="The archive, an SQLite file.")


def tagger_options(command: Callable[Concatenate[Choice, P], None]) -> Callable[..., None]:
    """Add the options that choose what tags recordings; the command gets the choice as its first argument."""

    @click.option("--model", type=EITHER, help="Pack or experiment folder whose model writes words and names.")
    @click.option("--asr", help="Instead of --model a recogniser of words, as of spner tag.")
    @click.option("--tagger", show_default="the language's", help="For --asr: token classifier that finds the names.")
    @click.option("--lang", show_default="that of the model", help="Language code, such as nl.")
    @device_option
    @functools.wraps(command)
    def with_choice(
        model: Path | None,
        asr: str | None,
        tagger: str | None,
        lang: str | None,
        device: str,
        *a: P.args,
        **k: P.kwargs,
    ) -> None:
        command(Choice(model, asr, tagger, lang, device), *a, **k)

    return with_choice


@click.command("index")
@click.argument("recordings", nargs=-1, required=True, type=EITHER, metavar="RECORDING...")
@db_option
@click.option(
    "--tagged",
    type=FOLDER,
    show_default="none",
    help="Folder of spner tag's JSON lines: recordings with a file there are not tagged again.",
)
@click.option("--overwrite", is_flag=True, help="Tag recordings that are in the archive again.")
@click.option(
    "--authority",
    type=FILE,
    show_default="none",
    help="Table of names and their ids in an authority file, tab between.",
)
@tagger_options
def index_command(
    choice: Choice,
    recordings: tuple[Path, ...],
    db: Path,
    tagged: Path | None,
    overwrite: bool,
    authority: Path | None,
) -> None:
    """Bring an archive up to date: tag new and changed recordings, drop those that are gone.

    RECORDING: recordings, or folders of them.
    """
    from spner.archive.authority import link_names
    from spner.archive.index import format_report, index_recordings
    from spner.archive.store import open_archive

    with open_archive(db, create=True) as connection:
        report = index_recordings(connection, recordings, choice.load, tagged=tagged, overwrite=overwrite)
        num_linked = link_names(connection, authority) if authority else None
    click.echo("\n".join(format_report(report)), err=True)
    if num_linked is not None:
        click.echo(f"names with an id of {authority}: {num_linked}", err=True)
    sys.exit(1 if report.broken else 0)


@click.command("search")
@click.argument("words", nargs=-1, metavar="WORD...")
@db_option
@click.option("--label", show_default="none", help=f"Find names of this label alone, such as {LABELS[0]}.")
@click.option(
    "--min_confidence", default=0.0, type=click.FloatRange(0, 1), help="Find names of at least this confidence."
)
@click.option("--names", is_flag=True, help="List the names that have WORD in them, with the number of their mentions.")
@click.option("--limit", default=50, type=click.IntRange(1, 1000), help="Largest number of lines.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def search_command(
    words: tuple[str, ...], db: Path, label: str | None, min_confidence: float, names: bool, limit: int, as_json: bool
) -> None:
    """Say where words and names are spoken: recording, time, words around.

    WORD: words that must all be there; case and diacritics do not matter, and names may be misspelt.
    """
    from spner.archive import text
    from spner.archive.names import list_labels, list_names
    from spner.archive.search import Query, search
    from spner.archive.store import open_archive

    asked = " ".join(words)
    with open_archive(db) as connection:
        if names:
            listed = list_names(connection, part=asked, label=label, limit=limit)
            lines = list((text.names_to_json if as_json else text.show_names)(listed))
        else:
            hits = search(connection, Query(asked, label, min_confidence, limit))
            lines = list(text.hits_to_json(hits) if as_json else text.show_hits(hits, asked))
        labels = list_labels(connection) if not lines else {}
    for line in lines:
        click.echo(line)
    if not lines:
        click.echo(text.nothing_found(label, labels), err=True)


@click.command("serve")
@db_option
@click.option("--host", default="127.0.0.1", help="Address to listen at; anything else than this opens it to others.")
@click.option("--port", default=8000, type=click.IntRange(0, 65535), help="Port to listen at; 0: a free one.")
@click.option("--max_mb", default=500, type=click.IntRange(1), help="Largest size of an upload, in MB.")
@click.option(
    "--max_minutes", default=240.0, type=click.FloatRange(0, min_open=True), help="Longest duration of an upload."
)
@tagger_options
def serve_command(choice: Choice, db: Path, host: str, port: int, max_mb: int, max_minutes: float) -> None:
    """Serve an archive as a page and over HTTP; with a model, recordings can be uploaded."""
    from spner.archive.serve import serve
    from spner.tag.load import load_tagger

    load = functools.partial(load_tagger, choice.options()) if choice.model or choice.asr else None
    serve(db, load, host=host, port=port, max_mb=max_mb, max_minutes=max_minutes)


@click.command("forget")
@click.argument("recording", metavar="RECORDING")
@db_option
def forget_command(recording: str, db: Path) -> None:
    """Take every trace of a recording out of an archive.

    RECORDING: its path, or its title in the archive.
    """
    from spner.archive.forget import forget
    from spner.archive.store import open_archive

    with open_archive(db) as connection:
        path = forget(connection, db, recording)
    kept = f"{path} is as it was: the next spner index of its folder adds it again" if path else "its upload is deleted"
    click.echo(f"{recording}: forgotten; {kept}")


@click.command("redact")
@click.argument("audio", type=FILE, metavar="AUDIO")
@click.option("--output", "-o", "output", required=True, type=FILE, help="Recording to write, .flac or .wav.")
@click.option("--labels", required=True, help="Labels of the names to take out, such as PER, or PER LOC.")
@click.option("--pad", default=0.25, type=click.FloatRange(0, 10), help="Seconds to cover before and after a name.")
@click.option("--sound", default="beep", type=click.Choice(["beep", "silence"]), help="What covers a name.")
@click.option(
    "--min_confidence", default=0.0, type=click.FloatRange(0, 1), help="Leave names of a lower confidence in."
)
@click.option(
    "--verify",
    show_default="nobody listens",
    help="Another recogniser, as of --asr, that listens to the result; nothing is written if it hears a name.",
)
@click.option(
    "--output_format", "-f", "output_format", default="txt", help="Formats of the transcript, as of spner tag."
)
@tagger_options
def redact_command(
    choice: Choice,
    audio: Path,
    output: Path,
    labels: str,
    pad: float,
    sound: str,
    min_confidence: float,
    verify: str | None,
    output_format: str,
) -> None:
    """Take names out of a recording: an aid, not a guarantee.

    AUDIO: the recording. Its length and all other samples stay as they are.
    """
    from spner.archive.redact import NOTE, Redaction, redact
    from spner.archive.verify import require_other
    from spner.tag.formats import read_formats
    from spner.tag.load import TagOptions, load_transcriber
    from spner.tag.transcriber import Transcriber

    if verify:
        require_other(verify, choice.recogniser)
    names = tuple(labels.replace(",", " ").split())
    how = Redaction(names, pad, sound, min_confidence, read_formats(output_format), verify)

    def load_verifier() -> Transcriber:
        options = TagOptions(asr=verify, device=choice.device, lang=choice.lang)
        return load_transcriber(str(verify), options)

    cuts = redact(audio, output, choice.load(names), how, load_verifier)
    click.echo(f"{output}: names taken out: {len(cuts)}; {output.with_suffix('.report.json')} lists them", err=True)
    click.echo(NOTE, err=True)
