"""Look which videos of a dataset are still there, and drop the triplets of those that are not."""

import json
from pathlib import Path
from typing import Any

import click

from cvr_data.commands.options import FOLDER, json_option, out_option, overwrite_option

SHOWN = 12


@click.command()
@click.argument("target", type=FOLDER)
@out_option("media-check", "Folder of the checks; a second run looks only at what is due.")
@click.option("--concurrency", type=click.IntRange(1, 256), default=16, show_default=True, help="Media at once.")
@click.option("--attempts", type=click.IntRange(1), default=3, show_default=True, help="Per address and run.")
@click.option("--timeout", type=click.FloatRange(0.1), default=20.0, show_default=True, help="Seconds of silence.")
@click.option("--older-than", type=click.FloatRange(0), metavar="DAYS", help="Look again at what was seen so long ago.")
@click.option("--private-redirects", is_flag=True, help="Follow redirects to other hosts in private networks.")
@click.option("--open-urls", is_flag=True, help="Open addresses as well: duration, frame rate and size.")
@click.option("--drop-missing", type=FOLDER, metavar="FOLDER", help="Write TARGET, triplets, without what is gone.")
@click.option("--videos", type=FOLDER, help="The videos, if the manifest of the triplets no longer leads to them.")
@overwrite_option
@json_option
def check_media_command(
    target: Path, out: Path, concurrency: int, attempts: int, timeout: float, older_than: float | None,
    private_redirects: bool, open_urls: bool, drop_missing: Path | None, videos: Path | None, overwrite: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Look which videos of TARGET, a folder of videos or triplets, are still there.

    Files are opened and hashed, addresses asked for their first bytes. Writes media.parquet, a row per video: ok, gone,
    unsure (may come back) or absent (no path and no url), with the reason. A second run looks at what is new, unsure,
    changed on disk, or --older-than. --overwrite belongs to the folder of --drop-missing.

    Example: cvr check-media annotations/quickstart --drop-missing annotations/quickstart-there
    """
    from cvr_data.core.errors import CvrError
    from cvr_data.core.lineage import lineage
    from cvr_data.media import check_media as checking
    from cvr_data.triplets.dataset import open_videos_of_triplets
    from cvr_data.triplets.drop_missing import drop_missing_triplets as drop

    opened = open_videos_of_triplets(target, videos=videos)
    if drop_missing is not None and opened.dataset is None:
        raise CvrError(f"--drop-missing writes triplets, but {target} holds videos; name a folder of triplets.")
    if drop_missing is not None and opened.dataset is not None:
        lineage([opened.dataset.artifact.path])  # a damaged manifest ends it before anything is looked at
    config = checking.Config(
        concurrency=concurrency, attempts=attempts, timeout_s=timeout, older_than_days=older_than, is_opening=open_urls,
        private_redirects=private_redirects,
    )  # fmt: skip
    found = checking.check_media(checking.media_to_check(opened.videos, opened.used), out, config)
    record = checking.media_check_report(found)
    if drop_missing is not None and opened.dataset is not None:
        artifact = drop(opened.dataset, out, drop_missing, overwrite=overwrite)
        record["coverage"] = artifact.manifest["coverage"]
    click.echo(json.dumps(record, indent=1, sort_keys=True) if as_json else _media_report_text(record, out))
    if drop_missing is not None and not as_json:
        _tell_dropped(drop_missing, record["coverage"])


def _media_report_text(record: dict[str, Any], out: Path) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in record["statuses"].items())
    lines = [f"{out}: {record['media']} media: {counts or 'none'}"]
    lines.append(f"  {'source':<20}{'host':<32}{'media':>8}{'ok':>8}{'gone':>8}{'unsure':>8}{'absent':>8}")
    for place in record["places"][:SHOWN]:
        numbers = "".join(f"{place.get(name, 0):>8}" for name in ("media", "ok", "gone", "unsure", "absent"))
        lines.append(f"  {place['source']:<20}{place['host']:<32}{numbers}")
    if more := len(record["places"]) - SHOWN:
        lines += [f"  and {more} other places"] if more > 0 else []
    lines += [f"  {entry['media']:>8} {entry['status']}: {entry['reason']}" for entry in record["reasons"][:SHOWN]]
    odd = [f"{count} {name}" for name, count in record["verdicts"].items() if name in ("truncated", "damaged")]
    lines += [f"  {' and '.join(odd)}: what can be decoded is used where it is enough (column note)"] if odd else []
    if "unsure" in record["statuses"]:
        lines.append("  Run the same command again for what is unsure.")
    return "\n".join(lines)


def _tell_dropped(folder: Path, coverage: dict[str, Any]) -> None:
    for split, found in coverage["splits"].items():
        (before, after), (asked, left) = found["triplets"], found["queries"]
        share = 100 * after / before
        click.echo(f"{folder}: {split} keeps {after} of {before} triplets ({share:.1f} %), {left} of {asked} queries")
