"""Pair videos whose captions differ in one thing."""

import json
from pathlib import Path

import click

from cvr_data.commands.options import (
    FOLDER_PLACE,
    NameOf,
    engine_options,
    json_option,
    option_option,
    out_option,
    overwrite_option,
)
from cvr_data.core.nothing_left import nothing_left_lines


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
@engine_options
@out_option("pairs", anywhere=True)
@overwrite_option
@json_option
def mine_pairs_command(
    videos: Path, strategy: str, options: tuple[str, ...], embeddings: Path | None, filters: tuple[str, ...], out: Path,
    language: str | None, overwrite: bool, as_json: bool,
) -> None:  # fmt: skip
    """Pair the VIDEOS whose captions are alike but for one thing, filter the pairs, and say what changes.

    The default filters: straddling, min-words, max-words, digits, templates, invisible-change, text-similarity,
    caption-pair-cap. `straddling`, which keeps test videos out of training pairs, stays first unless it is named off.

    Example: cvr mine-pairs videos-split --embeddings embeddings -f +stop-words -f +text-similarity:low=0.5
    """
    from cvr_data.pairs import mine_pairs as mining

    chosen = mining.choose_filters(filters, language)
    component = mining.strategy_of(strategy, options)
    artifact = mining.mine_pairs(videos, embeddings, component, chosen, out, overwrite=overwrite, language=language)
    if as_json:
        click.echo(json.dumps(artifact.manifest, indent=1, sort_keys=True))
        return
    click.echo(f"{out}: {artifact.manifest['rows']} pairs, {artifact.manifest['seconds']:.1f} s")
    for step in artifact.manifest["funnel"]:
        reasons = ", ".join(f"{count} {reason}" for reason, count in step["dropped"].items()) or "none"
        click.echo(f"  {step['step']:<18}{step['out']:>10}  dropped: {reasons}")
    for line in nothing_left_lines(out, artifact.manifest):
        click.echo(line)
