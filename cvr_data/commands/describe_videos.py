"""Describe videos densely with a vision-language model."""

import json
from pathlib import Path
from typing import Any

import click

from cvr_data.commands.options import (
    PATH,
    command_engine_options,
    command_options_with_machine,
    json_option,
    option_option,
    out_option,
    overwrite_option,
    seed_option,
)


@click.command()
@click.argument("videos", type=PATH, default="videos")
@click.option(
    "--llm", default="vllm", show_default=True, help="A backend that takes images: vllm, openai, transformers."
)
@option_option
@click.option("--prompt", default="describe", show_default=True, help="A built-in prompt, or a YAML file.")
@click.option("--frames", type=int, default=8, show_default=True, help="Frames shown per video, at most.")
@click.option("--sampler", default="uniform", show_default=True, help="uniform, middle, first, or per-second.")
@click.option("--longest-side", type=int, default=512, show_default=True, help="Larger frames are shrunk, in pixels.")
@click.option("--encoder", default="", help="Scores how far the frames bear out a description, such as blip.")
@click.option("--encoder-option", multiple=True, metavar="KEY=VALUE", help="An option of the encoder; repeatable.")
@click.option("--floor", type=float, help="Lowest cosine of a kept description.  [default: 0.4, with blip]")
@click.option("--attempts", type=int, default=2, show_default=True, help="Answers per video at most.")
@click.option("--replace", is_flag=True, help="Describe videos again that have a description.")
@click.option("--captions", is_flag=True, help="Videos without a caption get the first sentence as theirs.")
@out_option("videos-described")
@seed_option
@click.option("--cache", type=PATH, help="Request cache (SQLite).  [default: requests.sqlite in cvr's cache folder]")
@command_engine_options
@overwrite_option
@json_option
def describe_videos_command(
    videos: Path, llm: str, options: tuple[str, ...], encoder_option: tuple[str, ...], out: Path, cache: Path | None,
    overwrite: bool, as_json: bool, **chosen: Any,
) -> None:  # fmt: skip
    """Describe each of VIDEOS from sampled frames, and write the videos with their descriptions.

    A video keeps its row whether or not it could be described; its status and reasons are columns. Descriptions below
    the floor of --encoder are taken as hallucinated. What `cvr generate-modifications --style dense` writes about, and
    what `cvr embed` and models of descriptions read, is the column `description`.

    Example: cvr describe-videos videos --llm vllm -o model=VLM --encoder blip --encoder-option model=BLIP
    """
    from cvr_data.core.errors import CvrError
    from cvr_data.core.model_packages import cache_folder
    from cvr_data.modifications.backends import BACKENDS
    from cvr_data.modifications.describe_videos import Config, describe_videos

    if encoder_option and not chosen["encoder"]:
        raise CvrError("--encoder-option belongs to --encoder.")
    options = command_options_with_machine(BACKENDS.get(llm).Config, options)
    config = Config(backend=llm, options=options, encoder_options=encoder_option, **chosen)
    artifact = describe_videos(
        videos, out, config, cache=cache or cache_folder() / "requests.sqlite", overwrite=overwrite
    )
    manifest = artifact.manifest
    if as_json:
        click.echo(json.dumps(manifest, indent=1, sort_keys=True))
        return
    click.echo(f"{out}: {manifest['rows']} videos, by {manifest['config']['model']}, {manifest['seconds']:.1f} s")
    for status, count in manifest["status"].items():
        click.echo(f"  {status:<10}{count:>8}  {count / max(manifest['rows'], 1):>6.1%}")
    for reason, count in manifest["reasons"].items():
        click.echo(f"    {reason:<24}{count:>8}")
