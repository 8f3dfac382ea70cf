"""Show everything a folder was made from, back to the first input."""

import json
from pathlib import Path

import click

from cvr_data.commands.options import PLACE, LookUp, json_option


@click.command(cls=LookUp)
@click.argument("folder", type=PLACE)
@json_option
def trace_command(folder: Path, as_json: bool) -> None:
    """Show what FOLDER was made from: stages, rows, what was dropped and why, commands.

    Example: cvr trace annotations/quickstart
    """
    from cvr_data.core.lineage import trace_lineage

    steps = trace_lineage(folder)
    if as_json:
        click.echo(json.dumps(steps, indent=1))
        return
    for step in steps:
        indent = "  " * step["depth"]
        click.secho(f"{indent}{step['path']}", bold=True)
        if step["stage"] is None:
            click.echo(f"{indent}  {step['problem'] or 'file'}")
            continue
        dropped = ", ".join(f"{count} {reason}" for reason, count in step["dropped"].items()) or "none"
        click.echo(f"{indent}  {step['stage']}, {step['rows']} rows, dropped: {dropped}, {step['seconds']} s")
        click.echo(f"{indent}  $ {step['command']}")
