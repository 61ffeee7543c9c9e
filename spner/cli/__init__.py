"""The command line: each command parses, calls one function, prints.

Rooms are imported inside the command that needs them: torch takes 3 s to import, ESPnet 17 s.
"""

import contextlib
import logging
import os
import sys
from collections.abc import Sequence

import click

from spner import __version__
from spner.cli import archive, corpora, models, recipe, recordings, scores, stages
from spner.core.errors import SpnerError, nearest
from spner.core.logs import set_up_logging

OPEN_FILES = 65_536
"""A set's shards are open together when they are joined, 800 for 1.6 million utterances; usually 1,024 may be."""
SETTINGS = {"help_option_names": ["--help"], "show_default": True, "max_content_width": 120}
SECTIONS = {
    "Recordings": (recordings.tag_command,),
    "Archives": (
        archive.index_command,
        archive.search_command,
        archive.serve_command,
        archive.redact_command,
        archive.forget_command,
    ),
    "Stages of a recipe": (
        stages.data_command,
        stages.annotate_command,
        stages.tokens_command,
        stages.train_command,
        stages.decode_command,
        stages.pipeline_command,
        stages.calibrate_command,
        stages.score_exp_command,
    ),
    "Scores and reports": (
        scores.score_command,
        scores.compare_command,
        scores.score_tagger_command,
        scores.report_command,
        scores.benchmark_command,
    ),
    "Corpora": (
        corpora.mini_corpus,
        corpora.mini_text,
        scores.stats_command,
        scores.overlap_command,
        corpora.export_command,
    ),
    "Models": (models.train_tagger_command, models.lm_command, models.tune_command, models.pack_command),
}


class Sections(click.Group):
    """A group whose help lists the commands by what a person wants."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one block of commands for each section."""
        width = max(len(str(command.name)) for commands in SECTIONS.values() for command in commands)
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(f"{command.name:{width}}", command.get_short_help_str(120)) for command in commands]
                )


@click.group(cls=Sections, context_settings=SETTINGS, no_args_is_help=False)
@click.version_option(__version__)
def cli() -> None:
    """Spoken named entity recognition: speech in, a transcript with its entities marked out."""


for _one in (command for commands in SECTIONS.values() for command in commands):
    cli.add_command(_one)
cli.add_command(recipe.recipe_names_command)


def main(arguments: list[str] | None = None) -> None:
    """Run a command; a user's mistake ends in one line and exit code 2."""
    set_up_logging()
    _allow_open_files()
    # Idle OpenMP threads sleep instead of spinning: spinning ones take the cores from whoever has work for them.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        cli.main(spread(sys.argv[1:] if arguments is None else arguments), prog_name="spner", standalone_mode=False)
    except click.NoSuchOption as error:
        _fail(f"{_command(error)}: no option {error.option_name}{nearest(error.option_name, _options(error))}")
    except click.ClickException as error:
        _fail(f"{_command(error)}: {error.format_message().rstrip('.')}; see {_command(error)} --help")
    except SpnerError as error:
        _fail(str(error))
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted; the same command continues", code=130)


def run_program(group: click.Group, name: str) -> None:
    """Run a program of a recipe's own; a user's mistake ends in one line and exit code 2."""
    set_up_logging()
    try:
        group(standalone_mode=False)
    except (SpnerError, click.ClickException) as error:
        click.echo(f"{name}: error: {error}", err=True)
        sys.exit(2)


def spread(arguments: Sequence[str]) -> list[str]:
    """Repeat an option that may be repeated before each word that follows it: ``--sets dev test``, ``--config a b``."""
    command = cli.commands.get(arguments[0]) if arguments else None
    options = [one for one in command.params if isinstance(one, click.Option)] if command else []
    if command is None or len(options) < len(command.params):  # words without an option have a meaning of their own
        return list(arguments)
    repeatable = {name for option in options if option.multiple for name in option.opts}
    repeated, option, num_values = [arguments[0]], "", 0
    for word in arguments[1:]:
        if word.startswith("--"):
            option, equals, _ = word.partition("=")
            num_values = len(equals)
        else:
            repeated += [option] if num_values and option in repeatable else []
            num_values += 1
        repeated.append(word)
    return repeated


def _fail(message: str, *, code: int = 2) -> None:
    logging.error("spner: error: %s", message)
    sys.exit(code)


def _command(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context else "spner"


def _options(error: click.UsageError) -> list[str]:
    return [name for parameter in error.ctx.command.params for name in parameter.opts] if error.ctx else []


def _allow_open_files() -> None:
    """Raise the number of files that this process and its children may have open, as far as they may themselves."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows, which has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if resource.RLIM_INFINITY != soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # some systems have a lower limit than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
