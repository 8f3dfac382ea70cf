"""Join texts with their pairs into a dataset."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cvr_data.commands.options import FOLDER_PLACE, command_engine_options, command_own_options, overwrite_option
from cvr_data.commands.publish import publish_command
from cvr_data.core.errors import CvrError
from cvr_data.core.nothing_left import empty_artifact_lines

if TYPE_CHECKING:
    from cvr_data.core.artifacts import Artifact


def _config() -> type:
    from cvr_data.triplets.join import Config

    return Config


@click.command()
@click.argument("modifications", nargs=-1, required=True, type=FOLDER_PLACE)
@click.option("--out", "-O", type=FOLDER_PLACE, help="Folder to write.  [default: annotations/<name>]")
@click.option("--name", help="Name of the dataset.  [default: that of the videos]")
@click.option("--pairs", type=FOLDER_PLACE, help="The pairs, if the manifest of the texts no longer leads to them.")
@click.option("--videos", type=FOLDER_PLACE, help="The videos, if the manifest of the pairs no longer leads to them.")
@click.option(
    "--test-from", "test_from", multiple=True, type=FOLDER_PLACE, metavar="MODIFICATIONS",
    help="Texts of another corpus that alone give the test triplets; repeatable.",
)  # fmt: skip
@click.option(
    "--embeddings", type=FOLDER_PLACE, help="Embeddings with fitted heads: gives each triplet its frame_scores."
)
@click.option(
    "--judgments", type=FOLDER_PLACE, help="Judgments (cvr export-judgments) that keep, drop and reword texts."
)
@click.option("--judged-only", is_flag=True, help="Drop texts nobody judged, in splits where others were judged.")
@click.option(
    "--require", multiple=True, type=click.Choice(["composition"]),
    help="Drop val and test queries that the text or the reference alone solves; needs --embeddings.",
)  # fmt: skip
@click.option(
    "--distractors", multiple=True, type=FOLDER_PLACE,
    help="With --require: mined ones join the gallery, as in cvr bench; K stays. Repeatable.",
)  # fmt: skip
@click.option("--push", metavar="USER/NAME", help="Publish it there, as `cvr publish` does with its defaults.")
@command_own_options(_config)
@overwrite_option
@command_engine_options
def build_triplets_command(
    modifications: tuple[Path, ...], out: Path | None, name: str | None, test_from: tuple[Path, ...],
    judgments: Path | None, judged_only: bool, require: tuple[str, ...], distractors: tuple[Path, ...],
    push: str | None, options: tuple[str, ...], overwrite: bool,
    **given: Path | None,
) -> None:  # fmt: skip
    """Join the texts in MODIFICATIONS folders with their pairs into a dataset.

    Writes triplets as Parquet, WebVid-CoVR CSVs, statistics.json and a dataset card (README.md). Val and test queries
    list every video with their target's caption. Of equal triplets the first folder's stays. With --test-from,
    MODIFICATIONS give train and val only, without the videos that the test uses.

    Example: cvr build-triplets modifications/short-rules --embeddings embeddings
    """
    from cvr_data.core.registry import parse_config
    from cvr_data.publish.lay_out import check_published_repo
    from cvr_data.triplets import build as building
    from cvr_data.triplets.join import Config

    if push is not None:
        check_published_repo(push, "--push")
    if judged_only and judgments is None:
        raise CvrError("--judged-only needs --judgments.")
    if distractors and not require:
        raise CvrError("--distractors is asked of what queries need: pass --require composition.")
    config = parse_config(Config, options, where="build-triplets")
    sources = building.find_triplet_parts(modifications, **given)
    sources = building.triplets_with_tests(sources, test_from) if test_from else sources
    sources = replace(
        sources,
        judgments=judgments,
        judged_only=judged_only,
        needs_both="composition" in require,
        distractors=distractors,
    )
    chosen = name or (out.name if out else building.triplet_dataset_name(sources))
    folder = out or Path("annotations") / chosen
    artifact = building.build_triplets(sources, folder, config, name=chosen, overwrite=overwrite)
    click.echo("\n".join(_told_lines(artifact, folder)))
    if push is not None and artifact.manifest["rows"]:
        click.get_current_context().invoke(publish_command, triplets=folder, repo=push)


def _told_lines(artifact: "Artifact", folder: Path) -> list[str]:
    from cvr_data.triplets.composition import NOT_ASKED, triplet_composition_lines, triplet_composition_unasked
    from cvr_data.triplets.statistics import triplet_counts_text

    manifest = artifact.manifest
    return [
        f"{folder}: {manifest['rows']} triplets, dropped: {triplet_counts_text(manifest['dropped'])}",
        *triplet_composition_lines(manifest.get("composition", {})),
        *triplet_composition_unasked(manifest.get(NOT_ASKED, {})),
        *empty_artifact_lines(folder, manifest),
    ]
