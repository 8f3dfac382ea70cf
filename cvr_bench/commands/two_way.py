"""Print text-to-video and video-to-text results side by side, a row per configuration."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, PATH, LookUp


@click.command(cls=LookUp)
@click.argument("results", nargs=-1, type=FOLDER, required=True)
@click.option("--format", "kind", type=click.Choice(["text", "md"]), default="text", show_default=True)
@click.option("--out", "-O", type=PATH, help="Write the table to this file as well.")
def two_way_command(results: tuple[Path, ...], kind: str, out: Path | None) -> None:
    """Print recalls and ranks of RESULTS in both directions, with devices and hours of training.

    Results of one model in one folder make a row; the folders name the rows where there are several.

    Example: cvr two-way results/*/drl-msrvtt* --format md
    """
    from cvr_bench.results.result import read_result
    from cvr_bench.results.two_way import format_two_way_results
    from cvr_data.core.whole_files import write_bytes

    table = format_two_way_results([read_result(path) for path in results], markdown=kind == "md")
    click.echo(table)
    if out is not None:
        write_bytes(out, f"{table}\n".encode())
