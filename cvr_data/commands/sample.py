"""Show random modification texts beside the captions of their pairs."""

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from cvr_data.commands.options import PLACE, LookUp, json_option, seed_option

SCORES = ("cycle_score", "cycle_gain", "text_score", "text_similarity")
STATUSES = click.Choice(["ok", "rejected", "error"])


@click.command(cls=LookUp)
@click.argument("modifications", type=PLACE)
@click.option("--count", "-n", type=click.IntRange(1), default=20, show_default=True, help="How many pairs.")
@click.option("--status", multiple=True, type=STATUSES, help="Only rows of this status; repeatable.")
@click.option("--pairs", type=PLACE, help="The pairs, if they are no longer where the texts were made from.")
@seed_option
@json_option
def sample_command(
    modifications: Path, count: int, status: tuple[str, ...], pairs: Path | None, seed: int, as_json: bool
) -> None:
    """Print random rows of MODIFICATIONS: reference, target, texts with scores, status and reasons.

    All texts of a pair stand together, so -n counts pairs.

    Example: cvr sample modifications/short-rules -n 20
    """
    from cvr_data.modifications.checking.sample import sample_rows

    rows = sample_rows(modifications, pairs, count=count, seed=seed, status=status)
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    if not rows:
        which = f"of status {' or '.join(status)}" if status else "at all"
        click.echo(f"{modifications} has no text {which}; `cvr trace {modifications}` shows what it was made from.")
    for _, texts in groupby(rows, key=lambda row: row["pair_id"]):
        click.echo(_sampled_pair_text(list(texts)))


def _sampled_pair_text(texts: list[dict[str, Any]]) -> str:
    lines = [f"reference  {texts[0]['reference_caption']}", f"target     {texts[0]['target_caption']}"]
    for row in texts:
        text = row["modification"] if row["modification"] is not None else "-"
        reasons = f" ({', '.join(row['reasons'])})" if row["reasons"] else ""
        verdict = click.style(row["status"] + reasons, fg="green" if row["status"] == "ok" else "red")
        lines.append(f"text       {click.style(text, bold=True)}   {verdict}")
        scores = [f"{name} {row[name]:+.2f}" for name in SCORES if row.get(name) is not None]
        if row.get("judge_verdict") is not None:
            scores.append(f"judge {row['judge_verdict']}: {row['judge_reason']}")
        if scores:
            lines.append(f"           {'  '.join(scores)}")
    return "\n".join([*lines, ""])
