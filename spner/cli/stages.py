"""Commands of the six stages."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from spner.cli.options import (
    EITHER,
    FILE,
    FOLDER,
    beam_options,
    cluster_option,
    device_option,
    label_options,
    preset_option,
    processes_option,
    published_option,
    search_option,
    sets_option,
    words_option,
)
from spner.core.datatypes import LABELS
from spner.core.paths import search_dir

if TYPE_CHECKING:
    from spner.text.labels import LabelSet


@click.command("data")
@click.option(
    "--corpus",
    required=True,
    type=EITHER,
    help="Folder of one language of an unpacked Common Voice release, or of a corpus in the same layout; of "
    "SLUE-VoxPopuli, of MSNER or of NeMo's manifests; or a JSON file of the paper's authors.",
)
@click.option("--clips", type=FOLDER, help="Folder of the clips, where the corpus has none of its own.")
@click.option("--lang", required=True, help="Language code, such as nl; selects the normalisation.")
@click.option("--out", required=True, type=FOLDER, help="Data folder to write.")
@click.option(
    "--max_broken",
    default=0.01,
    type=click.FloatRange(0, 1),
    help="Largest share of a set's clips, 0 to 1, that may be missing or broken.",
)
@click.option(
    "--split_validated",
    type=int,
    show_default="no",
    help="Make train, dev and test of validated.tsv, by speaker; the value is the random seed.",
)
@words_option(
    "--labels",
    default=" ".join(LABELS),
    text="Labels of the recipe; of a corpus annotated with both SLUE's 7 and OntoNotes' 18, they choose which is read.",
)
@processes_option("Number of processes that convert clips.")
@cluster_option
def data_command(
    corpus: Path,
    clips: Path | None,
    lang: str,
    out: Path,
    max_broken: float,
    split_validated: int | None,
    labels: tuple[str, ...],
    nj: int,
    cluster: Path | None,
) -> None:
    """Stage 1: clean a corpus; write Kaldi data folders and 16 kHz audio."""
    from spner.core.cluster import open_cluster
    from spner.corpora.prepare import format_report, prepare_data
    from spner.text.label_sets import choose_labels

    with open_cluster(cluster) as workers:
        report = prepare_data(
            corpus,
            out,
            lang=lang,
            max_broken=max_broken,
            num_workers=nj,
            cluster=workers,
            clips=clips,
            split_validated=split_validated,
            labels=choose_labels(" ".join(labels), {}, where="--labels").names,
        )
    click.echo(format_report(report))


@click.command("annotate")
@click.option(
    "--tagger",
    help="Transformers token classifier: folder or hub name. Default: the corpus's own labels, if it has any; "
    "else a tagger for nl, de or en.",
)
@click.option("--lang", required=True, help="Language code, such as nl; selects the normalisation.")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stage 1.")
@cluster_option
@label_options
def annotate_command(labels: "LabelSet", tagger: str | None, lang: str, data: Path, cluster: Path | None) -> None:
    """Stage 2: label the cased sentences with a tagger; write the entities of the transcripts.

    The labels go into the data folder, and all later stages read them there.
    """
    from spner.core.cluster import open_cluster
    from spner.tagger.annotate import annotate_data_dir
    from spner.tagger.score import format_scores

    with open_cluster(cluster) as workers:
        annotated = annotate_data_dir(data, tagger=tagger, lang=lang, labels=labels, cluster=workers)
    for set_name, scores in annotated.items():
        click.echo(f"{set_name}: " + (f"against gold: {format_scores(scores)}" if scores else "annotated"))


@click.command("tokens")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stages 1 and 2.")
@click.option("--out", required=True, type=FOLDER, help="Dump folder to write.")
@click.option(
    "--system",
    default="e2e",
    type=click.Choice(["e2e", "asr"]),
    help="e2e: transcripts with entity symbols; asr: without.",
)
@click.option(
    "--token_type", default="char", type=click.Choice(["char", "bpe"]), help="Characters, or SentencePiece units (bpe)."
)
@click.option("--vocab_size", type=int, help="Number of units, for bpe.")
@click.option(
    "--join",
    "joined",
    multiple=True,
    type=FOLDER,
    show_default="none",
    help="Data folder, or recipe folder, whose train set is added; repeatable.",
)
@click.option(
    "--fraction",
    default=100.0,
    type=click.FloatRange(0, 100, min_open=True),
    help="Percent of the train set to use; joined sets are used whole. The 10 % are part of the 20 %.",
)
def tokens_command(
    data: Path,
    out: Path,
    system: str,
    token_type: str,
    vocab_size: int | None,
    joined: tuple[Path, ...],
    fraction: float,
) -> None:
    """Stage 3: make the token list, the training texts and ESPnet's shape files."""
    from spner.data.tokens import format_too_many, make_tokens, read_token_list
    from spner.data.trainset import format_counts

    record = make_tokens(
        data,
        out,
        system=system,
        token_type=token_type,
        vocab_size=vocab_size,
        joined=joined,
        fraction=fraction,
    )
    click.echo(f"{out}: {len(read_token_list(out / 'token_list'))} tokens; train: {format_counts(record['train'])}")
    for line in format_too_many(record):
        click.echo(line)


@click.command("train")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stage 1.")
@click.option("--dump", required=True, type=FOLDER, help="Dump folder of stage 3.")
@click.option("--exp", required=True, type=FOLDER, help="Experiment folder to make or to continue.")
@click.option(
    "--config",
    "configs",
    required=True,
    multiple=True,
    type=FILE,
    help="ESPnet training YAML; repeatable, later files override single keys.",
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override one key; repeatable.")
@click.option(
    "--ngpu",
    type=click.IntRange(0),
    help="GPUs of this machine to train on together; by default one, if there is one.",
    show_default=False,
)
@click.option(
    "--num_nodes",
    default=1,
    type=click.IntRange(1),
    help="Machines that train together, with so many GPUs each; inside srun, one task each.",
)
@click.option("--node_rank", type=click.IntRange(0), help="Without Slurm: this machine's number, from 0.")
@click.option("--master", metavar="HOST:PORT", help="Without Slurm: machine 0, and a free port of it.")
@click.option(
    "--init",
    type=FOLDER,
    show_default="none",
    help="Experiment folder whose weights the training starts from, of any language.",
)
@click.option(
    "--reinit_layers",
    default=0,
    type=click.IntRange(0),
    help="With --init: number of top encoder layers that start anew.",
)
@click.option("--reinit_output", is_flag=True, help="With --init: the output layer starts anew.")
@click.option(
    "--freeze_steps",
    default=0,
    type=click.IntRange(0),
    help="With --init: number of first steps in which only new layers and the output layer are trained.",
)
def train_command(
    data: Path,
    dump: Path,
    exp: Path,
    init: Path | None,
    reinit_layers: int,
    reinit_output: bool,
    freeze_steps: int,
    configs: tuple[Path, ...],
    settings: tuple[str, ...],
    ngpu: int | None,
    num_nodes: int,
    node_rank: int | None,
    master: str | None,
) -> None:
    """Stage 4: train with ESPnet. An interrupted training continues after its last finished epoch."""
    from spner.asr.nodes import find_node, start_step
    from spner.asr.processes import help_train
    from spner.asr.train import train
    from spner.asr.transfer import make_transfer
    from spner.report.experiment import plot_training

    start_step(num_nodes)
    transfer = make_transfer(init, reinit_layers, reinit_output, freeze_steps)
    node = find_node(num_nodes, node_rank=node_rank, master=master)
    if node.rank:
        help_train(node)
        return
    checkpoint = train(data, dump, exp, configs=configs, settings=settings, ngpu=ngpu, node=node, transfer=transfer)
    plot_training(exp)
    click.echo(f"{checkpoint}: averaged from the best epochs on dev")


@click.command("decode")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stage 1.")
@click.option("--exp", required=True, type=FOLDER, help="Experiment folder of stage 4.")
@sets_option("Sets to decode.")
@beam_options
@click.option(
    "--boost",
    type=FILE,
    show_default="none",
    help="Contextual biasing: file of names, one a line; a tab and a label, and a tab and a weight, may follow.",
)
@click.option(
    "--nbest",
    default=1,
    type=click.IntRange(1),
    help="Number of hypotheses to write, with scores; needs a beam search.",
)
@click.option(
    "--model",
    type=FOLDER,
    show_default="that of --exp",
    help="Experiment folder whose model decodes, of any language; the hypotheses go to --exp.",
)
@cluster_option
def decode_command(
    data: Path,
    exp: Path,
    sets: tuple[str, ...],
    configs: tuple[Path, ...],
    lm: Path | None,
    boost: Path | None,
    nbest: int,
    nj: int,
    batch_size: int | None,
    device: str,
    model: Path | None,
    cluster: Path | None,
) -> None:
    """Stage 5: decode sets; write hypotheses in the references' formats."""
    from spner.core.cluster import open_cluster
    from spner.decode.beam_options import make_beam
    from spner.decode.decode import decode_sets

    beam = make_beam(configs, lm, boost, nbest, nj)
    with open_cluster(cluster) as workers:
        search = decode_sets(
            data, exp, sets, device=device, batch_size=batch_size, beam=beam, model=model, cluster=workers
        )
    click.echo(f"{search_dir(exp, search)}: {' '.join(sets)}")


@click.command("pipeline")
@click.option("--asr", required=True, type=FOLDER, help="Experiment folder whose decoded words are tagged.")
@click.option("--exp", required=True, type=FOLDER, help="Experiment folder for the tagged hypotheses.")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stages 1 and 2, whose labels are kept.")
@click.option(
    "--tagger",
    required=True,
    help="Transformers token classifier of text in the form of transcripts: folder or hub name; spner train-tagger "
    "--data trains one on the utterances of an E2E system.",
)
@sets_option("Decoded sets to tag.")
@search_option
@device_option
def pipeline_command(
    asr: Path, exp: Path, data: Path, tagger: str, sets: tuple[str, ...], search: str | None, device: str
) -> None:
    """Stage 5 of the pipeline system: tag the words that a recogniser has decoded."""
    from spner.data.datadir import read_labels
    from spner.decode.pipeline import tag_sets

    labels = read_labels(data)
    tag_sets(asr, exp, sets, tagger=tagger, labels=labels, search=search, device=device)
    click.echo(f"{exp / 'decode'}: {' '.join(sets)}")


@click.command("calibrate")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stages 1 and 2.")
@click.option("--exp", required=True, type=FOLDER, help="Experiment folder with decoded sets, dev among them.")
@search_option
def calibrate_command(data: Path, exp: Path, search: str | None) -> None:
    """Stage 5, after decoding: calibrate confidences on dev."""
    from spner.decode.calibrate import calibrate_searches, format_fitted

    for name, fitted in calibrate_searches(data, exp, search).items():
        click.echo(f"{search_dir(exp, name)}: {format_fitted(fitted)}")


@click.command("score-exp")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stages 1 and 2.")
@click.option("--exp", required=True, type=FOLDER, help="Experiment folder of stages 4 and 5.")
@sets_option("Sets to score.")
@search_option
@published_option
@preset_option
def score_exp_command(
    data: Path, exp: Path, sets: tuple[str, ...], search: str | None, published: str | None, preset: str | None
) -> None:
    """Stage 6: score against the pseudo-labels, and against gold entities if there are any."""
    from spner.report.experiment import score_experiment

    click.echo(score_experiment(data, exp, sets, search, published=published, preset=preset))
