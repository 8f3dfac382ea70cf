"""Write a modification text for every pair, with rules or a language model."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cvr_data.commands.options import (
    FOLDER,
    PATH,
    json_option,
    option_option,
    overwrite_option,
    seed_option,
    with_machine,
)

if TYPE_CHECKING:
    from cvr_data.artifacts import Artifact
    from cvr_data.generation.run import DryRun


@click.command()
@click.argument("pairs", type=PATH, default="pairs")
@click.option("--style", default="short", show_default=True, help="A built-in prompt: short, static, action.")
@click.option("--prompt", type=PATH, help="A prompt file of your own (YAML), instead of --style.")
@click.option("--llm", default="transformers", show_default=True, help="The backend; see `cvr list backends`.")
@option_option
@click.option("--out", "-O", type=FOLDER, help="Folder to write.  [default: modifications/STYLE-LLM]")
@seed_option
@click.option("--attempts", type=click.IntRange(1, 999), default=5, show_default=True, help="Answers per text at most.")
@click.option("--split", "splits", multiple=True, help="Only pairs of this split; repeatable.")
@click.option("--limit", type=click.IntRange(1), help="Only a sample of so many pairs; a larger one contains it.")
@click.option("--cache", type=PATH, help="Request cache (SQLite).  [default: requests.sqlite in cvr's cache folder]")
@click.option("--dry-run", is_flag=True, help="Show the first prompts and what would be asked; ask nothing.")
@overwrite_option
@json_option
def generate_modifications(
    pairs: Path, style: str, prompt: Path | None, llm: str, options: tuple[str, ...], out: Path | None, seed: int,
    attempts: int, splits: tuple[str, ...], limit: int | None, cache: Path | None, dry_run: bool, overwrite: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Write a modification text for every pair of PAIRS, lint it, and keep every row with its status and reasons.

    Example: cvr generate-modifications pairs --style short --llm rules
    """
    from cvr_data.backends import BACKENDS
    from cvr_data.generation import run
    from cvr_data.model_packages import cache_folder
    from cvr_data.prompts import load_prompt

    config = run.Config(
        prompt=str(prompt) if prompt else style,
        backend=llm,
        options=with_machine(BACKENDS.get(llm).Config, options),
        seed=seed,
        attempts=attempts,
        limit=limit,
        splits=splits,
    )
    cache = cache or cache_folder() / "requests.sqlite"
    if dry_run:
        _show_dry_run(run.dry_run(pairs, config, cache=cache))
        return
    out = out or Path("modifications") / f"{load_prompt(config.prompt).name}-{llm}"
    artifact = run.generate_modifications(pairs, out, config, cache=cache, overwrite=overwrite)
    click.echo(json.dumps(artifact.manifest, indent=1, sort_keys=True) if as_json else _summary(artifact))


def _summary(artifact: "Artifact") -> str:
    manifest = artifact.manifest
    rows = manifest["rows"]
    lines = [f"{artifact.path}: {rows} texts by {manifest['config']['model']}, {manifest['seconds']:.1f} s"]
    lines += [f"  {status:<10}{count:>8}  {count / rows:>6.1%}" for status, count in manifest["status"].items()]
    lines += [f"    {reason:<24}{count:>8}" for reason, count in manifest["reasons"].items()]
    requests = manifest["requests"]
    return "\n".join([*lines, f"  {requests['asked']} requests asked, {requests['cached']} answered by the cache"])


def _show_dry_run(plan: "DryRun") -> None:
    for number, text in enumerate(plan.shown, 1):
        click.secho(f"prompt {number}", bold=True)
        click.echo(text + "\n")
    click.echo(
        f"{plan.pairs} pairs: {plan.without_change} without such a change, {plan.cached} answered by the cache, "
        f"{plan.to_ask} requests to ask, about {round(plan.prompt_words * 1.4)} prompt tokens."
    )
