"""Show random modification texts beside the captions of their pairs."""

import json
from pathlib import Path
from typing import Any

import click

from cvr_data.commands.options import PATH, json_option, seed_option

STATUSES = click.Choice(["ok", "rejected", "error"])


@click.command()
@click.argument("modifications", type=PATH)
@click.option("--count", "-n", type=click.IntRange(1), default=20, show_default=True, help="How many rows.")
@click.option("--status", multiple=True, type=STATUSES, help="Only rows of this status; repeatable.")
@click.option("--pairs", type=PATH, help="The pairs, if they are no longer where the texts were made from.")
@seed_option
@json_option
def sample(
    modifications: Path, count: int, status: tuple[str, ...], pairs: Path | None, seed: int, as_json: bool
) -> None:
    """Print random rows of MODIFICATIONS: reference, target, text, status and reasons.

    Example: cvr sample modifications/short-rules -n 20
    """
    from cvr_data.generation.sample import sample_rows

    rows = sample_rows(modifications, pairs, count=count, seed=seed, status=status)
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        click.echo(_block(row))


def _block(row: dict[str, Any]) -> str:
    reasons = f" ({', '.join(row['reasons'])})" if row["reasons"] else ""
    text = row["modification"] if row["modification"] is not None else "-"
    verdict = click.style(row["status"] + reasons, fg="green" if row["status"] == "ok" else "red")
    return "\n".join(
        [
            f"reference  {row['reference_caption']}",
            f"target     {row['target_caption']}",
            f"text       {click.style(text, bold=True)}   {verdict}",
            "",
        ]
    )
