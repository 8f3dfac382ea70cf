"""Find gallery videos that share a test set's concepts and answer none of its queries."""

from pathlib import Path

import click

from cvr_data.commands.options import (
    FOLDER_PLACE,
    command_engine_options,
    command_own_options,
    out_option,
    overwrite_option,
)


def _config() -> type:
    from cvr_data.pairs.distractors import Config

    return Config


@click.command()
@click.argument("triplets", type=FOLDER_PLACE)
@click.argument("videos", type=FOLDER_PLACE)
@click.option("--embeddings", type=FOLDER_PLACE, help="Stored features: visual likeness, and captions encoded once.")
@command_own_options(_config)
@out_option("distractors", anywhere=True)
@overwrite_option
@command_engine_options
def mine_distractors_command(
    triplets: Path, videos: Path, embeddings: Path | None, options: tuple[str, ...], out: Path, overwrite: bool
) -> None:
    """Find, among VIDEOS, distractors for the test queries of a TRIPLETS folder.

    They share the words of a query's captions, look like its reference or come from its recording, and answer no query:
    `cvr bench --distractors` adds them to the gallery. Each says what kind it is and which words prove it wrong;
    missing-types.parquet says why a query has none of a kind.

    Example: cvr mine-distractors annotations/webvid videos --embeddings embeddings
    """
    from cvr_data.core.registry import parse_config
    from cvr_data.pairs import distractors as mining
    from cvr_data.triplets.statistics import triplet_counts_text

    config = parse_config(mining.Config, options, where="mine-distractors")
    artifact = mining.mine_distractors(triplets, videos, embeddings, config, out, overwrite=overwrite)
    rows, found = artifact.manifest["rows"], artifact.manifest["videos"]
    dropped = triplet_counts_text(artifact.manifest["dropped"])
    click.echo(
        f"{out}: {found} videos, distractors {rows} times, dropped: {dropped}; {artifact.manifest['seconds']:.1f} s"
    )
    for name, told in artifact.manifest["types"].items():
        reasons = ", ".join(f"{reason} {count}" for reason, count in told["missing"].items()) or "none"
        click.echo(f"  {name:<15}{told['queries']:>6} queries; without: {reasons}")
    if (needs := artifact.manifest.get("needs_both")) is not None:
        steps = needs["curve"][:: max(1, len(needs["curve"]) // 8)]
        click.echo(f"  {needs['queries']} queries need both inputs at {needs['k']}, by videos added")
        click.echo("  (in brackets: of those that no input alone solves then):")
        click.echo("  " + ", ".join(_told(*step) for step in [*steps, *needs["curve"][-1:]]))


def _told(added: int, share: float, of_left: float | None = None) -> str:
    """A step of the curve; folders made before it was told have none of the second."""
    return f"{added}: {100 * share:.0f} %" + ("" if of_left is None else f" ({100 * of_left:.0f} %)")
