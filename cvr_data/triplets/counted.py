"""The numbers of a dataset that a stage writes, by passes over its parts: `statistics` in any size."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.columns import check_columns
from cvr_data.core.parts import bucket_table
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import KeyedStep, Step
from cvr_data.tables import VIDEOS
from cvr_data.triplets.card import SourceOfVideos, sources_in
from cvr_data.triplets.counting import SOURCE, by_value, counts_of, facts_of, facts_of_videos, summed
from cvr_data.triplets.statistics import Counts, as_counts, numbers_of, source_and_licence

VIDEO_COLUMNS = ("video_id", "source", "licence", "duration_s")


def count_triplets(
    run: StageRun, triplets: Flow, videos: Sequence[Path]
) -> tuple[dict[str, Any], list[SourceOfVideos]]:
    """Return the statistics of triplets, and where their videos come from. Raises CvrError: videos lack a column."""
    facts = [triplets.then(Step(name="facts", run=facts_of, makes_rows=True, is_counted=False))]
    for folder in videos:
        rows = run.read(folder, VIDEO_COLUMNS, ["video_id", "source"])
        rows = rows.then(Step(name="videos", run=_checked, config=str(folder), is_counted=False))
        facts.append(rows.then(Step(name="video facts", run=facts_of_videos, makes_rows=True, is_counted=False)))
    counted = run.meet(facts, KeyedStep(name="counts", run=counts_of, key=by_value, makes_rows=True, is_counted=False))
    sums = counted.then(KeyedStep(name="sums", run=summed, key=_together, makes_rows=True, is_counted=False))
    counts = as_counts(bucket_table(*run.side(sums, bucket_table).arguments))
    return numbers_of(counts, with_videos=bool(videos)), sources_in(_videos_in(counts))


def _videos_in(counts: Counts) -> Counter[tuple[str, str | None]]:
    """Return how many used videos each source has under each licence; else of an unknown one."""
    listed = counts.get(("all", SOURCE), {})
    found: Counter[tuple[str, str | None]] = Counter()
    for value, count in listed.items():
        found[source_and_licence(value)] += count
    found["unknown", None] += counts.get(("all", "video.distinct"), {}).get("", 0) - found.total()
    return found


def _checked(folder: str, part: pa.Table) -> pa.Table:
    return check_columns(part, pa.schema([VIDEOS.field(name) for name in VIDEO_COLUMNS]), folder)


def _together(config: Any, counts: pa.Table) -> np.ndarray:
    return np.zeros(counts.num_rows, np.uint64)
