"""Push a dataset to the Hugging Face Hub, or show what would be pushed."""

from pathlib import Path
from tempfile import TemporaryDirectory

import click

from cvr_data.commands.options import FOLDER


@click.command()
@click.argument("triplets", type=FOLDER)
@click.option("--repo", required=True, metavar="USER/NAME", help="The dataset's place on the Hub.")
@click.option("--dry-run", is_flag=True, help="Say what would be pushed, and push nothing.")
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--with-videos", is_flag=True, help="Upload the video files too, where their licence allows it.")
@click.option(
    "--licence", "licences", multiple=True, metavar="SOURCE=NAME", help="Licence of a source of videos that says none."
)
@click.option("--videos", type=FOLDER, help="The videos, if the manifest of the triplets no longer leads to them.")
@click.option("--staging", type=FOLDER, help="Keep the files that are pushed in this folder.")
def publish(
    triplets: Path,
    repo: str,
    dry_run: bool,
    private: bool,
    with_videos: bool,
    licences: tuple[str, ...],
    videos: Path | None,
    staging: Path | None,
) -> None:
    """Push the TRIPLETS folder to the Hub as Parquet, with its card, CSVs, statistics and manifests.

    Captions and media of videos whose licence is unknown or forbids it are left out: ids and urls only. The token is
    the one of `hf auth login` or HF_TOKEN.

    Example: cvr publish annotations/quickstart --repo user/quickstart --dry-run
    """
    from cvr_data import publish as publishing
    from cvr_data.dataset import open_dataset
    from cvr_data.errors import CvrError
    from cvr_data.registry import split_options

    if staging is not None and staging.exists() and any(staging.iterdir()):
        raise CvrError(f"{staging} is not empty; name another --staging.")
    dataset = open_dataset(triplets, videos=videos)
    known = split_options(licences, "--licence")
    with TemporaryDirectory(prefix="cvr-publish-") as temporary:
        folder = staging or Path(temporary)
        staged = publishing.stage(dataset, repo, folder, licences=known, with_videos=with_videos)
        for name, size in staged.sizes().items():
            click.echo(f"{size:>12}  {name}")
        if staged.withheld_videos:
            click.echo(
                f"{staged.withheld_videos} videos are published as ids and urls only: their licence is unknown or "
                "forbids more (--licence SOURCE=NAME if you know it).",
                err=True,
            )
        if dry_run:
            click.echo(f"Nothing was pushed (--dry-run). load_dataset({repo!r}) would open it.")
            return
        url = publishing.push(staged, repo, private=private)
    click.echo(f'{url}\nfrom datasets import load_dataset; load_dataset("{repo}")')
