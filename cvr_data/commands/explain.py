"""Tell where a triplet, a text or a pair comes from, and why it was dropped."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, LookUp


@click.command(cls=LookUp)
@click.argument("row")
@click.option("--in", "folder", type=FOLDER, required=True, help="The folder of triplets, texts or pairs.")
def explain_command(row: str, folder: Path) -> None:
    """Tell where ROW (the id of a triplet, text or pair, or how it begins) comes from, and why it was dropped.

    Example: cvr explain 3f2a --in annotations/quickstart
    """
    from cvr_data.triplets.explain import row_story

    for line in row_story(folder, row):
        click.echo(line)
