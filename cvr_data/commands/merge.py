"""Bring the shards of an embedding run together, or videos tables."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, overwrite_option


@click.command()
@click.argument("folders", type=FOLDER, nargs=-1, required=True)
@click.option("--out", "-O", type=FOLDER, help="Folder to write.  [default: embeddings, or videos]")
@overwrite_option
def merge_command(folders: tuple[Path, ...], out: Path | None, overwrite: bool) -> None:
    """Bring FOLDERS together: shards of `cvr embed --num-shards`, byte for byte as one run, or tables of other videos.

    Example: cvr merge embeddings-0 embeddings-1 -O embeddings
    """
    from cvr_data.core.artifacts import is_artifact_of_stage
    from cvr_data.features.merge_shards import merge_embeddings
    from cvr_data.features.store import STAGE
    from cvr_data.videos.merge_videos import merge_videos

    if not any(is_artifact_of_stage(folder, STAGE) for folder in folders):
        merged = merge_videos(folders, out or Path("videos"), overwrite=overwrite)
        click.echo(f"{merged.path}: {merged.manifest['rows']} videos of {len(folders)} tables")
        return
    merged = merge_embeddings(folders, out or Path("embeddings"), overwrite=overwrite)
    manifest = merged.manifest
    click.echo(f"{merged.path}: {manifest['videos']} videos, {manifest['texts']} texts of {len(folders)} shards")
    for reason, count in manifest["dropped"].items():
        click.echo(f"  dropped {count}: {reason}")
