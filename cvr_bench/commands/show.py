"""Show what a component, a prompt or a recipe is for and which options it takes."""

import click


@click.command()
@click.argument("name")
def show_command(name: str) -> None:
    """Show what the component, prompt or recipe NAME is for, its options, their defaults and meanings.

    Example: cvr show one-word
    """
    from cvr_bench.families import find_component, recipe_files
    from cvr_data.modifications.prompts import prompt_names, prompt_text

    if name in prompt_names():
        click.echo(prompt_text(name))
        return
    if name in recipe_files():
        click.echo(recipe_files()[name].read_text(encoding="utf-8").rstrip())
        return
    for kind, family in find_component(name):
        click.secho(f"{name} ({kind})", bold=True)
        click.echo(family.describe(name))
