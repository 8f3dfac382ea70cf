"""Write clips of longer files to files of their own."""

import json
from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, command_engine_options, json_option, out_option, overwrite_option


@click.command()
@click.argument("videos", type=FOLDER)
@out_option("videos-cut")
@command_engine_options
@overwrite_option
@json_option
def cut_command(videos: Path, out: Path, overwrite: bool, as_json: bool) -> None:
    """Write each of VIDEOS that is a clip of a longer file to a file of its own, and videos that lead to these.

    No command of cvr needs it: a clip is its file with a start and an end. Others may.

    Example: cvr cut videos --out videos-cut
    """
    from cvr_data.videos.cut import cut_videos

    manifest = cut_videos(videos, out, overwrite=overwrite).manifest
    if as_json:
        click.echo(json.dumps(manifest, indent=1, sort_keys=True))
        return
    click.echo(f"{out}: {manifest['rows']} videos, {manifest['seconds']:.1f} s")
    for reason, count in manifest["dropped"].items():
        click.echo(f"  dropped {count} {reason}")
