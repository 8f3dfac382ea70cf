"""Push a dataset to the Hugging Face Hub, or show what would be pushed."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from cvr_data.commands.options import FOLDER, PATH

if TYPE_CHECKING:
    from cvr_data.publish.lay_out import Staged, Wanted
    from cvr_data.publish.push import Config, Target
    from cvr_data.triplets.dataset import Dataset

MANY = 40
"""Files that are listed one by one; more are summed up by folder."""


@click.command()
@click.argument("triplets", type=FOLDER)
@click.option("--repo", required=True, metavar="USER/NAME", help="The dataset's place on the Hub.")
@click.option("--revision", default="main", show_default=True, help="Branch to publish on; made if there is none.")
@click.option("--dry-run", is_flag=True, help="Say what would be pushed, and push nothing.")
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--with-videos", is_flag=True, help="Upload the video files too, where their licence allows it.")
@click.option("--with-embeddings", is_flag=True, help="Upload features too, where the licence of the video allows it.")
@click.option("--embeddings", type=FOLDER, help="The features, if the manifest of the triplets does not lead to them.")
@click.option(
    "--licence", "licences", multiple=True, metavar="SOURCE=NAME", help="Licence of a source of videos that says none."
)
@click.option("--licence-file", "licence_files", multiple=True, type=PATH, help="A licence to publish beside the data.")
@click.option("--audit", type=FOLDER, help="A folder of `cvr audit`: how many queries one input alone answers.")
@click.option("--videos", type=FOLDER, help="The videos, if the manifest of the triplets no longer leads to them.")
@click.option(
    "--chunk-files", type=click.IntRange(1), default=1000, show_default=True,
    help="Files per commit of an unfinished upload: fewer on a line that breaks often.",
)  # fmt: skip
@click.option("--staging", type=FOLDER, help="Keep the files that are pushed in this folder.")
def publish(
    triplets: Path, repo: str, revision: str, dry_run: bool, private: bool, with_videos: bool, with_embeddings: bool,
    embeddings: Path | None, licences: tuple[str, ...], licence_files: tuple[Path, ...], audit: Path | None,
    videos: Path | None, chunk_files: int, staging: Path | None,
) -> None:  # fmt: skip
    """Push the TRIPLETS folder to the Hub as Parquet, with its card, CSVs, statistics and manifests.

    Captions, media, thumbnails and features of videos whose licence is unknown or forbids it are left out: ids and urls
    only. The token is the one of `hf auth login` or HF_TOKEN. A push that was stopped changes nothing of what is
    published; the same command again sends what is missing.

    Example: cvr publish annotations/quickstart --repo user/quickstart --dry-run
    """
    from cvr_data.core.errors import CvrError
    from cvr_data.core.registry import split_options
    from cvr_data.publish.lay_out import OUR_FOLDERS, Wanted
    from cvr_data.publish.push import Config, Target
    from cvr_data.triplets.dataset import open_dataset

    if staging is not None and staging.exists() and any(staging.iterdir()):
        raise CvrError(f"{staging} is not empty; name another --staging.")
    if embeddings is not None and not with_embeddings:
        raise CvrError("--embeddings belongs to --with-embeddings.")
    dataset = open_dataset(triplets, videos=videos)
    features = embeddings or dataset.artifact.input_path("embeddings") if with_embeddings else None
    wanted = Wanted(
        revision=revision, licences=split_options(licences, "--licence"), licence_files=licence_files,
        with_videos=with_videos, embeddings=features, audit=audit,
    )  # fmt: skip
    sending = None if dry_run else Config(chunk_files=chunk_files)
    stage_and_push(dataset, Target(repo, revision, private, OUR_FOLDERS), wanted, staging=staging, sending=sending)


def stage_and_push(
    dataset: "Dataset", target: "Target", wanted: "Wanted", *, staging: Path | None, sending: "Config | None"
) -> None:
    """Stage a dataset, say what goes out, and push it; without `sending` it is only said."""
    from cvr_data.publish import lay_out as publishing
    from cvr_data.publish import push as pushing

    place = f'"{target.repo}"' + (f', revision="{target.revision}"' if target.revision != "main" else "")
    api = None if sending is None else publishing.connect()
    with TemporaryDirectory(prefix="cvr-publish-") as temporary:
        staged = publishing.stage(dataset, target.repo, staging or Path(temporary), wanted)
        _tell(staged)
        if api is None or sending is None:
            click.echo(f"Nothing was pushed (--dry-run). load_dataset({place}) would open it.")
            return
        pushed = pushing.push(staged.files(), target, sending, api)
    if pushed.is_new:
        click.echo(f"{pushed.files} files published in one commit: {pushed.sent} new, {pushed.removed} removed")
    else:
        click.echo(f"{pushed.files} files were there already; nothing changed")
    click.echo(f"{pushed.url}\nfrom datasets import load_dataset; load_dataset({place})")


def _tell(staged: "Staged") -> None:
    sizes = staged.sizes()
    if len(sizes) > MANY:
        folders: dict[str, list[int]] = {}
        for name, size in sizes.items():
            folders.setdefault(name.rpartition("/")[0] or name, []).append(size)
        for folder, found in folders.items():
            click.echo(f"{sum(found):>12}  {folder}" + (f"/ ({len(found)} files)" if len(found) > 1 else ""))
    else:
        for name, size in sizes.items():
            click.echo(f"{size:>12}  {name}")
    if staged.withheld_videos:
        click.echo(
            f"{staged.withheld_videos} videos are published as ids and urls only: their licence is unknown or "
            "forbids more (--licence SOURCE=NAME if you know it).",
            err=True,
        )
