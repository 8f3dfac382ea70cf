"""Write the judgments of a review as a table that build-triplets takes."""

from pathlib import Path

import click

from cvr_data.commands.options import PATH, out_option, overwrite_option


@click.command()
@click.argument("review", type=PATH)
@out_option("judgments")
@overwrite_option
def export_judgments_command(review: Path, out: Path, overwrite: bool) -> None:
    """Write the judgments in the file REVIEW as Parquet, one row per annotator and item.

    Example: cvr export-judgments reviews/quickstart.sqlite && cvr build-triplets ... --judgments judgments
    """
    from cvr_data.review.store import export_judgments

    artifact = export_judgments(review, out, overwrite=overwrite)
    click.echo(f"{out}: {artifact.manifest['rows']} judgments")
