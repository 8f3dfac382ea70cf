"""Score files of query features: recalls.json, as BSE-CoVR writes it."""

import json
from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, json_option, machine_of_command


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--data", "-d", help="Triplets folder or file, or a benchmark.  [default: the triplets built last]")
@click.option("--data-option", "-D", "data_options", multiple=True, metavar="KEY=VALUE", help="Of the benchmark.")
@click.option("--split", help="Split that was encoded.  [default: test]")
@click.option("--keep-self", is_flag=True, help="Rank a query's own reference too; writes ..._ss.json.")
@json_option
def score_command(
    folder: Path, data: str | None, data_options: tuple[str, ...], split: str | None, keep_self: bool, as_json: bool
) -> None:
    """Write the recalls of the query features in FOLDER, made by cvr encode-queries, beside them.

    A query's own reference is left out of its ranking. FOLDER may also hold query_feat.npy and gallery_feat.npy of
    other code, without ids.json: their rows are then in the order of the benchmark's file.

    Example: cvr score features --data dense-webvid-covr
    """
    from cvr_bench.submit.encode import task_of_submission
    from cvr_bench.submit.query_features import score_submitted_features

    task, annotation = task_of_submission(data, data_options, split, machine_of_command())
    found = score_submitted_features(folder, task, annotation, keep_self=keep_self)
    if as_json:
        click.echo(json.dumps({str(scored.path): scored.recalls for scored in found}, indent=1))
        return
    for scored in found:
        values = "  ".join(f"{name} {value}" for name, value in scored.recalls.items() if name != "annotation")
        click.echo(f"{scored.path}: {scored.queries} of {len(task.queries)} queries, gallery of {scored.gallery}")
        click.echo(f"  {values}")
