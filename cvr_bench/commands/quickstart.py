"""Go from an embedded world to a dataset and scored models."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cvr_data.commands.options import FOLDER

if TYPE_CHECKING:
    from cvr_bench.recipes.recipe import Timing


@click.command()
@click.option("--out", "-O", type=FOLDER, default="quickstart", show_default=True, help="Folder to work in.")
@click.option("--option", "-o", "options", multiple=True, metavar="KEY=VALUE", help="A variable of the recipe.")
def quickstart_command(out: Path, options: tuple[str, ...]) -> None:
    """Take an embedded world of captioned clips to a triplet dataset, scored models and a report.

    Nothing is downloaded but the model files of a few packages. Run it again to resume; every step can be run by
    hand, and `cvr run quickstart --dry-run` prints them all.

    Example: cvr quickstart
    """
    from cvr_bench.recipes import RECIPE_FOLDERS
    from cvr_bench.recipes.recipe import find_recipe, load_recipe, run_recipe_here
    from cvr_data.core.registry import split_key_value_options

    recipe = load_recipe(find_recipe("quickstart", RECIPE_FOLDERS), split_key_value_options(options, "quickstart"))
    _show_end(out, run_recipe_here(recipe, out))


def _show_end(folder: Path, timings: "Sequence[Timing]") -> None:
    """Print the table, the seconds of each step, and where everything lies."""
    from cvr_bench.audit.record import audit_of  # torch, which would delay the first line by seconds
    from cvr_bench.recipes.recipe import recipe_totals
    from cvr_bench.report.audit_tables import report_audits_table
    from cvr_bench.report.tables import report_results_table, report_slices_table
    from cvr_bench.results.result import read_result

    results = [read_result(path.parent) for path in sorted((folder / "results").glob("*/result.json"))]
    results.sort(key=lambda result: result.record["metrics"]["mean"]["value"])
    audits = [audit for result in results if (audit := audit_of(result)) is not None]
    click.echo(
        "\n\n".join((report_results_table(results), report_slices_table(results), report_audits_table(audits))) + "\n"
    )
    for seconds, what in [*((timing.seconds, f"$ {timing.command}") for timing in timings), *recipe_totals(timings)]:
        click.echo(f"{seconds:>7.1f} s  {what}")
    click.echo(f"\ndataset  {folder / 'annotations' / 'quickstart'}")
    click.echo(f"report   {folder / 'report.html'}")
    click.echo(f"Next: `cd {folder}`, and run any of the commands above with other options, or `cvr list models`.")
