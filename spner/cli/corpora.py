"""Commands that make, count and export corpora."""

from pathlib import Path
from typing import Any

import click

from spner.cli.options import FOLDER
from spner.core.paths import ENTITIES, GOLD_ENTITIES


@click.command("mini-corpus")
@click.option("--lang", required=True, help="Language with a templates file, such as nl.")
@click.option("--out", required=True, type=FOLDER, help="Corpus folder to make.")
@click.option("--seed", default=1, type=int, help="Of all randomness.")
@click.option("--num_train", default=900, type=int, help="Clips of train.")
@click.option("--num_dev", default=80, type=int, help="Clips of dev.")
@click.option("--num_test", default=150, type=int, help="Clips of test.")
@click.option(
    "--share",
    "shares",
    multiple=True,
    metavar="LANGS=SHARE",
    show_default="none",
    help="Share of their names that the corpora of several languages have in common, such as nl+de=0.2; give "
    "it for each of them; repeatable.",
)
@click.option("--nj", default=2, type=click.IntRange(1), help="Processes.")
def mini_corpus(out: Path, nj: int, **options: Any) -> None:
    """Make the mini corpus: synthetic speech and gold entities in Common Voice's layout."""
    from spner.mini.make import format_summary, make_mini_corpus

    click.echo(format_summary(make_mini_corpus(out, num_workers=nj, **options)))


@click.command("mini-text")
@click.option("--corpus", required=True, type=FOLDER, help="Folder of spner mini-corpus.")
@click.option("--out", required=True, type=FOLDER, help="CoNLL column file to write.")
@click.option("--num_sentences", default=4000, type=int, help="Sentences.")
def mini_text(corpus: Path, out: Path, num_sentences: int) -> None:
    """Generate gold text to train a tagger for an mini corpus; it mentions most of that corpus's names."""
    from spner.mini.tagger_text import write_tagger_text

    write_tagger_text(corpus, out, num_sentences=num_sentences)
    click.echo(f"{out}: {num_sentences} sentences")


@click.command("export")
@click.option(
    "--format",
    "format_name",
    required=True,
    type=click.Choice(["paper_json", "conll", "slue"]),
    help="paper_json: the paper's authors' JSON, and the clips as FLAC; conll: token, tab, IOB2 tag; slue: "
    "SLUE-VoxPopuli's tables.",
)
@click.option(
    "--data",
    required=True,
    type=FOLDER,
    help="Data folder of stages 1 and 2, or one of its sets; its "
    "wav.scp is relative to the folder that stage 1 ran in.",
)
@click.option("--out", required=True, type=FOLDER, help="Folder to write.")
@click.option("--gold", is_flag=True, help="Take the gold entities instead of the pseudo-labels.")
def export_command(format_name: str, data: Path, out: Path, gold: bool) -> None:
    """Write a data folder in a format that other programs read."""
    from spner.corpora.export import export

    entities_file = GOLD_ENTITIES if gold else ENTITIES
    click.echo("\n".join(map(str, export(data, out, format_name=format_name, entities_file=entities_file))))
