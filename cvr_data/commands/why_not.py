"""Say why two videos are, or are not, a pair."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, LookUp


@click.command(cls=LookUp)
@click.argument("reference")
@click.argument("target")
@click.option(
    "--in",
    "pairs",
    type=FOLDER,
    default="pairs",
    show_default=True,
    help="Pairs, or the texts or triplets made from them.",
)
def why_not_command(reference: str, target: str, pairs: Path) -> None:
    """Say what became of the pair of videos REFERENCE and TARGET: kept, dropped and why, or never a pair.

    Example: cvr why-not train-00001 train-00007 --in pairs
    """
    from cvr_data.core.lineage import follow
    from cvr_data.pairs.why_not import why_not_paired_among

    for line in why_not_paired_among(follow(pairs, "pairs") or (pairs,), reference, target):
        click.echo(line)
