"""Find the right answers that a test set does not list."""

import json
from pathlib import Path
from typing import Any

import click

from cvr_data.commands.options import FOLDER, command_own_options, json_option, out_option, overwrite_option
from cvr_data.core.annotation_files import read_json


def _config() -> type:
    from cvr_bench.audit.positives.find import Config

    return Config


@click.command()
@click.argument("triplets", type=FOLDER)
@click.option(
    "--result", "-r", "results", multiple=True, type=FOLDER, help="A result whose best are pooled; repeatable."
)
@click.option("--videos", type=FOLDER, help="The videos, if the manifest of the triplets no longer leads to them.")
@click.option(
    "--judge",
    metavar="BACKEND",
    help="A language model that judges what captions leave open: by log-odds, where it has some.",
)
@click.option("--judge-option", "judge_options", multiple=True, metavar="KEY=VALUE", help="Of the backend.")
@click.option("--judgments", type=FOLDER, help="What people said of the queue (cvr export-judgments).")
@command_own_options(_config)
@out_option("positives")
@overwrite_option
@json_option
def find_positives_command(
    triplets: Path, results: tuple[Path, ...], videos: Path | None, judge: str | None, judge_options: tuple[str, ...],
    judgments: Path | None, options: tuple[str, ...], out: Path, overwrite: bool, as_json: bool,
) -> None:  # fmt: skip
    """Find videos that answer queries of TRIPLETS and are not listed as targets.

    Captions say which videos of the gallery answer as the target does, and which of those that results ranked best
    cannot; a language model and people judge the rest: OUT/queue is for `cvr review`. Cells drawn at random depth say
    how many answers are still not found.

    Example: cvr find-positives annotations/quickstart -r results/sum-quickstart -r results/fdca-quickstart
    """
    from cvr_bench.audit.positives.find import Config, find_positives
    from cvr_data.core.registry import parse_config
    from cvr_data.modifications.checking.judge import JudgeConfig

    config = parse_config(Config, options, where="find-positives")
    asked = JudgeConfig(backend=judge, options=judge_options) if judge else None
    artifact = find_positives(
        triplets, results, config, out, judge=asked, judgments=judgments, videos=videos, overwrite=overwrite
    )
    summary = read_json(artifact.path / "summary.json", dict)
    click.echo(
        json.dumps(summary, indent=1)
        if as_json
        else "\n".join([f"{out}: {_positives_text(summary)}", *_remeasured_lines(summary)])
    )


def _positives_text(summary: dict[str, Any]) -> str:
    found = ", ".join(f"{number} by {who}" for who, number in summary["found"].items()) or "none"
    unsure = f" ({summary['unsure']} of them the judge is not sure of)" if summary["unsure"] else ""
    estimate = summary["unfound"]
    if estimate is None:
        unfound = "how many are not found yet is not known: the drawn cells wait in the queue"
    else:
        unfound = (
            f"{estimate['value']:.0f} are not found yet (95 % interval {estimate['low']:.0f} to {estimate['high']:.0f})"
        )
    return (
        f"{summary['queries']} queries, {summary['listed']} listed targets; answers found beside them: {found}; "
        f"judged wrong: {sum(summary['wrong'].values())}, unjudged: {summary['unjudged']}"
        f"{unsure}; {unfound}"
    )


def _remeasured_lines(summary: dict[str, Any]) -> list[str]:
    lines = []
    for each in summary["results"]:
        parts = [
            f"{name.replace('_', ' ')} " + " ".join(f"{each[name][f'R@{k}']:.2f}" for k in (1, 5, 10))
            for name in ("plain", "with_found", "condensed") if name in each
        ]  # fmt: skip
        more = [f"bpref {each['bpref']:.2f}"] if "bpref" in each else ["(bpref and condensed lists need --save-scores)"]
        lines.append(f"  {each['name']}: R@1 R@5 R@10 {'; '.join([*parts, *more])}")
    return lines
