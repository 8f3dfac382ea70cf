"""Write one self-contained page about a dataset and the models scored on it."""

from pathlib import Path
from typing import Any

import click

from cvr_data.commands.options import FOLDER, PATH, seed_option


@click.command()
@click.argument("results", nargs=-1, type=FOLDER)
@click.option("--triplets", type=PATH, help="Triplets folder or file.  [default: what the results were scored on]")
@click.option("--videos", type=FOLDER, help="The videos, if the manifest of the triplets no longer leads to them.")
@click.option("--timings", type=PATH, help="timings.json of cvr run: adds the seconds of each step.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["html", "md", "tex"]),
    help="Kind of page.  [default: by the ending of --out]",
)
@click.option("--out", "-O", type=PATH, default="report.html", show_default=True, help="File to write.")
@seed_option
def report_command(results: tuple[Path, ...], kind: str | None, out: Path, **chosen: Any) -> None:
    """Write a page about RESULTS, folders made by cvr bench, and about the triplets they were scored on.

    The HTML page holds its clips, drawings and style, and opens without a network. Published results of the same
    benchmark stand beside ours, marked and with their sources; tex gives the rows of a paper, for booktabs.

    Example: cvr report results/* --timings timings.json -O report.html
    """
    from cvr_bench.report.page import build_report, report_html, report_latex, report_markdown
    from cvr_data.pages.page import write_page

    page = build_report(results, **chosen)
    renderers = {"html": report_html, "md": report_markdown, "tex": report_latex}
    kind = kind or (out.suffix[1:] if out.suffix[1:] in renderers else "html")
    content = renderers[kind](page)
    write_page(content, out)
    missing = len(page.clips.unreadable)
    note = f", {missing} clips cannot be shown" if missing and kind == "html" else ""
    size = len(content.encode()) / 1000
    told = f"{size / 1000:.1f} MB" if size >= 100 else f"{size:.1f} kB"
    click.echo(f"{out}: {told}, {len(results)} results{note}")
