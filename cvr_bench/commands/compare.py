"""Compare two results on the same queries, with a verdict, or one under other protocols."""

import json
from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, LookUp, json_option
from cvr_data.core.errors import CvrError


@click.command(cls=LookUp)
@click.argument("results", nargs=-1, required=True, type=FOLDER)
@click.option("--by", metavar="SLICE", help="Also compare within each kind, slot, backend, ... of queries.")
@click.option("--protocols", is_flag=True, help="Show each result under every protocol its saved scores can answer.")
@json_option
def compare_command(results: tuple[Path, ...], by: str | None, protocols: bool, as_json: bool) -> None:
    """Compare two RESULTS on the same queries, with a verdict; or show each under other protocols.

    The difference is first minus second, with its 95 % interval and p (queries that share a target or a reference are
    one). The verdict goes by p adjusted for all metrics and slices (Holm). A folder of `cvr bench --seeds` is a method,
    whose seeds count as well. Results of different tasks are refused, and what differs is named; where their galleries
    differ because features are missing, and both were made with --save-scores, both are ranked again on what they
    share.

    Example: cvr compare results/fdca-quickstart results/text-only-quickstart --by backend
    """
    if protocols:
        _show_protocols(results, as_json)
        return
    if len(results) != 2:
        raise CvrError(f"compare takes two results, got {len(results)}; with --protocols it takes any number.")
    from cvr_bench.report.tables import report_comparison_table
    from cvr_bench.results.compare import compare_methods, compared_results_json
    from cvr_bench.results.method import read_method_results

    comparison = compare_methods(*map(read_method_results, results), by=by)
    click.echo(
        json.dumps(compared_results_json(comparison), indent=1) if as_json else report_comparison_table(comparison)
    )


def _show_protocols(results: tuple[Path, ...], as_json: bool) -> None:
    from cvr_bench.report.tables import report_protocols_table
    from cvr_bench.results.method import result_folders
    from cvr_bench.results.result import read_result
    from cvr_bench.results.under_protocols import result_protocols_json, result_under_protocols

    found = [
        (result, result_under_protocols(result))
        for path in results
        for result in map(read_result, result_folders(path))
    ]
    if as_json:
        click.echo(
            json.dumps({str(result.path): result_protocols_json(rows, result.ks) for result, rows in found}, indent=1)
        )
        return
    click.echo("\n\n".join(report_protocols_table(result, rows) for result, rows in found))
