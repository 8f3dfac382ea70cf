"""Why two videos are or are not a pair: read from the pairs artifact where it says, else asked of the strategy."""

from pathlib import Path

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
    kept = _rows(artifact.read(), reference_id, target_id)
    lines = [f"kept: {_shown(row)}" for row in kept]
    lines += [
        f"dropped by {row['drop_reason']}: {_shown(row)}" for row in _rows(artifact.dropped(), reference_id, target_id)
    ]
    return lines or _explained(artifact, reference_id, target_id)


def _explained(artifact: Artifact, reference_id: str, target_id: str) -> list[str]:
    captions = _captions(artifact.input_path("videos"), (reference_id, target_id))
    options = dict(artifact.manifest["config"]["strategy"])
    strategy = MINING.get(options.pop("name"))
    config = strategy.Config(**options)
    return [
        f"{before!r} -> {after!r}: {strategy.explain(config, before, after)}"
        for before in captions[reference_id]
        for after in captions[target_id]
    ]


def _captions(videos: Path, ids: tuple[str, str]) -> dict[str, list[str]]:
    table = open_artifact(videos).read(["video_id", "captions"])
    found = {row["video_id"]: row["captions"] for row in table.filter(_is_in(table, "video_id", ids)).to_pylist()}
    for video_id in ids:
        if video_id not in found:
            raise CvrError(
                f"{videos} has no video {video_id!r}. {did_you_mean(video_id, table.column('video_id').to_pylist())}"
            )
    return found


def _rows(table: pa.Table, reference_id: str, target_id: str) -> list[dict[str, object]]:
    if not table.num_rows:
        return []
    is_pair = pc.and_(_is_in(table, "reference_id", [reference_id]), _is_in(table, "target_id", [target_id]))
    return table.filter(is_pair).to_pylist()


def _is_in(table: pa.Table, column: str, values: tuple[str, ...] | list[str]) -> pa.ChunkedArray:
    return pc.is_in(table.column(column), pa.array(values, pa.string()))


def _shown(row: dict) -> str:
    changes = ", ".join(f"{change['before']} -> {change['after']}" for change in row["changes"] or ())
    similarity = "" if row.get("text_similarity") is None else f", text similarity {row['text_similarity']:.3f}"
    return f"{row['reference_caption']!r} -> {row['target_caption']!r} ({changes}{similarity})"
