"""Where a row of texts, pairs or triplets comes from, kept or dropped, and why; only files are read."""

from pathlib import Path

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.found_rows import DROPPED, Row, check_written, row_named, rows_with
from cvr_data.modifications.asked import TEXTS
from cvr_data.pairs.why_not import pair_verdict
from cvr_data.tables import TRIPLETS
from cvr_data.triplets.explain_drop import triplet_drop_explained
from cvr_data.triplets.explain_text import triplet_input_row, triplet_pair_lines, triplet_text_lines, triplet_text_story
from cvr_data.videos.filter_videos import STAGE as FILTERED
from cvr_data.videos.filter_videos import video_filter_in_words
from cvr_data.videos.measure_videos import STAGE as MEASURED

VIDEO_STAGES = ("split", "cut", "describe-videos", MEASURED, FILTERED)


def row_story(folder: Path, beginning: str) -> list[str]:
    """Return the lines that tell how a triplet, text, pair or video came to be; its id may be cut while it is unique.

    Raises:
        CvrError: no such folder or row, or several ids begin so.
    """
    artifact = open_artifact(folder)
    if artifact.stage.startswith(TEXTS):
        return triplet_text_story(artifact, beginning)
    if artifact.stage == "mine-pairs":
        pair = row_named(artifact, "pair_id", beginning)
        videos = f"  videos        {pair['reference_id']} -> {pair['target_id']}"
        return [f"pair {pair['pair_id']}: {pair_verdict(artifact, pair)}", videos]
    if artifact.stage.startswith("import-") or artifact.stage in VIDEO_STAGES:
        return _video_story(artifact, row_named(artifact, "video_id", beginning))
    return _triplet_story(artifact, beginning)


def _video_story(artifact: Artifact, row: Row) -> list[str]:
    """Return the verdict on a row of videos, and what is stored of it."""
    verdict = f"dropped by {row['drop_reason']}" if row.get("drop_reason") else "kept"
    if artifact.stage == FILTERED and (why := video_filter_in_words(artifact, row)):
        verdict = f"{verdict}: {why}"
    known = {
        name: value
        for name, value in row.items()
        if name not in ("video_id", "drop_reason") and value is not None and not isinstance(value, bytes)
    }
    return [f"video {row['video_id']}: {verdict}", *(f"  {name}  {value}" for name, value in known.items())]


def _triplet_story(artifact: Artifact, beginning: str) -> list[str]:
    row = row_named(artifact, "triplet_id", beginning)
    check_written(artifact, TRIPLETS)
    verdict = f"dropped by {row['drop_reason']}" if row.get("drop_reason") else "kept"
    lines = [
        f"triplet {row['triplet_id']}: {verdict}, split {row['split']}, query {row['query_id']}",
        f"  reference     {row['reference_id']}  {row['reference_caption'] or ''}".rstrip(),
        f"  modification  {row['modification']}",
        f"  target        {row['target_id']}  {row['target_caption'] or ''}".rstrip(),
    ]
    for change in row["changes"] or ():
        lines.append(f"  change        {change['before']} -> {change['after']} ({change['kind']}, {change['slot']})")
    if row.get("drop_reason") and (why := triplet_drop_explained(artifact, row)):
        lines.append(f"  dropped       {why}")
    return [*lines, *_also_dropped(artifact, row), *_origin(artifact, row)]


def _also_dropped(artifact: Artifact, row: Row) -> list[str]:
    """Return a line for each other text that would have been the same triplet, and was dropped."""
    others = rows_with(artifact, DROPPED, {"triplet_id": [row["triplet_id"]]})
    own = row["modification_id"] if row.get("drop_reason") else None
    return [
        f"  also          text {other['modification_id']} by {other['backend']}, dropped by {other['drop_reason']}"
        for other in others
        if own is None or other["modification_id"] != own
    ]


def _origin(artifact: Artifact, row: Row) -> list[str]:
    found = triplet_input_row(artifact, "modifications", "modification_id", row["modification_id"])
    if found is not None and found[1]["pair_id"] == row["pair_id"]:
        return triplet_text_lines(*found)
    if found is not None:
        line = "  target        the caption of another target of this query; no pair of these two videos was mined"
        return [line, *triplet_text_lines(*found)]
    lines = [f"  text          {row['modification_id']} by {row['backend']}; its table is not here"]
    return [*lines, *triplet_pair_lines(row, triplet_input_row(artifact, "pairs", "pair_id", row["pair_id"]))]
