"""Options that several commands share."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import click
from click.core import ParameterSource

from spner.core.datatypes import LABELS
from spner.core.errors import SpnerError
from spner.core.parallel import count_cpus
from spner.core.paths import DEV, ENTITIES, GOLD_ENTITIES, TEST
from spner.text.tags import POLICIES

if TYPE_CHECKING:
    from spner.scoring.options import Options
    from spner.scoring.rules import Rules
    from spner.text.labels import LabelSet

P = ParamSpec("P")
PRESETS = ("slue", "slue_raw")  # of spner/scoring/presets.py, which --help does not import

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
EITHER = click.Path(path_type=Path)

device_option = click.option(
    "--device", default="auto", help="Torch device, such as cpu or cuda:0; auto: a GPU if there is one."
)


def words_option(*names: str, default: str, text: str, shown: str = "none", filled: bool = False) -> Callable[..., Any]:
    """Return an option of several words: ``--sets dev test``, ``--sets "dev test"``, ``--sets dev --sets test``.

    Args:
        names: as ``click.option`` takes them.
        default: words.
        text: of the help.
        shown: what the help says where the default is empty.
        filled: whether there must be one at least.
    """

    def split(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
        words = tuple(word for value in values for word in value.split())
        if filled and not words:
            raise click.BadParameter(f"is empty (expected words, such as {default})", context, parameter)
        return words

    return click.option(
        *names, multiple=True, default=(default,), show_default=default or shown, callback=split, help=text
    )


def sets_option(text: str) -> Callable[..., Any]:
    """Return the option ``--sets`` with this help."""
    return words_option("--sets", default=f"{DEV} {TEST}", text=text, filled=True)


published_option = click.option(
    "--published",
    show_default="none",
    help="Show the published numbers on a benchmark beside one's own: slue_voxpopuli, msner or earnings21.",
)

search_option = click.option(
    "--search",
    show_default="all there are",
    help="Name of one search: of its folder in the experiment's decode/, such as greedy or lm.",
)


cluster_option = click.option(
    "--cluster",
    type=FILE,
    show_default="none",
    help="YAML file of a cluster whose workers do the work, such as conf/slurm.yaml; see docs/cluster.md.",
)


def is_given(context: click.Context, name: str) -> bool:
    """Whether an option stands on the command line."""
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def processes_option(text: str) -> Callable[..., Any]:
    """Add ``--nj``; by default the machine's processors."""
    return click.option("--nj", default=count_cpus, type=click.IntRange(1), help=text, show_default="all processors")


def beam_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say how a beam search goes."""
    options = [
        click.option(
            "--decode_config",
            "configs",
            multiple=True,
            type=FILE,
            show_default="greedy search",
            help="Settings of a beam search, conf/decode_*.yaml; repeatable, later files override single keys.",
        ),
        click.option(
            "--lm",
            type=EITHER,
            show_default="none",
            help="Language model of the beam search: folder of spner lm, or ARPA file.",
        ),
        processes_option("Number of processes of the beam search."),
        click.option(
            "--batch_size",
            type=click.IntRange(1),
            show_default="32; on a GPU 128",
            help="Largest number of utterances in a batch.",
        ),
        device_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def columns_options(command: Callable[P, None]) -> Callable[..., None]:
    """Add the options that say what CoNLL column files look like."""
    options = [
        click.option("--encoding", default="utf-8", help="Encoding of the files, such as latin-1."),
        click.option(
            "--token_column",
            default=0,
            type=int,
            help="Column of the token, counted from 0; the tag is in the last column.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def label_options(command: Callable[Concatenate["LabelSet", P], None]) -> Callable[..., None]:
    """Add the options that say which labels there are; the command gets them as its first argument."""

    @words_option(
        "--labels",
        default=" ".join(LABELS),
        text="Labels of the entities; slue stands for SLUE's 7, ontonotes for OntoNotes' 18.",
    )
    @map_option("Read a label as another, one of --labels or O for none; repeatable. Common spellings need none.")
    @functools.wraps(command)
    def with_labels(labels: tuple[str, ...], mapping: dict[str, str], *args: P.args, **others: P.kwargs) -> None:
        from spner.text.label_sets import choose_labels

        command(choose_labels(" ".join(labels), mapping, where="--labels"), *args, **others)

    return with_labels


preset_option = click.option(
    "--preset",
    type=click.Choice(PRESETS),
    show_default="none",
    help="Score as a benchmark's authors do, with labels, discards and policy of theirs: slue or slue_raw, SLUE's 7 "
    "combined labels or the 18.",
)


def reading_options(command: Callable[Concatenate["Rules", P], None]) -> Callable[..., None]:
    """Add the options that say how references and hypotheses are read; the command gets them as its first argument."""

    @click.option(
        "--lang", help="Normalise both sides as in this language, such as nl; without it words stay as they are."
    )
    @words_option(
        "--labels",
        default="",
        shown=f"those of the references' data folder, else {' '.join(LABELS)}",
        text="Labels to score.",
    )
    @map_option("Rename a label on both sides; repeatable.")
    @words_option("--discard", default="", text="Labels (after --map) to leave out on both sides.")
    @click.option(
        "--policy",
        default=POLICIES[0],
        type=click.Choice(POLICIES),
        help="What happens to an entity that is not closed: discard it, or repair it by closing it.",
    )
    @preset_option
    @functools.wraps(command)
    def with_rules(
        lang: str | None,
        labels: tuple[str, ...],
        mapping: dict[str, str],
        discard: tuple[str, ...],
        policy: str,
        preset: str | None,
        *args: P.args,
        **others: P.kwargs,
    ) -> None:
        from spner.scoring.presets import preset_rules
        from spner.scoring.rules import Rules

        if preset:
            _refuse_beside(preset)
            command(preset_rules(preset, lang, mapping), *args, **others)
            return
        names = labels or _labels_of(others.get("ref") or others.get("target"))
        rules = Rules(lang, names, mapping, frozenset(discard), policy)
        command(rules, *args, **others)

    return with_rules


def _refuse_beside(preset: str) -> None:
    """Refuse options that a preset decides."""
    for name in ("labels", "discard", "policy"):
        if is_given(click.get_current_context(), name):
            raise SpnerError(f"--{name}: --preset {preset} decides it (expected one of them); leave one out")


def _labels_of(references: object) -> tuple[str, ...]:
    """Return the labels of the data folder that references lie in; those of other files are the paper's."""
    from spner.data.datadir import read_labels

    if isinstance(references, Path) and (references.is_dir() or references.name in (ENTITIES, GOLD_ENTITIES)):
        return read_labels(references if references.is_dir() else references.parent).names
    return LABELS


def map_option(text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return the option ``--map`` with this help."""
    return click.option("--map", "mapping", multiple=True, metavar="OLD=NEW", callback=_split_mapping, help=text)


def _split_mapping(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    for value, (old, _, new) in zip(values, pairs, strict=True):
        if not (old and new):
            raise click.BadParameter(f"found {value}, expected old=new")
    return {old: new for old, _, new in pairs}


def scoring_options(command: Callable[Concatenate["Options", P], None]) -> Callable[..., None]:
    """Add the options that say what is scored; the command gets them as its first argument."""

    @click.option(
        "--seen",
        type=EITHER,
        help="Training entities, in any form of --ref. Adds F1 on entities that occur in them, and on entities that "
        "do not.",
    )
    @click.option(
        "--bootstrap",
        "num_draws",
        default=1000,
        type=click.IntRange(0),
        help="Number of bootstrap draws for the intervals; 0: no intervals.",
    )
    @click.option("--by_speaker", "utt2spk", type=FILE, help="Kaldi utt2spk: draw speakers instead of utterances.")
    @click.option(
        "--recordings",
        "utt2reco",
        type=FILE,
        help="Kaldi table <utt_id> <recording> of the references, as they are spoken: hypotheses are of whole "
        "recordings, and are cut where their words align.",
    )
    @click.option(
        "--drop_empty_hyp",
        is_flag=True,
        help="Leave utterances with an empty hypothesis out of F1 and EER, as the paper did.",
    )
    @click.option(
        "--references",
        type=click.Choice(["gold", "pseudo"]),
        show_default="not stated",
        help="Whether the references are true entities or a tagger's pseudo-labels; the table says it.",
    )
    @reading_options
    @functools.wraps(command)
    def with_options(
        rules: "Rules",
        seen: Path | None,
        num_draws: int,
        utt2spk: Path | None,
        utt2reco: Path | None,
        drop_empty_hyp: bool,
        references: str | None,
        *args: P.args,
        **others: P.kwargs,
    ) -> None:
        from spner.scoring.options import Options

        gold = None if references is None else references == "gold"
        command(Options(rules, seen, num_draws, utt2spk, drop_empty_hyp, gold, utt2reco), *args, **others)

    return with_options
