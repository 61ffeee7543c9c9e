"""Commands: parse, call one function, print."""

import functools
import logging
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from spner import __version__
from spner.datatypes import LABELS
from spner.errors import SpnerError, nearest
from spner.paths import DEV, ENTITIES, GOLD_ENTITIES, TEST
from spner.tags import POLICIES

# Rooms are imported inside the command that needs them: torch takes 3 s to import, ESPnet 17 s.

FOLDER = click.Path(path_type=Path)
SETTINGS = {"help_option_names": ["--help"], "show_default": True, "max_content_width": 120}


@click.group(context_settings=SETTINGS, no_args_is_help=False)
@click.version_option(__version__)
def cli() -> None:
    """Spoken named entity recognition: speech in, a transcript with its names marked out."""


@cli.command("mini-corpus")
@click.option("--lang", required=True, help="Language with a templates file, such as nl.")
@click.option("--out", required=True, type=FOLDER, help="Corpus folder to make.")
@click.option("--seed", default=1, type=int, help="Of all randomness.")
@click.option("--num_train", default=900, type=int, help="Clips of train.")
@click.option("--num_dev", default=80, type=int, help="Clips of dev.")
@click.option("--num_test", default=150, type=int, help="Clips of test.")
@click.option("--share", "shares", multiple=True, metavar="LANGS=SHARE", show_default="none",
              help="Share of their names that the corpora of several languages have in common, such as nl+de=0.2; give "
                   "it for each of them; repeatable.")  # fmt: skip
@click.option("--nj", default=2, type=click.IntRange(1), help="Processes.")
def mini_corpus(out: Path, nj: int, **options: Any) -> None:
    """Make the embedded corpus: synthetic speech and gold entities in Common Voice's layout."""
    from spner.corpora.mini import format_summary, make_mini_corpus

    click.echo(format_summary(make_mini_corpus(out, num_workers=nj, **options)))


@cli.command("mini-text")
@click.option("--corpus", required=True, type=FOLDER, help="Folder of spner mini-corpus.")
@click.option("--out", required=True, type=FOLDER, help="CoNLL column file to write.")
@click.option("--num_sentences", default=4000, type=int, help="Sentences.")
def mini_text(corpus: Path, out: Path, num_sentences: int) -> None:
    """Generate gold text to train a tagger for an embedded corpus; it mentions most of that corpus's names."""
    from spner.corpora.tagger_text import write_tagger_text

    write_tagger_text(corpus, out, num_sentences=num_sentences)
    click.echo(f"{out}: {num_sentences} sentences")


@cli.command("data")
@click.option("--corpus", required=True, type=FOLDER, help="Unpacked Common Voice release, the folder of one language; "
              "or a JSON file of the paper's authors, with their labels and sets.")  # fmt: skip
@click.option("--clips", type=FOLDER, help="Folder of the clips; a release has its own, a JSON file none.")
@click.option("--lang", required=True, help="Language code; decides the normalisation.")
@click.option("--out", required=True, type=FOLDER, help="Data folder to write.")
@click.option("--max_broken", default=0.01, type=click.FloatRange(0, 1),
              help="Share of a set's clips, 0 to 1, that may be missing or broken.")  # fmt: skip
@click.option("--nj", default=2, type=click.IntRange(1), help="Processes that decode clips.")
def data_command(corpus: Path, clips: Path | None, lang: str, out: Path, max_broken: float, nj: int) -> None:
    """Stage 1: clean a corpus and write Kaldi data folders and the 16 kHz audio store."""
    from spner.corpora.prepare import format_report, prepare_data

    report = prepare_data(corpus, out, lang=lang, max_broken=max_broken, num_workers=nj, clips=clips)
    click.echo(format_report(report))


@cli.command("train-tagger")
@click.option("--train", "train_files", required=True, multiple=True, type=FOLDER,
              help="CoNLL column file; repeatable.")  # fmt: skip
@click.option("--dev", type=FOLDER, help="Chooses the epoch.")
@click.option("--test", type=FOLDER, help="Scored once, at the end.")
@click.option("--out", required=True, type=FOLDER, help="Tagger folder to make.")
@click.option("--model", help="Hub name or folder to fine-tune; without it a small model is trained from nothing.")
@click.option("--encoding", default="utf-8", help="Of the files, such as latin-1.")
@click.option("--token_column", default=0, type=int, help="Column of the token, from 0; the tag is in the last.")
@click.option("--match_speech", is_flag=True, help="Train and score on text as a recogniser writes it: lower case, no "
              "punctuation; needs --lang.")  # fmt: skip
@click.option("--noise", default=0.0, type=click.FloatRange(0, 1),
              help="With --match_speech: probability of a simulated recognition error at each training "
                   "word.")  # fmt: skip
@click.option("--lang", help="With --match_speech: language code; decides the normalisation.")
@click.option("--epochs", type=click.IntRange(1), help="15 from nothing, 3 for fine-tuning.", show_default=False)
@click.option("--learning_rate", type=float, help="1.5e-3 from nothing, 3e-5 for fine-tuning.", show_default=False)
@click.option("--seed", default=0, type=int, help="Of all randomness.")
def train_tagger_command(
    out: Path, train_files: tuple[Path, ...], match_speech: bool, noise: float, lang: str | None, **options: Any
) -> None:
    """Train a text tagger (PER, ORG, LOC) on CoNLL column files, IOB1 or IOB2, and print seqeval's scores."""
    from spner.tagger.train import format_scores, train_tagger
    from spner.textnorm import require_language

    if bool(lang) != match_speech or (noise and not match_speech):
        raise SpnerError("--match_speech, --lang, --noise: the first needs --lang, and neither --lang nor --noise goes "
                         "without it")
    if lang:
        require_language(lang)
    scores = train_tagger(out, train=train_files, speech_lang=lang, noise=noise, **options)
    for set_name in (DEV, TEST):
        if scores[set_name]:
            click.echo(f"{set_name}: {format_scores(scores[set_name])}")


@cli.command("annotate")
@click.option("--tagger", help="Transformers token classifier, hub name or folder. Without it the labels that "
              "came with the corpus are taken; where none did, nl, de and en have a default.")  # fmt: skip
@click.option("--lang", required=True, help="Language code; decides the normalisation.")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stage 1.")
def annotate_command(tagger: str | None, lang: str, data: Path) -> None:
    """Stage 2: label the cased sentences and write the labels on the normalised words."""
    from spner.tagger.annotate import annotate_data_dir
    from spner.tagger.train import format_scores

    for set_name, scores in annotate_data_dir(data, tagger=tagger, lang=lang).items():
        click.echo(f"{set_name}: " + (f"against gold: {format_scores(scores)}" if scores else "annotated"))


@cli.command("tokens")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stages 1 and 2.")
@click.option("--out", required=True, type=FOLDER, help="Dump folder to write.")
@click.option("--system", default="e2e", type=click.Choice(["e2e", "asr"]), help="asr leaves the entity symbols out.")
@click.option("--token_type", default="char", type=click.Choice(["char", "bpe"]), help="bpe is SentencePiece.")
@click.option("--vocab_size", type=int, help="Pieces, for bpe.")
@click.option("--join", "joined", multiple=True, type=FOLDER, show_default="none",
              help="Data folder, or a recipe with one, whose train set is added; repeatable.")  # fmt: skip
@click.option("--fraction", default=100.0, type=click.FloatRange(0, 100, min_open=True),
              help="Percent of the train set, without the joined ones; 10 lies within 20.")  # fmt: skip
def tokens_command(data: Path, out: Path, **options: Any) -> None:
    """Stage 3: make the token list, the texts to train on and ESPnet's shape files."""
    from spner.tokens import make_tokens, read_token_list
    from spner.trainset import format_counts

    record = make_tokens(data, out, **options)
    click.echo(f"{out}: {len(read_token_list(out / 'token_list'))} tokens; train: {format_counts(record['train'])}")


@cli.command("lm")
@click.option("--dump", required=True, type=FOLDER, help="Dump folder of stage 3: its train text is learnt.")
@click.option("--out", required=True, type=FOLDER, help="Folder to make: lm.arpa and lm.json.")
@click.option("--unit", default="word", type=click.Choice(["word", "token"]),
              help="token models the dump's tokens, for a search without a lexicon.")  # fmt: skip
@click.option("--order", default=4, type=int, help="Words (tokens) of the longest n-gram, 2 to 6.")
@click.option("--prune", default="", metavar="COUNTS", show_default="nothing",
              help='One count an order, such as "0 0 1 2": n-grams that occur no more often are left out.')  # fmt: skip
@click.option("--text", "texts", multiple=True, type=FOLDER,
              help="More text: one normalised sentence a line, tagged or not; repeatable.")  # fmt: skip
@click.option("--columns", multiple=True, type=FOLDER,
              help="More text: a CoNLL column file with entities, to normalise; repeatable.")  # fmt: skip
@click.option("--sentences", multiple=True, type=FOLDER,
              help="More text: one cased, punctuated sentence a line, to normalise and tag; repeatable.")  # fmt: skip
@click.option("--tagger", help="For --sentences, as in spner annotate.")
@click.option("--lang", help="For --columns and --sentences: language code; decides the normalisation.")
def lm_command(dump: Path, out: Path, prune: str, **options: Any) -> None:
    """Estimate a language model for the beam search: modified Kneser-Ney n-grams over the tagged training text."""
    from spner.lm.build import format_record, make_lm

    counts = prune.split()
    if not all(count.isdecimal() for count in counts):
        raise SpnerError(f'--prune "{prune}": expected one count an order, such as "0 0 1 2"')
    click.echo(f"{out}: {format_record(make_lm(dump, out, prune=[int(count) for count in counts], **options))}")


@cli.command("train")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stage 1.")
@click.option("--dump", required=True, type=FOLDER, help="Dump folder of stage 3.")
@click.option("--exp", required=True, type=FOLDER, help="Experiment folder to make or to continue.")
@click.option("--config", "configs", required=True, multiple=True, type=FOLDER,
              help="ESPnet training YAML; repeatable, later files override single keys.")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override one key; repeatable.")
@click.option("--ngpu", type=click.IntRange(0), help="Graphics cards; one where there is one.", show_default=False)
@click.option("--init", type=FOLDER, show_default="none",
              help="Experiment folder to begin with; its token list may be another language's.")  # fmt: skip
@click.option("--reinit_layers", default=0, type=click.IntRange(0), help="With --init: top encoder layers not taken.")
@click.option("--reinit_output", is_flag=True, help="With --init: no row of the output layer is taken.")
@click.option("--freeze_steps", default=0, type=click.IntRange(0),
              help="With --init: steps in which nothing learns that was taken but the output layer.")  # fmt: skip
def train_command(
    data: Path, dump: Path, exp: Path, init: Path | None, reinit_layers: int, reinit_output: bool, freeze_steps: int,
    **options: Any,
) -> None:  # fmt: skip
    """Stage 4: train with ESPnet; an interrupted training goes on at its last finished epoch."""
    if not init and (reinit_layers or reinit_output or freeze_steps):
        raise SpnerError("--reinit_layers, --reinit_output, --freeze_steps: are about what is taken over; "
                         "give --init as well")
    from spner.asr.train import train
    from spner.asr.transfer import Transfer
    from spner.experiment import plot_training

    transfer = Transfer(init, reinit_layers, reinit_output, freeze_steps) if init else None
    checkpoint = train(data, dump, exp, transfer=transfer, **options)
    plot_training(exp)
    click.echo(f"{checkpoint}: averaged from the best epochs on dev")


def beam_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say how a beam search goes."""
    options = [
        click.option("--decode_config", "configs", multiple=True, type=FOLDER, show_default="greedy search",
                     help="Beam search with these settings, conf/decode_*.yaml; repeatable, later files override "
                          "single keys."),
        click.option("--lm", type=FOLDER, show_default="none",
                     help="Language model of the beam search: folder of spner lm, or an ARPA file."),
        click.option("--nj", default=1, type=click.IntRange(1), help="Processes of the beam search."),
        click.option("--batch_size", default=32, type=click.IntRange(1), help="Utterances in a batch at most."),
        click.option("--device", default="auto", help="As torch names it; auto takes a GPU where there is one."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@cli.command("tune")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stages 1 and 2.")
@click.option("--exp", required=True, type=FOLDER, help="Experiment folder of stage 4.")
@beam_options
def tune_command(
    data: Path, exp: Path, configs: tuple[Path, ...], lm: Path | None, nj: int, batch_size: int, device: str
) -> None:
    """Choose the weights of a beam search on dev, for spner decode to take; needs --decode_config."""
    from spner.asr.beam import BeamOptions
    from spner.asr.tune import format_tuned, tune

    if not configs:
        raise SpnerError("--decode_config: is missing; give the configuration whose weights are to be chosen")
    beam = BeamOptions(configs, lm, num_workers=nj)
    click.echo(format_tuned(tune(data, exp, beam, device=device, batch_size=batch_size)))


@cli.command("decode")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stage 1.")
@click.option("--exp", required=True, type=FOLDER, help="Experiment folder of stage 4.")
@click.option("--sets", default=f"{DEV} {TEST}", help="Sets to decode.")
@beam_options
@click.option("--boost", type=FOLDER, show_default="none",
              help="Names to raise in the beam search: one a line, optionally a tab and its label, and a tab and a "
                   "weight.")  # fmt: skip
@click.option("--nbest", default=1, type=click.IntRange(1), help="Hypotheses of the beam search to write, with scores.")
@click.option("--model", type=FOLDER, show_default="that of --exp",
              help="Experiment folder whose model decodes, such as another language's; --exp gets the "
                   "hypotheses.")  # fmt: skip
def decode_command(
    data: Path, exp: Path, sets: str, configs: tuple[Path, ...], lm: Path | None, boost: Path | None, nbest: int,
    nj: int, batch_size: int, device: str, model: Path | None,
) -> None:  # fmt: skip
    """Stage 5: CTC search over the sets; writes text and entities as the references have them."""
    from spner.asr.beam import BeamOptions
    from spner.asr.infer import decode_sets

    if not configs and (lm or boost or nbest > 1):
        raise SpnerError("--lm, --boost, --nbest: are a beam search's; give --decode_config as well")
    beam = BeamOptions(configs, lm, boost, nbest, nj) if configs else None
    decode_sets(data, exp, sets.split(), device=device, batch_size=batch_size, beam=beam, model=model)
    click.echo(f"{exp / 'decode'}: {sets}")


@cli.command("pipeline")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stages 1 and 2.")
@click.option("--asr", required=True, type=FOLDER, help="Experiment folder of stages 4 and 5 whose words are tagged.")
@click.option("--exp", required=True, type=FOLDER, help="Experiment folder to make; it gets the hypotheses.")
@click.option("--tagger", help="Transformers token classifier, hub name or folder; nl, de and en have a default.")
@click.option("--lang", help="Language code, for the default tagger.")
@click.option("--sets", default=f"{DEV} {TEST}", help="Decoded sets to tag.")
@click.option("--device", default="auto", help="As torch names it; auto takes a GPU where there is one.")
def pipeline_command(
    data: Path, asr: Path, exp: Path, tagger: str | None, lang: str | None, sets: str, device: str
) -> None:
    """Stage 5 of the pipeline system: tag what a recogniser without entity symbols has heard."""
    from spner.pipeline import tag_sets
    from spner.tagger.annotate import default_tagger

    if not (tagger or lang):
        raise SpnerError("--tagger: is missing; give one, or --lang for its default")
    tag_sets(data, asr, exp, sets.split(), tagger=tagger or default_tagger(lang), device=device)
    click.echo(f"{exp / 'decode'}: {sets}")


@cli.command("score-exp")
@click.option("--data", required=True, type=FOLDER, help="Data folder of stages 1 and 2.")
@click.option("--exp", required=True, type=FOLDER, help="Experiment folder of stages 4 and 5.")
@click.option("--sets", default=f"{DEV} {TEST}", help="Sets to score.")
def score_exp_command(data: Path, exp: Path, sets: str) -> None:
    """Stage 6: score against the pseudo-labels, and against gold entities where there are some."""
    from spner.experiment import score_experiment

    click.echo(score_experiment(data, exp, sets.split()))


def _split_mapping(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    for value, (old, _, new) in zip(values, pairs, strict=True):
        if not (old and new):
            raise click.BadParameter(f"found {value}, expected old=new")
    return {old: new for old, _, new in pairs}


def reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say how references and hypotheses are read; the command gets them as ``rules``."""

    @click.option("--lang", help="Normalise both sides for this language, such as nl; without it words stay as "
                  "they are.")  # fmt: skip
    @click.option("--labels", default=" ".join(LABELS), help="The configured labels.")
    @click.option("--map", "mapping", multiple=True, metavar="OLD=NEW", callback=_split_mapping,
                  help="Rename a label on both sides; repeatable.")  # fmt: skip
    @click.option("--discard", default="", help="Labels, after --map, that are left out on both sides.")
    @click.option("--policy", default=POLICIES[0], type=click.Choice(POLICIES), help="Of illegal entity symbols: an "
                  "entity that is not closed is discarded, or repaired by closing it.")  # fmt: skip
    @functools.wraps(command)
    def with_rules(lang: str | None, labels: str, mapping: dict[str, str], discard: str, policy: str, **options: Any):
        from spner.scoring.inputs import Rules

        command(rules=Rules(lang, tuple(labels.split()), mapping, frozenset(discard.split()), policy), **options)

    return with_rules


def scoring_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what is scored; the command gets them as ``options``."""

    @click.option("--seen", type=FOLDER, help="Training entities, in any form of --ref: F1 on entities, label and "
                  "words, that occur in them and on those that do not.")  # fmt: skip
    @click.option("--bootstrap", "num_draws", default=1000, type=click.IntRange(0), help="Draws for the intervals.")
    @click.option("--by_speaker", "utt2spk", type=FOLDER, help="Kaldi utt2spk: draw speakers, not utterances.")
    @click.option("--drop_empty_hyp", is_flag=True, help="Leave utterances with an empty hypothesis out of F1 and EER, "
                  "as the paper did.")  # fmt: skip
    @reading_options
    @functools.wraps(command)
    def with_options(
        rules: Any, seen: Path | None, num_draws: int, utt2spk: Path | None, drop_empty_hyp: bool, **others: Any
    ) -> None:
        from spner.scoring.score import Options

        command(options=Options(rules, seen, num_draws, utt2spk, drop_empty_hyp), **others)

    return with_options


@cli.command("score")
@click.option("--ref", required=True, type=FOLDER, help="A folder with text and entities.jsonl, a Kaldi text with "
              "entity symbols, or JSON lines; true entities unless stage 2 wrote them.")  # fmt: skip
@click.option("--hyp", required=True, type=FOLDER, help="The same utterances in any of these forms.")
@click.option("--out", type=FOLDER, help="JSON file to write; the utterances go into .utts.jsonl beside it.")
@scoring_options
def score_command(ref: Path, hyp: Path, out: Path | None, options: Any) -> None:
    """Score hypotheses: WER, CER, EER, F1 with 95 % intervals, and what went wrong with each entity.

    A label that is not configured is refused in references; in hypotheses it is an error of theirs and warned of.
    """
    from spner.scoring.score import score, write_scores
    from spner.scoring.table import format_table

    scores = write_scores(out, ref=ref, hyp=hyp, options=options) if out else score(ref, hyp, options)
    click.echo(format_table(scores))


@cli.command("compare")
@click.option("--ref", required=True, type=FOLDER, help="As for spner score.")
@click.option("--hyp", "hyps", required=True, multiple=True, help="Twice, as for spner score; several seeds of one "
              "system as NAME=PATH with the same name.")  # fmt: skip
@click.option("--out", type=FOLDER, help="JSON file to write.")
@scoring_options
def compare_command(ref: Path, hyps: tuple[str, ...], out: Path | None, options: Any) -> None:
    """Compare two systems: differences with 95 % intervals and p-values from a paired bootstrap, and where they are."""
    from spner.files import write_json
    from spner.scoring.compare import compare, format_comparison, group_systems

    comparison = compare(ref, group_systems(hyps), options)
    if out:
        write_json(out, comparison)
    click.echo(format_comparison(comparison))


@cli.command("overlap")
@click.option("--source", "sources", required=True, multiple=True, type=FOLDER,
              help="Data folder, one of its sets, or a file of tagged text or JSON lines; repeatable.")  # fmt: skip
@click.option("--target", required=True, type=FOLDER, help="What the sources are compared with; as --source.")
@click.option("--gold", is_flag=True, help="Take the gold entities of folders instead of the pseudo-labels.")
@click.option("--top", default=10, type=click.IntRange(0), help="Shared and unshared entities that are shown.")
@click.option("--out", type=FOLDER, help="JSON file to write.")
@reading_options
def overlap_command(sources: tuple[Path, ...], gold: bool, out: Path | None, **options: Any) -> None:
    """Count the entities that the sources, each and together, share with the target, by mention and distinct."""
    from spner.files import write_json
    from spner.scoring.overlap import compute_overlaps, format_overlaps

    overlaps = compute_overlaps(sources=sources, entities_file=GOLD_ENTITIES if gold else ENTITIES, **options)
    if out:
        write_json(out, overlaps)
    click.echo(format_overlaps(overlaps))


@cli.command("export")
@click.option("--format", "format_name", required=True, type=click.Choice(["paper_json", "conll", "slue"]),
              help="paper_json: the paper's authors' JSON, and the clips as FLAC; conll: token, tab, IOB2 tag; slue: "
              "SLUE-VoxPopuli's tables.")  # fmt: skip
@click.option("--data", required=True, type=FOLDER, help="Data folder of stages 1 and 2, or one of its sets; its "
              "wav.scp is relative to the folder that stage 1 ran in.")  # fmt: skip
@click.option("--out", required=True, type=FOLDER, help="Folder to write.")
@click.option("--gold", is_flag=True, help="Take the gold entities instead of the pseudo-labels.")
def export_command(format_name: str, data: Path, out: Path, gold: bool) -> None:
    """Write a data folder in a format that other programs read."""
    from spner.export import export

    entities_file = GOLD_ENTITIES if gold else ENTITIES
    click.echo("\n".join(map(str, export(data, out, format_name=format_name, entities_file=entities_file))))


@cli.command("stats")
@click.argument("data", metavar="DIR", type=FOLDER)
@click.option("--gold", is_flag=True, help="Count the gold entities instead of the pseudo-labels.")
@click.option("--top", default=10, type=click.IntRange(0), help="Most frequent entities of each label.")
@click.option("--out", type=FOLDER, help="JSON file to write.")
def stats_command(data: Path, gold: bool, top: int, out: Path | None) -> None:
    """Count what DIR, a data folder or one of its sets, holds: utterances, hours, words, speakers, entities."""
    from spner.files import write_json
    from spner.stats import compute_stats, format_stats

    stats = compute_stats(data, entities_file=GOLD_ENTITIES if gold else ENTITIES, top=top)
    if out:
        write_json(out, stats)
    click.echo(format_stats(stats))


@cli.command("report")
@click.argument("exps", metavar="EXP...", nargs=-1, required=True, type=FOLDER)
@click.option("--out", required=True, type=FOLDER, help="HTML file to write.")
def report_command(exps: tuple[Path, ...], out: Path) -> None:
    """Write one HTML page that shows each EXP, an experiment folder or a scores file of spner score, side by side.

    It holds the scores with their intervals, and all utterances to look at, reference and hypothesis aligned.
    """
    from spner.report.page import write_page

    click.echo(write_page(exps, out))


@cli.command("benchmark")
@click.option("--langs", default="nl de en", help="The target language, then the sources.")
@click.option("--preset", default="quick", help="What runs: conf/benchmark_PRESET.yaml.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override a key of the preset; repeatable.")
@click.option("--egs", default="egs", type=FOLDER, help="Folder of the recipes; results go into its benchmark/exp.")
@click.option("--dry_run", is_flag=True, help="Print the cells, and about how long each takes; run nothing.")
def benchmark_command(langs: str, preset: str, settings: tuple[str, ...], egs: Path, dry_run: bool) -> None:
    """Run the paper's comparison and collect it: pipeline, E2E, zero-shot, fractions, transfer, joint training.

    Finished cells are not run again, and one that fails does not stop the others.
    """
    from spner.benchmark import run
    from spner.benchmark.plan import make_plan
    from spner.benchmark.preset import PREFIX, read_preset

    chosen = read_preset(egs.parent / "conf" / f"{PREFIX}{preset}.yaml", settings)
    plan, out = make_plan(chosen, langs.split(), egs), egs / "benchmark" / "exp" / preset
    if dry_run:
        click.echo(run.format_plan(plan, out, chosen))
        return
    from spner.benchmark.collect import collect_cells
    from spner.files import locked

    with locked(out):
        failed = run.run_plan(plan, out, chosen)
        click.echo(collect_cells(plan, failed, out, langs=langs.split(), preset=chosen))
    if failed:
        raise SpnerError(f"{len(failed)} of {len(plan)} cells did not finish: {', '.join(failed)}; {out} says why")


def main(arguments: list[str] | None = None) -> None:
    """Run a command; a user's mistake ends in one line and exit code 2."""
    _set_up_logging()
    try:
        cli.main(arguments, prog_name="spner", standalone_mode=False)
    except click.NoSuchOption as error:
        _fail(f"{_command(error)}: no option {error.option_name}{nearest(error.option_name, _options(error))}")
    except click.ClickException as error:
        _fail(f"{_command(error)}: {error.format_message().rstrip('.')}; see {_command(error)} --help")
    except SpnerError as error:
        _fail(str(error))
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted; the same command takes the work up again", code=130)


def _set_up_logging() -> None:
    """Show our own messages and everybody's warnings; the file that SPNER_LOG names gets ESPnet's messages, too."""
    screen = logging.StreamHandler()
    screen.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    screen.addFilter(lambda record: record.levelno >= logging.WARNING or record.name.startswith("spner"))
    handlers: list[logging.Handler] = [screen]
    if os.environ.get("SPNER_LOG"):
        handlers.append(logging.FileHandler(os.environ["SPNER_LOG"], encoding="utf-8"))
        handlers[-1].setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=handlers)
    # Deprecations inside ESPnet, S3PRL and torch, and its trainer's remarks about CUDA, are nothing a user can mend.
    warnings.simplefilter("ignore", FutureWarning)
    warnings.filterwarnings("ignore", r"(?s).*CUDA is not available")


def _fail(message: str, *, code: int = 2) -> None:
    logging.error("spner: error: %s", message)
    sys.exit(code)


def _command(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context else "spner"


def _options(error: click.UsageError) -> list[str]:
    return [name for parameter in error.ctx.command.params for name in parameter.opts] if error.ctx else []


