"""Print what a dataset of triplets is made of, in numbers."""

import json
from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, json_option


@click.command()
@click.argument("triplets", type=FOLDER)
@click.option("--videos", type=FOLDER, help="The videos, if the manifest of the triplets no longer leads to them.")
@json_option
def stats(triplets: Path, videos: Path | None, as_json: bool) -> None:
    """Print the numbers of the TRIPLETS folder: sizes, texts, changes, similarities, what splits share.

    Example: cvr stats annotations/quickstart --json
    """
    from cvr_data.dataset import open_dataset
    from cvr_data.statistics import statistics, text_report

    dataset = open_dataset(triplets, videos=videos)
    numbers = statistics(dataset.triplets, dataset.videos)
    click.echo(json.dumps(numbers, indent=1) if as_json else text_report(numbers))
