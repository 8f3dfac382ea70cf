"""Show random pairs, and their texts beside their captions."""

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from cvr_data.commands.options import PLACE, LookUp, json_option, seed_option

SCORES = ("cycle_score", "cycle_gain", "text_score", "text_similarity")
STATUSES = click.Choice(["ok", "rejected", "error"])


@click.command(cls=LookUp)
@click.argument("folder", type=PLACE)
@click.option("--count", "-n", type=click.IntRange(1), default=20, show_default=True, help="How many pairs.")
@click.option("--status", multiple=True, type=STATUSES, help="Only rows of this status; repeatable.")
@click.option("--pairs", type=PLACE, help="The pairs, if they are no longer where the texts were made from.")
@seed_option
@json_option
def sample_command(
    folder: Path, count: int, status: tuple[str, ...], pairs: Path | None, seed: int, as_json: bool
) -> None:
    """Print random rows of FOLDER (pairs, modifications or triplets): reference, target, texts, scores and status.

    All texts of a pair stand together, so -n counts pairs.

    Example: cvr sample modifications/short-rules -n 20
    """
    from cvr_data.modifications.checking.sample import sample_modifications_to_check

    rows = sample_modifications_to_check(folder, pairs, count=count, seed=seed, status=status)
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    if not rows:
        which = f"text of status {' or '.join(status)}" if status else "row"
        click.echo(f"{folder} has no {which}; `cvr trace {folder}` shows what it was made from.")
    for _, texts in groupby(rows, key=lambda row: (row["reference_id"], row["target_id"])):
        click.echo(_sampled_pair_text(list(texts)))


def _sampled_pair_text(rows: list[dict[str, Any]]) -> str:
    sides = (rows[0].get(f"{side}_caption") or rows[0][f"{side}_id"] for side in ("reference", "target"))
    lines = [f"reference  {next(sides)}", f"target     {next(sides)}"]
    for row in rows:
        if "modification" in row:
            lines.append(f"text       {click.style(row['modification'] or '-', bold=True)}{_text_verdict(row)}")
        scores = [f"{name} {row[name]:+.2f}" for name in SCORES if row.get(name) is not None]
        if row.get("judge_verdict") is not None:
            scores.append(f"judge {row['judge_verdict']}: {row['judge_reason']}")
        if scores:
            lines.append(f"           {'  '.join(scores)}")
    return "\n".join([*lines, ""])


def _text_verdict(row: dict[str, Any]) -> str:
    """What became of a text; a triplet's was accepted, and no more is said of it."""
    if "status" not in row:
        return ""
    reasons = f" ({', '.join(row['reasons'])})" if row["reasons"] else ""
    return "   " + click.style(row["status"] + reasons, fg="green" if row["status"] == "ok" else "red")
