"""Show what a component, a prompt, a recipe or a command is for and which options it takes."""

from typing import Any

import click

from cvr_data.commands.options import command_own_options_text


@click.command()
@click.argument("name")
def show_command(name: str) -> None:
    """Show what the component, prompt, recipe or command NAME is for, its options, their defaults and meanings.

    Example: cvr show one-word
    """
    from cvr_bench.families import family_recipe_files, find_component
    from cvr_bench.recipes.recipe import recipe_files
    from cvr_data.modifications.prompts import prompt_names, prompt_text

    group: Any = click.get_current_context().find_root().command
    if name in prompt_names():
        click.echo(prompt_text(name))
        return
    if name in family_recipe_files():
        files = reversed(recipe_files(family_recipe_files()[name]))
        click.echo("\n\n".join(file.read_text(encoding="utf-8").rstrip() for file in files))
        return
    for kind, family in find_component(name, instead=group.summaries()):
        click.secho(f"{name} ({kind})", bold=True)
        click.echo(family.describe(name))
    if name in group.summaries():
        command = group.get_command(click.get_current_context(), name)
        with click.Context(command, info_name=name, parent=click.get_current_context().find_root()) as context:
            click.echo(command.get_help(context))
        if options := command_own_options_text(command):
            click.echo(f"\n{options}")
