"""The command that tags recordings."""

import sys
from pathlib import Path

import click

from spner.cli.options import EITHER, FILE, FOLDER, device_option
from spner.core.datatypes import LABELS


@click.command("tag")
@click.argument("audio", nargs=-1, required=True, type=EITHER, metavar="AUDIO...")
@click.option("--model", type=EITHER, help="Experiment folder or pack whose model writes words and names.")
@click.option(
    "--asr",
    help="Instead of --model a recogniser of words: experiment or pack of --system asr; Whisper: a size such as small, "
    "a hub name, or a folder in CTranslate2's format; or a Whisper or CTC model of transformers, folder or hub name.",
)
@click.option(
    "--tagger",
    show_default="the language's",
    help="For --asr: token classifier that finds the names, folder or hub name; gliner:NAME for a GLiNER model.",
)
@click.option("--labels", show_default=" ".join(LABELS), help="For --tagger: labels to find; a GLiNER model takes any.")
@click.option(
    "--output_dir",
    "-o",
    "output_dir",
    type=FOLDER,
    show_default="standard output",
    help="Folder to write to. Recordings whose files are there are passed over.",
)
@click.option(
    "--output_format",
    "-f",
    "output_format",
    show_default="jsonl; coloured text on a terminal",
    help="Formats: jsonl, json, srt, vtt, txt, tsv, conll, textgrid, html, several with commas between, or all.",
)
@click.option("--overwrite", is_flag=True, help="Tag recordings whose files are there again.")
@click.option("--lang", show_default="that of the model", help="Language code, such as nl.")
@click.option(
    "--boost",
    type=FILE,
    show_default="none",
    help="Names to expect: file of names, one a line; a tab and a label, and a tab and a weight, may follow.",
)
@click.option(
    "--min_confidence",
    default=0.0,
    type=click.FloatRange(0, 1),
    help="Leave names of a lower confidence out; their words stay.",
)
@click.option("--speakers", type=FILE, show_default="none", help="RTTM file that says who speaks when.")
@click.option("--lower_case", is_flag=True, help="Leave out the capitals of names and sentence beginnings.")
@click.option(
    "--vad/--no_vad",
    default=None,
    show_default="on for Whisper, off otherwise",
    help="Whether a voice activity detector decides where speech is.",
)
@click.option(
    "--batch_size",
    type=click.IntRange(1),
    show_default="8",
    help="Largest number of windows in a batch, for models of ours.",
)
@device_option
def tag_command(
    audio: tuple[Path, ...],
    model: Path | None,
    asr: str | None,
    tagger: str | None,
    labels: str | None,
    output_dir: Path | None,
    output_format: str | None,
    overwrite: bool,
    lang: str | None,
    boost: Path | None,
    min_confidence: float,
    speakers: Path | None,
    lower_case: bool,
    vad: bool | None,
    batch_size: int | None,
    device: str,
) -> None:
    """Tag recordings: words and names with their times, of any format and length.

    AUDIO: recordings, folders of recordings, or - for standard input.
    """
    from spner.tag.files import Output, format_report, tag_files
    from spner.tag.formats import read_formats
    from spner.tag.load import TagOptions, load_tagger

    formats = read_formats(output_format) if output_format else ("jsonl",) if output_dir else ()
    options = TagOptions(
        model,
        device=device,
        batch_size=batch_size,
        boost=boost,
        lang=lang,
        vad=vad,
        min_confidence=min_confidence,
        speakers=speakers,
        lower_case=lower_case,
        asr=asr,
        tagger=tagger,
        labels=tuple(labels.split()) if labels else None,
    )
    report = tag_files(audio, lambda: load_tagger(options), Output(formats, output_dir, overwrite))
    for line in format_report(report, output_dir):
        click.echo(line, err=True)
    sys.exit(1 if report.broken else 0)
