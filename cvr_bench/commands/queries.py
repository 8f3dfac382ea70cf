"""List the queries of a result: the worst, those of a slice, those with a word in their text."""

import json
import re
from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, LookUp, json_option
from cvr_data.core.errors import CvrError


@click.command(cls=LookUp)
@click.argument("result", type=FOLDER)
@click.option("--worst", type=click.IntRange(1), metavar="N", help="The N queries whose best target ranks last.")
@click.option("--best", type=click.IntRange(1), metavar="N", help="The N queries whose best target ranks first.")
@click.option("--where", "-w", multiple=True, metavar="SLICE=VALUE", help="kind, slot, ..., reference or target.")
@click.option("--text", default="", help="Part of the modification text.")
@click.option("--rank", metavar="FROM-TO", default="1-", show_default=True, help="Ranks of the best target.")
@json_option
def queries_command(
    result: Path, worst: int | None, best: int | None, where: tuple[str, ...], text: str, rank: str, as_json: bool
) -> None:
    """List the queries of RESULT with the rank of their best target, and its ranks by one input alone.

    Filters add up. Without --worst or --best all that pass are listed, in their order; --json gives every field. A line
    begins with what `cvr explain-query` takes; its ranks by text or video alone are those of the result's audit.

    Example: cvr queries results/fdca-quickstart --worst 20 --where kind=action
    """
    from cvr_bench.results.queries import Chosen, result_queries_text, result_query_rows
    from cvr_bench.results.result import read_result

    if worst is not None and best is not None:
        raise CvrError("--worst and --best are two orders; give one.")
    ends = re.fullmatch(r"([0-9]{1,9})-([0-9]{1,9})?", rank)
    if ends is None or int(ends[2] or ends[1]) < max(1, int(ends[1])):
        raise CvrError(f"--rank {rank!r} should be FROM-TO, such as 2-10, from 1 up, or FROM- for no end.")
    if bad := [part for part in where if "=" not in part]:
        raise CvrError(f"--where {bad[0]!r} should be SLICE=VALUE, such as kind=action.")
    found = read_result(result)
    chosen = Chosen(
        where=[(name, value) for name, _, value in (part.partition("=") for part in where)], text=text,
        least=int(ends[1]), most=int(ends[2]) if ends[2] else None, worst=worst, best=best,
    )  # fmt: skip
    rows = result_query_rows(found, chosen)
    if as_json:
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    click.echo(result_queries_text(rows, [name for name in ("kind", "slot", "backend") if name in found.slice_names]))
    click.echo(f"{len(rows)} of {found.ranks.num_rows} queries of {found.name}")
