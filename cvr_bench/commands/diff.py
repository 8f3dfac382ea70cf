"""Show what changed between two versions of a dataset, and which results that invalidates."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cvr_data.commands.options import FOLDER, LookUp, json_option

if TYPE_CHECKING:
    from cvr_bench.results.invalidated import Standing
    from cvr_data.triplets.diff import DatasetDifference, FieldChange


@click.command(cls=LookUp)
@click.argument("before", type=FOLDER)
@click.argument("after", type=FOLDER)
@click.option("--results", multiple=True, type=FOLDER, help="Results on BEFORE, or a folder of them; repeatable.")
@json_option
def diff_command(before: Path, after: Path, results: tuple[Path, ...], as_json: bool) -> None:
    """Show what changed from BEFORE to AFTER, two folders of triplets: rows, texts, videos, splits.

    With --results, each result on BEFORE is said to hold for AFTER or not: its queries, targets, gallery and, of a
    trained model, training triplets must be as they were.

    Example: cvr diff annotations/mine-v1 annotations/mine --results results
    """
    from cvr_data.triplets.dataset import open_triplet_dataset
    from cvr_data.triplets.diff import dataset_difference

    old, new = open_triplet_dataset(before), open_triplet_dataset(after)
    found = dataset_difference(old, new)
    standing: Sequence[Standing] = []
    if results:
        from cvr_bench.results.invalidated import find_results, result_standings

        standing = result_standings(find_results(results), old, new)
    if as_json:
        record = {**found.as_json(), "results": [one.as_json() for one in standing]}
        click.echo(json.dumps(record, indent=1, sort_keys=True))
        return
    click.echo("\n".join(_difference_lines(found)))
    for one in standing:
        verdict = "holds" if not one.reasons else f"no longer holds: {', '.join(one.reasons)}"
        click.echo(f"{one.path} ({one.model}, {one.split}) {verdict}")
    if results and not standing:
        click.echo(f"no result there is on {before}")


def _difference_lines(found: "DatasetDifference") -> list[str]:
    lines = [
        _field_change_line("triplets", found.triplets),
        _field_change_line("texts", found.texts),
        _field_change_line("videos", found.videos),
    ]
    if found.reworded:
        lines.append(f"reworded  {len(found.reworded)} triplets, such as {found.reworded[0]}")
    for what, moved in (("triplets", found.moved_triplets), ("videos", found.moved_videos)):
        lines += [f"moved     {len(ids)} {what} {way}, such as {ids[0]}" for way, ids in moved.items()]
    return ["the versions are alike"] if found.is_none else lines


def _field_change_line(what: str, change: "FieldChange") -> str:
    columns = ", ".join(f"{name} of {len(ids)}" for name, ids in change.changed.items())
    return (
        f"{what:<10}{change.before} before, {change.after} after: {len(change.added)} added, "
        f"{len(change.removed)} removed" + (f", changed: {columns}" if columns else "")
    )
