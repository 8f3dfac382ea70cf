"""Show one query of a result: its reference, its text, and the ten videos ranked best."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, PATH, LookUp, json_option


@click.command(cls=LookUp)
@click.argument("query")
@click.option("--in", "result", type=FOLDER, required=True, help="The folder of the result.")
@click.option("--videos", type=FOLDER, help="The videos, if the manifest of the triplets no longer leads to them.")
@click.option("--out", "-O", type=PATH, help="Also write a page with the clips, such as query.html.")
@json_option
def explain_query_command(query: str, result: Path, videos: Path | None, out: Path | None, as_json: bool) -> None:
    """Show QUERY (an id, or how it begins) as a model ranked it: targets, their ranks, and the ten best with clips.

    Example: cvr explain-query 3f2a --in results/fdca-quickstart -O query.html
    """
    from cvr_bench.report import explain_query as explaining

    found = explaining.explain_query(result, query, videos=videos)
    click.echo(explaining.query_report_json(found) if as_json else "\n".join(explaining.query_report_lines(found)))
    if out is not None:
        from cvr_data.pages.page import write_page

        write_page(explaining.query_report_html(found), out)
        click.echo(f"{out} shows the clips.", err=as_json)
