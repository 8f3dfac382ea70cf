"""Score each frame of the targets by the modification text, as CoVR's `scores`."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER_PLACE, command_engine_options, out_option, overwrite_option


@click.command()
@click.argument("triplets", type=FOLDER_PLACE)
@click.option("--embeddings", type=FOLDER_PLACE, required=True, help="Stored features in a shared space.")
@out_option("triplets-scored", anywhere=True)
@command_engine_options
@overwrite_option
def frame_scores_command(triplets: Path, embeddings: Path, out: Path, overwrite: bool) -> None:
    """Write TRIPLETS again with the column `frame_scores`: the cosine of each target frame and the modification text.

    Targets without stored features get no scores, and are counted.

    Example: cvr frame-scores triplets --embeddings embeddings -O triplets-scored
    """
    from cvr_data.features.frame_scores import write_frame_scores

    manifest = write_frame_scores(triplets, embeddings, out, overwrite=overwrite).manifest
    click.echo(f"{out}: {manifest['scored']} of {manifest['rows']} triplets have frame scores")
