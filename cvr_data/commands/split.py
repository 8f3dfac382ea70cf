"""Give videos a split, near-duplicates the same."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER_PLACE, engine_options, out_option, overwrite_option, own_options
from cvr_data.core.nothing_left import nothing_left


def _config() -> type:
    from cvr_data.videos.near_duplicates import Config

    return Config


@click.command()
@click.argument("videos", type=FOLDER_PLACE, default="videos")
@click.option("--embeddings", type=FOLDER_PLACE, help="Stored features; without them only equal frames are grouped.")
@click.option("--keep", type=FOLDER_PLACE, help="An earlier output: its videos stay in their splits and groups.")
@own_options(_config)
@engine_options
@out_option("videos-split", anywhere=True)
@overwrite_option
def split_command(
    videos: Path, embeddings: Path | None, keep: Path | None, options: tuple[str, ...], out: Path, overwrite: bool
) -> None:
    """Write VIDEOS again with `group_id` and `split`; a split that the corpus gave wins.

    A train video that looks like one of the val or test videos, or is of the same recording, is dropped with a reason.
    With --keep a set that has grown keeps the splits it had; new videos that would join two of them are dropped.

    Example: cvr split videos --embeddings embeddings -o threshold=0.95
    """
    from cvr_data.core.registry import parse_config
    from cvr_data.videos.near_duplicates import SPLITS, Config
    from cvr_data.videos.split import split_video_artifact

    config = parse_config(Config, options, where="split")
    artifact = split_video_artifact(videos, embeddings, config, out, keep=keep, overwrite=overwrite)
    manifest = artifact.manifest
    counts = ", ".join(f"{manifest['splits'][name]} {name}" for name in reversed(SPLITS))
    click.echo(f"{out}: {counts} videos in {manifest['groups']} groups (the largest has {manifest['largest_group']})")
    for reason, count in manifest["dropped"].items():
        click.echo(f"  dropped {count}: {reason}")
    for line in nothing_left(out, manifest):
        click.echo(line)
