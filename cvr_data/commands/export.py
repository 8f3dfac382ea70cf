"""Write triplets in a published layout: WebVid-CoVR CSV, Parquet, DatasetDict."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, NameOf, option_option, out_option


@click.command()
@click.argument("triplets", type=FOLDER)
@click.option(
    "--format", "-f", "format_name", required=True, type=NameOf("formats"), help="A name in `cvr list formats`."
)
@out_option("export")
@click.option("--videos", type=FOLDER, help="The videos, if the manifest of the triplets no longer leads to them.")
@option_option
def export_command(triplets: Path, format_name: str, out: Path, videos: Path | None, options: tuple[str, ...]) -> None:
    """Write the TRIPLETS folder in another layout.

    Example: cvr export annotations/quickstart --format huggingface -O quickstart-hf
    """
    from cvr_data.media.places import ids_of_media_clips
    from cvr_data.triplets.dataset import open_dataset, videos_of_triplets
    from cvr_data.triplets.export import export_triplets

    dataset = open_dataset(triplets, videos=videos)
    for path in export_triplets(format_name, options, dataset.triplets, dataset.videos, out):
        click.echo(path)
    if not dataset.triplets.num_rows:
        click.echo(f"{triplets} has no triplet, so the layout holds none; `cvr trace {triplets}` shows why.", err=True)
    clips = (
        set() if dataset.videos is None else ids_of_media_clips(dataset.videos) & videos_of_triplets(dataset.triplets)
    )
    if clips:
        click.echo(
            f"{len(clips)} videos are clips of longer files, and the layout has no place for their times: whoever "
            "reads it looks for a file of each id.",
            err=True,
        )
