"""Commands that make, count and export corpora."""

from pathlib import Path

import click

from spner.cli.options import EITHER, FILE, FOLDER, processes_option
from spner.core.errors import SpnerError
from spner.core.paths import ENTITIES, GOLD_ENTITIES


@click.command("mini-corpus")
@click.option("--lang", required=True, help="Language with a templates file, such as nl.")
@click.option("--out", required=True, type=FOLDER, help="Corpus folder to make.")
@click.option("--seed", default=1, type=int, help="Random seed.")
@click.option("--num_train", default=900, type=int, help="Number of training clips.")
@click.option("--num_dev", default=80, type=int, help="Number of dev clips.")
@click.option("--num_test", default=150, type=int, help="Number of test clips.")
@click.option(
    "--share",
    "shares",
    multiple=True,
    metavar="LANGS=SHARE",
    show_default="none",
    help="Share of names, 0 to 1, that corpora of several languages have in common, such as nl+de=0.2. Give the "
    "same shares to each of these corpora; repeatable.",
)
@processes_option("Number of processes.")
def mini_corpus(
    lang: str, out: Path, seed: int, num_train: int, num_dev: int, num_test: int, shares: tuple[str, ...], nj: int
) -> None:
    """Make the synthetic mini corpus: speech and gold entities in Common Voice's layout."""
    from spner.mini.make import format_summary, make_mini_corpus

    summary = make_mini_corpus(
        out,
        lang=lang,
        seed=seed,
        num_train=num_train,
        num_dev=num_dev,
        num_test=num_test,
        shares=shares,
        num_workers=nj,
    )
    click.echo(format_summary(summary))


@click.command("mini-text")
@click.option("--corpus", required=True, type=FOLDER, help="Folder of spner mini-corpus.")
@click.option("--out", required=True, type=FILE, help="CoNLL column file to write.")
@click.option("--num_sentences", default=4000, type=int, help="Number of sentences.")
def mini_text(corpus: Path, out: Path, num_sentences: int) -> None:
    """Generate labelled text to train the mini corpus's tagger on; it mentions most of the corpus's names."""
    from spner.mini.tagger_text import write_tagger_text

    write_tagger_text(corpus, out, num_sentences=num_sentences)
    click.echo(f"{out}: {num_sentences} sentences")


@click.command("export")
@click.option(
    "--format",
    "format_name",
    required=True,
    type=click.Choice(["paper_json", "conll", "slue", "nemo", "huggingface", "opensearch"]),
    help="paper_json: JSON as the paper's authors have it, and clips as FLAC; conll: token, tab, IOB2 tag; "
    "slue: SLUE-VoxPopuli's tables; nemo: NeMo's manifests, and clips as FLAC; huggingface: a dataset with audio and a "
    "card, to publish; opensearch: an archive as lines for a cluster's bulk interface.",
)
@click.option(
    "--data",
    required=True,
    type=EITHER,
    help="Data folder of stages 1 and 2, or one of its sets; of opensearch, the archive of spner index. Run the "
    "command in the recipe's folder: paths in wav.scp are relative to it.",
)
@click.option("--out", required=True, type=FOLDER, help="Folder to write.")
@click.option("--gold", is_flag=True, help="Use the gold entities instead of the pseudo-labels.")
def export_command(format_name: str, data: Path, out: Path, gold: bool) -> None:
    """Write a data folder, or an archive, in another program's format."""
    if format_name == "opensearch":
        if gold:
            raise SpnerError("--gold: an archive has no gold entities; leave it out")
        _export_archive(data, out)
        return
    from spner.corpora.export import export

    entities_file = GOLD_ENTITIES if gold else ENTITIES
    click.echo("\n".join(map(str, export(data, out, format_name=format_name, entities_file=entities_file))))


def _export_archive(db: Path, out: Path) -> None:
    from spner.archive.opensearch import export_opensearch
    from spner.archive.store import open_archive

    with open_archive(db) as connection:
        click.echo("\n".join(map(str, export_opensearch(connection, out))))
