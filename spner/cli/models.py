"""Commands that make models beside the acoustic one: taggers, language models, search weights."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from spner.cli.options import (
    EITHER,
    FILE,
    FOLDER,
    beam_options,
    columns_options,
    is_given,
    label_options,
    words_option,
)
from spner.core.errors import SpnerError
from spner.core.paths import DEV, TEST

if TYPE_CHECKING:
    from spner.text.labels import LabelSet


@click.command("train-tagger")
@click.option("--train", "train_files", multiple=True, type=FILE, help="CoNLL column file to learn from; repeatable.")
@click.option(
    "--data",
    type=FOLDER,
    help="Data folder of stages 1 and 2 to learn from, in place of files: its transcripts with their pseudo-labels; "
    "its dev set selects the best epoch.",
)
@click.option(
    "--fraction",
    type=click.FloatRange(0, 100, min_open=True),
    default=100.0,
    help="With --data: percent of its train set, the same utterances as in spner tokens.",
)
@click.option(
    "--join",
    "joined",
    multiple=True,
    type=FOLDER,
    show_default="none",
    help="With --data: data folder, or recipe folder, whose train set is added; repeatable.",
)
@click.option("--dev", type=FILE, help="CoNLL column file that selects the best epoch.")
@click.option("--test", type=FILE, help="CoNLL column file to score at the end.")
@click.option("--out", required=True, type=FOLDER, help="Tagger folder to make.")
@click.option(
    "--model",
    help="Model to fine-tune: folder or hub name. Default: the tagger that made the labels of --data; with --train a "
    "small model is trained from scratch.",
)
@click.option("--from_scratch", is_flag=True, help="With --data: train a small model from scratch.")
@columns_options
@click.option(
    "--match_speech",
    is_flag=True,
    help="Train and score on text in the form of transcripts: lower case, no punctuation. Needs --lang.",
)
@click.option(
    "--noise",
    default=0.0,
    type=click.FloatRange(0, 1),
    help="With --match_speech: probability that a training word gets a simulated recognition error.",
)
@click.option("--lang", help="With --match_speech: language code; selects the normalisation.")
@click.option(
    "--epochs",
    type=click.IntRange(1),
    help="Number of epochs; by default 15 from scratch, 3 for fine-tuning.",
    show_default=False,
)
@click.option(
    "--learning_rate",
    type=float,
    help="Peak learning rate; by default 1.5e-3 from scratch, 3e-5 for fine-tuning.",
    show_default=False,
)
@click.option("--seed", default=0, type=int, help="Random seed.")
@label_options
@click.pass_context
def train_tagger_command(
    context: click.Context,
    labels: "LabelSet",
    train_files: tuple[Path, ...],
    data: Path | None,
    fraction: float,
    joined: tuple[Path, ...],
    dev: Path | None,
    test: Path | None,
    out: Path,
    model: str | None,
    from_scratch: bool,
    encoding: str,
    token_column: int,
    match_speech: bool,
    noise: float,
    lang: str | None,
    epochs: int | None,
    learning_rate: float | None,
    seed: int,
) -> None:
    """Train a text tagger and print seqeval's scores.

    It learns from CoNLL column files (--train), in IOB1, IOB2, BIOES or BILOU, or from the pseudo-labelled utterances
    of a data folder (--data), whose labels it has then.
    """
    from spner.data.datadir import read_labels
    from spner.tagger.labelled import choose_start, read_utterances, require_one_source
    from spner.tagger.score import format_scores
    from spner.tagger.speech_form import speech_language
    from spner.tagger.train import train_tagger

    require_one_source({name for name in context.params if is_given(context, name)})
    scores = train_tagger(
        out,
        train=train_files,
        dev=dev,
        test=test,
        labels=read_labels(data) if data else labels,
        utterances=read_utterances(data, joined=joined, fraction=fraction) if data else None,
        model=choose_start(data, model, from_scratch=from_scratch) if data else model,
        encoding=encoding,
        token_column=token_column,
        speech_lang=speech_language(match_speech=match_speech, lang=lang, noise=noise),
        noise=noise,
        epochs=epochs,
        learning_rate=learning_rate,
        seed=seed,
    )
    for set_name in (DEV, TEST):
        if scores[set_name]:
            click.echo(f"{set_name}: {format_scores(scores[set_name])}")


@click.command("lm")
@click.option(
    "--dump", required=True, type=FOLDER, help="Dump folder of stage 3; the model is estimated on its training text."
)
@click.option("--out", required=True, type=FOLDER, help="Folder to make: lm.arpa and lm.json.")
@click.option(
    "--unit",
    default="word",
    type=click.Choice(["word", "token"]),
    help="word: for a lexicon search; token: for an open search, which can write any name.",
)
@click.option("--order", default=4, type=int, help="Length of the longest n-gram, 2 to 6.")
@words_option(
    "--prune",
    default="",
    text='One count for each order, such as "0 0 1 2": n-grams that occur at most that often are left out.',
)
@click.option(
    "--text",
    "texts",
    multiple=True,
    type=FILE,
    help="More text: file of normalised sentences, one a line, tagged or not; repeatable.",
)
@click.option(
    "--columns",
    multiple=True,
    type=FILE,
    help="More text: CoNLL column file with entities, which is normalised; repeatable.",
)
@click.option(
    "--sentences",
    multiple=True,
    type=FILE,
    help="More text: file of cased sentences, one a line, which are normalised and tagged; repeatable.",
)
@click.option("--tagger", help="Tagger for --sentences: folder or hub name.")
@click.option("--lang", help="For --columns and --sentences: language code; selects the normalisation.")
def lm_command(
    dump: Path,
    out: Path,
    unit: str,
    order: int,
    prune: tuple[str, ...],
    texts: tuple[Path, ...],
    columns: tuple[Path, ...],
    sentences: tuple[Path, ...],
    tagger: str | None,
    lang: str | None,
) -> None:
    """Estimate an n-gram language model on the tagged training text, for the beam search."""
    from spner.lm.build import format_record, make_lm

    if not all(count.isdecimal() for count in prune):
        raise SpnerError(f'--prune "{" ".join(prune)}": expected one count for each order, such as "0 0 1 2"')
    record = make_lm(
        dump,
        out,
        unit=unit,
        order=order,
        prune=[int(count) for count in prune],
        texts=texts,
        columns=columns,
        sentences=sentences,
        tagger=tagger,
        lang=lang,
    )
    click.echo(f"{out}: {format_record(record)}")


@click.command("tune")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stages 1 and 2.")
@click.option("--exp", required=True, type=FOLDER, help="Experiment folder of stage 4.")
@beam_options
def tune_command(
    data: Path, exp: Path, configs: tuple[Path, ...], lm: Path | None, nj: int, batch_size: int | None, device: str
) -> None:
    """Tune the weights of a beam search on dev; spner decode uses them. Needs --decode_config."""
    from spner.decode.beam_options import BeamOptions
    from spner.decode.tune import format_tuned, tune

    beam = BeamOptions(configs, lm, num_workers=nj)
    click.echo(format_tuned(tune(data, exp, beam, device=device, batch_size=batch_size)))


@click.command("pack")
@click.argument("exp", metavar="EXP", type=FOLDER)
@click.option("--out", required=True, type=EITHER, help="Zip file (.zip) or folder to make.")
@click.option(
    "--search",
    show_default="the one it was decoded with",
    help="Name of the search to pack, as in EXP/decode.",
)
@click.option(
    "--tagger",
    show_default="a pipeline's own",
    help="For a recogniser of --system asr: token classifier that finds the names, folder or hub name.",
)
@click.option("--int8", is_flag=True, help="Add a quantised model for CPUs; the card says what it costs on dev.")
@click.option("--license", "licence", help="Licence of the pack for its card: SPDX name, such as cc-by-4.0.")
def pack_command(exp: Path, out: Path, search: str | None, tagger: str | None, int8: bool, licence: str | None) -> None:
    """Pack the experiment EXP: one file that tags recordings elsewhere, without training environment or data."""
    from spner.pack.make import make_pack

    click.echo(make_pack(exp, out, search=search, tagger=tagger, int8=int8, licence=licence))
