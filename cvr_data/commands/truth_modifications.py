"""Write the exact modification text of every pair of the synthetic world."""

from pathlib import Path

import click

from cvr_data.commands.options import PLACE, command_engine_options, out_option, overwrite_option, seed_option


@click.command()
@click.argument("pairs", type=PLACE, default="pairs")
@click.option("--videos", type=PLACE, help="The synthetic videos, if they are no longer where the pairs came from.")
@click.option("--split", "splits", multiple=True, help="Only pairs of this split; repeatable.")
@out_option("modifications/truth", anywhere=True)
@seed_option
@command_engine_options
@overwrite_option
def truth_modifications_command(
    pairs: Path, videos: Path | None, splits: tuple[str, ...], out: Path, seed: int, overwrite: bool
) -> None:
    """Write the true modification text of every pair of PAIRS, from the truth file beside the synthetic videos.

    Example: cvr truth-modifications pairs
    """
    from cvr_data.modifications.truth_texts import write_truth_modifications

    artifact = write_truth_modifications(pairs, out, videos=videos, splits=splits, seed=seed, overwrite=overwrite)
    manifest = artifact.manifest
    counts = ", ".join(f"{count} {status}" for status, count in manifest["status"].items())
    click.echo(f"{out}: {manifest['rows']} texts, {counts}")
