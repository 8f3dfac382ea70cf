"""List the components of a family: corpora, encoders, strategies, filters, models, ..."""

import json

import click

from cvr_data.commands.options import json_option


@click.command()
@click.argument("family", required=False)
@json_option
def list_command(family: str | None, as_json: bool) -> None:
    """List the components of FAMILY, or of every family; recipes, prompts and published checkpoints are families too.

    Example: cvr list models
    """
    from cvr_bench.families import FILES, families, file_summaries, one_family

    chosen = {} if family in FILES else {family: one_family(family)} if family else families()
    table = {kind: {name: members.summary(name) for name in members.names()} for kind, members in chosen.items()}
    table |= {kind: file_summaries(kind) for kind in FILES if family in (None, kind)}
    if as_json:
        click.echo(json.dumps(table, indent=1))
        return
    for kind, components in table.items():
        click.secho(kind, bold=True)
        for name, summary in components.items():
            click.echo(f"  {name:<24} {summary}")
