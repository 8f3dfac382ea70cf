"""Say what a build will yield, be worth and cost, from a pilot of the real stages."""

import json
from pathlib import Path
from typing import Any

import click

from cvr_data.commands.options import (
    FOLDER,
    PATH,
    NameOf,
    command_engine_options,
    command_options_with_machine,
    json_option,
    option_option,
    out_option,
    overwrite_option,
    seed_option,
)


@click.command()
@click.argument("pairs", type=FOLDER, default="pairs")
@click.option("--pairs", "-n", "size", type=click.IntRange(1), default=200, show_default=True,
              help="Pairs of the pilot; with --purity and a judge it grows until the bound is met.")  # fmt: skip
@click.option("--most", type=click.IntRange(1), default=1600, show_default=True, help="Pairs of the largest pilot.")
@click.option("--purity", type=click.FloatRange(0, 1, min_open=True, max_open=True),
              help="Share of right triplets that is wanted: chooses a cut, and says what it costs.")  # fmt: skip
@click.option("--judgments", type=FOLDER, help="What people said of the pilot's triplets (cvr export-judgments).")
@click.option("--judge-backend", type=NameOf("backends"), help="A backend whose language model judges each text.")
@click.option("--judge-option", "judge_options", multiple=True, metavar="KEY=VALUE", help="An option of that backend.")
@click.option("--style", default="short", show_default=True, help="A built-in prompt, as of generate-modifications.")
@click.option("--prompt", type=PATH, help="A prompt file of your own (YAML), instead of --style.")
@click.option("--llm", default="transformers", show_default=True, type=NameOf("backends"), help="The backend of texts.")
@option_option
@click.option("--embeddings", type=FOLDER, help="Embeddings with fitted heads, as of build-triplets.")
@click.option("--require", multiple=True, type=click.Choice(["composition"]), help="As of build-triplets.")
@click.option("--tokens-per-s", type=click.FloatRange(0, min_open=True),
              help="Written tokens per second.  [default: as in the pilot]")  # fmt: skip
@click.option("--gpus", type=click.IntRange(1), default=1, show_default=True, help="GPUs that the engine takes.")
@click.option("--cache", type=PATH, help="Request cache (SQLite).  [default: requests.sqlite in cvr's cache folder]")
@seed_option
@command_engine_options
@out_option("plan")
@overwrite_option
@json_option
def plan_command(
    pairs: Path, size: int, most: int, purity: float | None, judgments: Path | None, judge_backend: str | None,
    judge_options: tuple[str, ...], embeddings: Path | None, require: tuple[str, ...], tokens_per_s: float | None,
    gpus: int, cache: Path | None, seed: int, out: Path, overwrite: bool, as_json: bool, **texts: Any,
) -> None:  # fmt: skip
    """Take a pilot of PAIRS through the real stages, and say what all of them will yield, be worth and cost.

    Yield of each step with its interval, purity by people or a judge, time, tokens, GPU-hours and disk. The pilot's
    triplets are for `cvr review`: what people say of them comes back with --judgments. Answers stay in the cache.

    Example: cvr plan pairs --llm rules --purity 0.95 --judgments judgments
    """
    from cvr_data.core.errors import CvrError
    from cvr_data.core.model_packages import cache_folder
    from cvr_data.modifications.backends import BACKENDS
    from cvr_data.modifications.checking.judge import JudgeConfig
    from cvr_data.modifications.generator import Config as TextsConfig
    from cvr_data.triplets.planning.costs import Rates
    from cvr_data.triplets.planning.pilot import Stages
    from cvr_data.triplets.planning.plan import Config, plan_triplet_build
    from cvr_data.triplets.planning.report import triplet_build_plan_text

    if judge_options and judge_backend is None:
        raise CvrError("--judge-option belongs to --judge-backend.")

    def with_machine(backend: str, options: tuple[str, ...]) -> tuple[str, ...]:
        return command_options_with_machine(BACKENDS.get(backend).Config, options)

    prompt = str(texts["prompt"]) if texts["prompt"] else texts["style"]
    written = TextsConfig(prompt=prompt, backend=texts["llm"], options=with_machine(texts["llm"], texts["options"]))
    judge = None
    if judge_backend is not None:
        judge = JudgeConfig(backend=judge_backend, options=with_machine(judge_backend, judge_options))
    stages = Stages(texts=written, judge=judge, embeddings=embeddings, needs_both="composition" in require)
    record = plan_triplet_build(
        pairs, out, Config(pairs=size, most=max(most, size), seed=seed, purity=purity), stages,
        rates=Rates(tokens_per_s=tokens_per_s, gpus=gpus), judgments=judgments,
        cache=cache or cache_folder() / "requests.sqlite", overwrite=overwrite,
    )  # fmt: skip
    click.echo(json.dumps(record, indent=1) if as_json else "\n".join(triplet_build_plan_text(record)))
