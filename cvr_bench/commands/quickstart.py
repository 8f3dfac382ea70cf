"""Take an embedded world of captioned clips to a triplet dataset, scored models and a report."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER


@click.command()
@click.option("--out", "-O", type=FOLDER, default="quickstart", show_default=True, help="Folder to work in.")
@click.option("--option", "-o", "options", multiple=True, metavar="KEY=VALUE", help="A variable of the recipe.")
def quickstart(out: Path, options: tuple[str, ...]) -> None:
    """Take an embedded world of captioned clips to a triplet dataset, scored models and a report.

    Nothing is downloaded but the model files of a few packages. Run it again to resume; every step can be run by
    hand, and `cvr run quickstart --dry-run` prints them all.

    Example: cvr quickstart
    """
    from cvr_bench.recipes import RECIPE_FOLDERS
    from cvr_bench.recipes.recipe import find_recipe, load_recipe, run_recipe
    from cvr_data.core.registry import split_options

    recipe = load_recipe(find_recipe("quickstart", RECIPE_FOLDERS), split_options(options, "quickstart"))
    context = click.get_current_context()
    group = context.find_root().command
    timings = run_recipe(
        recipe,
        lambda arguments: group.main(args=arguments, prog_name="cvr", standalone_mode=False, parent=context),
        out,
        lambda line: click.echo(line, err=True),
    )
    from cvr_bench.report.quickstart import summary  # torch, which would delay the first line by seconds

    click.echo(summary(out, timings))
