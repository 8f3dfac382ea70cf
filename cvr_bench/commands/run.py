"""Run the steps of a recipe file, resuming what is already done."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, NameOf, command_machine


@click.command()
@click.argument("recipe", type=NameOf("recipes"))
@click.option("--in", "folder", type=FOLDER, default=".", show_default=True, help="Folder to work in.")
@click.option("--option", "-o", "options", multiple=True, metavar="KEY=VALUE", help="A variable of the recipe.")
@click.option("--dry-run", is_flag=True, help="Print what it says of itself and its command lines, and stop.")
@click.option("--sbatch", is_flag=True, help="Print a batch file for Slurm that runs it, and stop.")
def run_command(recipe: str, folder: Path, options: tuple[str, ...], dry_run: bool, sbatch: bool) -> None:
    """Run the steps of RECIPE, a YAML file or the name of a built-in one (`cvr list recipes`).

    Example: cvr run recipe.yaml -o seed=1
    """
    from cvr_bench.recipes import RECIPE_FOLDERS
    from cvr_bench.recipes.recipe import find_recipe, load_recipe, recipe_totals, run_recipe_here
    from cvr_bench.recipes.slurm import recipe_batch_script
    from cvr_data.core.registry import split_key_value_options
    from cvr_data.core.secrets_in_text import mask_secrets

    root = command_machine().root
    loaded = load_recipe(find_recipe(recipe, RECIPE_FOLDERS), split_key_value_options(options, recipe), root)
    if dry_run:
        for key, text in loaded.about.items():
            click.echo(f"# {key}: {text}")
        for step in loaded.steps:
            click.echo(mask_secrets("cvr " + " ".join(step)))
        return
    if sbatch:
        words = ["run", recipe, "--in", str(folder), *(word for each in options for word in ("-o", each))]
        click.echo(mask_secrets(recipe_batch_script(loaded.name, words, loaded.slurm, loaded.about)), nl=False)
        return
    timings = run_recipe_here(loaded, folder)
    spent = ", ".join(f"{seconds:.1f} s {what}" for seconds, what in recipe_totals(timings))
    click.echo(f"{loaded.name}: {len(timings)} steps, {spent}")
