"""The command that ``egs/TEMPLATE/stages.sh`` asks before its first stage."""

from dataclasses import asdict

import click


@click.command("recipe-names", hidden=True)
@click.argument("pairs", nargs=-1, metavar="NAME=VALUE...")
def recipe_names_command(pairs: tuple[str, ...]) -> None:
    """Print what follows from the settings of the recipe in this folder, one name=value a line.

    NAME=VALUE... are the settings of egs/TEMPLATE/settings.sh.
    """
    from spner.core.recipe import derive_names, read_settings

    for name, value in asdict(derive_names(read_settings(pairs))).items():
        click.echo(f"{name}={value}")
