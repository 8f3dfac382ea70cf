"""Tell where a triplet comes from."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, LookUp


@click.command(cls=LookUp)
@click.argument("triplet")
@click.option("--in", "dataset", type=FOLDER, required=True, help="The folder of the dataset.")
def explain_command(triplet: str, dataset: Path) -> None:
    """Tell where TRIPLET (an id, or how it begins) comes from: its text and prompt, its pair, the filters it passed.

    Example: cvr explain 3f2a --in annotations/quickstart
    """
    from cvr_data.triplets.explain import triplet_story

    for line in triplet_story(dataset, triplet):
        click.echo(line)
