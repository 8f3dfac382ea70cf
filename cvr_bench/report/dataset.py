"""What a report shows of a dataset: the funnel from its videos to its triplets, and some of the triplets.

The funnel is read from manifests, following inputs from the triplets back to the videos.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from cvr_bench.benchmarks.triplets import benchmark_task_name, read_benchmark_triplets
from cvr_bench.results.result import Result
from cvr_data.core.artifact_files import MANIFEST
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.lineage import lineage
from cvr_data.pages.behind import NumberLists, TripletLists, page_links_behind_losses
from cvr_data.pages.cards import TripletCard, captions_on_page, media_on_page, random_page_cards
from cvr_data.pages.charts import Figure, FunnelBar
from cvr_data.pages.clips import ClipShelf
from cvr_data.pages.funnel import funnel_bars, funnel_figure
from cvr_data.pages.stats_numbers import Linked, RowsOfTriplets, html_linked_counts, triplet_facts
from cvr_data.triplets.dataset import open_dataset
from cvr_data.triplets.statistics import triplet_counts_text, triplet_statistics

SHOWN = 20
"""Triplets drawn at random."""


@dataclass(frozen=True, kw_only=True)
class DatasetPart:
    """Everything the page says of the triplets."""

    name: str
    triplets: pa.Table
    facts: list[tuple[str, Linked]]
    bars: list[FunnelBar]
    funnel: Figure | None
    cards: list[TripletCard]
    clips: ClipShelf
    captions: dict[str, str]
    """video_id -> its first caption."""


def reported_triplets(results: Sequence[Result]) -> Path | None:
    """Return the first triplets folder that a result was scored on; a plain file has no funnel and no clips."""
    for result in results:
        artifact = open_artifact(result.path)
        if "triplets" in artifact.manifest["inputs"]:
            return artifact.input_path("triplets")
    return None


def dataset_part_of_report(
    path: Path, *, videos: Path | None, seed: int, lists: NumberLists | None = None
) -> DatasetPart:
    """Return the part of the page about the triplets of a folder or file; only a folder has a funnel and clips.

    Raises:
        CvrError: there are none, or their videos have moved or changed.
    """
    triplets, table = reported_triplets_and_videos(path, videos=videos)
    behind = TripletLists(triplets, seed, lists)
    facts = _dataset_facts(triplets, table, behind)
    is_folder = (path / MANIFEST).exists()
    found = funnel_bars(path, page_links_behind_losses(lineage([path]), behind.lists, seed)) if is_folder else []
    return DatasetPart(
        name=benchmark_task_name(path),
        triplets=triplets,
        facts=facts,
        bars=found,
        funnel=funnel_figure(found) if found else None,
        cards=random_page_cards(triplets, count=SHOWN, seed=seed),
        clips=ClipShelf(media_on_page(table)),
        captions=captions_on_page(triplets, table),
    )


def reported_triplets_and_videos(path: Path, *, videos: Path | None) -> tuple[pa.Table, pa.Table | None]:
    """Return the triplets of a folder or file, and the videos of a folder.

    Raises:
        CvrError: there are none, or their videos have moved or changed.
    """
    if not (path / MANIFEST).exists():
        return read_benchmark_triplets(path), None
    dataset = open_dataset(path, videos=videos)
    return dataset.triplets, dataset.videos


def _dataset_facts(triplets: pa.Table, videos: pa.Table | None, lists: TripletLists) -> list[tuple[str, Linked]]:
    numbers = triplet_statistics(triplets, videos)
    whole, rows = numbers["all"], RowsOfTriplets(triplets)
    return [
        *triplet_facts(numbers, rows, lists),
        ("Videos in triplets", [(f"{whole['videos']:,}", lists.every)]),
        ("Sources of text", html_linked_counts(whole["sources_of_text"], rows.source_of_text, lists, "Text by", "top")),
        (
            "Changes",
            html_linked_counts(whole["changes"]["slots"], rows.changes["slots"], lists, "What changes:", "top"),
        ),
        ("Licences of the videos", [(triplet_counts_text(whole["licences"]), "")]),
    ]
