"""Compare two results on the same queries, with a verdict."""

import json
from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, json_option, seed_option


@click.command()
@click.argument("first", type=FOLDER)
@click.argument("second", type=FOLDER)
@click.option("--by", metavar="SLICE", help="Also compare within each kind, slot, backend, ... of queries.")
@seed_option
@json_option
def compare(first: Path, second: Path, by: str | None, seed: int, as_json: bool) -> None:
    """Compare the results FIRST and SECOND on the same queries, with a verdict.

    The difference is first minus second, with its 95 % interval of a paired bootstrap resampled by target. Results of
    different protocols are refused, and what differs is named.

    Example: cvr compare results/fdca-quickstart results/text-only-quickstart --by backend
    """
    from cvr_bench.compare import compare as compare_results
    from cvr_bench.compare import to_json
    from cvr_bench.result_table import format_comparison
    from cvr_bench.results import read_result

    comparison = compare_results(read_result(first), read_result(second), by=by, seed=seed)
    click.echo(json.dumps(to_json(comparison), indent=1) if as_json else format_comparison(comparison))
