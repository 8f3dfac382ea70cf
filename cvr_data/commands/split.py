"""Give videos a split, near-duplicates the same."""

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
    from cvr_data.videos.near_duplicates import Config

    return Config


@click.command()
@click.argument("videos", type=FOLDER_PLACE, default="videos")
@click.option("--embeddings", type=FOLDER_PLACE, help="Stored features; without them only equal frames are grouped.")
@click.option("--keep", type=FOLDER_PLACE, help="An earlier output: its videos stay in their splits and groups.")
@click.option(
    "--pairs", type=FOLDER_PLACE, help="Pairs mined in these videos before they had splits; for --test-queries."
)
@click.option("--test-queries", type=click.IntRange(1), help="Deal the videos so that test has so many queries.")
@click.option("--val-queries", type=click.IntRange(0), help="Likewise of val.  [default: half as many]")
@command_own_options(_config)
@command_engine_options
@out_option("videos-split", anywhere=True)
@overwrite_option
def split_command(
    videos: Path, embeddings: Path | None, keep: Path | None, pairs: Path | None, test_queries: int | None,
    val_queries: int | None, options: tuple[str, ...], out: Path, overwrite: bool,
) -> None:  # fmt: skip
    """Write VIDEOS again with `group_id` and `split`; a split that the corpus gave wins.

    A train video that looks like one of the val or test videos, or is of the same recording, is dropped with a reason.
    With --keep a set that has grown keeps the splits it had; new videos that would join two of them are dropped.
    With --test-queries the pairs decide: whole components of their graph go to a split while they fit, a giant one is
    cut where its pairs are weakest, and what that costs is printed; then mine again, with the splits.

    Example: cvr split videos --embeddings embeddings -o threshold=0.95

    Example: cvr split videos --embeddings embeddings --pairs pairs-unsplit --test-queries 500
    """
    from cvr_data.core.registry import parse_config
    from cvr_data.videos.deal_queries import video_split_queries, video_split_text
    from cvr_data.videos.near_duplicates import SPLITS, Config
    from cvr_data.videos.split import kept_together, split_video_artifact

    config = parse_config(Config, options, where="split")
    queries = video_split_queries(pairs, test_queries, val_queries, keep)
    artifact = split_video_artifact(videos, embeddings, config, out, keep=keep, queries=queries, overwrite=overwrite)
    manifest = artifact.manifest
    counts = ", ".join(f"{manifest['splits'][name]} {name}" for name in reversed(SPLITS))
    click.echo(f"{out}: {counts} videos{kept_together(manifest)}")
    if "queries" in manifest:
        click.echo(f"  {video_split_text(manifest['queries'])}")
    for reason, count in manifest["dropped"].items():
        click.echo(f"  dropped {count}: {reason}")
    for line in empty_artifact_lines(out, manifest):
        click.echo(line)
