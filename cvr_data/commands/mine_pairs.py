"""Pair videos whose captions differ in one thing."""

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import click

from cvr_data.commands.options import (
    FOLDER_PLACE,
    PATH,
    NameOf,
    command_engine_options,
    command_options_with_machine,
    json_option,
    option_option,
    out_option,
    overwrite_option,
)
from cvr_data.core.funnel_lines import manifest_funnel_lines
from cvr_data.core.nothing_left import empty_artifact_lines


@click.command()
@click.argument("videos", type=FOLDER_PLACE, default="videos")
@click.option(
    "--strategy", type=NameOf("strategies"), default="one-word", show_default=True, help="See `cvr list strategies`."
)
@option_option
@click.option("--embeddings", type=FOLDER_PLACE, help="Stored features: visual similarity, and captions encoded once.")
@click.option(
    "--filter", "-f", "filters", type=NameOf("filters"), multiple=True, metavar="[+|-]NAME[:KEY=VALUE,...]",
    help="A filter in place of the default ones; +NAME beside them, -NAME without it, none for no filter.",
)  # fmt: skip
@click.option(
    "--language", metavar="LANG",
    help="Of the captions: a code, a spaCy model's name or its folder.  [default: en, if the import saw no other]",
)  # fmt: skip
@click.option(
    "--frames-by", type=NameOf("backends"), metavar="LLM",
    help="A language model reads the captions instead of the rules: vllm, transformers, openai; its options are by -o.",
)  # fmt: skip
@click.option("--prompt", default="frames", show_default=True, help="How --frames-by asks; or a YAML file.")
@click.option("--cache", type=PATH, help="Request cache (SQLite).  [default: requests.sqlite in cvr's cache folder]")
@command_engine_options
@out_option("pairs", anywhere=True)
@overwrite_option
@json_option
def mine_pairs_command(
    videos: Path, strategy: str, options: tuple[str, ...], embeddings: Path | None, filters: tuple[str, ...], out: Path,
    language: str | None, frames_by: str | None, prompt: str, cache: Path | None, overwrite: bool, as_json: bool,
) -> None:  # fmt: skip
    """Pair the VIDEOS whose captions are alike but for one thing, filter the pairs, and say what changes.

    The default filters: straddling, min-words, max-words, digits, templates, invisible-change, text-similarity,
    caption-pair-cap. `straddling`, which keeps test videos out of training pairs, stays first unless it is named off.

    With --frames-by, a row for each caption lies in OUT-frames: its frame, or why there is none.

    Example: cvr mine-pairs videos-split --embeddings embeddings -f +stop-words -f +text-similarity:low=0.5
    """
    from cvr_data.pairs import mine_pairs as mining

    chosen = mining.choose_mining_filters(filters, language)
    of_strategy, of_model = _divided(strategy, frames_by, options)
    component = mining.strategy_of(strategy, of_strategy)
    frames = _framed(videos, out, _FramesAsked(frames_by, of_model, prompt, cache), overwrite) if frames_by else None
    artifact = mining.mine_pairs(
        videos, embeddings, component, chosen, out, overwrite=overwrite, language=language, frames=frames
    )
    if as_json:
        click.echo(json.dumps(artifact.manifest, indent=1, sort_keys=True))
        return
    click.echo(f"{out}: {artifact.manifest['rows']} pairs, {artifact.manifest['seconds']:.1f} s")
    for line in (*manifest_funnel_lines(artifact.manifest["funnel"]), *empty_artifact_lines(out, artifact.manifest)):
        click.echo(line)


def _divided(strategy: str, llm: str | None, options: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the options of the strategy, and those that only the model's backend knows."""
    if llm is None:
        return list(options), []
    from cvr_data.modifications.backends import BACKENDS
    from cvr_data.pairs.strategies import STRATEGIES

    ours, theirs = ({each.name for each in fields(family.get(name).Config)}
                    for family, name in ((STRATEGIES, strategy), (BACKENDS, llm)))  # fmt: skip
    is_model = [option.split("=", 1)[0].replace("-", "_") in theirs - ours for option in options]
    divided = zip(options, is_model, strict=True)
    found: tuple[list[str], list[str]] = [], []
    for option, is_theirs in divided:
        found[is_theirs].append(option)
    return found


class _FramesAsked(NamedTuple):
    llm: str
    options: Sequence[str]
    prompt: str
    cache: Path | None


def _framed(videos: Path, out: Path, asked: _FramesAsked, overwrite: bool) -> Path:
    """Have a model read each caption once, and return where its frames are."""
    from cvr_data.core.model_packages import cache_folder
    from cvr_data.modifications.backends import BACKENDS
    from cvr_data.modifications.framing import Config, FramesBy, write_prompted_frames

    options = command_options_with_machine(BACKENDS.get(asked.llm).Config, asked.options)
    config = Config(backend=asked.llm, options=options, prompt=asked.prompt)
    chosen = FramesBy.of(config, asked.cache or cache_folder() / "requests.sqlite")
    folder = out.with_name(f"{out.name}-frames")
    told = write_prompted_frames(videos, folder, chosen, overwrite=overwrite).manifest
    counts = ", ".join(f"{count} {status}" for status, count in told["status"].items())
    dropped = told["words"].get("dropped", 0)
    click.echo(
        f"{folder}: {told['rows']} captions ({counts}), {dropped} words that they have not were left out", err=True
    )
    return folder
