"""Commands of the six stages."""

from pathlib import Path
from typing import Any

import click

from spner.cli.options import FOLDER, beam_options
from spner.core.errors import SpnerError
from spner.core.paths import DEV, TEST


@click.command("data")
@click.option(
    "--corpus",
    required=True,
    type=FOLDER,
    help="Unpacked Common Voice release, the folder of one language; "
    "or a JSON file of the paper's authors, with their labels and sets.",
)
@click.option("--clips", type=FOLDER, help="Folder of the clips; a release has its own, a JSON file none.")
@click.option("--lang", required=True, help="Language code; decides the normalisation.")
@click.option("--out", required=True, type=FOLDER, help="Data folder to write.")
@click.option(
    "--max_broken",
    default=0.01,
    type=click.FloatRange(0, 1),
    help="Share of a set's clips, 0 to 1, that may be missing or broken.",
)
@click.option("--nj", default=2, type=click.IntRange(1), help="Processes that decode clips.")
def data_command(corpus: Path, clips: Path | None, lang: str, out: Path, max_broken: float, nj: int) -> None:
    """Stage 1: clean a corpus and write Kaldi data folders and the 16 kHz audio store."""
    from spner.corpora.prepare import format_report, prepare_data

    report = prepare_data(corpus, out, lang=lang, max_broken=max_broken, num_workers=nj, clips=clips)
    click.echo(format_report(report))


@click.command("annotate")
@click.option(
    "--tagger",
    help="Transformers token classifier, hub name or folder. Without it the labels that "
    "came with the corpus are taken; where none did, nl, de and en have a default.",
)
@click.option("--lang", required=True, help="Language code; decides the normalisation.")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stage 1.")
def annotate_command(tagger: str | None, lang: str, data: Path) -> None:
    """Stage 2: label the cased sentences and write the labels on the normalised words."""
    from spner.tagger.annotate import annotate_data_dir
    from spner.tagger.train import format_scores

    for set_name, scores in annotate_data_dir(data, tagger=tagger, lang=lang).items():
        click.echo(f"{set_name}: " + (f"against gold: {format_scores(scores)}" if scores else "annotated"))


@click.command("tokens")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stages 1 and 2.")
@click.option("--out", required=True, type=FOLDER, help="Dump folder to write.")
@click.option("--system", default="e2e", type=click.Choice(["e2e", "asr"]), help="asr leaves the entity symbols out.")
@click.option("--token_type", default="char", type=click.Choice(["char", "bpe"]), help="bpe is SentencePiece.")
@click.option("--vocab_size", type=int, help="Pieces, for bpe.")
@click.option(
    "--join",
    "joined",
    multiple=True,
    type=FOLDER,
    show_default="none",
    help="Data folder, or a recipe with one, whose train set is added; repeatable.",
)
@click.option(
    "--fraction",
    default=100.0,
    type=click.FloatRange(0, 100, min_open=True),
    help="Percent of the train set, without the joined ones; 10 lies within 20.",
)
def tokens_command(data: Path, out: Path, **options: Any) -> None:
    """Stage 3: make the token list, the texts to train on and ESPnet's shape files."""
    from spner.data.tokens import make_tokens, read_token_list
    from spner.data.trainset import format_counts

    record = make_tokens(data, out, **options)
    click.echo(f"{out}: {len(read_token_list(out / 'token_list'))} tokens; train: {format_counts(record['train'])}")


@click.command("train")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stage 1.")
@click.option("--dump", required=True, type=FOLDER, help="Dump folder of stage 3.")
@click.option("--exp", required=True, type=FOLDER, help="Experiment folder to make or to continue.")
@click.option(
    "--config",
    "configs",
    required=True,
    multiple=True,
    type=FOLDER,
    help="ESPnet training YAML; repeatable, later files override single keys.",
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override one key; repeatable.")
@click.option("--ngpu", type=click.IntRange(0), help="Graphics cards; one where there is one.", show_default=False)
@click.option(
    "--init",
    type=FOLDER,
    show_default="none",
    help="Experiment folder to begin with; its token list may be another language's.",
)
@click.option("--reinit_layers", default=0, type=click.IntRange(0), help="With --init: top encoder layers not taken.")
@click.option("--reinit_output", is_flag=True, help="With --init: no row of the output layer is taken.")
@click.option(
    "--freeze_steps",
    default=0,
    type=click.IntRange(0),
    help="With --init: steps in which nothing learns that was taken but the output layer.",
)
def train_command(
    data: Path,
    dump: Path,
    exp: Path,
    init: Path | None,
    reinit_layers: int,
    reinit_output: bool,
    freeze_steps: int,
    **options: Any,
) -> None:
    """Stage 4: train with ESPnet; an interrupted training goes on at its last finished epoch."""
    if not init and (reinit_layers or reinit_output or freeze_steps):
        raise SpnerError(
            "--reinit_layers, --reinit_output, --freeze_steps: are about what is taken over; give --init as well"
        )
    from spner.asr.train import train
    from spner.asr.transfer import Transfer
    from spner.report.experiment import plot_training

    transfer = Transfer(init, reinit_layers, reinit_output, freeze_steps) if init else None
    checkpoint = train(data, dump, exp, transfer=transfer, **options)
    plot_training(exp)
    click.echo(f"{checkpoint}: averaged from the best epochs on dev")


@click.command("decode")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stage 1.")
@click.option("--exp", required=True, type=FOLDER, help="Experiment folder of stage 4.")
@click.option("--sets", default=f"{DEV} {TEST}", help="Sets to decode.")
@beam_options
@click.option(
    "--boost",
    type=FOLDER,
    show_default="none",
    help="Names to raise in the beam search: one a line, optionally a tab and its label, and a tab and a weight.",
)
@click.option("--nbest", default=1, type=click.IntRange(1), help="Hypotheses of the beam search to write, with scores.")
@click.option(
    "--model",
    type=FOLDER,
    show_default="that of --exp",
    help="Experiment folder whose model decodes, such as another language's; --exp gets the hypotheses.",
)
def decode_command(
    data: Path,
    exp: Path,
    sets: str,
    configs: tuple[Path, ...],
    lm: Path | None,
    boost: Path | None,
    nbest: int,
    nj: int,
    batch_size: int,
    device: str,
    model: Path | None,
) -> None:
    """Stage 5: CTC search over the sets; writes text and entities as the references have them."""
    from spner.decode.beam import BeamOptions
    from spner.decode.infer import decode_sets

    if not configs and (lm or boost or nbest > 1):
        raise SpnerError("--lm, --boost, --nbest: are a beam search's; give --decode_config as well")
    beam = BeamOptions(configs, lm, boost, nbest, nj) if configs else None
    decode_sets(data, exp, sets.split(), device=device, batch_size=batch_size, beam=beam, model=model)
    click.echo(f"{exp / 'decode'}: {sets}")


@click.command("pipeline")
@click.option("--asr", required=True, type=FOLDER, help="Experiment folder of stages 4 and 5 whose words are tagged.")
@click.option("--exp", required=True, type=FOLDER, help="Experiment folder to make; it gets the hypotheses.")
@click.option("--tagger", help="Transformers token classifier, hub name or folder; nl, de and en have a default.")
@click.option("--lang", help="Language code, for the default tagger.")
@click.option("--sets", default=f"{DEV} {TEST}", help="Decoded sets to tag.")
@click.option("--device", default="auto", help="As torch names it; auto takes a GPU where there is one.")
def pipeline_command(asr: Path, exp: Path, tagger: str | None, lang: str | None, sets: str, device: str) -> None:
    """Stage 5 of the pipeline system: tag what a recogniser without entity symbols has heard."""
    from spner.decode.pipeline import tag_sets
    from spner.tagger.annotate import default_tagger

    if not tagger:
        if not lang:
            raise SpnerError("--tagger: is missing; give one, or --lang for its default")
        tagger = default_tagger(lang)
    tag_sets(asr, exp, sets.split(), tagger=tagger, device=device)
    click.echo(f"{exp / 'decode'}: {sets}")


@click.command("calibrate")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stages 1 and 2.")
@click.option("--exp", required=True, type=FOLDER, help="Experiment folder with decoded sets, dev among them.")
def calibrate_command(data: Path, exp: Path) -> None:
    """Stage 5, after decoding: turn confidences into chances of being right, fitted on dev."""
    from spner.decode.calibrate import calibrate_sets, format_fitted

    if fitted := calibrate_sets(data, exp):
        click.echo(f"{exp / 'decode'}: {format_fitted(fitted)}")


@click.command("score-exp")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stages 1 and 2.")
@click.option("--exp", required=True, type=FOLDER, help="Experiment folder of stages 4 and 5.")
@click.option("--sets", default=f"{DEV} {TEST}", help="Sets to score.")
def score_exp_command(data: Path, exp: Path, sets: str) -> None:
    """Stage 6: score against the pseudo-labels, and against gold entities where there are some."""
    from spner.report.experiment import score_experiment

    click.echo(score_experiment(data, exp, sets.split()))
