"""The numbers of a dataset that a stage writes, by passes over its parts: `triplet_statistics` in any size."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.columns import check_columns
from cvr_data.core.parts import artifact_bucket_table
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import KeyedStep, Step, stage_key_for_all
from cvr_data.tables import VIDEOS
from cvr_data.triplets.card import SourceOfVideos, card_sources_in
from cvr_data.triplets.counting import (
    SOURCE,
    summed_triplet_counts,
    triplet_counts,
    triplet_facts,
    triplet_facts_by_value,
    triplet_facts_of_videos,
)
from cvr_data.triplets.statistics import Counts, triplet_counts_by_scope, triplet_numbers, triplet_source_and_licence

VIDEO_COLUMNS = ("video_id", "source", "licence", "duration_s")


def count_triplets(
    run: StageRun, triplets: Flow, videos: Sequence[Path]
) -> tuple[dict[str, Any], list[SourceOfVideos]]:
    """Return the statistics of triplets, and where their videos come from. Raises CvrError: videos lack a column."""
    facts = [triplets.then(Step(name="facts", run=triplet_facts, makes_rows=True, is_counted=False))]
    for folder in videos:
        rows = run.read(folder, VIDEO_COLUMNS, ["video_id", "source"])
        rows = rows.then(Step(name="videos", run=_checked, config=str(folder), is_counted=False))
        facts.append(
            rows.then(Step(name="video facts", run=triplet_facts_of_videos, makes_rows=True, is_counted=False))
        )
    counted = run.meet(
        facts,
        KeyedStep(name="counts", run=triplet_counts, key=triplet_facts_by_value, makes_rows=True, is_counted=False),
    )
    sums = counted.then(
        KeyedStep(name="sums", run=summed_triplet_counts, key=stage_key_for_all, makes_rows=True, is_counted=False)
    )
    counts = triplet_counts_by_scope(artifact_bucket_table(*run.side(sums, artifact_bucket_table).arguments))
    return triplet_numbers(counts, with_videos=bool(videos)), card_sources_in(_videos_in(counts))


def _videos_in(counts: Counts) -> Counter[tuple[str, str | None]]:
    """Return how many used videos each source has under each licence; else of an unknown one."""
    listed = counts.get(("all", SOURCE), {})
    found: Counter[tuple[str, str | None]] = Counter()
    for value, count in listed.items():
        found[triplet_source_and_licence(value)] += count
    found["unknown", None] += counts.get(("all", "video.distinct"), {}).get("", 0) - found.total()
    return found


def _checked(folder: str, part: pa.Table) -> pa.Table:
    return check_columns(part, pa.schema([VIDEOS.field(name) for name in VIDEO_COLUMNS]), folder)
