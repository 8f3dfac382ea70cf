"""Bring the shards of an embedding run together."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, out_option, overwrite_option


@click.command()
@click.argument("shards", type=FOLDER, nargs=-1, required=True)
@out_option("embeddings")
@overwrite_option
def merge_command(shards: tuple[Path, ...], out: Path, overwrite: bool) -> None:
    """Bring the SHARDS of `cvr embed --num-shards` together: the files of one run, byte for byte.

    Example: cvr merge embeddings-0 embeddings-1 -O embeddings
    """
    from cvr_data.features.merge_shards import merge_embeddings as merge_shards

    manifest = merge_shards(shards, out, overwrite=overwrite).manifest
    click.echo(f"{out}: {manifest['videos']} videos, {manifest['texts']} texts of {len(shards)} shards")
    for reason, count in manifest["dropped"].items():
        click.echo(f"  dropped {count}: {reason}")
