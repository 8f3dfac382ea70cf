"""Fetch annotations, videos, images, features or checkpoints, and again only what is missing."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cvr_data.commands.options import FOLDER, PATH, command_machine, json_option

if TYPE_CHECKING:
    from cvr_data.download.plan import Plan
    from cvr_data.download.run import Outcome

KINDS = ("annotations", "videos", "images", "features", "checkpoints")
SHOWN_ERRORS = 8


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@click.option("--split", help="Only files of this split.  [default: all]")
@click.option("--urls", type=PATH, help="Your own list: CSV with id and url, path -> URL JSON, or imported videos.")
@click.option("--only-ids", type=PATH, help="Only the ids in this CSV, TSV or Parquet file.")
@click.option(
    "--id-column", "id_columns", multiple=True, help="Column of --only-ids; repeatable.  [default: all known]"
)
@click.option("--out", "-O", type=FOLDER, help="Folder of the data set.  [default: see `cvr data-status`]")
@click.option("--num-shards", type=click.IntRange(1), default=1, show_default=True, help="Machines that share a list.")
@click.option("--shard-id", type=click.IntRange(0), default=0, show_default=True, help="Which of them this one is.")
@click.option("--concurrency", type=click.IntRange(1, 256), default=8, show_default=True, help="Files at once.")
@click.option("--attempts", type=click.IntRange(1), default=5, show_default=True, help="Per file and run.")
@click.option("--timeout", type=click.FloatRange(0.1), default=30.0, show_default=True, help="Seconds without a byte.")
@click.option("--max-bytes", type=click.IntRange(1), default=1 << 40, help="Of one file.  [default: 1 TiB]")
@click.option("--max-total-bytes", type=click.IntRange(1), default=1 << 50, help="Of this run.  [default: 1 PiB]")
@click.option(
    "--min-speed", type=click.IntRange(0), default=100, show_default=True, help="Bytes per second over a minute."
)
@click.option("--private-redirects", is_flag=True, help="Follow redirects to other hosts in private networks.")
@click.option("--retry-failed", is_flag=True, help="Ask again for what failed for good, such as 404.")
@click.option("--dry-run", is_flag=True, help="Show what is missing; fetch none of it.")
@json_option
def download_command(
    name: str, out: Path | None, concurrency: int, attempts: int, timeout: float, retry_failed: bool, dry_run: bool,
    as_json: bool, max_bytes: int, max_total_bytes: int, min_speed: int, private_redirects: bool, **wanted: Any,
) -> None:  # fmt: skip
    """Fetch the files of NAME: annotations, videos, images, features or checkpoints.

    NAME is a benchmark or a checkpoint family (a wrong one lists all), or a YAML file like those in cvr_data/download/
    sources; with --urls any name.


    A second run asks only for what is missing. Exit code 1 says that something may come with another run: until cvr
    download ...; do sleep 60; done.

    Example: cvr download videos webvid-covr --split test --only-ids webvid8m-covr_test.csv
    """
    from cvr_data.download.plan import DownloadRequest, carry_out_download, download_standing, make_download_plan
    from cvr_data.download.run import Config

    config = Config(
        concurrency=concurrency, attempts=attempts, timeout_s=timeout, retry_failed=retry_failed, max_bytes=max_bytes,
        max_total_bytes=max_total_bytes, min_speed=min_speed, private_redirects=private_redirects,
    )  # fmt: skip
    request = DownloadRequest(name=name, root=out or command_machine().root(Path(name).stem), **wanted)
    plan = make_download_plan(request, config)
    _tell_download_plan(plan, err=as_json)
    if dry_run:
        counts = download_standing(plan)
        click.echo(
            json.dumps(counts) if as_json else "  " + ", ".join(f"{count} {what}" for what, count in counts.items())
        )
        return
    if not plan.items and not as_json:
        click.echo("  nothing to fetch" + (": the steps above are by hand" if plan.manual else ""))
        return
    outcome = carry_out_download(plan, config)
    click.echo(_download_json(plan, outcome) if as_json else _download_text(plan, outcome))
    if outcome.statuses["retriable"]:
        click.get_current_context().exit(1)


def _tell_download_plan(plan: "Plan", *, err: bool) -> None:
    request = plan.request
    shard = f", shard {request.shard_id} of {request.num_shards}" if request.num_shards > 1 else ""
    click.echo(f"{request.name}, {request.kind}{shard}: {len(plan.items)} files in {request.folder}", err=err)
    for note in plan.notes:
        click.echo(f"  note: {note}", err=err)
    for step in plan.manual:
        click.echo(f"  by hand: {step}", err=err)
    if plan.absent:
        click.echo(f"  {plan.absent} ids of {request.only_ids} have no address", err=err)


def _download_text(plan: "Plan", outcome: "Outcome") -> str:
    left = f", {outcome.left_alone} left alone (failed before; --retry-failed)" if outcome.left_alone else ""
    lines = [
        f"  {outcome.wanted} wanted, {outcome.here_before} here before{left}, {outcome.asked} asked for: "
        f"{outcome.bytes / 1e6:.1f} MB in {outcome.seconds:.1f} s"
    ]
    lines += [f"  {status:<10}{outcome.statuses[status]:>8}" for status in ("ok", "failed", "retriable")]
    common = outcome.errors.most_common()
    lines += [f"    {count:>8} {status}: {error}" for (status, error), count in common[:SHOWN_ERRORS]]
    if common[SHOWN_ERRORS:]:
        lines.append(
            f"    {sum(count for _, count in common[SHOWN_ERRORS:]):>8} with {len(common) - SHOWN_ERRORS} other errors"
        )
    if outcome.statuses["retriable"]:
        lines.append("  Run the same command again for what is retriable.")
    return "\n".join([*lines, f"  every file and its error: {plan.request.folder / 'download-status'}"])


def _download_json(plan: "Plan", outcome: "Outcome") -> str:
    content = {
        "folder": str(plan.request.folder),
        "wanted": outcome.wanted,
        "here_before": outcome.here_before,
        "left_alone": outcome.left_alone,
        "asked": outcome.asked,
        "absent": plan.absent,
        "manual": plan.manual,
        "statuses": dict(outcome.statuses),
        "errors": [
            {"status": status, "error": error, "files": count} for (status, error), count in outcome.errors.items()
        ],
        "bytes": outcome.bytes,
        "seconds": round(outcome.seconds, 3),
    }
    return json.dumps(content, indent=1, sort_keys=True)
