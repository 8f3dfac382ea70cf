"""Drop videos that are too short, blurred, still, shaky, full of text, marked or copies of others."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cvr_data.commands.options import (
    FOLDER_PLACE,
    PATH,
    NameOf,
    command_engine_options,
    json_option,
    out_option,
    overwrite_option,
)
from cvr_data.core.funnel_lines import manifest_funnel_lines
from cvr_data.core.nothing_left import empty_artifact_lines

if TYPE_CHECKING:
    from cvr_data.core.artifacts import Artifact
    from cvr_data.videos.filter_videos import FilterValues


@click.command()
@click.argument("videos", type=FOLDER_PLACE, default="videos")
@click.option(
    "--filter", "-f", "filters", type=NameOf("video-filters"), multiple=True, metavar="[+|-]NAME[:KEY=VALUE,...]",
    help="A filter in place of the default ones; +NAME beside them, -NAME without it. See `cvr list video-filters`.",
)  # fmt: skip
@click.option("--embeddings", type=FOLDER_PLACE, help="Stored features of an image-text encoder, for `aesthetic`.")
@click.option(
    "--measures",
    type=FOLDER_PLACE,
    metavar="FOLDER",
    help="What was measured of each clip.  [default: VIDEOS-measures]",
)
@click.option("--html", type=PATH, help="Also write a page: a histogram per filter, with clips at its bounds.")
@command_engine_options
@out_option("videos-filtered", anywhere=True)
@overwrite_option
@json_option
def filter_videos_command(
    videos: Path, filters: tuple[str, ...], embeddings: Path | None, measures: Path | None, html: Path | None,
    out: Path, overwrite: bool, as_json: bool,
) -> None:  # fmt: skip
    """Write VIDEOS again without those that a filter drops, each with its reason and the value that decided.

    The default filters: duration, size, black, blur, still, near-duplicate. Each clip is decoded once for all of them,
    a few frames only, and what was measured stays in --measures: other bounds take seconds. A video of which a filter
    knows nothing, such as one without a file, stays.

    Example: cvr filter-videos videos -f +shaky -f +still:low=3 --html histograms.html
    """
    from cvr_data.videos.filter_videos import (
        check_video_filter_features,
        choose_video_filters,
        filter_videos,
        video_filter_values,
    )
    from cvr_data.videos.measure_videos import measure_videos, measures_folder, video_filters_that_measure

    chosen = choose_video_filters(filters)
    check_video_filter_features(chosen, embeddings)
    names = video_filters_that_measure([each.name for each in chosen])
    measured = measure_videos(videos, names, measures or measures_folder(videos, names), overwrite=overwrite)
    artifact = filter_videos(measured.path, chosen, out, embeddings=embeddings, overwrite=overwrite)
    values = video_filter_values(artifact, chosen)
    if html is not None:
        from cvr_data.pages.filter_histograms import filter_page_html
        from cvr_data.pages.page import write_page

        write_page(filter_page_html(artifact, chosen, values), html, "--html")
    if as_json:
        click.echo(json.dumps(artifact.manifest, indent=1, sort_keys=True))
        return
    click.echo("\n".join([*_measured_lines(measured), *_filtered_lines(artifact, values)]))


def _measured_lines(measured: "Artifact") -> list[str]:
    manifest = measured.manifest
    lost = [f"  dropped {count} {reason}" for reason, count in manifest["dropped"].items()]
    return [f"{measured.path}: {manifest['rows']} videos measured, {manifest['seconds']:.1f} s", *lost]


def _filtered_lines(artifact: "Artifact", values: Sequence["FilterValues"]) -> list[str]:
    from cvr_data.pages.text_histogram import chart_in_text

    manifest = artifact.manifest
    lines = [f"{artifact.path}: {manifest['rows']} videos, {manifest['seconds']:.1f} s"]
    header, *steps = manifest_funnel_lines(manifest["funnel"])
    lines.append(header)
    for step, found in zip(steps, values, strict=True):
        lines += [step, f"    {chart_in_text(found)}"]
    return [*lines, *empty_artifact_lines(artifact.path, manifest)]
