"""Encode the frames and captions of videos, or a text column of a table."""

from pathlib import Path

import click

from cvr_data.commands.options import PATH, option_option, out_option, overwrite_option, with_machine


@click.command()
@click.argument("source", type=PATH)
@click.option("--encoder", default="embedded", show_default=True, help="See `cvr list encoders`.")
@click.option("--column", help="Embed this text column of SOURCE, and no videos.")
@option_option
@out_option("embeddings")
@overwrite_option
def embed(source: Path, encoder: str, column: str | None, options: tuple[str, ...], out: Path, overwrite: bool) -> None:
    """Encode the frames and the distinct captions of the videos SOURCE; with --column, a text column of any table.

    Videos that cannot be read are listed in the folder with a reason, and the rest is embedded.

    Example: cvr embed videos -o frames=8
    """
    from cvr_data.embed import embed as embed_source
    from cvr_data.encoders import ENCODERS
    from cvr_data.memory import keep_freed_memory

    keep_freed_memory()
    options = with_machine(ENCODERS.get(encoder).Config, options)
    artifact = embed_source(source, encoder, ENCODERS.config(encoder, options), out, column=column, overwrite=overwrite)
    manifest = artifact.manifest
    click.echo(f"{out}: {manifest['videos']} videos, {manifest['texts']} texts, {manifest['seconds']} s")
    for reason, count in manifest["dropped"].items():
        click.echo(f"  dropped {count}: {reason}")
