"""List the components of a family: corpora, encoders, strategies, filters, models, ..., or all commands."""

import json
from typing import Any

import click

from cvr_data.commands.options import NameOf, json_option

COMMANDS = "commands"


@click.command()
@click.argument("family", required=False, type=NameOf("families"))
@json_option
def list_command(family: str | None, as_json: bool) -> None:
    """List the components of FAMILY, or of every family; recipes, prompts and published checkpoints are families too.

    `cvr list commands` lists the commands themselves.

    Example: cvr list models
    """
    from cvr_bench.families import family_kinds, family_summaries

    if family == COMMANDS:
        group: Any = click.get_current_context().find_root().command
        table = {COMMANDS: group.summaries()}
    else:
        table = {kind: family_summaries(kind) for kind in ([family] if family else family_kinds())}
    if as_json:
        click.echo(json.dumps(table, indent=1))
        return
    for kind, components in table.items():
        click.secho(kind, bold=True)
        for name, summary in components.items():
            click.echo(f"  {name:<24} {summary}")
