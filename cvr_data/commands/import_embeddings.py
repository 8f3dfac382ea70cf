"""Read features that others computed: CoVR's .pth, FineCVR's .npy, .npz, .h5."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, PATH, NameOf, option_option, out_option, overwrite_option


@click.command()
@click.argument("source", type=PATH)
@click.option("--layout", required=True, type=NameOf("layouts"), help="A name in `cvr list layouts`.")
@click.option("--encoder", default="imported", show_default=True, help="What made them; it encodes further texts.")
@click.option("--encoder-option", multiple=True, metavar="KEY=VALUE", help="An option of --encoder.")
@click.option("--only", type=PATH, help="Table of the ids that are wanted; those that are missing are listed.")
@click.option("--texts", type=FOLDER, help="Take the texts of this embeddings folder too.")
@option_option
@out_option("embeddings")
@overwrite_option
def import_embeddings_command(
    source: Path, layout: str, encoder: str, encoder_option: tuple[str, ...], only: Path | None, texts: Path | None,
    options: tuple[str, ...], out: Path, overwrite: bool,
) -> None:  # fmt: skip
    """Read the features in the folder or file SOURCE; missing, broken and misshapen items are listed with a reason.

    Example: cvr import-embeddings blip-vid-embs-large-all --layout pth -O embeddings
    """
    from cvr_data.core.errors import CvrError
    from cvr_data.core.registry import config_dict
    from cvr_data.features.encoders import ENCODERS
    from cvr_data.features.import_features import Import, import_features
    from cvr_data.features.layouts import LAYOUTS

    config = LAYOUTS.config(layout, options)
    if encoder_option and encoder == "imported":
        raise CvrError("--encoder-option belongs to --encoder.")
    known = config_dict(ENCODERS.config(encoder, encoder_option)) if encoder != "imported" else {}
    chosen = Import(layout=layout, config=config, encoder=encoder, encoder_options=known, only=only, texts=texts)
    manifest = import_features(source, chosen, out, overwrite=overwrite).manifest
    widths = f"{manifest['dim']} wide" + (f", texts {manifest['text_dim']}" if manifest["text_dim"] else "")
    click.echo(f"{out}: {manifest['videos']} videos, {manifest['texts']} texts, {widths}, {manifest['seconds']:.1f} s")
    for reason, count in manifest["dropped"].items():
        click.echo(f"  dropped {count}: {reason}")
