"""Why two videos are or are not a pair: read from the pairs artifact where it says, else asked of the strategy."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.artifacts import Artifact, open_artifact
from cvr_data.errors import CvrError, did_you_mean
from cvr_data.mining import MINING


def verdicts(pairs: Path, reference_id: str, target_id: str) -> list[str]:
    """Return one line per verdict.

    Raises:
        CvrError: no such artifact, or a video is not in the corpus it was mined from.
    """
    artifact = open_artifact(pairs, "mine-pairs")
    lines = [f"kept: {shown_pair(row)}" for row in _rows(artifact.read(), reference_id, target_id)]
    dropped = artifact.dropped()
    lines += [f"dropped by {row['drop_reason']}: {shown_pair(row)}" for row in _rows(dropped, reference_id, target_id)]
    return lines or _explained(artifact, dropped, reference_id, target_id)


def shown_pair(row: dict[str, Any]) -> str:
    """Return captions, changes and what is known of the similarities of a row of pairs, in one line."""
    notes = [f"{change['before']} -> {change['after']}" for change in row["changes"] or ()]
    for name in ("text_similarity", "visual_similarity"):
        if row.get(name) is not None:
            notes.append(f"{name.replace('_', ' ')} {row[name]:.3f}")
    return f"{row['reference_caption']!r} -> {row['target_caption']!r} ({', '.join(notes)})"


def _explained(artifact: Artifact, dropped: pa.Table, reference_id: str, target_id: str) -> list[str]:
    if reference_id == target_id:
        return ["not a pair: a video is not paired with itself"]
    captions = _captions(artifact.input_path("videos"), (reference_id, target_id))
    options = dict(artifact.manifest["config"]["strategy"])
    options.pop("version", None)
    strategy = MINING.get(options.pop("name"))
    config = strategy.Config(**options)
    lines = []
    for before in captions[reference_id]:
        for after in captions[target_id]:
            found = _group(dropped, strategy.group_texts(before, after)) or strategy.explain(config, before, after)
            lines.append(f"{before!r} -> {after!r}: {found}")
    return lines


def _group(dropped: pa.Table, texts: list[str]) -> str | None:
    """Return what became of the group that held the pair, if one was dropped whole."""
    if "n_captions" not in dropped.column_names:
        return None
    is_group = pc.and_(_is_in(dropped, "reference_caption", texts), pc.is_valid(dropped.column("n_captions")))
    for row in dropped.filter(is_group).to_pylist():
        size = f"{row['n_captions']} captions of {row['n_videos']} videos"
        return f"dropped by {row['drop_reason']}: {row['reference_caption']!r} ({size})"
    return None


def _captions(videos: Path, ids: tuple[str, str]) -> dict[str, list[str]]:
    table = open_artifact(videos).read(["video_id", "captions"])
    found = {row["video_id"]: row["captions"] for row in table.filter(_is_in(table, "video_id", ids)).to_pylist()}
    for video_id in ids:
        if video_id not in found:
            hint = did_you_mean(video_id, table.column("video_id").to_pylist()) if table.num_rows < 10_000 else ""
            raise CvrError(f"{videos} has no video {video_id!r}. {hint}".rstrip())
    return found


def _rows(table: pa.Table, reference_id: str, target_id: str) -> list[dict[str, Any]]:
    if not table.num_rows:
        return []
    is_pair = pc.and_(_is_in(table, "reference_id", [reference_id]), _is_in(table, "target_id", [target_id]))
    return table.filter(is_pair).to_pylist()


def _is_in(table: pa.Table, column: str, values: tuple[str, ...] | list[str]) -> pa.ChunkedArray:
    return pc.is_in(table.column(column), pa.array(values, pa.string()))
