"""Commands that score, compare and show."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spner.cli.options import (
    EITHER,
    FILE,
    FOLDER,
    cluster_option,
    columns_options,
    device_option,
    label_options,
    published_option,
    reading_options,
    scoring_options,
    words_option,
)
from spner.core.errors import SpnerError
from spner.core.paths import ENTITIES, GOLD_ENTITIES

if TYPE_CHECKING:
    from spner.scoring.options import Options
    from spner.scoring.rules import Rules
    from spner.text.labels import LabelSet


@click.command("score")
@click.option(
    "--ref",
    required=True,
    type=EITHER,
    help="A folder with text and entities.jsonl, a Kaldi text with entity symbols, or JSON lines.",
)
@click.option("--hyp", required=True, type=EITHER, help="Hypotheses for the same utterances, in any of these forms.")
@click.option("--out", type=FILE, help="JSON file to write; every utterance goes to a .utts.jsonl beside it.")
@scoring_options
def score_command(options: "Options", ref: Path, hyp: Path, out: Path | None) -> None:
    """Score hypotheses: WER, CER, EER and F1 with 95 % intervals, and kinds of errors.

    A label that is not in --labels is refused in references. In hypotheses it counts as an error, with a warning.
    """
    from spner.scoring.score import score, write_scores
    from spner.scoring.table import format_table

    scores = write_scores(out, ref=ref, hyp=hyp, options=options) if out else score(ref, hyp, options)
    click.echo(format_table(scores))


@click.command("compare")
@click.option("--ref", required=True, type=EITHER, help="References, as for spner score.")
@click.option(
    "--hyp",
    "hyps",
    required=True,
    multiple=True,
    help="Hypotheses, as for spner score; give two. Several seeds of a system: NAME=PATH with the same name.",
)
@click.option("--out", type=FILE, help="JSON file to write.")
@scoring_options
def compare_command(options: "Options", ref: Path, hyps: tuple[str, ...], out: Path | None) -> None:
    """Compare two systems: differences with 95 % intervals and p-values (paired bootstrap)."""
    from spner.core.files import write_json
    from spner.scoring.compare import compare, format_comparison, group_systems

    comparison = compare(ref, group_systems(hyps), options)
    if out:
        write_json(out, comparison)
    click.echo(format_comparison(comparison))


@click.command("score-tagger")
@click.option("--tagger", required=True, help="Transformers token classifier: folder or hub name.")
@click.option("--gold", "files", required=True, multiple=True, type=FILE, help="CoNLL column file; repeatable.")
@columns_options
@click.option(
    "--match_speech",
    is_flag=True,
    help="Score on text in the form of transcripts: lower case, no punctuation. Needs --lang.",
)
@click.option("--lang", help="With --match_speech: language code; selects the normalisation.")
@click.option("--out", type=FILE, help="JSON file to write.")
@device_option
@label_options
def score_tagger_command(
    labels: "LabelSet",
    tagger: str,
    files: tuple[Path, ...],
    encoding: str,
    token_column: int,
    match_speech: bool,
    lang: str | None,
    out: Path | None,
    device: str,
) -> None:
    """Score a text tagger on gold column files with seqeval: how accurate its pseudo-labels are."""
    from spner.core.files import write_json
    from spner.tagger.score import format_scores, score_on_files
    from spner.tagger.speech_form import speech_language

    speech = speech_language(match_speech=match_speech, lang=lang, noise=0.0)
    scored = score_on_files(
        tagger,
        files,
        labels=labels,
        encoding=encoding,
        token_column=token_column,
        speech_lang=speech,
        device=device,
    )
    if out:
        write_json(out, scored)
    form = f"in the form of transcripts ({speech})" if speech else "as written"
    click.echo(f"{scored['num_sentences']} sentences, {form}: {format_scores(scored['scores'])}")


@click.command("overlap")
@click.option(
    "--source",
    "sources",
    required=True,
    multiple=True,
    type=EITHER,
    help="Data folder, one of its sets, tagged text or JSON lines; repeatable.",
)
@click.option(
    "--target", required=True, type=EITHER, help="Corpus that the sources are compared with, in any form of --source."
)
@click.option("--gold", is_flag=True, help="Use the gold entities of folders instead of the pseudo-labels.")
@click.option("--top", default=10, type=click.IntRange(0), help="Number of shared and unshared entities to show.")
@click.option("--out", type=FILE, help="JSON file to write.")
@reading_options
def overlap_command(
    rules: "Rules", sources: tuple[Path, ...], target: Path, gold: bool, top: int, out: Path | None
) -> None:
    """Count the entities that corpora share with a target corpus."""
    from spner.core.files import write_json
    from spner.scoring.overlap import compute_overlaps, format_overlaps

    entities_file = GOLD_ENTITIES if gold else ENTITIES
    overlaps = compute_overlaps(sources=sources, target=target, rules=rules, entities_file=entities_file, top=top)
    if out:
        write_json(out, overlaps)
    click.echo(format_overlaps(overlaps))


@click.command("stats")
@click.argument("data", metavar="DIR", type=FOLDER)
@click.option("--gold", is_flag=True, help="Count the gold entities instead of the pseudo-labels.")
@click.option(
    "--top", default=10, type=click.IntRange(0), help="Number of most frequent entities to show for each label."
)
@click.option("--out", type=FILE, help="JSON file to write.")
def stats_command(data: Path, gold: bool, top: int, out: Path | None) -> None:
    """Count utterances, hours, words, speakers and entities of DIR, a data folder or one of its sets."""
    from spner.core.files import write_json
    from spner.data.stats import compute_stats, format_stats

    stats = compute_stats(data, entities_file=GOLD_ENTITIES if gold else ENTITIES, top=top)
    if out:
        write_json(out, stats)
    click.echo(format_stats(stats))


@click.command("report")
@click.argument("exps", metavar="EXP...", nargs=-1, required=True, type=EITHER)
@click.option("--out", required=True, type=FILE, help="HTML file to write.")
@click.option("--audio", is_flag=True, help="Copy the recordings into a folder beside the page, to hear them there.")
@click.option(
    "--data", type=FOLDER, help="Data folder with the recordings, for --audio; without it, that of the references."
)
@published_option
def report_command(exps: tuple[Path, ...], out: Path, audio: bool, data: Path | None, published: str | None) -> None:
    """Write one HTML page with the scores and utterances of experiments.

    EXP is an experiment folder, or a file that spner score --out wrote. The page shows scores with intervals side by
    side, and every utterance with reference and hypothesis aligned.
    """
    from spner.report.page import write_page

    click.echo(write_page(exps, out, audio=audio, data=data, published=published))


@click.command("benchmark")
@words_option("--langs", default="nl de en", text="Target language, then source languages.")
@click.option("--preset", default="quick", help="Name of conf/benchmark_PRESET.yaml, which says what runs.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override a key of the preset; repeatable.")
@click.option("--egs", default="egs", type=FOLDER, help="Folder of the recipes; results go to its benchmark/exp.")
@cluster_option
@click.option("--dry_run", is_flag=True, help="Print the cells and about how long each takes; run nothing.")
def benchmark_command(
    langs: tuple[str, ...], preset: str, settings: tuple[str, ...], egs: Path, cluster: Path | None, dry_run: bool
) -> None:
    """Run the paper's comparison: pipeline, E2E, zero-shot, transfer, joint training.

    Finished cells are not run again. A cell that fails does not stop the others.
    """
    from spner.benchmark import run
    from spner.benchmark.plan import make_plan
    from spner.benchmark.preset import PREFIX, read_preset
    from spner.core.cluster import open_cluster, read_cluster

    chosen = read_preset(egs.parent / "conf" / f"{PREFIX}{preset}.yaml", settings)
    if cluster:
        chosen = replace(chosen, jobs=read_cluster(cluster).n_workers)
    plan, out = make_plan(chosen, langs, egs), egs / "benchmark" / "exp" / preset
    if dry_run:
        click.echo(run.format_plan(plan, out, chosen))
        return
    from spner.benchmark.collect import collect_cells
    from spner.core.files import locked

    with locked(out):
        with open_cluster(cluster) as workers:
            failed = run.run_plan(plan, out, chosen, workers)
        click.echo(collect_cells(plan, failed, out, langs=langs, preset=chosen))
    if failed:
        raise SpnerError(f"{len(failed)} of {len(plan)} cells did not finish: {', '.join(failed)}; {out} says why")
