"""Write a modification text for every pair."""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cvr_data.commands.options import (
    FOLDER_PLACE,
    PATH,
    PLACE,
    NameOf,
    command_engine_options,
    command_options_with_machine,
    json_option,
    option_option,
    overwrite_option,
    seed_option,
)
from cvr_data.core.nothing_left import empty_artifact_lines

if TYPE_CHECKING:
    from cvr_data.core.artifacts import Artifact
    from cvr_data.modifications.dry_run import DryRun


ESTIMATES = (
    click.option("--price-in", type=click.FloatRange(0), help="For --dry-run: price of a million prompt tokens."),
    click.option("--price-out", type=click.FloatRange(0), help="For --dry-run: price of a million written tokens."),
    click.option("--tokens-per-s", type=click.FloatRange(0, min_open=True),
                 help="For --dry-run: written tokens per second.  [default: as earlier runs of the model went]"),
)  # fmt: skip


def _estimates(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return the command with what `--dry-run` reckons with, as one argument `prices`."""

    @wraps(command)
    def with_prices(
        price_in: float | None, price_out: float | None, tokens_per_s: float | None, **given: Any
    ) -> Any:  # fmt: skip
        return command(prices=(price_in, price_out, tokens_per_s), **given)

    for option in reversed(ESTIMATES):
        with_prices = option(with_prices)
    return with_prices


@click.command()
@click.argument("pairs", type=PLACE, required=False)
@click.option(
    "--style", default="short", show_default=True,
    help="A built-in prompt: short, dense, static, action, paraphrase, reverse.",
)  # fmt: skip
@click.option("--prompt", type=PATH, help="A prompt file of your own (YAML), instead of --style.")
@click.option(
    "--llm",
    default="transformers",
    show_default=True,
    type=NameOf("backends"),
    help="The backend; see `cvr list backends`.",
)
@option_option
@click.option(
    "--from", "given", type=FOLDER_PLACE, help="Modifications to paraphrase or reverse; PAIRS are then theirs."
)
@click.option("--videos", type=FOLDER_PLACE, help="Videos with dense descriptions.  [default: those of the pairs]")
@click.option("--out", "-O", type=FOLDER_PLACE, help="Folder to write.  [default: modifications/STYLE-LLM]")
@seed_option
@click.option(
    "--num-texts", type=click.IntRange(1, 50), default=1, show_default=True, help="Texts per pair, none like another."
)
@click.option("--temperature", type=click.FloatRange(0), help="Instead of the prompt's; CoVR's is 0.8.")
@click.option("--top-k", type=click.IntRange(0), help="Instead of the prompt's; CoVR's is 200.")
@click.option("--attempts", type=click.IntRange(1, 999), default=5, show_default=True, help="Answers per text at most.")
@click.option("--split", "splits", multiple=True, help="Only pairs of this split; repeatable.")
@click.option(
    "--language", metavar="LANG", help="Of the captions.  [default: the prompt's, if the import saw no other]"
)
@click.option("--limit", type=click.IntRange(1), help="Only a sample of so many pairs; a larger one contains it.")
@click.option("--cache", type=PATH, help="Request cache (SQLite).  [default: requests.sqlite in cvr's cache folder]")
@click.option("--dry-run", is_flag=True, help="Show the first prompts and what a run would take; ask nothing.")
@_estimates
@command_engine_options
@overwrite_option
@json_option
def generate_modifications_command(
    pairs: Path | None, style: str, prompt: Path | None, llm: str, options: tuple[str, ...], given: Path | None,
    out: Path | None, cache: Path | None, dry_run: bool, prices: tuple[float | None, float | None, float | None],
    overwrite: bool, as_json: bool, **chosen: Any,
) -> None:  # fmt: skip
    """Write a modification text for every pair of PAIRS, lint it, and keep every row with its status and reasons.

    Example: cvr generate-modifications pairs --style short --llm rules
    """
    from cvr_data.core.model_packages import cache_folder
    from cvr_data.modifications.asked import pairs_of_modifications
    from cvr_data.modifications.backends import BACKENDS
    from cvr_data.modifications.dry_run import Prices
    from cvr_data.modifications.dry_run import dry_run_prompts as plan_of
    from cvr_data.modifications.generate import generate_modifications
    from cvr_data.modifications.generator import Config
    from cvr_data.modifications.prompts import load_prompt

    options = command_options_with_machine(BACKENDS.get(llm).Config, options)
    config = Config(prompt=str(prompt) if prompt else style, backend=llm, options=options, given=given, **chosen)
    pairs = pairs or (pairs_of_modifications(given) if given else Path("pairs"))
    cache = cache or cache_folder() / "requests.sqlite"
    if dry_run:
        _show_dry_run(plan_of(pairs, config, cache=cache, prices=Prices(*prices)), as_json)
        return
    out = out or Path("modifications") / f"{load_prompt(config.prompt).name}-{llm}"
    artifact = generate_modifications(pairs, out, config, cache=cache, overwrite=overwrite)
    click.echo(json.dumps(artifact.manifest, indent=1, sort_keys=True) if as_json else _generated_text(artifact))
    if not as_json:
        for line in empty_artifact_lines(out, artifact.manifest):
            click.echo(line)


def _generated_text(artifact: "Artifact") -> str:
    from cvr_data.modifications.counts import wrong_answers_text

    manifest = artifact.manifest
    rows = manifest["rows"]
    lines = [f"{artifact.path}: {rows} texts by {manifest['config']['model']}, {manifest['seconds']:.1f} s"]
    lines += [f"  {status:<10}{count:>8}  {count / rows:>6.1%}" for status, count in manifest["status"].items()]
    lines += [f"    {reason:<24}{count:>8}" for reason, count in manifest["reasons"].items()]
    requests = manifest["requests"]
    rate = f", {requests['tokens_per_s']:.0f} tokens/s" if requests["tokens_in"] else ""
    lines += [f"  {requests['asked']} requests asked, {requests['cached']} answered by the cache{rate}"]
    if wrong := wrong_answers_text([manifest]):
        lines += [f"  {line}" for line in wrong.splitlines()]
    if manifest["status"].get("error"):
        lines += ["  run the same command again to ask the errors once more"]
    return "\n".join(lines)


def _show_dry_run(plan: "DryRun", as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(plan), indent=1, sort_keys=True))
        return
    for number, text in enumerate(plan.shown, 1):
        click.secho(f"prompt {number}", bold=True)
        click.echo(text + "\n")
    most = "at most" if plan.tokens_out_is_limit else "about"
    time = "unknown (give --tokens-per-s)" if plan.seconds is None else f"about {plan.seconds:.0f} s"
    cost = "unknown (give --price-in, --price-out)" if plan.cost is None else f"about {plan.cost:.2f}"
    click.echo(
        f"{plan.pairs} pairs, {plan.texts} texts: {plan.without_change} cannot be asked for, {plan.cached} answered by "
        f"the cache, {plan.to_ask} requests to ask\n"
        f"  tokens  about {plan.tokens_in} of prompts, {most} {plan.tokens_out} written, without retries\n"
        f"  time    {time}\n"
        f"  cost    {cost}"
    )
