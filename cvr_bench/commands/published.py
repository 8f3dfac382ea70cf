"""Print the published results of a benchmark, each row with its source."""

import json

import click

from cvr_data.commands.options import LookUp, NameOf, json_option


@click.command(cls=LookUp)
@click.argument("benchmark", required=False, type=NameOf("benchmarks"))
@json_option
def published_command(benchmark: str | None, as_json: bool) -> None:
    """Print the published results of BENCHMARK, or say of which benchmarks some are known.

    A row says how it is known: by its authors, quoted by others, run by others, inferred, or from memory.

    Example: cvr published webvid-covr
    """
    from cvr_bench.results.published import (
        format_published_results,
        published_results,
        published_results_json,
        published_results_names,
    )

    tables = {name: published_results(name) for name in ([benchmark] if benchmark else published_results_names())}
    if as_json:
        click.echo(
            json.dumps([published_results_json(table) for found in tables.values() for table in found], indent=1)
        )
        return
    if benchmark:
        click.echo("\n\n".join(format_published_results(table) for table in tables[benchmark]))
        return
    for name, found in tables.items():
        rows = sum(len(table.rows) for table in found)
        click.echo(f"{name:<20} {rows:>3} rows  {', '.join(table.task for table in found)}")
