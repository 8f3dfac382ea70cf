"""Write stored features in another layout: CoVR's .pth, FineCVR's .npy, .npz, .h5."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, PATH, NameOf, option_option, out_option


@click.command()
@click.argument("embeddings", type=FOLDER)
@click.option("--layout", required=True, type=NameOf("layouts"), help="A name in `cvr list layouts`.")
@click.option("--only", type=PATH, help="Table of the ids to write.")
@click.option("--texts", type=PATH, help="Write the texts of this table too, where the layout keeps texts.")
@click.option("--column", default="captions", show_default=True, help="Column of --texts.")
@option_option
@out_option("features")
def export_embeddings_command(
    embeddings: Path, layout: str, only: Path | None, texts: Path | None, column: str, options: tuple[str, ...],
    out: Path,
) -> None:  # fmt: skip
    """Write the features of EMBEDDINGS, as the encoder gave them, in the layout that other code reads.

    Example: cvr export-embeddings embeddings --layout pth --texts videos -O blip-vid-embs-large-all
    """
    from cvr_data.features.embed_source import read_embed_source, texts_to_embed
    from cvr_data.features.import_features import export_features
    from cvr_data.features.layouts import LAYOUTS

    config = LAYOUTS.config(layout, options)
    wanted: list[str] = []
    if texts is not None:
        table, where = read_embed_source(texts)
        wanted = texts_to_embed(table, [column], where)
    made, count = export_features(embeddings, layout, config, out, only=only, texts=wanted)
    click.echo(f"{count} videos, {len(wanted)} texts")
    for path in made:
        click.echo(path)
