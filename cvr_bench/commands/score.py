"""Score what other code gave: files of query features (recalls.json, as BSE-CoVR writes it), or a run of trec_eval."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cvr_data.commands.options import FOLDER, PATH, command_machine, json_option, overwrite_option
from cvr_data.core.errors import CvrError

if TYPE_CHECKING:
    from cvr_bench.tasks.task import Task


@click.command()
@click.argument("given", type=PATH)
@click.option("--data", "-d", help="Triplets folder or file, or a benchmark.  [default: the triplets built last]")
@click.option("--data-option", "-D", "data_options", multiple=True, metavar="KEY=VALUE", help="Of the benchmark.")
@click.option("--split", help="Split that was scored.  [default: test]")
@click.option("--keep-self", is_flag=True, help="Of features: rank a query's own reference too; writes ..._ss.json.")
@click.option("--qrels", type=PATH, help="Of a run: grades of items, instead of the data's own targets.")
@click.option("--name", default="", help="Of a run: what its result is called.  [default: as the run says]")
@click.option("--out", "-O", type=FOLDER, help="Of a run: folder of its result.  [default: results/<run>-<data>]")
@overwrite_option
@json_option
def score_command(
    given: Path, data: str | None, data_options: tuple[str, ...], split: str | None, keep_self: bool,
    qrels: Path | None, name: str, out: Path | None, overwrite: bool, as_json: bool,
) -> None:  # fmt: skip
    """Score GIVEN: a folder of query features made by cvr encode-queries, or a run file of any system.

    Of features the recalls are written beside them, with a query's own reference left out of its ranking. The folder
    may also hold query_feat.npy and gallery_feat.npy of other code, without ids.json: their rows are then in the order
    of the benchmark's file. A run has lines of query, Q0, item, rank, score and name, as trec_eval reads them; it
    becomes a result that compare, report, queries and verify take. Items that it does not list rank last.

    Example: cvr score run.trec --data dense-webvid-covr
    """
    from cvr_bench.submit.encode import task_of_submission

    task, file = task_of_submission(data, data_options, split, command_machine())
    if given.is_file():
        if keep_self:
            raise CvrError("--keep-self belongs to folders of features; of a run, pass -D reference=keep.")
        _score_run(given, task, file, out, as_json=as_json, split=split or "test", qrels=qrels, name=name,
                   overwrite=overwrite)  # fmt: skip
        return
    if qrels is not None or name or out is not None:
        raise CvrError(f"{given} is no run file, to which --qrels, --name and --out belong.")
    from cvr_bench.submit.query_features import score_submitted_features

    found = score_submitted_features(given, task, file.name, keep_self=keep_self)
    if as_json:
        click.echo(json.dumps({str(scored.path): scored.recalls for scored in found}, indent=1))
        return
    for scored in found:
        values = "  ".join(f"{name} {value}" for name, value in scored.recalls.items() if name != "annotation")
        click.echo(f"{scored.path}: {scored.queries} of {len(task.queries)} queries, gallery of {scored.gallery}")
        click.echo(f"  {values}")


def _score_run(run: Path, task: "Task", file: Path, out: Path | None, *, as_json: bool, **how: Any) -> None:
    from cvr_bench.report.beside import beside_report_table
    from cvr_bench.report.tables import report_results_table
    from cvr_bench.submit.trec import score_trec_submission

    folder = out or Path("results") / f"{how['name'] or run.stem}-{task.name}"
    result = score_trec_submission(run, task, file, folder, **how)
    if as_json:
        click.echo(json.dumps({"path": str(result.path), **result.record}, indent=1))
        return
    click.echo(f"{report_results_table([result])}\n\n{beside_report_table([result])}\n\n{result.name}: {result.path}")
    for what, count in result.record["run"]["left_to_the_end"].items():
        click.echo(f"  {count} {what}")
