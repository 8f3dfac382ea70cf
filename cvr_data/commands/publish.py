"""Push a dataset to the Hugging Face Hub."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from cvr_data.commands.options import FOLDER, PATH, evidence_option

if TYPE_CHECKING:
    from cvr_data.publish.lay_out import Staged, Wanted
    from cvr_data.publish.push import Config, Target
    from cvr_data.triplets.dataset import Dataset

SHOWN = 20
"""Findings that are told one by one."""


@click.command()
@click.argument("triplets", type=FOLDER)
@click.option("--repo", required=True, metavar="USER/NAME", help="The dataset's place on the Hub.")
@click.option("--revision", default="main", show_default=True, help="Branch to publish on; made if there is none.")
@click.option("--dry-run", is_flag=True, help="Say what would be pushed, and push nothing.")
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--with-videos", is_flag=True, help="Upload the video files too, where their licence allows it.")
@click.option(
    "--media", multiple=True, type=FOLDER,
    help="A folder outside the dataset that media may be published from; repeatable.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Publish even what looks like a key, a home folder or a place in it.")
@click.option("--with-embeddings", is_flag=True, help="Upload features too, where the licence of the video allows it.")
@click.option("--embeddings", type=FOLDER, help="The features, if the manifest of the triplets does not lead to them.")
@click.option(
    "--licence", "licences", multiple=True, metavar="SOURCE=NAME", help="Licence of a source of videos that says none."
)
@click.option("--licence-file", "licence_files", multiple=True, type=PATH, help="A licence to publish beside the data.")
@click.option("--audit", type=FOLDER, help="A folder of `cvr audit`: how many queries one input alone answers.")
@evidence_option
@click.option("--videos", type=FOLDER, help="The videos, if the manifest of the triplets no longer leads to them.")
@click.option(
    "--chunk-files", type=click.IntRange(1), default=1000, show_default=True,
    help="Files per commit of an unfinished upload: fewer on a line that breaks often.",
)  # fmt: skip
@click.option("--staging", type=FOLDER, help="Keep the files that are pushed in this folder.")
def publish_command(
    triplets: Path, repo: str, revision: str, dry_run: bool, private: bool, with_videos: bool, with_embeddings: bool,
    embeddings: Path | None, licences: tuple[str, ...], licence_files: tuple[Path, ...], audit: Path | None,
    evidence: tuple[Path, ...], videos: Path | None, chunk_files: int, staging: Path | None, media: tuple[Path, ...],
    yes: bool,
) -> None:  # fmt: skip
    """Push the TRIPLETS folder to the Hub as Parquet, with its card, CSVs, statistics and manifests.

    Captions, media, thumbnails and features of videos whose licence is unknown or forbids it are left out: ids and urls
    only. The token is the one of `hf auth login` or HF_TOKEN. A push that was stopped changes nothing of what is
    published; the same command again sends what is missing.

    Example: cvr publish annotations/quickstart --repo user/quickstart --dry-run
    """
    from cvr_data.core.errors import CvrError
    from cvr_data.core.registry import split_key_value_options
    from cvr_data.publish.lay_out import OUR_FOLDERS, Wanted
    from cvr_data.publish.push import Config, Target
    from cvr_data.triplets.dataset import open_dataset

    if staging is not None and staging.exists() and any(staging.iterdir()):
        raise CvrError(f"{staging} is not empty; name another --staging.")
    if embeddings is not None and not with_embeddings:
        raise CvrError("--embeddings belongs to --with-embeddings.")
    dataset = open_dataset(triplets, videos=videos)
    if not dataset.triplets.num_rows:
        why = f"{triplets} has no triplet, so there is nothing to publish; `cvr trace {triplets}` shows why."
        if not dry_run:
            raise CvrError(why)
        click.echo(why)
        return
    features = embeddings or dataset.artifact.input_path("embeddings") if with_embeddings else None
    wanted = Wanted(
        revision=revision, licences=split_key_value_options(licences, "--licence"), licence_files=licence_files,
        with_videos=with_videos, embeddings=features, audit=audit, evidence=evidence,
        media=(*media, *([videos] if videos else ())),
    )  # fmt: skip
    sending = None if dry_run else Config(chunk_files=chunk_files)
    target = Target(repo, revision, private, OUR_FOLDERS)
    _stage_and_push(dataset, target, wanted, staging=staging, sending=sending, is_sure=yes)


def _stage_and_push(
    dataset: "Dataset", target: "Target", wanted: "Wanted", *, staging: Path | None, sending: "Config | None",
    is_sure: bool = False,
) -> None:  # fmt: skip
    """Stage a dataset, say what goes out, and push it; without `sending` it is only said.

    Raises:
        CvrError: what would go out holds what looks like a secret or a place, and nobody `is_sure`.
    """
    from cvr_data.publish import lay_out as publishing
    from cvr_data.publish import push as pushing

    place = f'"{target.repo}"' + (f', revision="{target.revision}"' if target.revision != "main" else "")
    api = None if sending is None else publishing.connect_to_publish()
    with TemporaryDirectory(prefix="cvr-publish-") as temporary:
        staged = publishing.stage_publication(dataset, target.repo, staging or Path(temporary), wanted)
        _tell_staged(staged)
        _check_publication(staged, is_sure=is_sure or sending is None)
        if api is None or sending is None:
            click.echo(f"Nothing was pushed (--dry-run). load_dataset({place}) would open it.")
            return
        pushed = pushing.push_publication(staged.files(), target, sending, api)
    if pushed.is_new:
        click.echo(f"{pushed.files} files published in one commit: {pushed.sent} new, {pushed.removed} removed")
    else:
        click.echo(f"{pushed.files} files were there already; nothing changed")
    click.echo(f"{pushed.url}\nfrom datasets import load_dataset; load_dataset({place})")


def _tell_staged(staged: "Staged") -> None:
    for name, size in staged.sizes().items():
        click.echo(f"{size:>12}  {name}")
    if staged.elsewhere:
        click.echo(
            f"{staged.elsewhere} videos lie outside the dataset's folders and have no thumbnails (--media FOLDER).",
            err=True,
        )
    if staged.withheld_videos:
        click.echo(
            f"{staged.withheld_videos} videos are published as ids and urls only: their licence is unknown or "
            "forbids more (--licence SOURCE=NAME if you know it).",
            err=True,
        )


def _check_publication(staged: "Staged", *, is_sure: bool) -> None:
    """Tell what should perhaps not leave, and stop unless that is meant."""
    from cvr_data.core.errors import CvrError
    from cvr_data.publish.scan import scan_publication

    found = scan_publication(staged.files())
    for line in found[:SHOWN]:
        click.echo(f"look at {line}", err=True)
    if found and not is_sure:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise CvrError(
            f"{len(found)} findings{more} look like secrets, home folders or places: {found[0]}. Nothing was pushed; "
            "--yes publishes them as they are."
        )
