"""Make pairs of two changes from two mined ones in a row."""

from pathlib import Path

import click

from cvr_data.commands.options import (
    FOLDER_PLACE,
    command_engine_options,
    command_own_options,
    out_option,
    overwrite_option,
)
from cvr_data.core.nothing_left import empty_artifact_lines


def _config() -> type:
    from cvr_data.pairs.chain_pairs import Config

    return Config


@click.command()
@click.argument("pairs", type=FOLDER_PLACE)
@click.option("--videos", type=FOLDER_PLACE, help="The videos, if the manifest of the pairs no longer leads to them.")
@command_own_options(_config)
@command_engine_options
@out_option("pairs-chained", anywhere=True)
@overwrite_option
def chain_pairs_command(pairs: Path, videos: Path | None, options: tuple[str, ...], out: Path, overwrite: bool) -> None:
    """Chain PAIRS: A to B and B to C make A to C with both changes, a query that asks for two things.

    The changes are in different slots, and the two videos no mined pair. Texts are generated, and triplets built, as of
    other pairs; `cvr mine-distractors` finds videos in which one of the two changes was made.

    Example: cvr chain-pairs pairs --out pairs-chained
    """
    from cvr_data.core.registry import parse_config
    from cvr_data.pairs import chain_pairs as chaining
    from cvr_data.triplets.statistics import triplet_counts_text

    config = parse_config(chaining.Config, options, where="chain-pairs")
    artifact = chaining.chain_pairs(pairs, config, out, videos=videos, overwrite=overwrite)
    dropped = triplet_counts_text(artifact.manifest["dropped"])
    click.echo(f"{out}: {artifact.manifest['rows']} pairs of two changes, dropped: {dropped}")
    for line in empty_artifact_lines(out, artifact.manifest):
        click.echo(line)
