"""Show what is in a folder and what would come next."""

import json
from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, LookUp, json_option


@click.command(cls=LookUp)
@click.argument("folder", type=FOLDER, default=".")
@json_option
def status_command(folder: Path, as_json: bool) -> None:
    """Show what is in FOLDER: each artifact with what it was made from, what is unfinished, and what would come next.

    Example: cvr status
    """
    from cvr_data.core.folder_status import artifact_folder_status

    found = artifact_folder_status(folder)
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    if not found:
        click.echo(f"{folder} holds no artifact; begin with `cvr quickstart`, or `cvr import` (`cvr list corpora`).")
    width = max((len(each["path"]) for each in found), default=0)
    for each in found:
        click.echo(f"{each['path']:<{width}}  {each['told']}")
        for problem in each["problems"]:
            click.echo(f"{'':<{width}}  {problem}")
    for line in dict.fromkeys(each["next"] for each in found if each["next"]):
        click.echo(f"next: {line}")
