"""Write a result for other tools: run and qrels of trec_eval, or the result JSON of MTEB."""

from pathlib import Path
from typing import Literal

import click

from cvr_data.commands.options import FOLDER, PATH, LookUp


@click.command(cls=LookUp)
@click.argument("result", type=FOLDER)
@click.option("--format", "kind", type=click.Choice(["trec", "mteb"]), required=True, help="Whose files to write.")
@click.option("--out", "-O", type=PATH, required=True, help="trec: folder of run.trec and qrels.trec; mteb: the file.")
@click.option("--revision", default="unknown", show_default=True, help="mteb: revision of the data set.")
@click.option("--main-score", default="ndcg_at_10", show_default=True, help="mteb: the score that leads.")
@click.option(
    "--rules",
    type=click.Choice(["own", "mteb"]),
    default="own",
    show_default=True,
    help="mteb: the result's own, or MTEB's (needs --save-scores).",
)
def export_result_command(
    result: Path, kind: str, out: Path, revision: str, main_score: str, rules: Literal["own", "mteb"]
) -> None:
    """Write RESULT as the files of other tools.

    trec: all scores of a result of --save-scores, else the ten best items of each query. mteb: ndcg, map, recall,
    precision, mrr and hit_rate at 1 to 1000, by the ranks of all targets, and which rules they go by: by its own a
    reference is left out and ties count against the model, where MTEB ranks it and breaks ties by id.

    Example: cvr export-result results/fdca-quickstart --format mteb --out Quickstart.json
    """
    from cvr_bench.results.exported import write_result_as_mteb, write_result_as_trec
    from cvr_bench.results.result import read_result

    found = read_result(result)
    paths = (
        write_result_as_trec(found, out)
        if kind == "trec"
        else [write_result_as_mteb(found, out, revision=revision, main_score=main_score, rules=rules)]
    )
    for path in paths:
        click.echo(path)
