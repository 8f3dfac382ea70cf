"""Find the band of text similarities of an encoder."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, PATH, NameOf


@click.command("calibrate")
@click.argument("pairs", type=PATH)
@click.option(
    "--encoder", default="minilm", show_default=True, type=NameOf("encoders"), help="Of texts; see `cvr list encoders`."
)
@click.option("--embeddings", type=FOLDER, help="Stored features to read captions from.")
@click.option("--reference", default="reference_caption", show_default=True, help="Column of the reference's caption.")
@click.option("--target", default="target_caption", show_default=True, help="Column of the target's caption.")
@click.option("--share", type=click.FloatRange(0.5, 1), default=0.98, show_default=True, help="Of PAIRS that stay.")
def calibrate_command(
    pairs: Path, encoder: str, embeddings: Path | None, reference: str, target: str, share: float
) -> None:
    """Find the band of similarities that pairs of captions have which people kept: PAIRS is a table of them.

    Example: cvr calibrate kept.csv --encoder clip
    """
    from cvr_data.pairs.calibrate import calibrate_pair_text_band

    band = calibrate_pair_text_band(pairs, encoder, (reference, target), share=share, embeddings=embeddings)
    click.echo(f"{band.low:.3f} to {band.high:.3f} holds {share:.0%} of {band.pairs} pairs by {encoder}:")
    click.echo(f"  --filter +text-similarity:encoder={encoder},low={band.low:.3f},high={band.high:.3f}")
