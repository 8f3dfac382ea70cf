"""Say why two videos are, or are not, a pair."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, LookUp


@click.command(cls=LookUp)
@click.argument("reference")
@click.argument("target")
@click.option("--in", "pairs", type=FOLDER, default="pairs", show_default=True, help="The mined pairs.")
def why_not_command(reference: str, target: str, pairs: Path) -> None:
    """Say what became of the pair of videos REFERENCE and TARGET: kept, dropped and why, or never a pair.

    Example: cvr why-not train-00001 train-00007 --in pairs
    """
    from cvr_data.pairs.why_not import verdicts

    for line in verdicts(pairs, reference, target):
        click.echo(line)
