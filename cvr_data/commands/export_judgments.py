"""Write the judgments of a review, or the marks of a search, as a table that build-triplets takes."""

from pathlib import Path

import click

from cvr_data.commands.options import PATH, out_option, overwrite_option


@click.command()
@click.argument("review", type=PATH)
@out_option("judgments")
@click.option("--texts", type=PATH, metavar="FOLDER", help="Of a search: write its marked texts there, and their pairs "
              "to FOLDER-pairs.")  # fmt: skip
@click.option(
    "--videos", type=PATH, help="With --texts: the videos that were searched.  [default: where they lay then]"
)
@overwrite_option
def export_judgments_command(review: Path, out: Path, texts: Path | None, videos: Path | None, overwrite: bool) -> None:
    """Write the judgments in the file REVIEW (of cvr review or cvr serve), one row per annotator and item.

    Example: cvr export-judgments reviews/quickstart.sqlite && cvr build-triplets ... --judgments judgments
    """
    from cvr_data.review.searched import write_reviewed_search_texts
    from cvr_data.review.store import export_judgments

    artifact = export_judgments(review, out, overwrite=overwrite)
    click.echo(f"{out}: {artifact.manifest['rows']} judgments")
    if texts is not None:
        written = write_reviewed_search_texts(review, texts, videos=videos, overwrite=overwrite)
        click.echo(f"{texts}: {written.manifest['rows']} texts; run: cvr build-triplets {texts} --judgments {out}")
