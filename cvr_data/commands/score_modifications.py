"""Score modification texts: does reference and text lead to the target, by a sentence encoder and a judge?"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cvr_data.commands.options import (
    FOLDER,
    PATH,
    NameOf,
    command_engine_options,
    command_options_with_machine,
    json_option,
    overwrite_option,
)

if TYPE_CHECKING:
    from cvr_data.core.artifacts import Artifact


@click.command()
@click.argument("modifications", type=PATH)
@click.option("--out", "-O", type=FOLDER, help="Folder to write.  [default: MODIFICATIONS-scored]")
@click.option("--pairs", type=PATH, help="The pairs, if they are no longer where the texts were made from.")
@click.option("--min-gain", type=float, help="Reject texts with a lower cycle_gain; 0.02 is a strict choice.")
@click.option("--min-score", type=float, help="Reject texts with a lower cycle_score.")
@click.option("--max-text-score", type=float, help="Reject texts that are closer to the target's caption than this.")
@click.option(
    "--judge-backend",
    type=NameOf("backends"),
    help="A backend whose language model judges each text; see `cvr list backends`.",
)
@click.option("--judge-option", "judge_options", multiple=True, metavar="KEY=VALUE", help="An option of that backend.")
@click.option("--judge-prompt", default="judge", show_default=True, help="A prompt with the task judge, or a file.")
@click.option("--reject", multiple=True, help="Reject texts of this verdict; repeatable.")
@click.option("--way-back", type=FOLDER, help="Ways back (--style reverse): reject texts whose way back was rejected.")
@click.option("--cache", type=PATH, help="Request cache (SQLite).  [default: requests.sqlite in cvr's cache folder]")
@command_engine_options
@overwrite_option
@json_option
def score_modifications_command(
    modifications: Path, out: Path | None, pairs: Path | None, judge_backend: str | None,
    judge_options: tuple[str, ...], judge_prompt: str, cache: Path | None, overwrite: bool, as_json: bool,
    **thresholds: Any,
) -> None:  # fmt: skip
    """Add cycle scores and verdicts to the accepted texts of MODIFICATIONS; rows beyond a threshold become rejected.

    Example: cvr score-modifications modifications/short-rules --min-gain 0.02
    """
    from cvr_data.core.errors import CvrError
    from cvr_data.core.model_packages import cache_folder
    from cvr_data.modifications.backends import BACKENDS
    from cvr_data.modifications.checking.judge import JudgeConfig
    from cvr_data.modifications.checking.score import Config, score_modifications

    if judge_options and judge_backend is None:
        raise CvrError("--judge-option belongs to --judge-backend.")
    judge = None
    if judge_backend is not None:
        options = command_options_with_machine(BACKENDS.get(judge_backend).Config, judge_options)
        judge = JudgeConfig(backend=judge_backend, options=options, prompt=judge_prompt)
    out = out or modifications.with_name(f"{modifications.name}-scored")
    cache = cache or cache_folder() / "requests.sqlite"
    config = Config(judge=judge, **thresholds)
    artifact = score_modifications(modifications, out, config, pairs=pairs, cache=cache, overwrite=overwrite)
    click.echo(json.dumps(artifact.manifest, indent=1, sort_keys=True) if as_json else _scored_text(artifact))


def _scored_text(artifact: "Artifact") -> str:
    manifest = artifact.manifest
    lines = [f"{artifact.path}: {manifest['rows']} texts, {manifest['seconds']:.1f} s"]
    if gain := manifest["cycle_gain"]:
        lines += ["  cycle_gain  " + ", ".join(f"{name} {value:+.3f}" for name, value in gain.items())]
    for heading in ("verdicts", "status", "reasons"):
        lines += [f"  {name:<24}{count:>8}" for name, count in manifest[heading].items()]
    return "\n".join(lines)
